"""Which targets this site pings: what the bus says, kept on disk so that a lost broker stops nothing.

A target goes only by an explicit word: its topic is cleared, it is no longer for this site, or it
is missing among the retained ones of a broker that has others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from noc_bus.messages import Target

# Retained messages come in one burst after the subscription: when nothing came for so long, all have.
QUIET_S: Final = 3.0
_BEFORE_CONFIRMED_S: Final = 2.0


class Targets:
    """The set as it is now. `changed` is told each target that came, changed (target) or went (None)."""

    def __init__(self, site: str, known: dict[str, Target], changed: Callable[[str, Target | None], None]) -> None:
        self._site = site
        self._changed = changed
        self.now = {name: target for name, target in known.items() if self._is_ours(target)}
        self._heard: dict[str, float] = {}
        self._last_heard_s = 0.0
        self._connected_s: float | None = None
        self._is_connected = False
        self.states_seen: set[str] = set()

    def hear(self, name: str, target: Target | None, now_s: float) -> None:
        """A message on the target's topic; None: it was cleared."""
        self._last_heard_s = now_s
        if target is None:
            self._heard.pop(name, None)
        else:
            self._heard[name] = now_s
        if target is None or not self._is_ours(target):
            if self.now.pop(name, None):
                self._changed(name, None)
        elif self.now.get(name) != target:
            self.now[name] = target
            self._changed(name, target)

    def hear_state(self, name: str, now_s: float) -> None:
        """A state of this site is retained for that target."""
        self.states_seen.add(name)
        if name not in self.now:
            self._last_heard_s = now_s

    def connected(self, now_s: float) -> None:
        self._is_connected = True
        self._connected_s = self._last_heard_s = now_s

    def disconnected(self) -> None:
        """May be called again and again: a broker may send what is retained before it confirms a connection."""
        if self._is_connected:
            self._is_connected = False
            self._connected_s = None
            self._heard.clear()

    def tick(self, now_s: float) -> list[str] | None:
        """Once after each connection, when all that is retained has come: the states to clear. Else None."""
        if self._connected_s is None or now_s - self._last_heard_s < QUIET_S:
            return None
        since_s = self._connected_s - _BEFORE_CONFIRMED_S
        retained = {name for name, at_s in self._heard.items() if at_s >= since_s}
        self._connected_s = None
        # A broker that came back with nothing has forgotten; nobody has removed all targets one by one.
        for name in sorted(set(self.now) - retained) if retained else ():
            del self.now[name]
            self._changed(name, None)
        strangers = sorted(self.states_seen - set(self.now))
        self.states_seen.clear()
        return strangers

    def _is_ours(self, target: Target) -> bool:
        return target.sites is None or self._site in target.sites
