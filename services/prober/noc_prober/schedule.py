"""When each target is pinged: evenly spread over its interval, and always at the same moments. Pure."""

from __future__ import annotations

import heapq
import math
from typing import Final

# Multiples of the golden ratio fill [0, 1) evenly however many there are, and nobody has to move for a new one.
_GOLDEN: Final = (math.sqrt(5) - 1) / 2
_FIRST_CHECKS_PER_S: Final = 50


class Slots:
    """Who stands where in the round of one interval. The places of those who leave are given out again."""

    def __init__(self) -> None:
        self._taken: dict[float, dict[str, int]] = {}
        self._free: dict[float, list[int]] = {}
        self._interval_s: dict[str, float] = {}

    def phase(self, target: str, interval_s: float) -> float:
        """The target's place in its interval, 0 <= phase < 1. Stable until it leaves or changes its interval."""
        if self._interval_s.get(target) != interval_s:
            self.leave(target)
            taken, free = self._taken.setdefault(interval_s, {}), self._free.setdefault(interval_s, [])
            taken[target] = heapq.heappop(free) if free else len(taken)
            self._interval_s[target] = interval_s
        return spread(self._taken[interval_s][target])

    def leave(self, target: str) -> None:
        interval_s = self._interval_s.pop(target, None)
        if interval_s is not None:
            heapq.heappush(self._free[interval_s], self._taken[interval_s].pop(target))


def spread(slot: int) -> float:
    return (slot * _GOLDEN) % 1.0


def next_start(now_s: float, interval_s: float, phase: float) -> float:
    """The first moment after `now_s` on the target's grid. With wall time it is the same grid after a restart."""
    offset = phase * interval_s
    start = math.floor((now_s - offset) / interval_s + 1) * interval_s + offset
    return start if start > now_s else start + interval_s


def first_check_delay(phase: float, interval_s: float, targets: int) -> float:
    """How long a target not checked yet waits: nobody an hour for its first check, and no burst of all at once."""
    return phase * min(interval_s, targets / _FIRST_CHECKS_PER_S)


def lateness_limit_s(interval_s: float, timeout_s: float) -> float:
    """An echo sent later than this after its time makes its cycle invalid."""
    return min(0.2 * interval_s, timeout_s)
