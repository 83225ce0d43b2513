"""Uptime in seconds of state, not counts of checks; the parts always add up to the period."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from noc_bus.messages import VerdictState
from noc_rules.timeline import Interval

# PARTIAL means that most sites reach it: the target itself is up.
GOOD: Final = (VerdictState.UP, VerdictState.DEGRADED, VerdictState.PARTIAL)
BAD: Final = (VerdictState.DOWN, VerdictState.UNREACHABLE)


@dataclass(frozen=True)
class Uptime:
    """`seconds` has every state; `uptime_pct` is None where nothing was measured.

    What nobody could see, maintenance and pauses count neither for nor against.
    """

    seconds: dict[VerdictState, float]
    uptime_pct: float | None
    outages: list[Interval]


def account(intervals: Iterable[Interval]) -> Uptime:
    """Add up a timeline. An outage is an unbroken run of DOWN and UNREACHABLE."""
    seconds = dict.fromkeys(VerdictState, 0.0)
    outages: list[Interval] = []
    for one in intervals:
        seconds[one.state] += one.seconds
        if one.state not in BAD:
            continue
        if outages and outages[-1].end == one.start:
            outages[-1] = Interval(outages[-1].start, one.end, outages[-1].state, outages[-1].reason)
        else:
            outages.append(one)
    return Uptime(seconds, percent(seconds), outages)


def percent(seconds: dict[VerdictState, float]) -> float | None:
    """Uptime of the time that was measured, 0 to 100."""
    good = sum(seconds[state] for state in GOOD)
    measured = good + sum(seconds[state] for state in BAD)
    # In this order all good is exactly 100.
    return 100 * (good / measured) if measured else None
