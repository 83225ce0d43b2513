"""Slows down guessing: after some failures of a name, a place or an address, no more attempts for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Final

WINDOW_S: Final = 15 * 60
# An attacker with many addresses must not fill the memory.
_KEYS: Final = 10_000


class Throttle:
    """Counts failures by key, each with its limit. Times are seconds of a monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, limits: Mapping[str, int], now_s: float) -> float:
        """How long until the next attempt is allowed; 0: now."""
        with self._lock:
            waits = [self._wait_s(key, limit, now_s) for key, limit in limits.items()]
        return max(waits, default=0.0)

    def failed(self, limits: Mapping[str, int], now_s: float) -> None:
        with self._lock:
            for key, limit in limits.items():
                self._failures.setdefault(key, deque(maxlen=limit)).append(now_s)
                self._failures.move_to_end(key)
            while len(self._failures) > _KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, limits: Mapping[str, int]) -> None:
        with self._lock:
            for key in limits:
                self._failures.pop(key, None)

    def _wait_s(self, key: str, limit: int, now_s: float) -> float:
        recent = [at_s for at_s in self._failures.get(key, ()) if now_s - at_s < WINDOW_S]
        return recent[0] + WINDOW_S - now_s if len(recent) >= limit else 0.0
