"""The alerter's own memory: incidents and the mails about them, changed together or not at all."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from noc_bus.codec import decode, encode
from noc_bus.messages import Incident
from noc_bus.time import Time
from noc_frame.sqlite import Ladder, explained, open_or_set_aside, sql, transaction

LONGEST_PAUSE_MS: Final = 900_000
"""Between two tries of one mail."""
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_KEPT_DAYS: Final = 90

_FIRST: Final = """
CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    resolved_at INTEGER,
    message BLOB NOT NULL
);
-- Never two open incidents about the same thing, whatever the code believes.
CREATE UNIQUE INDEX one_open ON incident (subject) WHERE is_open;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    transition TEXT NOT NULL,
    recipient TEXT NOT NULL,
    mail BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    sent_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    UNIQUE (incident, transition, recipient)
);
CREATE INDEX outbox_due ON outbox (state, next_at);
CREATE INDEX outbox_sent ON outbox (recipient, sent_at);
"""

LADDER: Final = Ladder(steps=[sql(_FIRST)], unversioned_tables=frozenset({"incident", "outbox"}))

# Nobody is told of an outage after it is over; the mail of its end tells of the begin too.
_WITHDRAW: Final = """
UPDATE outbox SET state = 'withdrawn' WHERE transition = 'opened' AND state = 'queued'
AND incident IN (SELECT id FROM incident WHERE NOT is_open)
"""


@dataclass(frozen=True)
class Mail:
    """A mail for one recipient, complete as it will be sent."""

    incident: str
    transition: str
    recipient: str
    content: bytes


@dataclass(frozen=True)
class Row:
    """A queued mail, and how often it was tried."""

    id: int
    mail: Mail
    created_at: Time
    attempts: int


class Database:
    """One SQLite file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """A damaged file is set aside: open incidents are on the broker too. Raises DatabaseFault with a sentence."""
        self._lock = threading.Lock()
        with explained(path, "open"):
            self._connection = open_or_set_aside(path, LADDER, checked=True)
            # What was being sent when we died may have arrived: sent again, it has the same Message-ID.
            self._connection.execute("UPDATE outbox SET state = 'queued' WHERE state = 'sending'")
            self._connection.execute(_WITHDRAW)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # -- incidents

    def open_incidents(self) -> dict[str, Incident]:
        """By what they are about: a target's id, or `site:` and a site's."""
        with self._lock:
            rows = self._connection.execute("SELECT subject, message FROM incident WHERE is_open").fetchall()
        return {subject: decode(message, Incident) for subject, message in rows}

    def resolved_since(self, at: Time) -> list[Incident]:
        with self._lock:
            rows = self._connection.execute(
                "SELECT message FROM incident WHERE resolved_at >= ? ORDER BY resolved_at", (at,)
            ).fetchall()
        return [decode(message, Incident) for (message,) in rows]

    def resolved(self, incident: str) -> Incident | None:
        """The incident of that id, if it is over."""
        with self._lock:
            row = self._connection.execute(
                "SELECT message FROM incident WHERE id = ? AND NOT is_open", (incident,)
            ).fetchone()
        return decode(row[0], Incident) if row else None

    def save(self, subject: str, incident: Incident, mails: Sequence[Mail], now: Time) -> None:
        """An incident as it is from now on, and what is to be mailed about it, in one transaction.

        A mail of its begin that has not been sent yet is withdrawn when it is resolved.
        """
        with self._transaction() as connection:
            _put(connection, subject, incident)
            if incident.resolved_at is not None:
                connection.execute(_WITHDRAW)
            connection.executemany(
                "INSERT INTO outbox (incident, transition, recipient, mail, created_at, next_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (incident, transition, recipient) DO NOTHING",
                [(mail.incident, mail.transition, mail.recipient, mail.content, now, now) for mail in mails],
            )

    def adopt(self, subject: str, incident: Incident, recipients: Sequence[str], now: Time) -> None:
        """An incident that we know from the broker only. The recipients were told of its begin already."""
        with self._transaction() as connection:
            _put(connection, subject, incident)
            connection.executemany(
                "INSERT INTO outbox (incident, transition, recipient, mail, state, created_at, next_at) "
                "VALUES (?, 'opened', ?, x'', 'told before', ?, ?) ON CONFLICT (incident, transition, recipient) DO NOTHING",
                [(incident.id, recipient, now, now) for recipient in recipients],
            )

    def recipients(self, incident: str) -> list[str]:
        """Who was to be told that it opened: they are told that it is over."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT recipient FROM outbox WHERE incident = ? AND transition = 'opened' ORDER BY id", (incident,)
            ).fetchall()
        return [recipient for (recipient,) in rows]

    # -- the outbox

    def claim(self, now: Time, most_per_hour: int) -> Row | None:
        """The next mail that is due, now being sent. None: nothing to do, or its recipient has had enough.

        Outages that go on come before what is over, then the oldest. What lies further ahead than any
        pause is due too: the clock was put back.
        """
        with self._transaction() as connection:
            found = connection.execute(
                "SELECT id, incident, transition, recipient, mail, created_at, attempts FROM outbox "
                "WHERE state = 'queued' AND (attempts = 0 OR next_at <= :now OR next_at > :now + :longest) "
                "AND (SELECT COUNT(*) FROM outbox AS sent WHERE sent.recipient = outbox.recipient "
                "AND sent.sent_at > :now - :hour AND sent.sent_at < :now + :hour) < :most "
                "ORDER BY transition <> 'opened', created_at, id LIMIT 1",
                {"now": now, "hour": _HOUR_MS, "longest": LONGEST_PAUSE_MS, "most": most_per_hour},
            ).fetchone()
            if found is None:
                return None
            number, incident, transition, recipient, content, created_at, attempts = found
            connection.execute("UPDATE outbox SET state = 'sending' WHERE id = ?", (number,))
        return Row(number, Mail(incident, transition, recipient, content), Time(created_at), attempts)

    def sent(self, row: Row, now: Time) -> None:
        self._settle(row, "UPDATE outbox SET state = 'sent', sent_at = :now, error = NULL WHERE id = :id", now=now)

    def again(self, row: Row, error: str, next_at: Time) -> None:
        self._settle(
            row,
            "UPDATE outbox SET state = 'queued', attempts = attempts + 1, error = :error, next_at = :next WHERE id = :id",
            error=error,
            next=next_at,
        )

    def given_up(self, row: Row, error: str) -> None:
        self._settle(
            row, "UPDATE outbox SET state = 'dead', attempts = attempts + 1, error = :error WHERE id = :id", error=error
        )

    def mails(self) -> dict[str, int]:
        """How many there are, by state."""
        with self._lock:
            return dict(self._connection.execute("SELECT state, COUNT(*) FROM outbox GROUP BY state").fetchall())

    def tidy(self, now: Time) -> None:
        with self._transaction() as connection:
            # Those of an open incident say who is to be told of its end.
            connection.execute(
                "DELETE FROM outbox WHERE created_at < ? AND state NOT IN ('queued', 'sending') "
                "AND incident NOT IN (SELECT id FROM incident WHERE is_open)",
                (now - _KEPT_DAYS * _DAY_MS,),
            )

    def _settle(self, row: Row, sql: str, **values: object) -> None:
        with self._transaction() as connection:
            connection.execute(sql, {"id": row.id} | values)
            # Its incident may have ended while it was being sent.
            connection.execute(_WITHDRAW)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._connection):
            yield self._connection


def _put(connection: sqlite3.Connection, subject: str, incident: Incident) -> None:
    connection.execute(
        "INSERT INTO incident VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "is_open = excluded.is_open, resolved_at = excluded.resolved_at, message = excluded.message",
        (incident.id, subject, incident.resolved_at is None, incident.resolved_at, encode(incident)),
    )
