"""Whole days, weeks and months of a time zone: what a regular report is of, and when it is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from noc_rules.calendar import Span


class Every(StrEnum):
    """How often; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def last_whole(every: Every, zone: ZoneInfo, now: int) -> Span:
    """The last period that is over, from one midnight of the zone to another."""
    end = _start_of(every, local(zone, now).date())
    return Span(_midnight(_start_of(every, end - timedelta(days=1)), zone), _midnight(end, zone))


def next_due(every: Every, hour: int, zone: ZoneInfo, now: int) -> int:
    """The next moment after now at which a period has ended and the zone's clock shows that hour."""
    start = _start_of(every, local(zone, now).date())
    due = _at(start, hour, zone)
    return due if due > now else _at(_following(every, start), hour, zone)


def _following(every: Every, start: date) -> date:
    # Longer than any of them, and shorter than two.
    longest = {Every.DAY: 1, Every.WEEK: 7, Every.MONTH: 31}[every]
    return _start_of(every, start + timedelta(days=longest))


def _start_of(every: Every, day: date) -> date:
    """Of the period that the day is in."""
    if every is Every.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if every is Every.MONTH else day


def local(zone: ZoneInfo, moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone(zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return _at(day, 0, zone)


def _at(day: date, hour: int, zone: ZoneInfo) -> int:
    # An hour that a clock skips is the one after it.
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=zone).timestamp() * 1000)
