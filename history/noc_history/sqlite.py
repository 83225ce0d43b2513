"""The embedded store: one SQLite file that one recorder writes and any number of processes read."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sqlite3
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from noc_bus.codec import decode, encode
from noc_bus.messages import Incident, Mark, ProbeResult, SiteState, Target, Trace
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_frame.sqlite import Database, DatabaseFault, Ladder, sql
from noc_history.chart import chart_of, codes_of, whole_buckets, whole_hours, width_for
from noc_history.cycles import SCHEMA, commit, cycles_of, extent, has_rows, newest, noted_cycles_of
from noc_history.housekeeping import Housekeeping
from noc_history.inspection import growths
from noc_history.packing import (
    AT,
    Row,
    UnknownPackingError,
    codes_in,
    is_valid,
    result_of,
    row_of,
    unpack,
    without_repeats,
)
from noc_history.rollups import Rollup, merged
from noc_history.room import Room, room
from noc_history.store import (
    KEEP_5MIN_DAYS,
    KEEP_HOURLY_DAYS,
    Batch,
    Chart,
    Codes,
    Day,
    Definition,
    Point,
    Silence,
    SiteRecords,
    StateRecord,
    StoreError,
    Sum,
    Upkeep,
    Written,
    days_ago,
)
from noc_history.sums import (
    PACKED_SCHEMA,
    QUARTERS_SCHEMA,
    RECENT_SCHEMA,
    WIDTH_MS,
    daily_counts,
    hours_and_days,
    keep,
    quarters_of,
    rollups_of,
    sum_up_block,
    sums_of,
)
from noc_history.sums import SCHEMA as SUMS_SCHEMA

_VACUUM_PAGES: Final = 500
# Free pages are used by the next cycles; only what stays free for long is given back.
_FREE_SHARE: Final = 0.1
_FREE_PAGES: Final = 16_384
_CHECKPOINT_EVERY_S: Final = 15.0
# Of the room that a file may take, so much is used at most; the rest is for what comes while the oldest goes.
_FULL_SHARE: Final = 0.9
# What is younger stays in any case: people look at it, and states are estimated from it.
_NEVER_CUT_MS: Final = DAY_MS

_VERSION_1: Final = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    site TEXT NOT NULL,
    UNIQUE (target, site)
);
CREATE TABLE cycle (
    series INTEGER NOT NULL,
    at INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL,
    is_valid INTEGER NOT NULL,
    min_us INTEGER,
    sum_us INTEGER,
    max_us INTEGER,
    rtts_us BLOB,
    PRIMARY KEY (series, at)
) WITHOUT ROWID;
CREATE INDEX cycle_at ON cycle (at);
CREATE TABLE state (
    series INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    since INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (series, since, epoch, seq)
) WITHOUT ROWID;
CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    resolved_at INTEGER,
    message BLOB NOT NULL
);
CREATE INDEX incident_opened_at ON incident (opened_at);
CREATE TABLE mark (
    site TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL
);
"""
_VERSION_2: Final = """
-- The cycles of version 1 stay where they are until they are old enough to go: there may be millions.
ALTER TABLE cycle RENAME TO old_cycle;
-- Clustered by series and time: a chart reads one contiguous run of pages, and so does who deletes what is old.
-- A clock that was put back gives two cycles one start; the journal's number tells them apart.
CREATE TABLE cycle (
    series INTEGER NOT NULL,
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL,
    is_valid INTEGER NOT NULL,
    min_us INTEGER,
    sum_us INTEGER,
    max_us INTEGER,
    rtts_us BLOB,
    invalid_code TEXT,
    error_codes TEXT,
    PRIMARY KEY (series, at, seq)
) WITHOUT ROWID;
CREATE VIEW any_cycle AS
    SELECT series, at, sent, received, is_valid, min_us, sum_us, max_us FROM cycle
    UNION ALL SELECT series, at, sent, received, is_valid, min_us, sum_us, max_us FROM old_cycle;
ALTER TABLE state ADD COLUMN code TEXT;
-- Version 1 knew a pause by its sentence.
UPDATE state SET code = 'paused' WHERE state = 'UNKNOWN' AND reason = 'paused';
CREATE TABLE silence (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
CREATE TABLE definition (
    target TEXT NOT NULL,
    since INTEGER NOT NULL,
    message BLOB,
    PRIMARY KEY (target, since)
) WITHOUT ROWID;
"""

_TRACES: Final = """
CREATE TABLE trace (
    series INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- JSON, deflated.
    message BLOB NOT NULL,
    PRIMARY KEY (series, at)
);
"""

_GONE: Final = """
-- Series of which everything is to go: no name leads to them any more, and no new one gets their number.
CREATE TABLE gone (
    series INTEGER PRIMARY KEY,
    -- 1: no portion that is packed has them.
    is_swept INTEGER NOT NULL
);
"""

_CUT: Final = """
-- Cycles that began before went although they were to be kept for longer: the file was to take no more room.
ALTER TABLE keep ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;
"""

_KEEP_DAYS: Final = 14
_KEEP_DAYS_BEFORE: Final = 30


def _to_version_4(connection: sqlite3.Connection) -> None:
    sql(SUMS_SCHEMA)(connection)
    # What is there already was to be kept for 30 days.
    is_old = has_rows(connection) or connection.execute("SELECT EXISTS (SELECT 1 FROM block)").fetchone()[0]
    connection.execute("INSERT INTO keep VALUES (1, ?)", (_KEEP_DAYS_BEFORE if is_old else _KEEP_DAYS,))
    for key, data in connection.execute("SELECT id, data FROM block").fetchall():
        sum_up_block(connection, key, unpack(data))


def _to_version_6(connection: sqlite3.Connection) -> None:
    sql(RECENT_SCHEMA)(connection)
    sql(QUARTERS_SCHEMA)(connection)
    # Packed hours are of version 5 only; those of version 4 get their quarters when they are packed.
    for key, data in connection.execute("SELECT id, data FROM packed_hours").fetchall():
        connection.execute("INSERT INTO packed_quarters VALUES (?, ?)", (key, quarters_of(data)))


LADDER: Final = Ladder(
    steps=[
        sql(_VERSION_1),
        sql(_VERSION_2),
        sql(SCHEMA),
        _to_version_4,
        sql(PACKED_SCHEMA),
        _to_version_6,
        sql(_TRACES),
        sql(_GONE),
        sql(_CUT),
    ],
    cure="name another file in NOC_HISTORY_URL",
)
# Of a file that NOC_HISTORY_URL names wrongly SQLite says that it is no database: that one is left alone.
_SETS_ASIDE: Final = frozenset({sqlite3.SQLITE_CORRUPT})


_T = TypeVar("_T")


@dataclass
class _Known:
    """What a writer need not look up each time: the numbers of series, and that of the last run.

    `gone`: how many series had been forgotten when the numbers were looked up.
    """

    gone: int = 0
    series: dict[tuple[str, str], int] = field(default_factory=dict)
    run: int = 0


class SqliteStore:
    """Implements `noc_history.store.Store`. Safe to use from several threads."""

    def __init__(
        self,
        path: Path,
        *,
        keep_days: int | None = None,
        keep_5min_days: int = KEEP_5MIN_DAYS,
        keep_hourly_days: int = KEEP_HOURLY_DAYS,
        max_bytes: int | None = None,
        read_s: float | None = None,
    ) -> None:
        """Nothing is opened yet: the folder may appear later.

        `keep_days`: what `maintain` will be told; None: nothing. `keep_5min_days` and `keep_hourly_days`: how long rollups are kept; never shorter than raw cycles.
        `max_bytes`: where the file would be larger, the oldest raw cycles go before their time. `read_s`: how long one
        reading may take.
        """
        self.path = path
        # Not read through when it is opened: it may be large.
        self._file = Database(path, LADDER, sets_aside=_SETS_ASIDE, checks_at_opening=False, wipes=False, read_s=read_s)
        self._writing = threading.Lock()
        self._known = _Known()
        self._checkpoint_at_s = 0.0
        self._keep_days, self._keep_5min_days, self._keep_hourly_days = keep_days, keep_5min_days, keep_hourly_days
        self._housekeeping = Housekeeping(self._file, keep_5min_days, keep_hourly_days)
        self._max_bytes = max_bytes
        self._is_idle = False

    def prepare(self) -> None:
        """The file is made when it is first opened."""

    # -- writing

    def write(self, batch: Batch) -> Written:
        known = replace(self._known, series=dict(self._known.series))
        try:
            with self._writing, _as_store_error(), self._file.transaction("write") as connection:
                stored = _insert(connection, batch, known)
        except StoreError:
            # It may be that of a file that is gone.
            self._known = _Known()
            raise
        # Only now: a rolled back transaction has made nothing.
        self._known = known
        return Written(stored)

    def maintain(self, before: Time | None, budget_s: float) -> Upkeep:
        until_s = time.monotonic() + budget_s
        freed = 0
        with _as_store_error():
            if before is None:
                ((days,),) = self._read("SELECT days FROM keep")
                before = days_ago(days)
            self._is_idle = self._housekeeping.work(max(before, self._cut()), until_s)
            while self._is_idle and time.monotonic() < until_s and (size := self._give_back_some()):
                freed += size
            # Here and not in the thread that writes; nobody waits for it. Seldom, for a page that was written often
            # until then is copied once.
            if time.monotonic() >= self._checkpoint_at_s:
                self._checkpoint_at_s = time.monotonic() + _CHECKPOINT_EVERY_S
                with self._file.explained("clean up"):
                    self._file.connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return self._housekeeping.take_done(freed)

    def pack_soon(self) -> None:
        """The next `maintain` does not wait for more that comes late. To be called from its thread."""
        self._housekeeping.pack_soon()

    def _cut(self) -> Time:
        """Cycles that began before go now, for the sake of room: an hour more each time that those before it are gone."""
        ((cut,),) = self._read("SELECT cut FROM keep")
        if not self._is_idle or not self._is_full():
            return Time(cut)
        end = self._oldest_hour_to_cut()
        if end is None:
            return Time(cut)
        # Kept, because what comes late for such an hour must be known as such.
        with self._file.transaction("delete") as connection:
            connection.execute("UPDATE keep SET cut = ?", (end,))
        return end

    def _oldest_hour_to_cut(self) -> Time | None:
        """When it ends; None: there is none."""
        ((first,),) = self._read("SELECT MIN(id) >> 32 FROM block")
        end = None if first is None else Time((first + 1) * HOUR_MS)
        return end if end is not None and end <= Time.now() - _NEVER_CUT_MS else None

    def _is_full(self) -> bool:
        if self._max_bytes is None:
            return False
        pages, free, size = self._pages()
        return (pages - free) * size > self._max_bytes * _FULL_SHARE

    def shrink(self, show: Callable[[float], None] = lambda share: None) -> int:
        """Give everything free back to the disk; how many bytes. `show` is told the share that is done. Raises StoreError."""
        freed = 0
        with _as_store_error():
            _, free, page_bytes = self._pages()
            while size := self._give_back_some(keep=0):
                freed += size
                # Beside a recorder more may become free meanwhile.
                show(freed / max(freed, free * page_bytes))
            with self._file.explained("shrink"):
                self._file.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return freed

    def inspected(self, look: Callable[[Database], _T]) -> _T:
        """What `look` finds in the file; for `noc_history.inspection`. Raises StoreError."""
        with _as_store_error():
            return look(self._file)

    def room(self) -> Room | None:
        now = Time.now()
        ((kept_days,),) = self._read("SELECT days FROM keep")
        days = self._keep_days if self._keep_days is not None else kept_days
        found = self.inspected(lambda file: growths(file, days, self._keep_5min_days, self._keep_hourly_days, now))
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        disk = shutil.disk_usage(self.path.parent)
        # What nobody but root may take is nobody's.
        size = sum(one.stat().st_size for one in files if one.exists())
        return room(size, found, disk.used + disk.free, disk.free, self._max_bytes)

    def trouble(self) -> str | None:
        if self._max_bytes is None:
            return None
        pages, _, size = self._pages()
        if pages * size <= self._max_bytes or self._oldest_hour_to_cut() is not None:
            return None
        return (
            f"{self.path} takes {pages * size / 1e9:.3g} GB with raw cycles of the last day alone, and max_gb in "
            f"NOC_HISTORY_URL is {self._max_bytes / 1e9:g}: allow it more, or keep sums for a shorter time (keep_5min_days)"
        )

    def close(self) -> None:
        with self._writing:
            self._file.close()

    def _give_back_some(self, keep: int | None = None) -> int:
        """Bytes given back to the disk; 0 where no more than `keep` pages are free, or what is little for the file."""
        pages, free, size = self._pages()
        if keep is None:
            keep = max(_FREE_PAGES, int(pages * _FREE_SHARE))
            if self._max_bytes is not None:
                keep = max(0, min(keep, self._max_bytes // size - (pages - free)))
        if free <= keep:
            return 0
        with self._file.explained("shrink"):
            connection = self._file.connection()
            connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
            return (free - int(connection.execute("PRAGMA freelist_count").fetchone()[0])) * size

    def _pages(self) -> tuple[int, int, int]:
        """Those of the file, those of them that are free, and the bytes of one."""
        ((pages, free, size),) = self._read(
            "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        )
        return pages, free, size

    def forget(self, target: str | None, site: str | None) -> None:
        which = {"target": target, "site": site}
        with self._writing, _as_store_error(), self._file.transaction("delete") as connection:
            found = connection.execute(_SERIES_OF, which).fetchall()
            connection.executemany("INSERT INTO gone VALUES (?, 0)", found)
            for statement in _FORGET:
                connection.executemany(statement, found)
            if site is None:
                connection.execute("DELETE FROM definition WHERE target = ?", (target,))

    # -- reading

    def marks(self) -> dict[str, Mark]:
        rows = self._read("SELECT site, epoch, seq, at FROM mark")
        return {site: Mark(site=site, epoch=epoch, seq=seq, at=Time(at)) for site, epoch, seq, at in rows}

    def series(
        self, target: str, start: Time, end: Time, points: int, site: str | None = None
    ) -> Mapping[str, Sequence[Point]]:
        with _as_store_error(), self._file.reading("read") as connection:
            series = connection.execute(
                "SELECT id, site FROM series WHERE target = ? AND (? IS NULL OR site = ?) ORDER BY site",
                (target, site, site),
            ).fetchall()
            found = cycles_of(connection, [number for number, _ in series], start, end)
        return {name: _points(found[number], start, end, points) for number, name in series if found[number]}

    def chart(
        self, targets: Sequence[str], sites: Sequence[str] | None, start: Time, end: Time, points: int
    ) -> Mapping[str, Chart]:
        width_ms = width_for(start, end, points)
        first, last = whole_buckets(start, end, width_ms)
        found: dict[str, dict[str, list[Rollup]]] = {target: {} for target in targets}
        silences: dict[str, list[Silence]] = {target: [] for target in targets}
        names = {"targets": _wanted(targets), "start": first, "end": last}
        with _as_store_error(), self._file.reading("read") as connection:
            series = {
                number: (target, site)
                for number, target, site in connection.execute(_SERIES, names).fetchall()
                if sites is None or site in sites
            }
            for number, rollups in rollups_of(connection, series, first, last, width_ms).items():
                if rollups:
                    target, site = series[number]
                    found[target][site] = rollups
            for number, begun, until in connection.execute(_SILENCES, names).fetchall():
                if number in series:
                    silences[series[number][0]].append(Silence(*series[number], Time(begun), Time(until)))
        return {
            target: chart_of(of_target, silences[target], start, end, width_ms) for target, of_target in found.items()
        }

    def raw_cycles(self, target: str, start: Time, end: Time) -> Iterator[ProbeResult]:
        with _as_store_error(), self._file.reading("read") as connection:
            first, last = extent(connection, start, end)
        for number, _, site in self._read(_SERIES, {"targets": _wanted([target])}):
            for begin in range(first, last, DAY_MS):
                with _as_store_error(), self._file.reading("read") as connection:
                    rows = cycles_of(connection, [number], begin, min(begin + DAY_MS, last))[number]
                yield from (result_of(row, site, target) for row in rows)

    def targets(self) -> Sequence[str]:
        return [target for (target,) in self._read("SELECT DISTINCT target FROM series ORDER BY target")]

    def sums(self, target: str, start: Time, end: Time) -> Iterator[Sum]:
        for tier, width_ms in WIDTH_MS.items():
            for number, _, site in self._read(_SERIES, {"targets": _wanted([target])}):
                with _as_store_error(), self._file.reading("read") as connection:
                    found = sums_of(connection, tier, number, start, end)
                yield from (Sum(target, site, width_ms, one) for one in found)

    def write_sums(self, sums: Sequence[Sum]) -> None:
        with self._writing, _as_store_error(), self._file.transaction("write") as connection:
            known = _Known()
            for tier, width_ms in WIDTH_MS.items():
                of_width = [
                    one.rollup._replace(series=_series(connection, known, one.target, one.site))
                    for one in sums
                    if one.width_ms == width_ms
                ]
                keep(connection, tier, of_width)

    def codes(self, target: str, sites: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Codes]:
        with _as_store_error(), self._file.reading("read") as connection:
            found = connection.execute(_SERIES, {"targets": _wanted([target])}).fetchall()
            names = {number: site for number, _, site in found if sites is None or site in sites}
            noted = noted_cycles_of(connection, names, start, end)
        return {names[one]: codes_of([codes_in(row[5]) for row in rows]) for one, rows in noted.items() if rows}

    def totals(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Rollup]:
        found: dict[str, list[Rollup]] = defaultdict(list)
        start, end = whole_hours(start, end)
        with _as_store_error(), self._file.reading("read") as connection:
            names = _names(connection, targets)
            for one in hours_and_days(connection, start, end, names, Time.now()):
                found[names[one.series]].append(one)
        return {target: merged(0, start, found[target]) for target in sorted(found)}

    def daily(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Day]]:
        start, end = whole_hours(Time(start // DAY_MS * DAY_MS), end)
        with _as_store_error(), self._file.reading("read") as connection:
            found = daily_counts(connection, start, end, _names(connection, targets), Time.now())
        return {
            target: [Day(Time(at), *counts) for at, counts in sorted(found[target].items())] for target in sorted(found)
        }

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        now = Time.now()
        values = {"targets": _wanted(targets), "start": start, "end": end, "now": now, "late": end + HOUR_MS}
        last = self._newest(now)
        states: dict[int, list[StateRecord]] = defaultdict(list)
        silences: dict[int, list[Silence]] = defaultdict(list)
        found: dict[str, dict[str, SiteRecords]] = defaultdict(dict)
        with _as_store_error(), self._file.reading("read") as connection:
            # Numbers, not names, in the long answers: names are looked up once for each series.
            series = connection.execute(_SERIES, values).fetchall()
            names = {number: (target, site) for number, target, site in series}
            # Row by row: a hundred thousand tuples at once cost the collector of garbage as much as reading them.
            for number, since, state, reason, code, epoch, seq in connection.execute(_STATES, values):
                states[number].append(StateRecord(Time(since), state, reason, code, epoch, seq))
            for number, begun, until in connection.execute(_SILENCES, values):
                silences[number].append(Silence(*names[number], Time(begun), Time(until)))
        for number, target, site in series:
            found[target][site] = SiteRecords(states[number], silences[number], last.get(number))
        return found

    def definitions(self, targets: Sequence[str] | None) -> Mapping[str, Sequence[Definition]]:
        found: dict[str, list[Definition]] = defaultdict(list)
        for target, since, message in self._read(_DEFINITIONS, {"targets": _wanted(targets)}):
            body = None if message is None else decode(message, Target)
            found[target].append(Definition(target, Time(since), body))
        return found

    def last_cycles(self) -> Mapping[tuple[str, str], Time]:
        last = self._newest(Time.now())
        rows = self._read(_SERIES, {"targets": None})
        return {(target, site): last[number] for number, target, site in rows if number in last}

    def silences(self, since: Time) -> Sequence[Silence]:
        rows = self._read(
            "SELECT target, site, start, until FROM silence JOIN series ON series.id = silence.series WHERE until > ?",
            (since,),
        )
        return [Silence(target, site, Time(start), Time(until)) for target, site, start, until in rows]

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        rows = self._read(
            "SELECT message FROM incident WHERE opened_at < ? AND (resolved_at IS NULL OR resolved_at >= ?) "
            "ORDER BY opened_at DESC",
            (end, start),
        )
        return [decode(message, Incident) for (message,) in rows]

    def traces(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Trace]]:
        found: dict[str, list[Trace]] = defaultdict(list)
        values = {"targets": _wanted(targets), "start": start, "end": end}
        for target, message in self._read(_TRACES_OF, values):
            found[target].append(decode(zlib.decompress(message), Trace))
        return found

    def _newest(self, now: Time) -> dict[int, Time]:
        with _as_store_error(), self._file.reading("read") as connection:
            return {number: Time(at) for number, at in newest(connection, now).items()}

    def _read(self, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        with _as_store_error():
            return self._file.read("read", statement, parameters)


def _series(connection: sqlite3.Connection, known: _Known, target: str, site: str) -> int:
    """Its number, a new one where there is none."""
    if (target, site) not in known.series:
        connection.execute(_NEW_SERIES, (target, site))
        row = connection.execute("SELECT id FROM series WHERE target = ? AND site = ?", (target, site)).fetchone()
        known.series[target, site] = row[0]
    return known.series[target, site]


def _insert(connection: sqlite3.Connection, batch: Batch, known: _Known) -> int:
    """How many records are new."""
    (gone,) = connection.execute("SELECT COUNT(*) FROM gone").fetchone()
    if gone != known.gone:
        # By another program perhaps.
        known.gone, known.series = gone, {}
    series = functools.partial(_series, connection, known)
    rows = without_repeats([row_of(series(one.target, one.site), one) for one in batch.results])
    if rows:
        known.run = commit(connection, rows, known.run)
    states = [_state_row(series(one.target, one.site), one) for one in batch.states]
    before = connection.total_changes
    connection.executemany("INSERT OR IGNORE INTO state VALUES (?, ?, ?, ?, ?, ?, ?)", states)
    connection.executemany(_UPSERT_INCIDENT, [_incident_row(one) for one in batch.incidents])
    connection.executemany(
        "INSERT OR IGNORE INTO trace VALUES (?, ?, ?)",
        [(series(one.target, one.site), one.at, zlib.compress(encode(one))) for one in batch.traces],
    )
    stored = len(rows) + connection.total_changes - before
    for one in batch.silences:
        row = (series(one.target, one.site), one.start, one.until)
        if one.until > one.start:
            connection.execute("INSERT OR REPLACE INTO silence VALUES (?, ?, ?)", row)
        else:
            connection.execute("DELETE FROM silence WHERE series = ? AND start = ?", row[:2])
    connection.executemany(
        "INSERT OR REPLACE INTO definition VALUES (?, ?, ?)",
        [(one.id, one.since, None if one.target is None else encode(one.target)) for one in batch.definitions],
    )
    connection.executemany(
        _UPSERT_MARK,
        [(mark.site, mark.epoch, mark.seq, mark.at) for mark in batch.marks],
    )
    return stored


_NEW_SERIES: Final = """
INSERT OR IGNORE INTO series (id, target, site)
SELECT 1 + COALESCE(MAX(id), 0), ?, ? FROM (SELECT MAX(id) AS id FROM series UNION ALL SELECT MAX(series) FROM gone)
"""

_SERIES_OF: Final = """
SELECT id FROM series WHERE (:target IS NULL OR target = :target) AND (:site IS NULL OR site = :site)
"""

_FORGET: Final = (
    "DELETE FROM state WHERE series = ?",
    "DELETE FROM silence WHERE series = ?",
    "DELETE FROM trace WHERE series = ?",
    "DELETE FROM series WHERE id = ?",
)

# In its place, where INSERT OR REPLACE would write the index too: every commit does it.
_UPSERT_MARK: Final = """
INSERT INTO mark VALUES (?, ?, ?, ?)
ON CONFLICT (site) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
"""

# An incident is resolved once; a late message that it was opened does not open it again.
_UPSERT_INCIDENT: Final = """
INSERT INTO incident VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET resolved_at = excluded.resolved_at, message = excluded.message
WHERE (incident.resolved_at IS NULL OR excluded.resolved_at IS NOT NULL) AND incident.message <> excluded.message
"""

_SERIES: Final = """
SELECT id, target, site FROM series
WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets))) ORDER BY target, site
"""

# The states of the period, the one that held when it began, and those that a wrong clock may have moved out of it.
_STATES: Final = """
SELECT series.id, state.since, state.state, state.reason, state.code, state.epoch, state.seq
FROM series JOIN state ON state.series = series.id
WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets)))
  AND (state.since < :late OR state.since > :now)
  AND state.since >= COALESCE(
      (SELECT MAX(earlier.since) FROM state AS earlier WHERE earlier.series = series.id AND earlier.since <= :start),
      :start)
ORDER BY series.id, state.since, state.epoch, state.seq
"""

_SILENCES: Final = """
SELECT series.id, silence.start, silence.until FROM series JOIN silence ON silence.series = series.id
WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets))) AND silence.start < :end AND silence.until > :start ORDER BY series.id, silence.start
"""

_TRACES_OF: Final = """
SELECT target, message FROM series JOIN trace ON trace.series = series.id
WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets))) AND at >= :start AND at < :end
ORDER BY target, at, site
"""

_DEFINITIONS: Final = """
SELECT target, since, message FROM definition
WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets))) ORDER BY target, since
"""


def _names(connection: sqlite3.Connection, targets: Sequence[str] | None) -> dict[int, str]:
    """The targets by the numbers of their series."""
    found = connection.execute(_SERIES, {"targets": _wanted(targets)}).fetchall()
    return {number: target for number, target, _ in found}


def _wanted(targets: Sequence[str] | None) -> str | None:
    return None if targets is None else msgspec.json.encode(list(targets)).decode()


def _points(rows: Sequence[Row], start: Time, end: Time, points: int) -> list[Point]:
    # A slice of one millisecond is a cycle by itself: start times are milliseconds.
    width = 1 if len(rows) <= points else -(-(end - start) // points)
    return [
        _point(Time(start + number * width), list(some))
        for number, some in groupby(rows, lambda row: (row[AT] - start) // width)
    ]


def _point(at: Time, rows: Sequence[Row]) -> Point:
    valid = [row for row in rows if is_valid(row)]
    rtts_us = [rtt for row in valid for rtt in row[-1]]
    received = sum(row[4] for row in valid)
    return Point(
        at,
        len(rows),
        len(rows) - len(valid),
        sum(row[3] for row in valid),
        received,
        min(rtts_us) / 1000 if rtts_us else None,
        sum(rtts_us) / received / 1000 if received and rtts_us else None,
        max(rtts_us) / 1000 if rtts_us else None,
    )


def _state_row(series: int, state: SiteState) -> tuple[int | str | None, ...]:
    return series, state.epoch, state.seq, state.since, state.state, state.reason, state.code


def _incident_row(incident: Incident) -> tuple[str, Time, Time | None, bytes]:
    return incident.id, incident.opened_at, incident.resolved_at, encode(incident)


@contextlib.contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except DatabaseFault as fault:
        raise StoreError(str(fault), can_retry=fault.can_retry) from fault
    except UnknownPackingError as error:
        raise StoreError(f"the history has {error}", can_retry=False) from error
