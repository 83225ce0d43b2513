"""The words of the `noc` command: its help, and how its arguments are read."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from noc_launcher import commands
from noc_launcher.commands import Arguments

_ABOUT: Final = """\
Who is reachable, from where, since when, and how well.

on this machine
  noc up                     everything: broker, store, prober, recorder, alerter, web
  noc demo                   the same on a simulated company, to look at
  noc doctor                 what is missing here, and the cure

in the terminal
  noc ping HOST...           ping as a prober does
  noc trace HOST             the path to a host

more sites (with noc up --listen ADDRESS)
  noc site add NAME          prints the line that starts its prober there
  noc site rotate|disable|enable|remove NAME
  noc site bundle FOLDER     all that its prober needs, for a network without an index
  noc prober --join TOKEN    the prober of a site; with --systemd as a service of its machine

administration (beside a running system, or without one)
  noc user add NAME --role ROLE
  noc user reset-admin       where no admin can log in any more
  noc token create --role ROLE [--days N] [--area AREA]
  noc account add NAME --read TOPICS
  noc targets import FILE    CSV or JSON; all rows or none
  noc targets export FILE
  noc history check|stats|compact|export|import|copy|forget
  noc templates [NAME]       the templates of the mails, to start your own from

one service alone (noc prober --help shows its settings)
  noc prober | recorder | alerter | web
  noc secrets FOLDER         random passwords for docker compose
  noc backup FOLDER          copy the whole data folder, also while NOC runs
  noc restore FOLDER         put a backup back, while nothing runs

for developers
  noc test [PYTEST ARGUMENTS]
  noc lock                   rewrite requirements.lock
  noc sbom                   what this version is made of, as CycloneDX

`noc COMMAND --help` says more. Settings are environment variables, NOC_...; arguments win over them.
"""
_DATA_HELP: Final = "the data folder (NOC_DATA, else ~/.local/share/noc)"
COMMANDS: Final = ("up", "doctor", "backup", "restore", "secrets", "sbom", "lock")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="noc", usage="noc COMMAND ...", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"noc {version('noc-launcher')}")
    known = top.add_subparsers(prog="noc", metavar="COMMAND", required=True, help=argparse.SUPPRESS)

    up = _add(known, "up", commands.up, "Run everything on this machine until Ctrl-C.")
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
    up.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="where probers of other sites connect, over TLS (NOC_LISTEN, else nowhere); 0.0.0.0 is every address",
    )

    doctor = _add(
        known, "doctor", commands.doctor, "Look for what is missing on this machine; exit code 1 where something is."
    )
    doctor.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    doctor.add_argument("--mail", action="store_true", help="send a test mail to NOC_MAIL_TO, and tell the answer")
    doctor.add_argument("--join", metavar="TOKEN", help="at a site: every step to its NOC (NOC_JOIN)")
    doctor.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    backup = _add(known, "backup", commands.backup, "Copy the whole data folder, also while NOC runs on it.")
    backup.add_argument("folder", metavar="FOLDER", help="a new or empty folder")
    backup.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    restore = _add(known, "restore", commands.restore, "Put a backup into the data folder; NOC must not run on it.")
    restore.add_argument("folder", metavar="FOLDER", help="what `noc backup` made")
    restore.add_argument("--data", metavar="DIR", help=_DATA_HELP)

    secret = _add(known, "secrets", commands.secrets, "Write random passwords into files; those that are there stay.")
    secret.add_argument("folder", metavar="FOLDER")
    secret.add_argument("--site", type=_site, default="local", help="the site whose prober gets a password (local)")
    secret.add_argument(
        "--broker",
        metavar="URL",
        type=_broker,
        default="mqtt://mosquitto:1883",
        help="where the broker is (mqtt://mosquitto:1883, as in docker-compose.yml)",
    )

    _add(known, "sbom", commands.sbom, "Print what this version is made of (CycloneDX), alone on standard output.")
    _add(known, "lock", commands.lock, "Rewrite requirements.lock from the pyproject.toml files; needs uv.")
    return top


def _add(known: Any, name: str, run: Callable[[Arguments], int], about: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = known.add_parser(name, description=about, help=argparse.SUPPRESS)
    added.set_defaults(run=run)
    return added


def _site(text: str) -> str:
    from noc_bus.channels import parse_site

    try:
        return parse_site(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a site; use lower-case letters, digits and hyphens, and not the name of a service"
        ) from None


def _broker(text: str) -> str:
    from noc_bus.broker import Broker

    try:
        broker = Broker.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not accepted ({error}); use mqtt://host:1883 or mqtts://host:8883"
        ) from None
    if broker.user or broker.password:
        raise argparse.ArgumentTypeError(f"{text!r} has a user in it; every service gets one of its own")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to 65535")
    return int(text)
