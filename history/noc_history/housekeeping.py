"""What the SQLite store does beside writing: it packs cycles and their sums, and deletes what is old.

Everything is done in small steps, each a transaction or a part of what comes before one. A step that is
cut off is simply done again: a cycle that is in two places at once counts once.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame.sqlite import Database
from noc_history.cycles import (
    IN_A_PORTION,
    PORTIONS,
    ROWS,
    SHIFT,
    Packed,
    append,
    count_rows,
    counted,
    has_rows,
    keep_counted,
    packed_portion,
    packed_portions,
    row_from,
    settled_to,
    slots,
    unsettled,
)
from noc_history.packing import AT, IN_A_BLOCK, Row, portions, times, unpack, without_repeats
from noc_history.rollups import (
    BY_START,
    COLLECT_S,
    FIVE_MINUTES_MS,
    GRACE_MS,
    Rollup,
    merged_to,
    pack_rollups,
    roll_up,
    unpack_rollups,
)
from noc_history.store import Upkeep
from noc_history.sums import (
    DAYS,
    FRESH_NUMBERS,
    HOURS,
    MINUTES,
    RECENT_SERIES,
    TIERS,
    UNIT_MS,
    Tier,
    mark_stale,
    note_hours,
    packed_groups,
    quarters_of,
    sums_of,
)

# Slots are settled once so many are full; each is one place to look for whoever reads.
_SETTLE: Final = 32
# So many runs of about one size are folded into one, for the same reason: the hour that is not over would have hundreds.
_FOLD: Final = 16
# Runs up to so many cycles are of one size; larger ones than the last stay as they are until their hour is packed.
_SIZES: Final = (4096, 65_536)
# In one transaction: what a write of the recorder may have to wait for.
_BLOCKS_AT_ONCE: Final = 50
_PORTIONS_AT_ONCE: Final = 500
# Whatever is written of neighbours too, such as the end of a page and the hours of some series, is written once for so many.
_CYCLES_AT_ONCE: Final = 65_536
# Packed in one step.
_BLOCKS_IN_A_STEP: Final = 16
# Portions unpacked in one step.
_UNPACK_AT_ONCE: Final = 16
# Forgotten series that are taken out together: where that is cut off, their portions are looked at again.
_SWEPT_AT_ONCE: Final = 1024
_HOURS_OF_DAY: Final = DAY_MS // HOUR_MS
# Fresh sums are packed by so many days: a packed portion is written again each time.
_FRESH_DAYS: Final = 8
# Sums that are written to packed portions in one transaction.
_SUMS_AT_ONCE: Final = 16_384
# Rollups of hours in a portion, which are a few series of a day.
_IN_A_DAY: Final = 96
# Rollups of a day in a portion, each of another series: the fewer, the quicker one is found.
_SERIES_OF_A_DAY: Final = 24
# Of versions 1 and 2: so many series by so much time.
_MOVED_SERIES: Final = 8
_MOVED_MS: Final = DAY_MS
_INSERT_BLOCK: Final = "INSERT INTO block VALUES (?, ?, ?, ?, ?)"


@dataclass
class Done:
    """What the steps so far have done, and what is left: in cycles, and `to_sum` in days."""

    deleted: int = 0
    repeated: int = 0
    to_move: int = 0
    to_pack: int = 0
    to_delete: int = 0
    to_sum: int = 0


@dataclass(frozen=True)
class _Run:
    """Of the tail: the times of its cycles, from the first to the last, their number, and that of its portions."""

    low_at: int
    high_at: int
    cycles: int
    portions: int = 1

    def size(self) -> tuple[int, int] | None:
        """What it has in common with those it may be folded with; None: it is not worth writing it again."""
        is_large = self.portions > 1 and self.cycles > IN_A_BLOCK * self.portions
        size = next((size for size in _SIZES if self.cycles <= size), None)
        return None if is_large or size is None else (self.low_at // HOUR_MS, size)


class _Piece(NamedTuple):
    """A portion of the tail, and by what it is known that it is still the one that was read."""

    key: int
    low_at: int
    high_at: int
    cycles: int
    size_bytes: int


def _run_of(pieces: Sequence[_Piece]) -> _Run:
    _, lows, highs, cycles, _ = zip(*pieces, strict=True)
    return _Run(min(lows), max(highs), sum(cycles), len(pieces))


class Changed(Exception):
    """Another program has done this meanwhile."""


class Housekeeping:
    """Lives in one thread."""

    def __init__(self, file: Database, keep_5min_days: int, keep_hourly_days: int) -> None:
        self._file = file
        self._keep_5min_ms, self._keep_hourly_ms = keep_5min_days * DAY_MS, keep_hourly_days * DAY_MS
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
        self.done = replace(done, deleted=0, repeated=0)
        left = done.to_move + done.to_pack + done.to_delete + done.to_sum
        return Upkeep(
            deleted_rows=done.deleted,
            freed_bytes=freed_bytes,
            backlog_rows=left if self._steps is None else max(1, left),
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
        yield from self._fold()
        if time.monotonic() >= self._pack_at_s:
            yield from self._pack_hours()
            yield from self._sum_up_today()
            # What was packed is to be summed up.
            self.done.to_sum = self._days_to_sum()
            self._pack_at_s = time.monotonic() + COLLECT_S
        yield from self._move_rows()
        if not self.done.to_pack and not self.done.to_move:
            # Each day once, however much comes late for it.
            yield from self._sum_up_days()
            yield from self._pack_sums()
        yield from self._sweep_gone()
        yield from self._delete_old()

    def _learn_runs(self) -> None:
        if time.monotonic() >= self._pack_at_s:
            # All of them: another program may have settled some, under numbers before the last one known.
            self._runs.clear()
            self._known_to = 0
        for run, *extent in self._file.read("read", _RUNS, (self._known_to + 1,)):
            self._runs[run] = _Run(*extent)
            self._known_to = max(self._known_to, run)
        with self._file.reading("read") as connection:
            waiting = slots(connection)
            if not self._rows_are_counted and has_rows(connection):
                (self.done.to_move,) = connection.execute("SELECT COUNT(*) FROM row_cycle").fetchone()
            self.done.to_sum = self._days_to_sum()
        horizon = self._packable()
        all_runs = [*self._runs.values(), *(_Run(one.low_at, one.high_at, one.cycles) for one in waiting)]
        due = [run for run in all_runs if run.low_at < horizon]
        self.done.to_pack = sum(run.cycles for run in due)
        if any(run.low_at < self._before for run in due):
            # What is too old already must not wait for its neighbours.
            self.pack_soon()

    def _packable(self) -> int:
        """Cycles that started before are in hours that are over."""
        return (int(Time.now()) - GRACE_MS) // HOUR_MS * HOUR_MS

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

    def _fold(self) -> Iterator[None]:
        """Make one run of many small ones.

        Those of large commits stay as they are: they are written only once until their hour is packed.
        """
        with self._file.reading("read") as connection:
            settled = settled_to(connection)
        alike: dict[tuple[int, int], list[int]] = {}
        for run, one in sorted(self._runs.items()):
            # Whoever looks for the newest cycles reads all later ones.
            if run <= settled and (size := one.size()):
                alike.setdefault(size, []).append(run)
        for runs in alike.values():
            for start in range(0, len(runs) - _FOLD + 1, _FOLD):
                yield from self._fold_some(runs[start : start + _FOLD])

    def _fold_some(self, runs: Sequence[int]) -> Iterator[None]:
        there = self._pieces(runs)
        packed: list[Packed] = []
        repeated = 0
        rest: list[Row] = []
        for taken in _by_series(there, self._of_tail):
            yield
            kept = without_repeats(taken)
            repeated += len(taken) - len(kept)
            rest += kept
            if len(rest) >= IN_A_PORTION:
                packed += packed_portions(rest, IN_A_PORTION)
                rest = []
        packed += packed_portions(rest, IN_A_PORTION)
        yield
        self._replace_tail([piece for some in there.values() for piece in some], runs[0], packed)
        for run in runs:
            self._runs.pop(run, None)
        self._note_run(runs[0], packed)
        self.done.repeated += repeated
        yield

    def _pieces(self, runs: Iterable[int]) -> dict[int, list[_Piece]]:
        """The portions of some runs, or Changed: another program may have folded them meanwhile."""
        there = {run: [_Piece(*found) for found in self._file.read("read", _PIECES, (run, run + 1))] for run in runs}
        for run, pieces in there.items():
            if not pieces or _run_of(pieces) != self._runs[run]:
                raise Changed
        return there

    def _replace_tail(self, pieces: Sequence[_Piece], run: int, packed: Sequence[Packed]) -> None:
        with self._file.transaction("pack") as connection:
            _delete(connection, _DELETE_PIECE, pieces)
            append(connection, run, packed)

    def _note_run(self, run: int, packed: Sequence[Packed]) -> None:
        if packed:
            self._runs[run] = _run_of([_Piece(*some[:4], len(some[4])) for some in packed])
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
            there = self._pieces(runs)
            yield from self._pack_hour(hour, there)
            yield from self._drop_hour(hour, there)
            self.done.to_pack = sum(run.cycles for run in self._runs.values() if run.low_at < horizon)

    def _pack_hour(self, hour: int, there: Mapping[int, list[_Piece]]) -> Iterator[None]:
        for taken in _by_series(there, lambda piece: self._of_hour(piece, hour)):
            yield
            kept = without_repeats(taken)
            self.done.repeated += len(taken) - len(kept)
            for some in portions(kept, _CYCLES_AT_ONCE):
                yield from self._file_away(hour, some)

    def _of_tail(self, piece: _Piece) -> list[Row]:
        return unpack(_data(self._file, "tail", piece.key))

    def _of_hour(self, piece: _Piece, hour: int) -> list[Row]:
        start, end = hour * HOUR_MS, (hour + 1) * HOUR_MS
        return [row for row in self._of_tail(piece) if start <= row[AT] < end]

    def _file_away(self, hour: int, rows: Sequence[Row]) -> Iterator[None]:
        """Put cycles of some neighbouring series, sorted, into the blocks of their hour, and sum them up.

        All that takes long is done before the transaction, for which the writer waits.
        """
        gone = {series for (series,) in self._file.read("read", "SELECT series FROM gone")}
        rows = [row for row in rows if row[0] not in gone]
        if not rows:
            return
        if hour * HOUR_MS < self._before:
            self._sum_up_only(hour, rows)
            yield
            return
        first, last = rows[0][0], rows[-1][0]
        key = hour << SHIFT
        around = (key | last, key, key | first, key)
        there = self._file.read("read", _BLOCKS_AROUND, around)
        replaced: list[int] = []
        before: list[Row] = []
        for one, data in there:
            found = unpack(data)
            # A full block that ends before these begin stays as it is.
            if found[-1][0] >= first or len(found) < IN_A_BLOCK:
                replaced.append(one)
                before += found
        kept = without_repeats([*before, *rows])
        packed: list[Packed] = []
        minutes: list[tuple[int, bytes]] = []
        sums: list[Rollup] = []
        for number, block in enumerate(portions(kept, IN_A_BLOCK), 1):
            start, low_at, high_at, cycles, data = packed_portion(block)
            packed.append((key | start, low_at, high_at, cycles, data))
            of_block = roll_up(block, FIVE_MINUTES_MS)
            minutes.append((key | start, pack_rollups(of_block)))
            sums += of_block
            if number % _BLOCKS_IN_A_STEP == 0:
                yield
        with self._file.transaction("pack") as connection:
            if connection.execute(_BLOCKS_AROUND, around).fetchall() != there:
                raise Changed
            _delete(connection, "DELETE FROM block WHERE id = ?", [(one,) for one in replaced])
            connection.executemany("DELETE FROM minutes WHERE id = ?", [(one,) for one in replaced])
            connection.executemany(_INSERT_BLOCK, packed)
            connection.executemany("INSERT INTO minutes VALUES (?, ?)", minutes)
            note_hours(connection, hour, sums)
            mark_stale(connection, hour)
        self.done.repeated += len(before) + len(rows) - len(kept)
        yield

    def _sum_up_only(self, hour: int, rows: Sequence[Row]) -> None:
        """Of an hour whose cycles are kept no longer: for what nothing is summed up yet.

        Where something is, nobody can tell any more what of these is in it already.
        """
        if hour // _HOURS_OF_DAY < (int(Time.now()) - self._keep_hourly_ms) // DAY_MS:
            return
        start, end = hour * HOUR_MS, (hour + 1) * HOUR_MS
        new: list[Rollup] = []
        of_hour: list[Rollup] = []
        with self._file.reading("read") as connection:
            there = connection.execute(_DATA_OF["minutes"], (hour, hour + 1)).fetchall()
            for series, some in groupby(roll_up(rows, FIVE_MINUTES_MS), key=itemgetter(0)):
                known = {one.start: one for one in sums_of(connection, MINUTES, series, start, end)}
                if known or not sums_of(connection, HOURS, series, start, end):
                    added = [one for one in some if one.start not in known]
                    new += added
                    of_hour += _overlaid([*known.values(), *added])
        if not new:
            return
        together = sorted([*(one for _, data in there for one in unpack_rollups(data)), *new], key=BY_START)
        packed = [((hour << SHIFT) | some[0][0], pack_rollups(some)) for some in portions(together, _IN_A_DAY)]
        with self._file.transaction("sum up") as connection:
            if connection.execute(_DATA_OF["minutes"], (hour, hour + 1)).fetchall() != there:
                raise Changed
            _delete(connection, "DELETE FROM minutes WHERE id = ?", [(portion,) for portion, _ in there])
            connection.executemany("INSERT INTO minutes VALUES (?, ?)", packed)
            note_hours(connection, hour, of_hour)
            mark_stale(connection, hour)

    def _drop_hour(self, hour: int, there: Mapping[int, list[_Piece]]) -> Iterator[None]:
        """Take an hour, which is in its blocks or too old, out of the tail."""
        end = (hour + 1) * HOUR_MS
        whole = [run for run in there if self._runs[run].high_at < end]
        pieces = [piece for run in whole for piece in there[run]]
        for place in range(0, len(pieces), _PORTIONS_AT_ONCE):
            self._replace_tail(pieces[place : place + _PORTIONS_AT_ONCE], 0, ())
            yield
        for run in whole:
            dropped = self._runs.pop(run)
            if end <= self._before:
                self.done.deleted += dropped.cycles
        for run, of_run in there.items():
            if run in self._runs:
                later: list[Row] = []
                # One after the other: a run may be a whole hour of everything.
                for piece in of_run:
                    later += [row for row in self._of_tail(piece) if row[AT] >= end]
                packed = list(packed_portions(later, IN_A_PORTION))
                self._replace_tail(of_run, run, packed)
                if end <= self._before:
                    self.done.deleted += self._runs[run].cycles - len(later)
                self._note_run(run, packed)
                yield

    # -- days that are over are summed up by hours

    def _stale_days(self) -> list[int]:
        """Those that are over."""
        today = self._packable() // HOUR_MS // _HOURS_OF_DAY
        return [day for (day,) in self._file.read("read", "SELECT number FROM stale_day WHERE number < ?", (today,))]

    def _sum_up_days(self) -> Iterator[None]:
        for day in self._stale_days():
            yield from self._sum_up_day(day)
            self.done.to_sum = self._days_to_sum()
            yield

    def _sum_up_day(self, day: int) -> Iterator[None]:
        ((marks,),) = self._file.read("read", "SELECT marks FROM stale_day WHERE number = ?", (day,))
        hours: list[Rollup] = []
        folding = _Folding(self._file, MINUTES, day)
        for some in folding.steps(range(day * _HOURS_OF_DAY, (day + 1) * _HOURS_OF_DAY)):
            by_hour = merged_to(some, HOUR_MS)
            # Of a day so old that its minutes are gone they have only what came late; the hours have the rest.
            hours += _overlaid([*self._known_hours(day, by_hour), *by_hour])
            yield
        yield from folding.drop_fresh()
        for_tiers = {HOURS: (hours, _IN_A_DAY), DAYS: (merged_to(hours, DAY_MS), _SERIES_OF_A_DAY)}
        packed: dict[Tier, list[tuple[int, bytes]]] = {}
        for tier, (sums, size) in for_tiers.items():
            there = [
                one
                for _, data in self._file.read("read", _DATA_OF[tier.fresh], (day, day + 1))
                for one in unpack_rollups(data)
            ]
            packed[tier] = []
            for portion in portions(_overlaid([*there, *sums]), size):
                packed[tier].append((day << SHIFT | portion[0][0], pack_rollups(portion)))
                if len(packed[tier]) % _UNPACK_AT_ONCE == 0:
                    yield
        with self._file.transaction("sum up") as connection:
            for tier, portions_of_day in packed.items():
                connection.execute(_DELETE_OF[tier.fresh], (day, day + 1))
                connection.executemany(_REPLACE[tier.fresh], portions_of_day)
            # Another program may have changed it meanwhile.
            done = connection.execute("DELETE FROM stale_day WHERE number = ? AND marks = ?", (day, marks)).rowcount
            if done:
                hours_of_day = (day * _HOURS_OF_DAY, (day + 1) * _HOURS_OF_DAY)
                connection.execute(_DELETE_OF["recent_hours"], hours_of_day)

    def _sum_up_today(self) -> Iterator[None]:
        """The day so far, from its hours, for questions about many targets."""
        found = self._file.read(
            "read",
            "SELECT number, marks FROM stale_day WHERE marks <> summed AND number >= ?",
            (self._packable() // DAY_MS,),
        )
        for day, marks in found:
            hours = (day * _HOURS_OF_DAY, (day + 1) * _HOURS_OF_DAY)
            groups: dict[int, list[Rollup]] = {}
            for key, data in self._file.read("read", _DATA_OF["recent_hours"], hours):
                groups.setdefault(key & ((1 << SHIFT) - 1), []).extend(unpack_rollups(data))
            yield
            packed: list[tuple[int, bytes]] = []
            for _, sums in sorted(groups.items()):
                of_day = merged_to(sorted(sums, key=BY_START), DAY_MS)
                packed += [
                    (day << SHIFT | some[0][0], pack_rollups(some)) for some in portions(of_day, _SERIES_OF_A_DAY)
                ]
                yield
            with self._file.transaction("sum up") as connection:
                done = connection.execute(
                    "UPDATE stale_day SET summed = marks WHERE number = ? AND marks = ?", (day, marks)
                )
                if done.rowcount:
                    connection.execute(_DELETE_OF[DAYS.fresh], (day, day + 1))
                    connection.executemany(_REPLACE[DAYS.fresh], packed)
            yield

    def _known_hours(self, day: int, like: Iterable[Rollup]) -> list[Rollup]:
        with self._file.reading("read") as connection:
            return [
                one
                for series in sorted({one.series for one in like})
                for one in sums_of(connection, HOURS, series, day * DAY_MS, (day + 1) * DAY_MS)
            ]

    # -- fresh sums become packed ones

    def _pack_sums(self) -> Iterator[None]:
        for tier in TIERS:
            for number, fresh in self._to_pack(tier).items():
                folding = _Folding(self._file, tier, number)
                for _ in folding.steps(fresh):
                    yield
                yield from folding.drop_fresh()
        self.done.to_sum = self._days_to_sum()

    def _to_pack(self, tier: Tier) -> dict[int, list[int]]:
        """By packed time, the hours or days of it that are fresh, over, and summed up."""
        per_day = DAY_MS // tier.fresh_ms
        stale = set(self._stale_days())
        found = self._file.read("read", FRESH_NUMBERS[tier], (self._packable() // DAY_MS * per_day,))
        fresh = [number for (number,) in found if number // per_day not in stale]
        if tier != MINUTES and len(fresh) < _FRESH_DAYS:
            return {}
        in_one = tier.packed_ms // tier.fresh_ms
        return {number: list(some) for number, some in groupby(fresh, key=lambda one: one // in_one)}

    def _days_to_sum(self) -> int:
        return len(self._stale_days()) + sum(len(some) for tier in TIERS for some in self._to_pack(tier).values())

    # -- the rows of versions 1 and 2

    def _move_rows(self) -> Iterator[None]:
        """A day of some series, where there are any: what was written meanwhile must not wait for all."""
        with self._file.reading("read") as connection:
            if not has_rows(connection):
                self.done.to_move = 0
                return
            if not self._rows_are_counted:
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
        rows.sort(key=lambda row: row[AT])
        for hour, of_hour in groupby(rows, lambda row: row[AT] // HOUR_MS):
            yield from self._file_away(hour, without_repeats(list(of_hour)))
        # Only now, so that they are somewhere at every moment.
        for series in some:
            with self._file.transaction("pack") as connection:
                for delete in _DELETE_ROWS:
                    connection.execute(delete, (series, start, end))
            yield
        self.done.deleted += sum(row[AT] < self._before for row in rows)
        self.done.to_move = max(0, self.done.to_move - len(rows))

    # -- what was forgotten

    def _sweep_gone(self) -> Iterator[None]:
        """Take series that were forgotten out of all portions; what is in no block yet never gets into one.

        Of many at once, for neighbours share their portions, and those of one target or site are neighbours mostly.
        """
        left = [series for (series,) in self._file.read("read", "SELECT series FROM gone WHERE is_swept = 0")]
        for first in range(0, len(left), _SWEPT_AT_ONCE):
            some = frozenset(left[first : first + _SWEPT_AT_ONCE])
            for table, size in _SWEPT.items():
                keys: set[int] = set()
                for group in sorted({series // size for series in some}):
                    window = {"first": 0, "last": _LAST_NUMBER, "series": group}
                    keys |= {key for (key,) in self._file.read("read", _KEYS_WITH[table], window)}
                    yield
                for key in sorted(keys):
                    with self._file.transaction("delete") as connection:
                        _take_out(connection, table, key, some)
                    yield
            with self._file.transaction("delete") as connection:
                connection.executemany("UPDATE gone SET is_swept = 1 WHERE series = ?", [(one,) for one in some])
            yield

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
                break
            with self._file.transaction("delete") as connection:
                _delete(connection, "DELETE FROM block WHERE id = ?", [(key,) for key, _ in found])
            gone = sum(cycles for _, cycles in found)
            self.done.deleted += gone
            self.done.to_delete = max(0, self.done.to_delete - gone)
            yield
        yield from self._delete_rollups()

    def _delete_rollups(self) -> Iterator[None]:
        """By whole days; those of five minutes not before their day is summed up."""
        now = int(Time.now())
        fives = min([now - self._keep_5min_ms, self._before, *(day * DAY_MS for day in self._stale_days())]) // DAY_MS
        hours = min(now - self._keep_hourly_ms, fives * DAY_MS) // DAY_MS
        of_minutes = {MINUTES.fresh, MINUTES.packed}
        for table, unit_ms in UNIT_MS.items():
            end = (fives if table in of_minutes else hours) * DAY_MS // unit_ms
            while found := self._file.read("read", _OLD[table], (end, _PORTIONS_AT_ONCE)):
                with self._file.transaction("delete") as connection:
                    connection.executemany(_DELETE[table], found)
                yield


class _Folding:
    """Brings fresh sums into the packed portions of one time."""

    def __init__(self, file: Database, tier: Tier, number: int) -> None:
        self._file, self._tier, self._number = file, tier, number
        # Checksums of what was read, by table and key: another program may do the same meanwhile.
        self._seen: dict[tuple[str, int], int] = {}

    def steps(self, fresh: Iterable[int]) -> Iterator[list[Rollup]]:
        """Each step gives all sums of the time of some series, or none. At the end all are in packed portions."""
        tier = self._tier
        sources = {-1: self._keys(tier.packed, self._number)}
        sources |= {number: self._keys(tier.fresh, number) for number in fresh}
        waiting: list[Rollup] = []
        packed: list[tuple[int, bytes]] = []
        size = 0
        for taken in _by_series(sources, self._load):
            # Sources come in their order: fresh sums replace packed ones.
            some = _overlaid(taken)
            waiting += some
            # Of the last group there may be more to come.
            ready = [one for one in waiting if one.series // tier.series < waiting[-1].series // tier.series]
            del waiting[: len(ready)]
            packed += packed_groups(tier, self._number, ready)
            size += len(ready)
            if size >= _SUMS_AT_ONCE:
                self._put(packed)
                packed, size = [], 0
            yield some
        self._put([*packed, *packed_groups(tier, self._number, waiting)])
        yield []

    def drop_fresh(self) -> Iterator[None]:
        """What was fresh is in packed portions now."""
        fresh = [(key, seen) for (table, key), seen in self._seen.items() if table == self._tier.fresh]
        for place in range(0, len(fresh), _PORTIONS_AT_ONCE):
            with self._file.transaction("sum up") as connection:
                for key, seen in fresh[place : place + _PORTIONS_AT_ONCE]:
                    if _checksum(connection, self._tier.fresh, key) != seen:
                        raise Changed
                    connection.execute(_DELETE[self._tier.fresh], (key,))
            yield

    def _keys(self, table: str, number: int) -> list[tuple[str, int]]:
        return [(table, key) for (key,) in self._file.read("read", _KEYS[table], (number, number + 1))]

    def _load(self, place: tuple[str, int]) -> list[Rollup]:
        data = _data(self._file, *place)
        self._seen[place] = zlib.crc32(data)
        return unpack_rollups(data)

    def _put(self, packed: Sequence[tuple[int, bytes]]) -> None:
        table = self._tier.packed
        changed = [(key, data) for key, data in packed if self._seen.get((table, key)) != zlib.crc32(data)]
        if not changed:
            return
        with self._file.transaction("sum up") as connection:
            if any(_checksum(connection, table, key) != self._seen.get((table, key)) for key, _ in changed):
                raise Changed
            connection.executemany(_REPLACE[table], changed)
            if self._tier == HOURS:
                quarters = [(key, quarters_of(data)) for key, data in changed]
                connection.executemany("INSERT OR REPLACE INTO packed_quarters VALUES (?, ?)", quarters)


def _data(file: Database, table: str, key: int) -> bytes:
    """A portion, or Changed."""
    found = file.read("read", _DATA[table], (key,))
    if not found:
        raise Changed
    data: bytes = found[0][0]
    return data


def _checksum(connection: sqlite3.Connection, table: str, key: int) -> int | None:
    found = connection.execute(_DATA[table], (key,)).fetchone()
    return None if found is None else zlib.crc32(found[0])


def _overlaid(sums: Iterable[Rollup]) -> list[Rollup]:
    """Sorted, and of those of one name the last."""
    return sorted({BY_START(one): one for one in sums}.values(), key=BY_START)


def _take_out(connection: sqlite3.Connection, table: str, key: int, gone: Collection[int]) -> None:
    """Some series out of a portion."""
    found = connection.execute(_DATA[table], (key,)).fetchone()
    if found is None:
        return
    if table == "block":
        kept = [row for row in unpack(found[0]) if row[0] not in gone]
        left = [(key, *rest) for _, *rest in packed_portions(kept, max(1, len(kept)))]
        connection.executemany("INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?)", left)
    else:
        sums = [one for one in unpack_rollups(found[0]) if one.series not in gone]
        left = [(key, pack_rollups(sums))] if sums else []
        connection.executemany(_REPLACE[table], left)
    if not left:
        connection.execute(_DELETE[table], (key,))


_BLOCKS_AROUND: Final = """
SELECT id, data FROM block
WHERE id <= ? AND id >= COALESCE((SELECT MAX(id) FROM block WHERE id BETWEEN ? AND ?), ?) ORDER BY id
"""
_TABLES: Final = ("tail", "block", "recent_hours", *UNIT_MS)


def _in_each(statement: str) -> dict[str, str]:
    return {table: statement.replace("{table}", table) for table in _TABLES}


_RUNS: Final = """
SELECT id >> 32, MIN(low_at), MAX(high_at), SUM(cycles), COUNT(*) FROM tail WHERE id >= ? << 32 GROUP BY 1
"""
_PIECES: Final = """
SELECT id, low_at, high_at, cycles, length(data) FROM tail WHERE id >= ? << 32 AND id < ? << 32 ORDER BY id
"""
_DELETE_PIECE: Final = """
DELETE FROM tail WHERE id = ? AND low_at = ? AND high_at = ? AND cycles = ? AND length(data) = ?
"""
_KEYS: Final = _in_each("SELECT id FROM {table} WHERE id >= ? << 32 AND id < ? << 32 ORDER BY id")
_DATA: Final = _in_each("SELECT data FROM {table} WHERE id = ?")
_OLD: Final = _in_each("SELECT id FROM {table} WHERE id < ? << 32 ORDER BY id LIMIT ?")
_DELETE: Final = _in_each("DELETE FROM {table} WHERE id = ?")
# By table, how many series a group has; 1: a portion is of some neighbouring ones and has the first in its key.
_SWEPT: Final = {
    "block": 1,
    **{tier.fresh: 1 for tier in TIERS},
    **{tier.packed: tier.series for tier in TIERS},
    "packed_quarters": HOURS.series,
    "recent_hours": RECENT_SERIES,
}
_LAST_NUMBER: Final = (1 << 31) - 1
_KEYS_WITH: Final = _in_each(PORTIONS.replace("{table}.id, data", "{table}.id"))
_REPLACE: Final = _in_each("INSERT OR REPLACE INTO {table} VALUES (?, ?)")
_DATA_OF: Final = _in_each("SELECT id, data FROM {table} WHERE id >= ? << 32 AND id < ? << 32 ORDER BY id")
_DELETE_OF: Final = _in_each("DELETE FROM {table} WHERE id >= ? << 32 AND id < ? << 32")

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


def _delete(connection: sqlite3.Connection, statement: str, some: Sequence[tuple[int, ...]]) -> None:
    """All of them, or Changed."""
    before = connection.total_changes
    connection.executemany(statement, some)
    if connection.total_changes - before != len(some):
        raise Changed


_T = TypeVar("_T", bound=tuple[Any, ...])
_Key = TypeVar("_Key")


def _by_series(keys: Mapping[int, list[_Key]], load: Callable[[_Key], list[_T]]) -> Iterator[list[_T]]:
    """What all sources have of some neighbouring series, all of it at once; now and then nothing.

    `keys` are the portions of each source, in their order, and `load` gives what is in one. Both a row and
    a rollup begin with their series.
    """
    ahead = {source: deque(some) for source, some in keys.items()}
    waiting: dict[int, list[_T]] = {source: [] for source in keys}
    loaded = 0
    while any(ahead.values()) or any(waiting.values()):
        for source, left in ahead.items():
            while left and not waiting[source]:
                waiting[source] = load(left.popleft())
                loaded += 1
                if loaded % _UNPACK_AT_ONCE == 0:
                    yield []
        # Up to here nothing more can come from any source: no series is in two portions of one.
        last = min((waiting[source][-1][0] for source, left in ahead.items() if left), default=None)
        taken: list[_T] = []
        for source, some in waiting.items():
            place = len(some) if last is None else bisect_right(some, last, key=itemgetter(0))
            taken += some[:place]
            waiting[source] = some[place:]
        yield taken
