"""Every result and state change, numbered without gaps, on disk before it is sent and until it is marked.

The calls here go to one database connection and are made by one thread; a call that raises
sqlite3.Error has changed nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from noc_bus.codec import decode, encode
from noc_bus.messages import Mark, ProbeResult, SiteState
from noc_bus.time import Time

Record = ProbeResult | SiteState

KEPT_MS: Final = 72 * 3_600_000
KEPT_BYTES: Final = 2_000_000_000
_KINDS: Final[dict[str, type[ProbeResult | SiteState]]] = {"result": ProbeResult, "state": SiteState}
_DROP_AT_ONCE: Final = 5000


@dataclass(frozen=True)
class Run:
    """Records without holes, from `first_seq` on."""

    first_seq: int
    last_seq: int
    results: list[ProbeResult]
    states: list[SiteState]


class Journal:
    """Its epoch names it: numbers are only comparable within one."""

    def __init__(self, connection: sqlite3.Connection, now: Time) -> None:
        self._connection = connection
        self.epoch = self._meta("epoch", int(now))
        self.next_seq = self._meta("next_seq", 0)
        self._refresh()

    @property
    def oldest_seq(self) -> int:
        """The first record still here; where there is none, the number of the next."""
        return self._oldest_seq

    @property
    def depth(self) -> int:
        return self.next_seq - self._oldest_seq

    @property
    def alive_at(self) -> Time | None:
        """When this journal was last written before it was opened, or since."""
        value = self._meta("alive_at", 0)
        return Time(value) if value else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done inside is on the disk when this ends, or nothing of it happened."""
        next_seq = self.next_seq
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self.next_seq = next_seq
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                self._refresh()
            raise

    def append(self, record: Record, now: Time) -> Record:
        """Number a record and write it, inside a transaction. Returns it with epoch and number."""
        numbered = replace(record, epoch=self.epoch, seq=self.next_seq)
        kind = "result" if isinstance(record, ProbeResult) else "state"
        self._connection.execute(
            "INSERT INTO records (seq, at, kind, body) VALUES (?, ?, ?, ?)",
            (self.next_seq, int(now), kind, encode(numbered)),
        )
        self.next_seq += 1
        return numbered

    def sign(self, now: Time) -> None:
        """Inside a transaction that appended, or from time to time: we were alive now, and this number is next."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
            [("alive_at", int(now)), ("next_seq", self.next_seq)],
        )

    def read(self, first_seq: int, max_bytes: int) -> Run | None:
        """Records from `first_seq` on, as many as fit; None where there are none."""
        run = Run(first_seq, first_seq - 1, [], [])
        size = 0
        last_seq = first_seq - 1
        rows = self._connection.execute("SELECT seq, kind, body FROM records WHERE seq >= ? ORDER BY seq", (first_seq,))
        for seq, kind, body in rows:
            size += len(body) + 1
            if seq != last_seq + 1 or (size > max_bytes and last_seq >= first_seq):
                break
            # The epoch is the journal's, also for records written before it had to be raised.
            record = replace(decode(body, _KINDS[kind]), epoch=self.epoch)
            (run.results if isinstance(record, ProbeResult) else run.states).append(record)  # type: ignore[arg-type]
            last_seq = seq
        rows.close()
        return Run(first_seq, last_seq, run.results, run.states) if last_seq >= first_seq else None

    def acknowledge(self, mark: Mark) -> bool:
        """Delete what the mark covers. False where the mark knows more than we do, so that numbers must begin anew."""
        if mark.epoch > self.epoch or (mark.epoch == self.epoch and mark.seq >= self.next_seq):
            return False
        if mark.epoch == self.epoch and mark.seq >= self._oldest_seq:
            self._delete_up_to(mark.seq)
        return True

    def begin_epoch(self, now: Time, above: int) -> None:
        """After a journal was lost or put back from a copy: the same records under a name not used before."""
        epoch = max(int(now), above + 1, self.epoch + 1)
        self._connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('epoch', ?)", (epoch,))
        self.epoch = epoch

    def drop_old(self, now: Time, kept_bytes: int = KEPT_BYTES, kept_ms: int = KEPT_MS) -> int:
        """Let go of the oldest where the journal is too old or too large. Returns how many were lost."""
        before = self._oldest_seq
        (last_old,) = self._connection.execute(
            "SELECT max(seq) FROM records WHERE at < ? AND seq < ?", (int(now) - kept_ms, before + _DROP_AT_ONCE)
        ).fetchone()
        if self._bytes() > kept_bytes:
            last_old = max(last_old or 0, min(before + _DROP_AT_ONCE, self.next_seq) - 1)
        if last_old is not None and last_old >= before:
            self._delete_up_to(last_old)
        return self._oldest_seq - before

    def _bytes(self) -> int:
        pages, free, size = (
            int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def _delete_up_to(self, seq: int) -> None:
        self._connection.execute("DELETE FROM records WHERE seq <= ?", (seq,))
        self._refresh()

    def _refresh(self) -> None:
        (oldest,) = self._connection.execute("SELECT min(seq) FROM records").fetchone()
        self._oldest_seq = self.next_seq if oldest is None else int(oldest)

    def _meta(self, name: str, default: int) -> int:
        self._connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)", (name, default))
        return int(self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])
