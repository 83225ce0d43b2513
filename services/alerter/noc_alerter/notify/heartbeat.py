"""A sign of life to somebody outside: who hears none any more raises the alarm that we no longer can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from noc_alerter.notify.smtp import NotDelivered
from noc_alerter.notify.webhook import ask
from noc_alerter.settings import Means
from noc_frame import log

_LOOK_EVERY_S: Final = 1.0
_LONGEST_S: Final = 10.0


HEARTBEAT: Final = "heartbeat"
"""Whom a test names that asks for the address once; no recipient is called so: mail addresses have an @."""


def beat(means: Means) -> str:
    """The other side's own words on one beat. Raises NotDelivered."""
    if not means.heartbeat_url:
        raise NotDelivered("no address is set for the heartbeat: save one first", can_retry=False)
    return ask("GET", means.heartbeat_url, None, {}, _LONGEST_S)


class Heartbeat:
    """Beats while outages can be noticed and kept, and only then: a GET of the address in Settings."""

    def __init__(self, means: Callable[[], Means], is_well: Callable[[], bool]) -> None:
        self._means = means
        self._is_well = is_well
        self._beat_s: float | None = None
        self._log = log.get("noc.alerter")
        self.beats = 0
        """How many were answered."""
        self.trouble: str | None = None
        """Why the last one was not; None: it was, or none is wanted."""

    def start(self, stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=[stop], name="heartbeat", daemon=True)
        thread.start()
        return thread

    def tick(self, now_s: float) -> None:
        """Beat if it is time. `now_s`: of a clock that only goes forward."""
        means = self._means()
        if not means.heartbeat_url:
            self._beat_s = self.trouble = None
            return
        if self._beat_s is not None and now_s - self._beat_s < means.heartbeat_s:
            return
        if not self._is_well():
            # At once when it is well again.
            self._beat_s = None
            return
        self._beat_s = now_s
        try:
            beat(means)
        except NotDelivered as error:
            sentence = f"the heartbeat was not taken: {error}"
            if sentence != self.trouble:
                self._log.error(sentence)
            self.trouble = sentence
        else:
            self.beats += 1
            self.trouble = None

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_EVERY_S):
            self.tick(time.monotonic())
