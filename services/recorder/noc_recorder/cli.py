"""`noc history check|stats|compact`: on the file itself, beside a running recorder or without one."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from noc_frame import progress
from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import DATA, SettingError
from noc_history.inspection import Part, check, parts
from noc_history.sqlite import SqliteStore
from noc_history.store import StoreError, days_ago
from noc_history.stores import HISTORY_URL, HistoryUrl, in_folder

EXIT_WRONG: Final = 1


def main(
    words: Sequence[str], folder: Callable[[], Path] | None = None, environment: Mapping[str, str] = os.environ
) -> int:
    """Run one command; its exit code. `folder`: where the data are unless --data says so; else NOC_DATA decides."""
    arguments = _parser().parse_args(words)
    try:
        url = _url(arguments.data, folder, environment)
        store = url.open()
        if not isinstance(store, SqliteStore):
            return _refuse(f"{url.described} is looked after by its own server; this command is for SQLite")
        if not store.path.is_file():
            return _refuse(f"There is no history in {store.path}; name the data folder with --data")
        try:
            run: Callable[[SqliteStore, HistoryUrl], int] = arguments.run
            return run(store, url)
        finally:
            store.close()
    except StoreError as error:
        return _refuse(str(error))
    except SettingError as error:
        print(f"noc: {error}", file=sys.stderr)
        return EXIT_SETTINGS


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="noc history", description="The history that the recorder keeps in SQLite.")
    known = top.add_subparsers(metavar="check|stats|compact", required=True)
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
    return top


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
    print(f"{'the file':40} {store.path.stat().st_size / 1e6:10,.1f} MB")
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
    while left := store.maintain(before, 0.5).backlog_rows:
        most = max(most, left)
        progress.show("packed", 1 - left / most)
    store.shrink()
    progress.show("packed", 1)
    print(f"{size / 1e6:,.1f} MB before, {store.path.stat().st_size / 1e6:,.1f} MB now", file=sys.stderr)
    return 0


def _refuse(sentence: str) -> int:
    print(f"noc: {sentence}.", file=sys.stderr)
    return EXIT_WRONG
