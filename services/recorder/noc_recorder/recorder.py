"""The recorder on the bus: hands in what arrives, tells what is stored and how it is."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from noc_bus.bus import Bus
from noc_bus.channels import INCIDENTS, MARKS, REPLAYS, RESULTS, SERVICES, STATES
from noc_bus.messages import Incident, Mark, ProbeResult, Replay, SiteState
from noc_bus.presence import offline, presence
from noc_bus.time import Time
from noc_frame import log
from noc_recorder.intake import Intake
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer


class Recorder:
    """Wires itself to the bus when it is made. The bus calls it from its own thread."""

    def __init__(self, bus: Bus, writer: Writer, intake: Intake, rejected: RejectedFile) -> None:
        self._bus = bus
        self._writer = writer
        self._intake = intake
        self._rejected = rejected
        self._since = Time.now()
        self._marks: dict[str, Mark] = {}
        self._lock = threading.Lock()
        self._log = log.get("noc.recorder")
        bus.subscribe(RESULTS, self._on_record)
        bus.subscribe(STATES, self._on_record)
        bus.subscribe(REPLAYS, self._on_replay)
        bus.subscribe(INCIDENTS, self._on_incident)
        bus.when_connected(self._on_connected)

    def publish_marks(self, marks: Sequence[Mark]) -> None:
        """Tell the sites how far they are stored."""
        with self._lock:
            self._marks |= {mark.site: mark for mark in marks}
            for mark in marks:
                self._bus.publish(MARKS, mark)

    def announce(self) -> None:
        """The sign of life, with the figures."""
        writer = self._writer
        figures: dict[str, float] = {
            "stored_total": writer.stored,
            "duplicates_total": writer.duplicates,
            "rejected_total": self._rejected.total,
            "dropped_total": self._intake.dropped,
            "declared_gone_total": writer.ledger.declared_gone,
            "buffered": len(self._intake),
            "waiting": writer.ledger.waiting,
            "write_ms": round(writer.write_ms, 1),
            **self._bus.counters,
        }
        self._bus.publish(SERVICES, presence("recorder", self._since, figures, writer.trouble))

    def say_goodbye(self) -> None:
        """The last word of a recorder that stops on request; the last will speaks for one that does not."""
        self._bus.publish(*offline("recorder", self._bus.instance))

    def _on_connected(self) -> None:
        self.announce()
        # Under the lock: an older mark must not be told after a newer one, for the last one is kept.
        with self._lock:
            for mark in self._marks.values():
                self._bus.publish(MARKS, mark)

    def _on_record(self, record: ProbeResult | SiteState | None, variables: dict[str, str]) -> None:
        if record is not None:
            self._intake.put(record)

    def _on_replay(self, replay: Replay | None, variables: dict[str, str]) -> None:
        if replay is None:
            return
        records: list[ProbeResult | SiteState] = [*replay.results, *replay.states]
        if any((record.site, record.epoch) != (replay.site, replay.epoch) for record in records):
            self._log.warning(f"dropped a replay of {replay.site}: it has records of another site or epoch")
            return
        if self._intake.put(*records):
            self._intake.put_oldest(replay.site, replay.epoch, replay.oldest_seq)

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        if incident is not None:
            self._intake.put_incident(incident)
