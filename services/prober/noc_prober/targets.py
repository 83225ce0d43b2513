"""Which targets this site pings: what the bus says, kept on disk so that a lost broker stops nothing.

A target goes only explicitly: its topic is cleared, or it is missing among the retained
ones when these are known to be all.
A NOC of the version before assigns nothing: then all targets are read, and those of this site taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import ASSIGNMENTS, TARGETS
from noc_bus.messages import Assignment, Target
from noc_bus.mirror import Mirror
from noc_rules.assignment import assignment, is_pinged_from
from noc_rules.parents import parents_from

# Who has been told nothing so long after a connection asks for all targets; where it may not, nothing comes of it.
UNASSIGNED_S: Final = 5.0


class Targets:
    """The set as it is now. `changed` is called with each target that came, changed (assignment) or went (None)."""

    def __init__(
        self,
        site: str,
        bus: Bus,
        known: dict[str, Assignment],
        changed: Callable[[str, Assignment | None], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._bus = bus
        self._changed = changed
        self._clock = clock
        self._assigned: Mirror[tuple[str, str], Assignment] = Mirror(
            bus, ASSIGNMENTS, clock=clock, is_optional=True, site=site
        )
        self._every: Mirror[str, Target] = Mirror(bus, TARGETS, clock=clock, is_optional=True)
        self._every.suspend()
        self._reads_every = False
        self._unassigned_since_s: float | None = None
        self._is_compared = False
        self.now = dict(known)

    def tick(self) -> None:
        """A few times a second: take what has changed, and once, when all is known, let go of what is no more."""
        self._choose()
        self._assigned.tick()
        for (_, name), change in self._assigned.take_changes().items():
            self._set(name, change.after)
        if self._reads_every:
            self._every.tick()
            for name, found in self._every.take_changes().items():
                self._set(name, self._ours(found.after))
        if not self._is_compared and self._is_complete():
            self._is_compared = True
            known = self._known()
            for name in [name for name in self.now if name not in known]:
                self._set(name, None)

    def _choose(self) -> None:
        """Whether to read all targets: while nobody says what is assigned to us."""
        if self._assigned.has_word_of(self._site) or not self._bus.connected:
            self._unassigned_since_s = None
        elif self._unassigned_since_s is None:
            self._unassigned_since_s = self._clock()
        since_s = self._unassigned_since_s
        wants_every = since_s is not None and self._clock() - since_s > UNASSIGNED_S
        if wants_every == self._reads_every or not self._bus.connected:
            return
        self._reads_every, self._is_compared = wants_every, False
        if wants_every:
            self._every.resume()
        else:
            self._every.suspend()

    def _is_complete(self) -> bool:
        if self._reads_every:
            return self._every.is_complete
        return self._assigned.is_complete_from(self._site)

    def _known(self) -> set[str]:
        """What the source says that is read now."""
        if self._reads_every:
            return {name for name, target in self._every.items().items() if self._ours(target)}
        return {name for _, name in self._assigned.items()}

    def _ours(self, target: Target | None) -> Assignment | None:
        if target is None or not is_pinged_from(target, self._site):
            return None
        return assignment(target, parents_from(target, self._site))

    def _set(self, name: str, target: Assignment | None) -> None:
        if target is None:
            if self.now.pop(name, None):
                self._changed(name, None)
            return
        # Its number is the broker's affair.
        target = replace(target, rev=None)
        if self.now.get(name) != target:
            self.now[name] = target
            self._changed(name, target)
