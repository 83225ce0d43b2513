"""The administration commands: on the database itself, beside a running service or without one.

`python -m noc_web.cli user add NAME --role ROLE`; the `noc` command hands its words on to here.
"""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import DATA, SettingError
from noc_frame.sqlite import DatabaseFault
from noc_web import inventory
from noc_web.auth.accounts import Accounts
from noc_web.auth.actor import ROLES
from noc_web.catalog.catalog import Catalog
from noc_web.config import LONGEST_PASSWORD, SHORTEST_PASSWORD
from noc_web.database.opening import Database
from noc_web.problem import ProblemError

COMMANDS: Final = ("user", "token", "targets")
"""The first words that `main` takes."""
EXIT_REFUSED: Final = 1
_DATA_HELP: Final = "the data folder (NOC_DATA, else the usual one)"


class _Refused(Exception):
    """The sentence for the person at the terminal; nothing was changed."""


def main(words: Sequence[str] | None = None, folder: Callable[[], Path] | None = None) -> int:
    """Run one command; its exit code. `folder`: where the data are unless --data says so; else NOC_DATA decides.

    Results for machines alone go to standard output, sentences to standard error.
    """
    arguments = _parser().parse_args(words)
    try:
        arguments.run(_existing(arguments.data, folder or _setting), arguments)
    except _Refused as refused:
        print(f"noc: {refused}", file=sys.stderr)
        return EXIT_REFUSED
    except ProblemError as problem:
        print(f"noc: {problem.detail}", file=sys.stderr)
        return EXIT_REFUSED
    except DatabaseFault as fault:
        print(f"noc: {fault}.", file=sys.stderr)
        return EXIT_REFUSED
    except SettingError as error:
        print(f"noc: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    return 0


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="noc", description="Users, tokens and targets.")
    known = top.add_subparsers(metavar="COMMAND", required=True)

    user = known.add_parser("user", help="people who may log in").add_subparsers(metavar="add", required=True)
    add = _add(user, "add", _add_user, "Add a user; the password is asked for, or read from standard input.")
    add.add_argument("name")
    add.add_argument("--role", choices=ROLES, required=True)

    token = known.add_parser("token", help="keys for machines").add_subparsers(metavar="create", required=True)
    create = _add(token, "create", _create_token, "Print a new token for the HTTP API; it is shown this once.")
    create.add_argument("--role", choices=ROLES, required=True)
    create.add_argument("--name", help="what it is for (made up where it is left out)")

    targets = known.add_parser("targets", help="the list of targets")
    kinds = targets.add_subparsers(metavar="import|export", required=True)
    read = _add(kinds, "import", _import_targets, "Add the targets of a CSV or JSON file: all of them, or none.")
    read.add_argument("file", metavar="FILE")
    read.add_argument("--replace", action="store_true", help="also change targets that exist")
    write = _add(kinds, "export", _export_targets, "Write all targets, with their own options, to a file.")
    write.add_argument("file", metavar="FILE", help="- is standard output")
    write.add_argument("--format", choices=("csv", "json"), help="csv, unless FILE ends in .json")
    return top


def _add(known: Any, name: str, run: Callable[[Path, argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = known.add_parser(name, description=about, help=about)
    added.add_argument("--data", metavar="DIR", help=_DATA_HELP)
    added.set_defaults(run=run)
    return added


def _existing(given: str | None, otherwise: Callable[[], Path]) -> Path:
    folder = Path(given).expanduser().absolute() if given else otherwise()
    if not folder.is_dir():
        raise _Refused(f"There is no data folder {folder}; start ./noc up once, or name the folder with --data.")
    return folder


def _add_user(folder: Path, arguments: argparse.Namespace) -> None:
    name, role = arguments.name, arguments.role
    password = _typed_password(name)
    with closing(Database(folder)) as database:
        Accounts(database).add_user(name, role, password)
        Catalog(database).note(_who(), "add user", name, {"role": role})
    _say(f"{name} can log in now, as {role}.")


def _typed_password(name: str) -> str:
    """Asked for twice on a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"Password for {name} ({SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters): ")
    if getpass.getpass("Repeat the password: ") != password:
        raise _Refused("The two passwords differ; nothing was changed.")
    return password


def _create_token(folder: Path, arguments: argparse.Namespace) -> None:
    name = arguments.name or f"{arguments.role}-{secrets.token_hex(3)}"
    with closing(Database(folder)) as database:
        token = Accounts(database).create_token(name, arguments.role)
        Catalog(database).note(_who(), "create token", name, {"role": arguments.role})
    print(token)


def _import_targets(folder: Path, arguments: argparse.Namespace) -> None:
    file = arguments.file
    try:
        added, changed = inventory.import_file(folder, Path(file), _who(), replace=arguments.replace)
    except (OSError, UnicodeDecodeError) as error:
        raise _Refused(f"{file} cannot be read ({error}); name a CSV or JSON file.") from None
    except ProblemError as problem:
        reasons = "\n".join(error.detail for error in problem.errors) or problem.detail
        raise _Refused(f"{file}: nothing was imported.\n{reasons}") from None
    _say(f"{'1 target' if added == 1 else f'{added} targets'} added, {changed} changed.")


def _export_targets(folder: Path, arguments: argparse.Namespace) -> None:
    file = arguments.file
    text = inventory.export_text(folder, arguments.format or ("json" if file.endswith(".json") else "csv"))
    if file == "-":
        # The mark is for spreadsheets that open a file; the next program has no use for it.
        print(text.removeprefix("\ufeff"), end="")
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _Refused(f"{file} cannot be written ({error.strerror}); name another file.") from None


def _setting() -> Path:
    return DATA.read(os.environ)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _who() -> str:
    """For the audit: the person at this terminal."""
    try:
        return f"{getpass.getuser()} (terminal)"
    except (KeyError, OSError):
        return f"user {os.getuid()} (terminal)"


if __name__ == "__main__":
    sys.exit(main())
