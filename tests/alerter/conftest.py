"""An alerter on a bus without a broker, with a clock the test turns and a post office that keeps its mails."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest

from noc_alerter.alerter import Alerter
from noc_alerter.database import Database, Mail
from noc_alerter.mail import Mailer
from noc_alerter.outbox import Outbox
from noc_alerter.smtp import NotDelivered
from noc_bus.channels import EVENTS, INCIDENTS, PROBERS, SERVICES, SITES, STATES, TARGETS, VERDICTS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Event, Incident, ProberPresence, ServicePresence, Site, SiteState, State, Target, Verdict
from noc_bus.time import Time

T0: Final = Time.parse("2026-11-24T12:00:00.000Z")
FROM: Final = "noc@noc.test"
OPS: Final = "ops@noc.test"


class Rig:
    """Central services and sites round one alerter, which may be killed and started again on its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = Hub()
        self.others = FakeBus(self.hub)
        self.others.start()
        self.now = T0
        self.clock_s = 1000.0
        self.mail_to: tuple[str, ...] = (OPS,)
        self.mails: list[EmailMessage] = []
        self.server_trouble: NotDelivered | None = None
        self._seq = 0

    def start(self, *, mailing: bool = True) -> None:
        self.bus = FakeBus(self.hub)
        self.database = Database(self.folder / "alerter.sqlite")
        self.outbox = Outbox(self.database, self._deliver, "mail.test:25")
        mailer = Mailer(FROM, "https://noc.test") if mailing else None
        self.alerter = Alerter(
            self.bus, self.database, mailer, self.mail_to, self.outbox if mailing else None, lambda: self.clock_s
        )
        self.bus.start()
        self.passes(1.5)

    def die(self) -> None:
        self.bus.stop()
        self.database.close()

    def restart(self) -> None:
        self.die()
        self.start()

    def passes(self, seconds: float) -> None:
        """Time goes on, with ticks and the mail being sent; probers that are online say so."""
        end_s = self.clock_s + seconds
        while self.clock_s < end_s:
            step_s = min(1.0, end_s - self.clock_s)
            self.clock_s += step_s
            self.now = Time(self.now + round(step_s * 1000))
            self.alerter.tick(self.now)
            while self.outbox.send_one(self.now):
                pass

    def stays(self, seconds: float) -> None:
        """As `passes`, every online prober giving its sign of life each ten seconds."""
        for _ in range(round(seconds / 10)):
            for presence in self.hub.now(PROBERS):
                if presence.online:
                    self.others.publish(PROBERS, presence)
            self.passes(10)

    # -- what the others say

    def target(self, name: str = "router", **options: Any) -> None:
        self.others.publish(TARGETS, Target(id=name, **{"name": name.title(), "address": "192.0.2.1", **options}))

    def remove(self, name: str = "router") -> None:
        self.others.clear(TARGETS, target=name)

    def site(self, name: str, *, expected: bool = True) -> None:
        self.others.publish(SITES, Site(id=name, label=name, expected=expected))

    def prober(self, *sites: str, online: bool = True, isolated: bool = False) -> None:
        for site in sites:
            self.others.publish(PROBERS, ProberPresence(site=site, online=online, isolated=isolated, since=T0))

    def sees(self, state: State, *sites: str, target: str = "router") -> None:
        for site in sites:
            self._seq += 1
            view = SiteState(
                site=site,
                target=target,
                epoch=1,
                seq=self._seq,
                state=state,
                since=self.now,
                reason="no answer to 5 checks" if state is State.DOWN else "it answers",
                at=self.now,
            )
            self.others.publish(STATES, view)

    # -- what the alerter says

    def verdict(self, target: str = "router") -> Verdict | None:
        return next((one for one in self.hub.now(VERDICTS) if one.target == target), None)

    def state(self, target: str = "router") -> str | None:
        verdict = self.verdict(target)
        return str(verdict.state) if verdict else None

    @property
    def open(self) -> list[Incident]:
        return self.hub.now(INCIDENTS)

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.hub.messages(EVENTS) if event.kind == kind]

    @property
    def ended(self) -> list[Incident]:
        return [one for one in self.hub.messages(INCIDENTS) if one.resolved_at is not None]

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    def presence(self) -> ServicePresence:
        self.alerter.announce()
        return next(one for one in self.hub.now(SERVICES) if one.service == "alerter")

    def _deliver(self, mail: Mail) -> None:
        if self.server_trouble:
            raise self.server_trouble
        self.mails.append(parse(mail.content))


def parse(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content())


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A router seen by three sites, up."""
    rig = Rig(tmp_path)
    rig.target()
    for site in ("north", "south", "west"):
        rig.site(site)
    rig.prober("north", "south", "west")
    rig.sees(State.UP, "north", "south", "west")
    rig.start()
    assert rig.state() == "UP"
    yield rig
    rig.die()
