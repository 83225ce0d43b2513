"""What the stores cost: bytes a cycle, bytes written to the disk, seconds to write and to read.

`python benchmarks/history.py [--quick] [--json] [--folder FOLDER] [--peer-targets N]` prints a table; exit status 1
when a figure is missed. Beside it, in the same run, stand a plain file with a row for each cycle, as NOC 0.1 kept it;
RRD, where rrdtool is on PATH; and InfluxDB, where NOC_TEST_INFLUXDB_URL names one: its bucket is filled, and it is
asked by the store and in Flux, its own language. The CPU of a server is not counted.
Bytes written are those that Linux counts for this process: the folder must be on a real disk.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import json
import multiprocessing
import os
import random
import resource
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from influxdb_client.client.influxdb_client import InfluxDBClient
from msgspec.structs import replace

from noc_bus.messages import Mark, ProbeResult, SiteState, State, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame.sqlite import Database
from noc_history.chart import bucket_of
from noc_history.cycles import SHIFT, packed_portions
from noc_history.packing import IN_A_BLOCK, portions, row_of, without_repeats
from noc_history.rollups import BY_START, FIVE_MINUTES_MS, Rollup, merged_to, pack_rollups, roll_up
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Bucket, Definition, Silence, Store
from noc_history.stores import HistoryUrl, parse
from noc_history.sums import (
    DAYS,
    HOURS,
    MINUTES,
    UNIT_MS,
    Tier,
    mark_stale,
    note_hours,
    packed_groups,
    quarters_of,
)
from noc_recorder.maintenance import BUDGET_S
from noc_web.uptime import timelines

SEED: Final = 8
SITES: Final = ("berlin", "paris", "vienna")
TARGETS: Final = 1000
PEER_TARGETS: Final = 10
INTERVAL_MS: Final = 10_000
# Whole hours in the past, so that they can be packed at once.
START: Final = (int(Time.now()) // HOUR_MS - 48) * HOUR_MS


@dataclass
class Figure:
    """`wanted`: "<= 12" or ">= 20"; None: it stands there for comparison."""

    name: str
    value: float
    unit: str
    wanted: str | None = None

    @property
    def is_met(self) -> bool:
        if self.wanted is None:
            return True
        sign, limit = self.wanted.split()
        return self.value <= float(limit) if sign == "<=" else self.value >= float(limit)


class _Cycle(NamedTuple):
    done: float
    at: int
    site: str
    target: str
    rtts_ms: list[float]


class Load:
    """1,000 targets from 3 sites every 10 s: RTTs of 1 to 200 ms with log-normal jitter of 1 to 10 %, 0.5 % lost."""

    def __init__(self, start: int = START, targets: int = TARGETS) -> None:
        rng = random.Random(SEED)
        self._rng, self._start = rng, start
        self._seqs = dict.fromkeys(SITES, 0)
        self._lines = sorted(
            (rng.randrange(INTERVAL_MS), site, f"host-{number}", rng.uniform(1, 200), rng.uniform(0.01, 0.1))
            for number in range(targets)
            for site in SITES
        )

    def slices(self, seconds: float, slice_s: float) -> Iterator[list[ProbeResult]]:
        """What is done in each slice of time, as sites number it: in the order in which cycles end."""
        slice_ms = int(slice_s * 1000)
        for begin in range(0, int(seconds * 1000), slice_ms):
            yield [self._result(cycle) for cycle in sorted(self._cycles(begin, begin + slice_ms))]

    def _cycles(self, begin: int, end: int) -> Iterator[_Cycle]:
        rng = self._rng
        for first in range(begin // INTERVAL_MS * INTERVAL_MS, end, INTERVAL_MS):
            for phase, site, target, base_ms, jitter in self._lines:
                if begin <= first + phase < end:
                    rtts = [
                        round(base_ms * rng.lognormvariate(0, jitter), 3) for _ in range(5) if rng.random() >= 0.005
                    ]
                    took_ms = 800 + (rtts[-1] if len(rtts) == 5 else 1000)
                    yield _Cycle(first + phase + took_ms, first + phase, site, target, rtts)

    def _result(self, cycle: _Cycle) -> ProbeResult:
        self._seqs[cycle.site] += 1
        return ProbeResult(
            site=cycle.site, target=cycle.target, epoch=1, seq=self._seqs[cycle.site], at=Time(self._start + cycle.at),
            address="192.0.2.1", sent=5, received=len(cycle.rtts_ms), rtts_ms=cycle.rtts_ms,
        )  # fmt: skip

    def marks(self) -> list[Mark]:
        return [Mark(site=site, epoch=1, seq=seq, at=Time.now()) for site, seq in self._seqs.items()]


_ROWS_SCHEMA: Final = """
CREATE TABLE cycle (
    series INTEGER, at INTEGER, seq INTEGER, sent INTEGER, received INTEGER, is_valid INTEGER, min_us INTEGER,
    sum_us INTEGER, max_us INTEGER, rtts_us BLOB, invalid_code TEXT, error_codes TEXT, PRIMARY KEY (series, at, seq)
) WITHOUT ROWID
"""


_ROWS_CHART: Final = """
SELECT at / ? AS bucket, COUNT(*), SUM(sent), SUM(received), MIN(min_us), SUM(sum_us), MAX(max_us)
FROM cycle WHERE series = ? AND at >= ? AND at < ? GROUP BY bucket
"""


class Rows:
    """The peer: a row for each cycle, clustered by series and time, as the file of NOC 0.1's successor had it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._series: dict[tuple[str, str], int] = {}
        for statement in (
            "PRAGMA auto_vacuum = INCREMENTAL",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE mark (site TEXT PRIMARY KEY, epoch INTEGER, seq INTEGER, at INTEGER)",
            _ROWS_SCHEMA,
        ):
            self._db.execute(statement)

    def write(self, batch: Batch) -> None:
        rows = []
        for one in batch.results:
            series = self._series.setdefault((one.target, one.site), len(self._series))
            rtts_us = array("I", [round(rtt * 1000) for rtt in one.rtts_ms])
            low, total, high = (min(rtts_us), sum(rtts_us), max(rtts_us)) if rtts_us else (None, None, None)
            rows.append(
                (series, one.at, one.seq, one.sent, one.received, 1, low, total, high, rtts_us.tobytes(), None, None)
            )
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR IGNORE INTO cycle VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany(
            "INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?)",
            [(mark.site, mark.epoch, mark.seq, mark.at) for mark in batch.marks],
        )
        self._db.execute("COMMIT")

    def chart(self, target: str, start: Time, end: Time) -> int:
        """Without percentiles, which SQL has none of; how many cycles are in it."""
        width_ms = -(-(end - start) // 600)
        found = 0
        for (name, _), number in self._series.items():
            if name == target:
                for _, cycles, *_ in self._db.execute(_ROWS_CHART, (width_ms, number, start, end)).fetchall():
                    found += cycles
        return found

    def close(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()


@dataclass
class Cost:
    cycles: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    written: int = 0

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        wall_s, cpu_s, written = time.perf_counter(), time.process_time(), bytes_written()
        yield
        self.wall_s += time.perf_counter() - wall_s
        self.cpu_s += time.process_time() - cpu_s
        self.written += bytes_written() - written


def bytes_written() -> int:
    with Path("/proc/self/io").open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def write_rows(path: Path, seconds: float, slice_s: float) -> Cost:
    cost, load = Cost(), Load()
    with cost.measured():
        peer = Rows(path)
    for results in load.slices(seconds, slice_s):
        with cost.measured():
            peer.write(Batch(results=results, marks=load.marks()))
        cost.cycles += len(results)
    with cost.measured():
        peer.close()
    return cost


def write_ours(path: Path, seconds: float, slice_s: float) -> tuple[Cost, Cost]:
    """What the writes alone cost, and what they cost with the upkeep that goes on beside them."""
    alone, whole, load = Cost(), Cost(), Load()
    store = SqliteStore(path)
    # Nothing is there yet to be packed; from now on small runs are folded, and at the end the hours are packed.
    store.maintain(Time(0), 1.0)
    for number, results in enumerate(load.slices(seconds, slice_s)):
        batch = Batch(results=results, marks=load.marks())
        with alone.measured(), whole.measured():
            store.write(batch)
        alone.cycles += len(results)
        if slice_s * number % 1 == 0:
            with whole.measured():
                store.maintain(Time(0), 1.0)
    whole.cycles = alone.cycles
    with whole.measured():
        pack(path)
        store.close()
    return alone, whole


def pack(path: Path) -> None:
    store = SqliteStore(path)
    while store.maintain(Time(0), 10.0).backlog_rows:
        pass
    store.close()


def size_of(path: Path) -> int:
    """Of what the file holds, without the pages that are free again."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def bytes_of(path: Path, table: str) -> int:
    """All its pages, with what is empty in them. SQLite must have been built with dbstat, as Debian's is."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT SUM(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone()[0])


def writing(folder: Path, quick: bool) -> Iterator[Figure]:
    rows = write_rows(folder / "rows.sqlite", 900 if quick else 3600, 0.5)
    alone, slow = write_ours(folder / "slow.sqlite", 3600, 0.5)
    yield Figure("row a cycle: size", size_of(folder / "rows.sqlite") / rows.cycles, "B/cycle")
    yield Figure("size of raw cycles", bytes_of(folder / "slow.sqlite", "block") / slow.cycles, "B/cycle", "<= 12")
    yield Figure("size of everything, after this hour", size_of(folder / "slow.sqlite") / slow.cycles, "B/cycle")
    yield Figure("row a cycle: written at 300/s", rows.written / rows.cycles, "B/cycle")
    yield Figure("written at 300/s", slow.written / slow.cycles, "B/cycle")
    ratio = rows.written / rows.cycles / (slow.written / slow.cycles)
    yield Figure("fewer bytes written than a row a cycle", ratio, "times", ">= 20")
    alone, fast = write_ours(folder / "fast.sqlite", 3600, 25)
    yield Figure("written at 15,000/s", fast.written / fast.cycles, "B/cycle", "<= 60")
    yield Figure("write alone", alone.cycles / alone.cpu_s, "cycles/s of CPU", ">= 60000")
    yield Figure("write alone, by the clock", alone.cycles / alone.wall_s, "cycles/s")
    yield Figure("write with upkeep", fast.cycles / fast.cpu_s, "cycles/s of CPU")


_ENOUGH: Final = {"SQLite": ">= 15000", "InfluxDB": ">= 5000"}


def marking(folder: Path, quick: bool) -> Iterator[Figure]:
    """From the MQTT message to the mark over it: `benchmarks/recording.py`, whose sites and recorder are processes."""
    command = [sys.executable, "-m", "benchmarks.recording", "--json", "--folder", str(folder)]
    given = [*command, "--quick"] if quick else command
    done = subprocess.run(given, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    for line in done.stdout.splitlines():
        one = json.loads(line)
        name = f"MQTT message to mark: {one['store']}, {one['broker']}"
        yield Figure(name, one["cycles"] / one["cpu_s"], "cycles/s of CPU", _ENOUGH[one["store"]])
        yield Figure(f"{name}, by the clock", one["cycles"] / one["wall_s"], "cycles/s")
        yield Figure(f"{name}, sent again", 100 * one["sent_again"] / one["cycles"], "%")


RANGES_H: Final = {"1 h": 1, "6 h": 6, "24 h": 24, "7 d": 168, "30 d": 720, "90 d": 2160, "1 y": 8760}
RAW_H, FIVES_H, HOURS_H = 14 * 24, 90 * 24, 365 * 24


class Year:
    """A year of some targets from three sites in a store, under the default retentions; its blocks are made directly.

    It ends where `hour` begins, counted since 1970. One hour of each is drawn and stands for all hours: the noise of
    RTTs does not care which hour it is. What is packed is packed once, and moved to each hour.
    """

    def __init__(self, store: SqliteStore, targets: int, hour: int) -> None:
        self.targets = [f"host-{number}" for number in range(targets)]
        self._store = store
        names = {(one, site): None for one in self.targets for site in SITES}
        found = next(Load().slices(3600, 3600))
        # The store gives the series their numbers.
        chosen = [one for one in found if (one.target, one.site) in names]
        store.write(
            Batch(results=[replace(one, at=Time.now()) for one in {(r.target, r.site): r for r in chosen}.values()])
        )
        numbers = store.inspected(
            lambda file: {(t, s): n for n, t, s in file.read("read", "SELECT id, target, site FROM series")}
        )
        self._rows = without_repeats([row_of(numbers[one.target, one.site], one) for one in chosen])
        self._now_h = hour

    def make(self) -> None:
        """As upkeep leaves it: today's sums over five minutes are fresh, and so are those over hours of a week."""
        fives = roll_up(self._rows, FIVE_MINUTES_MS)
        self._store.inspected(self._fill_blocks)
        self._store.inspected(lambda file: self._fill_minutes(file, fives))
        self._store.inspected(lambda file: self._fill_hours(file, merged_to(fives, HOUR_MS)))

    def make_days(self, targets: list[str]) -> None:
        """A year of days of these, and the hours of today: all that questions about many targets read."""
        self._store.write(Batch(results=[_first_of(target, site) for target in targets for site in SITES]))
        found = self._store.inspected(lambda file: file.read("read", "SELECT id FROM series ORDER BY id"))
        hours = merged_to(roll_up(self._rows, FIVE_MINUTES_MS), HOUR_MS)
        hours = [hours[n % len(hours)]._replace(series=number) for n, (number,) in enumerate(found)]
        today = self._now_h // 24
        day = [one._replace(start=0) for one in merged_to(_moved(hours, range(24)), DAY_MS)]

        def fill(file: Database) -> None:
            per_unit = DAYS.packed_ms // DAY_MS
            for number in range((today - 365) // per_unit, today // per_unit + 1):
                days = range(number * per_unit, min((number + 1) * per_unit, today))
                packed = [one._replace(start=n * DAY_MS) for n in days if n < today - 7 for one in day]
                with file.transaction("write") as connection:
                    _put_packed(connection, DAYS, number, packed)
                    for n in days:
                        if n >= today - 7:
                            _put_fresh(connection, "days", n, [one._replace(start=n * DAY_MS) for one in day], 24)
            for hour in range(today * 24, self._now_h):
                with file.transaction("write") as connection:
                    note_hours(connection, hour, _moved(hours, [hour]))
                    mark_stale(connection, hour)
            # The day so far is summed up beside its hours.
            with file.transaction("write") as connection:
                so_far = merged_to(_moved(hours, range(today * 24, self._now_h)), DAY_MS)
                _put_fresh(connection, "days", today, so_far, 24)
                connection.execute("UPDATE stale_day SET summed = marks")

        self._store.inspected(fill)

    def _fill_blocks(self, file: Database) -> None:
        packed = list(packed_portions(self._rows, IN_A_BLOCK))
        for hour in range(self._now_h - RAW_H, self._now_h - 1):
            by_ms = hour * HOUR_MS - START
            with file.transaction("write") as connection:
                connection.executemany(
                    "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
                    [
                        (hour << SHIFT | one, first + by_ms, last + by_ms, cycles, _later_cycles(data, by_ms))
                        for one, first, last, cycles, data in packed
                    ],
                )

    def _fill_minutes(self, file: Database, fives: list[Rollup]) -> None:
        today = self._now_h // 24
        for hour in range(today * 24, self._now_h):
            with file.transaction("write") as connection:
                _put_fresh(connection, "minutes", hour, _moved(fives, [hour]), 36)
        first = (self._now_h - FIVES_H) // 24
        packed = packed_groups(MINUTES, first, _moved(fives, range(first * 24, first * 24 + 24)))
        _put_later(file, MINUTES.packed, packed, today - first, DAY_MS)

    def _fill_hours(self, file: Database, hours: list[Rollup]) -> None:
        today = self._now_h // 24
        for tier, size in ((HOURS, 96), (DAYS, 24)):
            days = tier.packed_ms // DAY_MS
            first = (self._now_h - HOURS_H) // 24 // days
            last = (today - 7) // days
            whole = packed_groups(tier, first, _summed(tier, hours, range(first * days, first * days + days)))
            _put_later(file, tier.packed, whole, last - first, tier.packed_ms)
            if tier == HOURS:
                quarters = [(key, quarters_of(data)) for key, data in whole]
                _put_later(file, "packed_quarters", quarters, last - first, tier.packed_ms)
            with file.transaction("write") as connection:
                if sums := _summed(tier, hours, range(last * days, today - 7)):
                    _put_packed(connection, tier, last, sums)
                for day in range(today - 7, today):
                    _put_fresh(connection, tier.fresh, day, _summed(tier, hours, [day]), size)


_PACKED: Final = struct.Struct("<BI")
"""How cycles and sums begin that are packed: the version, and of cycles the length of their index."""
_COLUMN: Final = struct.Struct("<BqI")
"""How a column begins: the bytes of a value, the smallest one, and how many there are."""


def _later(columns: bytes, place: int, by: int) -> bytes:
    """The same columns, where all values of one of them are so much greater."""
    start = 0
    for _ in range(place):
        width, _, count = _COLUMN.unpack_from(columns, start)
        start += _COLUMN.size + width * count
    width, low, count = _COLUMN.unpack_from(columns, start)
    moved = columns[:start] + _COLUMN.pack(width, low + by, count) + columns[start + _COLUMN.size :]
    return zlib.compress(moved, 6, wbits=-15)


def _later_cycles(data: bytes, by_ms: int) -> bytes:
    version, size = _PACKED.unpack_from(data)
    index, rtts = data[_PACKED.size : _PACKED.size + size], data[_PACKED.size + size :]
    index = _later(zlib.decompress(index, wbits=-15), 2, by_ms)
    return _PACKED.pack(version, len(index)) + index + rtts


def _put_later(file: Database, table: str, packed: list[tuple[int, bytes]], times: int, every_ms: int) -> None:
    """These packed sums, and the same again each `every_ms` later, so many times in all."""
    inflated = [(key, data[: _PACKED.size], zlib.decompress(data[_PACKED.size :], wbits=-15)) for key, data in packed]
    for number in range(times):
        by = number * every_ms // FIVE_MINUTES_MS
        with file.transaction("write") as connection:
            moved = ((key + (number << SHIFT), head + _later(sums, 1, by)) for key, head, sums in inflated)
            connection.executemany(INSERTS[table], moved)


def _summed(tier: Tier, hours: list[Rollup], days: Iterable[int]) -> list[Rollup]:
    """An hour's sums for each hour of some days, summed up as the tier has them, by series and start."""
    moved = _moved(hours, [hour for day in days for hour in range(day * 24, day * 24 + 24)])
    return merged_to(moved, DAY_MS) if tier == DAYS else moved


def _first_of(target: str, site: str) -> ProbeResult:
    return ProbeResult(
        site=site, target=target, epoch=1, seq=0, at=Time.now(), address="192.0.2.1", sent=5, received=0, rtts_ms=[]
    )


def _moved(sums: list[Rollup], hours: Iterable[int]) -> list[Rollup]:
    """One hour's sums for each of some hours."""
    moved = [one._replace(start=one.start + hour * HOUR_MS - START) for hour in hours for one in sums]
    return sorted(moved, key=BY_START)


def _put_fresh(connection: sqlite3.Connection, table: str, number: int, sums: list[Rollup], size: int) -> None:
    for some in portions(sums, size):
        connection.execute(INSERTS[table], (number << SHIFT | some[0].series, pack_rollups(some)))


def _put_packed(connection: sqlite3.Connection, tier: Tier, number: int, sums: list[Rollup]) -> None:
    packed = packed_groups(tier, number, sorted(sums, key=BY_START))
    connection.executemany(INSERTS[tier.packed], packed)
    if tier == HOURS:
        connection.executemany(INSERTS["packed_quarters"], [(key, quarters_of(data)) for key, data in packed])


INSERTS: Final = {table: "INSERT INTO {table} VALUES (?, ?)".replace("{table}", table) for table in UNIT_MS}


def reading(folder: Path, quick: bool) -> Iterator[Figure]:
    path = folder / "year.sqlite"
    targets, seconds = (10, 600) if quick else (TARGETS, 3000)
    hour = int(Time.now()) // HOUR_MS
    # A process of its own, as the recorder is: what it keeps in memory is no part of who reads.
    context = multiprocessing.get_context("spawn")
    is_made = context.Event()
    writer = context.Process(target=_make_and_write_on, args=(path, targets, hour, seconds, is_made))
    writer.start()
    try:
        while not is_made.wait(1):
            assert writer.is_alive(), "the file could not be made"
        size = sum(bytes_of(path, table) for table in ("block", *UNIT_MS))
        yield Figure("a year of 1,000 targets from 3 sites", size / targets * 1000 / 1e9, "GB", "<= 20")
        # As in the web service the collector has not to look at what is there for good.
        gc.collect()
        gc.freeze()
        # Open as long as anything else here has the file open: SQLite's locks would go with it.
        file = os.open(path, os.O_RDONLY)
        now = Time(hour * HOUR_MS + seconds * 1000)
        yield from _charts(path, file, targets, now, 20 if quick else 100)
        os.close(file)
    finally:
        writer.terminate()
        writer.join()


def _make_and_write_on(path: Path, targets: int, hour: int, seconds: int, is_made: Event) -> None:
    """A year, and `seconds` of the hour that is not over; then 300 cycles a second, until it is terminated."""
    store = SqliteStore(path)
    Year(store, targets, hour).make()
    store.maintain(None, 60.0)
    live = Load(start=hour * HOUR_MS)
    for number, results in enumerate(live.slices(2 * seconds, 0.5)):
        if number >= 2 * seconds:
            is_made.set()
            time.sleep(0.5)
        store.write(Batch(results=results, marks=live.marks()))
        # As often and as long as the recorder does.
        if number % 2:
            store.maintain(None, BUDGET_S)


def _charts(path: Path, file: int, targets: int, now: Time, times: int) -> Iterator[Figure]:
    """Of each range so many, which end `now`."""
    rng = random.Random(SEED)
    cold: dict[str, list[_Took]] = {name: [] for name in RANGES_H}
    for name in [*RANGES_H] * 3:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        reader = SqliteStore(path)
        cold[name].append(_chart_of(reader, rng.randrange(targets), name, now))
        reader.close()
    reader = SqliteStore(path)
    wanted = [(name, rng.randrange(targets)) for name in RANGES_H for _ in range(times)]
    rounds = [[_chart_of(reader, target, name, now) for name, target in wanted] for _ in range(ROUNDS)]
    reader.close()
    for number, name in enumerate(RANGES_H):
        warm = [of_round[number * times : (number + 1) * times] for of_round in rounds]
        each = list(itertools.chain.from_iterable(warm))
        least_s = [min(took).cpu_s for took in zip(*warm, strict=True)]
        yield Figure(f"chart of {name}, warm, p95", 1000 * _p95(least_s), "ms of CPU", "<= 100")
        yield Figure(f"chart of {name}, warm, p95 of all rounds", 1000 * _p95([one.cpu_s for one in each]), "ms of CPU")
        yield Figure(f"chart of {name}, warm, by the clock", 1000 * statistics.median(one.wall_s for one in each), "ms")
        yield Figure(f"chart of {name}, cold, worst of 3", 1000 * max(cold[name]).cpu_s, "ms of CPU", "<= 500")


ROUNDS: Final = 3
"""The same charts are asked for in each, and the least of each counts: for seconds, what shares the machine makes all
cost up to twice as much."""


class _Took(NamedTuple):
    cpu_s: float
    wall_s: float


def _chart_of(reader: SqliteStore, number: int, name: str, now: Time) -> _Took:
    target, hours = f"host-{number}", RANGES_H[name]
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    chart = reader.chart([target], None, Time(now - hours * HOUR_MS), now, 600)[target]
    took = _Took(time.thread_time() - cpu_s, time.perf_counter() - wall_s)
    # Nothing may be missing but at the edges, where what is not summed up yet shares a bucket with what is.
    assert sum(one.cycles for one in chart.merged) >= (hours - 4) * len(SITES) * HOUR_MS // INTERVAL_MS, name
    return took


def _p95(values: list[float]) -> float:
    return sorted(values)[len(values) * 95 // 100]


def reporting(folder: Path, quick: bool) -> Iterator[Figure]:
    for targets, days, name in ((1000, 365, "1,000 targets x 1 y"), (5000, 30, "5,000 targets x 30 d")):
        store = SqliteStore(folder / f"{targets}.sqlite")
        now = Time.now()
        known = {one.id: one for one in _put_states(store, targets, days, now)}
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        found = dict(timelines(store, [*known.values()], Time(now - days * DAY_MS), now, known=known, explained=False))
        took = (time.process_time() - cpu_s, time.perf_counter() - wall_s)
        assert sum(bool(one.uptime.outages) for one in found.values()) > 0.9 * targets, name
        store.close()
        yield Figure(f"uptime of {name}", took[0], "s of CPU", "<= 3")
        yield Figure(f"uptime of {name}, by the clock", took[1], "s")


def _put_states(store: SqliteStore, targets: int, days: int, now: Time) -> list[Target]:
    """Every two weeks each target is DOWN or DEGRADED from most sites for up to 50 minutes; once a month one is silent.

    All are behind the first.
    """
    rng = random.Random(SEED)
    start = now - days * DAY_MS
    known = [
        Target(id=f"host-{number}", name="a host", address="192.0.2.1", parents=["host-0"] if number else [])
        for number in range(targets)
    ]
    for target in known:
        moments = sorted(rng.randrange(start, now - 3_600_000) for _ in range(max(2, days // 14)))
        results, states, silences = [], [], []
        for site in SITES:
            seen: list[tuple[int, State]] = [(start, State.UP)]
            for number, moment in enumerate(moments):
                if number == 0 or rng.random() < 0.8:
                    kind = State.DOWN if number % 2 == 0 else State.DEGRADED
                    down_at = moment + rng.randrange(5000)
                    seen += [(down_at, kind), (down_at + rng.randrange(20_000, 3_000_000), State.UP)]
            states += [
                SiteState(site=site, target=target.id, epoch=1, seq=seq, state=kind, since=Time(at), at=Time(at),
                          reason="5 checks unanswered", code="unanswered")
                for seq, (at, kind) in enumerate(seen)
            ]  # fmt: skip
            begins = [Time(rng.randrange(start, now - 3_600_000)) for _ in range(max(1, days // 30))]
            silences += [Silence(target.id, site, one, Time(one + rng.randrange(60_000, 600_000))) for one in begins]
            results.append(
                ProbeResult(site=site, target=target.id, epoch=1, seq=10**6, at=now, address="192.0.2.1",
                            sent=1, received=1, rtts_ms=[1.0])
            )  # fmt: skip
        definition = Definition(target.id, Time(start), target)
        store.write(Batch(results=results, states=states, silences=silences, definitions=[definition]))
    return known


def overviews(folder: Path, quick: bool) -> Iterator[Figure]:
    """Questions about 1,000 targets at once; the sums of some of them stand for those of all."""
    path = folder / "many.sqlite"
    store = SqliteStore(path)
    year = Year(store, 10 if quick else 100, int(Time.now()) // HOUR_MS)
    year.make_days([f"host-{number}" for number in range(TARGETS)])
    store.close()
    reader = SqliteStore(path)
    today = int(Time.now()) // DAY_MS

    def strips() -> int:
        return len(reader.daily(None, Time((today - 89) * DAY_MS), Time.now()))

    def top() -> int:
        start = Time((today - 7) * DAY_MS)
        now = {name: bucket_of(one) for name, one in reader.totals(None, start, Time.now()).items()}
        before = {name: bucket_of(one) for name, one in reader.totals(None, Time(start - 8 * DAY_MS), start).items()}
        for figure in (_loss_of, _median_of, _p95_of):
            sorted(now, key=lambda name: figure(now[name]) - figure(before[name]))
        return len(now)

    for name, ask in (("90-day strips of 1,000 targets", strips), ("top-N of 1,000 targets over 7 days", top)):
        took = []
        for _ in range(6):
            wall_s, cpu_s = time.perf_counter(), time.thread_time()
            assert ask() == TARGETS, name
            took.append((time.thread_time() - cpu_s, time.perf_counter() - wall_s))
        # The first is cold.
        yield Figure(name, max(took[1:])[0], "s of CPU", "<= 1")
        yield Figure(f"{name}, by the clock", sorted(one[1] for one in took)[3], "s")
    reader.close()


def _loss_of(one: Bucket) -> float:
    return one.loss or 0.0


def _median_of(one: Bucket) -> float:
    return one.percentiles_ms[2] if one.percentiles_ms else 0.0


def _p95_of(one: Bucket) -> float:
    return one.percentiles_ms[4] if one.percentiles_ms else 0.0


class Rrd:
    """A file for each target and site, as SmokePing keeps them: the loss, and the RTTs of each cycle in their order.

    What it can answer is the mean of each over a slice of time: no percentile, no count, no state.
    """

    _VALUES: Final = ("loss", *(f"ping{number}" for number in range(1, 6)))

    def __init__(self, folder: Path, start: Time) -> None:
        self._folder, self._start = folder, start // 1000
        folder.mkdir()

    def write(self, series: Sequence[ProbeResult]) -> None:
        """All cycles of one target from one site, in the order of time."""
        path, step_s = self._path(series[0].target, series[0].site), INTERVAL_MS // 1000
        values = [f"DS:{name}:GAUGE:{2 * step_s}:0:U" for name in self._VALUES]
        rows = len(series) + 10
        archives = [f"RRA:AVERAGE:0.5:{steps}:{-(-rows // steps)}" for steps in (1, 30, 360)]
        begin = ["--start", str(self._start - step_s), "--step", str(step_s)]
        _rrdtool("create", path, *begin, *values, *archives)
        updates = []
        for one in series:
            rtts = [f"{rtt:.3f}" for rtt in sorted(one.rtts_ms)] + ["U"] * (5 - len(one.rtts_ms))
            updates.append(":".join([f"{one.at / 1000:.3f}", str(one.sent - one.received), *rtts]))
        for first in range(0, len(updates), 500):
            _rrdtool("update", path, *updates[first : first + 500])

    def chart(self, target: str, end: Time) -> int:
        """How many slices have a median; at most 600 of each site."""
        width_s = -(-(end // 1000 - self._start) // 600)
        found = 0
        for site in SITES:
            period = ["--start", str(self._start), "--end", str(end // 1000), "--resolution", str(width_s)]
            lines = _rrdtool("fetch", self._path(target, site), "AVERAGE", *period).splitlines()[2:]
            found += sum("nan" not in line.split()[3] for line in lines)
        return found

    def bytes(self) -> int:
        return sum(one.stat().st_size for one in self._folder.iterdir())

    def _path(self, target: str, site: str) -> str:
        return str(self._folder / f"{target}-{site}.rrd")


def _rrdtool(*words: str) -> str:
    done = subprocess.run(["rrdtool", *words], check=True, capture_output=True, text=True)  # noqa: S603, S607  # from PATH, with words of ours
    return done.stdout


_FLUX: Final = """
cycles = from(bucket: "{bucket}") |> range(start: {start}, stop: {stop})
  |> filter(fn: (r) => r._measurement == "cycle" and r.target == "{target}")
cycles |> filter(fn: (r) => contains(value: r._field, set: ["cycles", "sent", "received", "sum_us"]))
  |> aggregateWindow(every: {width}ms, fn: sum, createEmpty: false) |> yield(name: "sum")
cycles |> filter(fn: (r) => r._field == "min_us")
  |> aggregateWindow(every: {width}ms, fn: min, createEmpty: false) |> yield(name: "min")
cycles |> filter(fn: (r) => r._field == "max_us")
  |> aggregateWindow(every: {width}ms, fn: max, createEmpty: false) |> yield(name: "max")
"""


class Flux:
    """The same bucket asked for a chart as people ask InfluxDB 2: without percentiles, for the RTTs are one text."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        org, self._bucket = (unquote(name) for name in parts.path.split("/")[1:])
        address = f"http://{parts.hostname}:{parts.port or 8086}"
        self._client = InfluxDBClient(url=address, token=unquote(parts.username or ""), org=org, timeout=60_000)

    def chart(self, target: str, start: Time, end: Time) -> int:
        width = -(-(end - start) // 600)
        query = _FLUX.format(bucket=self._bucket, start=start, stop=end, target=target, width=width)
        found = self._client.query_api().query(query)
        return sum(row["_value"] for table in found for row in table.records if row["_field"] == "cycles")

    def close(self) -> None:
        self._client.close()


def peers(folder: Path, quick: bool, targets: int = PEER_TARGETS) -> Iterator[Figure]:
    """The same cycles and questions in rows of SQLite, in RRD, and in InfluxDB by the store's points and questions and in Flux.

    By default they hold a hundredth of the targets for a day, with --quick a sixth of that.
    """
    hours = 4 if quick else 24
    start = Time((int(Time.now()) // HOUR_MS - hours) * HOUR_MS)
    batches = list(Load(start=start, targets=targets).slices(hours * 3600, 600))
    rows, ours = Rows(folder / "peer-rows.sqlite"), SqliteStore(folder / "peer-ours.sqlite")
    for results in batches:
        rows.write(Batch(results=results))
        ours.write(Batch(results=results))
    pack(ours.path)
    name = f"{hours} h of {targets} targets"
    yield from _asked(f"SQLite store, {name}", lambda target: _figures_of(ours, target, start))
    yield from _asked(f"rows of SQLite, {name}", lambda target: rows.chart(target, start, Time.now()))
    rows.close()
    if shutil.which("rrdtool"):
        yield from _in_rrd(Rrd(folder / "rrd", start), batches, name)
    else:
        print("  RRD is left out: rrdtool is not on PATH", file=sys.stderr)
    url = os.environ.get("NOC_TEST_INFLUXDB_URL")
    if url:
        yield from _in_influxdb(parsed(url).open(), batches, name, start)
        flux = Flux(url)
        yield from _asked(f"InfluxDB in Flux, {name}", lambda target: flux.chart(target, start, Time.now()))
        flux.close()
    else:
        print("  InfluxDB is left out: NOC_TEST_INFLUXDB_URL names none", file=sys.stderr)
    ours.close()


def parsed(url: str) -> HistoryUrl:
    found = parse(url)
    assert found is not None
    return found


def _in_rrd(rrd: Rrd, batches: list[list[ProbeResult]], name: str) -> Iterator[Figure]:
    cost = Cost()
    found: dict[tuple[str, str], list[ProbeResult]] = {}
    for one in itertools.chain.from_iterable(batches):
        found.setdefault((one.target, one.site), []).append(one)
    for series in found.values():
        series.sort(key=lambda one: one.at)
        with cost.measured():
            rrd.write(series)
        cost.cycles += len(series)
    yield Figure("RRD: write in batches of 500, by the clock", cost.cycles / cost.wall_s, "cycles/s")
    yield Figure("RRD: size, sums over 5 minutes and an hour with it", rrd.bytes() / cost.cycles, "B/cycle")
    yield from _asked(f"RRD, {name}", lambda target: rrd.chart(target, Time.now()))


def _in_influxdb(store: Store, batches: list[list[ProbeResult]], name: str, start: Time) -> Iterator[Figure]:
    store.prepare()
    cost, upkeep = Cost(), Cost()
    for results in batches:
        with cost.measured():
            store.write(Batch(results=results))
        cost.cycles += len(results)
    yield Figure("InfluxDB: write alone, by the clock", cost.cycles / cost.wall_s, "cycles/s", ">= 5000")
    yield Figure("InfluxDB: write alone", cost.cycles / cost.cpu_s, "cycles/s of CPU")
    with upkeep.measured():
        while store.maintain(Time(0), 10.0).backlog_rows:
            pass
    yield Figure("InfluxDB: summed up, by the clock", cost.cycles / upkeep.wall_s, "cycles/s")
    yield from _asked(f"InfluxDB, {name}", lambda target: _figures_of(store, target, start))
    store.close()


def _figures_of(store: Store, target: str, start: Time) -> int:
    return sum(one.cycles for one in store.chart([target], None, start, Time.now(), 600)[target].merged)


def _asked(what: str, ask: Callable[[str], int]) -> Iterator[Figure]:
    """A chart of each of the targets, with percentiles where there are any."""
    took = []
    for number in range(PEER_TARGETS):
        wall_s, cpu_s = time.perf_counter(), time.thread_time() + _children_s()
        assert ask(f"host-{number}") > 0, what
        took.append((time.thread_time() + _children_s() - cpu_s, time.perf_counter() - wall_s))
    yield Figure(f"chart from {what}", 1000 * max(one[0] for one in took), "ms of CPU")
    yield Figure(f"chart from {what}, by the clock", 1000 * sorted(one[1] for one in took)[PEER_TARGETS // 2], "ms")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PARTS: Final[dict[str, Callable[..., Iterator[Figure]]]] = {
    "writing": writing,
    "marking": marking,
    "reading": reading,
    "reporting": reporting,
    "overviews": overviews,
    "peers": peers,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("--json", action="store_true", help="the figures as one object")
    parser.add_argument(
        "--folder", type=Path, help="on a real disk, where the files are made; default: a temporary one"
    )
    parser.add_argument(
        "--peer-targets",
        type=int,
        default=PEER_TARGETS,
        metavar="N",
        help=f"how many of the {TARGETS} targets the peers hold, {PEER_TARGETS} at least (default: {PEER_TARGETS})",
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these: " + ", ".join(PARTS))
    arguments = parser.parse_args()
    figures: list[Figure] = []
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name in arguments.parts or PARTS:
            given = {"targets": max(PEER_TARGETS, arguments.peer_targets)} if name == "peers" else {}
            for figure in PARTS[name](Path(folder), arguments.quick, **given):
                figures.append(figure)
                if not arguments.json:
                    print(described(figure), flush=True)
    if arguments.json:
        print(
            json.dumps({"seed": SEED, "figures": [asdict(one) | {"is_met": one.is_met} for one in figures]}, indent=1)
        )
    return 0 if all(one.is_met for one in figures) else 1


def described(figure: Figure) -> str:
    wanted = "" if figure.wanted is None else f"{figure.wanted}: {'yes' if figure.is_met else 'NO'}"
    return f"  {figure.name:52} {figure.value:12,.1f} {figure.unit:18} {wanted}"


if __name__ == "__main__":
    sys.exit(main())
