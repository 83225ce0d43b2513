"""Everything the verdicts depend on, as the broker retains it, and which targets to judge anew."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace

from noc_bus.messages import Acknowledgement, ProberPresence, Site, SiteState, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.verdict import Decision, Vote, decide, sites_of, vote

V = TypeVar("V")


class Picture:
    """Fed by the bus, read by the judge. One lock: `with picture.lock` for reading more than one thing."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.targets: dict[str, Target] = {}
        self.sites: dict[str, Site] = {}
        self.presences: dict[str, ProberPresence] = {}
        self.states: dict[str, dict[str, SiteState]] = defaultdict(dict)
        self.verdicts: dict[str, Verdict] = {}
        self.acknowledgements: dict[str, Acknowledgement] = {}
        self._dirty: set[str] = set()
        self._removed: set[str] = set()
        self._removed_sites: set[str] = set()
        self._confirmed: set[str] = set()
        self._untold_targets: set[str] = set()
        self._untold_sites: set[str] = set()

    # -- from the bus

    def put_target(self, target: Target | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.targets, variables["target"], target)
            self._untold_targets.discard(variables["target"])
            if target is None:
                self._removed.add(variables["target"])
            self._dirty.add(variables["target"])

    def put_site(self, site: Site | None, variables: dict[str, str]) -> None:
        with self.lock:
            was_known = variables["site"] in self.sites
            self._untold_sites.discard(variables["site"])
            if site is None:
                self._removed_sites.add(variables["site"])
            _keep(self.sites, variables["site"], site)
            if was_known != (site is not None):
                self._dirty |= set(self.targets)

    def put_presence(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        with self.lock:
            self._confirmed.add(variables["site"])
            before = self.presences.get(variables["site"])
            _keep(self.presences, variables["site"], presence)
            if _fitness(before) != _fitness(presence):
                self._dirty |= set(self.targets)

    def put_state(self, state: SiteState | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.states[variables["target"]], variables["site"], state)
            self._dirty.add(variables["target"])

    def put_acknowledgement(self, acknowledgement: Acknowledgement | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.acknowledgements, variables["incident"], acknowledgement)

    def put_verdict(self, verdict: Verdict | None, variables: dict[str, str]) -> None:
        """Our own retained verdicts come back once, after a start: they tell since when."""
        with self.lock:
            if verdict is not None and variables["target"] not in self.verdicts:
                self.verdicts[variables["target"]] = verdict
                self._dirty.add(variables["target"])

    # -- for the judge

    def judge_all(self, subjects: Iterable[str]) -> None:
        """Judge every target anew, and what of `subjects` (of open incidents) is a target or was one."""
        with self.lock:
            self._dirty |= {*self.targets, *self.verdicts, *(one for one in subjects if ":" not in one)}

    def is_removed(self, target: str, *, all_heard: bool) -> bool:
        """Whether an unknown target is gone. A broker that has no targets at all has only forgotten them.

        `all_heard` False: targets are still coming in, so that only a word of its removal counts.
        """
        with self.lock:
            return target not in self.targets and (target in self._removed or (all_heard and bool(self.targets)))

    def is_site_removed(self, site: str, *, all_heard: bool) -> bool:
        """The same of a site that neither the web service nor a prober speaks of."""
        with self.lock:
            return site in self._removed_sites or (all_heard and bool(self.sites))

    def lost_the_broker(self) -> None:
        """What is removed from now on will not be told."""
        with self.lock:
            self._untold_targets, self._untold_sites = set(self.targets), set(self.sites)

    def forget_the_untold(self) -> None:
        """Once all that is retained has come in again: what was not told anew has been removed meanwhile.

        A broker that told nothing at all has only forgotten; then all is kept until the web service tells it.
        """
        with self.lock:
            if not (self.targets.keys() - self._untold_targets or self.sites.keys() - self._untold_sites):
                return
            for target in list(self._untold_targets):
                self.put_target(None, {"target": target})
            for site in list(self._untold_sites):
                self.put_site(None, {"site": site})

    def judge(self, targets: Iterable[str]) -> None:
        """Judge these anew."""
        with self.lock:
            self._dirty |= set(targets)

    def expire_presences(self) -> None:
        """Probers that have said nothing since the last call are offline: a broker that died with them told no last will."""
        with self.lock:
            silent = {site for site, presence in self.presences.items() if presence.online} - self._confirmed
            for site in silent:
                self.presences[site] = replace(self.presences[site], online=False)
            self._confirmed.clear()
            if silent:
                self._dirty |= set(self.targets)

    def take_dirty(self) -> list[str]:
        """The targets something changed for since the last call, parents before what is behind them."""
        with self.lock:
            taken, self._dirty = self._dirty, set()
            return sorted(taken, key=lambda target: len(self.targets[target].parents) if target in self.targets else 0)

    def children_dirty(self, parent: str) -> None:
        with self.lock:
            self._dirty |= {one.id for one in self.targets.values() if parent in one.parents}

    def decide(self, target: Target) -> tuple[Decision, dict[str, Vote]]:
        with self.lock:
            states = self.states[target.id]
            names = sites_of(target, self.sites.keys() | self.presences.keys())
            votes = {site: vote(states.get(site), self.presences.get(site)) for site in names}
            parents = {one: self.verdicts[one].state for one in target.parents if one in self.verdicts}
            return decide(target, votes, parents), votes

    def since(self, target: str, decision: Decision, before: Verdict | None, now: Time) -> Time:
        """Since when a new verdict holds: by the youngest of the views it rests on, never before the last one."""
        with self.lock:
            evidence = [
                self.states[target][site].since
                for site, state in decision.sites.items()
                if site in self.states[target] and state == self.states[target][site].state
            ]
        rests_on_views = decision.state in (VerdictState.UP, VerdictState.DEGRADED, VerdictState.DOWN)
        since = max(evidence) if evidence and rests_on_views else now
        return Time(min(now, max(since, before.since if before else since)))


def _fitness(presence: ProberPresence | None) -> tuple[bool, bool] | None:
    return (presence.online, presence.isolated) if presence else None


def _keep(kept: dict[str, V], key: str, value: V | None) -> None:
    if value is None:
        kept.pop(key, None)
    else:
        kept[key] = value
