"""Business hours: which moments count, by the wall clock of a calendar's time zone."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from noc_bus.time import DAY_MS, HOUR_MS

MINUTES_OF_DAY: Final = 1440
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS_ACCEPTED: Final = "days and hours like Mon-Fri 08:00-18:00, Sat 22:00-06:00 (into Sunday)"
_DAY: Final = "(" + "|".join(WEEKDAYS) + ")"
_TIME: Final = r"(\d\d?):([0-5]\d)"
_PART: Final = re.compile(rf"{_DAY}(?:\s*-\s*{_DAY})?\s+{_TIME}\s*-\s*{_TIME}", re.ASCII)
_MINUTE_MS: Final = 60_000
# No zone has changed its clocks twice within so short a time.
_PROBE_MS: Final = 6 * HOUR_MS
_EPOCH: Final = date(1970, 1, 1)


class Span(NamedTuple):
    """From `start` up to, not including, `end`; milliseconds since 1970 UTC."""

    start: int
    end: int


@dataclass(frozen=True)
class Calendar:
    """A moment counts where the wall clock of `zone` shows one of the day's hours, and no holiday.

    `hours` has a tuple for each weekday, Monday first: minutes since midnight, from and up to, in order
    and without overlap. By the wall clock: an hour that is skipped counts nowhere, one that comes twice
    counts twice.
    """

    zone: ZoneInfo
    hours: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()

    def spans(self, start: int, end: int) -> list[Span]:
        """What counts of the period, in order; neighbours are one."""

        def hours_of(day: date) -> Iterable[tuple[int, int]]:
            return () if day in self.holidays else self.hours[day.weekday()]

        return wall_spans(self.zone, hours_of, start, end)


def zone_of(name: str) -> ZoneInfo | None:
    """None: this machine knows no such time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def wall_spans(
    zone: ZoneInfo, hours_of: Callable[[date], Iterable[tuple[int, int]]], start: int, end: int
) -> list[Span]:
    """When of the period the wall clock of `zone` shows the hours of its day, in order; neighbours are one.

    `hours_of` gives those of a date: minutes since midnight, from and up to.
    """
    found: list[Span] = []
    for segment, offset_ms in _offsets(zone, start, end):
        first, last = (segment.start + offset_ms) // DAY_MS, (segment.end - 1 + offset_ms) // DAY_MS
        for day in range(first, last + 1):
            midnight = day * DAY_MS - offset_ms
            for begin, stop in hours_of(_EPOCH + timedelta(days=day)):
                found += clipped(
                    [Span(midnight + begin * _MINUTE_MS, midnight + stop * _MINUTE_MS)], segment.start, segment.end
                )
    return union(found)


def parsed_hours(text: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    """A calendar's hours from words like `Mon-Fri 08:00-18:00, Sat 22:00-06:00`. Raises ValueError with a sentence.

    What ends before it begins ends on the next day.
    """
    hours: list[list[Span]] = [[] for _ in WEEKDAYS]
    for part in text.split(","):
        match = _PART.fullmatch(part.strip().lower())
        if match is None:
            raise ValueError(f"{part.strip()[:60]!r} is no such hours; use {HOURS_ACCEPTED}")
        first, last, *times = match.groups()
        begin, stop = (60 * int(times[place]) + int(times[place + 1]) for place in (0, 2))
        if begin == stop or max(begin, stop) > MINUTES_OF_DAY:
            raise ValueError(f"{part.strip()[:60]!r} has no length, or goes past 24:00; use {HOURS_ACCEPTED}")
        day, last_day = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        for number in range(day, last_day + 1 if day <= last_day else last_day + 8):
            if begin < stop:
                hours[number % 7].append(Span(begin, stop))
            else:
                hours[number % 7].append(Span(begin, MINUTES_OF_DAY))
                hours[(number + 1) % 7].append(Span(0, stop))
    return tuple(tuple((one.start, one.end) for one in union(spans)) for spans in hours)


class Hours:
    """Some spans, prepared for being asked often how much of an interval they cover."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """`spans`: in order and apart from each other, as `union` gives them."""
        self._starts = [one.start for one in spans]
        self._ends = [one.end for one in spans]
        self._before = [0, *itertools.accumulate(one.end - one.start for one in spans)]

    def ms_within(self, start: int, end: int) -> int:
        """How much of [start, end) lies in the spans."""
        return self._ms_until(end) - self._ms_until(start)

    def _ms_until(self, moment: int) -> int:
        place = bisect_right(self._starts, moment)
        if not place:
            return 0
        return self._before[place - 1] + min(moment, self._ends[place - 1]) - self._starts[place - 1]


def union(spans: Iterable[Span]) -> list[Span]:
    """The moments that are in any of them, as spans in order that neither overlap nor touch."""
    found: list[Span] = []
    for one in sorted(spans):
        if one.end <= one.start:
            continue
        if found and one.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found


def clipped(spans: Iterable[Span], start: int, end: int) -> list[Span]:
    """What of them lies in [start, end)."""
    cut = (Span(max(one.start, start), min(one.end, end)) for one in spans)
    return [one for one in cut if one.start < one.end]


def _offsets(zone: ZoneInfo, start: int, end: int) -> list[tuple[Span, int]]:
    """The period in stretches of one distance from UTC, with that distance in milliseconds."""
    found: list[tuple[Span, int]] = []
    begin, offset_ms = start, _offset_ms(zone, start)
    for before, after in itertools.pairwise([*range(start, end, _PROBE_MS), end]):
        if _offset_ms(zone, after) == offset_ms:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if _offset_ms(zone, middle) == offset_ms else (before, middle)
        found.append((Span(begin, after), offset_ms))
        begin, offset_ms = after, _offset_ms(zone, after)
    return [*found, (Span(begin, end), offset_ms)] if begin < end else found


def _offset_ms(zone: ZoneInfo, moment: int) -> int:
    offset = datetime.fromtimestamp(moment // 1000, UTC).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(milliseconds=1)
