"""What the alerter keeps, asked of it: all of an incident, and what was sent to whom; and what it is to keep of people."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from noc_bus.bus import Bus
from noc_bus.channels import (
    INCIDENT_ANSWERS,
    INCIDENT_NOTES,
    INCIDENT_QUERIES,
    SENT_ANSWERS,
    SENT_QUERIES,
    Channel,
)
from noc_bus.messages import IncidentAnswer, IncidentNote, IncidentQuery, Message, SentAnswer, SentQuery
from noc_bus.time import Time

ANSWER_WITHIN_S: Final = 3.0
_KEPT: Final = 50
M = TypeVar("M", bound=Message)


class IncidentQueries:
    """Answers arrive from the bus's thread; whoever asked waits for them in one of their own."""

    def __init__(self, bus: Bus, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._bus = bus
        self._answer_within_s = answer_within_s
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, IncidentAnswer | SentAnswer | None] = OrderedDict()
        bus.subscribe(INCIDENT_ANSWERS, self._on_answer)
        bus.subscribe(SENT_ANSWERS, self._on_answer)

    def ask(self, incident: str, offset: int = 0, limit: int = 200) -> IncidentAnswer | None:
        """None: the alerter has not answered in time, or cannot be reached."""
        request = self._new("i")
        query = IncidentQuery(request=request, incident=incident, at=Time.now(), offset=offset, limit=limit)
        answer = self._asked(INCIDENT_QUERIES, query, request)
        return answer if isinstance(answer, IncidentAnswer) else None

    def comment(self, incident: str, by: str, text: str) -> IncidentAnswer | None:
        """Its incident is None where there is none of that id. None as above: it may be kept all the same."""
        return self._noted(incident, by, "comment", text)

    def write_post_mortem(self, incident: str, by: str, text: str, replaces: Time | None) -> IncidentAnswer | None:
        """`replaces`: when the one was written that it is to replace. What there is now is in the answer, this one or another."""
        return self._noted(incident, by, "post-mortem", text, replaces)

    def _noted(
        self, incident: str, by: str, kind: Literal["comment", "post-mortem"], text: str, replaces: Time | None = None
    ) -> IncidentAnswer | None:
        request = self._new("n")
        note = IncidentNote(
            request=request, incident=incident, at=Time.now(), by=by, kind=kind, text=text, replaces=replaces
        )
        answer = self._asked(INCIDENT_NOTES, note, request)
        return answer if isinstance(answer, IncidentAnswer) else None

    def sent(self, offset: int, limit: int) -> SentAnswer | None:
        """What was sent to whom. None as above."""
        request = self._new("s")
        query = SentQuery(request=request, at=Time.now(), offset=offset, limit=limit)
        answer = self._asked(SENT_QUERIES, query, request)
        return answer if isinstance(answer, SentAnswer) else None

    def _new(self, kind: str) -> str:
        request = f"{kind}-{secrets.token_hex(8)}"
        with self._changed:
            self._waiting[request] = None
            while len(self._waiting) > _KEPT:
                self._waiting.popitem(last=False)
        return request

    def _asked(self, channel: Channel[M], query: M, request: str) -> IncidentAnswer | SentAnswer | None:
        is_asked = self._bus.publish(channel, query)
        with self._changed:
            if is_asked:
                self._changed.wait_for(self._has_answer(request), self._answer_within_s)
            return self._waiting.pop(request, None)

    def _has_answer(self, request: str) -> Callable[[], bool]:
        return lambda: self._waiting.get(request) is not None or request not in self._waiting

    def _on_answer(self, answer: IncidentAnswer | SentAnswer | None, variables: dict[str, str]) -> None:
        if answer is None:
            return
        with self._changed:
            if answer.request in self._waiting:
                self._waiting[answer.request] = answer
                self._changed.notify_all()
