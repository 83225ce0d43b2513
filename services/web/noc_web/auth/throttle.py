"""Slows down guessing: after some failures of a name or an address, no more attempts for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

FAILURES: Final = 5
WINDOW_S: Final = 15 * 60
# An attacker with many addresses must not fill the memory.
_KEYS: Final = 10_000


class Throttle:
    """Counts failures by key. Times are seconds of a monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, keys: Iterable[str], now_s: float) -> float:
        """How long until the next attempt is allowed; 0: now."""
        with self._lock:
            waits = [self._wait_s(key, now_s) for key in keys]
        return max(waits, default=0.0)

    def failed(self, keys: Iterable[str], now_s: float) -> None:
        with self._lock:
            for key in keys:
                self._failures.setdefault(key, deque(maxlen=FAILURES)).append(now_s)
                self._failures.move_to_end(key)
            while len(self._failures) > _KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)

    def _wait_s(self, key: str, now_s: float) -> float:
        failures = self._failures.get(key, ())
        recent = [at_s for at_s in failures if now_s - at_s < WINDOW_S]
        return recent[0] + WINDOW_S - now_s if len(recent) >= FAILURES else 0.0
