"""Answers what people ask of an incident, its members page by page, its timeline and its mails; and what was sent to whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from noc_alerter.ledger import Ledger
from noc_bus.bus import Bus
from noc_bus.channels import INCIDENT_ANSWERS, INCIDENT_QUERIES, SENT_ANSWERS, SENT_QUERIES
from noc_bus.messages import IncidentAnswer, IncidentQuery, SentAnswer, SentQuery
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_rules.incident import MAX_MEMBERS_TOLD, members_of

_MOST_WAITING: Final = 50
_AT_ONCE: Final = 5


class Queries:
    """Asked on the bus's thread, answered by `tick`. Of too many that wait, the oldest get no answer."""

    def __init__(self, bus: Bus, ledger: Ledger, is_silenced: Callable[[], bool]) -> None:
        """`is_silenced`: another alerter was here first, and answers instead."""
        self._bus = bus
        self._ledger = ledger
        self._is_silenced = is_silenced
        self._waiting: deque[IncidentQuery | SentQuery] = deque(maxlen=_MOST_WAITING)
        bus.subscribe(INCIDENT_QUERIES, self._on_query)
        bus.subscribe(SENT_QUERIES, self._on_query)

    def tick(self) -> None:
        """A few of them, so that nothing else waits for long."""
        for _ in range(_AT_ONCE):
            if not self._waiting:
                return
            asked = self._waiting.popleft()
            try:
                if isinstance(asked, SentQuery):
                    self._bus.publish(SENT_ANSWERS, self._sent(asked))
                else:
                    self._bus.publish(INCIDENT_ANSWERS, self._answered(asked))
            except DatabaseFault as fault:
                log.get("noc.alerter").error(f"what was asked for cannot be read: {fault}")

    def _sent(self, asked: SentQuery) -> SentAnswer:
        mails, total = self._ledger.sent(asked.offset, asked.limit)
        return SentAnswer(request=asked.request, at=Time.now(), mails=mails, total=total)

    def _answered(self, asked: IncidentQuery) -> IncidentAnswer:
        incident = self._ledger.incident(asked.incident)
        if incident is None:
            return IncidentAnswer(request=asked.request, at=Time.now())
        members = self._ledger.members(asked.incident, asked.offset, asked.limit)
        if not members:
            # An older version kept those in the message only.
            members = members_of(incident)[asked.offset : asked.offset + asked.limit]
        return IncidentAnswer(
            request=asked.request,
            at=Time.now(),
            incident=incident,
            members=members,
            timeline=self._ledger.timeline(asked.incident, MAX_MEMBERS_TOLD),
            post_mortem=self._ledger.post_mortem(asked.incident),
            mails=self._ledger.mails(asked.incident, MAX_MEMBERS_TOLD),
        )

    def _on_query(self, asked: IncidentQuery | SentQuery | None, variables: dict[str, str]) -> None:
        if asked is not None and not self._is_silenced():
            self._waiting.append(asked)
