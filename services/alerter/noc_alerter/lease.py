"""Which of several alerters on one data folder acts: the one that holds the lease in the database; others stand by.

A lock on a file beside it, which ends with its process however that ends, says at once that the holder is gone. One
that hangs keeps its lock, but no longer renews its lease: by the waiting one's own steady clock that is over soon.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from noc_frame.sqlite import Database, DatabaseFault

RENEWED_EVERY_S: Final = 1.0
EXPIRES_AFTER_S: Final = 10.0
"""Who has not renewed it for so long acts no more; as soon as it wakes up, it finds that another does."""


class Lost(RuntimeError):  # what happened
    """Another alerter acts now; this one must not any more."""


class Lease:
    """Everything raises DatabaseFault."""

    def __init__(self, database: Database, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._host = f"{socket.gethostname()}, process {os.getpid()}"
        # Readable by its owner alone, like all in this folder.
        self._lock = os.open(folder / "alerter.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._has_lock = False
        self._seen: tuple[str, int] | None = None
        self._seen_s = clock()

    def take(self) -> bool:
        """Whether this one acts from now on. To be asked about once a second."""
        found = self._found()
        if self._try_lock():
            return self._claim(found)
        beat = (found[0], found[2]) if found else None
        if beat != self._seen:
            self._seen, self._seen_s = beat, self._clock()
            return False
        return self._clock() - self._seen_s >= EXPIRES_AFTER_S and self._claim(found)

    def holder(self) -> str:
        """Who acts, for people."""
        found = self._found()
        return found[1] if found else "unknown"

    def renew(self) -> None:
        """To be called once a second by the one that acts, before it does anything. Raises Lost."""
        self._try_lock()
        with self._database.transaction("renew the lease in") as connection:
            renewed = connection.execute("UPDATE lease SET beat = beat + 1 WHERE holder = ?", (self._holder,)).rowcount
        if not renewed:
            raise self._lost()

    def guard(self, connection: sqlite3.Connection) -> None:
        """For every transaction of the one that acts: who slept while another took over writes nothing. Raises Lost."""
        if connection.execute("SELECT 1 FROM lease WHERE holder = ?", (self._holder,)).fetchone() is None:
            raise self._lost()

    def insist(self) -> None:
        """The same before what needs no transaction. Raises Lost."""
        if self._found_holder() not in (self._holder, None):
            raise self._lost()

    def release(self) -> None:
        """Whoever waits need not wait any longer; where another acts already, nobody does."""
        with contextlib.suppress(Lost), self._database.transaction("release the lease in") as connection:
            connection.execute("DELETE FROM lease WHERE holder = ?", (self._holder,))
        self.close()

    def close(self) -> None:
        os.close(self._lock)

    def _lost(self) -> Lost:
        return Lost(f"another alerter, on {self.holder()}, acts on this data folder now")

    def _found_holder(self) -> str | None:
        """None also where nobody can say: better told twice than not at all."""
        try:
            found = self._found()
        except DatabaseFault:
            return None
        return found[0] if found else None

    def _found(self) -> tuple[str, str, int] | None:
        rows = self._database.read("read", "SELECT holder, host, beat FROM lease")
        return rows[0] if rows else None

    def _claim(self, found: tuple[str, str, int] | None) -> bool:
        """It is another's only where that has renewed it since it was `found`."""
        with self._database.transaction("take the lease in") as connection:
            if found is not None:
                connection.execute("DELETE FROM lease WHERE holder = ? AND beat = ?", (found[0], found[2]))
            claimed = connection.execute(
                "INSERT OR IGNORE INTO lease (only_one, holder, host, beat) VALUES (1, ?, ?, 0)",
                (self._holder, self._host),
            ).rowcount
        return bool(claimed)

    def _try_lock(self) -> bool:
        if not self._has_lock:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self._has_lock = True
        return True
