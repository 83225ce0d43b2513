"""Where the SQLite store keeps what cycles are summed up to: fresh sums as they are made, and packed ones.

A portion of fresh sums is of some neighbouring series and one hour or day; its key is the number of that
and the first series. A packed portion is of a longer time and of a fixed group of series, so that a chart of
months reads few of them. Where both have a sum of one series and start, the fresh one counts: packing can
stop anywhere, and be done again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from noc_bus.time import DAY_MS, HOUR_MS
from noc_history.cycles import PORTIONS, SHIFT, cycles_of, loose_cycles_of, many_loose
from noc_history.packing import Row
from noc_history.rollups import (
    BY_START,
    FIVE_MINUTES_MS,
    Rollup,
    counts_in,
    merged_to,
    pack_rollups,
    roll_up,
    unpack_rollups,
)

SCHEMA: Final = """
-- Of five minutes each, for the same series of the same hour as the block of the same key.
CREATE TABLE minutes (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
-- Of an hour each; the key is the number of the day and the first series.
CREATE TABLE hours (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
-- Of a whole day, for charts of years; the key is that of hours.
CREATE TABLE days (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
-- Days whose hours are not summed up as the minutes are now; `marks` rises with every change of those.
CREATE TABLE stale_day (
    number INTEGER PRIMARY KEY,
    marks INTEGER NOT NULL
);
-- For how many days cycles are kept where no setting says so: what the default was when the file was made.
CREATE TABLE keep (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    days INTEGER NOT NULL
);
"""

PACKED_SCHEMA: Final = """
-- The key is the number of the time, and that of the group of series.
CREATE TABLE packed_minutes (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE packed_hours (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE packed_days (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
"""

RECENT_SCHEMA: Final = """
-- Over an hour, made with those of its minutes, until their day is summed up. The key is the number of the hour, and
-- that of a group of series which is large, so that the day so far of thousands of targets is read at once.
CREATE TABLE recent_hours (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
-- The marks for which the sums over this day, so far as it has gone, are in days.
ALTER TABLE stale_day ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;
"""
RECENT_SERIES: Final = 64

QUARTERS_SCHEMA: Final = """
-- Over a quarter of a day: what the packed hours of the same key come to. A chart of months would merge thousands.
CREATE TABLE packed_quarters (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
"""
_QUARTER_MS: Final = DAY_MS // 4


class Tier(NamedTuple):
    """Sums of one width: the tables of fresh and of packed ones, and how much time is in a portion of each."""

    fresh: str
    packed: str
    fresh_ms: int
    packed_ms: int
    series: int
    """In a group: the fewer, the less is read for one, and the more, the better they are compressed."""


MINUTES: Final = Tier("minutes", "packed_minutes", HOUR_MS, DAY_MS, 2)
HOURS: Final = Tier("hours", "packed_hours", DAY_MS, 8 * DAY_MS, 2)
DAYS: Final = Tier("days", "packed_days", DAY_MS, 64 * DAY_MS, 8)
TIERS: Final = (MINUTES, HOURS, DAYS)
WIDTH_MS: Final = {MINUTES: FIVE_MINUTES_MS, HOURS: HOUR_MS, DAYS: DAY_MS}
UNIT_MS: Final = {
    **{one.fresh: one.fresh_ms for one in TIERS},
    **{one.packed: one.packed_ms for one in TIERS},
    "packed_quarters": HOURS.packed_ms,
}
"""What the number in the key of a portion of a table counts."""

# Of so few series each is looked for; to find more, everything is read.
_FEW: Final = 100
_FRESH: Final = f"{PORTIONS}WHERE number <= :last\n"
_PACKED: Final = """
WITH RECURSIVE one(number) AS (SELECT :first UNION ALL SELECT number + 1 FROM one WHERE number < :last)
SELECT {table}.id, data FROM one JOIN {table} ON {table}.id = number << 32 | :group
"""
_NUMBERS: Final = """
WITH RECURSIVE one(number) AS (
    SELECT MIN(id) >> 32 FROM {table}
    UNION ALL
    SELECT (SELECT MIN(id) >> 32 FROM {table} WHERE id >= (number + 1) << 32) FROM one WHERE number IS NOT NULL
)
SELECT number FROM one WHERE number < ?
"""
_OF_FRESH: Final = {one: _FRESH.replace("{table}", one.fresh) for one in TIERS}
_OF_PACKED: Final = {one: _PACKED.replace("{table}", one.packed) for one in TIERS}
_OF_QUARTERS: Final = _PACKED.replace("{table}", "packed_quarters")
FRESH_NUMBERS: Final = {one: _NUMBERS.replace("{table}", one.fresh) for one in TIERS}
"""Of the hours or days before one that have fresh sums."""
_OLDEST: Final = {
    one: f"SELECT (SELECT MIN(id) FROM {one.fresh}), (SELECT MIN(id) FROM {one.packed})"  # noqa: S608  # our own names
    for one in TIERS
}


def sum_up_block(connection: sqlite3.Connection, key: int, rows: Sequence[Row]) -> list[Rollup]:
    """Keep the sums of the block with this key, and sum up its day again later; they are for `note_hours`."""
    sums = roll_up(rows, FIVE_MINUTES_MS)
    connection.execute("INSERT INTO minutes VALUES (?, ?)", (key, pack_rollups(sums)))
    mark_stale(connection, key >> SHIFT)
    return sums


def note_hours(connection: sqlite3.Connection, hour: int, minutes: Iterable[Rollup]) -> None:
    """Keep what all sums over five minutes of some series come to in this hour, for whoever asks about many targets."""
    for group, some in groupby(merged_to(minutes, HOUR_MS), key=lambda one: one.series // RECENT_SERIES):
        key = hour << SHIFT | group
        there = connection.execute("SELECT data FROM recent_hours WHERE id = ?", (key,)).fetchone()
        sums = {one.series: one for one in (*(unpack_rollups(there[0]) if there else ()), *some)}
        data = pack_rollups([one for _, one in sorted(sums.items())])
        connection.execute("INSERT OR REPLACE INTO recent_hours VALUES (?, ?)", (key, data))


def mark_stale(connection: sqlite3.Connection, hour: int) -> None:
    """The day of this hour is to be summed up again."""
    connection.execute(
        "INSERT INTO stale_day (number, marks) VALUES (?, 1) ON CONFLICT (number) DO UPDATE SET marks = marks + 1",
        (hour * HOUR_MS // DAY_MS,),
    )


def rollups_of(
    connection: sqlite3.Connection, series: Collection[int], start: int, end: int, width_ms: int
) -> dict[int, list[Rollup]]:
    """By series, the same cycles summed up by buckets of this width, in order; start and end are multiples of it.

    From raw cycles where they are kept and the width asks for them; of what is in no block yet, in any case. Of those
    never more than a few days are in memory at once, or those of one bucket.
    """
    found: dict[int, list[Rollup]] = {one: [] for one in series}
    many = None
    if end - start > DAY_MS:
        many = (start, end) if width_ms < FIVE_MINUTES_MS else many_loose(connection, series, start, end)
    for first, last in pairwise(_portioned(start, end, width_ms, many)):
        for one, some in _rollups_of(connection, series, first, last, width_ms).items():
            found[one] += some
    return found


def _portioned(start: int, end: int, width_ms: int, many: tuple[int, int] | None) -> list[int]:
    """Where a period begins, is cut and ends: about each day from `many[0]` to `many[1]`."""
    if many is None:
        return [start, end]
    step_ms = -(-DAY_MS // width_ms) * width_ms
    first = start + (many[0] - start) // step_ms * step_ms
    last = min(end, first + -(-(many[1] - first) // step_ms) * step_ms)
    return sorted({start, *range(first, last, step_ms), last, end})


def _rollups_of(
    connection: sqlite3.Connection, series: Collection[int], start: int, end: int, width_ms: int
) -> dict[int, list[Rollup]]:
    loose = loose_cycles_of(connection, series, start, end)
    loose_hours = {one: {row[1] // HOUR_MS for row in rows} for one, rows in loose.items()}
    if width_ms < FIVE_MINUTES_MS:
        since = min(end, max(start, _oldest_block(connection, end)))
        raw = cycles_of(connection, series, since, end, loose=loose)
        found = {one: roll_up(raw[one], width_ms) for one in series}
        loose_hours = {one: {hour for hour in some if hour * HOUR_MS < since} for one, some in loose_hours.items()}
    else:
        since, found = end, {one: [] for one in series}
    stale = {day for (day,) in connection.execute("SELECT number FROM stale_day")}
    since_minutes = min(since, max(start, _oldest(connection, MINUTES, end)))
    for one in series:
        summed = _summed(connection, one, start, since, since_minutes, width_ms, stale, loose_hours[one])
        found[one] += [some for some in summed if some.start // HOUR_MS not in loose_hours[one]]
    # A loose cycle may belong to an hour of which others are packed: such an hour is summed up anew.
    for hour in sorted(set().union(*loose_hours.values())):
        some = [one for one in series if hour in loose_hours[one]]
        hour_start, hour_end = max(start, hour * HOUR_MS), min(end, (hour + 1) * HOUR_MS)
        of_hour = cycles_of(connection, some, hour_start, hour_end, loose=loose)
        for one, rows in of_hour.items():
            found[one] += roll_up(rows, min(width_ms, HOUR_MS))
    return {one: merged_to(sorted(some, key=BY_START), width_ms) for one, some in found.items()}


def _summed(
    connection: sqlite3.Connection,
    series: int,
    start: int,
    end: int,
    since_minutes: int,
    width_ms: int,
    stale: Collection[int],
    loose_hours: Collection[int],
) -> list[Rollup]:
    """The sums that serve for this width, and finer ones of days that are not summed up as they are now."""
    if width_ms < HOUR_MS:
        coarse = sums_of(connection, HOURS, series, start, since_minutes)
        return coarse + sums_of(connection, MINUTES, series, since_minutes, end)
    anew = set(stale)
    if width_ms % _QUARTER_MS == 0:
        anew |= {hour * HOUR_MS // DAY_MS for hour in loose_hours}
    if width_ms % DAY_MS == 0:
        found = sums_of(connection, DAYS, series, start, end)
    elif width_ms % _QUARTER_MS == 0:
        found = _quarters(connection, series, start, end)
    else:
        found = sums_of(connection, HOURS, series, start, end)
    found = [one for one in found if one.start // DAY_MS not in anew]
    for day in anew:
        day_start, day_end = max(start, day * DAY_MS), min(end, (day + 1) * DAY_MS)
        if day_start < day_end:
            found += finest_of(connection, series, day_start, day_end)
    return found


def _quarters(connection: sqlite3.Connection, series: int, start: int, end: int) -> list[Rollup]:
    """Of quarters of a day, and of hours on days of which some are fresh."""
    window = {"first": max(0, start // HOURS.packed_ms), "last": (end - 1) // HOURS.packed_ms}
    packed = connection.execute(_OF_QUARTERS, window | {"group": series // HOURS.series}).fetchall()
    days = {day for (day,) in connection.execute(FRESH_NUMBERS[HOURS], (-(-end // DAY_MS),))}
    found = [
        one
        for _, data in packed
        for one in unpack_rollups(data, series)
        if start <= one.start < end and one.start // DAY_MS not in days
    ]
    for day in days:
        found += sums_of(connection, HOURS, series, max(start, day * DAY_MS), min(end, (day + 1) * DAY_MS))
    return found


def quarters_of(hours: bytes) -> bytes:
    """The portion of quarters that goes with a packed one of hours."""
    return pack_rollups(merged_to(unpack_rollups(hours), _QUARTER_MS))


def finest_of(connection: sqlite3.Connection, series: int, start: int, end: int) -> list[Rollup]:
    """Of a period of whole hours: of five minutes, and of an hour where finer ones are kept no longer."""
    fine = sums_of(connection, MINUTES, series, start, end)
    hours = {one.start // HOUR_MS for one in fine}
    return fine + [one for one in sums_of(connection, HOURS, series, start, end) if one.start // HOUR_MS not in hours]


def sums_of(connection: sqlite3.Connection, tier: Tier, series: int, start: int, end: int) -> list[Rollup]:
    """Those of one series that begin in the period, in order."""
    if start >= end:
        return []
    packed = {"first": max(0, start // tier.packed_ms), "last": (end - 1) // tier.packed_ms}
    fresh = {"first": max(0, start // tier.fresh_ms), "last": (end - 1) // tier.fresh_ms, "series": series}
    found: list[Rollup] = []
    is_in_order = True
    for query, window in (
        (_OF_PACKED[tier], packed | {"group": series // tier.series}),
        (_OF_FRESH[tier], fresh),
    ):
        for _, data in connection.execute(query, window).fetchall():
            some = unpack_rollups(data, series)
            is_in_order &= not (found and some) or found[-1].start < some[0].start
            found += some
    if not is_in_order:
        # Fresh sums replace packed ones.
        found = sorted({one.start: one for one in found}.values(), key=BY_START)
    if found and (found[0].start < start or found[-1].start >= end):
        return [one for one in found if start <= one.start < end]
    return found


def hours_and_days(
    connection: sqlite3.Connection, start: int, end: int, wanted: Collection[int], now: int
) -> Iterator[Rollup]:
    """Sums of some series that begin in the period, which is of whole hours: of days where they are.

    In no order. What is not in a block yet, as is an hour that is not over, is left out.
    """
    whole, parts = _days_and_parts(connection, start, end, now)
    if whole:
        for one in _all_of(connection, DAYS, min(whole) * DAY_MS, (max(whole) + 1) * DAY_MS, wanted):
            if one.start // DAY_MS in whole:
                yield one
    for part in parts:
        yield from _hours_of(connection, *part, wanted)


def daily_counts(
    connection: sqlite3.Connection, start: int, end: int, targets: Mapping[int, str], now: int
) -> dict[str, dict[int, list[int]]]:
    """By target and start of the day: cycles, invalid, sent, received. `targets` is by series; else as `hours_and_days`.

    A quarter of the work: sketches are not looked at.
    """
    whole, parts = _days_and_parts(connection, start, end, now)
    found: dict[str, dict[int, list[int]]] = {target: {} for target in targets.values()}
    of_series = {series: found[target] for series, target in targets.items()}
    for series, at, cycles, invalid, sent, received in _counts_of_days(connection, whole):
        if series in of_series:
            _add(of_series[series], at, cycles, invalid, sent, received)
    for part in parts:
        for one in _hours_of(connection, *part, targets):
            at = one.start - one.start % DAY_MS
            _add(of_series[one.series], at, one.cycles, one.invalid, one.sent, one.received)
    return {target: days for target, days in found.items() if days}


def _counts_of_days(connection: sqlite3.Connection, whole: Collection[int]) -> Iterator[tuple[int, ...]]:
    """Of all series: what is fresh, and what is packed where it is not fresh."""
    if not whole:
        return
    start, end = min(whole) * DAY_MS, (max(whole) + 1) * DAY_MS
    fresh: set[tuple[int, int]] = set()
    for (data,) in connection.execute(_ALL_FRESH[DAYS], (start // DAYS.fresh_ms, end // DAYS.fresh_ms)):
        for one in counts_in(data):
            if one[1] // DAY_MS in whole:
                fresh.add((one[0], one[1]))
                yield one
    known = {at for _, at in fresh}
    for (data,) in connection.execute(_ALL_PACKED[DAYS], (start // DAYS.packed_ms, -(-end // DAYS.packed_ms))):
        for one in counts_in(data):
            at = one[1]
            if at // DAY_MS in whole and not (at in known and one[:2] in fresh):
                yield one


def _add(days: dict[int, list[int]], at: int, cycles: int, invalid: int, sent: int, received: int) -> None:
    day = days.get(at)
    if day is None:
        days[at] = [cycles, invalid, sent, received]
    else:
        day[0] += cycles
        day[1] += invalid
        day[2] += sent
        day[3] += received


def _days_and_parts(
    connection: sqlite3.Connection, start: int, end: int, now: int
) -> tuple[set[int], list[tuple[int, int]]]:
    """Days of which all is asked for and sums are there, and what is left of the period."""
    stale = {
        day
        for day, marks, summed in connection.execute("SELECT number, marks, summed FROM stale_day")
        if marks != summed
    }
    whole: set[int] = set()
    parts: list[tuple[int, int]] = []
    for day in range(start // DAY_MS, -(-end // DAY_MS)):
        part = max(start, day * DAY_MS), min(end, (day + 1) * DAY_MS)
        # Of today there is nothing after this hour.
        is_whole = part[0] == day * DAY_MS and (part[1] == (day + 1) * DAY_MS or part[1] >= now // HOUR_MS * HOUR_MS)
        if is_whole and day not in stale:
            whole.add(day)
        else:
            parts.append(part)
    return whole, parts


_BETWEEN: Final = "SELECT data FROM {table} WHERE id >= ? << 32 AND id < ? << 32"
_ALL_FRESH: Final = {one: _BETWEEN.replace("{table}", one.fresh) for one in TIERS}
_ALL_PACKED: Final = {one: _BETWEEN.replace("{table}", one.packed) for one in TIERS}
_RECENT: Final = _BETWEEN.replace("{table}", "recent_hours")


def _hours_of(connection: sqlite3.Connection, start: int, end: int, wanted: Collection[int]) -> Iterable[Rollup]:
    """Of a part of a day, those of hours that were noted with their minutes too."""
    found = {BY_START(one): one for one in _all_of(connection, HOURS, start, end, wanted)}
    for (data,) in connection.execute(_RECENT, (start // HOUR_MS, end // HOUR_MS)).fetchall():
        found.update((BY_START(one), one) for one in unpack_rollups(data) if one.series in wanted)
    return found.values()


def _all_of(
    connection: sqlite3.Connection, tier: Tier, start: int, end: int, wanted: Collection[int]
) -> Iterable[Rollup]:
    if len(wanted) <= _FEW:
        return [one for series in wanted for one in sums_of(connection, tier, series, start, end)]
    found: dict[tuple[int, int], Rollup] = {}
    for query, unit_ms in ((_ALL_PACKED[tier], tier.packed_ms), (_ALL_FRESH[tier], tier.fresh_ms)):
        for (data,) in connection.execute(query, (start // unit_ms, -(-end // unit_ms))):
            found.update((BY_START(one), one) for one in unpack_rollups(data, start=start, end=end))
    return [one for one in found.values() if one.series in wanted]


def packed_groups(tier: Tier, number: int, sums: Iterable[Rollup]) -> list[tuple[int, bytes]]:
    """The packed portions of one time: keys and what is in them. The sums are sorted by series and start."""
    return [
        (number << SHIFT | group, pack_rollups(list(some)))
        for group, some in groupby(sums, key=lambda one: one.series // tier.series)
    ]


def keep(connection: sqlite3.Connection, tier: Tier, sums: Sequence[Rollup]) -> None:
    """Put sums to the packed ones; what is there already stands."""
    for key, some in groupby(sorted(sums, key=_place_in(tier)), key=_place_in(tier)):
        there = connection.execute(_PACKED_DATA[tier], (key,)).fetchone()
        known = {BY_START(one): one for one in unpack_rollups(there[0])} if there else {}
        together = {BY_START(one): one for one in some} | known
        data = pack_rollups([one for _, one in sorted(together.items())])
        connection.execute(_REPLACE_PACKED[tier], (key, data))
        if tier == HOURS:
            connection.execute("INSERT OR REPLACE INTO packed_quarters VALUES (?, ?)", (key, quarters_of(data)))


def _place_in(tier: Tier) -> Callable[[Rollup], int]:
    return lambda one: one.start // tier.packed_ms << SHIFT | one.series // tier.series


_PACKED_DATA: Final = {one: f"SELECT data FROM {one.packed} WHERE id = ?" for one in TIERS}  # noqa: S608  # our own names
_REPLACE_PACKED: Final = {one: f"INSERT OR REPLACE INTO {one.packed} VALUES (?, ?)" for one in TIERS}  # noqa: S608


def _oldest(connection: sqlite3.Connection, tier: Tier, default: int) -> int:
    """When the oldest of a tier begins."""
    fresh, packed = connection.execute(_OLDEST[tier]).fetchone()
    starts = [
        (key >> SHIFT) * unit_ms
        for key, unit_ms in ((fresh, tier.fresh_ms), (packed, tier.packed_ms))
        if key is not None
    ]
    return min(starts, default=default)


def _oldest_block(connection: sqlite3.Connection, default: int) -> int:
    (key,) = connection.execute("SELECT MIN(id) FROM block").fetchone()
    return default if key is None else (key >> SHIFT) * HOUR_MS
