"""Uptime in time of state, not counts of checks: whole milliseconds, whose parts always add up to the period."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from noc_bus.messages import VerdictState
from noc_rules.calendar import Hours, Span, clipped, union
from noc_rules.timeline import Interval

_UP: Final = frozenset({VerdictState.UP, VerdictState.DEGRADED, VerdictState.PARTIAL})
# Somebody looked, and what was seen is known, whether it counts or not.
_MEASURED: Final = _UP | {VerdictState.DOWN, VerdictState.UNREACHABLE, VerdictState.MAINTENANCE}


@dataclass(frozen=True)
class Profile:
    """A way of counting. States that are neither uptime nor downtime count neither for nor against."""

    title: str
    down: frozenset[VerdictState]
    up: frozenset[VerdictState]
    counts_maintenance: bool = False
    """In maintenance what was measured counts, as if nothing had been announced."""


def _profile(
    title: str, *, down: Iterable[VerdictState] = (), up: Iterable[VerdictState] = (), counts_maintenance: bool = False
) -> Profile:
    bad = frozenset({VerdictState.DOWN, *down})
    return Profile(title, bad, frozenset({*_UP, *up}) - bad, counts_maintenance)


_STRICT: Final = (VerdictState.PARTIAL, VerdictState.UNREACHABLE)
PROFILES: Final[Mapping[str, Profile]] = {
    "standard": _profile("Down"),
    "partial-is-down": _profile("Down and Partial", down=[VerdictState.PARTIAL]),
    "unreachable-is-down": _profile("Down and Unreachable", down=[VerdictState.UNREACHABLE]),
    "strict": _profile("Down, Partial and Unreachable", down=_STRICT),
    "maintenance-counts": _profile("Down, also in maintenance", counts_maintenance=True),
    "unknown-is-up": _profile("Down; Unknown is uptime", up=[VerdictState.UNKNOWN]),
    "unknown-is-down": _profile("Down and Unknown", down=[VerdictState.UNKNOWN]),
    "worst-case": _profile(
        "Down, Partial, Unreachable and Unknown, also in maintenance",
        down=[*_STRICT, VerdictState.UNKNOWN],
        counts_maintenance=True,
    ),
}
"""What counts, by the name of the way of counting; maintenance and time nobody saw are left out unless it says so."""
STANDARD: Final = PROFILES["standard"]


class Outage(Struct, frozen=True, gc=False):
    """An unbroken run of downtime. `ms` is how much of it counts; the rest lies outside of the hours."""

    start: int
    end: int
    state: VerdictState
    """As it began; so `reason` and `code`."""
    reason: str
    code: str | None
    ms: int

    @property
    def seconds(self) -> float:
        return self.ms / 1000


@dataclass(frozen=True)
class Uptime:
    """`ms` has every state; with `unmonitored_ms` and `off_hours_ms` it adds up to the period."""

    ms: Mapping[VerdictState, int]
    unmonitored_ms: int
    """In the hours, but in no interval: it was in no catalogue, or no site was asked yet."""
    off_hours_ms: int
    """Outside of the calendar's hours; nothing of it is in the other parts."""
    measured_ms: int
    up_ms: int
    down_ms: int
    outages: Sequence[Outage] = ()

    @property
    def seconds(self) -> dict[VerdictState, float]:
        return {state: ms / 1000 for state, ms in self.ms.items()}

    @property
    def uptime_pct(self) -> float | None:
        """Of the time that counts; None: none does. 100 only where nothing was down, 0 only where nothing was up."""
        return _share(self.up_ms, self.up_ms + self.down_ms)

    @property
    def coverage_pct(self) -> float:
        """How much of the hours was measured."""
        return _share(self.measured_ms, sum(self.ms.values()) + self.unmonitored_ms) or 0.0

    @property
    def longest_ms(self) -> int:
        return max([one.ms for one in self.outages], default=0)

    @property
    def mttr_ms(self) -> float | None:
        """How long an outage lasts on average; None: there was none."""
        return self.down_ms / len(self.outages) if self.outages else None

    @property
    def mtbf_ms(self) -> float | None:
        """How long it is up for each outage; None: there was none."""
        return self.up_ms / len(self.outages) if self.outages else None

    def budget(self, goal_pct: float) -> Budget:
        """Of the time that counts, so much may be downtime."""
        allowed_ms = (100 - goal_pct) / 100 * (self.up_ms + self.down_ms)
        return Budget(goal_pct, allowed_ms, allowed_ms - self.down_ms)


@dataclass(frozen=True)
class Budget:
    """An error budget; `left_ms` is below 0 where the goal is missed."""

    goal_pct: float
    allowed_ms: float
    left_ms: float


def account(
    intervals: Iterable[Interval],
    period: Span,
    profile: Profile = STANDARD,
    *,
    hours: Sequence[Span] | None = None,
    maintenance: Sequence[Span] = (),
) -> Uptime:
    """Add up a timeline that lies within the period.

    `hours`: what counts of the period, as `Calendar.spans` gives it; None: all. `maintenance`: when what was
    measured is called MAINTENANCE; windows may overlap.
    """
    counted = [period] if hours is None else hours
    within = Hours(counted)
    windows = [] if profile.counts_maintenance else union(clipped(maintenance, *period))
    ms = dict.fromkeys(VerdictState, 0)
    outages: list[Outage] = []
    measured_ms = 0
    for one in intervals:
        for start, end, state in _with_windows(one, windows):
            lasted_ms = within.ms_within(start, end)
            ms[state] += lasted_ms
            if one.state in _MEASURED:
                measured_ms += lasted_ms
            if state not in profile.down:
                continue
            if outages and outages[-1].end == start:
                first = outages[-1]
                outages[-1] = Outage(first.start, end, first.state, first.reason, first.code, first.ms + lasted_ms)
            else:
                outages.append(Outage(start, end, state, one.reason, one.code, lasted_ms))
    all_ms = within.ms_within(*period)
    return Uptime(
        ms=ms,
        unmonitored_ms=all_ms - sum(ms.values()),
        off_hours_ms=period.end - period.start - all_ms,
        measured_ms=measured_ms,
        up_ms=sum([ms[state] for state in profile.up]),
        down_ms=sum([ms[state] for state in profile.down]),
        outages=[one for one in outages if one.ms],
    )


def together(uptimes: Sequence[Uptime]) -> Uptime:
    """The sums over several targets; the percentages are of all their time together."""
    return Uptime(
        ms={state: sum([one.ms[state] for one in uptimes]) for state in VerdictState},
        unmonitored_ms=sum([one.unmonitored_ms for one in uptimes]),
        off_hours_ms=sum([one.off_hours_ms for one in uptimes]),
        measured_ms=sum([one.measured_ms for one in uptimes]),
        up_ms=sum([one.up_ms for one in uptimes]),
        down_ms=sum([one.down_ms for one in uptimes]),
        outages=[outage for one in uptimes for outage in one.outages],
    )


def duration(ms: float) -> str:
    """Like 4 min 12 s, two units at the most."""
    seconds = max(0, round(ms / 1000))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= size or (unit == "s" and not parts):
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2])


def unbroken(text: str) -> str:
    """The same with each duration in one piece: no line ends within 1 h 2 min."""
    return _DURATION.sub(lambda found: found[0].replace(" ", "\u00a0"), text)


_DURATION: Final = re.compile(r"\b\d+ (?:d|h|min|s)\b(?: \d+ (?:h|min|s)\b)?")


def _with_windows(one: Interval, windows: Sequence[Span]) -> Iterable[tuple[int, int, VerdictState]]:
    """The interval in pieces, those in a window called MAINTENANCE; a pause is a pause."""
    if not windows or one.state is VerdictState.PAUSED:
        return [(int(one.start), int(one.end), one.state)]
    pieces: list[tuple[int, int, VerdictState]] = []
    at = int(one.start)
    for window in clipped(windows, one.start, one.end):
        if at < window.start:
            pieces.append((at, window.start, one.state))
        pieces.append((window.start, window.end, VerdictState.MAINTENANCE))
        at = window.end
    if at < one.end:
        pieces.append((at, int(one.end), one.state))
    return pieces


def _share(part: int, whole: int) -> float | None:
    # In this order all of it is exactly 100.
    return 100 * (part / whole) if whole else None
