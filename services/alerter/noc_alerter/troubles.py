"""The NOC's own troubles: what the services, the clocks of sites and the outbox say, and for how long they have."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from noc_bus.bus import Bus
from noc_bus.channels import PROBERS
from noc_bus.clocks import Clocks
from noc_bus.messages import Incident, ProberPresence, ServicePresence
from noc_bus.presences import Presences
from noc_bus.time import Time
from noc_rules import troubles
from noc_rules.correlate import IncidentChange
from noc_rules.incident import About
from noc_rules.troubles import NotTaken, Trouble


class Troubles:
    """`steps` is to be called about once a second, once what is retained has come."""

    def __init__(
        self,
        bus: Bus,
        services: Presences[ServicePresence],
        not_taken: Callable[[], tuple[NotTaken | None, NotTaken | None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`not_taken`: the mails, and the messages to channels, that wait because nobody takes them."""
        self._services = services
        self._not_taken = not_taken
        self._clock = clock
        self._clocks = Clocks()
        self._sites: set[str] = set()
        self._heard: deque[tuple[str, Time | None, float]] = deque()
        self._since: dict[About, tuple[Time, float]] = {}
        bus.subscribe(PROBERS, self._on_presence)

    def steps(
        self, open_ones: Iterable[About], found: Callable[[About], Incident | None], now: Time
    ) -> list[IncidentChange]:
        """What becomes of incidents about them. `open_ones`: what has one; `found` gives it. Raises DatabaseFault."""
        now_s = self._clock()
        known = self._now(now, now_s)
        wrong = {about for about, trouble in known.items() if trouble is not None}
        for about in self._since.keys() - wrong:
            del self._since[about]
        for about in wrong:
            self._since.setdefault(about, (now, now_s))
        steps = []
        for about in sorted({*wrong, *(one for one in open_ones if one.kind in troubles.KINDS)}):
            if about not in known:
                continue
            since, since_s = self._since.get(about, (now, now_s))
            steps.append(troubles.step(about, known[about], since, now_s - since_s, found(about), wrong, now))
        return [step for step in steps if step]

    def _now(self, now: Time, now_s: float) -> dict[About, Trouble | None]:
        while self._heard:
            site, shown, at_s = self._heard.popleft()
            if shown is None:
                self._clocks.forget(site)
                self._sites.discard(site)
            else:
                self._sites.add(site)
                self._clocks.hear(site, shown, at_s, Time(now - round((now_s - at_s) * 1000)))
        ahead_ms = {site: self._clocks.ahead_ms(site, now_s) for site in self._sites}
        return {
            **troubles.of_services(self._services.items()),
            **troubles.of_clocks(ahead_ms),
            **troubles.of_notices(*self._not_taken(), now),
        }

    def _on_presence(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        """On the bus's thread."""
        if presence is None:
            self._heard.append((variables["site"], None, self._clock()))
        elif presence.online and presence.clock is not None and not presence.silenced:
            self._heard.append((presence.site, presence.clock, self._clock()))
