"""Reports by mail, daily, weekly or monthly: when each is due, and what the alerter has not taken over yet."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from noc_bus import messages
from noc_bus.bus import Bus
from noc_bus.channels import REPORT_MAIL_ANSWERS, REPORT_MAILS
from noc_bus.codec import decode, encode
from noc_bus.messages import GROUP_PATTERN, SLUG_PATTERN, Contact, ReportMail, ReportMailAnswer
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_history.store import StoreError
from noc_rules.calendar import Span
from noc_rules.mail_address import is_mail_address
from noc_rules.periods import Every, last_whole, local, next_due
from noc_rules.uptime import PROFILES
from noc_web import reportletter
from noc_web.calendars import ZONE, Calendars, read_zone
from noc_web.database.opening import Database
from noc_web.notifications.kept import Notifications
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid, refused
from noc_web.report import Reports, Wanted

NAME: Final = "[a-z0-9][a-z0-9-]{0,39}"
_MOST: Final = 100
# Addresses in one message to the alerter.
_MOST_IN_ONE: Final = 50
_LOOK_EVERY_S: Final = 1.0
_AGAIN_S: Final = 30.0
# Whoever knows of no trouble is not to wait for a store that is away.
_AFTER_TROUBLE_S: Final = 60.0
_log = log.get("noc.web")


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`zone` "": that of the contact, or of the report."""

    address: Annotated[messages.Recipient, Meta(description="a mail address or the id of a contact")]
    zone: Annotated[str, Meta(extra_json_schema={"pattern": f"^({ZONE})?$"})] = ""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a regular report is of, and who gets it: of the last whole day, week or month of their time zone, at that hour."""

    every: Every
    recipients: tuple[Recipient, ...]
    title: str = ""
    hour: int = 7
    zone: str = "UTC"
    group: str = ""
    tag: str = ""
    profile: str = "standard"
    calendar: str = ""

    def by_zone(self, contacts: Mapping[str, Contact]) -> dict[str, list[str]]:
        """Mail addresses, each once. A contact that has none any more gets none."""
        found: dict[str, list[str]] = {}
        for one in self.recipients:
            contact = contacts.get(one.address)
            zone = one.zone or (contact.zone if contact else self.zone)
            mails = contact.mails if contact else [one.address] if is_mail_address(one.address) else []
            found[zone] = list(dict.fromkeys([*found.get(zone, []), *mails]))
        return found


class ReportMails:
    """Used from several threads; `run` is that of its own. The database is the truth: what it has is sent, once."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        reports: Reports,
        calendars: Calendars,
        notifications: Notifications,
        *,
        title: str,
        public_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._bus, self._reports, self._calendars = database, bus, reports, calendars
        self._notifications = notifications
        self._title, self._public_url, self._clock = title, public_url, clock
        self._contacts: Mapping[str, Contact] | None = None
        self._answered: deque[str] = deque()
        self._said_s: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="report-mails", daemon=True)
        bus.subscribe(REPORT_MAIL_ANSWERS, self._on_answer)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        """Returns once nothing uses the database any more; what it waits for has been stopped before."""
        self._thread.join(5.0)

    def listed(self) -> list[dict[str, Any]]:
        """With when each is due next, and how many mails of it the alerter has not taken over yet."""
        found = self._database.rows(
            "SELECT name, fields, min(next_at), "
            "(SELECT count(*) FROM report_letter WHERE report_letter.name = report_schedule.name) "
            "FROM report_schedule JOIN report_due USING (name) GROUP BY name ORDER BY name"
        )
        return [
            {"name": name, **json.loads(fields), "next_at": Time(abs(next_at)), "waiting": waiting}
            for name, fields, next_at, waiting in found
        ]

    def get(self, name: str) -> dict[str, Any]:
        """Raises ProblemError 404."""
        for one in self.listed():
            if one["name"] == name:
                return one
        raise _unknown(name)

    def put(self, name: str, wanted: Schedule, now: Time) -> None:
        """From now on. Raises ProblemError 409, 422."""
        contacts = self._known()
        self._check(name, wanted, contacts)
        with self._database.begin() as connection:
            others = connection.execute("SELECT count(*) FROM report_schedule WHERE name <> ?", (name,)).fetchone()[0]
            if others >= _MOST:
                raise ProblemError(409, f"There are {_MOST} reports by mail already; delete one first.")
            fields = json.dumps(msgspec.to_builtins(wanted))
            connection.execute("INSERT OR REPLACE INTO report_schedule VALUES (?, ?)", (name, fields))
            connection.execute("DELETE FROM report_due WHERE name = ?", (name,))
            _put_due(connection, name, wanted, wanted.by_zone(contacts), now)

    def delete(self, name: str) -> None:
        """Raises ProblemError 404."""
        with self._database.begin() as connection:
            if not connection.execute("DELETE FROM report_schedule WHERE name = ?", (name,)).rowcount:
                raise _unknown(name)
            connection.execute("DELETE FROM report_due WHERE name = ?", (name,))
            connection.execute("DELETE FROM report_letter WHERE name = ?", (name,))

    def naming(self, contact: str) -> list[str]:
        """Which reports it gets."""
        found = self._database.rows("SELECT name, fields FROM report_schedule ORDER BY name")
        return [name for name, fields in found if contact in {one.address for one in _schedule(fields).recipients}]

    def send_now(self, name: str, now: Time) -> None:
        """Of the last whole period, to everybody. It is made by the thread. Raises ProblemError 404."""
        with self._database.begin() as connection:
            if not connection.execute("UPDATE report_due SET next_at = ? WHERE name = ?", (-int(now), name)).rowcount:
                raise _unknown(name)

    def tick(self, now: Time) -> None:
        """Write what is due, and say again what is not answered.

        Raises DatabaseFault, StoreError, ProblemError, CancelledError, once all the others are written and said.
        """
        while self._answered:
            with self._database.begin() as connection:
                connection.execute("DELETE FROM report_letter WHERE id = ?", (self._answered[0],))
            self._said_s.pop(self._answered.popleft(), None)
        self._follow_contacts(now)
        due = self._database.rows("SELECT name, zone, next_at FROM report_due WHERE next_at <= ?", int(now))
        failed: Exception | None = None
        for name, zone, next_at in due:
            try:
                self._write(name, zone, next_at, now)
            except (StoreError, ProblemError, CancelledError) as error:
                failed = error
        for number, message in self._database.rows("SELECT id, message FROM report_letter ORDER BY created_at, id"):
            said_s = self._said_s.get(number)
            if (said_s is None or self._clock() - said_s >= _AGAIN_S) and self._bus.publish(
                REPORT_MAILS, decode(message, ReportMail)
            ):
                self._said_s[number] = self._clock()
        if failed is not None:
            raise failed

    def _follow_contacts(self, now: Time) -> None:
        """Somebody's time zone was changed: from now on the reports are due by that one."""
        contacts = self._known()
        if contacts == self._contacts:
            return
        with self._database.begin() as connection:
            for name, fields in connection.execute("SELECT name, fields FROM report_schedule").fetchall():
                schedule = _schedule(fields)
                zones = schedule.by_zone(contacts)
                due = {zone for (zone,) in connection.execute("SELECT zone FROM report_due WHERE name = ?", (name,))}
                connection.executemany(
                    "DELETE FROM report_due WHERE name = ? AND zone = ?", [(name, zone) for zone in due - zones.keys()]
                )
                _put_due(connection, name, schedule, zones.keys() - due, now)
        self._contacts = contacts

    def _known(self) -> Mapping[str, Contact]:
        return {one.id: one for one in self._notifications.read().contacts}

    def _write(self, name: str, zone: str, next_at: int, now: Time) -> None:
        """The report, and when the next one is due, in one transaction."""
        row = self._database.rows("SELECT fields FROM report_schedule WHERE name = ?", name)
        if not row:
            return
        schedule = _schedule(row[0][0])
        # It may have been changed while the one before it was calculated.
        to = schedule.by_zone(self._known()).get(zone)
        if to is None:
            return
        place = ZoneInfo(zone)
        period = last_whole(schedule.every, place, now)
        report = self._reports.ask(self._wanted(schedule, period)).future.result()
        end = local(place, period.end)
        number = f"{name}-{end:%Y%m%d}-{hashlib.sha256(zone.encode()).hexdigest()[:6]}"
        # Asked for by hand: it comes although it came before.
        number += f"-{secrets.token_hex(3)}" if next_at < 0 else ""
        title = schedule.title or self._title
        subject, text, html = reportletter.written(
            report, title, schedule.every, place, self._public_url, schedule.calendar
        )
        mails = [
            ReportMail(
                report=f"{number}-{first}" if first else number, at=now, to=to[first : first + _MOST_IN_ONE],
                subject=subject, text=text, html=html,
            )
            for first in range(0, len(to), _MOST_IN_ONE)
        ]  # fmt: skip
        following = next_due(schedule.every, schedule.hour, place, now)
        with self._database.begin() as connection:
            is_same = connection.execute(
                "UPDATE report_due SET next_at = ? WHERE name = ? AND zone = ? AND next_at = ?",
                (following, name, zone, next_at),
            ).rowcount
            # Else it was changed or deleted while the report was calculated.
            if is_same:
                connection.executemany(
                    "INSERT OR IGNORE INTO report_letter VALUES (?, ?, ?, ?)",
                    [(one.report, name, int(now), encode(one)) for one in mails],
                )

    def _wanted(self, schedule: Schedule, period: Span) -> Wanted:
        chosen = self._calendars.chosen(schedule.calendar) if schedule.calendar else None
        return Wanted(
            start=Time(period.start),
            end=Time(period.end),
            group=schedule.group,
            tag=schedule.tag,
            profile=schedule.profile,
            calendar=chosen.calendar if chosen else None,
            goal_pct=chosen.goal_pct if chosen else None,
            compared=True,
            measured=True,
        )

    def _check(self, name: str, wanted: Schedule, contacts: Mapping[str, Contact]) -> None:
        errors = []
        if not re.fullmatch(NAME, name):
            accepted = "lower-case letters, digits and hyphens, 40 at most"
            errors.append(refused("report", name, accepted))
        for place, one in enumerate(wanted.recipients):
            if (sentence := _no_recipient(one.address, contacts)) is not None:
                errors.append(FieldError(f"recipients[{place}]", f"recipients: {sentence}.", ProblemCode.DOES_NOT_FIT))
        if not re.search(GROUP_PATTERN, wanted.group):
            accepted = "a path of names with slashes between, like core/routers, or nothing for all"
            errors.append(refused("group", wanted.group, accepted))
        if wanted.tag and not re.search(SLUG_PATTERN, wanted.tag):
            accepted = "lower-case letters, digits and hyphens, or nothing for all"
            errors.append(refused("tag", wanted.tag, accepted))
        if wanted.profile not in PROFILES:
            sentence = f"profile: {wanted.profile!r} is not accepted; use {' or '.join(PROFILES)}."
            errors.append(FieldError("profile", sentence))
        if errors:
            raise invalid(errors)
        for zone in (wanted.zone, *wanted.by_zone(contacts)):
            read_zone(zone)
        if wanted.calendar:
            self._calendars.chosen(wanted.calendar)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            try:
                self.tick(Time.now())
            except (DatabaseFault, StoreError, ProblemError, CancelledError) as error:
                if not self._stop.is_set():
                    _log.error(f"reports by mail are late: {error}")
                self._stop.wait(_AFTER_TROUBLE_S)

    def _on_answer(self, answer: ReportMailAnswer | None, variables: dict[str, str]) -> None:
        if answer is not None:
            self._answered.append(answer.report)


def _schedule(fields: str) -> Schedule:
    return msgspec.convert(json.loads(fields), Schedule)


def _no_recipient(address: str, contacts: Mapping[str, Contact]) -> str | None:
    """Why none is reached by it."""
    contact = contacts.get(address)
    if contact is not None:
        return None if contact.mails else f"the contact {address} has no mail address; give it one first"
    if is_mail_address(address):
        return None
    return f"{address[:60]!r} is not accepted; use a mail address like ops@example.org, or the id of a contact"


def _put_due(connection: sqlite3.Connection, name: str, wanted: Schedule, zones: Iterable[str], now: Time) -> None:
    connection.executemany(
        "INSERT INTO report_due VALUES (?, ?, ?)",
        [(name, zone, next_due(wanted.every, wanted.hour, ZoneInfo(zone), now)) for zone in zones],
    )


def _unknown(name: str) -> ProblemError:
    return ProblemError(404, f"There is no report {name[:80]!r} by mail.")
