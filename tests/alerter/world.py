"""Everybody else on a real broker: the web service, sites, and somebody who looks. The alerter is a process of its own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, Self

from msgspec.structs import replace

from noc_bus.broker import Broker
from noc_bus.channels import INCIDENTS, LATE_OUTAGE_ANSWERS, PROBERS, SEALED, SERVICES, STATES, TARGETS, VERDICTS
from noc_bus.codec import encode
from noc_bus.messages import (
    Incident,
    LateOutagesAnswer,
    NotificationSettings,
    ProberPresence,
    SealedSettings,
    ServicePresence,
    SiteState,
    State,
    Summary,
    Target,
    Verdict,
)
from noc_bus.retained import Published, RevCounter
from noc_bus.sealed import seal
from noc_bus.session import Session
from noc_bus.time import Time
from tests.parts.waiting import wait_until

_SPEAKS_EVERY_S: Final = 5.0


class World:
    """A context manager. What it has retained it says with each sign of life, as web service and probers do."""

    def __init__(self, url: str, sites: Sequence[str] = ("north", "south"), noise: random.Random | None = None) -> None:
        """`noise`: three in ten messages of sites come once more, up to two seconds late and in any order."""
        self.incidents: dict[str, Incident] = {}
        self.ended: dict[str, Incident] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.alerter: ServicePresence | None = None
        self.answered: set[str] = set()
        """Which findings of late outages the alerter has taken."""
        self.presences = {site: ProberPresence(site=site, online=True) for site in sites}
        self._seq = 0
        self._noise = noise
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.session = Session(Broker.parse(url), "test-world")
        revs = RevCounter()
        self.targets: Published[str, Target] = Published(self.session, TARGETS, revs)
        self.states: dict[str, Published[tuple[str, str], SiteState]] = {
            site: Published(self.session, STATES, revs, site=site) for site in sites
        }
        self.session.subscribe(INCIDENTS, self._on_incident)
        self.session.subscribe(VERDICTS, self._on_verdict)
        self.session.subscribe(SERVICES, self._on_service, service="alerter")
        self.session.subscribe(LATE_OUTAGE_ANSWERS, self._on_late_answer)
        self._speaking = threading.Thread(target=self._speak_on, daemon=True)

    def __enter__(self) -> Self:
        self.session.start()
        wait_until(lambda: self.session.connected, 10, "the world on the broker")
        self._speaking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._speaking.join()
        self.session.stop()

    # -- what the others say

    def have(self, *targets: Target) -> None:
        """These are defined, and answer."""
        for one in targets:
            self.targets.put(one)
            self._see(State.UP, one.id, one.sites)
        self.speak()

    def sees(self, state: State, *names: str, sites: Sequence[str] | None = None) -> None:
        """Of these targets, or of all; from these sites, or from all that ping them."""
        for name in names or tuple(self.targets.now):
            known = self.targets.now[name]
            self._see(state, name, sites or known.sites)
        self.speak()

    def prober(self, *sites: str, **fields: bool) -> None:
        """How probers are from now on: offline, isolated, overloaded; or well again."""
        for site in sites:
            self.presences[site] = ProberPresence(**{"site": site, "online": True, **fields})  # type: ignore[arg-type]  # its own fields
        self.speak()

    def settings(self, **settings: Any) -> None:
        """What an administrator sets."""
        wait_until(lambda: self.alerter and self.alerter.sealing_key, 15, "the alerter's key")
        assert self.alerter is not None
        content = seal(encode(NotificationSettings(**settings)), str(self.alerter.sealing_key))
        self.session.publish(SEALED, SealedSettings(reader="alerter", content=content))

    def speak(self) -> None:
        """Everybody's sign of life, with what they have retained."""
        with self._lock:
            now = Time.now()
            web = {
                "targets": self.targets.summary(),
                **dict.fromkeys(("sites", "maintenances"), Summary(count=0, rev_sum=0)),
            }
            self.session.publish(SERVICES, ServicePresence(service="web", online=True, at=now, retained=web))
            for site, presence in self.presences.items():
                told = {"states": self.states[site].summary()} if presence.online else None
                self.session.publish(PROBERS, replace(presence, clock=now, retained=told))

    def _see(self, state: State, name: str, sites: Sequence[str] | None) -> None:
        now = Time.now()
        for site in sites or self.states:
            self._seq += 1
            kept = self.states[site].put(
                SiteState(
                    site=site,
                    target=name,
                    epoch=1,
                    seq=self._seq,
                    state=state,
                    since=now,
                    reason="5 checks unanswered" if state is State.DOWN else "it answers",
                    at=now,
                )
            )
            if self._noise and self._noise.random() < 0.3:
                # As a broker delivers a message again: only to who listens now, and not as what is retained.
                late = threading.Timer(self._noise.uniform(0, 2), self.session.publish_once, [STATES, kept])
                late.daemon = True
                late.start()

    def _speak_on(self) -> None:
        spoke_s = time.monotonic()
        while not self._over.wait(0.25):
            self.targets.tick()
            for states in self.states.values():
                states.tick()
            if time.monotonic() - spoke_s >= _SPEAKS_EVERY_S:
                spoke_s = time.monotonic()
                self.speak()

    # -- what the alerter says

    def wait_for(self, state: str, *names: str) -> None:
        """Until this is the verdict on all of them, or on all there are."""
        wanted = names or tuple(self.targets.now)

        def seen() -> dict[str, str]:
            return {name: str(one.state) for name in wanted if (one := self.verdicts.get(name)) is not None}

        wait_until(
            lambda: len(seen()) == len(wanted) and {*seen().values()} == {state}, 30, f"the verdict {state}", seen=seen
        )

    def is_told(self, *, online: bool) -> bool:
        return self.alerter is not None and self.alerter.online is online

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        if incident is None:
            self.incidents.pop(variables["incident"], None)
        elif incident.resolved_at is None:
            self.incidents[incident.id] = incident
        else:
            self.ended[incident.id] = incident

    def _on_verdict(self, verdict: Verdict | None, variables: dict[str, str]) -> None:
        if verdict is not None:
            self.verdicts[verdict.target] = verdict

    def _on_late_answer(self, answer: LateOutagesAnswer | None, variables: dict[str, str]) -> None:
        if answer is not None:
            self.answered.add(answer.finding)

    def _on_service(self, service: ServicePresence | None, variables: dict[str, str]) -> None:
        self.alerter = service
