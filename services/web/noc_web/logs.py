"""A limit to what strangers can make this service write into its log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

LINES_A_MINUTE: Final = 20
_MINUTE_S: Final = 60.0


class Allowance:
    """So many lines a minute; of the others only their number."""

    def __init__(self, lines: int = LINES_A_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._clock = clock
        self._minute_s = -_MINUTE_S
        self._written = 0
        self.left_out = 0

    def takes(self) -> bool:
        now_s = self._clock()
        if now_s - self._minute_s >= _MINUTE_S:
            self._minute_s, self._written, self.left_out = now_s, 0, 0
        self._written += 1
        if self._written <= self._lines:
            return True
        self.left_out += 1
        return False


class Sparing(logging.Filter):
    """Lets some records through, each as one line: without a stack and without what was sent."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        super().__init__()
        self._allowance = allowance or Allowance()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            kind = record.exc_info[0]
            record.msg, record.args = f"{record.getMessage()[:100]}: {kind.__name__ if kind else 'unknown'}", ()
            record.exc_info = record.exc_text = None
        return self._allowance.takes()
