"""From the intake to the store: batches are written until they are durable, and only then marked."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from msgspec.structs import replace as replace_fields

from noc_bus.messages import Incident, Mark, ProbeResult, SiteState, Trace
from noc_bus.time import DAY_MS, Time
from noc_frame import log
from noc_frame.backoff import Backoff
from noc_history.silences import Silences
from noc_history.store import Batch, Rejected, Silence, Store, StoreError
from noc_recorder.contiguous import Ledger
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import Arrived, Intake
from noc_recorder.late import Late
from noc_recorder.rejected import RejectedFile
from noc_recorder.strangers import Strangers
from noc_rules.routes import is_news

WRITE_EVERY_S: Final = 1.0
"""What is live waits five seconds for its mark, and each mark costs the broker more than the results under it."""
# What is full or away is back soon after somebody has mended it; to ask costs nothing.
_RETRY_S: Final = (0.5, 5.0)
# No clock that anybody looks after is a day ahead.
_MAX_AHEAD_MS: Final = DAY_MS
# What can still fill a silence is in a journal, and none keeps so much.
_SILENCES_MS: Final = 4 * DAY_MS
_MAX_WAITING: Final = 10_000
_TARGETS_AT_ONCE: Final = 500

_Name = tuple[str, int, int]


class Writer:
    """Lives in one thread, which runs `run`; the figures may be read from others."""

    def __init__(
        self,
        store: Store,
        intake: Intake,
        rejected: RejectedFile,
        definitions: Definitions,
        deletions: Deletions,
        late: Late,
        write_every_s: float = WRITE_EVERY_S,
    ) -> None:
        self.trouble: str | None = "the store has not been read yet"
        self.stored = 0
        self.duplicates = 0
        self.ahead = 0
        self.write_ms = 0.0
        self.ledger = Ledger()
        self.strangers = Strangers(definitions.is_known)
        self._store = store
        self._intake = intake
        self._rejected = rejected
        self._definitions = definitions
        self._deletions = deletions
        self._late = late
        self._silences = Silences(definitions.interval_s)
        self._write_every_s = write_every_s
        self._is_catching_up = True
        # Refused by a store that can be set right; their sites send them again, for no mark passes them.
        self._waiting: dict[_Name, str] = {}
        self._newest = Time(0)
        self._log = log.get("noc.recorder")

    def run(self, stop: threading.Event, publish: Callable[[Sequence[Mark]], None]) -> None:
        """Write what arrives, every `write_every_s`, the last of it after `stop` is set.

        Twice as often while a site sends again what is missing: it waits for the mark before it sends more.
        `publish` is called with marks once everything up to them is durable. Raises StoreError when
        the store is broken for good.
        """
        if not self._insist(self.restore, stop):
            return
        publish(self.marks())
        while not stop.wait(self._write_every_s / 2 if self._is_catching_up else self._write_every_s):
            if not self._store_arrived(stop, publish):
                # The books hold a batch that the store does not: a later one must not be marked over it.
                return
        self._store_arrived(stop, publish)

    def restore(self) -> None:
        """Go on from what is stored. Raises StoreError."""
        now = Time.now()
        self._store.prepare()
        marks = self._store.marks()
        last_cycles = self._store.last_cycles()
        self._definitions.restore(self._store.definitions(None))
        self._silences.restore(last_cycles, self._store.silences(Time(now - _SILENCES_MS)))
        self.strangers.restore(last_cycles)
        for site, mark in marks.items():
            self.ledger.restore(site, mark.epoch, mark.seq)
            self._newest = max(self._newest, mark.at)

    def marks(self) -> list[Mark]:
        """What may be published now, from this thread."""
        now = Time.now()
        return [Mark(site=site, epoch=epoch, seq=seq, at=now) for site, (epoch, seq) in self.ledger.marks().items()]

    def batch_of(self, arrived: Arrived) -> Batch:
        """What of it is new, with the marks that hold once it is stored."""
        before = self.ledger.marks()
        now = Time.now()
        definitions = self._definitions.changed(now)
        results: list[ProbeResult] = []
        states: list[SiteState] = []
        # Where our own clock is the wrong one, it is behind what it said before.
        horizon = max(now, self._newest) + _MAX_AHEAD_MS
        ahead: list[Rejected] = []
        for record in arrived.records:
            if self.ledger.is_current(record.site, record.epoch):
                books = self.ledger.of(record.site, record.epoch)
                if books.has(record.seq):
                    self.duplicates += 1
                    continue
                books.stored(record.seq)
            if _time_of(record) > horizon:
                ahead.append(Rejected(record, f"dated {_time_of(record)}, more than a day ahead of {now}"))
            elif self._is_forgotten(record) or not self.strangers.admits(record.site, record.target):
                continue
            elif isinstance(record, ProbeResult):
                results.append(record)
            else:
                states.append(record)
        self.ahead += len(ahead)
        self._rejected.add(ahead)
        for (site, epoch), oldest_seq in arrived.oldest.items():
            if self.ledger.is_current(site, epoch):
                self.ledger.of(site, epoch).begins_at(oldest_seq)
        # An incident's opening sorts before its end.
        incidents = [arrived.incidents[key] for key in sorted(arrived.incidents)]
        marks = [mark for mark in self.marks() if before.get(mark.site) != (mark.epoch, mark.seq)]
        traces = [
            one
            for one in arrived.traces.values()
            if one.at <= horizon and not self._is_forgotten(one) and self.strangers.admits(one.site, one.target)
        ]
        return Batch(results, states, incidents, definitions, self._silences_of(results, now), traces, marks)

    def _is_forgotten(self, record: ProbeResult | SiteState | Trace) -> bool:
        """Its history was deleted, and this is of that time: it must not come back."""
        return self._deletions.covers(record, is_defined=self._definitions.interval_s(record.target) is not None)

    def _silences_of(self, results: Sequence[ProbeResult], now: Time) -> list[Silence]:
        changed: dict[tuple[str, str, Time], Silence] = {}
        for result in results:
            # A clock that runs ahead must not make silence of the time until it is reached.
            if result.at <= now:
                for one in self._silences.see(result.target, result.site, result.at):
                    changed[one.target, one.site, one.start] = one
        return list(changed.values())

    def _store_arrived(self, stop: threading.Event, publish: Callable[[Sequence[Mark]], None]) -> bool:
        """False where it was stopped before what arrived was stored."""
        for one, kept in self._deletions.carry_out(self._store):
            if one.kind == "target":
                self._definitions.forget(one.name, kept)
                self._silences.forget(one.name, None)
            else:
                self._silences.forget(None, one.name)
        arrived = self._intake.take()
        self._is_catching_up = bool(arrived.oldest)
        batch = self.batch_of(arrived)
        if not batch:
            return True
        marks: list[Mark] = []
        self._late.note(one for one in batch.states if (one.site, one.epoch, one.seq) in arrived.late)
        if not self._insist(lambda: marks.extend(self._write(batch)), stop):
            return False
        self._late.stored()
        publish(marks)
        return True

    def _write(self, batch: Batch) -> Sequence[Mark]:
        """The marks that hold now."""
        begun_s = time.monotonic()
        batch = replace(batch, traces=self._news(batch.traces))
        written = self._store.write(batch)
        self.write_ms = (time.monotonic() - begun_s) * 1000
        self.stored += written.stored
        offered = len(batch.results) + len(batch.states) + len(batch.incidents) + len(batch.traces)
        self.duplicates += max(0, offered - written.stored - len(written.rejected))
        self._rejected.add([one for one in written.rejected if not one.can_mend])
        waiting: dict[_Name, str] = {}
        for one in written.rejected:
            record = one.record
            if one.can_mend and isinstance(record, Incident):
                # Nobody sends it again.
                self._intake.put_incident(record)
            elif one.can_mend and isinstance(record, Trace):
                self._intake.put_trace(record)
            elif one.can_mend and isinstance(record, ProbeResult | SiteState):
                waiting[record.site, record.epoch, record.seq] = one.reason
        self._note_waiting(batch, waiting)
        if not waiting:
            return batch.marks
        self._take_back(waiting)
        marks = self.marks()
        self._store.write(Batch(marks=marks))
        return marks

    def _news(self, traces: Sequence[Trace]) -> list[Trace]:
        """Those whose path is another than the last one stored, as they are stored."""
        found: list[Trace] = []
        for first in range(0, len(traces), _TARGETS_AT_ONCE):
            some = traces[first : first + _TARGETS_AT_ONCE]
            names = sorted({one.target for one in some})
            stored = self._store.traces(names, Time(0), Time(max(one.at for one in some) + 1))
            known: dict[tuple[str, str], list[Trace]] = defaultdict(list)
            for one in (one for of_target in stored.values() for one in of_target):
                known[one.site, one.target].append(one)
            for one in sorted(some, key=lambda one: one.at):
                if is_news(known[one.site, one.target], one):
                    # What led there before is stored by itself.
                    found.append(replace_fields(one, rev=None, last_good=None))
                    known[one.site, one.target].append(one)
        return found

    def _note_waiting(self, batch: Batch, waiting: dict[_Name, str]) -> None:
        taken: list[ProbeResult | SiteState] = [*batch.results, *batch.states]
        for record in taken:
            self._waiting.pop((record.site, record.epoch, record.seq), None)
        for name, reason in list(waiting.items())[: _MAX_WAITING - len(self._waiting)]:
            self._waiting[name] = reason
        # What its site has given up in the meantime waits no more.
        self._waiting = {
            (site, epoch, seq): reason
            for (site, epoch, seq), reason in self._waiting.items()
            if (site, epoch, seq) in waiting or not self.ledger.passes(site, epoch, seq)
        }

    def _take_back(self, waiting: dict[_Name, str]) -> None:
        by_site: dict[tuple[str, int], set[int]] = defaultdict(set)
        for site, epoch, seq in waiting:
            by_site[site, epoch].add(seq)
        for (site, epoch), seqs in by_site.items():
            if self.ledger.is_current(site, epoch):
                self.ledger.of(site, epoch).take_back(seqs)

    @property
    def _refusal(self) -> str | None:
        """What the store refuses and would take were it set right."""
        if not self._waiting:
            return None
        reason = next(iter(self._waiting.values()))
        return f"the store refuses {len(self._waiting)} records, which their sites keep: {reason}"[:500]

    def _insist(self, act: Callable[[], object], stop: threading.Event) -> bool:
        """Try until it works; False when stopped before. What is not stored then is sent again by its site."""
        backoff, has_failed = Backoff(*_RETRY_S), False
        while True:
            try:
                act()
            except StoreError as error:
                if not error.can_retry:
                    raise
                self._say(str(error), f"{error}; nothing is lost, the sites keep what is not stored")
            else:
                if has_failed:
                    self._log.info("the store works again")
                refusal = self._refusal
                self._say(refusal, refusal)
                return True
            has_failed = True
            if stop.wait(backoff.next_s()):
                return False

    def _say(self, trouble: str | None, line: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            self._log.error(line)
        self.trouble = trouble


def _time_of(record: ProbeResult | SiteState) -> Time:
    return record.at if isinstance(record, ProbeResult) else record.since
