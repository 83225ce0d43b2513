"""Wires the prober together and runs it: `noc-prober`, or `python -m noc_prober`."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from noc_bus import presence
from noc_bus.join import JOIN
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log, process
from noc_frame.settings import SettingError
from noc_frame.sqlite import DatabaseFault
from noc_prober import unit
from noc_prober.config import SETTINGS, Config
from noc_prober.database import open_database
from noc_prober.journal import Journal, machine_number
from noc_prober.memory import Memory
from noc_prober.presence import last_will
from noc_prober.prober import Prober
from noc_prober.sockets import NoIcmp, open_all

ABOUT = (
    "Pings every target of one site and publishes what it sees. "
    "`noc-prober --systemd --join TOKEN` installs it as a service of this machine."
)


def health(config: Config) -> int:
    return presence.prober_health(config.site, config.broker)


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    if unit.FLAG in words:
        return unit.main(words)
    return process.main("prober", ABOUT, SETTINGS, Config.read, run, health, argv, options={"--join": JOIN})


def run(config: Config, stop: threading.Event) -> None:
    with _only_one(config.data / f"prober-{config.site}.lock", config), _database(config) as connection:
        try:
            sockets = open_all()
        except NoIcmp as error:
            log.get("noc.prober").error(str(error))
            raise SystemExit(1) from None
        session = Session(
            config.broker, f"noc-prober-{config.site}", will=lambda instance: last_will(config.site, instance)
        )
        journal, memory = Journal(connection, Time.now()), Memory(connection)
        note_machine(journal, config.site, machine_number())

        async def serve() -> None:
            await Prober(config.site, session, sockets, journal, memory).run(stop)

        asyncio.run(serve())


def note_machine(journal: Journal, site: str, machine: int) -> None:
    """A journal goes on wherever it is put; of two copies of it only one may."""
    if journal.settle_on(machine):
        log.get("noc.prober").warning(
            f"the journal of the site {site} was on another machine before: it was moved here, or copied with its disk; "
            "where a prober still runs there, stop it, or give one of the two a site of its own with `noc site add`"
        )


@contextmanager
def _only_one(path: Path, config: Config) -> Iterator[None]:
    """Two probers on one journal would give its numbers twice."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingError(
                f"NOC_DATA: {str(config.data)!r} is in use by another prober of the site {config.site}; "
                "stop that one, or give this one another folder or another NOC_SITE."
            ) from None
        yield


@contextmanager
def _database(config: Config) -> Iterator[sqlite3.Connection]:
    path = config.data / f"prober-{config.site}.sqlite"
    try:
        connection = open_database(path)
    except DatabaseFault as fault:
        raise SettingError(f"NOC_DATA: {fault}.") from None
    with closing(connection):
        yield connection


if __name__ == "__main__":
    sys.exit(main())
