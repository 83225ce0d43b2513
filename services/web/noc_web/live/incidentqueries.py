"""What is kept of an incident, asked of the alerter, which keeps it."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import INCIDENT_ANSWERS, INCIDENT_QUERIES
from noc_bus.messages import IncidentAnswer, IncidentQuery
from noc_bus.time import Time

ANSWER_WITHIN_S: Final = 3.0
_KEPT: Final = 50


class IncidentQueries:
    """Answers arrive from the bus's thread; whoever asked waits for them in one of their own."""

    def __init__(self, bus: Bus, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._bus = bus
        self._answer_within_s = answer_within_s
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, IncidentAnswer | None] = OrderedDict()
        bus.subscribe(INCIDENT_ANSWERS, self._on_answer)

    def ask(self, incident: str, offset: int = 0, limit: int = 200) -> IncidentAnswer | None:
        """None: the alerter has not answered in time, or cannot be reached."""
        request = f"i-{secrets.token_hex(8)}"
        with self._changed:
            self._waiting[request] = None
            while len(self._waiting) > _KEPT:
                self._waiting.popitem(last=False)
        query = IncidentQuery(request=request, incident=incident, at=Time.now(), offset=offset, limit=limit)
        is_asked = self._bus.publish(INCIDENT_QUERIES, query)
        with self._changed:
            if is_asked:
                self._changed.wait_for(self._has_answer(request), self._answer_within_s)
            return self._waiting.pop(request, None)

    def _has_answer(self, request: str) -> Callable[[], bool]:
        return lambda: self._waiting.get(request) is not None or request not in self._waiting

    def _on_answer(self, answer: IncidentAnswer | None, variables: dict[str, str]) -> None:
        if answer is None:
            return
        with self._changed:
            if answer.request in self._waiting:
                self._waiting[answer.request] = answer
                self._changed.notify_all()
