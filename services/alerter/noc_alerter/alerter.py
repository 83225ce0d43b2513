"""The alerter on the bus, as a pipeline with one direction.

1. Mirrors hold what the web service and the sites have retained; what changed names the targets to judge.
2. `judge` turns what the sites say into verdicts, parents before what is behind them.
3. `correlate` turns verdicts and what is known of sites into decisions about incidents.
4. The ledger keeps many decisions, and the mails about them, in one transaction.
5. What was kept goes out: retained messages here, mails from the outbox by threads of their own.

A mass of changes is worked through in slices; presences, acknowledgements and sites are looked after
between them.
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from noc_alerter.incidents import Incidents
from noc_alerter.lateoutages import LateOutagesTaker
from noc_alerter.ledger import Ledger
from noc_alerter.recipients import recipients, why_nobody
from noc_alerter.settings import Settings
from noc_alerter.sites import Sites
from noc_alerter.troubles import Troubles
from noc_alerter.verdicts import Verdicts
from noc_bus.bus import Bus
from noc_bus.channels import ACKNOWLEDGEMENTS, INCIDENTS, MAINTENANCES, SERVICES, SITES, STATES, TARGETS
from noc_bus.messages import (
    Acknowledgement,
    Incident,
    IncidentNote,
    Maintenance,
    ServicePresence,
    Site,
    SiteState,
    Target,
    VerdictState,
)
from noc_bus.mirror import Mirror
from noc_bus.presence import PRESENCE_EVERY_S, Announcer, presence
from noc_bus.presences import Presences
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_rules import correlate, grouping, muting
from noc_rules.cases import Draft
from noc_rules.correlate import IncidentChange, Why
from noc_rules.grouping import Falls, World
from noc_rules.incident import BROKER, About, of_duplicate, of_site
from noc_rules.judge import VerdictChange
from noc_rules.maintenance import Schedule
from noc_rules.muting import Quiet
from noc_rules.troubles import NotTaken

_SLICE: Final = 500
_SLICE_S: Final = 0.5
_EACH_S: Final = 1.0
_RETRY_S: Final = 1.0
# A site says what it has retained with each presence: after this it has, or something is wrong with it.
_SETTLED_AT_THE_EARLIEST_S: Final = 1.0
_SETTLED_AT_THE_LATEST_S: Final = PRESENCE_EVERY_S + 2.0
_RESENT_MS: Final = 72 * 3_600_000
_ENDED: Final = (VerdictState.UP, VerdictState.DEGRADED)
_PAUSE_S: Final = 5.0
_STUCK_S: Final = 30.0


class Mail(Protocol):
    """What the alerter needs to know of the mails it queues."""

    def wake(self, *, is_mended: bool = False) -> None: ...
    def seen(self, incident: str, now: Time) -> None: ...
    def not_taken(self) -> tuple[NotTaken | None, NotTaken | None]: ...
    def figures(self, now: Time) -> dict[str, float]: ...
    def trouble(self, now: Time) -> tuple[str, str] | None: ...


class Heart(Protocol):
    """What the alerter needs to know of its sign of life to somebody outside."""

    @property
    def trouble(self) -> str | None: ...


class Alerter:
    """Wires itself to the bus when it is made; `tick` is to be called a few times a second, from one thread."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        mail: Mail,
        settings: Settings,
        broker: str,
        wait_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`broker` names it for people. `wait_s`: for how long what goes down together is gathered before people are
        told. `clock` gives seconds that only go forward.

        Raises DatabaseFault.
        """
        revs = RevCounter()
        self._bus = bus
        self._mail = mail
        self._broker = broker
        self._clock = clock
        self._log = log.get("noc.alerter")
        self._targets: Mirror[str, Target] = Mirror(bus, TARGETS, clock=clock)
        self._catalogue: Mirror[str, Site] = Mirror(bus, SITES, clock=clock)
        self._states: Mirror[tuple[str, str], SiteState] = Mirror(
            bus, STATES, wanted=lambda key: key[1] in self._targets, clock=clock
        )
        self._acknowledgements: Mirror[str, Acknowledgement] = Mirror(bus, ACKNOWLEDGEMENTS, clock=clock)
        self._maintenances: Mirror[str, Maintenance] = Mirror(bus, MAINTENANCES, clock=clock)
        self._schedule = Schedule()
        self._services: Presences[ServicePresence] = Presences(bus, SERVICES, clock=clock)
        self._sites = Sites(bus, self._catalogue, self._states, clock)
        self._verdicts = Verdicts(bus, revs, self._targets, self._states, self._sites, clock)
        self._settings = settings
        self._means = settings.means
        self._is_book_changed = False
        self._recipients = recipients(lambda: settings.means)
        settings.listen(bus)
        published: Published[str, Incident] = Published(bus, INCIDENTS, revs, clock=clock)
        self._incidents = Incidents(bus, published, ledger, self._recipients, self._targets.get)
        self._late = LateOutagesTaker(bus, ledger, self._recipients, self._targets.get, lambda: self.is_silenced)
        self._falls = Falls()
        self._wait_s = wait_s
        self._adopted: deque[Incident] = deque()
        self._announcer = Announcer(
            bus, SERVICES, self._presence, [self._verdicts.published, published], clock=clock, service="alerter"
        )
        self._since = Time.now()
        self._connected_s: float | None = None
        self._lost: tuple[Time, float] | None = None
        self._ticked_s = self._each_s = self._aged_s = clock()
        self._retry_at_s = 0.0
        self._fault: str | None = None
        self._troubles = Troubles(bus, self._services, mail.not_taken, clock)
        self.heartbeat: Heart | None = None
        self.apprise_schemes: list[str] = []
        self.template_faults: Callable[[], list[str]] = list
        self._recorder = _Recorder()
        bus.subscribe(INCIDENTS, self._on_own_incident)
        bus.subscribe(SERVICES, self._recorder.on_presence, service="recorder")
        bus.when_connected(self._on_connected)
        bus.when_disconnected(self._on_disconnected)

    # -- from the bus

    def _on_connected(self) -> None:
        self._connected_s = self._clock()
        self._recorder.is_missed = True

    def _on_disconnected(self) -> None:
        self._connected_s = None

    def _on_own_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        """Retained incidents come back after a start; one our database does not know is taken over."""
        if incident is not None and incident.resolved_at is None and not self._incidents.knows(incident.id):
            self._incidents.hold(incident)
            self._adopted.append(incident)

    # -- the work

    @property
    def is_busy(self) -> bool:
        """Whether there is more to judge: tick again at once."""
        return bool(len(self._verdicts.agenda)) and self.is_settled and self._clock() >= self._retry_at_s

    @property
    def is_silenced(self) -> bool:
        """Whether another alerter was there first: nobody must hear of this one's work."""
        return self._announcer.is_silenced

    @property
    def is_well(self) -> bool:
        """Whether an outage would be noticed and kept now. From any thread."""
        is_alive = self._clock() - self._ticked_s < _STUCK_S
        return is_alive and self.is_settled and self._fault is None and not self.is_silenced

    @property
    def is_settled(self) -> bool:
        """Whether what is retained has come in: before that, what is missing proves nothing."""
        if self._connected_s is None or not self._bus.connected:
            return False
        for_s = self._clock() - self._connected_s
        if for_s > _SETTLED_AT_THE_LATEST_S:
            return True
        if for_s < _SETTLED_AT_THE_EARLIEST_S:
            return False
        return (
            self._targets.is_complete
            and self._catalogue.is_complete
            and self._maintenances.is_complete
            and self._sites.are_current
        )

    def tick(self, now: Time) -> None:
        """Take in what has changed since the last call, and judge a slice of what is to be judged."""
        self._announcer.tick()
        self._tick_mirrors()
        if self.is_silenced or self._clock() < self._retry_at_s:
            return
        try:
            self._work(now)
        except DatabaseFault as fault:
            self._retry_at_s = self._clock() + _RETRY_S
            # What was decided and could not be kept is decided again.
            self._verdicts.judge_all()
            sentence = f"incidents cannot be kept: {fault}"
            if sentence != self._fault:
                self._log.error(sentence)
            self._fault = sentence
        else:
            self._fault = None

    def _follow_settings(self) -> None:
        """Others than before: what a mail server refused is tried again at once, and everybody sees what is missing."""
        if self._means is not (means := self._settings.means):
            self._mail.wake(is_mended=True)
            self._means, self._is_book_changed = means, True
            self.announce()

    def _tick_mirrors(self) -> None:
        for mirror in (
            self._targets, self._catalogue, self._states, self._acknowledgements, self._maintenances, self._services,
        ):  # fmt: skip
            mirror.tick()

    def _work(self, now: Time) -> None:
        self._follow_settings()
        self._incidents.recall_flaps(now, self._clock())
        self._watch_broker(now)
        self._is_book_changed |= self._verdicts.take_in()
        if not self.is_settled:
            return
        self._adopt(now)
        if self._is_book_changed:
            if self._incidents.tell_added(now):
                self._mail.wake()
            self._is_book_changed = False
        self._age(now)
        draft = self._incidents.draft()
        changes = self._judge_slice(now, draft)
        quiet = self._quiet(now)
        now_s = self._clock()
        if now_s - self._each_s >= _EACH_S:
            self._each_s = now_s
            self._verdicts.judge_removed(about.name for about in self._incidents.open if about.kind == "target")
            for step in (
                *self._watch_sites(now),
                *self._watch_doubles(now),
                *self._troubles.steps(self._incidents.open, self._found, now),
                *self._let_unknown_go(now),
            ):
                draft.take(step, now_s)
            self._watch_names(draft, now)
            grouping.of_returning(draft, self._world(), now, now_s)
            grouping.of_flapping(draft, now, now_s)
            muting.of_cases(draft, quiet, now, now_s)
        self._take_acknowledgements(draft, now, now_s)
        grouping.tell_what_is_due(draft, now_s, quiet, now)
        self._keep(draft, now)
        for change in changes:
            self._tell(change, now)
        if self._late.tick(now):
            self._mail.wake()
        if self._recorder.take():
            self._incidents.resend_resolved(Time(now - _RESENT_MS))

    def _age(self, now: Time) -> None:
        """Incidents grow older; before anything is drafted, for a draft has copies of them."""
        now_s = self._clock()
        passed_s = now_s - self._aged_s
        if passed_s < _EACH_S:
            return
        self._aged_s = now_s
        # In a longer pause nobody was told of anything: it is no time in which people could have looked.
        if self._incidents.pass_time(min(passed_s, _PAUSE_S), now):
            self._mail.wake()

    def _watch_broker(self, now: Time) -> None:
        """It is our own eye and ear: nobody else can say that it is gone, and a mail needs no broker."""
        now_s = self._clock()
        was_away = now_s - self._ticked_s > _PAUSE_S
        self._ticked_s = now_s
        if self._bus.connected:
            self._lost = None
        elif self._lost is None or was_away:
            self._lost = (now, now_s)
        since, for_s = (self._lost[0], now_s - self._lost[1]) if self._lost else (None, 0.0)
        step = correlate.of_broker(self._broker, since, for_s, self._found(BROKER), now)
        if step:
            draft = self._incidents.draft()
            draft.take(step, now_s)
            grouping.tell_what_is_due(draft, now_s, self._quiet(now), now)
            self._keep(draft, now)

    def _found(self, about: About) -> Incident | None:
        number = self._incidents.open.get(about)
        case = self._incidents.get(number) if number is not None else None
        return case.incident if case else None

    def _keep(self, draft: Draft, now: Time) -> None:
        acknowledged = [
            case.id for case in draft.touched if any(entry.why is Why.ACKNOWLEDGED for entry in case.entries)
        ]
        if self._incidents.keep(draft, now, self._clock()):
            self._mail.wake()
        for number in acknowledged:
            self._mail.seen(number, now)

    def _adopt(self, now: Time) -> None:
        """Our database was lost but the broker remembers: go on with those incidents, mail nobody twice."""
        while self._adopted:
            incident = self._adopted[0]
            known = [target for one in incident.targets if (target := self._targets.get(one))]
            if self._incidents.adopt(incident, tuple(self._recipients.of(incident, known, 0.0)), now):
                self._verdicts.judge_known(incident.targets)
            self._adopted.popleft()

    def _judge_slice(self, now: Time, draft: Draft) -> list[VerdictChange]:
        until_s = self._clock() + _SLICE_S
        changes: list[VerdictChange] = []
        while len(changes) < _SLICE and self._clock() < until_s:
            change = self._verdicts.judge_next(now)
            if change is None:
                break
            changes.append(change)
        grouping.of_verdicts(draft, changes, self._world(), now, self._clock())
        return changes

    def _world(self) -> World:
        """As it is at this moment; what a site sees is counted once, and only where it matters."""
        seen = functools.cache(self._verdicts.seen_from)
        return World(self._falls, seen, self._verdicts.agenda.children, self._verdicts.in_the_way, self._wait_s)

    def _quiet(self, now: Time) -> Quiet:
        """Of whom nobody is to be mailed at this moment."""
        for name, change in self._maintenances.take_changes().items():
            self._schedule.change(name, change.after)
        covers = self._schedule.running(now)
        return Quiet(covers, self._targets.get, self._verdicts.down_from, self._verdicts.is_fresh)

    def _watch_sites(self, now: Time) -> list[IncidentChange]:
        sites = self._sites.known | {about.name for about in self._incidents.open if about.kind == "site"}
        facts = [self._sites.facts(site, now) for site in sorted(sites)]
        self._sites.forget_removed()
        steps = [correlate.of_site_facts(one, self._found(of_site(one.site)), now) for one in facts]
        return [step for step in steps if step]

    def _watch_doubles(self, now: Time) -> list[IncidentChange]:
        """Of two processes with one name the later one keeps silent; the other says where it runs."""
        hosts: dict[tuple[str, str], tuple[str, ...]] = {
            ("prober", site): _hosts(standing.presence.host, standing.presence.rival)
            for site, standing in self._sites.standings.items()
            if standing.presence
        }
        for name, service in self._services.items().items():
            hosts["service", name] = _hosts(service.host, service.rival) if service.online else ()
        for about in self._incidents.open:
            if about.kind == "duplicate":
                role, _, name = about.name.partition(" ")
                hosts.setdefault((role, name), ())
        steps = [
            correlate.of_duplicates(role, name, found, self._found(of_duplicate(role, name)), now)
            for (role, name), found in sorted(hosts.items())
        ]
        return [step for step in steps if step]

    def _watch_names(self, draft: Draft, now: Time) -> None:
        world = self._world()
        for change, for_s in self._verdicts.unresolvable():
            grouping.of_unresolvable(draft, change, for_s, world, now, self._clock())

    def _let_unknown_go(self, now: Time) -> list[IncidentChange]:
        return [
            correlate.of_unknown(case.incident, case.about, now)
            for case in self._incidents.each()
            if case.about and all(one.kind == "other" for one in case.about)
        ]

    def _take_acknowledgements(self, draft: Draft, now: Time, now_s: float) -> None:
        """Also what came before the incident was known here, and what has expired, whether or not it is still said."""
        said = self._acknowledgements.items()
        for case in list(draft):
            acknowledgement = said.get(case.id)
            if acknowledgement is None and case.incident.acknowledged is None:
                continue
            step = correlate.of_acknowledgement(case.incident, case.abouts, acknowledgement, now)
            if step:
                draft.take(step, now_s)

    def _tell(self, change: VerdictChange, now: Time) -> None:
        before, after = change.before, change.after
        if before is None or after is None or before.state is after.state:
            return
        kind = "target-changed"
        if after.state is VerdictState.DOWN:
            kind = "target-went-down"
        elif after.state in _ENDED and before.state in (VerdictState.DOWN, VerdictState.UNREACHABLE):
            kind = "target-came-up"
        incident = self._incidents.about_target(change.target)
        self._incidents.event(
            kind,
            now,
            f"{change.target} is {after.state}: {after.reason}",
            target=change.target,
            incident=incident,
            state=after.state,
            before=before.state,
        )

    def note(self, note: IncidentNote, now: Time) -> Incident | None:
        """Keep what a person wrote; None: there is no such incident. Raises DatabaseFault."""
        return self._incidents.note(note, now)

    # -- to the bus

    def announce(self) -> None:
        """The sign of life, with the figures."""
        self._announcer.announce()

    def say_goodbye(self) -> None:
        """The last message of an alerter that stops on request; the last will speaks for one that does not."""
        self._announcer.say_goodbye(ServicePresence(service="alerter", online=False))

    def _presence(self) -> ServicePresence:
        now = Time.now()
        figures: dict[str, float] = {
            "open_incidents": self._incidents.count,
            "targets": len(self._targets),
            "to_judge": len(self._verdicts.agenda),
            "judged_total": self._verdicts.judged,
            "group_wait_s": self._wait_s,
            **self._bus.counters,
        }
        code, trouble = ("ledger-fault", self._fault) if self._fault else (None, None)
        if trouble is None:
            try:
                figures |= self._mail.figures(now)
                code, trouble = self._mail.trouble(now) or (None, None)
            except DatabaseFault as fault:
                code, trouble = "ledger-fault", str(fault)
        if trouble is None and self.heartbeat and self.heartbeat.trouble:
            code, trouble = "heartbeat-refused", self.heartbeat.trouble
        if trouble is None:
            code, trouble = why_nobody(self._settings.means) or (None, None)
        said = presence("alerter", self._since, figures, trouble[:500] if trouble else None, code)
        return replace(
            said,
            sealing_key=self._settings.key.public,
            environment=self._settings.environment,
            apprise_schemes=self.apprise_schemes[:1000],
            template_faults=[one[:500] for one in self.template_faults()[:20]],
        )


class _Recorder:
    """A recorder that was away has not heard what ended meanwhile; nor has one that lost the broker with us."""

    def __init__(self) -> None:
        self.is_missed = False
        self._last: ServicePresence | None = None
        self._is_behind = False

    def take(self) -> bool:
        """Whether it is to be told again what ended; once."""
        is_behind, self._is_behind = self._is_behind, False
        return is_behind

    def on_presence(self, service: ServicePresence | None, variables: Mapping[str, str]) -> None:
        before, self._last = self._last, service if service and service.online and not service.silenced else None
        if self._last is None:
            return
        is_new = before is None or before.since != self._last.since
        # Only a new sign of life proves that it is there: the old one is retained.
        if is_new or (self.is_missed and before is not None and before.at != self._last.at):
            self.is_missed = self.is_missed and is_new
            self._is_behind = True


def _hosts(host: str, rival: str | None) -> tuple[str, ...]:
    return (host or "an unknown host", rival) if rival else ()
