"""Maintenance windows: when each runs, and what those that run cover.

A window that repeats goes by the wall clock of its zone, like business hours: on a day whose clocks are changed, what
is skipped is missing and what comes twice counts twice. Several may overlap; what any of them covers is covered.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from noc_bus.messages import Maintenance, Target
from noc_bus.time import DAY_MS
from noc_rules.calendar import MINUTES_OF_DAY, WEEKDAYS, Span, clipped, union, wall_spans, zone_of
from noc_rules.inheritance import is_below
from noc_rules.timeline import InForce
from noc_rules.verdict import sites_of

# A window that repeats lasts a day at the most; neighbours without a gap are one, and are followed for so long.
_AROUND_MS: Final = 3 * DAY_MS
# The 31st may be two months away, a fifth Sunday three.
_AHEAD_MS: Final = 100 * DAY_MS
_ALWAYS: Final = 2**53
_DAY: Final = timedelta(days=1)


class Running(NamedTuple):
    """A window that runs now. `until` None: nobody knows its end."""

    maintenance: Maintenance
    start: int
    until: int | None


def spans(one: Maintenance, start: int, end: int) -> list[Span]:
    """When of the period it runs, in order and apart from each other. A zone that this machine does not know has no time."""
    if start >= end:
        return []
    life = Span(one.starts_at, one.ends_at if one.ends_at is not None else _ALWAYS)
    if one.repeats == "once":
        found = clipped([life], start, end)
    else:
        zone = zone_of(one.zone)
        found = clipped(wall_spans(zone, _hours(one), start, end), *life) if zone else []
    if one.skipped_from is not None and one.skipped_until is not None:
        found = _without(found, Span(one.skipped_from, one.skipped_until))
    return found


def running(one: Maintenance, now: int) -> Running | None:
    """The window of it that runs now."""
    around = Span(now - _AROUND_MS, now + _AROUND_MS)
    if one.repeats == "once":
        around = Span(0, _ALWAYS)
    for span in spans(one, *around):
        if span.start <= now < span.end:
            return Running(one, span.start, span.end if span.end < around.end else None)
    return None


def following(one: Maintenance, now: int) -> Span | None:
    """The next window of it that starts after now; None: there is none within the next hundred days."""
    ahead = Span(max(now, one.starts_at), max(now, one.starts_at) + _AHEAD_MS)
    if one.repeats == "once":
        ahead = Span(now, _ALWAYS)
    # What runs already started before.
    found = spans(one, ahead.start - 1, ahead.end)
    return next((span for span in found if span.start >= ahead.start and span.start > now), None)


def is_over(one: Maintenance, now: int) -> bool:
    """Whether it will not run any more."""
    return one.ends_at is not None and one.ends_at <= now


class Schedule:
    """Some maintenances, prepared for being asked often what runs now."""

    def __init__(self) -> None:
        self._of: dict[str, Maintenance] = {}
        self._known: dict[str, tuple[int, int, Running | None]] = {}
        self._running: Covers = Covers(())

    def define(self, maintenances: Iterable[Maintenance]) -> None:
        """These and no others there are."""
        before, self._of = self._of, {one.id: one for one in maintenances}
        self._known = {name: known for name, known in self._known.items() if before[name] == self._of.get(name)}

    def change(self, name: str, one: Maintenance | None) -> None:
        """None: it was deleted."""
        self._known.pop(name, None)
        if one is None:
            self._of.pop(name, None)
        else:
            self._of[name] = one

    def running(self, now: int) -> Covers:
        found = [one for name in self._of if (one := self._running_of(name, now))]
        if tuple(found) != self._running.running:
            self._running = Covers(found)
        return self._running

    def unchanged_until(self, now: int) -> int:
        """Before when nothing of what runs now starts or ends."""
        self.running(now)
        return min((until for _, until, _ in self._known.values()), default=_ALWAYS)

    def _running_of(self, name: str, now: int) -> Running | None:
        """Looked up in the rule only where it starts or ends, and once a day."""
        known = self._known.get(name)
        if known is None or not known[0] <= now < known[1]:
            one = self._of[name]
            found = running(one, now)
            if found is not None:
                edge = found.until
            else:
                after = following(one, now)
                edge = after.start if after else None
            until = min(now + DAY_MS, edge if edge is not None else _ALWAYS)
            known = self._known[name] = (now, until, found)
        return known[2]


class Covers:
    """What the windows that run at one moment cover, prepared for being asked about many targets."""

    def __init__(self, running: Sequence[Running]) -> None:
        # Where several cover the same, the one that ends last is named.
        self.running: tuple[Running, ...] = tuple(running)
        self._named: dict[tuple[str, str], Running] = {}
        for one in sorted(running, key=_ends_last):
            for covered in one.maintenance.covers:
                self._named[covered.kind, covered.name if covered.kind != "everything" else ""] = one
        self._groups = [path for kind, path in self._named if kind == "group"]
        self.has_sites = any(kind == "site" for kind, _ in self._named)

    def __bool__(self) -> bool:
        return bool(self.running)

    def of(self, target: Target, sites: Iterable[str]) -> Running | None:
        """What covers it; also where no site pings it but some that are covered. `sites`: all that there are."""
        return self.target(target) or (self.sites(sites_of(target, sites)) if self.has_sites else None)

    def target(self, target: Target) -> Running | None:
        """What covers it by its id, its tags, or one of its groups."""
        keys = [("everything", ""), ("target", target.id), *(("tag", tag) for tag in target.tags)]
        keys += [("group", path) for path in self._groups if is_below(target.group, path)]
        return self._last(keys)

    def sites(self, sites: Collection[str]) -> Running | None:
        """What covers all of these sites, where there are any."""
        found = [self._last([("everything", ""), ("site", site)]) for site in sites]
        known = [one for one in found if one is not None]
        # It holds for all of them only until the first ends.
        return min(known, key=_ends_last) if found and len(known) == len(found) else None

    def incident(self, incident: str) -> Running | None:
        return self._last([("everything", ""), ("incident", incident)])

    def _last(self, keys: Iterable[tuple[str, str]]) -> Running | None:
        found = [one for key in keys if (one := self._named.get(key))]
        return max(found, key=_ends_last) if found else None


class PastWindow(NamedTuple):
    """A target was in maintenance from `start` up to `end`."""

    start: int
    end: int
    maintenance: str
    title: str


Versions = Mapping[str, Sequence[tuple[int, Maintenance | None]]]
"""By id, what each maintenance was from when on, in order; None: it was deleted."""


class Past:
    """Which windows ran in a period, each by what its maintenance was at that moment: an edit changes nothing of the past."""

    def __init__(self, versions: Versions, start: int, end: int) -> None:
        self._windows: list[tuple[Maintenance, Covers, list[Span]]] = []
        for versions_of_one in versions.values():
            edges = [*(since for since, _ in versions_of_one), max(end, *(since for since, _ in versions_of_one))]
            for (_, one), (begin, stop) in zip(versions_of_one, pairwise(edges), strict=True):
                if one is not None and (found := spans(one, max(start, begin), min(end, stop))):
                    self._windows.append((one, Covers([Running(one, 0, None)]), found))

    def of(self, in_force: InForce, sites: Collection[str], start: int, end: int) -> list[PastWindow]:
        """Those of one target, in order, by what was then in force of it; they may overlap. `sites`: all that looked at it."""
        if not self._windows:
            return []
        edges = [start, *in_force.changes(start, end), end]
        stretches = [(Span(*edge), target) for edge in pairwise(edges) if (target := in_force.at(edge[0]))]
        return sorted(
            PastWindow(span.start, span.end, one.id, one.title)
            for one, covers, found in self._windows
            for stretch, target in stretches
            if covers.of(target, sites)
            for span in clipped(found, *stretch)
        )


def _ends_last(one: Running) -> tuple[int, str]:
    return (one.until if one.until is not None else _ALWAYS), one.maintenance.id


def _without(found: Sequence[Span], gap: Span) -> list[Span]:
    return union([*clipped(found, 0, gap.start), *clipped(found, gap.end, _ALWAYS)])


def _hours(one: Maintenance) -> Callable[[date], list[tuple[int, int]]]:
    begin, stop = _minutes(one.from_time or "00:00"), _minutes(one.to_time or "00:00")

    def hours_of(day: date) -> list[tuple[int, int]]:
        found = []
        if stop > begin:
            return [(begin, stop)] if _starts(one, day) else []
        if _starts(one, day):
            found.append((begin, MINUTES_OF_DAY))
        if _starts(one, day - _DAY):
            found.append((0, stop))
        return found

    return hours_of


def _starts(one: Maintenance, day: date) -> bool:
    """Whether one of its windows starts on that day."""
    is_weekday = WEEKDAYS[day.weekday()] in one.weekdays
    if one.repeats == "weekly":
        return is_weekday
    length = _days_of_month(day.year, day.month)
    if one.weeks and is_weekday:
        is_last = day.day > length - 7
        return (day.day - 1) // 7 + 1 in one.weeks or (is_last and -1 in one.weeks)
    return day.day in one.days or (day.day == length and -1 in one.days)


@lru_cache(maxsize=512)
def _days_of_month(year: int, month: int) -> int:
    return months.monthrange(year, month)[1]


def _minutes(time: str) -> int:
    return 60 * int(time[:2]) + int(time[3:])
