"""An alerter on a bus without a broker, with a clock the test turns and a post office that keeps its mails."""

from __future__ import annotations

import email
import email.policy
import itertools
import re
from collections.abc import Iterator
from datetime import UTC
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from noc_alerter.alerter import Alerter
from noc_alerter.config import Config
from noc_alerter.ledger import Entry, Ledger, Letter, case_of
from noc_alerter.notes import Notes
from noc_alerter.notify.channels import Channels
from noc_alerter.notify.letter import letters, stem
from noc_alerter.notify.outbox import Outbox
from noc_alerter.notify.post import Post
from noc_alerter.notify.sender import Sender
from noc_alerter.notify.smtp import NotDelivered
from noc_alerter.notify.trials import Deliver, Trials
from noc_alerter.queries import Queries
from noc_alerter.reportmails import ReportMails
from noc_alerter.settings import Settings
from noc_bus.channels import (
    EVENTS,
    INCIDENT_ANSWERS,
    INCIDENT_NOTES,
    INCIDENT_QUERIES,
    INCIDENTS,
    MAINTENANCES,
    PROBERS,
    SERVICES,
    SITES,
    STATES,
    TARGETS,
    VERDICTS,
)
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import (
    Event,
    Incident,
    IncidentAnswer,
    IncidentNote,
    IncidentQuery,
    Maintenance,
    ProberPresence,
    ServicePresence,
    Site,
    SiteState,
    State,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.presence import offline
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_rules.cases import Case, Notice
from noc_rules.correlate import Why
from noc_rules.incident import abouts, members_of
from noc_rules.notices import Telling
from noc_rules.telling import is_mail

T0: Final = Time.parse("2026-11-24T12:00:00.000Z")
FROM: Final = "noc@noc.test"
OPS: Final = "ops@noc.test"


class Rig:
    """Central services and sites round one alerter, which may be killed and started again on its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = Hub()
        self.others = FakeBus(self.hub, "others")
        self.others.start()
        self._numbers = itertools.count()
        self.now = T0
        self.clock_s = 1000.0
        self.mail_to: tuple[str, ...] = (OPS,)
        self.wait_s = 0.0
        self.mails: list[EmailMessage] = []
        self.server_trouble: NotDelivered | None = None
        self.try_one: Deliver = "250 queued for {}".format
        self.revs = RevCounter()
        self.targets: Published[str, Target] = Published(self.others, TARGETS, self.revs, clock=self.clock)
        self.sites: Published[str, Site] = Published(self.others, SITES, self.revs, clock=self.clock)
        self.maintenances: Published[str, Maintenance] = Published(
            self.others, MAINTENANCES, self.revs, clock=self.clock
        )
        self.states: dict[str, Published[tuple[str, str], SiteState]] = {}
        self.buses: dict[str, FakeBus] = {}
        self.reason: str | None = None
        self.presences: dict[str, ProberPresence] = {}
        self._seq = 0
        self._web_s = 0.0
        self.ahead_ms: dict[str, int] = {}
        """How far the clocks of sites are ahead."""
        self.web_says: dict[str, Any] = {}
        """What keeps the web service from its work."""
        self.web()

    def clock(self) -> float:
        return self.clock_s

    def start(self, *, mailing: bool = True) -> None:
        self.bus = FakeBus(self.hub, f"alerter-{self.clock_s}")
        self.ledger = Ledger(self.folder / "alerter.sqlite")
        self.outbox = Outbox(self.ledger.database)
        mail = {"NOC_SMTP_URL": "smtp://mail.test", "NOC_MAIL_FROM": FROM, "NOC_MAIL_TO": ",".join(self.mail_to)}
        config = Config.read({"NOC_DATA": str(self.folder), **(mail if mailing else {})})
        self.settings = Settings.load(config)
        self.channels = Channels(self.settings, "https://noc.test", UTC, domain=self.outbox.mail_domain)
        self.sender = Sender(
            self.outbox,
            self.channels.write,
            self._deliver,
            lambda to: f"the mail server mail.test:25 did not take a mail to {to}",
        )
        post = Post(self.sender)
        self.alerter = Alerter(
            self.bus, self.ledger, post, self.settings, "mqtt://broker.test", self.wait_s, self.clock
        )
        Trials(self.bus, self.try_one, lambda: self.settings.means, lambda: self.alerter.is_silenced)
        self.queries = Queries(self.bus, self.ledger, lambda: self.alerter.is_silenced)
        self.notes = Notes(self.bus, self.ledger, self.alerter.note, lambda: self.alerter.is_silenced)
        self.report_mails = ReportMails(self.bus, self.outbox, post.wake, lambda: self.alerter.is_silenced)
        self.bus.start()
        self.passes(1.5)

    def die(self) -> None:
        """Killed: the broker publishes its will."""
        if self.bus.connected:
            self.bus.stop()
            self.others.publish(*offline("alerter", self.bus.instance))
        self.ledger.close()

    def wipe(self) -> None:
        """The broker starts again with nothing; all but the alerter come back to it at once."""
        everybody = [self.others, *self.buses.values()]
        for bus in (self.bus, *everybody):
            bus.stop()
        self.hub.retained.clear()
        for bus in everybody:
            bus.start()
        self.web()
        for presence in list(self.presences.values()):
            self.speaks(presence)

    def restart(self) -> None:
        self.die()
        self.start()

    def passes(self, seconds: float) -> None:
        """Time goes on, with ticks and the mail being sent."""
        end_s = self.clock_s + seconds
        while self.clock_s < end_s:
            step_s = min(1.0, end_s - self.clock_s)
            self.clock_s += step_s
            self.now = Time(self.now + round(step_s * 1000))
            if self.clock_s - self._web_s >= 10:
                self.web()
            self.targets.tick()
            self.sites.tick()
            self.maintenances.tick()
            for states in self.states.values():
                states.tick()
            self.alerter.tick(self.now)
            self.notes.tick(self.now)
            self.queries.tick()
            while self.sender.send_one(self.now):
                pass
            self.outbox.tell_held_back(self.now)

    def stays(self, seconds: float) -> None:
        """As `passes`, every online prober giving its sign of life each ten seconds."""
        for _ in range(round(seconds / 10)):
            for presence in list(self.presences.values()):
                if presence.online:
                    self.speaks(presence)
            self.web()
            self.passes(10)

    # -- what the others say

    def web(self) -> None:
        """The web service's sign of life."""
        self._web_s = self.clock_s
        owned = (self.targets, self.sites, self.maintenances)
        retained = {one.channel.name: one.summary() for one in owned}
        web = ServicePresence(
            service="web", online=True, since=T0, at=self.now, instance="web", retained=retained, **self.web_says
        )
        self.others.publish(SERVICES, web)

    def target(self, name: str = "router", /, **options: Any) -> None:
        self._retain(self.targets, Target(id=name, **{"name": name.title(), "address": "192.0.2.1", **options}))
        self.web()

    def remove(self, name: str = "router") -> None:
        """Its definition goes, and what the sites have said of it."""
        self.targets.remove(name)
        self.web()
        for site, states in self.states.items():
            states.remove((site, name))

    def site(self, name: str, *, expected: bool = True, disabled: bool = False) -> None:
        self._retain(self.sites, Site(id=name, label=name, expected=expected, disabled=disabled))
        self.web()

    def maintenance(self, one: Maintenance) -> None:
        self._retain(self.maintenances, one)
        self.web()

    def no_maintenance(self, name: str) -> None:
        self.maintenances.remove(name)
        self.web()

    def prober(self, *sites: str, **fields: Any) -> None:
        for site in sites:
            self.speaks(ProberPresence(**{"site": site, "online": True, "since": T0, "instance": "one", **fields}))

    def speaks(self, presence: ProberPresence) -> None:
        """One presence of a prober, with what it has retained."""
        self.presences[presence.site] = presence
        retained = {"states": self.of(presence.site).summary()} if presence.online else None
        self.others.publish(
            PROBERS, replace(presence, retained=retained, clock=Time(self.now + self.ahead_ms.get(presence.site, 0)))
        )

    def of(self, site: str) -> Published[tuple[str, str], SiteState]:
        """What a site has retained of its states."""
        if site not in self.states:
            bus = self.buses[site] = FakeBus(self.hub, f"prober-{site}")
            self.states[site] = Published(bus, STATES, self.revs, clock=self.clock, site=site)
            bus.start()
        return self.states[site]

    def cut(self, *sites: str) -> None:
        """These lose the broker, which says so; what they see they can only remember."""
        for site in sites:
            self.of(site)
            self.buses[site].stop()
            self.prober(site, online=False)

    def back(self, *sites: str) -> None:
        """They are there again: their presence first, then, put right bit by bit, what they have seen meanwhile."""
        for site in sites:
            self.buses[site].start()
            self.prober(site)

    def sees(self, state: State, *sites: str, target: str = "router", code: str | None = None) -> None:
        for site in sites:
            self._seq += 1
            view = SiteState(
                site=site,
                target=target,
                epoch=1,
                seq=self._seq,
                state=state,
                since=self.now,
                reason=self.reason or ("5 checks unanswered" if state is State.DOWN else "it answers"),
                code=code,
                at=self.now,
            )
            self._retain(self.of(site), view, self.buses[site])

    def _retain(self, published: Published[Any, Any], message: Any, bus: FakeBus | None = None) -> None:
        kept = published.put(message)
        # A broker that forgot it is told again.
        if (bus or self.others).connected and kept not in self.hub.now(published.channel):
            self.others.publish(published.channel, kept)

    # -- what the alerter says

    def verdict(self, target: str = "router") -> Verdict | None:
        return next((one for one in self.hub.now(VERDICTS) if one.target == target), None)

    def state(self, target: str = "router") -> str | None:
        verdict = self.verdict(target)
        return str(verdict.state) if verdict else None

    @property
    def open(self) -> list[Incident]:
        return [replace(one, rev=None) for one in self.hub.now(INCIDENTS)]

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.hub.messages(EVENTS) if event.kind == kind]

    @property
    def ended(self) -> list[Incident]:
        return [replace(one, rev=None) for one in self.hub.messages(INCIDENTS) if one.resolved_at is not None]

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    @property
    def words(self) -> list[str]:
        """The state that each mail's subject tells."""
        return [re.sub(r"^(Re: )?\[(.*?)( after .*?)?\].*", r"\2", subject) for subject in self.subjects]

    def asks(self, incident: str, **fields: Any) -> IncidentAnswer:
        """What it answers to a question about an incident."""
        self.others.publish(INCIDENT_QUERIES, IncidentQuery(request="q", incident=incident, at=self.now, **fields))
        self.queries.tick()
        return self.hub.messages(INCIDENT_ANSWERS)[-1]

    def writes(self, incident: str, text: str, **fields: Any) -> IncidentAnswer:
        """Somebody comments, or writes the post-mortem; what the alerter answers."""
        given: dict[str, Any] = {"request": f"n-{next(self._numbers)}", "by": "ada", "kind": "comment", "at": self.now}
        note = IncidentNote(**given | fields, incident=incident, text=text)
        self.others.publish(INCIDENT_NOTES, note)
        self.notes.tick(self.now)
        answer = self.hub.messages(INCIDENT_ANSWERS)[-1]
        assert answer.request == note.request
        return answer

    def presence(self) -> ServicePresence:
        self.alerter.announce()
        return next(one for one in self.hub.now(SERVICES) if one.service == "alerter")

    def _deliver(self, recipient: str, content: bytes) -> str:
        if not is_mail(recipient):
            return self.channels.deliver(recipient, content)
        if self.server_trouble:
            raise self.server_trouble
        mail = parse(content)
        assert mail["To"] == recipient
        self.mails.append(mail)
        return "250 taken"


def letter(
    incident: Incident,
    recipient: str = OPS,
    *,
    why: Why = Why.TARGET_WENT_DOWN,
    text: str = "",
    state: VerdictState | None = None,
    target: Target | None = None,
) -> Letter:
    """What the alerter queues about an incident that opens or is over."""
    case = Case(incident, is_told=True, stem=stem(incident), why=why, text=text, state=state)
    case.is_urgent = any(one.critical for one in incident.members)
    notice = Notice.OPENED if incident.resolved_at is None else Notice.RESOLVED
    (one,) = letters(case, Telling(notice, {recipient: ""}), target.note if target else "", T0)
    return one


def entry(incident: Incident, *letters: Letter) -> Entry:
    """What is kept of an incident with all its members."""
    members = [(one, True) for one in members_of(incident)]
    case = case_of(incident, () if members else abouts(incident), members, is_told=True, stem="")
    case.joined = list(case.members)
    return Entry(case, incident, letters)


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
