"""What the SQLite store does beside writing: it packs the tail into blocks of hours, and deletes what is old.

Everything is done in small steps, each a transaction or a part of what comes before one. A step that is
cut off is simply done again: a cycle that is in two places at once counts once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from noc_bus.time import Time
from noc_frame.sqlite import Database
from noc_history.cycles import (
    HOUR_MS,
    IN_A_PORTION,
    ROWS,
    SHIFT,
    Packed,
    append,
    count_rows,
    counted,
    has_rows,
    keep_counted,
    packed_portions,
    row_from,
    slots,
    unsettled,
)
from noc_history.packing import AT, IN_A_BLOCK, Row, portions, times, unpack, without_repeats
from noc_history.store import Upkeep

# Slots are settled once so many are full; each is one place to look for whoever reads.
_SETTLE: Final = 64
# What the hour's last cycles take to arrive, usually.
_GRACE_MS: Final = 120_000
# What comes late for an hour is collected for so long, rather than each cycle costing a block.
_PACK_EVERY_S: Final = 600.0
# In one transaction: what a write of the recorder may have to wait for.
_BLOCKS_AT_ONCE: Final = 50
_PORTIONS_AT_ONCE: Final = 500
_CYCLES_AT_ONCE: Final = 16_384
# Portions unpacked in one step.
_UNPACK_AT_ONCE: Final = 16
# Of versions 1 and 2: so many series by so much time.
_MOVED_SERIES: Final = 8
_MOVED_MS: Final = 24 * HOUR_MS
_INSERT_BLOCK: Final = "INSERT INTO block VALUES (?, ?, ?, ?, ?)"


@dataclass
class Done:
    """What the steps so far have done, and what is left, in cycles."""

    deleted: int = 0
    repeated: int = 0
    to_move: int = 0
    to_pack: int = 0
    to_delete: int = 0


@dataclass(frozen=True)
class _Run:
    """Of the tail: the times of its cycles, from the first to the last, and their number."""

    low_at: int
    high_at: int
    cycles: int


class Changed(Exception):
    """Another program has done this meanwhile."""


class Housekeeping:
    """Lives in one thread."""

    def __init__(self, file: Database) -> None:
        self._file = file
        self._runs: dict[int, _Run] = {}
        self._known_to = 0
        self._steps: Iterator[None] | None = None
        self._pack_at_s = 0.0
        self._before = Time(0)
        self._rows_are_counted = False
        self.done = Done()

    def work(self, before: Time, until_s: float) -> bool:
        """One step after the other until the time is over, one at least; True: nothing is left to do now."""
        self._before = Time(before // HOUR_MS * HOUR_MS)
        while True:
            if self._steps is None:
                self._steps = self._round()
            try:
                next(self._steps)
            except StopIteration:
                self._steps = None
                if not self.done.to_move:
                    return True
            except BaseException as error:
                self._steps = None
                self._forget()
                if not isinstance(error, Changed):
                    raise
            if time.monotonic() >= until_s:
                return False

    def take_done(self, freed_bytes: int) -> Upkeep:
        """What was done since this was last asked, and what is left."""
        done = self.done
        self.done = Done(to_move=done.to_move, to_pack=done.to_pack, to_delete=done.to_delete)
        return Upkeep(
            deleted_rows=done.deleted,
            freed_bytes=freed_bytes,
            backlog_rows=done.to_move + done.to_pack + done.to_delete,
            repeated_rows=done.repeated,
            old_rows=done.to_move,
        )

    def pack_soon(self) -> None:
        """Do not wait for more that comes late."""
        self._pack_at_s = 0.0

    def _forget(self) -> None:
        self._runs.clear()
        self._known_to = 0
        self._pack_at_s = 0.0
        self._rows_are_counted = False

    def _round(self) -> Iterator[None]:
        self._learn_runs()
        yield
        yield from self._settle(_SETTLE)
        if time.monotonic() >= self._pack_at_s:
            yield from self._pack_hours()
            self._pack_at_s = time.monotonic() + _PACK_EVERY_S
        yield from self._move_rows()
        yield from self._delete_old()

    def _learn_runs(self) -> None:
        for run, low_at, high_at, cycles in self._file.read(
            "read",
            "SELECT id >> 32, MIN(low_at), MAX(high_at), SUM(cycles) FROM tail WHERE id >= ? << 32 GROUP BY 1",
            (self._known_to + 1,),
        ):
            self._runs[run] = _Run(low_at, high_at, cycles)
            self._known_to = max(self._known_to, run)
        with self._file.reading("read") as connection:
            waiting = slots(connection)
        horizon = self._packable()
        all_runs = [*self._runs.values(), *(_Run(one.low_at, one.high_at, one.cycles) for one in waiting)]
        due = [run for run in all_runs if run.low_at < horizon]
        self.done.to_pack = sum(run.cycles for run in due)
        if any(run.low_at < self._before for run in due):
            # What is too old already must not wait for its neighbours.
            self.pack_soon()

    def _packable(self) -> int:
        """Cycles that started before are in hours that are over."""
        return (int(Time.now()) - _GRACE_MS) // HOUR_MS * HOUR_MS

    # -- full slots become one run

    def _settle(self, least: int) -> Iterator[None]:
        with self._file.reading("read") as connection:
            known = counted(connection)
            settled = known.run
            full = slots(connection)
            rest = unsettled(connection, settled)
        last = max([*(slot.run for slot in full), *(run for run, _ in rest)], default=settled)
        if last - settled < least:
            return
        yield
        now = int(Time.now())
        known.settle(now)
        for data in [slot.data for slot in full] + [data for _, data in rest]:
            for series, starts in times(data):
                known.see(series, starts, now)
        known.run = last
        rows = [row for slot in full for row in unpack(slot.data)]
        yield
        kept = without_repeats(rows)
        packed = list(packed_portions(kept, IN_A_PORTION))
        yield
        with self._file.transaction("settle") as connection:
            if counted(connection).run != settled:
                raise Changed
            if packed:
                append(connection, full[0].run, packed)
            keep_counted(connection, known)
        self.done.repeated += len(rows) - len(kept)
        if packed:
            self._note_run(full[0].run, packed)
        yield

    def _portions(self, run: int) -> list[tuple[int, bytes]]:
        rows = self._file.read(
            "read", "SELECT id, data FROM tail WHERE id >= ? << 32 AND id < ? << 32 ORDER BY id", (run, run + 1)
        )
        return [(key, data) for key, data in rows]

    def _replace_tail(self, keys: Sequence[int], run: int, packed: Sequence[Packed]) -> None:
        with self._file.transaction("pack") as connection:
            _delete(connection, "DELETE FROM tail WHERE id = ?", keys)
            append(connection, run, packed)

    def _note_run(self, run: int, packed: Sequence[Packed]) -> None:
        if packed:
            _, lows, highs, cycles, _ = zip(*packed, strict=True)
            self._runs[run] = _Run(min(lows), max(highs), sum(cycles))
        else:
            self._runs.pop(run, None)

    # -- hours that are over become blocks

    def _pack_hours(self) -> Iterator[None]:
        if not self.done.to_pack:
            return
        horizon = self._packable()
        yield from self._settle(1)
        while due := [run for run, one in self._runs.items() if one.low_at < horizon]:
            hour = min(self._runs[run].low_at for run in due) // HOUR_MS
            runs = sorted(run for run in due if self._runs[run].low_at < (hour + 1) * HOUR_MS)
            if hour * HOUR_MS >= self._before:
                yield from self._pack_hour(hour, runs)
            yield from self._drop_hour(hour, runs)
            self.done.to_pack = sum(run.cycles for run in self._runs.values() if run.low_at < horizon)

    def _pack_hour(self, hour: int, runs: Sequence[int]) -> Iterator[None]:
        for taken in self._by_series(hour, runs):
            yield
            kept = without_repeats(taken)
            self.done.repeated += len(taken) - len(kept)
            for some in portions(kept, _CYCLES_AT_ONCE):
                self._file_away(hour, some)
                yield

    def _by_series(self, hour: int, runs: Sequence[int]) -> Iterator[list[Row]]:
        """The cycles of the hour, all that the tail has of some neighbouring series at once; now and then none."""
        keys = {run: self._keys(run) for run in runs}
        unpacked = 0
        waiting: dict[int, list[Row]] = {run: [] for run in runs}
        while any(keys.values()) or any(waiting.values()):
            for run in runs:
                while keys[run] and not waiting[run]:
                    waiting[run] = self._of_hour(keys[run].pop(0), hour)
                    unpacked += 1
                    if unpacked % _UNPACK_AT_ONCE == 0:
                        yield []
            # Up to here nothing more can come from any run: no series is in two portions of one.
            last = min((waiting[run][-1][0] for run in runs if keys[run]), default=None)
            taken: list[Row] = []
            for run in runs:
                rows = waiting[run]
                place = len(rows) if last is None else _after(rows, last)
                taken += rows[:place]
                waiting[run] = rows[place:]
            yield taken

    def _keys(self, run: int) -> list[int]:
        rows = self._file.read(
            "read", "SELECT id FROM tail WHERE id >= ? << 32 AND id < ? << 32 ORDER BY id", (run, run + 1)
        )
        return [key for (key,) in rows]

    def _of_hour(self, key: int, hour: int) -> list[Row]:
        ((data,),) = self._file.read("read", "SELECT data FROM tail WHERE id = ?", (key,))
        start, end = hour * HOUR_MS, (hour + 1) * HOUR_MS
        return [row for row in unpack(data) if start <= row[AT] < end]

    def _file_away(self, hour: int, rows: Sequence[Row]) -> None:
        """Put cycles of some neighbouring series, sorted, into the blocks of their hour."""
        first, last = rows[0][0], rows[-1][0]
        key = hour << SHIFT
        there = self._file.read(
            "read",
            "SELECT id, data FROM block WHERE id <= ? AND id >= "
            "COALESCE((SELECT MAX(id) FROM block WHERE id BETWEEN ? AND ?), ?) ORDER BY id",
            (key | last, key, key | first, key),
        )
        replaced: list[int] = []
        before: list[Row] = []
        for one, data in there:
            found = unpack(data)
            # A full block that ends before these begin stays as it is.
            if found[-1][0] >= first or len(found) < IN_A_BLOCK:
                replaced.append(one)
                before += found
        kept = without_repeats([*before, *rows])
        self.done.repeated += len(before) + len(rows) - len(kept)
        packed = [(key | start, *rest) for start, *rest in packed_portions(kept, IN_A_BLOCK)]
        with self._file.transaction("pack") as connection:
            _delete(connection, "DELETE FROM block WHERE id = ?", replaced)
            connection.executemany(_INSERT_BLOCK, packed)

    def _drop_hour(self, hour: int, runs: Sequence[int]) -> Iterator[None]:
        """Take an hour, which is in its blocks or too old, out of the tail."""
        end = (hour + 1) * HOUR_MS
        whole = [run for run in runs if self._runs[run].high_at < end]
        keys = [key for run in whole for key in self._keys(run)]
        for place in range(0, len(keys), _PORTIONS_AT_ONCE):
            self._replace_tail(keys[place : place + _PORTIONS_AT_ONCE], 0, ())
            yield
        for run in whole:
            dropped = self._runs.pop(run)
            if end <= self._before:
                self.done.deleted += dropped.cycles
        for run in runs:
            if run in self._runs:
                found = self._portions(run)
                rows = [row for _, data in found for row in unpack(data)]
                later = [row for row in rows if row[AT] >= end]
                packed = list(packed_portions(later, IN_A_PORTION))
                self._replace_tail([key for key, _ in found], run, packed)
                self._note_run(run, packed)
                if end <= self._before:
                    self.done.deleted += len(rows) - len(later)
                yield

    # -- the rows of versions 1 and 2

    def _move_rows(self) -> Iterator[None]:
        """A day of some series, where there are any: what was written meanwhile must not wait for all."""
        with self._file.reading("read") as connection:
            if not has_rows(connection):
                self.done.to_move = 0
                return
            if not self._rows_are_counted:
                (self.done.to_move,) = connection.execute("SELECT COUNT(*) FROM row_cycle").fetchone()
                known = counted(connection)
                count_rows(connection, known, int(Time.now()))
        if not self._rows_are_counted:
            with self._file.transaction("count") as connection:
                if counted(connection).run != known.run:
                    raise Changed
                keep_counted(connection, known)
            self._rows_are_counted = True
        yield
        ((first,),) = self._file.read("read", _FIRST_SERIES)
        if first is not None:
            found = self._file.read("read", _FIRST_AT, {"first": first, "end": first + _MOVED_SERIES})
            start = min(at for _, at in found) // HOUR_MS * HOUR_MS
            yield from self._move_some(sorted({series for series, _ in found}), start, start + _MOVED_MS)

    def _move_some(self, some: Sequence[int], start: int, end: int) -> Iterator[None]:
        rows: list[Row] = []
        for series in some:
            found = self._file.read("read", ROWS, {"series": series, "start": start, "end": end})
            rows += [row_from(record) for record in found]
            yield
        wanted = sorted((row for row in rows if row[AT] >= self._before), key=lambda row: row[AT])
        for hour, of_hour in groupby(wanted, lambda row: row[AT] // HOUR_MS):
            self._file_away(hour, without_repeats(list(of_hour)))
            yield
        # Only now, so that they are somewhere at every moment.
        for series in some:
            with self._file.transaction("pack") as connection:
                for delete in _DELETE_ROWS:
                    connection.execute(delete, (series, start, end))
            yield
        self.done.deleted += len(rows) - len(wanted)
        self.done.to_move = max(0, self.done.to_move - len(rows))

    # -- what is too old

    def _delete_old(self) -> Iterator[None]:
        end = self._before // HOUR_MS << SHIFT
        ((left,),) = self._file.read("read", "SELECT COALESCE(SUM(cycles), 0) FROM block WHERE id < ?", (end,))
        self.done.to_delete = left
        while self.done.to_delete:
            found = self._file.read(
                "read", "SELECT id, cycles FROM block WHERE id < ? ORDER BY id LIMIT ?", (end, _BLOCKS_AT_ONCE)
            )
            if not found:
                self.done.to_delete = 0
                return
            with self._file.transaction("delete") as connection:
                _delete(connection, "DELETE FROM block WHERE id = ?", [key for key, _ in found])
            gone = sum(cycles for _, cycles in found)
            self.done.deleted += gone
            self.done.to_delete = max(0, self.done.to_delete - gone)
            yield


_FIRST_SERIES: Final = """
SELECT MIN(series) FROM (SELECT MIN(series) AS series FROM cycle UNION ALL SELECT MIN(series) FROM old_cycle)
"""
# Each a seek, where there may be millions.
_FIRST_AT: Final = """
SELECT id, at FROM (
    SELECT id, (SELECT MIN(at) FROM cycle WHERE cycle.series = series.id) AS at FROM series
    WHERE id >= :first AND id < :end
    UNION ALL
    SELECT id, (SELECT MIN(at) FROM old_cycle WHERE old_cycle.series = series.id) FROM series
    WHERE id >= :first AND id < :end
) WHERE at IS NOT NULL ORDER BY id
"""
_DELETE_ROWS: Final = (
    "DELETE FROM cycle WHERE series = ? AND at >= ? AND at < ?",
    "DELETE FROM old_cycle WHERE series = ? AND at >= ? AND at < ?",
)


def _delete(connection: sqlite3.Connection, statement: str, keys: Sequence[int]) -> None:
    """All of them, or Changed."""
    before = connection.total_changes
    connection.executemany(statement, [(key,) for key in keys])
    if connection.total_changes - before != len(keys):
        raise Changed


def _after(rows: Sequence[Row], series: int) -> int:
    """The place after the last cycle of a series and of those before it."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle][0] <= series:
            low = middle + 1
        else:
            high = middle
    return low
