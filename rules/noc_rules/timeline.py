"""What a target was, second by second: site states become intervals, sites' intervals one timeline.

Computed from the states that the probers journaled, so late data repairs the past.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from noc_bus.messages import State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.site_state import PAUSED_REASON
from noc_rules.verdict import Vote, decide


class StateLike(Protocol):
    """A site's state from `since` on."""

    @property
    def since(self) -> Time: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True)
class Interval:
    """The time from `start` up to, not including, `end`."""

    start: Time
    end: Time
    state: VerdictState
    reason: str

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000


def site_intervals(
    states: Iterable[StateLike], last_heard: Time | None, start: Time, end: Time, grace_ms: int
) -> list[Interval]:
    """One site's intervals, covering [start, end) exactly.

    A state holds until the next one. What came before the first, and what lies more than `grace_ms`
    after the site was last heard of, is UNKNOWN; but a pause holds until it is over.
    """
    heard_until = Time(last_heard + grace_ms) if last_heard is not None else start
    intervals: list[Interval] = []
    at = start
    ordered = sorted(states, key=lambda state: state.since)
    for number, state in enumerate(ordered, start=1):
        following = ordered[number].since if number < len(ordered) else end
        begin = max(state.since, start)
        known = _verdict_state(state)
        # A pause is an order and needs nobody to confirm it.
        stop = min(following, end) if known is VerdictState.PAUSED else min(following, end, max(heard_until, begin))
        if stop <= begin:
            continue
        if begin > at:
            intervals.append(_unknown(at, begin))
        intervals.append(Interval(begin, Time(stop), known, state.reason))
        at = Time(stop)
    if at < end:
        intervals.append(_unknown(at, end))
    return merged(intervals)


def overall(target: Target, by_site: Mapping[str, Sequence[Interval]], start: Time, end: Time) -> list[Interval]:
    """The verdict over time, by the target's present policy, covering [start, end) exactly.

    `by_site` has the intervals of every site that pings the target, each covering [start, end).
    """
    if start >= end:
        return []
    judged = msgspec.structs.replace(target, paused=False, parents=[])
    edges = sorted({start, end, *(one.start for intervals in by_site.values() for one in intervals)})
    cursors = dict.fromkeys(by_site, 0)
    result: list[Interval] = []
    for begin, stop in itertools.pairwise(edges):
        now: dict[str, Interval] = {}
        for site, intervals in by_site.items():
            while intervals[cursors[site]].end <= begin:
                cursors[site] += 1
            now[site] = intervals[cursors[site]]
        state, reason = _together(judged, now)
        result.append(Interval(begin, stop, state, reason))
    return merged(result)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Neighbours in the same state made one; the first reason stays, as it tells how it began."""
    result: list[Interval] = []
    for one in intervals:
        if result and result[-1].state is one.state and result[-1].end == one.start:
            result[-1] = Interval(result[-1].start, one.end, one.state, result[-1].reason)
        else:
            result.append(one)
    return result


def _together(target: Target, now: Mapping[str, Interval]) -> tuple[VerdictState, str]:
    if now and all(one.state is VerdictState.PAUSED for one in now.values()):
        return VerdictState.PAUSED, PAUSED_REASON
    votes = {
        site: Vote(State.UNKNOWN if one.state is VerdictState.PAUSED else State(one.state), one.reason)
        for site, one in now.items()
    }
    decision = decide(target, votes, {})
    return decision.state, decision.reason


def _verdict_state(state: StateLike) -> VerdictState:
    if state.state == State.UNKNOWN and state.reason == PAUSED_REASON:
        return VerdictState.PAUSED
    return VerdictState(state.state)


def _unknown(start: Time, end: Time) -> Interval:
    return Interval(start, end, VerdictState.UNKNOWN, "nothing recorded")
