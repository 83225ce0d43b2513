"""Uptime in seconds of state, not counts of checks; the parts always add up to the time there was something to see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from noc_bus.messages import VerdictState
from noc_rules.timeline import Interval

UP: Final = frozenset({VerdictState.UP, VerdictState.DEGRADED, VerdictState.PARTIAL})
DOWN: Final = frozenset({VerdictState.DOWN})
PROFILES: Final[Mapping[str, frozenset[VerdictState]]] = {
    "standard": DOWN,
    "partial-is-down": DOWN | {VerdictState.PARTIAL},
    "unreachable-is-down": DOWN | {VerdictState.UNREACHABLE},
    "strict": DOWN | {VerdictState.PARTIAL, VerdictState.UNREACHABLE},
}
"""What counts as downtime, by the name of the way of counting."""
# Somebody looked, and what was seen is known, whether it counts or not.
_MEASURED: Final = UP | DOWN | {VerdictState.UNREACHABLE, VerdictState.MAINTENANCE}


@dataclass(frozen=True)
class Uptime:
    """`seconds` has every state; `uptime_pct` is None where nothing counted.

    What is neither UP, DEGRADED or PARTIAL nor downtime counts neither for nor against.
    """

    seconds: dict[VerdictState, float]
    uptime_pct: float | None
    outages: list[Interval]


def account(intervals: Iterable[Interval], down: Collection[VerdictState] = DOWN) -> Uptime:
    """Add up a timeline. An outage is an unbroken run of what counts as downtime."""
    seconds = dict.fromkeys(VerdictState, 0.0)
    outages: list[Interval] = []
    for one in intervals:
        seconds[one.state] += one.seconds
        if one.state not in down:
            continue
        if outages and outages[-1].end == one.start:
            outages[-1] = replace(outages[-1], end=one.end)
        else:
            outages.append(one)
    return Uptime(seconds, percent(seconds, down), outages)


def percent(seconds: Mapping[VerdictState, float], down: Collection[VerdictState] = DOWN) -> float | None:
    """Uptime of the time that counts, 0 to 100. It is 100 only where nothing was down, and 0 only where nothing was up."""
    good = sum(seconds[state] for state in UP if state not in down)
    bad = sum(seconds[state] for state in down)
    return _share(good, good + bad)


def coverage_pct(seconds: Mapping[VerdictState, float], period_s: float) -> float:
    """How much of a period was measured, 0 to 100."""
    return _share(min(period_s, sum(seconds[state] for state in _MEASURED)), period_s) or 0.0


def _share(part: float, whole: float) -> float | None:
    # In this order all of it is exactly 100.
    return 100 * (part / whole) if whole else None
