"""`noc history check|stats|compact|export|import|copy`: beside a running recorder or without one."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from noc_bus.messages import ProbeResult
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame import progress
from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import DATA, SettingError
from noc_history.inspection import Part, check, parts
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Store, StoreError, Sum, days_ago
from noc_history.stores import HISTORY_URL, HistoryUrl, in_folder
from noc_recorder.copying import Copied, Progress, batched, copy
from noc_recorder.exchange import FORMATS, BadLine, NeedsPackage, read, writing
from noc_rules.share import pct

EXIT_WRONG: Final = 1
COPY_FILE: Final = "history.copy"
"""In the data folder: how far a copy is."""
_LONGEST_MS: Final = 3660 * DAY_MS
_AFTER_CTRL_C: Final = {
    "compact": "what is packed stays so, and the same command goes on from there",
    "copy": "what is copied stays, and the same command goes on from there",
    "import": "what is stored stays, and the same file may be imported again",
}


def main(
    words: Sequence[str], folder: Callable[[], Path] | None = None, environment: Mapping[str, str] = os.environ
) -> int:
    """Run one command; its exit code. `folder`: where the data are unless --data says so; else NOC_DATA decides.

    KeyboardInterrupt comes through, once it is said what it leaves.
    """
    arguments = _parser().parse_args(words)
    try:
        if arguments.command == "copy":
            return _copy(arguments, folder, environment)
        url = _url(arguments.data, folder, environment)
        store = url.open()
        if arguments.run in (_export, _import, _forget):
            act: Callable[[Store, argparse.Namespace], int] = arguments.run
            return _with(store, lambda: act(store, arguments))
        if not isinstance(store, SqliteStore):
            return _refuse(f"{url.described} is looked after by its own server; this command is for SQLite")
        if not store.path.is_file():
            return _refuse(f"There is no history in {store.path}; name the data folder with --data")
        run: Callable[[SqliteStore, HistoryUrl], int] = arguments.run
        return _with(store, lambda: run(store, url))
    except StoreError as error:
        return _refuse(str(error))
    except SettingError as error:
        print(f"noc: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    except KeyboardInterrupt:
        if arguments.command in _AFTER_CTRL_C:
            progress.show("stopped", 1)
            print(f"noc: Stopped: {_AFTER_CTRL_C[arguments.command]}.", file=sys.stderr)
        raise


def _with(store: Store, act: Callable[[], int]) -> int:
    try:
        return act()
    finally:
        store.close()


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="noc history", description="The history that the recorder keeps.")
    known = top.add_subparsers(metavar="check|stats|compact|export|import|copy|forget", dest="command", required=True)
    for name, run, about in (
        ("check", _check, "Read all of it and say what is wrong; exit status 1 where something is."),
        ("stats", _stats, "What is in it, from when to when, and how much room it takes."),
        (
            "compact",
            _compact,
            "Pack, delete and give back to the disk at once what the recorder does little by little.",
        ),
    ):
        added = known.add_parser(name, description=about, help=about)
        added.add_argument("--data", metavar="DIR", help="the data folder (NOC_DATA, else the usual one)")
        added.set_defaults(run=run)
    about = "Write the raw cycles that are kept, or their sums, to a file or to standard output, of any store."
    export = known.add_parser("export", description=about, help=about)
    export.add_argument("--data", metavar="DIR", help="the data folder (NOC_DATA, else the usual one)")
    export.add_argument(
        "--format", choices=FORMATS, default="jsonl", help="JSON Lines, CSV or Parquet (default: jsonl)"
    )
    export.add_argument(
        "--sums", action="store_true", help="what cycles are summed up to over 5 minutes, an hour and a day"
    )
    export.add_argument("--output", metavar="FILE", type=Path, help="default: standard output")
    export.add_argument("--target", metavar="ID", action="append", help="only this one; may be given several times")
    export.add_argument("--from", metavar="TIME", type=_moment, dest="start", help="such as 2026-11-24T12:00:00Z")
    export.add_argument("--to", metavar="TIME", type=_moment, dest="end", help="default: now")
    export.set_defaults(run=_export)
    about = "Store what is in such a file, cycles or sums, in any store; what is there already is there once."
    taken = known.add_parser("import", description=about, help=about)
    taken.add_argument("file", metavar="FILE", type=Path, help="as `noc history export` writes it")
    taken.add_argument("--data", metavar="DIR", help="the data folder (NOC_DATA, else the usual one)")
    taken.add_argument("--format", choices=FORMATS, default="jsonl", help="JSON Lines, CSV or Parquet (default: jsonl)")
    taken.set_defaults(run=_import)
    about = "Copy all of a history into another store, from SQLite to InfluxDB or back; go on where it was cut off."
    copied = known.add_parser("copy", description=about, help=about)
    copied.add_argument("--data", metavar="DIR", help="the data folder (NOC_DATA, else the usual one)")
    copied.add_argument(
        "--from",
        metavar="URL",
        dest="source",
        help="which to copy, as NOC_HISTORY_URL names it (default: SQLite in the data folder)",
    )
    copied.add_argument("--to", metavar="URL", help="where to, as NOC_HISTORY_URL names it (default: that setting)")
    about = "Delete all that is kept of a target or of a site, of any store; incidents stay."
    forgotten = known.add_parser("forget", description=about, help=about)
    what = forgotten.add_mutually_exclusive_group(required=True)
    what.add_argument("--target", metavar="ID", help="of all sites; only one that was deleted from the catalogue")
    what.add_argument("--site", metavar="ID", help="of all targets; delete the site first")
    forgotten.add_argument("--data", metavar="DIR", help="the data folder (NOC_DATA, else the usual one)")
    forgotten.set_defaults(run=_forget)
    return top


def _moment(text: str) -> Time:
    try:
        return Time.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted; use a time like 2026-11-24T12:00:00Z") from None


def _url(given: str | None, folder: Callable[[], Path] | None, environment: Mapping[str, str]) -> HistoryUrl:
    if given:
        return in_folder(Path(given).expanduser())
    return HISTORY_URL.read(environment) or in_folder(folder() if folder else DATA.read(environment))


def _check(store: SqliteStore, url: HistoryUrl) -> int:
    problems = store.inspected(lambda file: check(file, functools.partial(progress.show, "checked")))
    progress.show("checked", 1)
    for problem in problems:
        print(problem)
    print("nothing is wrong" if not problems else f"{len(problems)} problems", file=sys.stderr)
    return EXIT_WRONG if problems else 0


def _stats(store: SqliteStore, url: HistoryUrl) -> int:
    for part in store.inspected(parts):
        print(_line(part))
    room = store.room()
    assert room is not None
    print(f"{'the file':40} {room.size_bytes / 1e6:10,.1f} MB")
    if room.max_bytes is not None:
        print(f"{'what it may take (max_gb)':40} {room.max_bytes / 1e6:10,.1f} MB")
    print(f"{'added in a day':40} {room.growth_bytes_a_day / 1e6:10,.1f} MB")
    print(f"{'free on its disk':40} {room.free_bytes / 1e6:10,.1f} MB  {pct(room.used, 1, 0):g} % used")
    left = "not within ten years" if room.days_left is None else f"in {room.days_left:,} days"
    print(f"{'the disk will be full':40} {left:>13}")
    if room.is_tight:
        print(
            f"noc: The disk of {store.path} is {pct(room.used, 1, 0):g} % full: give it more room, or keep less "
            "(keep_days in NOC_HISTORY_URL).",
            file=sys.stderr,
        )
    return 0


def _line(part: Part) -> str:
    line = f"{part.name:40} {part.size / 1e6:10,.1f} MB"
    if part.cycles:
        line += f"  {part.cycles:,} cycles, {part.size / part.cycles:.1f} bytes each"
    if part.first is not None and part.last is not None:
        line += f"  {str(part.first)[:16]} to {str(part.last)[:16]}"
    return line


def _compact(store: SqliteStore, url: HistoryUrl) -> int:
    before = None if url.keep_days is None else days_ago(url.keep_days)
    size, most = store.path.stat().st_size, 0
    # It may be long before the first step of a large file is done.
    progress.show("packed", 0)
    while left := store.maintain(before, 0.5).backlog_rows:
        most = max(most, left)
        progress.show("packed", 1 - left / most)
        # Beside a recorder something late may come, or an hour be over, that upkeep would wait for minutes to pack.
        store.pack_soon()
    store.shrink(functools.partial(progress.show, "given back"))
    progress.show("packed", 1)
    print(f"{size / 1e6:,.1f} MB before, {store.path.stat().st_size / 1e6:,.1f} MB now", file=sys.stderr)
    return 0


def _export(store: Store, arguments: argparse.Namespace) -> int:
    end = arguments.end or Time.now()
    start = arguments.start or Time(end - _LONGEST_MS)
    known = store.targets()
    targets = arguments.target or known
    if unknown := [target for target in targets if target not in known]:
        return _refuse(f"There are no cycles of {', '.join(unknown)}")
    try:
        with writing(arguments.format, arguments.output, arguments.sums) as write:
            for number, target in enumerate(targets):
                records = store.sums(target, start, end) if arguments.sums else store.raw_cycles(target, start, end)
                for one in records:
                    write(one)
                progress.show("written", (number + 1) / len(targets))
    except BrokenPipeError:
        return EXIT_WRONG
    except NeedsPackage as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{arguments.output or 'standard output'} cannot be written: {error.strerror}")
    return 0


def _import(store: Store, arguments: argparse.Namespace) -> int:
    done = 0
    try:
        store.prepare()
        records = read(arguments.format, arguments.file)
        for batch in batched(records):
            sums = [one for _, one in batch if isinstance(one, Sum)]
            store.write_sums(sums)
            results = [one for _, one in batch if isinstance(one, ProbeResult)]
            if rejected := store.write(Batch(results=results)).rejected:
                return _refuse(f"{rejected[0].reason}; {done:,} records before this are stored")
            done += len(batch)
            progress.show("stored", min(0.99, batch[-1][0]))
    except BadLine as error:
        return _refuse(f"{arguments.file}, {error}; {done:,} records before it are stored, and may be imported again")
    except NeedsPackage as error:
        return _refuse(str(error))
    except UnicodeDecodeError as error:
        return _refuse(f"{arguments.file} is no UTF-8: {error.reason}")
    except OSError as error:
        return _refuse(f"{arguments.file} cannot be read: {error.strerror}")
    finally:
        progress.show("stored", 1)
    print(f"{done:,} records; what was there already is there once", file=sys.stderr)
    return 0


def _forget(store: Store, arguments: argparse.Namespace) -> int:
    if arguments.target is not None:
        defined = store.definitions([arguments.target]).get(arguments.target, ())
        if defined and defined[-1].target is not None:
            return _refuse(f"{arguments.target} is in the catalogue; delete the target first")
        is_there = arguments.target in store.targets()
    else:
        is_there = any(site == arguments.site for _, site in store.last_cycles())
    if not is_there:
        return _refuse(f"Nothing is kept of {arguments.target or arguments.site}")
    store.forget(arguments.target, arguments.site)
    print(f"nothing is kept of {arguments.target or arguments.site} any more, but incidents", file=sys.stderr)
    return 0


def _copy(arguments: argparse.Namespace, folder: Callable[[], Path] | None, environment: Mapping[str, str]) -> int:
    data = Path(arguments.data).expanduser() if arguments.data else folder() if folder else DATA.read(environment)
    source_url = HISTORY_URL.read({HISTORY_URL.name: arguments.source or ""}) or in_folder(data)
    url = HISTORY_URL.read({HISTORY_URL.name: arguments.to} if arguments.to else environment)
    source = source_url.open()
    if isinstance(source, SqliteStore) and not source.path.is_file():
        return _refuse(f"There is no history in {source.path}; name the data folder with --data")
    if url is None:
        return _refuse("Where to is not said; use --to influxdb://token@host:8086/org/bucket, or set NOC_HISTORY_URL")
    destination = url.open()
    if _place(source, source_url) == _place(destination, url):
        return _refuse(f"{_place(source, source_url)} is the history to copy; name another store with --to")
    noted = Progress(data / COPY_FILE)
    try:
        noted.open(f"{source_url.described} to {url.described}")
        done = copy(source, destination, noted, functools.partial(progress.show, "copied"))
    except OSError as error:
        return _refuse(f"{error.filename} cannot be written: {error.strerror}")
    finally:
        progress.show("copied", 1)
        source.close()
        destination.close()
    print(f"{done.cycles:,} cycles, their sums, states and incidents are in {url.described}", file=sys.stderr)
    for sentence in _of_sums_only(done):
        print(sentence, file=sys.stderr)
    return 0


def _of_sums_only(done: Copied) -> Iterator[str]:
    """What somebody should know who looks for these cycles."""
    if done.sums_from is not None and (
        done.cycles_from is None or done.sums_from < done.cycles_from // HOUR_MS * HOUR_MS
    ):
        until = "" if done.cycles_from is None else f"; cycles are kept from {done.cycles_from} on"
        yield f"from {done.sums_from} on there are only sums{until}"
    if done.late:
        yield f"{done.late:,} cycles came late for hours of which only sums are left, and are summed up with these"
    if done.left_out:
        yield (
            f"{done.left_out:,} cycles came late for hours of which only sums are left, and are left out: "
            "nobody can tell any more whether these count them"
        )


def _place(store: Store, url: HistoryUrl) -> str:
    """Where it is, by whatever name it was given."""
    return str(store.path.resolve()) if isinstance(store, SqliteStore) else url.described


def _refuse(sentence: str) -> int:
    print(f"noc: {sentence}.", file=sys.stderr)
    return EXIT_WRONG
