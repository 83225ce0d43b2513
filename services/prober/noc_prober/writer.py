"""The thread that owns the journal: it writes first and publishes afterwards.

Records are committed in groups every 50 ms; only then they are published. The same thread
takes the recorder's marks and sends again what they do not reach.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import REPLAYS, RESULTS, STATES, TRACES
from noc_bus.codec import encode
from noc_bus.messages import Mark, Replay, SiteState, Trace
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_frame import log
from noc_prober.clock import boot_ms, boot_number
from noc_prober.journal import Journal, Record, SignOfLife
from noc_prober.memory import Kind, Memory
from noc_prober.replay import FlowControl

GROUP_S: Final = 0.05
_GROUP_RECORDS: Final = 2000
_QUEUE: Final = 100_000
_RETRY_S: Final = 1.0
_SIGN_EVERY_S: Final = 2.0
_DROP_EVERY_S: Final = 2.0
_DROP_FOR_S: Final = 0.5
_LOG_EVERY_S: Final = 60.0


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
        revs = RevCounter()
        self._states: Published[tuple[str, str], SiteState] = Published(bus, STATES, revs, site=site)
        self._traces: Published[tuple[str, str], Trace] = Published(bus, TRACES, revs, site=site)
        for state in memory.states().values():
            self._states.put(state)
        for trace in memory.traces().values():
            self._traces.put(trace)
        # A mark covers those before it, so that of many only the newest few matter.
        self._marks: deque[Mark] = deque(maxlen=10)
        # It covers more than is deleted at once.
        self._half_applied: Mark | None = None
        self._flow = FlowControl(time.monotonic(), journal.next_seq)
        self._boot_number = boot_number()
        self._opened_ms, self._ran_before_ms = boot_ms(), journal.ran_ms
        self._failing_since_s: float | None = None
        self._logged_s = 0.0
        self._signed_s = self._dropped_s = time.monotonic()
        self._stop = threading.Event()
        self._log = log.get("noc.prober")
        self.refused = 0
        """Records there was no room for in memory: never numbered, never written."""
        self.dropped = 0
        """Records the journal had to let go before they were stored."""
        self._refused_logged = self._dropped_logged = 0
        self._lost_logged_s = self._stuck_logged_s = float("-inf")
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write and send what is queued, then end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @property
    def published(self) -> Sequence[Published[Any, Any]]:
        """What this site has retained; to be ticked by who announces it."""
        return (self._states, self._traces)

    @property
    def traces(self) -> Mapping[tuple[str, str], Trace]:
        """The last path to each target, by site and target."""
        return self._traces.now

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

    def retire(self, target: str) -> None:
        """The target is no longer ours: what is retained of it goes, after all that was submitted before."""
        self._queue(lambda: self._clear(target))

    def remember(self, kind: Kind, name: str, body: bytes | None) -> None:
        """Keep something over a restart; None forgets it."""
        self._queue(_Remember(kind, name, body))

    def keep_trace(self, trace: Trace) -> Trace:
        """Retain the last path to a target; as it is retained."""
        self.remember("trace", trace.target, encode(trace))
        return self._traces.put(trace)

    def connected(self) -> None:
        """A new connection: what was on its way on the old one is lost."""
        self._queue(lambda: self._flow.restart(time.monotonic(), self._journal.next_seq))

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
                    self._apply(self._marks.popleft())
                if self._half_applied:
                    self._apply(self._half_applied)
                numbered = self._commit(group)
            except sqlite3.Error as error:
                self._log_failure(error)
                # The group is kept and tried again, unless there is no time left for that.
                if self._stop.wait(_RETRY_S):
                    return
                continue
            self._publish_group(group, numbered)
            group = []
            try:
                self._look_after()
            except sqlite3.Error as error:
                self._log_failure(error)
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
        ran_ms, now_s = self._ran_ms(), time.monotonic()
        numbered: dict[int, Record] = {}
        if all(callable(item) for item in group) and now_s - self._signed_s < _SIGN_EVERY_S:
            return numbered
        with self._journal.transaction():
            for index, item in enumerate(group):
                if isinstance(item, _Append):
                    numbered[index] = self._journal.append(item.record, ran_ms)
                elif isinstance(item, _Remember):
                    self._keep(item)
            for record in numbered.values():
                if isinstance(record, SiteState):
                    self._memory.keep("state", record.target, encode(record))
            self._journal.sign(SignOfLife(Time.now(), boot_ms(), self._boot_number), ran_ms)
        self._signed_s = now_s
        return numbered

    def _publish_group(self, group: list[_Item], numbered: dict[int, Record]) -> None:
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
                    self._log_failure(error)

    def _look_after(self) -> None:
        now_s = time.monotonic()
        # What is stored is not lost, only not deleted yet.
        if now_s - self._dropped_s >= _DROP_EVERY_S and not self._half_applied:
            self._dropped_s = now_s
            self._drop_old(now_s)
            self._log_lost(now_s)
        self._send_again(now_s)

    def _ran_ms(self) -> int:
        return self._ran_before_ms + boot_ms() - self._opened_ms

    def _keep(self, item: _Remember) -> None:
        if item.body is None:
            self._memory.forget(item.kind, item.name)
        else:
            self._memory.keep(item.kind, item.name, item.body)

    def _publish(self, record: Record) -> None:
        if isinstance(record, SiteState):
            self._states.put(record)
        else:
            self._bus.publish(RESULTS, record)

    def _refresh(self, view: SiteState) -> None:
        last = self._states.now.get((self._site, view.target))
        # A change still on its way is published as itself; this would be about the state before it.
        if last is None or (last.state, last.since) != (view.state, view.since):
            return
        said = self._states.put(replace(view, epoch=last.epoch, seq=last.seq), more_follow=True)
        self.remember("state", said.target, encode(said))

    def _clear(self, target: str) -> None:
        with self._journal.transaction():
            self._memory.forget("state", target)
            self._memory.forget("trace", target)
        self._states.remove((self._site, target))
        self._traces.remove((self._site, target))

    def _apply(self, mark: Mark) -> None:
        journal = self._journal
        with journal.transaction():
            is_ours = journal.acknowledge(mark)
            if not is_ours:
                journal.start_epoch(Time.now(), mark.epoch)
        self._half_applied = mark if journal.is_covered(mark) else None
        if not is_ours:
            self._log.warning(
                "the recorder has stored more of this site than this journal knows: it starts a new epoch "
                "(its folder was lost or put back from a copy; or, where this comes again and again, another "
                f"prober has the name {self._site} too: give one of them another NOC_SITE)"
            )
            self._flow.forget_mark()
            self._flow.restart(time.monotonic(), journal.next_seq)
            for state in list(self._states.now.values()):
                self._states.put(replace(state, epoch=journal.epoch))
        elif mark.epoch == journal.epoch:
            self._flow.marked(mark.seq, time.monotonic())

    def _drop_old(self, now_s: float) -> None:
        until_s = now_s + _DROP_FOR_S
        while True:
            with self._journal.transaction():
                lost = self._journal.drop_old(self._ran_ms())
            self.dropped += lost
            if not lost or time.monotonic() > until_s:
                return

    def _log_lost(self, now_s: float) -> None:
        """What was lost is logged once a minute, as long as more is being lost."""
        if now_s - self._lost_logged_s < _LOG_EVERY_S:
            return
        dropped, refused = self.dropped - self._dropped_logged, self.refused - self._refused_logged
        if not dropped and not refused:
            return
        self._lost_logged_s = now_s
        self._dropped_logged, self._refused_logged = self.dropped, self.refused
        if dropped:
            self._log.error(
                f"the journal is full: its {dropped} oldest records were dropped without having been stored"
            )
        if refused:
            self._log.error(f"{refused} records were lost: more of them came than can be written to the journal")

    def _send_again(self, now_s: float) -> None:
        self._flow.tick(now_s, self._journal.next_seq)
        while self._bus.connected and (first := self._flow.next_first_seq(self._journal.oldest_seq)) is not None:
            run = self._journal.read(first, self._flow.batch_bytes)
            if run is None:
                return
            batch = Replay(
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
            self._flow.sent(run.last_seq, now_s)
            self._log_stuck(batch, now_s)

    def _log_stuck(self, batch: Replay, now_s: float) -> None:
        if not self._flow.is_stuck or now_s - self._stuck_logged_s < 10 * _LOG_EVERY_S:
            return
        self._stuck_logged_s = now_s
        record: Record = batch.results[0] if batch.results else batch.states[0]
        what = "result" if batch.results else "state"
        self._log.error(
            f"the recorder's mark does not move, although its next record, a {what} of {record.target} with "
            f"{len(encode(batch))} bytes, was sent again alone: no recorder is running, or the broker takes no "
            "message of that size (message_size_limit in Mosquitto, max_payload in nats-server)"
        )

    def _log_failure(self, error: sqlite3.Error) -> None:
        now_s = time.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
            self._logged_s = 0.0
        if now_s - self._logged_s >= 60:
            self._logged_s = now_s
            self._log.error(
                f"the journal cannot be written ({error}); what is seen waits in memory and "
                "nothing is published until it can: make room on the disk of NOC_DATA"
            )
