"""The `noc` command: `python -m noc_launcher`, or ./noc in a checkout."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from noc_bus.settings import SettingError
from noc_launcher import services
from noc_launcher.complaint import Complaint

EXIT_WRONG_USE: Final = 2
Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in OTHERS:
            # These read their own arguments, --help included.
            return OTHERS[words[0]](words[1:])
        _check_command(words)
        arguments = parser().parse_args(words or ["--help"])
        run: Callable[[Arguments], int] = arguments.run
        return run(arguments)
    except Complaint as complaint:
        print(f"noc: {complaint}", file=sys.stderr)
        return complaint.code
    except SettingError as error:
        print(f"noc: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    except BrokenPipeError:
        # Whoever read our output has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"noc: {error.filename or 'this machine'}: {error.strerror or error}", file=sys.stderr)
        return 1


def _check_command(words: Sequence[str]) -> None:
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise Complaint(f"There is no command {words[0]!r}; `noc --help` lists them.", EXIT_WRONG_USE)


# -- commands that other parts read the arguments of


def _test(words: list[str]) -> int:
    from noc_launcher.checkout import run_tests

    return run_tests(words)


def _ping(words: list[str]) -> int:
    from noc_prober.terminal import ping

    return ping(words)


def _trace(words: list[str]) -> int:
    from noc_prober.terminal import trace

    return trace(words)


def _service(name: str) -> Callable[[list[str]], int]:
    return lambda words: services.run(name, words)


OTHERS: Final[dict[str, Callable[[list[str]], int]]] = {
    "test": _test,
    "ping": _ping,
    "trace": _trace,
    **{name: _service(name) for name in services.SERVICES},
}


# -- commands whose arguments are read here


def _up(arguments: Arguments) -> int:
    from noc_launcher.plan import Options
    from noc_launcher.up import up

    asked = Options(
        data=arguments.data,
        host=arguments.host,
        port=arguments.port,
        site=arguments.site,
        broker=arguments.broker,
        mqtt_port=arguments.mqtt_port,
    )
    return up(asked, os.environ)


def _user_add(arguments: Arguments) -> int:
    from noc_launcher import admin

    print(admin.add_user(_folder(arguments), arguments.name, arguments.role), file=sys.stderr)
    return 0


def _token_create(arguments: Arguments) -> int:
    from noc_launcher import admin

    print(admin.create_token(_folder(arguments), arguments.role, arguments.name))
    return 0


def _targets_import(arguments: Arguments) -> int:
    from noc_launcher import admin

    print(admin.import_targets(_folder(arguments), arguments.file, replace=arguments.replace), file=sys.stderr)
    return 0


def _targets_export(arguments: Arguments) -> int:
    from noc_launcher import admin

    form: Literal["csv", "json"] = arguments.format or ("json" if arguments.file.endswith(".json") else "csv")
    text = admin.export_targets(_folder(arguments), form)
    if arguments.file == "-":
        print(text, end="")
        return 0
    try:
        Path(arguments.file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Complaint(f"{arguments.file} cannot be written ({error.strerror}); name another file.") from None
    return 0


def _doctor(arguments: Arguments) -> int:
    from noc_launcher.doctor import examine

    findings = examine(_folder(arguments), os.environ)
    if arguments.json:
        print(json.dumps([{"check": one.name, "level": one.level, "text": one.text} for one in findings], indent=2))
    else:
        for one in findings:
            print(f"{one.level:<4}  {one.name:<6}  {one.text}")
    return int(any(one.level == "fail" for one in findings))


def _secrets(arguments: Arguments) -> int:
    from noc_launcher import secret_files

    made = secret_files.make(Path(arguments.folder), arguments.site)
    print(f"new in {arguments.folder}: {', '.join(made) or 'nothing, all is there'}", file=sys.stderr)
    return 0


def _lock(arguments: Arguments) -> int:
    from noc_launcher.checkout import write_lock

    print(f"{write_lock()} is made anew", file=sys.stderr)
    return 0


def _folder(arguments: Arguments) -> Path:
    from noc_launcher.plan import data_folder

    return data_folder(arguments.data, os.environ)


# -- how they are read

_ABOUT: Final = """\
Who is reachable, from where, since when, and how well.

on this machine
  noc up                     everything: broker, store, prober, recorder, alerter, web
  noc doctor                 what is missing here, and the cure

in the terminal
  noc ping HOST...           ping as a prober does
  noc trace HOST             the path to a host

administration (beside a running system, or without one)
  noc user add NAME --role ROLE
  noc token create --role ROLE [--name NAME]
  noc targets import FILE    CSV or JSON; all rows or none
  noc targets export FILE

one service alone (noc prober --help shows its settings)
  noc prober | recorder | alerter | web
  noc secrets FOLDER         random passwords for docker compose

for developers
  noc test [PYTEST ARGUMENTS]
  noc lock                   rewrite requirements.lock

`noc COMMAND --help` says more. Settings are environment variables, NOC_...; arguments win over them.
"""
_DATA_HELP: Final = "the data folder (NOC_DATA, else ~/.local/share/noc)"
COMMANDS: Final = ("up", "doctor", "user", "token", "targets", "secrets", "lock")
_ROLES: Final = ("viewer", "operator", "admin")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="noc", usage="noc COMMAND ...", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"noc {version('noc-launcher')}")
    commands = top.add_subparsers(prog="noc", metavar="COMMAND", required=True, help=argparse.SUPPRESS)

    up = _add(commands, "up", _up, "Run everything on this machine until Ctrl-C.")
    up.add_argument("--data", metavar="DIR", help=_DATA_HELP)
    up.add_argument("--host", metavar="ADDRESS", help="where browsers connect (NOC_HTTP_HOST, else 127.0.0.1)")
    up.add_argument("--port", metavar="N", help="where browsers connect (NOC_HTTP_PORT, else 8080)")
    up.add_argument("--site", metavar="NAME", help="this site's name (NOC_SITE, else this machine's name)")
    up.add_argument(
        "--broker",
        choices=("nats", "mosquitto"),
        default="nats",
        help="the bundled nats-server, or Mosquitto from PATH; neither is started where NOC_MQTT_URL names one",
    )
    up.add_argument(
        "--mqtt-port", metavar="N", type=_port, help="the broker's port on loopback (1883, else a free one)"
    )

    user = commands.add_parser("user", help=argparse.SUPPRESS).add_subparsers(metavar="add", required=True)
    add = _add(user, "add", _user_add, "Add a user; the password is asked for, or read from standard input.")
    add.add_argument("name")
    add.add_argument("--role", choices=_ROLES, required=True)
    add.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    token = commands.add_parser("token", help=argparse.SUPPRESS).add_subparsers(metavar="create", required=True)
    create = _add(token, "create", _token_create, "Print a new token for the HTTP API; it is shown this once.")
    create.add_argument("--role", choices=_ROLES, required=True)
    create.add_argument("--name", help="what it is for (made up where it is left out)")
    create.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    targets = commands.add_parser("targets", help=argparse.SUPPRESS).add_subparsers(
        metavar="import|export", required=True
    )
    read = _add(targets, "import", _targets_import, "Add the targets of a CSV or JSON file: all of them, or none.")
    read.add_argument("file", metavar="FILE")
    read.add_argument("--replace", action="store_true", help="also change targets that exist")
    read.add_argument("--data", metavar="DIR", help=_DATA_HELP)
    write = _add(targets, "export", _targets_export, "Write all targets, with their own options, to a file.")
    write.add_argument("file", metavar="FILE", help="- is standard output")
    write.add_argument("--format", choices=("csv", "json"), help="csv, unless FILE ends in .json")
    write.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    doctor = _add(
        commands, "doctor", _doctor, "Look for what is missing on this machine; exit code 1 where something is."
    )
    doctor.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    doctor.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    secret = _add(commands, "secrets", _secrets, "Write random passwords into files; those that are there stay.")
    secret.add_argument("folder", metavar="FOLDER")
    secret.add_argument("--site", type=_site, default="local", help="the site whose prober gets a password (local)")

    _add(commands, "lock", _lock, "Rewrite requirements.lock from the pyproject.toml files; needs uv.")
    return top


def _add(commands: Any, name: str, run: Callable[[Arguments], int], about: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(name, description=about, help=argparse.SUPPRESS)
    added.set_defaults(run=run)
    return added


def _site(text: str) -> str:
    from noc_bus.settings import parse_site

    try:
        return parse_site(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a site; use lower-case letters, digits and hyphens, and not the name of a service"
        ) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
