"""The administration commands: on the database itself, beside a running service or without one.

`python -m noc_web.cli user add NAME --role ROLE`; the `noc` command hands its words on to here.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import getpass
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from noc_bus.time import Time
from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import DATA, SettingError, set_over
from noc_frame.sqlite import DatabaseFault
from noc_web import inventory
from noc_web.auth.accounts import Accounts
from noc_web.auth.actor import ROLES
from noc_web.auth.author import Author
from noc_web.broker.accounts import BrokerAccounts, SiteKey
from noc_web.broker.files import BrokerFiles
from noc_web.broker.sites import NewKey, SiteKeys, Way
from noc_web.catalog.catalog import Catalog
from noc_web.config import LONGEST_PASSWORD, SHORTEST_PASSWORD
from noc_web.database.opening import Database
from noc_web.problem import ProblemError

COMMANDS: Final = ("user", "token", "site", "account", "targets")
"""The first words that `main` takes."""
EXIT_REFUSED: Final = 1
_MOST_DAYS: Final = 3650
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
    top = argparse.ArgumentParser(prog="noc", description="Users, tokens, sites and targets.")
    known = top.add_subparsers(metavar="COMMAND", required=True)

    user = known.add_parser("user", help="people who may log in").add_subparsers(
        metavar="add|reset-admin", required=True
    )
    add = _add(user, "add", _add_user, "Add a user; the password is asked for, or read from standard input.")
    add.add_argument("name")
    add.add_argument("--role", choices=ROLES, required=True)

    reset = _add(
        user, "reset-admin", _reset_admin, "Where no admin can log in any more: make NAME one, with a new password."
    )
    reset.add_argument("name", nargs="?", default="admin")

    token = known.add_parser("token", help="keys for machines").add_subparsers(metavar="create", required=True)
    create = _add(token, "create", _create_token, "Print a new token for the HTTP API; it is shown this once.")
    create.add_argument("--role", choices=ROLES, required=True)
    create.add_argument("--name", help="what it is for (made up where it is left out)")
    create.add_argument("--days", type=_days, metavar="N", help="how long it is worth something (until it is deleted)")
    create.add_argument(
        "--area",
        action="append",
        default=[],
        help="where it may do what its role may: a first word of the API's paths, such as reports or metrics; may be "
        "repeated (everywhere)",
    )

    _add_site_commands(known)
    _add_account_commands(known)
    _add_doctor(known)

    targets = known.add_parser("targets", help="the list of targets")
    kinds = targets.add_subparsers(metavar="import|export", required=True)
    read = _add(kinds, "import", _import_targets, "Add the targets of a CSV or JSON file: all of them, or none.")
    read.add_argument("file", metavar="FILE")
    read.add_argument("--replace", action="store_true", help="also change targets that exist")
    write = _add(kinds, "export", _export_targets, "Write all targets, with their own options, to a file.")
    write.add_argument("file", metavar="FILE", help="- is standard output")
    write.add_argument("--format", choices=("csv", "json"), help="csv, unless FILE ends in .json")
    return top


def _add_site_commands(known: Any) -> None:
    site = known.add_parser("site", help="other places to ping from")
    kinds = site.add_subparsers(metavar="add|rotate|disable|enable|remove|list", required=True)
    about = {
        "add": "Set up a site, and print what starts its prober there.",
        "rotate": "Give a site another token; the one before is worth nothing from now on.",
    }
    for name, make in (("add", SiteKeys.add), ("rotate", SiteKeys.rotate)):
        command = _add(kinds, name, functools.partial(_give_key, make), about[name])
        command.add_argument("site", metavar="NAME")
        command.add_argument(
            "--address",
            metavar="HOST[:PORT]",
            action="append",
            default=[],
            help="where the site reaches this machine, before the addresses that this machine knows of; may be repeated",
        )
        command.add_argument(
            "--through",
            metavar="URL",
            default="",
            help="the address of a proxy by which alone the site reaches this machine, such as "
            "https://noc.example/sites, which passes WebSockets on to https://THIS-MACHINE:8883/mqtt; where the broker is "
            "a Mosquitto, such as mqtts://noc.example:443, which passes on what is inside TLS",
        )
        command.add_argument(
            "--json", action="store_true", help='{"site": NAME, "join": TOKEN} alone on standard output'
        )
    for name, act, text in (
        ("disable", _disable_site, "Let a site in no more, until it is enabled; its token stays the same."),
        ("enable", _enable_site, "Let a disabled site in again."),
    ):
        _add(kinds, name, act, text).add_argument("site", metavar="NAME")
    removed = _add(
        kinds, "remove", _remove_site, "Remove a site with its token; its history stays, unless it is to go too."
    )
    removed.add_argument("site", metavar="NAME")
    removed.add_argument(
        "--history",
        choices=("keep", "delete"),
        default="keep",
        help="delete: all that is kept of it goes too, but incidents",
    )
    _add(kinds, "list", _list_sites, "The sites, and how their tokens are.")


def _add_doctor(known: Any) -> None:
    doctor = _add(known, "doctor", _examine, "Look at the whole NOC from here; exit code 1 where something is ill.")
    doctor.add_argument("--json", action="store_true", help="one JSON document instead of lines")


def _examine(folder: Path, arguments: argparse.Namespace) -> None:
    # Only then: it brings the history along.
    from noc_web.doctor import examine

    findings = examine(set_over(os.environ, {DATA.name: str(folder)}))
    if arguments.json:
        print(json.dumps([{"check": one.name, "level": one.level, "text": one.text} for one in findings], indent=2))
    else:
        for one in findings:
            print(f"{one.level:<4}  {one.name:<12}  {one.text}")
    if any(one.level == "fail" for one in findings):
        sys.exit(EXIT_REFUSED)


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
        Catalog(database).note(_who(), "add user", name, {"role": role}, after={"role": role})
    _say(f"{name} can log in now, as {role}.")


def _reset_admin(folder: Path, arguments: argparse.Namespace) -> None:
    name = arguments.name
    password = _typed_password(name)
    with closing(Database(folder)) as database:
        Accounts(database).reset_admin(name, password)
        Catalog(database).note(_who(), "reset admin", name, after={"role": "admin", "new password": True})
    _say(f"{name} can log in now, as admin, with this password; all sessions of before are over.")


def _typed_password(name: str) -> str:
    """Asked for twice on a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"Password for {name} ({SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters): ")
    if getpass.getpass("Repeat the password: ") != password:
        raise _Refused("The two passwords differ; nothing was changed.")
    return password


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted; use a whole number of days from 1 to {_MOST_DAYS}")
    return int(text)


def _create_token(folder: Path, arguments: argparse.Namespace) -> None:
    name = arguments.name or f"{arguments.role}-{secrets.token_hex(3)}"
    with closing(Database(folder)) as database:
        if arguments.area:
            # Only then: it brings the whole API along.
            from noc_web.api.tokens import check_areas

            check_areas(tuple(arguments.area))
        token = Accounts(database).create_token(name, arguments.role, arguments.days, arguments.area)
        detail = {"role": arguments.role, "days": arguments.days, "areas": arguments.area}
        Catalog(database).note(_who(), "create token", name, detail, after=detail)
    print(token)


def _add_account_commands(known: Any) -> None:
    account = known.add_parser("account", help="other programs that read from the broker")
    kinds = account.add_subparsers(metavar="add|remove|list", required=True)
    add = _add(kinds, "add", _add_account, "Add an account; its password is printed, this once.")
    add.add_argument("name", metavar="NAME")
    add.add_argument(
        "--read",
        metavar="TOPICS",
        action="append",
        required=True,
        help="what it may read below noc/v1, such as verdicts/#; may be repeated",
    )
    _add(kinds, "remove", _remove_account, "Remove an account, at once.").add_argument("name", metavar="NAME")
    _add(kinds, "list", _list_accounts, "The accounts, and what each may read.")


@contextlib.contextmanager
def _site_keys(folder: Path) -> Iterator[SiteKeys]:
    with closing(Database(folder)) as database:
        accounts = BrokerAccounts(database)
        yield SiteKeys(folder, Catalog(database), accounts, BrokerFiles(accounts))


def _give_key(make: Callable[[SiteKeys, str, Way, str], NewKey], folder: Path, arguments: argparse.Namespace) -> None:
    with _site_keys(folder) as keys:
        key = make(keys, arguments.site, Way(arguments.address, arguments.through), _who())
    if key.warning:
        _say(key.warning)
    if arguments.json:
        print(json.dumps({"site": key.site, "join": key.token}))
        return
    _say(
        f"Start the prober of {key.site} there with one of these lines. Their token is the site's key: "
        f"used for the first time by {str(key.expires_at)[:10]}, it is good until it is replaced."
    )
    for line in start_lines(key.token):
        print(line)


def start_lines(token: str) -> list[str]:
    """One line for each way of running a prober: a checkout, a service of systemd from it, pip, pipx, Docker."""
    # Most systems let nobody install into their own Python. What pipx preinstalls it looks for in another folder.
    venv = "python3 -m venv ~/noc-prober && ~/noc-prober/bin/pip install ./frame ./bus ./rules ./services/prober"
    pipx = 'pipx install --preinstall "$PWD/frame" --preinstall "$PWD/bus" --preinstall "$PWD/rules" ./services/prober'
    return [
        f"./noc prober --join {token}",
        f"sudo ./noc prober --systemd --join {token}",
        f"{venv} && ~/noc-prober/bin/noc-prober --join {token}",
        f"{pipx} && ~/.local/bin/noc-prober --join {token}",
        f"NOC_JOIN={token} docker compose --file compose.site.yml up --build --detach",
    ]


def _disable_site(folder: Path, arguments: argparse.Namespace) -> None:
    with _site_keys(folder) as keys:
        keys.set_disabled(arguments.site, is_disabled=True, who=_who())
    _say(f"{arguments.site} is let in no more; `noc site enable {arguments.site}` takes that back.")


def _enable_site(folder: Path, arguments: argparse.Namespace) -> None:
    with _site_keys(folder) as keys:
        keys.set_disabled(arguments.site, is_disabled=False, who=_who())
    _say(f"{arguments.site} is let in again.")


def _remove_site(folder: Path, arguments: argparse.Namespace) -> None:
    with _site_keys(folder) as keys:
        keys.remove(arguments.site, _who(), with_history=arguments.history == "delete")
    _say(f"{arguments.site} is removed; its history {'goes too' if arguments.history == 'delete' else 'stays'}.")


def _add_account(folder: Path, arguments: argparse.Namespace) -> None:
    with closing(Database(folder)) as database:
        accounts = BrokerAccounts(database)
        password = accounts.add_reader(arguments.name, arguments.read)
        Catalog(database).note(_who(), "add account", arguments.name, {"read": arguments.read})
        BrokerFiles(accounts).write_now()
    print(password)


def _remove_account(folder: Path, arguments: argparse.Namespace) -> None:
    with closing(Database(folder)) as database:
        accounts = BrokerAccounts(database)
        accounts.remove_reader(arguments.name)
        Catalog(database).note(_who(), "delete account", arguments.name)
        BrokerFiles(accounts).write_now()
    _say(f"{arguments.name} reads no more.")


def _list_accounts(folder: Path, arguments: argparse.Namespace) -> None:
    with closing(Database(folder)) as database:
        for user, reads in BrokerAccounts(database).readers().items():
            print(f"{user:<20}  {' '.join(reads)}")


def _list_sites(folder: Path, arguments: argparse.Namespace) -> None:
    with _site_keys(folder) as keys:
        lacking = keys.lacking_certificate()
        for key in keys.listed():
            lacks = "; without the certificate that it has to show, rotate it" if key.site in lacking else ""
            reads = "; made by an earlier version, may read every target until it is rotated" if key.reads_all else ""
            print(f"{key.site:<20}  {_how(key)}{lacks}{reads}")


def _how(key: SiteKey) -> str:
    if key.is_own:
        return "of this NOC itself"
    if key.disabled:
        return "disabled"
    if key.used_at is not None:
        return f"first used {key.used_at} on {key.used_from or 'a machine without a name'}"
    assert key.expires_at is not None
    return f"{'not used, and expired' if key.expires_at < Time.now() else 'not used yet, expires'} {key.expires_at}"


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


def _who() -> Author:
    """For the audit: the person at this terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}"
    # sshd says from where; without it somebody sits at this machine.
    return Author(f"{name} (terminal)", os.environ.get("SSH_CONNECTION", "").partition(" ")[0] or socket.gethostname())


if __name__ == "__main__":
    sys.exit(main())
