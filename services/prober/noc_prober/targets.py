"""Which targets this site pings: what the bus says, kept on disk so that a lost broker stops nothing.

A target goes only explicitly: its topic is cleared, it is no longer for this site, or it
is missing among the retained ones when these are known to be all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import TARGETS
from noc_bus.messages import Target
from noc_bus.mirror import Mirror


class Targets:
    """The set as it is now. `changed` is called with each target that came, changed (target) or went (None)."""

    def __init__(
        self,
        site: str,
        bus: Bus,
        known: dict[str, Target],
        changed: Callable[[str, Target | None], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._changed = changed
        self._mirror: Mirror[str, Target] = Mirror(bus, TARGETS, clock=clock)
        self._is_compared = False
        self.now = {name: target for name, target in known.items() if self._is_ours(target)}

    def tick(self) -> None:
        """A few times a second: take what has changed, and once, when all is known, let go of what is no more."""
        self._mirror.tick()
        for name, change in self._mirror.take_changes().items():
            self._set(name, change.after)
        if not self._is_compared and self._mirror.is_complete:
            self._is_compared = True
            for name in [name for name in self.now if name not in self._mirror]:
                self._set(name, None)

    def _set(self, name: str, target: Target | None) -> None:
        if target is None or not self._is_ours(target):
            if self.now.pop(name, None):
                self._changed(name, None)
            return
        # Its number is the broker's affair.
        target = replace(target, rev=None)
        if self.now.get(name) != target:
            self.now[name] = target
            self._changed(name, target)

    def _is_ours(self, target: Target) -> bool:
        return target.sites is None or self._site in target.sites
