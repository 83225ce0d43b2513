"""The embedded store: one SQLite file that one recorder writes and any number of processes read."""

from __future__ import annotations

import array
import contextlib
import os
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
from noc_bus.messages import Incident, Mark, ProbeResult
from noc_bus.time import Time
from noc_history.store import Batch, Point, Rejected, SiteRecords, StateRecord, StoreError

_VERSION: Final = 1
_BUSY_S: Final = 10.0
_CHECKPOINT_S: Final = 60.0
_DELETE_ROWS: Final = 20_000
_SCHEMA: Final = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    site TEXT NOT NULL,
    UNIQUE (target, site)
);
-- Clustered by series and time: a chart reads one contiguous run of pages.
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
PRAGMA user_version = 1;
"""
# Both must be set before the first table is made.
_FIRST: Final = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"


class SqliteStore:
    """Implements `noc_history.store.Store`. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet: the folder may appear later."""
        self._path = path
        self._writing = threading.Lock()
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._series: dict[tuple[str, str], int] = {}
        self._checkpointed_s = time.monotonic()

    # -- writing

    def write(self, batch: Batch) -> list[Rejected]:
        with self._writing, self._translated("write"):
            connection = self._connection()
            known = dict(self._series)
            with _transaction(connection):
                connection.executemany(
                    "INSERT OR IGNORE INTO cycle VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [self._cycle_row(connection, result, known) for result in batch.results],
                )
                connection.executemany(
                    "INSERT OR IGNORE INTO state VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (
                            self._series_id(connection, s.target, s.site, known),
                            s.epoch,
                            s.seq,
                            s.since,
                            s.state,
                            s.reason,
                        )
                        for s in batch.states
                    ],
                )
                connection.executemany(_UPSERT_INCIDENT, [_incident_row(incident) for incident in batch.incidents])
                connection.executemany(
                    "INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?)",
                    [(mark.site, mark.epoch, mark.seq, mark.at) for mark in batch.marks],
                )
            # Only now: a rolled back transaction has made no series.
            self._series = known
            self._checkpoint(connection)
        return []

    def forget_cycles(self, before: Time) -> None:
        while True:
            # In slices, so that the recorder's own writes are never kept waiting for long.
            with self._writing, self._translated("delete"):
                connection = self._connection()
                with _transaction(connection):
                    deleted = connection.execute(
                        "DELETE FROM cycle WHERE (series, at) IN "
                        "(SELECT series, at FROM cycle INDEXED BY cycle_at WHERE at < ? LIMIT ?)",
                        (before, _DELETE_ROWS),
                    ).rowcount
                connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()
            if deleted < _DELETE_ROWS:
                return

    def close(self) -> None:
        with self._writing:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._own = threading.local()

    # -- reading

    def marks(self) -> dict[str, Mark]:
        rows = self._read("SELECT site, epoch, seq, at FROM mark", ())
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
        wanted = None if targets is None else msgspec.json.encode(list(targets)).decode()
        rows = self._read(_STATES, {"targets": wanted, "start": start, "end": end})
        heard = self._read(_LAST_HEARD, {"targets": wanted})
        records: dict[tuple[str, str], list[StateRecord]] = defaultdict(list)
        for target, site, since, state, reason in rows:
            records[target, site].append(StateRecord(Time(since), state, reason))
        found: dict[str, dict[str, SiteRecords]] = defaultdict(dict)
        for target, site, at in heard:
            found[target][site] = SiteRecords(tuple(records[target, site]), Time(at) if at else None)
        return found

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        rows = self._read(
            "SELECT message FROM incident WHERE opened_at < ? AND (resolved_at IS NULL OR resolved_at >= ?) "
            "ORDER BY opened_at DESC",
            (end, start),
        )
        return [decode(message, Incident) for (message,) in rows]

    def _points(self, series: int, start: Time, end: Time, points: int) -> list[Point]:
        total = self._read("SELECT COUNT(*) FROM cycle WHERE series = ? AND at >= ? AND at < ?", (series, start, end))
        # A slice of one millisecond is a cycle by itself: start times are milliseconds.
        each = total[0][0] <= points
        width = 1 if each else -(-(end - start) // points)
        rows = self._read(_POINTS, {"series": series, "start": start, "end": end, "width": width})
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
            for number, cycles, invalid, sent, received, low, total_us, high in rows
        ]

    # -- connections

    def _connection(self) -> sqlite3.Connection:
        """This thread's own connection, opened and set up on first use."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is not None:
            return connection
        # Made for its owner only before SQLite creates it with wider rights; its -wal and -shm take them over.
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        file = _identity(os.fstat(descriptor))
        os.close(descriptor)
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_S * 1000)}")
            self._migrate(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        except BaseException:
            connection.close()
            raise
        self._own.connection, self._own.file = connection, file
        self._all.append(connection)
        return connection

    def _insist_on_file(self, act: str) -> None:
        """SQLite goes on with a file that has lost its name; what is written there is gone with this process."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            return
        with contextlib.suppress(FileNotFoundError):
            if _identity(self._path.stat()) == self._own.file:
                return
        self._own.connection = None
        self._all.remove(connection)
        connection.close()
        # Their numbers are those of the file that is gone.
        self._series = {}
        raise StoreError(
            f"cannot {act} {self._path}: the file was removed or replaced while it was in use; "
            "what is there now, or a new one, is used from the next start on",
            can_retry=False,
        )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        # In one statement: recorder and web both open a new file, and the other may be making its tables now.
        version, tables = connection.execute(
            "SELECT user_version, (SELECT COUNT(*) FROM sqlite_master) FROM pragma_user_version"
        ).fetchone()
        if version == 0:
            if tables:
                raise StoreError(
                    f"{self._path} is a SQLite file of something else; name another file in NOC_HISTORY_URL",
                    can_retry=False,
                )
            version = self._create(connection)
        if version != _VERSION:
            raise StoreError(
                f"{self._path} has version {version}, this program knows version {_VERSION}; "
                "run the version of the program that made it",
                can_retry=False,
            )

    def _create(self, connection: sqlite3.Connection) -> int:
        until_s = time.monotonic() + _BUSY_S
        while True:
            try:
                connection.executescript(f"{_FIRST} BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                # Two processes may meet here: the loser finds the tables made.
                version: int = connection.execute("PRAGMA user_version").fetchone()[0]
                if version:
                    return version
                # The change to WAL does not wait where another is looking at the file, as everything else does.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                    raise
                time.sleep(0.02)
            else:
                return _VERSION

    def _read(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:
        # All rows at once: a reader that lingers in a transaction keeps the log from being reset.
        with self._translated("read"):
            return self._connection().execute(sql, parameters).fetchall()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._checkpointed_s > _CHECKPOINT_S:
            self._checkpointed_s = time.monotonic()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextlib.contextmanager
    def _translated(self, act: str) -> Iterator[None]:
        """SQLite's errors as one sentence with the one fact that matters: whether to try again."""
        try:
            try:
                yield
            finally:
                # Also after an error: what SQLite says of a file that was removed names the wrong cure.
                self._insist_on_file(act)
        except sqlite3.OperationalError as error:
            # Disk full, locked, cannot open, I/O error: all may pass.
            raise StoreError(
                f"cannot {act} {self._path}: {error}; free disk space or fix the folder's rights", can_retry=True
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"cannot {act} {self._path}: {error}; move the file away to begin a new one", can_retry=False
            ) from error
        except OSError as error:
            raise StoreError(
                f"cannot {act} {self._path}: {error.strerror}; fix the folder's rights", can_retry=True
            ) from error

    # -- rows

    def _cycle_row(
        self, connection: sqlite3.Connection, result: ProbeResult, known: dict[tuple[str, str], int]
    ) -> tuple[int | bytes | None, ...]:
        rtts_us = array.array("I", [min(round(rtt * 1000), 0xFFFFFFFF) for rtt in result.rtts_ms])
        low, total, high = (min(rtts_us), sum(rtts_us), max(rtts_us)) if rtts_us else (None, None, None)
        if sys.byteorder != "little":
            rtts_us.byteswap()
        series = self._series_id(connection, result.target, result.site, known)
        valid = result.invalid is None
        return series, result.at, result.sent, result.received, valid, low, total, high, rtts_us.tobytes()

    def _series_id(
        self, connection: sqlite3.Connection, target: str, site: str, known: dict[tuple[str, str], int]
    ) -> int:
        if (target, site) not in known:
            connection.execute("INSERT OR IGNORE INTO series (target, site) VALUES (?, ?)", (target, site))
            row = connection.execute("SELECT id FROM series WHERE target = ? AND site = ?", (target, site)).fetchone()
            known[target, site] = row[0]
        return known[target, site]


# An incident is resolved once; the word that it was opened may come again, later.
_UPSERT_INCIDENT: Final = """
INSERT INTO incident VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET resolved_at = excluded.resolved_at, message = excluded.message
WHERE incident.resolved_at IS NULL OR excluded.resolved_at IS NOT NULL
"""

_POINTS: Final = """
SELECT (at - :start) / :width, COUNT(*), SUM(NOT is_valid),
       SUM(CASE WHEN is_valid THEN sent ELSE 0 END), SUM(CASE WHEN is_valid THEN received ELSE 0 END),
       MIN(CASE WHEN is_valid THEN min_us END), SUM(CASE WHEN is_valid THEN sum_us END),
       MAX(CASE WHEN is_valid THEN max_us END)
FROM cycle WHERE series = :series AND at >= :start AND at < :end GROUP BY 1 ORDER BY 1
"""

# The states of the period, and the one that held when it began.
_STATES: Final = """
SELECT series.target, series.site, state.since, state.state, state.reason
FROM series JOIN state ON state.series = series.id
WHERE (:targets IS NULL OR series.target IN (SELECT value FROM json_each(:targets)))
  AND state.since < :end
  AND state.since >= COALESCE(
      (SELECT MAX(earlier.since) FROM state AS earlier WHERE earlier.series = series.id AND earlier.since <= :start),
      :start)
ORDER BY series.target, series.site, state.since, state.epoch, state.seq
"""

_LAST_HEARD: Final = """
SELECT target, site, MAX(
    COALESCE((SELECT MAX(at) FROM cycle WHERE cycle.series = series.id), 0),
    COALESCE((SELECT MAX(since) FROM state WHERE state.series = series.id), 0))
FROM series WHERE :targets IS NULL OR target IN (SELECT value FROM json_each(:targets))
"""


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _incident_row(incident: Incident) -> tuple[str, Time, Time | None, bytes]:
    return incident.id, incident.opened_at, incident.resolved_at, encode(incident)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Also after a COMMIT that found no room: the next transaction could not begin inside this one.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
