"""The prober's one file: its journal, and what it must remember over a restart."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from noc_frame.sqlite import Ladder, explained, open_or_set_aside, sql

LADDER: Final = Ladder(
    steps=[
        sql(
            """
            CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            CREATE TABLE records (
                seq INTEGER PRIMARY KEY,
                at INTEGER NOT NULL,
                kind TEXT NOT NULL,
                body BLOB NOT NULL
            );
            CREATE TABLE memory (kind TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
            """
        ),
    ],
    unversioned_tables=frozenset({"meta", "records", "memory"}),
)


def open_database(path: Path) -> sqlite3.Connection:
    """Open or make the file. One that is damaged is set aside, kept, and a new one started.

    May be used from one thread at a time. Every commit is on the disk when it returns.
    Raises DatabaseFault with a sentence.
    """
    with explained(path, "open"):
        return open_or_set_aside(path, LADDER, checked=True)
