"""What the alerter remembers: incidents, and what is to be mailed about them, changed together or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from noc_alerter.schema import LADDER
from noc_bus.codec import decode, encode
from noc_bus.messages import Incident
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import Database, DatabaseFault
from noc_rules.incident import About

# Nobody is told of an outage after it is over; the mail of its end tells of its start too.
WITHDRAW: Final = """
UPDATE outbox SET state = 'withdrawn' WHERE transition = 'opened' AND state = 'queued'
AND incident IN (SELECT id FROM incident WHERE NOT is_open)
"""


@dataclass(frozen=True)
class Letter:
    """One mail to one recipient, to be written when it is sent: `facts` are its writer's."""

    incident: str
    transition: str
    recipient: str
    facts: bytes
    is_critical: bool = False


@dataclass(frozen=True)
class Entry:
    """An incident as it is from now on, what it is about, and who is mailed."""

    incident: Incident
    about: tuple[About, ...]
    letters: tuple[Letter, ...] = ()
    told_before: tuple[str, ...] = ()
    """Who was mailed by an earlier database that its opening is known to."""


class Ledger:
    """One SQLite file; each thread has a connection of its own. Everything raises DatabaseFault."""

    def __init__(self, path: Path) -> None:
        """A damaged file is set aside: open incidents are on the broker too. Raises DatabaseFault."""
        self.database = Database(path, LADDER)
        try:
            self._begin()
        except DatabaseFault as fault:
            if not fault.can_retry:
                raise
            log.get("noc.alerter").error(str(fault))
            self._begin()

    def _begin(self) -> None:
        with self.database.transaction("open") as connection:
            # What was being sent when we died may have arrived: sent again, it has the same Message-ID.
            connection.execute("UPDATE outbox SET state = 'queued' WHERE state = 'sending'")
            connection.execute(WITHDRAW)

    def close(self) -> None:
        self.database.close()

    def open_incidents(self) -> list[Entry]:
        abouts: dict[str, list[About]] = {}
        for incident, kind, name in self.database.read("read", "SELECT incident, kind, name FROM about WHERE is_open"):
            abouts.setdefault(incident, []).append(About(kind, name))
        rows = self.database.read("read", "SELECT id, message FROM incident WHERE is_open")
        return [Entry(decode(message, Incident), tuple(abouts.get(number, ()))) for number, message in rows]

    def resolved_since(self, at: Time) -> list[Incident]:
        rows = self.database.read(
            "read", "SELECT message FROM incident WHERE resolved_at >= ? ORDER BY resolved_at", (at,)
        )
        return [decode(message, Incident) for (message,) in rows]

    def resolved(self, incident: str) -> Incident | None:
        """The incident of that id, if it is over."""
        rows = self.database.read("read", "SELECT message FROM incident WHERE id = ? AND NOT is_open", (incident,))
        return decode(rows[0][0], Incident) if rows else None

    def recipients(self, incident: str) -> tuple[str, ...]:
        """Who was to be told that it opened: they are told that it is over."""
        rows = self.database.read(
            "read", "SELECT recipient FROM outbox WHERE incident = ? AND transition = 'opened' ORDER BY id", (incident,)
        )
        return tuple(recipient for (recipient,) in rows)

    def keep(self, entries: Sequence[Entry], now: Time) -> None:
        """All of these in one transaction, in their order.

        A mail of an opening that has not been sent yet is withdrawn when the incident is resolved.
        """
        if not entries:
            return
        with self.database.transaction("write") as connection:
            for entry in entries:
                incident = entry.incident
                is_open = incident.resolved_at is None
                connection.execute(
                    "INSERT INTO incident VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                    "is_open = excluded.is_open, resolved_at = excluded.resolved_at, message = excluded.message",
                    (incident.id, is_open, incident.resolved_at, encode(incident)),
                )
                connection.execute("DELETE FROM about WHERE incident = ?", (incident.id,))
                connection.executemany(
                    "INSERT INTO about VALUES (?, ?, ?, ?)",
                    [(incident.id, one.kind, one.name, is_open) for one in entry.about],
                )
                connection.executemany(
                    "INSERT INTO outbox (incident, transition, recipient, letter, is_critical, created_at, next_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident, transition, recipient) DO NOTHING",
                    [
                        (one.incident, one.transition, one.recipient, one.facts, one.is_critical, now, now)
                        for one in entry.letters
                    ],
                )
                connection.executemany(
                    "INSERT INTO outbox (incident, transition, recipient, letter, state, created_at, next_at) "
                    "VALUES (?, 'opened', ?, x'', 'told before', ?, ?) "
                    "ON CONFLICT (incident, transition, recipient) DO NOTHING",
                    [(incident.id, one, now, now) for one in entry.told_before],
                )
            if any(entry.incident.resolved_at is not None for entry in entries):
                connection.execute(WITHDRAW)


def by_about(entries: Iterable[Entry]) -> dict[About, Incident]:
    """Open incidents, by each thing they are about."""
    return {about: entry.incident for entry in entries for about in entry.about}
