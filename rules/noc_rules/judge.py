"""From what the sites say to verdict changes, parents before what is behind them."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from noc_bus.messages import SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.parents import above, parents_of
from noc_rules.verdict import Decision, Standing, cuts, decide, sites_of, vote

# These follow from the views of sites; of the others only the judge knows since when they hold.
_RESTS_ON_VIEWS = (VerdictState.UP, VerdictState.DEGRADED, VerdictState.DOWN)

# Of what is not defined any more.
_UNKNOWN: Final = (True, 0)


@dataclass(frozen=True)
class Views:
    """All that verdicts depend on, looked up as it is at this moment."""

    target: Callable[[str], Target | None]
    state: Callable[[str, str], SiteState | None]
    """Called with a site and a target."""
    standings: Mapping[str, Standing]
    sites: Collection[str]
    """Every site that is set up or whose prober was seen."""
    verdicts: Mapping[str, Verdict]
    """As judged so far."""


@dataclass(frozen=True)
class VerdictChange:
    """What judging one target gave. `after` None: the target was removed."""

    target: str
    definition: Target | None
    before: Verdict | None
    after: Verdict | None
    states: Mapping[str, SiteState] = field(default_factory=dict)
    """What each site said of it."""

    @property
    def is_news(self) -> bool:
        """Whether anything differs that others are to be told."""
        if self.before is None or self.after is None:
            return self.before is not self.after
        return _told(self.before) != _told(self.after)

    @property
    def changes_state(self) -> bool:
        return (self.before and self.before.state) != (self.after and self.after.state)

    @property
    def changes_views(self) -> bool:
        """Whether some site sees it otherwise than before."""
        return (self.before and self.before.sites) != (self.after and self.after.sites)


class Agenda:
    """Which targets are to be judged, parents before what is behind them, whatever order they came in.

    Critical ones, and what they lie behind, come before all others: nobody has to wait for them until thousands are judged.
    """

    def __init__(self) -> None:
        self._ranks: dict[str, tuple[bool, int]] = {}
        self._children: Mapping[str, list[str]] = {}
        self._by_site: frozenset[str] = frozenset()
        self._waiting: set[str] = set()
        self._heap: list[tuple[tuple[bool, int], str]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def arrange(self, targets: Mapping[str, Target]) -> None:
        """Order by these definitions from now on."""
        critical = [one.id for one in targets.values() if one.critical]
        first = above(critical, lambda name: parents_of(targets[name]) if name in targets else ())
        self._ranks = {name: (name not in first, rank) for name, rank in ranks(targets).items()}
        self._children = children(targets)
        self._by_site = frozenset(one.id for one in targets.values() if one.site_parents)
        self._heap = [(self._ranks.get(name, _UNKNOWN), name) for name in self._waiting]
        heapq.heapify(self._heap)

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._waiting:
                self._waiting.add(name)
                heapq.heappush(self._heap, (self._ranks.get(name, _UNKNOWN), name))

    def add_behind(self, change: VerdictChange) -> None:
        """What this change may matter to."""
        if change.changes_state:
            self.add(self.children(change.target))
        elif self._by_site and change.changes_views:
            self.add(name for name in self.children(change.target) if name in self._by_site)

    def children(self, name: str) -> Collection[str]:
        """What has this target as a parent."""
        return self._children.get(name, ())

    def take(self) -> str | None:
        """The next one to judge."""
        if not self._heap:
            return None
        _, name = heapq.heappop(self._heap)
        self._waiting.discard(name)
        return name


def ranks(targets: Mapping[str, Target]) -> dict[str, int]:
    """How many parents lie above each target on its longest path up; a parent that closes a circle is not counted."""
    found: dict[str, int] = {}
    for start in targets:
        path: list[str] = [start]
        on_path = {start}
        while path:
            name = path[-1]
            known = [one for one in parents_of(targets[name]) if one in targets and one not in on_path]
            ahead = next((one for one in known if one not in found), None)
            if name not in found and ahead is not None:
                path.append(ahead)
                on_path.add(ahead)
                continue
            found.setdefault(name, 1 + max((found[one] for one in known), default=-1))
            on_path.discard(path.pop())
    return found


def children(targets: Mapping[str, Target]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for target in targets.values():
        for parent in parents_of(target):
            found[parent].append(target.id)
    return dict(found)


def judge(name: str, views: Views, now: Time) -> VerdictChange:
    """The verdict on a target, by what its sites and the verdicts on its parents are now."""
    target, before = views.target(name), views.verdicts.get(name)
    if target is None:
        return VerdictChange(name, None, before, None)
    nobody = Standing()
    asked = sites_of(target, views.sites)
    states = {site: state for site in asked if (state := views.state(site, name)) is not None}
    votes = {site: vote(states.get(site), views.standings.get(site, nobody)) for site in asked}
    parents = {one: views.verdicts[one] for one in parents_of(target) if one in views.verdicts}
    decision = decide(target, votes, parents)
    after = Verdict(
        target=name,
        state=decision.state,
        since=since(decision, states, before, now),
        reason=decision.reason,
        code=decision.code,
        sites=decision.sites,
        at=now,
    )
    return VerdictChange(name, target, before, after, states)


def in_the_way(name: str, views: Views) -> list[str]:
    """The parents that explain why the target is DOWN from some site, each once."""
    target, verdict = views.target(name), views.verdicts.get(name)
    if target is None or verdict is None:
        return []
    down = [site for site, state in verdict.sites.items() if state is State.DOWN]
    found = cuts(target, down, views.verdicts).values()
    return list(dict.fromkeys(parent for cut in found for group in cut for parent in group))


def since(decision: Decision, states: Mapping[str, SiteState], before: Verdict | None, now: Time) -> Time:
    """Since when a verdict holds: by the youngest of the views it rests on, never before the last one or after now.

    A site whose clock is ahead makes nothing begin in the future.
    """
    if before is not None and before.state is decision.state:
        return Time(min(now, before.since))
    evidence = [
        states[site].since for site, state in decision.sites.items() if site in states and state is states[site].state
    ]
    moment = max(evidence) if evidence and decision.state in _RESTS_ON_VIEWS else now
    return Time(min(now, max(moment, before.since if before else moment)))


def _told(verdict: Verdict) -> tuple[object, ...]:
    return verdict.state, verdict.reason, verdict.code, verdict.sites
