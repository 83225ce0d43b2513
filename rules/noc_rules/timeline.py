"""What a target was, second by second: site states become intervals, sites' intervals one timeline.

Computed from the states that the probers journaled, so late data repairs the past. Every moment is
judged by what was then in force: policy, parents, sites, pause. Time before a site first asked a
target, or in which the target was in no catalogue, is in no interval at all.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Protocol

from noc_bus.messages import State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.site_state import StateCode
from noc_rules.verdict import Vote, decide, sites_of

# A cycle is stored some seconds after it began; only what is missing for longer is a silence.
_STORED_AFTER_MS: Final = 5000
_SILENT_CYCLES: Final = 3
_NOT_CHECKED: Final = ("not checked in this time", StateCode.NOT_CHECKED)
# A state dated after the one that followed it lasted, as far as anybody knows, so long.
_SHORTEST_MS: Final = 1000


class StateLike(Protocol):
    """A site's state from `since` on; `epoch` and `seq` tell the order in which the site noted them."""

    @property
    def since(self) -> Time: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def code(self) -> str | None: ...
    @property
    def epoch(self) -> int: ...
    @property
    def seq(self) -> int: ...


class SilenceLike(Protocol):
    """Between two neighbouring cycles, from the start of the first to that of the second."""

    @property
    def start(self) -> Time: ...
    @property
    def until(self) -> Time: ...


class DefinitionLike(Protocol):
    """A target as it was from `since` on; None: it was in no catalogue."""

    @property
    def since(self) -> Time: ...
    @property
    def target(self) -> Target | None: ...


@dataclass(frozen=True, slots=True)
class Interval:
    """The time from `start` up to, not including, `end`."""

    start: Time
    end: Time
    state: VerdictState
    reason: str
    code: str | None = None
    """Of `reason`."""

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000


class InForce:
    """A target's definitions over time. What was in force before the first that is known, it was itself."""

    def __init__(self, present: Target, definitions: Sequence[DefinitionLike] = ()) -> None:
        """`present`: what is in force where nothing is known of the past."""
        self._targets = [one.target for one in definitions] or [present]
        self._since = [int(one.since) for one in definitions] or [0]
        if self._targets[0] is None:
            # That it went is all that is known of it.
            self._targets[0] = present

    def at(self, moment: int) -> Target | None:
        return self._targets[max(0, bisect_right(self._since, moment) - 1)]

    def changes(self, start: int, end: int) -> list[int]:
        """The moments between at which another definition came into force."""
        return [since for since in self._since[1:] if start < since < end]

    def during(self, start: int, end: int) -> list[Target]:
        """All that were in force at some moment of it."""
        moments = [start, *self.changes(start, end)]
        return [target for moment in moments if (target := self.at(moment)) is not None]

    @property
    def targets(self) -> list[Target]:
        return [target for target in self._targets if target is not None]


def site_intervals(
    states: Iterable[StateLike],
    silences: Iterable[SilenceLike],
    last_cycle: Time | None,
    start: Time,
    end: Time,
    in_force: InForce,
) -> list[Interval]:
    """One site's intervals: they cover [start, end) from the first state on.

    A state holds until the next one. Where the site did not look, UNKNOWN holds from when the next check
    was due until the start of the first one after, whatever was before; but a pause is an order, and
    needs nobody to confirm it.
    """
    ordered = _in_order(states)
    unseen = _unseen(silences, last_cycle, end, in_force)
    intervals: list[Interval] = []
    for number, (since, state) in enumerate(ordered, start=1):
        following = ordered[number][0] if number < len(ordered) else end
        begin, stop = max(since, start), min(following, end)
        if stop <= begin:
            continue
        known = _verdict_state(state)
        one = Interval(Time(begin), Time(stop), known, state.reason, state.code)
        intervals += [one] if known is VerdictState.PAUSED else _cut(one, unseen)
    return merged(intervals)


def overall(
    in_force: InForce,
    by_site: Mapping[str, Sequence[Interval]],
    parents: Mapping[str, Sequence[Interval]],
    *,
    explained: bool = True,
) -> list[Interval]:
    """The verdict over time, by the definitions in force, wherever a site's intervals reach.

    `by_site` has the intervals of every site that ever pinged the target, `parents` the timelines of all
    that were its parents. `explained` False leaves the reasons out, which makes long reports quick.
    """
    lines = {site: intervals for site, intervals in by_site.items() if intervals}
    if not lines:
        return []
    start = min(intervals[0].start for intervals in lines.values())
    end = max(intervals[-1].end for intervals in lines.values())
    edges = {start, end, *in_force.changes(start, end)}
    for intervals in (*lines.values(), *parents.values()):
        for one in intervals:
            edges.add(one.start)
            edges.add(one.end)
    sites, above = _Cursors(lines), _Cursors(parents)
    result: list[Interval] = []
    for begin, stop in itertools.pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        target = in_force.at(begin)
        now = sites.at(begin)
        if target is None or not now:
            continue
        state, reason, code = _together(target, now, above.at(begin), explained=explained)
        result.append(Interval(Time(begin), Time(stop), state, reason, code))
    return merged(result)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Neighbours in the same state made one; the first reason stays, as it tells how it began."""
    result: list[Interval] = []
    for one in intervals:
        if result and result[-1].state is one.state and result[-1].end == one.start:
            result[-1] = replace(result[-1], end=one.end)
        else:
            result.append(one)
    return result


class _Cursors:
    """Walks along several lines of intervals at once, forwards only."""

    def __init__(self, lines: Mapping[str, Sequence[Interval]]) -> None:
        self._lines = lines
        self._places = dict.fromkeys(lines, 0)

    def at(self, moment: int) -> dict[str, Interval]:
        """The interval of each line at that moment, where it has one."""
        now = {}
        for name, intervals in self._lines.items():
            place = self._places[name]
            while place < len(intervals) and intervals[place].end <= moment:
                place += 1
            self._places[name] = place
            if place < len(intervals) and intervals[place].start <= moment:
                now[name] = intervals[place]
        return now


def _in_order(states: Iterable[StateLike]) -> list[tuple[int, StateLike]]:
    """States with the time from which each held, in the order in which the site noted them.

    One that is dated after its successor was dated by a clock that was wrong and then put right. What is
    known is that it came before: it is moved there, and keeps a length.
    """
    ordered = sorted(states, key=lambda one: (one.epoch, one.seq))
    placed: list[tuple[int, StateLike]] = []
    following: int | None = None
    for one in reversed(ordered):
        since = int(one.since)
        if following is not None and since > following:
            since = following - _SHORTEST_MS
        following = since
        placed.append((since, one))
    placed.reverse()
    return placed


def _unseen(
    silences: Iterable[SilenceLike], last_cycle: Time | None, end: Time, in_force: InForce
) -> list[tuple[int, int]]:
    """The times in which a check was due and none was made, in order."""
    unseen = []
    for one in silences:
        if between := in_force.during(one.start, one.until):
            due = one.start + max(round(target.interval_s * 1000) for target in between)
            if due < one.until:
                unseen.append((int(due), int(one.until)))
    if last_cycle is not None and last_cycle < end and (after := in_force.during(last_cycle, end)):
        interval_ms = max(round(target.interval_s * 1000) for target in after)
        lasts_ms = max(round(target.packets * target.packet_gap_ms + target.timeout_ms) for target in after)
        if end - last_cycle > _SILENT_CYCLES * interval_ms + lasts_ms + _STORED_AFTER_MS:
            unseen.append((last_cycle + interval_ms, int(end)))
    return sorted(unseen)


def _cut(one: Interval, unseen: Sequence[tuple[int, int]]) -> list[Interval]:
    """The interval with UNKNOWN where nobody looked."""
    pieces: list[Interval] = []
    at: int = one.start
    for start, until in unseen:
        begin, stop = max(start, at), min(until, one.end)
        if stop <= begin:
            continue
        if begin > at:
            pieces.append(replace(one, start=Time(at), end=Time(begin)))
        pieces.append(Interval(Time(begin), Time(stop), VerdictState.UNKNOWN, *_NOT_CHECKED))
        at = stop
    if at < one.end:
        pieces.append(replace(one, start=Time(at)))
    return pieces


def _together(
    target: Target, now: Mapping[str, Interval], above: Mapping[str, Interval], *, explained: bool
) -> tuple[VerdictState, str, str | None]:
    asked = now if target.sites is None else {site: now[site] for site in sites_of(target, now) if site in now}
    if asked and all(one.state is VerdictState.PAUSED for one in asked.values()):
        first = next(iter(asked.values()))
        return VerdictState.PAUSED, first.reason, first.code
    parents = {name: one.state for name, one in above.items()}
    if not explained:
        states = tuple(one.state for one in asked.values())
        return _state(target.policy, target.paused, states, tuple(map(parents.get, target.parents))), "", None
    decision = decide(target, {site: _vote(one.state, one.reason, one.code) for site, one in asked.items()}, parents)
    return decision.state, decision.reason, decision.code


@lru_cache(maxsize=10_000)
def _state(
    policy: str, paused: bool, states: tuple[VerdictState, ...], parents: tuple[VerdictState | None, ...]
) -> VerdictState:
    """What `decide` gives, for all the moments that differ in nothing that decides."""
    above = {str(number): state for number, state in enumerate(parents)}
    target = Target(id="any", name="any", address="any", policy=policy, paused=paused, parents=list(above))
    votes = {str(number): _vote(state, "") for number, state in enumerate(states)}
    return decide(target, votes, {name: state for name, state in above.items() if state is not None}).state


def _vote(state: VerdictState, reason: str, code: str | None = None) -> Vote:
    return Vote(State.UNKNOWN if state is VerdictState.PAUSED else State(state), reason, code)


def _verdict_state(state: StateLike) -> VerdictState:
    if state.state == State.UNKNOWN and state.code == StateCode.PAUSED:
        return VerdictState.PAUSED
    return VerdictState(state.state)
