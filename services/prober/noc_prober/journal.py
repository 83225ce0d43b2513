"""Every result and state change, numbered without gaps, on disk before it is sent and until it is marked.

The calls here go to one database connection and are made by one thread; a call that raises
sqlite3.Error has changed nothing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from noc_bus.codec import decode, encode
from noc_bus.messages import Mark, ProbeResult, SiteState
from noc_bus.time import Time

Record = ProbeResult | SiteState

# Hours in which this prober ran: a wall clock gone wrong for a minute must not make everything old.
KEPT_MS: Final = 72 * 3_600_000
KEPT_BYTES: Final = 2_000_000_000
_KINDS: Final[dict[str, type[ProbeResult | SiteState]]] = {"result": ProbeResult, "state": SiteState}
# What a group of new records may have to wait for.
_DELETED_AT_ONCE: Final = 5000
_REASONABLE_BYTES: Final = 100


def machine_number(name_file: Path = Path("/etc/machine-id")) -> int:
    """Names this machine, also over restarts; 0 where the system does not tell. Nobody can tell its name by it."""
    try:
        name = name_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return 0
    return int(hashlib.sha256(f"noc prober {name}".encode()).hexdigest()[:15], 16) if name else 0


@dataclass(frozen=True)
class SignOfLife:
    """When the journal was last written: on the wall clock, and since the start of the machine of that name."""

    at: Time
    boot_ms: int
    boot_number: int


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
        # Journals that have no time of their own yet have the wall clock's in their records.
        self._ran_ms = self._meta("ran_ms", int(now))
        self._refresh()

    @property
    def oldest_seq(self) -> int:
        """The first record still here; where there is none, the number of the next."""
        return self._oldest_seq

    @property
    def depth(self) -> int:
        return self.next_seq - self._oldest_seq

    @property
    def sign_of_life(self) -> SignOfLife | None:
        """When this journal was last written before it was opened, or since."""
        at = self._meta("alive_at", 0)
        return SignOfLife(Time(at), self._meta("alive_boot_ms", 0), self._meta("alive_boot", 0)) if at else None

    @property
    def ran_ms(self) -> int:
        """The journal's own time, by which records get old, as it was last signed: it stands still while nobody runs."""
        return self._ran_ms

    def settle_on(self, machine: int) -> bool:
        """Note the machine that it is on now; whether it was on another one before. 0: the system does not tell."""
        before = self._meta("machine", machine)
        if machine and before != machine:
            self._connection.execute("UPDATE meta SET value = ? WHERE name = 'machine'", (machine,))
        return bool(machine and before) and before != machine

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

    def append(self, record: Record, ran_ms: int) -> Record:
        """Number a record and write it, inside a transaction, at the journal's own time. Returns it with epoch and number."""
        numbered = replace(record, epoch=self.epoch, seq=self.next_seq)
        kind = "result" if isinstance(record, ProbeResult) else "state"
        self._connection.execute(
            "INSERT INTO records (seq, at, kind, body) VALUES (?, ?, ?, ?)",
            (self.next_seq, ran_ms, kind, encode(numbered)),
        )
        self.next_seq += 1
        return numbered

    def sign(self, alive: SignOfLife, ran_ms: int) -> None:
        """Inside a transaction that appended, or from time to time: we were alive now, and this number is next."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
            [
                ("alive_at", int(alive.at)),
                ("alive_boot_ms", alive.boot_ms),
                ("alive_boot", alive.boot_number),
                ("ran_ms", ran_ms),
                ("next_seq", self.next_seq),
            ],
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
        """Delete some of what the mark covers, the oldest first; call it again while `is_covered` says so.

        False where the mark knows more than we do, so that numbers must start again.
        """
        if mark.epoch > self.epoch or (mark.epoch == self.epoch and mark.seq >= self.next_seq):
            return False
        if self.is_covered(mark):
            self._delete_up_to(min(mark.seq, self._oldest_seq + _DELETED_AT_ONCE - 1))
        return True

    def is_covered(self, mark: Mark) -> bool:
        """Whether the mark covers records that are still here."""
        return mark.epoch == self.epoch and self._oldest_seq <= min(mark.seq, self.next_seq - 1)

    def start_epoch(self, now: Time, above: int) -> None:
        """After a journal was lost or put back from a copy: the same records under a name not used before."""
        epoch = max(int(now), above + 1, self.epoch + 1)
        self._connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('epoch', ?)", (epoch,))
        self.epoch = epoch

    def drop_old(self, ran_ms: int, kept_bytes: int = KEPT_BYTES, kept_ms: int = KEPT_MS) -> int:
        """Let go of some of the oldest where the journal is too old or too large, inside a transaction.

        Returns how many were lost; call it again, in another transaction, until none are.
        """
        before = self._oldest_seq
        (last_old,) = self._connection.execute(
            "SELECT max(seq) FROM records WHERE at < ? AND seq < ?", (ran_ms - kept_ms, before + _DELETED_AT_ONCE)
        ).fetchone()
        if (excess := self._bytes() - kept_bytes) > 0:
            # As many as take up what is too much, so that the bound holds however fast records come.
            mean_bytes = max(_REASONABLE_BYTES, self._bytes() // max(1, self.depth))
            count = min(_DELETED_AT_ONCE, max(1, excess // mean_bytes + 1))
            last_old = max(last_old or 0, min(before + count, self.next_seq) - 1)
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
