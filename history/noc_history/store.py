"""What every store promises, whatever keeps the bytes.

Writing is durable on return and harmless when repeated: a cycle is named by site, target, start and
journal number, a state by site, target, epoch and journal number, an incident by its id, a trace by site, target and time. The epoch is
no part of a cycle's name: a journal that had to take a new one says the same cycles again under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from noc_bus.messages import Incident, Mark, Message, ProbeResult, SiteState, Target, Trace
from noc_bus.time import DAY_MS, Time
from noc_history.rollups import Rollup
from noc_history.room import Room

KEEP_5MIN_DAYS: Final = 90
KEEP_HOURLY_DAYS: Final = 1826
"""How long rollups are kept where no setting says so."""


def days_ago(days: int) -> Time:
    return Time(Time.now() - days * DAY_MS)


class StoreError(Exception):
    """The store did not do it. `can_retry` says whether the same call may succeed later."""

    def __init__(self, sentence: str, *, can_retry: bool) -> None:
        super().__init__(sentence)
        self.can_retry = can_retry


@dataclass(frozen=True)
class Definition:
    """How a target was to be asked and judged from `since` on. `target` None: it was in no catalogue any more."""

    id: str
    since: Time
    target: Target | None


class Silence(Struct, frozen=True, gc=False):
    """Between two neighbouring cycles of one site, `start` and `until`, none was stored for longer than expected.

    `until` equal to `start`: there is no such silence any more, for what was missing has come.
    """

    target: str
    site: str
    start: Time
    until: Time


@dataclass(frozen=True)
class Batch:
    """Records to be stored together.

    The marks are stored after everything before them, and not at all where a record was rejected that the
    store would take once it is set right.
    """

    results: Sequence[ProbeResult] = ()
    states: Sequence[SiteState] = ()
    incidents: Sequence[Incident] = ()
    definitions: Sequence[Definition] = ()
    silences: Sequence[Silence] = ()
    traces: Sequence[Trace] = ()
    marks: Sequence[Mark] = ()

    def __bool__(self) -> bool:
        return any(vars(self).values())


@dataclass(frozen=True)
class Rejected:
    """A record that was not stored, though the others of its batch were.

    `can_mend`: it is the store that must be set right, and then it would take the record; `reason` has
    the cure. Otherwise this store can never take it.
    """

    record: Message
    reason: str
    can_mend: bool = False


@dataclass(frozen=True)
class Written:
    """How many results, states, incidents and traces of a batch were taken, and which were not.

    States, incidents and traces that are there already are not counted. A cycle that is there already is counted
    now, and as repeated once `maintain` finds it.
    """

    stored: int = 0
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True)
class Upkeep:
    """Work done and left over in one call of `maintain`, in cycles.

    `backlog_rows`: to be packed or deleted; InfluxDB counts hours and days to be summed up. At least 1 while a look at
    everything is not at its end, so none means that nothing was left to do. `repeated_rows`: found to be in the store
    twice, and there once now. `old_rows`: still to be brought from the form of an older version.
    """

    deleted_rows: int = 0
    freed_bytes: int = 0
    backlog_rows: int = 0
    repeated_rows: int = 0
    old_rows: int = 0


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


PERCENTS: Final = (5, 25, 50, 75, 95)


class Bucket(NamedTuple):
    """Cycles of one target from one site, or from all, that began in one bucket of a chart.

    Counts and RTTs are as in `Point`. `percentiles_ms` has one value for each of PERCENTS, each within 1 % of the
    true one of its rank; None where none was answered. `blind` is the share of the bucket's time, from 0 to
    1, for which silences say that nobody looked; of all sites together it is their mean.
    """

    at: Time
    cycles: int
    invalid: int
    sent: int
    received: int
    rtt_min_ms: float | None
    rtt_mean_ms: float | None
    rtt_max_ms: float | None
    percentiles_ms: tuple[float, ...] | None
    blind: float

    @property
    def loss(self) -> float | None:
        """From 0 to 1, of the echoes of valid cycles; None where there were none."""
        return (self.sent - self.received) / self.sent if self.sent else None


@dataclass(frozen=True)
class Codes:
    """How many cycles of one site were invalid for which code, and how many errors of which code there were.

    The code of a cycle that came without one is empty.
    """

    invalid: Mapping[str, int]
    errors: Mapping[str, int]


@dataclass(frozen=True)
class Chart:
    """Buckets of equal width that begin at multiples of it; those with nothing to say are left out."""

    width_ms: int
    sites: Mapping[str, Sequence[Bucket]]
    merged: Sequence[Bucket]


class Day(NamedTuple):
    """Cycles of one target from all sites that began on one day of UTC; `sent` and `received` as in `Point`."""

    at: Time
    cycles: int
    invalid: int
    sent: int
    received: int


class Sum(NamedTuple):
    """Cycles of one target from one site summed up over five minutes, an hour or a day of UTC."""

    target: str
    site: str
    width_ms: int
    rollup: Rollup
    """Its `series` means nothing."""


class StateRecord(Struct, frozen=True, gc=False):
    """A site's state of a target from `since` on, until the site's next one by epoch and journal number."""

    since: Time
    state: str
    reason: str
    code: str | None = None
    epoch: int = 0
    seq: int = 0


@dataclass(frozen=True)
class SiteRecords:
    """All that one site knows of one target in a period.

    `states` is sorted by `since`; its first entry may begin before the period (the state that held when
    the period began). Those that seem to begin up to an hour after it, or after now, are there too: only
    their place among the others shows whether a wrong clock dated them. `silences` overlap the period.
    `last_cycle` is the start of the newest cycle stored that does not lie after now, inside the period
    or not: what came after it, nobody has seen.
    """

    states: Sequence[StateRecord] = field(default_factory=tuple)
    silences: Sequence[Silence] = field(default_factory=tuple)
    last_cycle: Time | None = None


class Store(Protocol):
    def prepare(self) -> None:
        """Set up what the store needs and does not have, before anything is written.

        Raises StoreError, with the cure, where it is set up so that it would lose what is to be kept.
        """

    def write(self, batch: Batch) -> Written:
        """Store everything durably, or raise StoreError and let the caller repeat the whole batch."""

    def marks(self) -> dict[str, Mark]:
        """The newest mark of each site."""

    def series(
        self, target: str, start: Time, end: Time, points: int, site: str | None = None
    ) -> Mapping[str, Sequence[Point]]:
        """Cycles with start <= at < end, by site, in at most `points` slices of equal length, empty ones left out.

        With enough points for every cycle, each millisecond in which some began is a point.
        """

    def chart(
        self, targets: Sequence[str], sites: Sequence[str] | None, start: Time, end: Time, points: int
    ) -> Mapping[str, Chart]:
        """By target, what a picture of the period needs, in at most `points` whole buckets and one more.

        Where raw cycles are kept no longer, their rollups stand for them: then all of a rollup falls into
        the bucket that it begins in. `sites` None: all.
        """

    def raw_cycles(self, target: str, start: Time, end: Time) -> Iterator[ProbeResult]:
        """The raw cycles that are kept, site by site in the order of time, read a day at a time.

        Of a result the address, the epoch and the sentences are not kept: these are empty, 0, and the codes.
        """

    def targets(self) -> Sequence[str]:
        """All of which there are cycles, sums or states, sorted."""

    def sums(self, target: str, start: Time, end: Time) -> Iterator[Sum]:
        """What is kept summed up and begins in the period: by width, site by site, in the order of time."""

    def write_sums(self, sums: Sequence[Sum]) -> None:
        """Keep sums of which the cycles are gone. Durable on return; where the store has one of its own, that stands."""

    def codes(self, target: str, sites: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Codes]:
        """By site, of the raw cycles that are kept; a site without any is left out. `sites` None: all."""

    def totals(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Rollup]:
        """By target, all cycles from all sites that began in the period summed up; for thousands of targets at once.

        The period is of whole hours: start and end are moved back to them. What is not summed up yet, as is an
        hour that is not over, may be left out. `targets` None: all that have any.
        """

    def daily(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Day]]:
        """By target, each day that has cycles, oldest first; for thousands of targets at once.

        As in `totals`; but start is moved back to a whole day.
        """

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        """By target, then by site. `targets` None: all that are stored."""

    def definitions(self, targets: Sequence[str] | None) -> Mapping[str, Sequence[Definition]]:
        """By target, oldest first. `targets` None: all that are stored."""

    def last_cycles(self) -> Mapping[tuple[str, str], Time]:
        """By target and site, the start of the newest cycle that does not lie after now."""

    def silences(self, since: Time) -> Sequence[Silence]:
        """All that end after `since`."""

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        """Incidents open at some moment of the period, newest first."""

    def traces(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Trace]]:
        """By target, its traces with start <= at < end, oldest first. `targets` None: all that are stored."""

    def maintain(self, before: Time | None, budget_s: float) -> Upkeep:
        """Work for about `budget_s` at packing what was written, deleting raw cycles and giving space back.

        Cycles are deleted by whole hours, once all of an hour started before `before`; None: once they are as
        old as the store itself keeps them. Never keeps a `write` of another thread waiting for long. States, silences, definitions,
        incidents and traces are kept for good. Call it again and again, from one thread of its own.
        """

    def forget(self, target: str | None, site: str | None) -> None:
        """Delete what is kept of a target (of all sites with `site` None) or of a site (of all targets with `target` None).

        Nobody reads any of it once this returns; `maintain` gives its room back. Incidents stay, and the marks of
        sites. Raises StoreError.
        """

    def room(self) -> Room | None:
        """How much room there is for it. None: the disk is that of a server, which alone knows."""

    def trouble(self) -> str | None:
        """What keeps the store, as it is set up, from its promises, with the cure. None: nothing it can know of."""

    def close(self) -> None: ...
