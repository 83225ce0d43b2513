"""Calendars by name: which hours count in a report, and towards which goal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from noc_bus.messages import SLUG_PATTERN
from noc_rules.calendar import HOURS_ACCEPTED, Calendar, parsed_hours, zone_of
from noc_web.database.opening import Database
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid, refused

_ALWAYS: Final = (((0, 1440),),) * 7
ZONE: Final = "[A-Za-z0-9_+/-]{1,64}"
_SPELL: Final = "[A-Za-z]{3}( ?- ?[A-Za-z]{3})? +[0-9]{1,2}:[0-5][0-9] ?- ?[0-9]{1,2}:[0-5][0-9]"
HOURS: Final = f"{_SPELL}(, ?{_SPELL}){{0,40}}"
HOLIDAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
HOLIDAYS: Final = f"{HOLIDAY}(,{HOLIDAY}){{0,400}}"
MOST_HOLIDAYS: Final = 400
_MOST: Final = 100


@dataclass(frozen=True)
class StoredCalendar:
    """`hours` "": all. `goal_pct` None: the goals of the targets."""

    name: str
    zone: str = "UTC"
    hours: str = ""
    holidays: tuple[str, ...] = ()
    goal_pct: float | None = None

    @property
    def calendar(self) -> Calendar:
        return read_calendar(self.hours, self.zone, self.holidays)


def read_zone(zone: str) -> ZoneInfo:
    """Raises ProblemError 422."""
    found = zone_of(zone or "UTC")
    if found is None:
        raise _refused("zone", zone, "the name of a time zone that is known here, like Europe/Berlin", ZONE)
    return found


def read_calendar(hours: str, zone: str, holidays: Iterable[str]) -> Calendar:
    """From words as people write them. Raises ProblemError 422."""
    found, written = read_zone(zone), [*holidays]
    try:
        days = frozenset(date.fromisoformat(one) for one in written)
    except ValueError:
        accepted = "days with commas between, like 2026-12-25,2026-12-26"
        raise _refused("holidays", ",".join(written), accepted, HOLIDAYS) from None
    try:
        return Calendar(found, parsed_hours(hours) if hours else _ALWAYS, days)
    except ValueError:
        raise _refused("hours", hours, HOURS_ACCEPTED, HOURS) from None


def _refused(name: str, text: str, accepted: str, pattern: str) -> ProblemError:
    code = ProblemCode.DOES_NOT_FIT if re.fullmatch(pattern, text, re.ASCII) else ProblemCode.NOT_ACCEPTED
    return invalid([refused(name, text, accepted, code)])


class Calendars:
    """Used from several threads. Everything raises DatabaseFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listed(self) -> list[StoredCalendar]:
        rows = self._database.rows("SELECT name, zone, hours, holidays, goal_pct FROM calendar ORDER BY name")
        return [
            StoredCalendar(name, zone, hours, tuple(json.loads(days)), goal) for name, zone, hours, days, goal in rows
        ]

    def get(self, name: str) -> StoredCalendar:
        """Raises ProblemError 404."""
        for one in self.listed():
            if one.name == name:
                return one
        raise ProblemError(404, f"There is no calendar {name[:80]!r}.")

    def chosen(self, name: str) -> StoredCalendar:
        """Of a query or a body. Raises ProblemError 422 with those there are."""
        known = self.listed()
        for one in known:
            if one.name == name:
                return one
        accepted = ", ".join(one.name for one in known) or "none: there is no calendar yet"
        code = ProblemCode.DOES_NOT_FIT if re.search(SLUG_PATTERN, name) else ProblemCode.NOT_ACCEPTED
        raise invalid([FieldError("calendar", f"calendar: there is no {name[:60]!r}; use {accepted}.", code)])

    def put(self, one: StoredCalendar) -> None:
        """Raises ProblemError 409 where there are too many, 422 for what is no calendar."""
        _ = one.calendar
        with self._database.begin() as connection:
            others = connection.execute("SELECT count(*) FROM calendar WHERE name <> ?", (one.name,)).fetchone()[0]
            if others >= _MOST:
                raise ProblemError(409, f"There are {_MOST} calendars already; delete one first.")
            connection.execute(
                "INSERT OR REPLACE INTO calendar VALUES (?, ?, ?, ?, ?)",
                (one.name, one.zone, one.hours, json.dumps(one.holidays), one.goal_pct),
            )

    def delete(self, name: str) -> None:
        """Raises ProblemError 404, 409 where a report by mail names it."""
        with self._database.begin() as connection:
            user = connection.execute(
                "SELECT name FROM report_schedule WHERE fields ->> 'calendar' = ? ORDER BY name", (name,)
            ).fetchone()
            if user:
                sentence = f"The report by mail {user[0]} names this calendar; change that first."
                raise ProblemError(409, sentence, code=ProblemCode.IN_USE)
            if not connection.execute("DELETE FROM calendar WHERE name = ?", (name,)).rowcount:
                raise ProblemError(404, f"There is no calendar {name[:80]!r}.")
