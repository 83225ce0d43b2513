"""What the alerter remembers: incidents, and what is to be mailed about them, changed together or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from msgspec import json

from noc_alerter.schema import LADDER
from noc_bus.codec import decode, encode
from noc_bus.messages import LONGEST_COMMENT, Incident, IncidentNote, Member, PostMortem, SentMail, TimelineEntry
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import Database, DatabaseFault
from noc_rules.cases import Case, Notice
from noc_rules.correlate import Why
from noc_rules.flapping import Flap
from noc_rules.incident import About

# Nobody is told of an outage after it is over; the mail of its end tells of its start too.
WITHDRAW: Final = """
UPDATE outbox SET state = 'withdrawn' WHERE transition <> 'resolved' AND state = 'queued'
AND incident IN (SELECT id FROM incident WHERE NOT is_open)
"""
_QUEUE: Final = (
    "INSERT INTO outbox (incident, transition, recipient, letter, is_critical, because, not_before, created_at, next_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident, transition, recipient) DO"
)


_FLAP: Final = json.Decoder(Flap)
_NO_FLAPS: Final[Mapping[str, Flap | None]] = {}
# As the message calls them.
_SENT: Final = "SELECT recipient, incident, transition, state, created_at, sent_at, error, because FROM outbox"
_OF_ONE_INCIDENT: Final = ("opened", "changed", "reminded", "resolved")
_MAIL_STATES: Final = {"dead": "given-up", "told before": "told-before", "sending": "queued"}


@dataclass(frozen=True)
class Letter:
    """One mail to one recipient, to be written when it is sent: `facts` are its writer's."""

    incident: str
    transition: str
    recipient: str
    facts: bytes
    is_critical: bool = False
    because: str = ""
    """Why this recipient, for people."""
    not_before: int = 0
    """In the recipient's quiet hours: when these end."""


@dataclass(frozen=True)
class Entry:
    """What has become of an incident, and who is mailed."""

    case: Case
    incident: Incident
    """Its message."""
    letters: tuple[Letter, ...] = ()
    told_before: tuple[str, ...] = ()
    """Who was mailed by an earlier database that its opening is known to."""
    past: tuple[TimelineEntry, ...] = ()
    """What happened to it before anybody knew of it."""


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

    def open_cases(self) -> list[Case]:
        """Every open incident. People are told at once of those they were not told of yet."""
        abouts: dict[str, list[About]] = {}
        for incident, kind, name in self.database.read("read", "SELECT incident, kind, name FROM about WHERE is_open"):
            abouts.setdefault(incident, []).append(About(kind, name))
        members: dict[str, list[tuple[Member, bool]]] = {}
        for incident, message, is_told in self.database.read(
            "read",
            "SELECT incident, message, is_told FROM member WHERE incident IN (SELECT id FROM incident WHERE is_open)",
        ):
            members.setdefault(incident, []).append((decode(message.encode(), Member), bool(is_told)))
        rows = self.database.read("read", "SELECT id, message, is_told, stem, waited_s FROM incident WHERE is_open")
        cases = []
        for number, message, is_told, stem, waited_s in rows:
            incident, about = decode(message, Incident), tuple(abouts.get(number, ()))
            case = case_of(incident, about, members.get(number, []), bool(is_told), stem)
            case.waited_s = waited_s
            cases.append(case)
        return cases

    def keep_waits(self, cases: Iterable[Case]) -> None:
        """For how long each has been told, neither acknowledged nor muted."""
        with self.database.transaction("write waits to") as connection:
            connection.executemany(
                "UPDATE incident SET waited_s = ? WHERE id = ?", [(one.waited_s, one.id) for one in cases]
            )

    def flaps(self, now: Time, now_s: float) -> dict[str, Flap]:
        """How often targets changed lately, and were mailed about. `now_s`: the steady clock's time of `now`."""
        rows = self.database.read("read", "SELECT target, message FROM flap")
        return {target: _by_steady_clock(_FLAP.decode(message), now, now_s) for target, message in rows}

    def resolved_since(self, at: Time) -> list[Incident]:
        rows = self.database.read(
            "read", "SELECT message FROM incident WHERE resolved_at >= ? ORDER BY resolved_at", (at,)
        )
        return [decode(message, Incident) for (message,) in rows]

    def resolved(self, incident: str) -> Incident | None:
        """The incident of that id, if it is over."""
        rows = self.database.read("read", "SELECT message FROM incident WHERE id = ? AND NOT is_open", (incident,))
        return decode(rows[0][0], Incident) if rows else None

    def incident(self, incident: str) -> Incident | None:
        """The incident of that id, open or over."""
        rows = self.database.read("read", "SELECT message FROM incident WHERE id = ?", (incident,))
        return decode(rows[0][0], Incident) if rows else None

    def members(self, incident: str, offset: int, limit: int) -> list[Member]:
        """A page of all that are or were part of it, as people want them: see `noc_rules.incident.ordered`."""
        rows = self.database.read(
            "read",
            "SELECT message FROM member WHERE incident = ? ORDER BY message ->> 'muted' IS NOT NULL, message ->> 'critical' DESC, NOT is_open, "
            "message ->> 'behind' IS NOT NULL, message ->> 'joined_at', target LIMIT ? OFFSET ?",
            (incident, limit, offset),
        )
        return [decode(message.encode(), Member) for (message,) in rows]

    def all_members(self, incident: str) -> list[Member]:
        """Whoever is or was part of it, as the ledger has them."""
        rows = self.database.read("read", "SELECT message FROM member WHERE incident = ?", (incident,))
        return [decode(message.encode(), Member) for (message,) in rows]

    def timeline(self, incident: str, limit: int) -> list[TimelineEntry]:
        """The latest of what happened to it, the oldest of that first. However much else did, comments stay."""
        rows = self.database.read(
            "read",
            "SELECT at, code, target, author, text FROM (SELECT * FROM timeline WHERE incident = ? "
            "ORDER BY code = ? DESC, id DESC LIMIT ?) ORDER BY id",
            (incident, Why.COMMENTED, limit),
        )
        return [
            TimelineEntry(at=Time(at), code=code, target=target, by=author, text=text)
            for at, code, target, author, text in rows
        ]

    def post_mortem(self, incident: str) -> PostMortem | None:
        """None: nobody has written it."""
        rows = self.database.read("read", "SELECT author, at, text FROM post_mortem WHERE incident = ?", (incident,))
        return PostMortem(by=rows[0][0], at=Time(rows[0][1]), text=rows[0][2]) if rows else None

    def note(self, note: IncidentNote, incident: Incident, now: Time) -> bool:
        """Keep what somebody wrote of an incident, and its message with it. Whether anything is new.

        Nothing is where it was kept already, or is to replace a post-mortem that is another by now.
        """
        with self.database.transaction("write notes to") as connection:
            why = Why.COMMENTED if note.kind == "comment" else _write_post_mortem(connection, note)
            if why is None:
                return False
            text = note.text[:LONGEST_COMMENT] if why is Why.COMMENTED else ""
            added = connection.execute(
                "INSERT INTO timeline (incident, at, code, author, text, request) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (request) WHERE request IS NOT NULL DO NOTHING",
                (incident.id, now, why, note.by, text, note.request),
            )
            if added.rowcount:
                connection.execute("UPDATE incident SET message = ? WHERE id = ?", (encode(incident), incident.id))
            return bool(added.rowcount)

    def mails(self, incident: str, limit: int) -> list[SentMail]:
        """The latest mails about it, the oldest of these first."""
        found = self.database.read("read", f"{_SENT} WHERE incident = ? ORDER BY id DESC LIMIT ?", (incident, limit))
        return [_sent(*row) for row in found[::-1]]

    def sent(self, offset: int, limit: int) -> tuple[list[SentMail], int]:
        """What was queued for anybody, the latest first, and how many there are."""
        found = self.database.read("read", f"{_SENT} ORDER BY id DESC LIMIT ? OFFSET ?", (limit, offset))
        return [_sent(*row) for row in found], self.database.read("read", "SELECT COUNT(*) FROM outbox")[0][0]

    def members_of_targets(self, targets: Iterable[str]) -> list[tuple[str, str, Member]]:
        """Each incident that one of them is or was part of: its id, its kind, and the member."""
        rows = self.database.read(
            "read",
            "SELECT incident.id, CAST(incident.message AS TEXT) ->> 'kind', member.message FROM member "
            "JOIN incident ON incident.id = member.incident WHERE member.target IN (SELECT value FROM json_each(?))",
            (json.encode(list(targets)).decode(),),
        )
        return [(number, kind, decode(message.encode(), Member)) for number, kind, message in rows]

    def keep_found(
        self,
        entries: Sequence[Entry],
        began_earlier: Iterable[tuple[str, TimelineEntry]],
        summaries: Iterable[Letter],
        now: Time,
    ) -> None:
        """Incidents that late data showed, in one transaction; and a line of each that was known and began earlier.

        `summaries`: the letters that name them, in place of those queued for earlier parts of the finding.
        """
        with self.database.transaction("write late incidents to") as connection:
            for entry in entries:
                _write(connection, entry, now)
            for incident, line in began_earlier:
                connection.execute(
                    "INSERT INTO timeline (incident, at, code, target, text) SELECT :incident, :at, :code, :target, :text "
                    "WHERE NOT EXISTS (SELECT 1 FROM timeline WHERE incident = :incident AND code = :code "
                    "AND target = :target AND at <= :at)",
                    {"incident": incident, "at": line.at, "code": line.code, "target": line.target, "text": line.text},
                )
            connection.executemany(
                f"{_QUEUE} UPDATE SET letter = excluded.letter, not_before = excluded.not_before",
                [_queued(one, now) for one in summaries],
            )

    def told(self, incident: str) -> dict[str, str]:
        """Who was to be told that it opened, and why: they are told that it is over."""
        rows = self.database.read(
            "read",
            "SELECT recipient, because FROM outbox WHERE incident = ? AND transition = 'opened' ORDER BY id",
            (incident,),
        )
        return dict(rows)

    def queued(self, incident: str) -> set[tuple[str, str]]:
        """Every letter that there was about it: its recipient and its transition."""
        found = self.database.read("read", "SELECT recipient, transition FROM outbox WHERE incident = ?", (incident,))
        return {(recipient, transition) for recipient, transition in found}

    def letters(self, incident: str, transition: str) -> list[Letter]:
        """Those that there were of one kind, in the order in which they were queued."""
        rows = self.database.read(
            "read",
            "SELECT recipient, letter, because FROM outbox WHERE incident = ? AND transition = ? ORDER BY id",
            (incident, transition),
        )
        return [Letter(incident, transition, to, facts, because=because) for to, facts, because in rows]

    def mailed(self, incident: str) -> tuple[str, ...]:
        """Whose mail of its opening has gone out."""
        rows = self.database.read(
            "read",
            "SELECT recipient FROM outbox WHERE incident = ? AND transition = 'opened' "
            "AND state NOT IN ('queued', 'withdrawn', 'dead') ORDER BY id",
            (incident,),
        )
        return tuple(recipient for (recipient,) in rows)

    def keep(
        self, entries: Sequence[Entry], now: Time, *, flaps: Mapping[str, Flap | None] = _NO_FLAPS, now_s: float = 0.0
    ) -> None:
        """All of these in one transaction; of `flaps`, None is nothing any more.

        A mail of an opening that has not been sent yet is withdrawn when the incident is resolved.
        """
        if not entries and not flaps:
            return
        with self.database.transaction("write incidents to") as connection:
            for entry in entries:
                _forget_parts(connection, entry.case)
            for entry in entries:
                _write(connection, entry, now)
            if any(entry.case.is_over for entry in entries):
                connection.execute(WITHDRAW)
            connection.executemany(
                "DELETE FROM flap WHERE target = ?", [(target,) for target, flap in flaps.items() if flap is None]
            )
            connection.executemany(
                "INSERT OR REPLACE INTO flap VALUES (?, ?)",
                [
                    (target, json.encode(_by_wall_clock(flap, now, now_s)).decode())
                    for target, flap in flaps.items()
                    if flap is not None
                ],
            )


def _by_wall_clock(flap: Flap, now: Time, now_s: float) -> Flap:
    """Its times in milliseconds of the wall clock, which outlives a restart."""
    return _moved(flap, lambda at_s: now - (now_s - at_s) * 1000)


def _by_steady_clock(flap: Flap, now: Time, now_s: float) -> Flap:
    # What lies ahead of a clock that was put back happened just now.
    return _moved(flap, lambda at_ms: now_s - max(0.0, now - at_ms) / 1000)


def _moved(flap: Flap, move: Callable[[float], float]) -> Flap:
    return replace(flap, changes_s=tuple(map(move, flap.changes_s)), mails_s=tuple(map(move, flap.mails_s)))


def _sent(
    to: str,
    incident: str,
    transition: str,
    state: str,
    created_at: int,
    sent_at: int | None,
    error: str | None,
    because: str,
) -> SentMail:
    """A row of _SENT."""
    return SentMail(
        to=to,
        about=transition.partition("-")[0] if incident != "held-back" else "held-back",
        because=because,
        incident=incident if transition.partition("-")[0] in _OF_ONE_INCIDENT else None,
        state=_MAIL_STATES.get(state, state),
        queued_at=Time(created_at),
        sent_at=Time(sent_at) if sent_at is not None else None,
        error=error[:500] if error else None,
    )


def case_of(
    incident: Incident, about: tuple[About, ...], members: Iterable[tuple[Member, bool]], is_told: bool, stem: str
) -> Case:
    """An incident of an earlier start. `members` with whether people were told of them."""
    known = list(members)
    return Case(
        incident,
        about=about,
        members={one.target: one for one, _ in known},
        open={one.target for one, _ in known if one.left_at is None},
        told={one.target for one, was_told in known if was_told},
        is_told=is_told,
        stem=stem,
        due_s=None if is_told else 0.0,
    )


def _forget_parts(connection: sqlite3.Connection, case: Case) -> None:
    """Before others may have them."""
    connection.execute("DELETE FROM about WHERE incident = ?", (case.id,))
    if case.is_over:
        connection.execute("UPDATE member SET is_open = 0 WHERE incident = ? AND is_open", (case.id,))
    connection.executemany(
        "DELETE FROM member WHERE incident = ? AND target = ?", [(case.id, target) for target in case.joined]
    )


def _tells_what_waited(connection: sqlite3.Connection, case: Case, one: Letter) -> bool:
    """Whether a notice of its opening waited while it was muted: it tells how things are now, and one is enough."""
    if not one.transition.startswith(Notice.CHANGED) or Why.UNMUTED not in [entry.why for entry in case.entries]:
        return False
    changed = connection.execute(
        "UPDATE outbox SET letter = ? WHERE incident = ? AND recipient = ? AND transition = 'opened' AND state = 'queued'",
        (one.facts, one.incident, one.recipient),
    )
    return bool(changed.rowcount)


def _write_post_mortem(connection: sqlite3.Connection, note: IncidentNote) -> Why | None:
    """What was done; None: there is another than the one that it was to replace."""
    found = connection.execute("SELECT at FROM post_mortem WHERE incident = ?", (note.incident,)).fetchone()
    if (found[0] if found else None) != note.replaces:
        return None
    connection.execute("DELETE FROM post_mortem WHERE incident = ?", (note.incident,))
    if not note.text:
        return Why.POST_MORTEM_REMOVED if found else None
    connection.execute(
        "INSERT INTO post_mortem (incident, author, at, text) VALUES (?, ?, ?, ?)",
        (note.incident, note.by, note.at, note.text),
    )
    return Why.POST_MORTEM_WRITTEN


def _queued(one: Letter, now: Time) -> tuple[object, ...]:
    """A row of _QUEUE."""
    return (
        one.incident, one.transition, one.recipient, one.facts, one.is_critical, one.because, one.not_before, now, now,
    )  # fmt: skip


def _write(connection: sqlite3.Connection, entry: Entry, now: Time) -> None:
    case, incident = entry.case, entry.incident
    connection.execute(
        "INSERT INTO incident (id, is_open, resolved_at, message, is_told, stem, waited_s, is_muted) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET is_open = excluded.is_open, resolved_at = excluded.resolved_at, "
        "message = excluded.message, is_told = excluded.is_told, stem = excluded.stem, waited_s = excluded.waited_s, "
        "is_muted = excluded.is_muted",
        (
            case.id,
            not case.is_over,
            incident.resolved_at,
            encode(incident),
            case.is_told,
            case.stem,
            case.waited_s,
            incident.muted is not None,
        ),
    )
    if not case.is_over:
        connection.executemany(
            "INSERT INTO about VALUES (?, ?, ?, 1)", [(case.id, one.kind, one.name) for one in case.about]
        )
    connection.executemany(
        "INSERT INTO member VALUES (?, ?, ?, ?, ?)",
        [
            (case.id, one, one in case.open, one in case.told, encode(case.members[one]).decode())
            for one in dict.fromkeys(case.joined)
            if one in case.members
        ],
    )
    if case.notices:
        connection.execute(
            "UPDATE member SET is_told = is_open AND (is_told OR message ->> 'muted' IS NULL) WHERE incident = ?",
            (case.id,),
        )
    connection.executemany(
        "INSERT INTO timeline (incident, at, code, target, text) VALUES (?, ?, ?, ?, ?)",
        [
            *[(case.id, one.at, one.code, one.target, one.text) for one in entry.past],
            *[(case.id, now, one.why, one.target, one.text[:500]) for one in case.timeline()],
        ],
    )
    connection.executemany(
        f"{_QUEUE} NOTHING",
        [_queued(one, now) for one in entry.letters if not _tells_what_waited(connection, case, one)],
    )
    connection.executemany(
        "INSERT INTO outbox (incident, transition, recipient, letter, state, created_at, next_at) "
        "VALUES (?, 'opened', ?, x'', 'told before', ?, ?) "
        "ON CONFLICT (incident, transition, recipient) DO NOTHING",
        [(case.id, one, now, now) for one in entry.told_before],
    )
