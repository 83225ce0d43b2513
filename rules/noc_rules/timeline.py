"""What a target was, second by second: site states become intervals, sites' intervals one timeline.

Computed from the states that the probers journaled, so late data repairs the past. Every moment is
judged by what was then in force: policy, parents, sites, pause. Time before a site first asked a
target, or in which the target was in no catalogue, is in no interval at all.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Final, Protocol

from msgspec import Struct

from noc_bus.messages import State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.assignment import is_pinged_from
from noc_rules.parents import groups_from
from noc_rules.site_state import StateCode
from noc_rules.verdict import BLOCKED, Parent, Vote, decide, sites_of

# A cycle is stored some seconds after it began; only what is missing for longer is a silence.
_STORED_AFTER_MS: Final = 5000
_SILENT_CYCLES: Final = 3
_journal_place: Final = attrgetter("epoch", "seq")
_NOT_CHECKED: Final = ("not checked in this time", StateCode.NOT_CHECKED)
# A state dated after the one that followed it lasted, as far as anybody knows, so long.
_SHORTEST_MS: Final = 1000
# By the plain word: reports look up hundreds of thousands, and an enumeration's own look-up is slow.
_VERDICT_STATES: Final = {str(state): VerdictState(state) for state in State}


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


class Interval(Struct, frozen=True, gc=False):
    """The time from `start` up to, not including, `end`. `code` is that of `reason`."""

    start: Time
    end: Time
    state: VerdictState
    reason: str
    code: str | None = None

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000


_Judged = tuple[VerdictState, str, str | None]
_Judge = Callable[[Target, Sequence[Interval | None]], _Judged]


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
    unseen = _unseen(silences, last_cycle, end, in_force)
    intervals: list[Interval] = []
    ahead = 0
    for one in noted(states, start, end):
        while ahead < len(unseen) and unseen[ahead][1] <= one.start:
            ahead += 1
        if one.state is VerdictState.PAUSED or ahead == len(unseen) or unseen[ahead][0] >= one.end:
            intervals.append(one)
        else:
            _cut(one, unseen[ahead:], intervals)
    return merged(intervals)


def noted(states: Iterable[StateLike], start: Time, end: Time) -> Iterator[Interval]:
    """Each state that a site noted, until the next one, whether or not somebody looked all that time."""
    ordered = _in_order(states)
    for number, (since, state) in enumerate(ordered, start=1):
        following = ordered[number][0] if number < len(ordered) else end
        begin, stop = max(start, since), min(end, following)
        if stop > begin:
            yield Interval(Time(begin), Time(stop), _verdict_state(state), state.reason, state.code)


def overall(
    in_force: InForce,
    by_site: Mapping[str, Sequence[Interval]],
    parents: Mapping[str, Sequence[Interval]],
    parents_by_site: Mapping[str, Mapping[str, Sequence[Interval]]] = MappingProxyType({}),
    *,
    explained: bool = True,
) -> list[Interval]:
    """The verdict over time, by the definitions in force, wherever a site's intervals reach.

    `by_site` has the intervals of every site that ever pinged the target, `parents` the timelines of all that were
    its parents, and `parents_by_site` what sites saw of those, which only `site_parents` ask for. Whether a parent is
    DOWN or itself behind one that is makes no difference. `explained` False leaves the reasons out, which makes long
    reports quick.
    """
    lines = {site: intervals for site, intervals in by_site.items() if intervals}
    if not lines:
        return []
    start = min(intervals[0].start for intervals in lines.values())
    end = max(intervals[-1].end for intervals in lines.values())
    sites, above = list(lines), list(parents)
    seen = [(parent, site) for parent, by in parents_by_site.items() for site in by]
    judge = _explained(sites, above, seen) if explained else _unexplained(sites, above, seen)
    views = [parents_by_site[parent][site] for parent, site in seen]
    changes = _changes([*lines.values(), *parents.values(), *views], in_force, start, end)
    found: list[Interval] = []
    judged: _Judged | None = None
    since = until = start
    # At each moment the interval of every line, the sites' first; None: it has none.
    now: list[Interval | None] = [None] * (len(sites) + len(above) + len(seen))
    for begin, stop, fresh in _stretches(judge, changes, in_force, now, len(sites), start, end):
        # Neighbours in one state are one, and the first reason stays.
        if judged is None or fresh[0] is not judged[0] or begin != until:
            if judged is not None:
                found.append(Interval(since, until, *judged))
            judged, since = fresh, Time(begin)
        until = Time(stop)
    return found if judged is None else [*found, Interval(since, until, *judged)]


def while_asked(
    in_force: InForce, by_site: Mapping[str, Sequence[Interval]], start: Time, end: Time
) -> dict[str, list[Interval]]:
    """The sites' intervals without the time in which they were not to ping the target."""
    edges = [start, *in_force.changes(start, end), end]
    return {
        site: [
            Interval(Time(max(begin, one.start)), Time(min(stop, one.end)), one.state, one.reason, one.code)
            for begin, stop in itertools.pairwise(edges)
            if (target := in_force.at(begin)) is not None and is_pinged_from(target, site)
            for one in intervals
            if one.start < stop and begin < one.end
        ]
        for site, intervals in by_site.items()
    }


def _stretches(
    judge: _Judge,
    changes: Sequence[tuple[int, int, Interval | None]],
    in_force: InForce,
    now: list[Interval | None],
    sites: int,
    start: int,
    end: int,
) -> Iterator[tuple[int, int, _Judged]]:
    """What is judged from when to when; nothing where no site has an interval, or there was no such target.

    `now` is kept up to date; so many sites come first in it.
    """
    begin, target, seen = start, in_force.at(start), 0
    for moment, place, one in [*changes, (end, -1, None)]:
        if moment > begin:
            if target is not None and seen:
                yield begin, moment, judge(target, now)
            begin = moment
        if place < 0:
            target = in_force.at(moment)
            continue
        if place < sites:
            seen += (one is not None) - (now[place] is not None)
        now[place] = one


def _changes(
    lines: Sequence[Sequence[Interval]], in_force: InForce, start: int, end: int
) -> list[tuple[int, int, Interval | None]]:
    """When what line has which interval from then on, in order; a line below 0: another definition is in force."""
    found: list[tuple[int, int, Interval | None]] = [(moment, -1, None) for moment in in_force.changes(start, end)]
    for place, intervals in enumerate(lines):
        until = None
        for one in intervals:
            if until is not None and until < one.start:
                found.append((until, place, None))
            if one.start < end:
                found.append((one.start, place, one))
            until = one.end
        if until is not None and until < end:
            found.append((until, place, None))
    return sorted(found, key=itemgetter(0))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Neighbours in the same state made one; the first reason stays, as it tells how it began."""
    result: list[Interval] = []
    last: Interval | None = None
    for one in intervals:
        if last is not None and last.state is one.state and last.end == one.start:
            last = result[-1] = Interval(last.start, one.end, last.state, last.reason, last.code)
        else:
            last = one
            result.append(one)
    return result


def _in_order(states: Iterable[StateLike]) -> list[tuple[int, StateLike]]:
    """States with the time from which each held, in the order in which the site noted them.

    One that is dated after its successor was dated by a clock that was wrong and then put right. What is
    known is that it came before: it is moved there, and keeps a length.
    """
    ordered = sorted(states, key=_journal_place)
    placed: list[tuple[int, StateLike]] = []
    following: int | None = None
    for one in reversed(ordered):
        since: int = one.since
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


def _cut(one: Interval, unseen: Sequence[tuple[int, int]], pieces: list[Interval]) -> None:
    """Adds the interval, with UNKNOWN where nobody looked."""
    at: int = one.start
    for start, until in unseen:
        if start >= one.end:
            break
        begin, stop = max(start, at), min(until, one.end)
        if stop <= begin:
            continue
        if begin > at:
            pieces.append(Interval(Time(at), Time(begin), one.state, one.reason, one.code))
        pieces.append(Interval(Time(begin), Time(stop), VerdictState.UNKNOWN, *_NOT_CHECKED))
        at = stop
    if at == one.start:
        pieces.append(one)
    elif at < one.end:
        pieces.append(Interval(Time(at), one.end, one.state, one.reason, one.code))


def _explained(sites: Sequence[str], parents: Sequence[str], seen: Sequence[tuple[str, str]]) -> _Judge:
    """Judges by the intervals of these sites and, behind them, of these parents, and of these as those sites saw them."""

    def judge(target: Target, now: Sequence[Interval | None]) -> _Judged:
        known = {site: one for site, one in zip(sites, now, strict=False) if one is not None}
        asked = known if target.sites is None else {site: known[site] for site in sites_of(target, ()) if site in known}
        if asked and all(one.state is VerdictState.PAUSED for one in asked.values()):
            first = next(iter(asked.values()))
            return VerdictState.PAUSED, first.reason, first.code
        votes = {site: _vote(one) for site, one in asked.items()}
        behind = now[len(sites) :]
        views: dict[str, dict[str, State]] = {}
        for (parent, site), one in zip(seen, behind[len(parents) :], strict=True):
            if one is not None:
                views.setdefault(parent, {})[site] = _vote(one).state
        above = {
            name: Parent(one.state, views.get(name, {}))
            for name, one in zip(parents, behind, strict=False)
            if one is not None
        }
        decision = decide(target, votes, above)
        return decision.state, decision.reason, decision.code

    return judge


def _unexplained(sites: Sequence[str], parents: Sequence[str], seen: Sequence[tuple[str, str]]) -> _Judge:
    """The same without the sentences, which lets all moments that differ in nothing that decides be judged once."""
    known: dict[tuple[object, ...], _Judged] = {}
    explained = _explained(sites, parents, seen)

    def judge(target: Target, now: Sequence[Interval | None]) -> _Judged:
        # By identity, for there is one of each state: hashing an enumeration's members is slow.
        key = (id(target), *[one and id(one.state) for one in now])
        judged = known.get(key)
        if judged is None:
            judged = known[key] = (state(target, now), "", None)
        return judged

    def state(target: Target, now: Sequence[Interval | None]) -> VerdictState:
        if target.site_parents:
            return explained(target, now)[0]
        asked = sites if target.sites is None else target.sites
        votes = tuple([_PLACES[id(one.state)] for site, one in zip(sites, now, strict=False) if one and site in asked])
        above = dict(zip(parents, now[len(sites) :], strict=False))
        is_cut = any(
            all((one := above.get(name)) is not None and one.state in BLOCKED for name in group)
            for group in groups_from(target, "")
        )
        return _state(target.policy, target.paused, votes, is_cut)

    return judge


_STATES: Final = tuple(VerdictState)
_PLACES: Final = {id(state): place for place, state in enumerate(_STATES)}


@lru_cache(maxsize=10_000)
def _state(policy: str, paused: bool, votes: tuple[int, ...], is_cut: bool) -> VerdictState:
    """What `_explained` gives for states at these places of `_STATES`, whatever sites they are of; `is_cut`: the way there."""
    target = Target(id="any", name="any", address="any", policy=policy, paused=paused, parents=["above"])
    sites = [str(number) for number in range(len(votes))]
    above = VerdictState.DOWN if is_cut else VerdictState.UP
    now = [Interval(Time(0), Time(1), state, "") for state in (*[_STATES[place] for place in votes], above)]
    return _explained(sites, ["above"], ())(target, now)[0]


def _vote(one: Interval) -> Vote:
    return Vote(State.UNKNOWN if one.state is VerdictState.PAUSED else State(one.state), one.reason, one.code)


def _verdict_state(state: StateLike) -> VerdictState:
    if state.code == StateCode.PAUSED and state.state == State.UNKNOWN:
        return VerdictState.PAUSED
    return _VERDICT_STATES[state.state]
