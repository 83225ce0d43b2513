"""What has arrived and is not stored yet: a bounded buffer between the bus and the writer."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from noc_bus.messages import Incident, ProbeResult, SiteState, Trace
from noc_bus.time import Time

MAX_RECORDS: Final = 50_000
_MAX_TRACES: Final = 20_000


@dataclass
class Arrived:
    """Taken out together. `oldest` has, by site and epoch, the first record that site's journal still has; `late` names
    states that were no news any more when they came, by site, epoch and journal number."""

    records: list[ProbeResult | SiteState] = field(default_factory=list)
    incidents: dict[tuple[str, bool], Incident] = field(default_factory=dict)
    oldest: dict[tuple[str, int], int] = field(default_factory=dict)
    late: set[tuple[str, int, int]] = field(default_factory=set)
    traces: dict[tuple[str, str, Time], Trace] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.records or self.incidents or self.oldest or self.traces)


class Intake:
    """Filled by the bus, emptied by the writer. What does not fit is dropped: its site will send it again."""

    def __init__(self, max_records: int = MAX_RECORDS) -> None:
        self.dropped = 0
        self._max_records = max_records
        self._lock = threading.Lock()
        self._arrived = Arrived()

    def __len__(self) -> int:
        return len(self._arrived.records)

    def put(self, *records: ProbeResult | SiteState, late: Iterable[SiteState] = ()) -> bool:
        """False where there was no room: none of them is taken. `late`: those that were no news any more."""
        with self._lock:
            if len(self._arrived.records) + len(records) > self._max_records:
                self.dropped += len(records)
                return False
            self._arrived.records += records
            self._arrived.late |= {(one.site, one.epoch, one.seq) for one in late}
            return True

    def put_oldest(self, site: str, epoch: int, oldest_seq: int) -> None:
        with self._lock:
            self._arrived.oldest[site, epoch] = max(oldest_seq, self._arrived.oldest.get((site, epoch), 0))

    def put_incident(self, incident: Incident) -> None:
        """The last message about an incident is kept, and its end never displaced by a late one that it opened."""
        with self._lock:
            self._arrived.incidents[incident.id, incident.resolved_at is not None] = incident

    def put_trace(self, trace: Trace) -> None:
        """The last of each site and target is retained on the broker, and comes again after a restart."""
        with self._lock:
            if len(self._arrived.traces) < _MAX_TRACES:
                self._arrived.traces[trace.site, trace.target, trace.at] = trace

    def take(self) -> Arrived:
        with self._lock:
            taken, self._arrived = self._arrived, Arrived()
            return taken
