"""What is queued to be mailed, and what became of it: SQL and nothing else."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from noc_alerter.ledger import WITHDRAW, Letter
from noc_alerter.notify.letter import (
    DIGEST,
    FOUND,
    HELD_BACK,
    MAX_DIGESTED,
    MAX_NAMED,
    REPORT,
    Digest,
    Facts,
    HeldBack,
    Late,
    decode_facts,
    encode,
    encode_report,
)
from noc_bus.codec import decode
from noc_bus.messages import Incident, ReportMail
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame.sqlite import Database, DatabaseFault
from noc_rules.telling import NO_MAIL
from noc_rules.troubles import NotTaken

MAX_PER_HOUR: Final = 60
"""Mails to one recipient, not counting those about critical targets that go down, which nothing holds back."""
LONGEST_PAUSE_MS: Final = 900_000
"""Between two tries of one mail."""
_KEPT_DAYS: Final = 90
_SHOWN_DAYS: Final = 7
_IN_FLIGHT_PER_RECIPIENT: Final = 4
# The sender has more threads: however slow other mails are, critical targets that go down wait for none of them.
_IN_FLIGHT_NOT_URGENT: Final = 6
_IN_FLIGHT_PER_RECIPIENT_URGENT: Final = 6
_TELL_HELD_BACK_EVERY_MS: Final = 900_000

# Of a critical target that goes down.
_URGENT: Final = "(is_critical AND transition <> 'resolved')"
# Programs bear any number of messages.
_IS_MAIL: Final = "(" + " AND ".join(f"recipient NOT LIKE '{one}%'" for one in NO_MAIL) + ")"
# What waits while all of its incident is muted waits until it no longer is, but for the mail that it is over.
_IS_LOUD: Final = "(transition = 'resolved' OR incident NOT IN (SELECT id FROM incident WHERE is_open AND is_muted))"
# What lies further ahead than any pause is due too: the clock was put back.
_IS_DUE: Final = "state = 'queued' AND (not_before <= :now OR not_before > :now + :day) AND (attempts = 0 OR next_at <= :now OR next_at > :now + :longest)"
# The mail that says what is held back counts for nothing, and waits for nothing.
_USED: Final = f"""
SELECT recipient, COUNT(*) FROM outbox
WHERE incident <> '{HELD_BACK}' AND NOT {_URGENT} AND {_IS_MAIL} AND sent_at > :now - :hour AND sent_at < :now + :hour GROUP BY 1
"""  # noqa: S608  # constants
_NEXT: Final = f"""
SELECT id, incident, transition, recipient, letter, mail, is_critical, because, created_at, attempts FROM outbox
WHERE {_IS_DUE} AND (:with_mails OR NOT {_IS_MAIL}) AND (incident = '{HELD_BACK}' OR {_URGENT} OR recipient NOT IN (SELECT value FROM json_each(:exhausted)))
AND (CASE WHEN {_URGENT} THEN recipient NOT IN (SELECT value FROM json_each(:stuck))
ELSE :has_room AND recipient NOT IN (SELECT value FROM json_each(:busy)) END)
AND {_IS_LOUD}
AND incident || ' ' || recipient NOT IN (SELECT value FROM json_each(:threads))
ORDER BY NOT {_URGENT}, incident <> '{HELD_BACK}', transition <> 'opened', created_at, id
LIMIT 1
"""  # noqa: S608  # constants
_HELD_BACK: Final = f"""
SELECT recipient, COUNT(*) FROM outbox WHERE state = 'queued' AND incident <> '{HELD_BACK}'
AND NOT {_URGENT} AND recipient IN (SELECT value FROM json_each(?)) GROUP BY recipient
"""  # noqa: S608  # constants


# The error is that of the oldest one.
_NOT_TAKEN: Final = f"""
SELECT {_IS_MAIL}, MIN(created_at), COUNT(*), COALESCE(error, '') FROM outbox
WHERE state = 'queued' AND attempts > 0 AND {_IS_LOUD} GROUP BY 1
"""  # noqa: S608  # constants
_TIDY_ROWS: Final = 500
_LATE_MS: Final = 600_000
_DIGEST_FROM: Final = 3
"""So many mails of one recipient, each so late, are one."""
_LATE: Final = f"""
SELECT recipient, id, transition, created_at, letter FROM outbox
WHERE state = 'queued' AND {_IS_MAIL} AND incident <> '{HELD_BACK}' AND transition NOT IN ('{REPORT}', '{FOUND}') AND mail IS NULL AND created_at <= :late
AND not_before <= :now AND id NOT IN (SELECT value FROM json_each(:flying)) AND {_IS_LOUD}
AND NOT ({_URGENT} AND incident IN (SELECT id FROM incident WHERE is_open)) ORDER BY created_at, id
"""  # noqa: S608  # constants


class _Waiting(NamedTuple):
    id: int
    transition: str
    created_at: int
    facts: bytes


@dataclass(frozen=True)
class Row:
    """A queued mail, and how often it was tried."""

    id: int
    letter: Letter
    mail: bytes | None
    """Its content, where an earlier version wrote it when it was queued."""
    created_at: Time
    attempts: int


@dataclass(frozen=True)
class GivenUp:
    recipient: str
    incident: str
    error: str
    transition: str


class Outbox:
    """Used from several threads. Everything raises DatabaseFault."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        # What is being sent is remembered here only: after a kill it is sent again, with the same Message-ID.
        self._in_flight: dict[int, Letter] = {}
        self._mail_domain: str | None = None

    def claim(self, now: Time, *, with_mails: bool = True) -> Row | None:
        """The next mail that is due, now being sent. None: nothing to do, or its recipients have had enough.

        Critical outages come first, then other outages that go on, then what is over; of each the oldest.
        The end of an incident waits while its opening is being sent. A recipient whose mails are slow
        holds up a few of them and nobody else's.
        """
        with self._lock:
            flying = list(self._in_flight.values())
            per_recipient = Counter(one.recipient for one in flying)
            values = {
                "now": now,
                "with_mails": with_mails,
                "longest": LONGEST_PAUSE_MS,
                "day": DAY_MS,
                "exhausted": json.dumps(self._exhausted(now)),
                "busy": json.dumps([one for one, count in per_recipient.items() if count >= _IN_FLIGHT_PER_RECIPIENT]),
                "stuck": json.dumps(
                    [one for one, count in per_recipient.items() if count >= _IN_FLIGHT_PER_RECIPIENT_URGENT]
                ),
                "has_room": len(flying) < _IN_FLIGHT_NOT_URGENT,
                "threads": json.dumps([f"{one.incident} {one.recipient}" for one in flying]),
            }
            found = self._database.read("read", _NEXT, values)
            if not found:
                return None
            number, incident, transition, recipient, facts, mail, is_critical, because, created_at, attempts = found[0]
            one = self._in_flight[number] = Letter(incident, transition, recipient, facts, bool(is_critical), because)
        return Row(number, one, mail, Time(created_at), attempts)

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

    def retry_all(self) -> None:
        """What waits for its next try is due now."""
        with self._database.transaction("retry mails in") as connection:
            connection.execute("UPDATE outbox SET next_at = created_at WHERE state = 'queued' AND attempts > 0")

    def mail_domain(self, of_sender: str) -> str:
        """What stands in every Message-ID of this installation: the domain of its first sender."""
        if self._mail_domain is None:
            try:
                with self._database.transaction("note the mail domain in") as connection:
                    connection.execute("INSERT OR IGNORE INTO mail_domain VALUES (1, ?)", (of_sender,))
                    ((self._mail_domain,),) = connection.execute("SELECT domain FROM mail_domain").fetchall()
            except DatabaseFault:
                # A thread may break; the mail goes out.
                return of_sender
        return self._mail_domain or of_sender

    def not_taken(self) -> tuple[NotTaken | None, NotTaken | None]:
        """Mails that were tried and wait for the next try, and messages to channels. None: there are none.

        What is not tried while its incident is muted is refused by nobody.
        """
        rows = self._database.read("read", _NOT_TAKEN)
        found = {bool(is_mail): NotTaken(Time(since), count, error) for is_mail, since, count, error in rows}
        return found.get(True), found.get(False)

    @property
    def sending(self) -> int:
        """How many mails are being sent."""
        return len(self._in_flight)

    def counts(self) -> dict[str, int]:
        """How many there are, by state."""
        return dict(self._database.read("read", "SELECT state, COUNT(*) FROM outbox GROUP BY state"))

    def unseen(self, now: Time) -> list[GivenUp]:
        """Mails that were given up and that nobody has seen yet, the latest first.

        Seen: its incident was acknowledged, or its recipient got a later mail of the same incident,
        which tells of its start too, or a later report. After a week it is shown no more.
        """
        rows = self._database.read(
            "read",
            "SELECT recipient, incident, error, transition FROM outbox "
            "WHERE state = 'dead' AND seen_at IS NULL AND created_at > :shown_from "
            "AND NOT EXISTS (SELECT 1 FROM outbox AS later WHERE later.recipient = outbox.recipient "
            "AND later.state = 'sent' AND later.id > outbox.id AND (later.incident = outbox.incident "
            "OR (outbox.transition = :report AND later.transition = :report))) ORDER BY id DESC",
            {"report": REPORT, "shown_from": now - _SHOWN_DAYS * DAY_MS},
        )
        return [GivenUp(*row) for row in rows]

    def seen(self, incident: str, now: Time) -> None:
        """Somebody has acknowledged it."""
        with self._database.transaction("note what was seen in") as connection:
            connection.execute(
                "UPDATE outbox SET seen_at = ? WHERE incident = ? AND state = 'dead' AND seen_at IS NULL",
                (now, incident),
            )

    def held_back(self, now: Time) -> dict[str, int]:
        """By recipient, how many mails wait because there were too many in this hour."""
        with self._lock:
            exhausted = self._exhausted(now)
        return dict(self._database.read("read", _HELD_BACK, (json.dumps(exhausted),))) if exhausted else {}

    def tell_held_back(self, now: Time) -> None:
        """Queue the mail that says what is held back, for whom there is something new to say, now and then."""
        for recipient in self.held_back(now):
            self._tell_held_back(recipient, now)

    def _tell_held_back(self, recipient: str, now: Time) -> None:
        with self._database.transaction("queue what is held back in") as connection:
            last = connection.execute(
                "SELECT MAX(created_at) FROM outbox WHERE recipient = ? AND incident = ? AND created_at < ?",
                (recipient, HELD_BACK, now + _TELL_HELD_BACK_EVERY_MS),
            ).fetchone()[0]
            if last is not None and now - last < _TELL_HELD_BACK_EVERY_MS:
                return
            rows = connection.execute(
                "SELECT incident.message, outbox.created_at FROM outbox JOIN incident ON incident.id = outbox.incident "
                "WHERE outbox.recipient = ? AND outbox.state = 'queued' AND outbox.transition = 'opened' "
                "AND outbox.attempts = 0 ORDER BY outbox.is_critical DESC, outbox.id",
                (recipient,),
            ).fetchall()
            if not rows or (last is not None and all(created_at <= last for _, created_at in rows)):
                return
            freed = connection.execute(
                "SELECT MIN(sent_at) FROM outbox WHERE recipient = ? AND sent_at > ?", (recipient, now - HOUR_MS)
            ).fetchone()[0]
            held = HeldBack(
                per_hour=MAX_PER_HOUR,
                total=len(rows),
                first=[decode(message, Incident) for message, _ in rows[:MAX_NAMED]],
                until=Time((freed or now) + HOUR_MS),
            )
            connection.execute(
                "INSERT INTO outbox (incident, transition, recipient, letter, created_at, next_at) VALUES (?, ?, ?, ?, ?, ?)",
                (HELD_BACK, f"{HELD_BACK}-{int(now)}", recipient, encode(held), now, now),
            )

    def queue_report(self, report: ReportMail, now: Time) -> None:
        """One mail to each recipient; what was queued before is not queued again."""
        letter = encode_report(report)
        with self._database.transaction("queue a report in") as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO outbox (incident, transition, recipient, letter, created_at, next_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(f"{REPORT}-{report.report}", REPORT, to, letter, now, now) for to in dict.fromkeys(report.to)],
            )

    def digest(self, now: Time) -> None:
        """The mail server takes mails again: what has waited for it for long becomes one mail for each recipient.

        A critical target that is still DOWN keeps a mail of its own.
        """
        with self._lock:
            flying = json.dumps(list(self._in_flight))
            waiting = self._database.read("read", _LATE, {"late": now - _LATE_MS, "now": now, "flying": flying})
            by_recipient: dict[str, list[_Waiting]] = {}
            for recipient, *of_letter in waiting:
                by_recipient.setdefault(recipient, []).append(_Waiting(*of_letter))
            for recipient, rows in by_recipient.items():
                if len(rows) >= _DIGEST_FROM:
                    self._digest(recipient, rows, now)

    def _digest(self, recipient: str, rows: list[_Waiting], now: Time) -> None:
        first = [
            Late(at=Time(one.created_at), transition=one.transition, facts=_shortened(decode_facts(one.facts)))
            for one in rows[:MAX_DIGESTED]
        ]
        digest = Digest(total=len(rows), first=first, until=Time(rows[-1].created_at))
        with self._database.transaction("digest mails in") as connection:
            connection.executemany(
                "UPDATE outbox SET state = 'digested', sent_at = NULL WHERE id = ?", [(one.id,) for one in rows]
            )
            connection.execute(
                "INSERT INTO outbox (incident, transition, recipient, letter, created_at, next_at) VALUES (?, ?, ?, ?, ?, ?)",
                (HELD_BACK, f"{DIGEST}-{int(now)}", recipient, encode(digest), now, now),
            )

    def tidy(self, now: Time) -> None:
        with self._database.transaction("tidy") as connection:
            # Those of an open incident say who is to be told of its end.
            # So many at once that what is to be mailed never waits for it.
            connection.execute(
                "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < ? "
                "AND state NOT IN ('queued', 'sending') AND incident NOT IN (SELECT id FROM incident WHERE is_open) "
                "ORDER BY id LIMIT ?)",
                (now - _KEPT_DAYS * DAY_MS, _TIDY_ROWS),
            )

    def _settle(self, row: Row, sql: str, **values: object) -> None:
        with self._database.transaction("note a mail in") as connection:
            connection.execute(sql, {"id": row.id} | values)
            # Its incident may have ended while it was being sent.
            connection.execute(WITHDRAW)
        with self._lock:
            self._in_flight.pop(row.id, None)

    def _exhausted(self, now: Time) -> list[str]:
        """Whose allowance of this hour is used up."""
        used = Counter(dict(self._database.read("read", _USED, {"now": now, "hour": HOUR_MS})))
        used.update(
            one.recipient
            for one in self._in_flight.values()
            if one.incident != HELD_BACK and not (one.is_critical and one.transition != "resolved")
        )
        return [recipient for recipient, count in used.items() if count >= MAX_PER_HOUR]


def _shortened(facts: Facts) -> Facts:
    """With as many members as a line of a digest needs."""
    return replace(facts, incident=replace(facts.incident, members=facts.incident.members[:1], evidence=[]))
