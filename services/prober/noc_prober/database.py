"""The prober's one file: its journal, and what it must remember over a restart."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from noc_bus.time import Time
from noc_frame import log

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS memory (kind TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open or make the file. One that is damaged is set aside, kept, and begun anew.

    May be used from one thread at a time. Every commit is on the disk when it returns.
    """
    try:
        return _open(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.damaged-{int(Time.now())}")
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        log.get("noc.prober").error(f"{path.name} is damaged ({error}); it is kept as {aside.name}, a new one begins")
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    # Made for its owner only before SQLite creates it with wider rights; its -wal and -shm take them over.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # A deleted record leaves its page to the next one; the log file is cut back after each checkpoint.
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.executescript(_SCHEMA)
        if (verdict := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(str(verdict))
    except sqlite3.Error:
        connection.close()
        raise
    return connection
