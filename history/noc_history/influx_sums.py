"""What the InfluxDB store does beside writing: it sums up the hours and days that are over, and deletes what is old.

With each batch the store notes the hours and days that its cycles are of (`unsummed`: when they changed, and
up to which change they are summed up). So what comes late, whoever writes it, is summed up again; and who
reads knows which sums say all. Every step writes points that it would write again: it may be cut off anywhere.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.influx_lines import (
    DAYS,
    HOURS,
    MINUTES,
    ROLLUP_FIELDS,
    Tier,
    cycle_row,
    is_whole,
    layout_line,
    rollup_from,
    rollup_line,
    summed_line,
    unsummed_line,
)
from noc_history.influx_server import InfluxServer, between
from noc_history.rollups import BY_START, COLLECT_S, GRACE_MS, Rollup, merged, merged_to, roll_up
from noc_history.store import Upkeep, days_ago

_VERSION: Final = 2
_KEEP_DAYS: Final = 14
_KEEP_DAYS_BEFORE: Final = 30
_DELETE_EVERY_S: Final = 3600.0
# Read in one answer of the server: enough for its own work not to count, and soon done with.
_CYCLES_AT_ONCE: Final = 25_000

_Name = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """How far each kind of point goes back: a bucket of before there were sums has none."""

    keep_days: int
    """Of raw cycles, where no setting says so."""
    raw_since: Time
    minutes_since: Time
    hours_since: Time


def read_layout(server: InfluxServer) -> Layout | None:
    """None: nothing is noted there about what is summed up."""
    fields = "version, keep_days, raw_since, minutes_since, hours_since"
    for _, (row,) in server.series(f"SELECT {fields} FROM layout"):
        since = (Time(row[name]) for name in ("raw_since", "minutes_since", "hours_since"))
        return Layout(row["keep_days"], *since)
    return None


def _first_cycle(server: InfluxServer) -> Time | None:
    query = "SELECT FIRST(sent) FROM cycle"
    return next((Time(row["time"]) for _, rows in server.series(query) for row in rows), None)


def unsummed(server: InfluxServer, where: str = "") -> Mapping[Tier, Mapping[Time, int]]:
    """The hours and days that have changed since they were summed up, each with the stamp of its last change."""
    found: dict[Tier, dict[Time, int]] = {HOURS: {}, DAYS: {}}
    tiers = {tier.measurement: tier for tier in found}
    query = f"SELECT changed FROM unsummed WHERE {where}changed != summed GROUP BY tier"
    for tags, rows in server.series(query):
        found[tiers[tags["tier"]]].update({Time(row["time"]): row["changed"] for row in rows})
    return found


class InfluxSums:
    """Lives in one thread."""

    def __init__(self, server: InfluxServer, keep_5min_days: int, keep_hourly_days: int) -> None:
        self._server = server
        self._keep_5min_days, self._keep_hourly_days = keep_5min_days, keep_hourly_days
        self._layout: Layout | None = None
        self._steps: Iterator[None] | None = None
        self._before: Time | None = None
        # Until it is known, there is something.
        self._left = 1
        self._sum_at_s = self._delete_at_s = 0.0
        self._deleted: dict[str, Time] = {}
        self._slice_ms = MINUTES.width_ms

    def lay_out_empty(self) -> None:
        """A bucket without cycles needs no look at its past. Raises StoreError."""
        if read_layout(self._server) is None and not _first_cycle(self._server):
            self._keep(Layout(_KEEP_DAYS, Time(0), Time(0), Time(0)))

    def work(self, before: Time | None, until_s: float) -> Upkeep:
        """One step after the other until the time is over, one at least. Raises StoreError."""
        self._before = before
        while True:
            if self._steps is None:
                self._steps = self._round()
            try:
                next(self._steps)
            except StopIteration:
                self._steps = None
                break
            except BaseException:
                self._steps, self._sum_at_s, self._delete_at_s = None, 0.0, 0.0
                raise
            if time.monotonic() >= until_s:
                break
        # Of hours, for that is what the server can tell quickly.
        return Upkeep(backlog_rows=self._left if self._steps is None else max(1, self._left))

    def _round(self) -> Iterator[None]:
        layout = self._layout
        if layout is None:
            layout = read_layout(self._server) or (yield from self._lay_out())
            self._layout = layout
        if time.monotonic() >= self._sum_at_s:
            yield from self._sum_up(layout)
            self._sum_at_s = time.monotonic() + COLLECT_S
        if time.monotonic() >= self._delete_at_s:
            yield from self._delete_old(layout)
            self._delete_at_s = time.monotonic() + _DELETE_EVERY_S

    def _lay_out(self) -> Generator[None, None, Layout]:
        """Note all hours of a bucket from before there were sums."""
        first = _first_cycle(self._server) or Time.now()
        stamp = time.time_ns()
        for day in range(first // DAY_MS * DAY_MS, Time.now() + DAY_MS, DAY_MS):
            query = f"SELECT COUNT(sent) FROM cycle WHERE {between(day, day + DAY_MS)} GROUP BY time(1h) fill(none)"
            hours = [row["time"] for _, rows in self._server.series(query) for row in rows]
            if hours:
                self._server.write_whole(
                    [*(unsummed_line(HOURS, hour, stamp) for hour in hours), unsummed_line(DAYS, day, stamp)]
                )
            yield
        # What is there already was to be kept for 30 days.
        days = _KEEP_DAYS_BEFORE if first < days_ago(1) else _KEEP_DAYS
        layout = Layout(days, Time(0), Time(0), Time(0))
        self._keep(layout)
        return layout

    def _keep(self, layout: Layout) -> None:
        self._layout = layout
        names = ("keep_days", "raw_since", "minutes_since", "hours_since")
        self._server.write_whole([layout_line({"version": _VERSION} | {name: getattr(layout, name) for name in names})])

    # -- what is over is summed up

    def _sum_up(self, layout: Layout) -> Iterator[None]:
        horizon = (Time.now() - GRACE_MS) // HOUR_MS * HOUR_MS
        changed = unsummed(self._server)
        hours = [hour for hour in sorted(changed[HOURS]) if hour < horizon]
        days = [day for day in sorted(changed[DAYS]) if day + DAY_MS <= horizon]
        self._left = len(hours) + len(days)
        yield
        for hour in hours:
            yield from self._sum_up_hour(layout, hour)
            self._server.write_whole([summed_line(HOURS, hour, changed[HOURS][hour])])
            self._left -= 1
            yield
        for day in days:
            if day >= layout.hours_since:
                self._sum_up_day(day)
            self._server.write_whole([summed_line(DAYS, day, changed[DAYS][day])])
            self._left -= 1
            yield

    def _sum_up_hour(self, layout: Layout, hour: Time) -> Iterator[None]:
        end = hour + HOUR_MS
        if hour < layout.hours_since:
            return
        found: dict[_Name, list[Rollup]] = defaultdict(list)
        start = int(hour)
        while start < end:
            until = min(end, start + self._slice_ms)
            for name, some in self._of_cycles(start, until).items():
                found[name] += some
            start = until
            yield
        fine: Mapping[_Name, list[Rollup]] = found
        # Of an hour whose cycles are gone, these are only those that came late: what is known stands.
        if hour < layout.raw_since:
            known = self._known(MINUTES, hour, end)
            for name, rollups in known.items():
                starts = {one.start for one in rollups}
                found[name] = sorted([*rollups, *(one for one in found[name] if one.start not in starts)], key=BY_START)
        if hour >= layout.minutes_since:
            self._put_rollups(MINUTES, fine)
        elif hour < layout.raw_since:
            there = self._known(HOURS, hour, end)
            fine = {name: some for name, some in fine.items() if name not in there}
        self._put_rollups(HOURS, {name: merged_to(some, HOUR_MS) for name, some in fine.items()})

    def _of_cycles(self, start: int, end: int) -> dict[_Name, list[Rollup]]:
        """The raw cycles of some times five minutes, by target and site."""
        query = f"SELECT sent, received, invalid, rtts_us FROM cycle WHERE {between(start, end)} GROUP BY target, site"
        found, cycles = {}, 0
        for (target, site), pieces in groupby(self._server.pieces(query), _name_of):
            # Whoever is writing now says afterwards that the hour has changed.
            rows = [row for _, some in pieces for row in some if is_whole(row)]
            found[target, site] = roll_up(map(cycle_row, rows), MINUTES.width_ms)
            cycles += len(rows)
        # What the next question is for: as much as this one would have been, had it asked for the right number.
        fives = _CYCLES_AT_ONCE * (end - start) // MINUTES.width_ms // max(1, cycles)
        self._slice_ms = min(HOUR_MS, 2 * (end - start), max(1, fives) * MINUTES.width_ms)
        return found

    def _sum_up_day(self, day: Time) -> None:
        hours = self._known(HOURS, day, day + DAY_MS)
        self._put_rollups(DAYS, {name: [merged(0, day, some)] for name, some in hours.items()})

    def _known(self, tier: Tier, start: int, end: int) -> dict[_Name, list[Rollup]]:
        query = f"SELECT {ROLLUP_FIELDS} FROM {tier.measurement} WHERE {between(start, end)} GROUP BY target, site"
        return {
            (tags["target"], tags["site"]): [rollup_from(row) for row in rows]
            for tags, rows in self._server.series(query)
        }

    def _put_rollups(self, tier: Tier, rollups: Mapping[_Name, Collection[Rollup]]) -> None:
        lines = [rollup_line(tier, *name, one) for name, some in rollups.items() for one in some]
        self._server.write_whole(lines)

    # -- what is old goes

    def _delete_old(self, layout: Layout) -> Iterator[None]:
        cutoff = self._before if self._before is not None else days_ago(layout.keep_days)
        raw_since = Time(cutoff // HOUR_MS * HOUR_MS)
        # What has come late for it meanwhile is summed up first.
        oldest = min(unsummed(self._server, f"time < {int(raw_since)}ms AND ")[HOURS], default=raw_since)
        since = {
            "raw_since": max(layout.raw_since, min(raw_since, oldest)),
            "minutes_since": max(layout.minutes_since, _midnight(days_ago(self._keep_5min_days))),
            "hours_since": max(layout.hours_since, _midnight(days_ago(self._keep_hourly_days))),
        }
        # Known to who reads before it is so.
        self._keep(Layout(layout.keep_days, **since))
        yield
        old = {"cycle": since["raw_since"], MINUTES.measurement: since["minutes_since"]}
        for measurement, before in (old | {tier.measurement: since["hours_since"] for tier in (HOURS, DAYS)}).items():
            if before > self._deleted.get(measurement, 0):
                self._server.delete(measurement, before)
                self._deleted[measurement] = before
                yield


def _name_of(series: tuple[Mapping[str, str], object]) -> _Name:
    tags, _ = series
    return tags["target"], tags["site"]


def _midnight(at: Time) -> Time:
    return Time(at // DAY_MS * DAY_MS)
