"""Whether this prober keeps up: how many of the last minute's cycles could be measured, and how many it was too slow for."""

from __future__ import annotations

from collections import deque
from typing import Final

from noc_prober.codes import LOST_TO_OURSELVES, InvalidCode
from noc_rules.site_state import Reason

WINDOW_S: Final = 60
_OVERLOADED_ABOVE: Final = 0.5
_RELIEVED_BELOW: Final = 0.1
# With fewer cycles one that came late would be half of them.
_MIN_CYCLES: Final = 5

OVERLOADED: Final = Reason(
    InvalidCode.OVERLOADED, "site is overloaded: more than half of its cycles came late or lost replies on this machine"
)


class Load:
    """Counts over a minute. Pure: `tick` gives the time about once a second, or later where there is much to do."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self.is_overloaded = False
        self._due = self._measured = self._too_slow = 0
        self._portions: deque[tuple[float, int, int, int]] = deque()
        self._since_s: float | None = None

    def count(self, invalid: Reason | None) -> None:
        """A cycle is over."""
        self._due += 1
        if invalid is None:
            self._measured += 1
        elif invalid.code in LOST_TO_OURSELVES:
            self._too_slow += 1

    def missed(self, cycles: int) -> None:
        """So many cycles were not even started, because their time was over."""
        self._due += cycles
        self._too_slow += cycles

    def tick(self, now_s: float) -> bool:
        """Whether `is_overloaded` changed, by what was counted in the minute before `now_s`."""
        self._since_s = now_s if self._since_s is None else self._since_s
        self._portions.append((now_s, self._due, self._measured, self._too_slow))
        self._due = self._measured = self._too_slow = 0
        while self._portions[0][0] <= now_s - self._window_s:
            self._portions.popleft()
        if now_s - self._since_s < self._window_s:
            return False
        due, _, too_slow = self._sums()
        before = self.is_overloaded
        if before:
            self.is_overloaded = due > 0 and too_slow >= _RELIEVED_BELOW * due
        else:
            self.is_overloaded = due >= _MIN_CYCLES and too_slow > _OVERLOADED_ABOVE * due
        return self.is_overloaded != before

    def start_over(self) -> None:
        """What was counted before says nothing about now: this process did not run for a time."""
        self._portions.clear()
        self._since_s = None
        self._due = self._measured = self._too_slow = 0

    @property
    def coverage_pct(self) -> float | None:
        """The share of the last minute's cycles that could be measured; None where none was due."""
        due, measured, _ = self._sums()
        return round(100 * measured / due, 2) if due else None

    def _sums(self) -> tuple[int, int, int]:
        """Due, measured and lost to ourselves."""
        due = sum(portion[1] for portion in self._portions)
        measured = sum(portion[2] for portion in self._portions)
        return due, measured, sum(portion[3] for portion in self._portions)
