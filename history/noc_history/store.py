"""What every store promises, whatever keeps the bytes.

Writing is durable on return and harmless when repeated: a cycle is named by site, target and
start, a state by site, target, epoch and sequence number, an incident by its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from noc_bus.messages import Incident, Mark, Message, ProbeResult, SiteState
from noc_bus.time import Time


class StoreError(Exception):
    """The store did not do it. `can_retry` says whether the same call may succeed later."""

    def __init__(self, sentence: str, *, can_retry: bool) -> None:
        super().__init__(sentence)
        self.can_retry = can_retry


@dataclass(frozen=True)
class Batch:
    """Records to be stored together; the marks are stored after everything before them."""

    results: Sequence[ProbeResult] = ()
    states: Sequence[SiteState] = ()
    incidents: Sequence[Incident] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Rejected:
    """A record this store can never take. The others of its batch are stored."""

    record: Message
    reason: str


@dataclass(frozen=True)
class Point:
    """Cycles of one site summed over a slice of time.

    `sent` and `received` count echoes of valid cycles; invalid cycles are only counted.
    RTTs are in milliseconds, over all echoes of the slice; None where none was answered.
    """

    at: Time
    cycles: int
    invalid: int
    sent: int
    received: int
    rtt_min_ms: float | None
    rtt_mean_ms: float | None
    rtt_max_ms: float | None


@dataclass(frozen=True)
class StateRecord:
    """A site's state of a target from `since` on, until the next record's `since`."""

    since: Time
    state: str
    reason: str


@dataclass(frozen=True)
class SiteRecords:
    """All that one site knows of one target in a period.

    `states` is sorted by `since`; its first entry may begin before the period (the state that
    held when the period began). `last_heard` is the start of the newest cycle or the `since` of the
    newest state stored, inside the period or not: beyond it this site has said nothing.
    """

    states: Sequence[StateRecord] = field(default_factory=tuple)
    last_heard: Time | None = None


class Store(Protocol):
    def write(self, batch: Batch) -> list[Rejected]:
        """Store everything durably, or raise StoreError and let the caller repeat the whole batch."""

    def marks(self) -> dict[str, Mark]:
        """The newest mark of each site."""

    def series(
        self, target: str, start: Time, end: Time, points: int, site: str | None = None
    ) -> Mapping[str, Sequence[Point]]:
        """Cycles with start <= at < end, by site, in at most `points` slices of equal length, empty ones left out.

        With enough points for every cycle, each cycle is its own point at its own time.
        """

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        """By target, then by site. `targets` None: all that are stored."""

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        """Incidents open at some moment of the period, newest first."""

    def forget_cycles(self, before: Time) -> None:
        """Delete raw cycles that started before; states and incidents are kept for good."""

    def close(self) -> None: ...
