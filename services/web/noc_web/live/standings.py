"""Which sites can see, and whether what is retained of their states is from now or from before they were away."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from noc_bus.messages import ProberPresence
from noc_rules.verdict import Standing, caught_up, heard

# Whoever has retained what names none of our targets never agrees with what we keep; by now it has said all anew.
_CAUGHT_UP_AFTER_S: Final = 30.0


class Standings:
    """Presences count in their order, each of them. Safe to use from any thread."""

    def __init__(self, agrees: Callable[[str], bool], clock: Callable[[], float]) -> None:
        """`agrees`: whether all the states that a site says it has retained have come."""
        self._agrees = agrees
        self._clock = clock
        self._lock = threading.Lock()
        self._inbox: deque[tuple[str, ProberPresence | None]] = deque()
        self._standings: dict[str, Standing] = {}
        self._returned_s: dict[str, float] = {}

    def hear(self, site: str, presence: ProberPresence | None) -> None:
        if presence is None or not presence.silenced:
            self._inbox.append((site, presence))

    def of(self, site: str) -> Standing:
        return self._standings.get(site, Standing())

    def take_in(self, silent: set[str]) -> set[str]:
        """The sites whose votes count otherwise than before. `silent`: those that are not there, whatever they said."""
        with self._lock:
            before = dict(self._standings)
            while self._inbox:
                site, presence = self._inbox.popleft()
                self._standings[site] = heard(self.of(site), presence)
            for site, standing in self._standings.items():
                if site in silent and standing.presence is not None and standing.presence.online:
                    self._standings[site] = Standing(ProberPresence(site=site, online=False))
            for site, standing in self._standings.items():
                if not standing.can_see or standing.is_current:
                    self._returned_s.pop(site, None)
                elif self._agrees(site) or self._has_had_time(site):
                    self._standings[site] = caught_up(standing)
            return {
                site
                for site in before.keys() | self._standings.keys()
                if _counts(before.get(site, Standing())) != _counts(self.of(site))
            }

    def _has_had_time(self, site: str) -> bool:
        now_s = self._clock()
        return now_s - self._returned_s.setdefault(site, now_s) > _CAUGHT_UP_AFTER_S


def _counts(standing: Standing) -> tuple[object, ...]:
    """What of a standing votes depend on."""
    said = standing.presence
    sight = None if said is None else (said.online, said.isolated, said.overloaded, said.epoch)
    return sight, standing.is_current, standing.returned_at
