"""From the intake to the store: batches are written until they are durable, and only then marked."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from noc_bus.messages import Mark, ProbeResult, SiteState
from noc_bus.time import Time
from noc_frame import log
from noc_history.store import Batch, Store, StoreError
from noc_recorder.contiguous import Ledger
from noc_recorder.intake import Arrived, Intake
from noc_recorder.rejected import RejectedFile

WRITE_EVERY_S: Final = 0.5
_FORGET_EVERY_S: Final = 3600.0
_RETRY_S: Final = (0.5, 30.0)
_DAY_MS: Final = 86_400_000


class Writer:
    """Lives in one thread, which runs `run`; the figures may be read from others."""

    def __init__(
        self, store: Store, intake: Intake, rejected: RejectedFile, keep_days: int, write_every_s: float = WRITE_EVERY_S
    ) -> None:
        self.trouble: str | None = "the store has not been read yet"
        self.stored = 0
        self.duplicates = 0
        self.write_ms = 0.0
        self.ledger = Ledger()
        self._store = store
        self._intake = intake
        self._rejected = rejected
        self._keep_ms = keep_days * _DAY_MS
        self._write_every_s = write_every_s
        self._forget_at_s = time.monotonic()
        self._log = log.get("noc.recorder")

    def run(self, stop: threading.Event, publish: Callable[[Sequence[Mark]], None]) -> None:
        """Write what arrives, every `write_every_s`, the last of it after `stop` is set.

        `publish` is called with marks once everything up to them is durable. Raises StoreError when
        the store is broken for good.
        """
        if not self._insist(self.restore, stop):
            return
        publish(self.marks())
        while not stop.wait(self._write_every_s):
            if not self._store_arrived(stop, publish):
                # The books hold a batch that the store does not: a later one must not be marked over it.
                return
            if time.monotonic() >= self._forget_at_s:
                self._forget_at_s = time.monotonic() + _FORGET_EVERY_S
                self._forget()
        self._store_arrived(stop, publish)

    def restore(self) -> None:
        """Go on from the marks that are stored. Raises StoreError."""
        for site, mark in self._store.marks().items():
            self.ledger.restore(site, mark.epoch, mark.seq)

    def marks(self) -> list[Mark]:
        """What may be published now, from this thread."""
        now = Time.now()
        return [Mark(site=site, epoch=epoch, seq=seq, at=now) for site, (epoch, seq) in self.ledger.marks().items()]

    def batch_of(self, arrived: Arrived) -> Batch:
        """What of it is new, with the marks that hold once it is stored."""
        before = self.ledger.marks()
        results: list[ProbeResult] = []
        states: list[SiteState] = []
        for record in arrived.records:
            if self.ledger.is_current(record.site, record.epoch):
                books = self.ledger.of(record.site, record.epoch)
                if books.has(record.seq):
                    self.duplicates += 1
                    continue
                books.stored(record.seq)
            if isinstance(record, ProbeResult):
                results.append(record)
            else:
                states.append(record)
        for (site, epoch), oldest_seq in arrived.oldest.items():
            if self.ledger.is_current(site, epoch):
                self.ledger.of(site, epoch).begins_at(oldest_seq)
        # A word of an incident's begin sorts before that of its end.
        incidents = [arrived.incidents[key] for key in sorted(arrived.incidents)]
        marks = [mark for mark in self.marks() if before.get(mark.site) != (mark.epoch, mark.seq)]
        return Batch(results, states, incidents, marks)

    def _store_arrived(self, stop: threading.Event, publish: Callable[[Sequence[Mark]], None]) -> bool:
        """False where it was stopped before what arrived was stored."""
        if not (arrived := self._intake.take()):
            return True
        batch = self.batch_of(arrived)
        if not self._insist(lambda: self._write(batch), stop):
            return False
        publish(batch.marks)
        return True

    def _forget(self) -> None:
        """Try once: what is too old, and cannot be deleted, must not keep what is new from being stored."""
        try:
            self._store.forget_cycles(Time(Time.now() - self._keep_ms))
        except StoreError as error:
            if not error.can_retry:
                raise
            self._log.error(f"{error}; old cycles stay for now, the next try is in an hour")

    def _write(self, batch: Batch) -> None:
        began_s = time.monotonic()
        rejected = self._store.write(batch)
        self.write_ms = (time.monotonic() - began_s) * 1000
        self._rejected.add(rejected)
        self.stored += len(batch.results) + len(batch.states) + len(batch.incidents) - len(rejected)

    def _insist(self, act: Callable[[], object], stop: threading.Event) -> bool:
        """Try until it works; False when stopped before. What is not stored then is sent again by its site."""
        attempts = 0
        while True:
            try:
                act()
            except StoreError as error:
                if not error.can_retry:
                    raise
                if str(error) != self.trouble:
                    self.trouble = str(error)
                    self._log.error(f"{error}; nothing is lost, the sites keep what is not stored")
            else:
                if self.trouble is not None and attempts:
                    self._log.info("the store works again")
                self.trouble = None
                return True
            attempts += 1
            low, high = _RETRY_S
            if stop.wait(random.uniform(low, min(high, low * 2**attempts))):
                return False
