"""Whose path to follow next, without being asked: once a day each, and at the start of an outage. Pure."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from noc_bus.messages import Trace
from noc_bus.time import DAY_MS
from noc_prober.schedule import next_start

FIRST_AFTER_S: Final = 60.0
"""What was never traced, has another address, or is UP again, has that long to settle."""
RETRY_S: Final = 600.0
"""What is not UP when its turn comes is looked at again after that."""
DAY_S: Final = DAY_MS / 1000
# A target that goes up and down has one trace for some of its outages.
_BROKEN_OFF_MS: Final = 300_000

Last = Callable[[str], Trace | None]
"""The last trace of a target."""


class Turns:
    """Who goes DOWN goes first. All others come once a day, each at its own time of the day, while they are UP.

    Of a target that is DOWN there is the trace of its outage, and another once it is over. Times are wall clock seconds.
    """

    def __init__(self, last: Last) -> None:
        self._last = last
        self._down: frozenset[str] = frozenset()
        # In order of the outages' starts.
        self._went_down: dict[str, None] = {}
        self._due_s: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def add(self, target: str, now_s: float) -> None:
        """It is watched from now on."""
        last = self._last(target)
        if last is None:
            self.put_off(target, now_s + FIRST_AFTER_S)
        else:
            self._tomorrow(target, min(last.at / 1000, now_s))

    def put_off(self, target: str, due_s: float) -> None:
        """Its next turn, whatever was planned."""
        self._due_s[target] = due_s
        heapq.heappush(self._heap, (due_s, target))

    def resume(self, down: AbstractSet[str]) -> None:
        """Outages that go on from before a restart are no new ones."""
        self._down = frozenset(down)

    def observe(self, down: AbstractSet[str], now_s: float) -> None:
        """Which targets are DOWN now."""
        for target in sorted(down - self._down):
            self._went_down[target] = None
        for target in self._down - down:
            self._went_down.pop(target, None)
            self.put_off(target, now_s + FIRST_AFTER_S)
        self._down = frozenset(down)

    def take(self, now_s: float, is_up: Callable[[str], bool | None]) -> str | None:
        """Whose turn it is; None: nobody's. `is_up` is None for what is not watched any more."""
        while self._went_down:
            target = next(iter(self._went_down))
            del self._went_down[target]
            if is_up(target) is not None and not self._broke_off_just_now(target, now_s):
                return target
        while self._heap and self._heap[0][0] <= now_s:
            due_s, target = heapq.heappop(self._heap)
            if self._due_s.get(target) != due_s:
                continue
            now_up = is_up(target)
            if now_up:
                self._tomorrow(target, now_s)
                return target
            if now_up is None:
                del self._due_s[target]
            else:
                self.put_off(target, now_s + RETRY_S)
        return None

    def _tomorrow(self, target: str, after_s: float) -> None:
        self.put_off(target, next_start(after_s, DAY_S, time_of_day(target)))

    def _broke_off_just_now(self, target: str, now_s: float) -> bool:
        last = self._last(target)
        return last is not None and not last.reached and 0 <= now_s * 1000 - last.at < _BROKEN_OFF_MS


def time_of_day(target: str) -> float:
    """As a share of the day, 0 <= time < 1: by its name, so that it stays the same whatever other targets there are."""
    return zlib.crc32(target.encode()) / 2**32
