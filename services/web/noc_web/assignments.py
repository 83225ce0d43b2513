"""Tells each site what it is to ping: what is assigned to it, and how much that is, so that it reads nothing of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import ASSIGNMENT_SUMMARIES, ASSIGNMENTS, Channel
from noc_bus.messages import Assignment, AssignmentSummary, Summary, Target
from noc_bus.mirror import REV_MODULUS
from noc_bus.presence import PRESENCE_EVERY_S, SOON_S
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_rules.assignment import assigned
from noc_rules.parents import parents_of


class Assignments:
    """Safe to use from any thread. A change costs what it changes, at each site that pings it."""

    channel: Final[Channel[Assignment]] = ASSIGNMENTS

    def __init__(self, bus: Bus, revs: RevCounter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._revs = revs
        self._clock = clock
        self._lock = threading.RLock()
        self._targets: Mapping[str, Target] = {}
        self._sites: dict[str, _Site] = {}
        # They stay here: what is still on its way is theirs to clear.
        self._former: dict[str, _Site] = {}
        bus.when_connected(self._on_connected)

    def define(self, targets: Mapping[str, Target], touched: set[str]) -> None:
        """All targets there are now; `touched` have come, gone or changed."""
        if not touched:
            return
        with self._lock:
            before, self._targets = self._targets, targets
            # What a site is told of a target says which of its parents it pings.
            moved = {name for name in touched if _pinged_from(name, before) != _pinged_from(name, targets)}
            children = {name for name, one in targets.items() if not moved.isdisjoint(parents_of(one))}
            for site in self._sites.values():
                site.assign(targets, touched | children)

    def serve(self, sites: Collection[str]) -> None:
        """These are all sites there are."""
        with self._lock:
            for name in self._sites.keys() - set(sites):
                site = self._former[name] = self._sites.pop(name)
                site.leave()
            for name in set(sites) - self._sites.keys():
                site = self._former.pop(name) if name in self._former else self._new(name)
                self._sites[name] = site
                site.assign(self._targets, self._targets)

    def summary(self) -> Summary:
        """Of all sites together, for this process's presence."""
        with self._lock:
            parts = [site.published.summary() for site in self._sites.values()]
        return Summary(
            count=sum(part.count for part in parts), rev_sum=sum(part.rev_sum for part in parts) % REV_MODULUS
        )

    def tick(self) -> None:
        """A few times a second."""
        with self._lock:
            for site in (*self._sites.values(), *self._former.values()):
                site.published.tick(1 / len(self._sites) if self._sites else 1.0)
            for site in self._sites.values():
                site.say()

    def _new(self, name: str) -> _Site:
        return _Site(name, self._bus, self._revs, self._clock)

    def _on_connected(self) -> None:
        with self._lock:
            for site in self._sites.values():
                site.said_s = None


def _pinged_from(name: str, targets: Mapping[str, Target]) -> Collection[str] | None:
    """Its sites; None: all."""
    return targets[name].sites if name in targets else ()


class _Site:
    def __init__(self, name: str, bus: Bus, revs: RevCounter, clock: Callable[[], float]) -> None:
        self._name = name
        self._bus = bus
        self._clock = clock
        self.published: Published[tuple[str, str], Assignment] = Published(
            bus, ASSIGNMENTS, revs, clock=clock, is_spread=True, site=name
        )
        self._said: Summary | None = None
        self.said_s: float | None = None
        """None: it is to be said at once."""

    def assign(self, targets: Mapping[str, Target], names: Iterable[str]) -> None:
        """Tell it what there is to be told of these."""
        for name in names:
            target = targets.get(name)
            found = assigned(target, self._name, targets) if target else None
            if found is not None:
                self.published.put(found)
            elif (self._name, name) in self.published.now:
                self.published.remove((self._name, name))

    def leave(self) -> None:
        for key in list(self.published.now):
            self.published.remove(key)
        self._said = self.said_s = None
        self._bus.clear(ASSIGNMENT_SUMMARIES, site=self._name)

    def say(self) -> None:
        """How much is assigned to it: soon after that has changed, and every ten seconds."""
        if not self.published.is_settled:
            # It would look for what is still on its way.
            return
        now_s = self._clock()
        since_s = now_s - self.said_s if self.said_s is not None else PRESENCE_EVERY_S
        summary = self.published.summary()
        if since_s < SOON_S or (since_s < PRESENCE_EVERY_S and summary == self._said):
            return
        self.said_s, self._said = now_s, summary
        self._bus.publish(ASSIGNMENT_SUMMARIES, AssignmentSummary(site=self._name, assigned=summary, at=Time.now()))
