"""Test mails that were asked of the alerter, and what has come of them so far."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import MAIL_TEST_RESULTS
from noc_bus.messages import MailTestResult
from noc_web.problem import ProblemError

ANSWER_WITHIN_S: Final = 10.0
MOST: Final = 6
WINDOW_S: Final = 600.0
_KEPT: Final = 20


class MailTests:
    """Results arrive from the bus's thread; whoever asked waits for them in one of their own."""

    def __init__(
        self, bus: Bus, *, answer_within_s: float = ANSWER_WITHIN_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._answer_within_s = answer_within_s
        self._clock = clock
        self._changed = threading.Condition()
        self._asked_s: deque[float] = deque(maxlen=MOST)
        self._results: OrderedDict[str, MailTestResult] = OrderedDict()
        bus.subscribe(MAIL_TEST_RESULTS, self._on_result)

    def asked(self) -> str:
        """The id of a new request. Raises ProblemError 429 where there were many lately."""
        now_s = self._clock()
        with self._changed:
            if len(self._asked_s) == MOST and now_s - self._asked_s[0] < WINDOW_S:
                wait_min = int((self._asked_s[0] + WINDOW_S - now_s) // 60) + 1
                raise ProblemError(
                    429,
                    f"Test mails have been sent {MOST} times within {WINDOW_S / 60:.0f} minutes; "
                    f"try again in {wait_min} {'minute' if wait_min == 1 else 'minutes'}.",
                )
            self._asked_s.append(now_s)
        return f"m-{secrets.token_hex(8)}"

    def wait(self, request: str) -> MailTestResult | None:
        """What has come of it when all is known, or after a short time; None: the alerter has not answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_done(request), self._answer_within_s)
            return self._results.get(request)

    def result(self, request: str) -> MailTestResult | None:
        """What has come of it so far."""
        with self._changed:
            return self._results.get(request)

    def _is_done(self, request: str) -> bool:
        found = self._results.get(request)
        return found is not None and found.done

    def _on_result(self, result: MailTestResult | None, variables: dict[str, str]) -> None:
        if result is None:
            return
        with self._changed:
            self._results[result.request] = result
            while len(self._results) > _KEPT:
                self._results.popitem(last=False)
            self._changed.notify_all()
