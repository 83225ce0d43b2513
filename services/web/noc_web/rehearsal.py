"""What other settings would have done: today's and proposed ones played over the states that were recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from noc_bus.messages import ProbeResult, State, Target
from noc_bus.time import DAY_MS, Time
from noc_history.store import SiteRecords, Store
from noc_rules.estimate import ESTIMATED, NOT_MEASURED, Assumed, Became, estimated
from noc_rules.maintenance import Versions
from noc_rules.parents import parents_of
from noc_rules.rehearsal import Difference, Played, Said, Settings, difference, play, said, sayings_of
from noc_rules.timeline import InForce, StateLike, noted, site_intervals
from noc_rules.verdict import sites_of
from noc_web.jobs import Job, Jobs, Told
from noc_web.problem import ProblemCode, ProblemError

MOST_DAYS: Final = 30
MOST_TARGETS: Final = 2000
_ALL_TARGETS: Final = 1000
"""Of so many all are played; of more, those that have something to do with what would be changed."""
_SAME_MS: Final = 300_000
"""The period ends at a multiple of it, so that whoever tries one thing after the other need not wait for today's again."""
_TOO_MANY: Final = "Too many rehearsals are being calculated at the moment; try again in a few seconds."
DECIDES_BEFORE: Final = (*NOT_MEASURED, *ESTIMATED)
"""Options that decide what a site sees. Recorded is what it saw with those that were in force."""
# By how much before the period a target's cycles are read, so that the first in it have some before them.
_BEFORE_MS: Final = 600_000
_TELL_EVERY: Final = 5000
_READING: Final = 0.6
"""The share of the work that reading and judging cycles takes, beside playing what comes of them."""


@dataclass(frozen=True)
class Proposal:
    """Settings of today and others to compare with, and over how many days."""

    before: Settings
    after: Settings
    days: int
    estimate: str | None = None
    """The target whose site states are to be estimated, where its options would change them."""


@dataclass(frozen=True)
class Estimate:
    """What a target's sites would have called it, as its recorded cycles tell."""

    target: str
    options: tuple[str, ...]
    """Those that would change."""
    start: Time
    """Of the first cycle that is kept."""
    cycles: int
    recorded: int
    """How often its sites called it DOWN, all together."""
    before: int
    """How often they would have, with today's options."""
    after: int
    """How often with those proposed, at most."""
    assumed: int
    """How many of these hang on re-checks, of which nothing is kept."""


@dataclass(frozen=True)
class Rehearsal:
    """What came of both."""

    start: Time
    end: Time
    recorded_from: Time | None
    """The earliest that is known of what was played; None: nothing is."""
    settings: Settings
    """Those proposed, of the targets that were played."""
    today: Settings
    """Those of today, of the same targets."""
    changed: tuple[str, ...]
    """The targets whose options differ."""
    is_of_all: bool
    before: Played
    after: Played
    difference: Difference
    not_played: tuple[str, ...]
    """Options that would be others, decide before the states that were recorded, and were not estimated."""
    estimable: tuple[str, ...]
    """The targets of which one at a time can be estimated."""
    estimate: Estimate | None
    """None: nothing was, or no cycle is kept."""
    unasked: tuple[tuple[str, str], ...]
    """Targets with sites that would ping them and have not done so."""


class Rehearsals:
    """Calculates one at a time, and keeps the last few. Safe from any thread."""

    def __init__(self, store: Store, maintenances: Callable[[], Versions]) -> None:
        """`maintenances`: all that ever were."""
        self._store = store
        self._maintenances = maintenances
        self._jobs: Jobs[str, Rehearsal] = Jobs("rehearsal", _TOO_MANY)
        # Of today's settings, as they were played last.
        self._played: tuple[Settings, Time, Time, Played] | None = None

    def start(self, proposal: Proposal) -> str:
        """Its id. Raises ProblemError 422 where it is of too many targets, 503 where too many are being calculated."""
        name, names = secrets.token_hex(8), _concerned(proposal)
        self._jobs.ask(name, lambda told: self._calculate(proposal, names, told))
        return name

    def job(self, name: str) -> Job[Rehearsal]:
        """Raises ProblemError 404 for one that is not kept any more."""
        job = self._jobs.kept(name)
        if job is None:
            raise ProblemError(404, f"There is no rehearsal {name[:80]!r}; only the last few are kept.")
        return job

    def close(self) -> None:
        """Stops what is being calculated; returns once nothing reads the store any more."""
        self._jobs.close()

    def _calculate(self, proposal: Proposal, names: frozenset[str], told: Told) -> Rehearsal:
        """`names`: the targets to play."""
        end = Time(Time.now() // _SAME_MS * _SAME_MS)
        start = Time(end - proposal.days * DAY_MS)
        before, after = (_only(one, names) for one in (proposal.before, proposal.after))
        judged = self._estimated(proposal.estimate, before, after, start, end, _part(told, 0, _READING))
        if judged is not None:
            start = max(start, judged.estimate.start)
            told = _part(told, _READING, 1)
        sayings = self._sayings(before.targets, start, end)
        would = sayings
        if judged is not None:
            name = judged.estimate.target
            sayings = sayings | {name: sayings[name] | judged.said(before.targets[name], 0, start, end)}
            would = sayings | {name: sayings[name] | judged.said(after.targets[name], 1, start, end)}
        maintenances = self._maintenances()
        known, of = self._played, end - start
        if judged is None and known is not None and known[:3] == (before, start, end):
            first = known[3]
        else:
            first = play(
                before, sayings, start, end, maintenances=maintenances, told=lambda done, _: told(done, 2 * of)
            )
            if judged is None:
                self._played = (before, start, end, first)
        second = play(after, would, start, end, maintenances=maintenances, told=lambda done, _: told(of + done, 2 * of))
        changed = _changed(before, after)
        differing = {name: _differ(before.targets[name], after.targets[name], DECIDES_BEFORE) for name in changed}
        moments = [each[0].at for by_site in sayings.values() for each in by_site.values() if each]
        return Rehearsal(
            start=start,
            end=end,
            recorded_from=Time(min(moments)) if moments else None,
            settings=after,
            today=before,
            changed=changed,
            is_of_all=len(names) == len(proposal.after.targets),
            before=first,
            after=second,
            difference=difference(first, second, end),
            not_played=tuple(
                option
                for option in DECIDES_BEFORE
                if any(
                    option in options
                    for name, options in differing.items()
                    if judged is None or name != judged.estimate.target or option in NOT_MEASURED
                )
            ),
            estimable=tuple(name for name, options in differing.items() if any(one in ESTIMATED for one in options)),
            estimate=judged.estimate if judged else None,
            unasked=tuple(
                (name, site)
                for name in changed
                for site in sites_of(after.targets[name], sayings.get(name, ()))
                if site not in sayings.get(name, ())
            ),
        )

    def _estimated(
        self, name: str | None, before: Settings, after: Settings, start: Time, end: Time, told: Told
    ) -> _Judged | None:
        """What comes of a target's cycles, in one reading. Raises StoreError."""
        if name is None or name not in before.targets or name not in after.targets:
            return None
        was, wanted = before.targets[name], after.targets[name]
        options = _differ(was, wanted, ESTIMATED)
        if not options:
            return None
        early = Time(start - _BEFORE_MS)
        records = self._store.states([name], early, end).get(name, {})
        in_force = InForce(was, self._store.definitions([name]).get(name, ()))
        recorded = {site: list(noted(one.states, early, end)) for site, one in records.items()}
        read = _Read(self._store.raw_cycles(name, early, end), start, end, len(records), told)
        both = ((was, Assumed.LATE), (wanted, Assumed.LATE), (wanted, Assumed.EARLY))
        found = estimated(read, recorded, in_force, both, end)
        if read.first is None:
            return None
        downs = [sum(_downs(states, start) for states in by_site.values()) for by_site in found]
        estimate = Estimate(
            target=name,
            options=options,
            start=read.first,
            cycles=read.cycles,
            recorded=sum(_downs(one.states, max(start, read.first)) for one in records.values()),
            before=downs[0],
            after=downs[1],
            assumed=max(0, downs[1] - downs[2]),
        )
        return _Judged(estimate, found, records, in_force)

    def _sayings(self, targets: Mapping[str, Target], start: Time, end: Time) -> dict[str, dict[str, list[Said]]]:
        """What was recorded, as the sites said it. Raises StoreError."""
        asked = None if len(targets) > _FEW else list(targets)
        records, definitions = self._store.states(asked, start, end), self._store.definitions(asked)
        return {
            name: sayings_of(records.get(name, {}), InForce(target, definitions.get(name, ())), start, end)
            for name, target in targets.items()
        }


@dataclass(frozen=True)
class _Judged:
    """States of one target by site: with today's options, with those proposed, and with the fewest outages."""

    estimate: Estimate
    states: Sequence[Mapping[str, Sequence[Became]]]
    records: Mapping[str, SiteRecords]
    in_force: InForce

    def said(self, target: Target, which: int, start: Time, end: Time) -> dict[str, list[Said]]:
        found = {}
        for site, states in self.states[which].items():
            known = self.records.get(site, SiteRecords())
            intervals = site_intervals(states, known.silences, known.last_cycle, start, end, self.in_force)
            if intervals:
                found[site] = said(intervals, InForce(target))
        return found


class _Read:
    """Cycles on their way, counted; how far they have come is told."""

    def __init__(self, cycles: Iterable[ProbeResult], start: Time, end: Time, sites: int, told: Told) -> None:
        self._cycles, self._start, self._end, self._sites, self._told = cycles, start, end, max(1, sites), told
        self.cycles = 0
        self.first: Time | None = None
        """Of all sites, and not before the period."""

    def __iter__(self) -> Iterator[ProbeResult]:
        site, begun, lasts = None, 0, self._end - self._start
        for cycle in self._cycles:
            if cycle.site != site:
                site, begun = cycle.site, begun + 1
            if cycle.at >= self._start:
                self.cycles += 1
                self.first = cycle.at if self.first is None else min(self.first, cycle.at)
                if self.cycles % _TELL_EVERY == 0:
                    done = (min(begun, self._sites) - 1) * lasts + cycle.at - self._start
                    self._told(done, self._sites * lasts)
            yield cycle


def _downs(states: Iterable[StateLike], start: Time) -> int:
    return sum(one.state == State.DOWN and one.since >= start for one in states)


def _differ(one: Target, other: Target, options: Iterable[str]) -> tuple[str, ...]:
    return tuple(option for option in options if getattr(one, option) != getattr(other, option))


def _part(told: Told, first: float, last: float) -> Told:
    """`told` for what is but a part of the work."""
    return lambda done, of: told(round(1000 * (first + (last - first) * done / max(1, of))), 1000)


# Asking for few is quick; asking for more, all at once is.
_FEW: Final = 50


def _changed(before: Settings, after: Settings) -> tuple[str, ...]:
    return tuple(name for name, one in sorted(after.targets.items()) if before.targets.get(name) != one)


def _only(settings: Settings, names: frozenset[str]) -> Settings:
    return replace(settings, targets={name: one for name, one in sorted(settings.targets.items()) if name in names})


def _concerned(proposal: Proposal) -> frozenset[str]:
    """The targets to play. Raises ProblemError 422."""
    before, after = proposal.before.targets, proposal.after.targets
    changed = _changed(proposal.before, proposal.after)
    is_for_all = len(after) <= _ALL_TARGETS or not changed
    names = frozenset(after) if is_for_all else _related(changed, before, after)
    if len(names) > MOST_TARGETS:
        sentence = (
            f"This would concern {len(names):,} targets; a rehearsal is of {MOST_TARGETS:,} at most: "
            "try it with one target, or one group below."
        )
        raise ProblemError(422, sentence, code=ProblemCode.DOES_NOT_FIT)
    return names


def _related(changed: Iterable[str], before: Mapping[str, Target], after: Mapping[str, Target]) -> frozenset[str]:
    """Those that share a group or a path of parents with what is changed, with either settings."""
    groups: dict[str, set[str]] = {}
    links: dict[str, set[str]] = {}
    for targets in (before, after):
        for one in targets.values():
            groups.setdefault(one.group, set()).add(one.id)
            for parent in parents_of(one):
                links.setdefault(one.id, set()).add(parent)
                links.setdefault(parent, set()).add(one.id)
    found: set[str] = set()
    waiting = list(changed)
    for name in changed:
        waiting += [one for targets in (before, after) if name in targets for one in groups[targets[name].group]]
    while waiting:
        name = waiting.pop()
        if name not in found and name in after:
            found.add(name)
            waiting += links.get(name, ())
    return frozenset(found)
