"""Looks into a SQLite history: whether it is whole, what is in it, and how fast it grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame.sqlite import Database
from noc_history.cycles import SHIFT, slots
from noc_history.packing import AT, Row, UnknownPackingError, key, unpack
from noc_history.rollups import FIVE_MINUTES_MS, roll_up, unpack_rollups
from noc_history.room import Growth
from noc_history.sums import DAYS, HOURS, MINUTES, UNIT_MS, Tier, sums_of

_IN_ORDER: Final = "SELECT id, data FROM {table} WHERE id > ? ORDER BY id LIMIT 200"
_TABLES: Final = {
    table: (f"SELECT COUNT(*) FROM {table}", _IN_ORDER.replace("{table}", table))  # noqa: S608  # our own names
    for table in ("tail", "block", *UNIT_MS)
}
_MOST_PROBLEMS: Final = 100


@dataclass(frozen=True)
class Part:
    """What one kind of thing in the file takes. `cycles` None: it has sums of them."""

    name: str
    cycles: int | None
    size: int
    first: Time | None = None
    last: Time | None = None


def check(file: Database, progress: Callable[[float], None]) -> list[str]:
    """A sentence for each thing that is wrong, a hundred at the most; `progress` is told the share that is done.

    Reads everything once. Beside a recorder that runs, what it packs meanwhile may be looked at twice.
    """
    found: list[str] = []
    for problem in _problems(file, progress):
        found.append(problem)
        if len(found) >= _MOST_PROBLEMS:
            break
    return found


def _problems(file: Database, progress: Callable[[float], None]) -> Iterator[str]:
    for (sentence,) in file.read("check", "PRAGMA quick_check(10)"):
        if sentence != "ok":
            yield f"SQLite says: {sentence}"
    total = sum(file.read("check", count)[0][0] for count, _ in _TABLES.values()) or 1
    done = 0
    with file.reading("check") as connection:
        open_slots = slots(connection)
    for slot in open_slots:
        yield from _wrong_in(f"slot of run {slot.run}", lambda data: _wrong_order(unpack(data)), slot.data)
    looks: dict[str, Callable[[int, bytes], list[str]]] = {
        "tail": lambda one, data: _wrong_order(unpack(data)),
        "block": lambda one, data: _wrong_block(file, one, unpack(data)),
    }
    for table, unit_ms in UNIT_MS.items():
        looks[table] = partial(_wrong_sums, unit_ms)
    for table, look in looks.items():
        last = -1
        while rows := file.read("check", _TABLES[table][1], (last,)):
            for one, data in rows:
                name = f"{table.replace('_', ' ')} {one >> SHIFT} from {_of(table)} {one & ((1 << SHIFT) - 1)} on"
                yield from _wrong_in(name, partial(look, one), data)
            last = rows[-1][0]
            done += len(rows)
            progress(min(1.0, done / total))
    progress(1.0)


def _of(table: str) -> str:
    return "group" if table.startswith("packed") else "series"


def _wrong_in(name: str, look: Callable[[bytes], list[str]], data: bytes) -> Iterator[str]:
    try:
        wrong = look(data)
    except UnknownPackingError as error:
        wrong = [str(error)]
    for sentence in wrong:
        yield f"{name}: {sentence}"


def _wrong_order(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return ["no cycles"]
    if any(key(one) >= key(other) for one, other in pairwise(rows)):
        return ["cycles out of order, or one of them twice"]
    return []


def _wrong_block(file: Database, one: int, rows: Sequence[Row]) -> list[str]:
    wrong = _wrong_order(rows)
    hour = one >> SHIFT
    if any(row[AT] // HOUR_MS != hour for row in rows):
        wrong.append("cycles of another hour")
    expected = roll_up(rows, FIVE_MINUTES_MS)
    start, end = hour * HOUR_MS, (hour + 1) * HOUR_MS
    with file.reading("check") as connection:
        still_there = connection.execute("SELECT 1 FROM block WHERE id = ?", (one,)).fetchone()
        series = sorted({row[0] for row in rows})
        found = [some for number in series for some in sums_of(connection, MINUTES, number, start, end)]
    if still_there and found != expected:
        wrong.append("what is summed up over five minutes differs from its cycles")
    return wrong


def _wrong_sums(unit_ms: int, one: int, data: bytes) -> list[str]:
    rollups = unpack_rollups(data)
    if not rollups:
        return ["nothing in it"]
    if any(before[:2] >= after[:2] for before, after in pairwise(rollups)):
        return ["sums out of order, or one of them twice"]
    if any(rollup.start // unit_ms != one >> SHIFT for rollup in rollups):
        return ["sums of another time"]
    return []


def parts(file: Database) -> list[Part]:
    """What there is and how much room it takes, without SQLite's own share."""
    with file.reading("read") as connection:
        return [
            _portions(connection, "raw cycles in blocks of hours", _SIZES["block"]),
            _portions(connection, "raw cycles of hours that are not over", _SIZES["tail"]),
            _sums(connection, "sums over five minutes", MINUTES),
            _sums(connection, "sums over an hour", HOURS),
            _sums(connection, "sums over a day", DAYS),
            Part("cycles in the form of an older version", *connection.execute(_ROWS).fetchone()),
            *(Part(name, None, *connection.execute(query).fetchone()) for name, query in _OTHERS.items()),
        ]


def growths(file: Database, keep_days: int, keep_5min_days: int, keep_hourly_days: int, now: Time) -> list[Growth]:
    """What each kind of thing has added in a day lately, and how long it will grow."""
    with file.reading("read") as connection:
        cycles = _growth(connection, ["block"], 7, keep_days, now)
        return [
            cycles,
            _growth(connection, [MINUTES.fresh, MINUTES.packed], 7, keep_5min_days, now),
            _growth(connection, [HOURS.fresh, HOURS.packed, "packed_quarters"], 16, keep_hourly_days, now),
            _growth(connection, [DAYS.fresh, DAYS.packed], 128, keep_hourly_days, now),
            *(Growth(size * DAY_MS / max(HOUR_MS, now - first)) for size, first in _kept_for_good(connection) if first),
        ]


def _growth(
    connection: sqlite3.Connection, tables: Sequence[str], lately_days: int, keep_days: int, now: Time
) -> Growth:
    size, first, oldest = 0, int(now), int(now)
    for table in tables:
        table_ms = UNIT_MS.get(table, HOUR_MS)
        since = (now - lately_days * DAY_MS) // table_ms
        of_lately, start, very_first = connection.execute(_LATELY[table], (since,)).fetchone()
        size += of_lately
        if very_first is not None:
            first, oldest = min(first, (start or very_first) * table_ms), min(oldest, very_first * table_ms)
    days = max(HOUR_MS, now - first) / DAY_MS
    return Growth(size / days, keep_days - (now - oldest) / DAY_MS)


def _kept_for_good(connection: sqlite3.Connection) -> list[tuple[int, int | None]]:
    return [connection.execute(query).fetchone() for query in _FOR_GOOD]


_LATELY: Final = {
    table: (
        "SELECT COALESCE(SUM(length(data)), 0), MIN(id) >> 32, (SELECT MIN(id) >> 32 FROM {table}) FROM {table} "
        "WHERE id >= ? << 32"
    ).replace("{table}", table)
    for table in ("block", *UNIT_MS)
}
_FOR_GOOD: Final = (
    "SELECT COALESCE(SUM(length(state) + length(reason) + 40), 0), MIN(since) FROM state",
    "SELECT COALESCE(SUM(length(message)), 0), MIN(opened_at) FROM incident",
    "SELECT COALESCE(SUM(length(message)), 0), MIN(at) FROM trace",
)
_OF_CYCLES: Final = "SELECT SUM(cycles), COALESCE(SUM(length(data)), 0), MIN(low_at), MAX(high_at) FROM {table}"
_OF_SUMS: Final = "SELECT COALESCE(SUM(length(data)), 0), MIN(id) >> 32, (MAX(id) >> 32) + 1 FROM {table}"
_SIZES: Final = {
    **{table: _OF_CYCLES.replace("{table}", table) for table in ("block", "tail")},
    **{table: _OF_SUMS.replace("{table}", table) for table in UNIT_MS},
}
_ROWS: Final = "SELECT COUNT(*), COUNT(*) * 69 FROM row_cycle"
_OTHERS: Final = {
    "states": "SELECT COALESCE(SUM(length(state) + length(reason) + 40), 0) FROM state",
    "traces": "SELECT COALESCE(SUM(length(message)), 0) FROM trace",
    "incidents": "SELECT COALESCE(SUM(length(message)), 0) FROM incident",
    "definitions": "SELECT COALESCE(SUM(length(message)), 0) FROM definition",
}


def _portions(connection: sqlite3.Connection, name: str, query: str) -> Part:
    cycles, size, low_at, high_at = connection.execute(query).fetchone()
    return Part(name, cycles or 0, size, _time(low_at), _time(high_at))


def _sums(connection: sqlite3.Connection, name: str, tier: Tier) -> Part:
    tables = [tier.fresh, tier.packed, *(["packed_quarters"] if tier == HOURS else [])]
    found = [_sums_in(connection, table) for table in tables]
    starts = [one.first for one in found if one.first is not None]
    ends = [one.last for one in found if one.last is not None]
    return Part(name, None, sum(one.size for one in found), min(starts, default=None), max(ends, default=None))


def _sums_in(connection: sqlite3.Connection, table: str) -> Part:
    size, first, end = connection.execute(_SIZES[table]).fetchone()
    return Part(table, None, size, _time(first, UNIT_MS[table]), _time(end, UNIT_MS[table]))


def _time(number: int | None, unit_ms: int = 1) -> Time | None:
    return None if number is None else Time(number * unit_ms)
