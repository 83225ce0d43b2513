"""The embedded store: one SQLite file that one recorder writes and any number of processes read."""

from __future__ import annotations

import array
import contextlib
import sqlite3
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from noc_bus.codec import decode, encode
from noc_bus.messages import Incident, Mark, ProbeResult, SiteState, Target
from noc_bus.time import Time
from noc_frame.sqlite import Database, DatabaseFault, Ladder, sql
from noc_history.store import (
    Batch,
    Definition,
    Point,
    Silence,
    SiteRecords,
    StateRecord,
    StoreError,
    Upkeep,
    Written,
)

_HOUR_MS: Final = 3_600_000
# Rows deleted in one transaction: what a write of the recorder may have to wait for.
_DELETE_ROWS: Final = 1000
_VACUUM_PAGES: Final = 500
# Free pages are used by the next cycles; only what stays free for long is given back.
_FREE_SHARE: Final = 0.1
_FREE_PAGES: Final = 1000

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

LADDER: Final = Ladder(steps=[sql(_VERSION_1), sql(_VERSION_2)], cure="name another file in NOC_HISTORY_URL")
# Of a file that NOC_HISTORY_URL names wrongly SQLite says that it is no database: that one is left alone.
_SETS_ASIDE: Final = frozenset({sqlite3.SQLITE_CORRUPT})


class SqliteStore:
    """Implements `noc_history.store.Store`. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet: the folder may appear later."""
        # Not read through when it is opened: it may be large.
        self._file = Database(path, LADDER, sets_aside=_SETS_ASIDE, checks_at_opening=False)
        self._writing = threading.Lock()
        self._series: dict[tuple[str, str], int] = {}
        self._sweep = _Sweep()

    # -- writing

    def write(self, batch: Batch) -> Written:
        known = dict(self._series)
        try:
            with self._writing, _as_store_error(), self._file.transaction("write") as connection:
                stored = _insert(connection, batch, known)
        except StoreError:
            # They may be those of a file that is gone.
            self._series = {}
            raise
        # Only now: a rolled back transaction has made no series.
        self._series = known
        return Written(stored)

    def maintain(self, before: Time, budget_s: float) -> Upkeep:
        until_s = time.monotonic() + budget_s
        deleted = freed = 0
        with _as_store_error():
            while time.monotonic() < until_s and (rows := self._sweep.delete_some(self._file, before)) is not None:
                deleted += rows
            while not deleted and time.monotonic() < until_s and (size := self._give_back_some()):
                freed += size
            # Here and not in the thread that writes; nobody waits for it.
            with self._file.explained("clean up"):
                self._file.connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return Upkeep(deleted, freed, self._sweep.backlog_rows)

    def trouble(self) -> str | None:
        return None

    def close(self) -> None:
        with self._writing:
            self._file.close()

    def _give_back_some(self) -> int:
        """Bytes given back to the disk; 0 where what is free is little."""
        with self._file.explained("shrink"):
            connection = self._file.connection()
            pages, free, size = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
            if free < max(_FREE_PAGES, pages * _FREE_SHARE):
                return 0
            connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
            return (free - int(connection.execute("PRAGMA freelist_count").fetchone()[0])) * size

    # -- reading

    def marks(self) -> dict[str, Mark]:
        rows = self._read("SELECT site, epoch, seq, at FROM mark")
        return {site: Mark(site=site, epoch=epoch, seq=seq, at=Time(at)) for site, epoch, seq, at in rows}

    def series(
        self, target: str, start: Time, end: Time, points: int, site: str | None = None
    ) -> Mapping[str, Sequence[Point]]:
        series = self._read(
            "SELECT id, site FROM series WHERE target = ? AND (? IS NULL OR site = ?) ORDER BY site",
            (target, site, site),
        )
        return {name: found for number, name in series if (found := self._points(number, start, end, points))}

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        now = Time.now()
        values = {"targets": _wanted(targets), "start": start, "end": end, "now": now, "late": end + _HOUR_MS}
        # Numbers, not names, in the long answers: names are looked up once for each series.
        series = self._read(_SERIES, values)
        states: dict[int, list[StateRecord]] = defaultdict(list)
        for number, since, state, reason, code, epoch, seq in self._read(_STATES, values):
            states[number].append(StateRecord(Time(since), state, reason, code, epoch, seq))
        silences: dict[int, list[tuple[Time, Time]]] = defaultdict(list)
        for number, begun, until in self._read(_SILENCES, values):
            silences[number].append((Time(begun), Time(until)))
        found: dict[str, dict[str, SiteRecords]] = defaultdict(dict)
        for number, target, site, last in series:
            found[target][site] = SiteRecords(
                tuple(states[number]),
                tuple(Silence(target, site, begun, until) for begun, until in silences[number]),
                None if last is None else Time(last),
            )
        return found

    def definitions(self, targets: Sequence[str] | None) -> Mapping[str, Sequence[Definition]]:
        found: dict[str, list[Definition]] = defaultdict(list)
        for target, since, message in self._read(_DEFINITIONS, {"targets": _wanted(targets)}):
            body = None if message is None else decode(message, Target)
            found[target].append(Definition(target, Time(since), body))
        return found

    def last_cycles(self) -> Mapping[tuple[str, str], Time]:
        rows = self._read(_SERIES, {"targets": None, "now": Time.now()})
        return {(target, site): Time(last) for _, target, site, last in rows if last is not None}

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

    def _points(self, series: int, start: Time, end: Time, points: int) -> list[Point]:
        values = {"series": series, "start": start, "end": end}
        ((total,),) = self._read(
            # No further than it takes to know that they are too many.
            "SELECT COUNT(*) FROM (SELECT 1 FROM any_cycle WHERE series = :series AND at >= :start AND at < :end LIMIT :most)",
            values | {"most": points + 1},
        )
        # A slice of one millisecond is a cycle by itself: start times are milliseconds.
        width = 1 if total <= points else -(-(end - start) // points)
        return [
            Point(
                Time(start + number * width),
                cycles,
                invalid,
                sent,
                received,
                None if low is None else low / 1000,
                None if not received or total_us is None else total_us / received / 1000,
                None if high is None else high / 1000,
            )
            for number, cycles, invalid, sent, received, low, total_us, high in self._read(
                _POINTS, values | {"width": width}
            )
        ]

    def _read(self, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        with _as_store_error():
            return self._file.read("read", statement, parameters)


class _Sweep:
    """Goes through all series again and again and deletes what is old; lives in one thread."""

    def __init__(self) -> None:
        self.backlog_rows = 0
        self._before = Time(0)
        self._ahead: list[int] = []

    def delete_some(self, file: Database, before: Time) -> int | None:
        """How many rows are gone; None: the round is done."""
        if not self._ahead:
            # One round for each minute that has become too old, not for each call.
            if before - self._before < 60_000:
                return None
            self._begin(file, before)
        with file.transaction("delete") as connection:
            deleted = connection.execute(_DELETE_OLD, (self._before, _DELETE_ROWS)).rowcount
            while self._ahead and deleted < _DELETE_ROWS:
                rows = connection.execute(
                    _DELETE, {"series": self._ahead[-1], "before": self._before, "rows": _DELETE_ROWS}
                ).rowcount
                deleted += rows
                if rows < _DELETE_ROWS:
                    self._ahead.pop()
            if not self._ahead and deleted >= _DELETE_ROWS:
                # Perhaps more of version 1 is left.
                self._ahead.append(-1)
        self.backlog_rows = max(0, self.backlog_rows - deleted) if self._ahead else 0
        return deleted

    def _begin(self, file: Database, before: Time) -> None:
        self._before = before
        # Reading keeps no writer waiting. Only those that have something to delete, so that a round is short.
        rows = file.read("read", _OLD, {"before": before})
        ((of_version_1,),) = file.read("read", "SELECT COUNT(*) FROM old_cycle WHERE at < ?", (before,))
        self._ahead = [number for number, count in rows if count] or ([-1] if of_version_1 else [])
        self.backlog_rows = of_version_1 + sum(count for _, count in rows)


def _insert(connection: sqlite3.Connection, batch: Batch, known: dict[tuple[str, str], int]) -> int:
    """How many records are new."""

    def series(target: str, site: str) -> int:
        if (target, site) not in known:
            connection.execute("INSERT OR IGNORE INTO series (target, site) VALUES (?, ?)", (target, site))
            row = connection.execute("SELECT id FROM series WHERE target = ? AND site = ?", (target, site)).fetchone()
            known[target, site] = row[0]
        return known[target, site]

    cycles = [_cycle_row(series(one.target, one.site), one) for one in batch.results]
    states = [_state_row(series(one.target, one.site), one) for one in batch.states]
    before = connection.total_changes
    connection.executemany(_INSERT_CYCLE, cycles)
    connection.executemany("INSERT OR IGNORE INTO state VALUES (?, ?, ?, ?, ?, ?, ?)", states)
    connection.executemany(_UPSERT_INCIDENT, [_incident_row(one) for one in batch.incidents])
    stored = connection.total_changes - before
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
        "INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?)",
        [(mark.site, mark.epoch, mark.seq, mark.at) for mark in batch.marks],
    )
    return stored


# A cycle that version 1 has stored already may be sent once more; it knew no numbers.
_INSERT_CYCLE: Final = """
INSERT OR IGNORE INTO cycle SELECT :series, :at, :seq, :sent, :received, :is_valid, :min_us, :sum_us, :max_us, :rtts_us,
       :invalid_code, :error_codes
WHERE NOT EXISTS (SELECT 1 FROM old_cycle WHERE series = :series AND at = :at)
"""

# An incident is resolved once; a late message that it was opened does not open it again.
_UPSERT_INCIDENT: Final = """
INSERT INTO incident VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET resolved_at = excluded.resolved_at, message = excluded.message
WHERE (incident.resolved_at IS NULL OR excluded.resolved_at IS NOT NULL) AND incident.message <> excluded.message
"""

_DELETE_OLD: Final = """
DELETE FROM old_cycle WHERE (series, at) IN (SELECT series, at FROM old_cycle INDEXED BY cycle_at WHERE at < ? LIMIT ?)
"""

_DELETE: Final = """
DELETE FROM cycle WHERE (series, at, seq) IN
    (SELECT series, at, seq FROM cycle WHERE series = :series AND at < :before ORDER BY at LIMIT :rows)
"""

_OLD: Final = """
SELECT id, (SELECT COUNT(*) FROM cycle WHERE cycle.series = series.id AND cycle.at < :before) FROM series
"""

_POINTS: Final = """
SELECT (at - :start) / :width, COUNT(*), SUM(NOT is_valid),
       SUM(CASE WHEN is_valid THEN sent ELSE 0 END), SUM(CASE WHEN is_valid THEN received ELSE 0 END),
       MIN(CASE WHEN is_valid THEN min_us END), SUM(CASE WHEN is_valid THEN sum_us END),
       MAX(CASE WHEN is_valid THEN max_us END)
FROM any_cycle WHERE series = :series AND at >= :start AND at < :end GROUP BY 1 ORDER BY 1
"""

_SERIES: Final = """
SELECT id, target, site, NULLIF(MAX(
    COALESCE((SELECT MAX(at) FROM cycle WHERE cycle.series = series.id AND at <= :now), 0),
    COALESCE((SELECT MAX(at) FROM old_cycle WHERE old_cycle.series = series.id AND at <= :now), 0)), 0)
FROM series WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets))) ORDER BY target, site
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

_DEFINITIONS: Final = """
SELECT target, since, message FROM definition
WHERE (:targets IS NULL OR target IN (SELECT value FROM json_each(:targets))) ORDER BY target, since
"""


def _wanted(targets: Sequence[str] | None) -> str | None:
    return None if targets is None else msgspec.json.encode(list(targets)).decode()


def _cycle_row(series: int, result: ProbeResult) -> dict[str, int | bytes | str | None]:
    rtts_us = array.array("I", [min(round(rtt * 1000), 0xFFFFFFFF) for rtt in result.rtts_ms])
    low, total, high = (min(rtts_us), sum(rtts_us), max(rtts_us)) if rtts_us else (None, None, None)
    if sys.byteorder != "little":
        rtts_us.byteswap()
    return {
        "series": series,
        "at": result.at,
        "seq": result.seq,
        "sent": result.sent,
        "received": result.received,
        "is_valid": result.invalid is None,
        "min_us": low,
        "sum_us": total,
        "max_us": high,
        "rtts_us": rtts_us.tobytes(),
        "invalid_code": result.invalid_code,
        "error_codes": " ".join(result.error_codes) or None,
    }


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
