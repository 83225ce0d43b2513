"""How far the sites' clocks are ahead of ours, from the moments at which their presences arrive."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from noc_bus.time import Time

_OVER_S: Final = 60.0
# A presence that was retained when we came is as old as it may be: one alone says nothing.
_SAMPLES: Final = 2
_STEP_MS: Final = 100
_KEPT: Final = 30


class Clocks:
    """By site. Moments are seconds of a monotonic clock. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead: dict[str, deque[tuple[float, int]]] = {}

    def hear(self, site: str, clock: Time, now_s: float, now: Time) -> None:
        """`clock` is what the site's showed when it sent what has arrived now."""
        with self._lock:
            self._ahead.setdefault(site, deque(maxlen=_KEPT)).append((now_s, clock - now))

    def forget(self, site: str) -> None:
        with self._lock:
            self._ahead.pop(site, None)

    def ahead_ms(self, site: str, now_s: float) -> float | None:
        """Of what came within a minute, what travelled least tells most. None where it is not known."""
        with self._lock:
            recent = [ahead_ms for at_s, ahead_ms in self._ahead.get(site, ()) if now_s - at_s <= _OVER_S]
        if len(recent) < _SAMPLES:
            return None
        return round(max(recent) / _STEP_MS) * float(_STEP_MS)
