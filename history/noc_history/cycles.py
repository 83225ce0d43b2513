"""Where the SQLite store keeps cycles: blocks of an hour, and the tail that is not in them yet.

Each commit is a run of the tail, or a large one a run for each hour, numbered without gaps. A small one goes into a
slot, which is one page that is there already: a commit then writes little more than what it brings. Once some slots are full,
housekeeping settles them: it makes one run of them, and notes the newest cycle of each series. Many small
runs it folds into one. Of an hour that is over it makes blocks.

Blocks and runs are packed in portions of neighbouring series. A portion is found by its key: the number
of its hour or run, and the first series in it. What is in several places at once, because it was sent
twice or because housekeeping was cut off, is one cycle to whoever reads.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from noc_bus.time import HOUR_MS
from noc_history.packing import AT, Row, has_notes, pack, portions, times, unpack, without_repeats

IN_A_PORTION: Final = 512
"""Cycles in a portion of a settled run: the fewer, the quicker one series is found."""
_IN_A_COMMIT: Final = 2048
"""The same of a commit too large for a slot: the more, the less is written."""
_SLOTS: Final = 128
# As much as fits into a page beside what SQLite keeps there. Always the same, so that a slot stays in its page.
_SLOT_BYTES: Final = 4000
_SLOT: Final = struct.Struct("<qqqI")
Packed = tuple[int, int, int, int, bytes]
"""A portion: first series, earliest and latest start, number of cycles, and the cycles packed."""
SHIFT: Final = 32
"""The key of a portion is the number of its run or hour, shifted by this, and its first series."""

SCHEMA: Final = """
CREATE TABLE tail (
    id INTEGER PRIMARY KEY,
    low_at INTEGER NOT NULL,
    high_at INTEGER NOT NULL,
    cycles INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    low_at INTEGER NOT NULL,
    high_at INTEGER NOT NULL,
    cycles INTEGER NOT NULL,
    data BLOB NOT NULL
);
-- The number of a run, times of its first and last cycle and their number, the cycles, zeros.
CREATE TABLE slot (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
-- The newest cycle of each series, in all runs up to this one, which are settled, and in all blocks.
CREATE TABLE newest (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    run INTEGER NOT NULL,
    data BLOB NOT NULL
);
-- The rows of versions 1 and 2 stay until upkeep has packed them: there may be millions.
DROP VIEW any_cycle;
CREATE VIEW row_cycle AS
    SELECT series, at, seq, sent, received, is_valid, rtts_us, invalid_code, error_codes FROM cycle
    UNION ALL SELECT series, at, -1, sent, received, is_valid, rtts_us, NULL, NULL FROM old_cycle;
"""

# One seek for each run or hour, whatever is stored beside what is wanted.
PORTIONS: Final = """
WITH RECURSIVE one(number) AS (
    SELECT MIN(id) >> 32 FROM {table} WHERE id >= :first << 32
    UNION ALL
    SELECT (SELECT MIN(id) >> 32 FROM {table} WHERE id >= (number + 1) << 32) FROM one WHERE number < :last
)
SELECT {table}.id, data FROM one JOIN {table} ON {table}.id =
    (SELECT MAX(id) FROM {table} WHERE id BETWEEN number << 32 AND number << 32 | :series)
"""
_OVERLAPPING: Final = f"{PORTIONS}WHERE high_at >= :start AND low_at < :end ORDER BY {{table}}.id\n"
_TAIL: Final = _OVERLAPPING.replace("{table}", "tail")
_BLOCKS: Final = _OVERLAPPING.replace("{table}", "block")
_TAIL_EXTENTS: Final = _TAIL.replace("data FROM one", "low_at, high_at, cycles FROM one")
ROWS: Final = """
SELECT series, at, seq, sent, received, is_valid, rtts_us, invalid_code, error_codes
FROM row_cycle WHERE series = :series AND at >= :start AND at < :end
"""
"""Of versions 1 and 2."""
_NEWEST_ROWS: Final = """
SELECT id, (SELECT MAX(at) FROM cycle WHERE cycle.series = series.id AND at <= :now) FROM series
UNION ALL
SELECT id, (SELECT MAX(at) FROM old_cycle WHERE old_cycle.series = series.id AND at <= :now) FROM series
UNION ALL
SELECT id, at FROM series CROSS JOIN cycle ON cycle.series = series.id AND at > :now
UNION ALL
SELECT id, at FROM series CROSS JOIN old_cycle ON old_cycle.series = series.id AND at > :now
"""
_LAST_RUN: Final = (1 << 31) - 1
_MANY: Final = 20_000
_BEGUN: Final = itemgetter(AT)


@dataclass(frozen=True)
class Slot:
    """A commit that is not settled yet."""

    run: int
    low_at: int
    high_at: int
    cycles: int
    data: bytes


def commit(connection: sqlite3.Connection, rows: Sequence[Row], last_run: int) -> int:
    """Append sorted cycles as a run of their own; its number. `last_run` is the last one known of, or 0.

    What is too large for a slot becomes a run for each of its hours: one of hundreds of hours, as an import brings
    it, would be looked through and written again for each of them.
    """
    settled = settled_to(connection)
    last_run = max(settled, last_run)
    if len(rows) <= _IN_A_COMMIT:
        run = _next_free(connection, last_run)
        _, low_at, high_at, cycles, data = packed_portion(rows)
        if len(data) <= _SLOT_BYTES - _SLOT.size and run - settled <= _SLOTS:
            held = _SLOT.pack(run, low_at, high_at, cycles) + data
            connection.execute(
                "INSERT INTO slot VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
                (run % _SLOTS, held.ljust(_SLOT_BYTES, b"\0")),
            )
            return run
    hours: dict[int, list[Row]] = {}
    for row in rows:
        hours.setdefault(row[AT] // HOUR_MS, []).append(row)
    for _, of_hour in sorted(hours.items()):
        last_run = _next_free(connection, last_run)
        append(connection, last_run, packed_portions(of_hour, _IN_A_COMMIT))
    return last_run


def _next_free(connection: sqlite3.Connection, run: int) -> int:
    """The first number after this one that no run has."""
    run += 1
    while _is_there(connection, run):
        run += 1
    return run


def append(connection: sqlite3.Connection, run: int, packed: Iterable[Packed]) -> None:
    connection.executemany(
        "INSERT INTO tail VALUES (?, ?, ?, ?, ?)", [(run << SHIFT | first, *rest) for first, *rest in packed]
    )


def packed_portions(rows: Sequence[Row], size: int) -> Iterator[Packed]:
    """Of sorted rows."""
    return map(packed_portion, portions(rows, size))


def packed_portion(rows: Sequence[Row]) -> Packed:
    """Of sorted rows, at least one."""
    starts = [row[AT] for row in rows]
    return rows[0][0], min(starts), max(starts), len(rows), pack(rows)


def slots(connection: sqlite3.Connection) -> list[Slot]:
    """Those that are not settled yet, in the order of their runs."""
    settled = settled_to(connection)
    found = []
    for (data,) in connection.execute("SELECT data FROM slot").fetchall():
        head = _SLOT.unpack_from(data)
        if head[0] > settled:
            run, low_at, high_at, cycles = head
            found.append(Slot(run, low_at, high_at, cycles, data[_SLOT.size :]))
    return sorted(found, key=lambda slot: slot.run)


def settled_to(connection: sqlite3.Connection) -> int:
    """The last run that is settled; 0: none is."""
    found = connection.execute("SELECT run FROM newest").fetchone()
    return found[0] if found else 0


def _is_there(connection: sqlite3.Connection, run: int) -> bool:
    slot = connection.execute("SELECT substr(data, 1, ?) FROM slot WHERE id = ?", (_SLOT.size, run % _SLOTS)).fetchone()
    if slot is not None and _SLOT.unpack(slot[0])[0] == run:
        return True
    key = run << SHIFT
    query = "SELECT 1 FROM tail WHERE id BETWEEN ? AND ? LIMIT 1"
    return connection.execute(query, (key, key + (1 << SHIFT) - 1)).fetchone() is not None


def cycles_of(
    connection: sqlite3.Connection,
    series: Collection[int],
    start: int,
    end: int,
    *,
    loose: Mapping[int, Sequence[Row]] | None = None,
) -> dict[int, list[Row]]:
    """By series, those with start <= at < end, in their order, each once. Within one snapshot of the file.

    `loose`: what `loose_cycles_of` has found in the same snapshot, of this period at least.
    """
    of_hours = {"first": max(0, start // HOUR_MS), "last": min(_LAST_RUN, (end - 1) // HOUR_MS)}
    # Of those of one name the first is kept, and blocks have what came first.
    found = _in_portions(connection, _BLOCKS, series, {"start": start, "end": end} | of_hours)
    known = loose_cycles_of(connection, series, start, end) if loose is None else loose
    for one in series:
        # They are in order: to look through all of them for each hour would take minutes where there are many.
        first, last = (bisect_left(known[one], at, key=_BEGUN) for at in (start, end))
        found[one] += known[one][first:last]
    return {one: without_repeats(rows) for one, rows in found.items()}


def noted_cycles_of(
    connection: sqlite3.Connection, series: Collection[int], start: int, end: int
) -> dict[int, list[Row]]:
    """Those of `cycles_of` that are invalid or have errors."""
    of_hours = {"first": max(0, start // HOUR_MS), "last": min(_LAST_RUN, (end - 1) // HOUR_MS)}
    found = _in_portions(connection, _BLOCKS, series, {"start": start, "end": end} | of_hours, is_wanted=has_notes)
    for one, rows in loose_cycles_of(connection, series, start, end).items():
        found[one] += rows
    return {one: [row for row in without_repeats(rows) if row[5]] for one, rows in found.items()}


def loose_cycles_of(
    connection: sqlite3.Connection, series: Collection[int], start: int, end: int
) -> dict[int, list[Row]]:
    """Those of them that are in no block yet, and perhaps some that are."""
    window = {"start": start, "end": end}
    found: dict[int, list[Row]] = {one: [] for one in series}
    if has_rows(connection):
        for one in series:
            found[one] += map(row_from, connection.execute(ROWS, window | {"series": one}))
    for one, rows in _in_portions(connection, _TAIL, series, window | {"first": 0, "last": _LAST_RUN}).items():
        found[one] += rows
    for slot in slots(connection):
        if slot.low_at < end and slot.high_at >= start:
            _sort_in(found, unpack(slot.data, series), start, end)
    return {one: without_repeats(rows) for one, rows in found.items()}


def many_loose(connection: sqlite3.Connection, series: Collection[int], start: int, end: int) -> tuple[int, int] | None:
    """From when to when `loose_cycles_of` may read more than are to be in memory at once; None: it does not."""
    if has_rows(connection):
        return start, end
    window = {"start": start, "end": end, "first": 0, "last": _LAST_RUN}
    tails: dict[int, tuple[int, int, int]] = {}
    for one in series:
        tails |= {number: some for number, *some in connection.execute(_TAIL_EXTENTS, window | {"series": one})}
    there = (slot for slot in slots(connection) if slot.low_at < end and slot.high_at >= start)
    found = [*tails.values(), *((slot.low_at, slot.high_at, slot.cycles) for slot in there)]
    if sum(cycles for _, _, cycles in found) <= _MANY:
        return None
    return max(start, min(low for low, _, _ in found)), min(end, max(high for _, high, _ in found) + 1)


def _in_portions(
    connection: sqlite3.Connection,
    query: str,
    series: Collection[int],
    window: Mapping[str, int],
    is_wanted: Callable[[bytes], bool] = lambda data: True,
) -> dict[int, list[Row]]:
    there: dict[int, bytes] = {}
    for one in series:
        there.update(connection.execute(query, {**window, "series": one}).fetchall())
    found: dict[int, list[Row]] = {one: [] for one in series}
    # Each but once, though it may have several of the series; in the order in which they were written.
    for _, data in sorted(there.items()):
        if is_wanted(data):
            _sort_in(found, unpack(data, series), window["start"], window["end"])
    return found


def _sort_in(found: Mapping[int, list[Row]], rows: Iterable[Row], start: int, end: int) -> None:
    for row in rows:
        if start <= row[AT] < end:
            found[row[0]].append(row)


def has_rows(connection: sqlite3.Connection) -> bool:
    """Whether there are cycles of versions 1 and 2 still."""
    query = "SELECT EXISTS (SELECT 1 FROM cycle) OR EXISTS (SELECT 1 FROM old_cycle)"
    return bool(connection.execute(query).fetchone()[0])


def row_from(record: Sequence[Any]) -> Row:
    series, at, seq, sent, received, is_valid, rtts_us, invalid_code, error_codes = record
    note = "" if is_valid else f"!{invalid_code or ''}"
    if error_codes:
        note = f"{note} {error_codes}"
    rtts = struct.unpack(f"<{len(rtts_us) // 4}I", rtts_us) if rtts_us else ()
    return series, at, seq, sent, received, note, rtts


class Newest:
    """The start of the newest cycle of each series, as of one moment, in all runs up to `run`.

    Those that lie after the moment wait until their time has come: a clock that was ahead must not make a
    site look alive.
    """

    def __init__(self, run: int = 0, last: Mapping[int, int] | None = None, ahead: Iterable[tuple[int, int]] = ()):
        self.run = run
        self.last: dict[int, int] = dict(last or {})
        self.ahead: list[tuple[int, int]] = list(ahead)

    def see(self, series: int, starts: Iterable[int], now: int) -> None:
        for at in starts:
            if at > now:
                self.ahead.append((series, at))
            elif at > self.last.get(series, 0):
                self.last[series] = at

    def settle(self, now: int) -> None:
        """Those whose time has come."""
        ahead, self.ahead = self.ahead, []
        for series, at in ahead:
            self.see(series, (at,), now)

    def encode(self) -> bytes:
        pairs = [*sorted(self.last.items()), *sorted(set(self.ahead))]
        flat = [number for pair in pairs for number in pair]
        return struct.pack("<I", len(self.last)) + zlib.compress(struct.pack(f"<{len(flat)}q", *flat), 1)

    @classmethod
    def decode(cls, run: int, data: bytes) -> Newest:
        (count,) = struct.unpack_from("<I", data)
        raw = zlib.decompress(data[4:])
        flat = iter(struct.unpack(f"<{len(raw) // 8}q", raw))
        pairs = list(zip(flat, flat, strict=True))
        return cls(run, dict(pairs[:count]), pairs[count:])


def counted(connection: sqlite3.Connection) -> Newest:
    found = connection.execute("SELECT run, data FROM newest").fetchone()
    return Newest.decode(*found) if found else Newest()


def newest(connection: sqlite3.Connection, now: int) -> Mapping[int, int]:
    """By series, the start of the newest cycle that does not lie after now. Within one snapshot of the file."""
    found = counted(connection)
    found.settle(now)
    for data in [slot.data for slot in slots(connection)] + [data for _, data in unsettled(connection, found.run)]:
        for series, starts in times(data):
            found.see(series, starts, now)
    if has_rows(connection):
        count_rows(connection, found, now)
    return found.last


def extent(connection: sqlite3.Connection, start: int, end: int) -> tuple[int, int]:
    """Of a period, the part outside of which there is no cycle. Within one snapshot of the file."""
    if has_rows(connection):
        # Of versions 1 and 2 nobody knows quickly.
        return start, end
    first, last = connection.execute("SELECT MIN(id) >> 32, MAX(id) >> 32 FROM block").fetchone()
    found = [(slot.low_at, slot.high_at) for slot in slots(connection)]
    found += [] if first is None else [(first * HOUR_MS, (last + 1) * HOUR_MS)]
    low, high = connection.execute("SELECT MIN(low_at), MAX(high_at) FROM tail").fetchone()
    found += [] if low is None else [(low, high)]
    if not found:
        return start, start
    return max(start, min(low for low, _ in found)), min(end, max(high for _, high in found) + 1)


def unsettled(connection: sqlite3.Connection, settled: int) -> list[tuple[int, bytes]]:
    """The portions of the tail in runs after `settled`: number of the run, and the cycles packed."""
    query = "SELECT id >> 32, data FROM tail WHERE id >= (? + 1) << 32 ORDER BY id"
    return connection.execute(query, (settled,)).fetchall()


def count_rows(connection: sqlite3.Connection, known: Newest, now: int) -> None:
    """Those of versions 1 and 2, which come from no run."""
    for series, at in connection.execute(_NEWEST_ROWS, {"now": now}):
        if at is not None:
            known.see(series, (at,), now)


def keep_counted(connection: sqlite3.Connection, known: Newest) -> None:
    connection.execute("INSERT OR REPLACE INTO newest VALUES (1, ?, ?)", (known.run, known.encode()))
