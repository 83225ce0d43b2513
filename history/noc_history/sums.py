"""Where the SQLite store keeps what cycles are summed up to: fresh sums as they are made, and packed ones.

A portion of fresh sums is of some neighbouring series and one hour or day; its key is the number of that
and the first series. A packed portion is of a longer time and of a fixed group of series, so that a chart of
months reads few of them. Where both have a sum of one series and start, the fresh one counts: packing can
stop anywhere, and be done again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from noc_bus.time import DAY_MS, HOUR_MS
from noc_history.cycles import SHIFT, cycles_of, loose_cycles_of
from noc_history.packing import Row
from noc_history.rollups import FIVE_MINUTES_MS, Rollup, merged_to, pack_rollups, roll_up, unpack_rollups

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
UNIT_MS: Final = {one.fresh: one.fresh_ms for one in TIERS} | {one.packed: one.packed_ms for one in TIERS}
"""What the number in the key of a portion of a table counts."""
BY_START: Final = itemgetter(0, 1)
"""What names a sum: its series and its start."""

# One seek for each hour or day, whatever is stored beside what is wanted.
_FRESH: Final = """
WITH RECURSIVE one(number) AS (
    SELECT MIN(id) >> 32 FROM {table} WHERE id >= :first << 32
    UNION ALL
    SELECT (SELECT MIN(id) >> 32 FROM {table} WHERE id >= (number + 1) << 32) FROM one WHERE number < :last
)
SELECT {table}.id, data FROM one JOIN {table} ON {table}.id =
    (SELECT MAX(id) FROM {table} WHERE id BETWEEN number << 32 AND number << 32 | :series)
WHERE number <= :last
"""
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
FRESH_NUMBERS: Final = {one: _NUMBERS.replace("{table}", one.fresh) for one in TIERS}
"""Of the hours or days before one that have fresh sums."""
_OLDEST: Final = {
    one: f"SELECT (SELECT MIN(id) FROM {one.fresh}), (SELECT MIN(id) FROM {one.packed})"  # noqa: S608  # our own names
    for one in TIERS
}


def sum_up_block(connection: sqlite3.Connection, key: int, rows: Sequence[Row]) -> None:
    """Keep the sums of the block with this key, and sum up its day again later."""
    connection.execute("INSERT INTO minutes VALUES (?, ?)", (key, pack_rollups(roll_up(rows, FIVE_MINUTES_MS))))
    mark_stale(connection, key >> SHIFT)


def mark_stale(connection: sqlite3.Connection, hour: int) -> None:
    """The day of this hour is to be summed up again."""
    connection.execute(
        "INSERT INTO stale_day VALUES (?, 1) ON CONFLICT (number) DO UPDATE SET marks = marks + 1",
        (hour * HOUR_MS // DAY_MS,),
    )


def rollups_of(
    connection: sqlite3.Connection, series: Collection[int], start: int, end: int, width_ms: int
) -> dict[int, list[Rollup]]:
    """By series, the same cycles summed up by buckets of this width, in order; start and end are multiples of it.

    From raw cycles where they are kept and the width asks for them; of what is in no block yet, in any case.
    """
    loose = loose_cycles_of(connection, series, start, end)
    loose_hours = {one: {row[1] // HOUR_MS for row in rows} for one, rows in loose.items()}
    if width_ms < FIVE_MINUTES_MS:
        since = min(end, max(start, _oldest_block(connection, end)))
        raw = cycles_of(connection, series, since, end)
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
        of_hour = cycles_of(connection, some, max(start, hour * HOUR_MS), min(end, (hour + 1) * HOUR_MS))
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
    tier = HOURS
    if width_ms % DAY_MS == 0:
        tier = DAYS
        stale = {*stale, *(hour * HOUR_MS // DAY_MS for hour in loose_hours)}
    found = [one for one in sums_of(connection, tier, series, start, end) if one.start // DAY_MS not in stale]
    for day in stale:
        day_start, day_end = max(start, day * DAY_MS), min(end, (day + 1) * DAY_MS)
        if day_start < day_end:
            found += finest_of(connection, series, day_start, day_end)
    return found


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
    found: dict[int, Rollup] = {}
    for query, window in (
        (_OF_PACKED[tier], packed | {"group": series // tier.series}),
        (_OF_FRESH[tier], fresh),
    ):
        for _, data in connection.execute(query, window).fetchall():
            found.update({one.start: one for one in unpack_rollups(data, series)})
    return [one for at, one in sorted(found.items()) if start <= at < end]


def packed_groups(tier: Tier, number: int, sums: Iterable[Rollup]) -> list[tuple[int, bytes]]:
    """The packed portions of one time: keys and what is in them. The sums are sorted by series and start."""
    return [
        (number << SHIFT | group, pack_rollups(list(some)))
        for group, some in groupby(sums, key=lambda one: one.series // tier.series)
    ]


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
