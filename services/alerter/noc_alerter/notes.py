"""Keeps what people write of incidents, open or over, and says so once it is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from noc_alerter.ledger import Ledger
from noc_bus.bus import Bus
from noc_bus.channels import INCIDENT_ANSWERS, INCIDENT_NOTES
from noc_bus.messages import Incident, IncidentAnswer, IncidentNote
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault

_MOST_WAITING: Final = 50


class Notes:
    """Told on the bus's thread, kept by `tick`. What finds no room, or cannot be kept, is not answered: who wrote it is told."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        keep: Callable[[IncidentNote, Time], Incident | None],
        is_silenced: Callable[[], bool],
    ) -> None:
        """`keep` gives the incident, None where there is none. `is_silenced`: another alerter was here first, and keeps it."""
        self._bus = bus
        self._ledger = ledger
        self._keep = keep
        self._is_silenced = is_silenced
        self._waiting: deque[IncidentNote] = deque()
        bus.subscribe(INCIDENT_NOTES, self._on_note)

    def tick(self, now: Time) -> None:
        while self._waiting:
            note = self._waiting.popleft()
            try:
                incident = self._keep(note, now)
                post_mortem = self._ledger.post_mortem(note.incident)
            except DatabaseFault as fault:
                log.get("noc.alerter").error(f"what {note.by} wrote of {note.incident} cannot be kept: {fault}")
                continue
            self._bus.publish(
                INCIDENT_ANSWERS,
                IncidentAnswer(request=note.request, at=now, incident=incident, post_mortem=post_mortem),
            )

    def _on_note(self, note: IncidentNote | None, variables: dict[str, str]) -> None:
        if note is not None and not self._is_silenced() and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(note)
