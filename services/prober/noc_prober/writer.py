"""The thread that owns the journal: it writes first and speaks afterwards.

Records are committed in groups every 50 ms; only then they are published. The same thread
takes the recorder's marks and sends again what they do not reach.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import REPLAYS, RESULTS, STATES
from noc_bus.codec import encode
from noc_bus.messages import Mark, ProbeResult, SiteState
from noc_bus.messages import Replay as ReplayBatch
from noc_bus.time import Time
from noc_frame import log
from noc_prober.journal import Journal, Record
from noc_prober.memory import Kind, Memory
from noc_prober.replay import BATCH_BYTES, Replay

GROUP_S: Final = 0.05
_GROUP_RECORDS: Final = 2000
_QUEUE: Final = 100_000
_RETRY_S: Final = 1.0
_SIGN_EVERY_S: Final = 2.0
_DROP_EVERY_S: Final = 10.0


@dataclass(frozen=True)
class _Append:
    record: Record
    then: Callable[[Record], None] | None


@dataclass(frozen=True)
class _Remember:
    kind: Kind
    name: str
    body: bytes | None


_Item = _Append | _Remember | Callable[[], None]


class Writer:
    """`submit` and the other public methods only queue; they may be called from any thread."""

    def __init__(self, site: str, bus: Bus, journal: Journal, memory: Memory) -> None:
        self._site = site
        self._bus = bus
        self._journal = journal
        self._memory = memory
        self._items: queue.Queue[_Item] = queue.Queue(maxsize=_QUEUE)
        self._states: dict[str, SiteState] = memory.states()
        # A mark covers those before it, so that of many only the newest few matter.
        self._marks: deque[Mark] = deque(maxlen=10)
        self._replay = Replay(time.monotonic(), journal.next_seq)
        self._failing_since_s: float | None = None
        self._told_s = 0.0
        self._signed_s = self._dropped_s = time.monotonic()
        self._stop = threading.Event()
        self._log = log.get("noc.prober")
        self.refused = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write and send what is queued, then end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def failing_s(self) -> float:
        """For how long nothing could be written; 0 when all is well."""
        since_s = self._failing_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    @property
    def epoch(self) -> int:
        return self._journal.epoch

    @property
    def next_seq(self) -> int:
        return self._journal.next_seq

    @property
    def depth(self) -> int:
        return self._journal.depth + self._items.qsize()

    # -- from other threads

    def submit(self, record: Record, then: Callable[[Record], None] | None = None) -> bool:
        """Number, write and publish a record; then call `then` with it, on this thread. False: no room, it is lost."""
        return self._queue(_Append(record, then))

    def refresh(self, view: SiteState) -> None:
        """Say again how a target is, with the number of its last change. Nothing is journaled."""
        self._queue(lambda: self._refresh(view))

    def last_word(self, target: str) -> None:
        """The target is no longer ours: what is retained of it goes, after all that was submitted before."""
        self._queue(lambda: self._forget(target))

    def remember(self, kind: Kind, name: str, body: bytes | None) -> None:
        """Keep something over a restart; None forgets it."""
        self._queue(_Remember(kind, name, body))

    def connected(self) -> None:
        """A new connection: the broker may have forgotten everything."""
        self._queue(self._republish)

    def marked(self, mark: Mark) -> None:
        """The recorder's mark: taken before anything more is numbered, for it may begin a new epoch."""
        self._marks.append(mark)

    def _queue(self, item: _Item) -> bool:
        try:
            self._items.put_nowait(item)
        except queue.Full:
            self.refused += 1
            return False
        return True

    # -- the thread

    def _run(self) -> None:
        group: list[_Item] = []
        while not (self._stop.is_set() and not group and self._items.empty()):
            if not group:
                group = self._next_group()
            try:
                while self._marks:
                    self._take(self._marks.popleft())
                numbered = self._commit(group)
            except sqlite3.Error as error:
                self._tell(error)
                # The group is kept and tried again, unless there is no time left for that.
                if self._stop.wait(_RETRY_S):
                    return
                continue
            self._speak(group, numbered)
            group = []
            try:
                self._look_after()
            except sqlite3.Error as error:
                self._tell(error)
                continue
            if self._failing_since_s is not None:
                self._log.info("the journal can be written again")
                self._failing_since_s = None

    def _next_group(self) -> list[_Item]:
        group: list[_Item] = []
        until_s = time.monotonic() + 4 * GROUP_S
        while len(group) < _GROUP_RECORDS:
            try:
                group.append(self._items.get(timeout=max(0.0, until_s - time.monotonic())))
            except queue.Empty:
                break
            if len(group) == 1:
                until_s = time.monotonic() + GROUP_S
            if self._stop.is_set():
                until_s = 0.0
        return group

    def _commit(self, group: list[_Item]) -> dict[int, Record]:
        """Everything of a group that belongs on the disk, in one transaction. The records by their place in it."""
        now, now_s = Time.now(), time.monotonic()
        numbered: dict[int, Record] = {}
        if all(callable(item) for item in group) and now_s - self._signed_s < _SIGN_EVERY_S:
            return numbered
        with self._journal.transaction():
            for index, item in enumerate(group):
                if isinstance(item, _Append):
                    numbered[index] = self._journal.append(item.record, now)
                elif isinstance(item, _Remember):
                    self._keep(item)
            for record in numbered.values():
                if isinstance(record, SiteState):
                    self._memory.keep("state", record.target, encode(record))
            self._journal.sign(now)
        self._signed_s = now_s
        return numbered

    def _speak(self, group: list[_Item], numbered: dict[int, Record]) -> None:
        """Publish what is on the disk now, and do what was asked in between, in the order it was asked."""
        for index, item in enumerate(group):
            if isinstance(item, _Append):
                self._publish(numbered[index])
                if item.then:
                    item.then(numbered[index])
            elif not isinstance(item, _Remember):
                try:
                    item()
                except sqlite3.Error as error:
                    # None of these loses a record: what could not be deleted is deleted with the next mark.
                    self._tell(error)

    def _look_after(self) -> None:
        now_s = time.monotonic()
        if now_s - self._dropped_s >= _DROP_EVERY_S:
            self._dropped_s = now_s
            self._drop_old(Time.now())
        self._send_again(now_s)

    def _keep(self, item: _Remember) -> None:
        if item.body is None:
            self._memory.forget(item.kind, item.name)
        else:
            self._memory.keep(item.kind, item.name, item.body)

    def _publish(self, record: Record) -> None:
        if isinstance(record, ProbeResult):
            self._bus.publish(RESULTS, record)
            return
        self._states[record.target] = record
        self._bus.publish(STATES, record)

    def _refresh(self, view: SiteState) -> None:
        last = self._states.get(view.target)
        # A change still on its way is published as itself; this would be about the state before it.
        if last is None or (last.state, last.since) != (view.state, view.since):
            return
        said = self._states[view.target] = replace(view, epoch=last.epoch, seq=last.seq)
        self.remember("state", said.target, encode(said))
        self._bus.publish(STATES, said)

    def _forget(self, target: str) -> None:
        if self._states.pop(target, None):
            with self._journal.transaction():
                self._memory.forget("state", target)
        self._bus.clear(STATES, site=self._site, target=target)

    def _republish(self) -> None:
        for state in self._states.values():
            self._bus.publish(STATES, state)
        self._replay.restart(time.monotonic())

    def _take(self, mark: Mark) -> None:
        journal = self._journal
        with journal.transaction():
            is_ours = journal.acknowledge(mark)
            if not is_ours:
                journal.begin_epoch(Time.now(), mark.epoch)
        if not is_ours:
            self._log.warning(
                "the recorder has stored more of this site than this journal knows: it begins a new epoch "
                "(its folder was lost or put back from a copy; or, where this comes again and again, another "
                f"prober has the name {self._site} too: give one of them another NOC_SITE)"
            )
            self._states = {target: replace(state, epoch=journal.epoch) for target, state in self._states.items()}
            self._replay.forget_mark()
            self._replay.restart(time.monotonic())
            self._republish()
        elif mark.epoch == journal.epoch:
            self._replay.marked(mark.seq, time.monotonic())

    def _drop_old(self, now: Time) -> None:
        with self._journal.transaction():
            lost = self._journal.drop_old(now)
        if lost:
            self._log.error(f"the journal is full: its {lost} oldest records were dropped without having been stored")

    def _send_again(self, now_s: float) -> None:
        self._replay.tick(now_s, self._journal.next_seq)
        while self._bus.connected and (first := self._replay.next_first_seq(self._journal.oldest_seq)) is not None:
            run = self._journal.read(first, BATCH_BYTES)
            if run is None:
                return
            batch = ReplayBatch(
                site=self._site,
                epoch=self._journal.epoch,
                oldest_seq=self._journal.oldest_seq,
                first_seq=run.first_seq,
                last_seq=run.last_seq,
                results=run.results,
                states=run.states,
            )
            if not self._bus.publish(REPLAYS, batch):
                return
            self._replay.sent(run.last_seq, now_s)

    def _tell(self, error: sqlite3.Error) -> None:
        now_s = time.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
            self._told_s = 0.0
        if now_s - self._told_s >= 60:
            self._told_s = now_s
            self._log.error(
                f"the journal cannot be written ({error}); what is seen waits in memory and "
                "nothing is told until it can: make room on the disk of NOC_DATA"
            )
