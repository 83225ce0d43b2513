"""The recorder on the bus: hands in what arrives, tells what is stored and how it is."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from noc_bus.bus import Bus
from noc_bus.channels import INCIDENTS, MARKS, REPLAYS, RESULTS, SERVICES, STATES, TRACES
from noc_bus.messages import Incident, Mark, ProbeResult, Replay, ServicePresence, SiteState, Trace
from noc_bus.presence import PRESENCE_EVERY_S, Announcer, offline, presence
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_frame import log
from noc_recorder.intake import Intake
from noc_recorder.maintenance import Maintenance
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer
from noc_rules.late import is_late_outage


class Recorder:
    """Wires itself to the bus when it is made. The bus calls it from its own thread."""

    def __init__(
        self,
        bus: Bus,
        writer: Writer,
        maintenance: Maintenance,
        intake: Intake,
        rejected: RejectedFile,
    ) -> None:
        self._bus = bus
        self._writer = writer
        self._maintenance = maintenance
        self._intake = intake
        self._rejected = rejected
        self._since = Time.now()
        self._marks: Published[str, Mark] = Published(bus, MARKS, RevCounter())
        # Of sites that may have been deleted, which a recorder without a catalogue cannot know: not published
        # before the broker has one, or their prober speaks.
        self._withheld: dict[str, Mark] = {}
        self._known: set[str] = set()
        # A bus may hand over within the call that publishes.
        self._lock = threading.RLock()
        self._told_trouble: str | None = None
        self._log = log.get("noc.recorder")
        # Marks change all the time: whoever tells of each change would tell of nothing else.
        self._announcer = Announcer(
            bus, SERVICES, self._presence, [self._marks], soon_s=PRESENCE_EVERY_S, service="recorder"
        )
        bus.subscribe(RESULTS, self._on_record)
        bus.subscribe(STATES, self._on_record)
        bus.subscribe(REPLAYS, self._on_replay)
        bus.subscribe(INCIDENTS, self._on_incident)
        bus.subscribe(TRACES, self._on_trace)
        bus.subscribe(MARKS, self._on_mark)

    def publish_marks(self, marks: Sequence[Mark]) -> None:
        """Tell the sites how far they are stored."""
        with self._lock:
            for mark in marks:
                if mark.site in self._known:
                    self._marks.put(mark, more_follow=True)
                else:
                    self._withheld[mark.site] = mark

    def tick(self) -> None:
        """About once a second: put right what the broker lost, and say how we are where it is time, or is otherwise."""
        if self._trouble != self._told_trouble:
            self.announce()
        self._announcer.tick()

    def announce(self) -> None:
        """The sign of life, with the figures."""
        self._announcer.announce()

    def say_goodbye(self) -> None:
        """The last message of a recorder that stops on request; the last will speaks for one that does not."""
        self._announcer.say_goodbye(offline("recorder", self._bus.instance)[1])

    @property
    def _trouble(self) -> str | None:
        return self._writer.trouble or self._maintenance.trouble

    def _presence(self) -> ServicePresence:
        writer = self._writer
        self._told_trouble = self._trouble
        figures: dict[str, float] = {
            "stored_total": writer.stored,
            "duplicates_total": writer.duplicates + self._maintenance.repeated_rows,
            "rejected_total": self._rejected.total,
            "ahead_total": writer.ahead,
            "strangers_refused_total": writer.strangers.refused,
            "dropped_total": self._intake.dropped,
            "declared_gone_total": writer.ledger.declared_gone,
            "buffered": len(self._intake),
            "waiting": writer.ledger.waiting,
            "write_ms": round(writer.write_ms, 1),
            **self._maintenance.figures,
            **self._bus.counters,
        }
        return presence("recorder", self._since, figures, self._told_trouble)

    def _on_mark(self, mark: Mark | None, variables: dict[str, str]) -> None:
        """One from an earlier start: the site is still there. Cleared by somebody: it was deleted."""
        site = variables["site"]
        if mark is not None:
            self._is_there(site)
            return
        with self._lock:
            self._known.discard(site)
            ours = self._marks.now.get(site)
            if ours is not None:
                self._withheld[site] = ours
                self._marks.remove(site)

    def _is_there(self, site: str) -> None:
        """A site speaks, or its mark is retained. One that was deleted is a new one then, whose journal goes on."""
        if site in self._known:
            return
        with self._lock:
            self._known.add(site)
            if (mark := self._withheld.pop(site, None)) is not None:
                self._marks.put(mark)

    def _on_record(self, record: ProbeResult | SiteState | None, variables: dict[str, str]) -> None:
        if record is not None:
            self._intake.put(record)
            self._is_there(record.site)

    def _on_replay(self, replay: Replay | None, variables: dict[str, str]) -> None:
        if replay is None:
            return
        records: list[ProbeResult | SiteState] = [*replay.results, *replay.states]
        if any((record.site, record.epoch) != (replay.site, replay.epoch) for record in records):
            self._log.warning(f"dropped a replay of {replay.site}: it has records of another site or epoch")
            return
        self._is_there(replay.site)
        now = Time.now()
        if self._intake.put(*records, late=[one for one in replay.states if is_late_outage(one, now)]):
            self._intake.put_oldest(replay.site, replay.epoch, replay.oldest_seq)

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        if incident is not None:
            self._intake.put_incident(incident)

    def _on_trace(self, trace: Trace | None, variables: dict[str, str]) -> None:
        if trace is not None:
            self._intake.put_trace(trace)
