"""The alerter on the bus: judges what changed, opens and resolves incidents, queues their mails."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from noc_alerter import incidents
from noc_alerter.database import Database, Mail
from noc_alerter.mail import Mailer
from noc_alerter.outbox import Outbox
from noc_alerter.picture import Picture
from noc_bus.bus import Bus, Handler
from noc_bus.channels import (
    ACKNOWLEDGEMENTS,
    EVENTS,
    INCIDENTS,
    PROBERS,
    SERVICES,
    SITES,
    STATES,
    TARGETS,
    VERDICTS,
    Channel,
)
from noc_bus.messages import Event, Incident, Message, ServicePresence, Target, Verdict, VerdictState
from noc_bus.presence import SILENT_AFTER_S, offline, presence
from noc_bus.time import Time
from noc_frame import log
from noc_rules.mail_address import is_mail_address

# Retained messages come in a burst after a connection: it is over when nothing came for this long.
_SETTLED_S: Final = 1.0
_SETTLED_AT_THE_LATEST_S: Final = 10.0
_RETRY_S: Final = 1.0
# A removal that was missed is no hurry, and where the broker has forgotten, the web service takes a while to tell all.
_ALL_TOLD_S: Final = 10.0
_RESENT_MS: Final = 72 * 3_600_000
_ENDED: Final = (VerdictState.UP, VerdictState.DEGRADED)

M = TypeVar("M", bound=Message)


class Alerter:
    """Wires itself to the bus when it is made; `tick` is to be called a few times a second, from one thread."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        mailer: Mailer | None,
        mail_to: tuple[str, ...],
        outbox: Outbox | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`mailer` and `outbox` None: nobody is mailed. `clock` gives seconds that only go forward."""
        self._bus = bus
        self._database = database
        self._mailer = mailer
        self._mail_to = mail_to
        self._outbox = outbox
        self._picture = Picture()
        self._open = database.open_incidents()
        self._blind_since: dict[str, Time] = {}
        self._adopted: dict[str, Incident] = {}
        self._recorder: ServicePresence | None = None
        self._recorder_missed = False
        self._resend_resolved = False
        self._absent: set[str] = set()
        self._trouble: str | None = None
        self._retry_at_s = 0.0
        self._clock = clock
        self._connected_s: float | None = None
        self._heard_s = self._catalog_heard_s = self._expired_s = 0.0
        self._judged = 0
        self._since = Time.now()
        self._log = log.get("noc.alerter")
        self._subscribe()

    def _subscribe(self) -> None:
        picture = self._picture
        self._listen(TARGETS, picture.put_target)
        self._listen(SITES, picture.put_site)
        self._listen(PROBERS, picture.put_presence)
        self._listen(STATES, picture.put_state)
        self._listen(ACKNOWLEDGEMENTS, picture.put_acknowledgement)
        self._listen(VERDICTS, picture.put_verdict)
        self._listen(INCIDENTS, self._on_own_incident)
        self._bus.subscribe(SERVICES, self._on_recorder, service="recorder")
        self._bus.when_connected(self._on_connected)
        self._bus.when_disconnected(self._on_disconnected)

    # -- from the bus

    def _listen(self, channel: Channel[M], put: Handler[M]) -> None:
        def handler(message: M | None, variables: dict[str, str]) -> None:
            self._heard_s = self._clock()
            if channel in (TARGETS, SITES):
                self._catalog_heard_s = self._heard_s
            put(message, variables)

        self._bus.subscribe(channel, handler)

    def _on_connected(self) -> None:
        self._heard_s = self._catalog_heard_s = self._expired_s = self._connected_s = self._clock()
        # Who could not reach the broker either gets the time again to come back.
        self._blind_since.clear()
        self._recorder_missed = True
        self.announce()
        # The broker may have forgotten: what is open is told anew, and every verdict once it is judged.
        for incident in list(self._open.values()):
            self._bus.publish(INCIDENTS, incident)
        with self._picture.lock:
            for verdict in self._picture.verdicts.values():
                self._bus.publish(VERDICTS, verdict)
        self._picture.judge_all(self._open)

    def _on_disconnected(self) -> None:
        self._connected_s = None
        self._picture.lost_the_broker()

    def _on_own_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        """Retained incidents come back after a start; one our database does not know is taken over."""
        if incident is not None and incident.resolved_at is None:
            self._adopted[incident.id] = incident

    def _on_recorder(self, service: ServicePresence | None, variables: dict[str, str]) -> None:
        """A recorder that was away has not heard what ended meanwhile; nor has one that lost the broker with us."""
        before, self._recorder = self._recorder, service if service and service.online else None
        if self._recorder is None:
            return
        is_new = before is None or before.since != self._recorder.since
        # Only a new sign of life proves that it is there: the old one is retained.
        if is_new or (self._recorder_missed and before is not None and before.at != self._recorder.at):
            self._recorder_missed = self._recorder_missed and is_new
            self._resend_resolved = True

    # -- the work

    @property
    def is_settled(self) -> bool:
        """Whether what is retained has all come in: before that, what is missing proves nothing."""
        if self._connected_s is None or not self._bus.connected:
            return False
        now_s = self._clock()
        return now_s - self._heard_s > _SETTLED_S or now_s - self._connected_s > _SETTLED_AT_THE_LATEST_S

    def tick(self, now: Time) -> None:
        """Judge what has changed since the last call."""
        if self._connected_s is None or not self._bus.connected or self._clock() < self._retry_at_s:
            return
        if not self.is_settled and not self._judged:
            return
        try:
            self._work(now)
        except sqlite3.Error as error:
            self._retry_at_s = self._clock() + _RETRY_S
            # What was decided and could not be kept is decided again.
            self._picture.judge_all(self._open)
            trouble = f"incidents cannot be kept: {error}; free disk space in NOC_DATA or fix its rights"
            if trouble != self._trouble:
                self._log.error(trouble)
            self._trouble = trouble
        else:
            self._trouble = None

    def _work(self, now: Time) -> None:
        self._adopt()
        if self._clock() - self._expired_s > SILENT_AFTER_S:
            self._expired_s = self._clock()
            self._picture.expire_presences()
        if self._clock() - self._catalog_heard_s > _ALL_TOLD_S:
            self._picture.forget_the_untold()
        if self._absent and self._has_catalog and self._picture.targets:
            self._picture.judge(self._absent)
            self._absent.clear()
        while dirty := self._picture.take_dirty():
            for target in dirty:
                self._judge(target, now)
        self._watch_sites(now)
        self._acknowledge(now)
        if self._resend_resolved:
            for incident in self._database.resolved_since(Time(now - _RESENT_MS)):
                self._bus.publish_once(INCIDENTS, incident)
            self._resend_resolved = False

    @property
    def _has_catalog(self) -> bool:
        """Whether all targets and sites have come in: none was told for a while."""
        return self._clock() - self._catalog_heard_s > _SETTLED_S

    def _adopt(self) -> None:
        """Our database was lost but the broker remembers: go on with those incidents, mail nobody twice."""
        for number in list(self._adopted):
            self._adopt_one(self._adopted[number])
            del self._adopted[number]

    def _adopt_one(self, incident: Incident) -> None:
        subject = _subject_of(incident)
        mine = self._open.get(subject)
        if mine is not None and mine.id == incident.id:
            return
        ended = self._database.resolved(incident.id)
        if ended is not None:
            # We died between keeping its end and telling it.
            self._bus.publish_once(INCIDENTS, ended)
        if ended is not None or mine is not None:
            self._bus.clear(INCIDENTS, incident=incident.id)
            return
        told: tuple[str, ...] = ()
        if self._mailer:
            with self._picture.lock:
                told = self._recipients(self._picture.targets.get(subject))
        self._database.adopt(subject, incident, told, incident.opened_at)
        self._open[subject] = incident
        self._picture.judge(incident.targets)

    def _judge(self, name: str, now: Time) -> None:
        self._judged += 1
        with self._picture.lock:
            target = self._picture.targets.get(name)
            before = self._picture.verdicts.get(name)
            if target is None and not self._picture.is_removed(name, all_heard=self._has_catalog):
                self._absent.add(name)
                return
            if target is None:
                self._picture.verdicts.pop(name, None)
                if before is not None:
                    self._bus.clear(VERDICTS, target=name)
                verdict = None
            else:
                verdict = self._verdict(target, before, now)
                self._picture.verdicts[name] = verdict
                if before is None or _differ(before, verdict):
                    self._bus.publish(VERDICTS, verdict)
        if (before and before.state) != (verdict and verdict.state):
            self._picture.children_dirty(name)
        incident = self._change(name, incidents.of_target(name in self._open, verdict), target, verdict, now)
        if before and verdict and before.state is not verdict.state:
            self._tell(before, verdict, incident, now)

    def _verdict(self, target: Target, before: Verdict | None, now: Time) -> Verdict:
        decision, _ = self._picture.decide(target)
        if before is not None and before.state is decision.state:
            since = before.since
        else:
            since = self._picture.since(target.id, decision, before, now)
        return Verdict(
            target=target.id, state=decision.state, since=since, reason=decision.reason, sites=decision.sites, at=now
        )

    def _change(
        self,
        subject: str,
        change: incidents.Open | incidents.Resolve | None,
        target: Target | None,
        verdict: Verdict | None,
        now: Time,
    ) -> Incident | None:
        """Carry out a decision about a target's incident; the incident it has now, or has just ended."""
        if isinstance(change, incidents.Open) and target and verdict:
            with self._picture.lock:
                states = dict(self._picture.states[target.id])
            return self._begin(subject, incidents.opened(target, verdict, change.cause, states, now), target, now)
        if isinstance(change, incidents.Resolve):
            ended_at = verdict.since if verdict and verdict.state in _ENDED else now
            return self._end(subject, change.cause, target, Time(max(ended_at, self._open[subject].opened_at)), now)
        return self._open.get(subject)

    def _begin(self, subject: str, incident: Incident, target: Target | None, now: Time) -> Incident:
        mails: list[Mail] = []
        if self._mailer:
            mails = [self._mailer.opened(incident, target, one, now) for one in self._recipients(target)]
        self._database.save(subject, incident, mails, now)
        self._open[subject] = incident
        self._publish_incident(incident, "incident-opened", now)
        self._log.warning(f"opened {incident.id}: {incident.cause}")
        return incident

    def _recipients(self, target: Target | None) -> tuple[str, ...]:
        contacts = dict.fromkeys(target.contacts if target else ())
        for wrong in [one for one in contacts if not is_mail_address(one)]:
            self._log.error(f"{wrong[:80]!r}, a contact of {target and target.id}, is not a mail address: not mailed")
            del contacts[wrong]
        return tuple(contacts) or self._mail_to

    def _end(self, subject: str, cause: str, target: Target | None, ended_at: Time, now: Time) -> Incident:
        incident = msgspec.structs.replace(self._open[subject], resolved_at=ended_at)
        mails: list[Mail] = []
        if self._mailer:
            recipients = self._database.recipients(incident.id)
            mails = [self._mailer.resolved(incident, target, recipient, now, cause) for recipient in recipients]
        self._database.save(subject, incident, mails, now)
        del self._open[subject]
        self._publish_incident(incident, "incident-resolved", now)
        self._log.info(f"resolved {incident.id}: {cause}")
        return incident

    def _publish_incident(self, incident: Incident, kind: str, now: Time) -> None:
        if incident.resolved_at is None:
            self._bus.publish(INCIDENTS, incident)
        else:
            self._bus.publish_once(INCIDENTS, incident)
            self._bus.clear(INCIDENTS, incident=incident.id)
        target = incident.targets[0] if incident.targets else None
        self._event(kind, now, target=target, incident=incident.id, site=incident.site, text=incident.cause)
        if self._outbox:
            self._outbox.wake()

    def _watch_sites(self, now: Time) -> None:
        with self._picture.lock:
            presences, sites = dict(self._picture.presences), dict(self._picture.sites)
        for site in presences.keys() | sites.keys() | {s.removeprefix("site:") for s in self._open if ":" in s}:
            found = presences.get(site)
            is_forgotten = found is None and site not in sites
            if is_forgotten and not self._picture.is_site_removed(site, all_heard=self._has_catalog):
                continue
            sees = found is not None and found.online and not found.isolated
            if sees:
                self._blind_since.pop(site, None)
            else:
                self._blind_since.setdefault(site, now)
            configured = sites.get(site)
            expected = configured.expected if configured else found is not None
            subject = f"site:{site}"
            blind_since = self._blind_since.get(site)
            change = incidents.of_site(subject in self._open, expected, found, blind_since, now)
            if isinstance(change, incidents.Open):
                self._begin(subject, incidents.site_opened(site, change.cause, blind_since or now, now), None, now)
            elif isinstance(change, incidents.Resolve):
                self._end(subject, change.cause, None, now, now)

    def _acknowledge(self, now: Time) -> None:
        with self._picture.lock:
            acknowledgements = dict(self._picture.acknowledgements)
        for subject, incident in list(self._open.items()):
            acknowledged = acknowledgements.get(incident.id)
            if acknowledged is not None and acknowledged != incident.acknowledged:
                changed = msgspec.structs.replace(incident, acknowledged=acknowledged)
                self._database.save(subject, changed, (), now)
                self._open[subject] = changed
                self._bus.publish(INCIDENTS, changed)
                text = f"{acknowledged.by} has taken on {incident.id}"
                self._event("incident-acknowledged", now, incident=incident.id, text=text)

    def _tell(self, before: Verdict, verdict: Verdict, incident: Incident | None, now: Time) -> None:
        kind = "target-changed"
        if verdict.state is VerdictState.DOWN:
            kind = "target-went-down"
        elif verdict.state in _ENDED and before.state in (VerdictState.DOWN, VerdictState.UNREACHABLE):
            kind = "target-came-up"
        self._event(
            kind,
            now,
            target=verdict.target,
            incident=incident.id if incident else None,
            state=verdict.state,
            before=before.state,
            text=f"{verdict.target} is {verdict.state}: {verdict.reason}"[:500],
        )

    def _event(self, kind: str, now: Time, **fields: object) -> None:
        self._bus.publish(EVENTS, msgspec.convert({"kind": kind, "at": now, **fields}, Event, strict=False))

    # -- to the bus

    def announce(self) -> None:
        """The sign of life, with the figures."""
        mails = self._database.mails()
        figures: dict[str, float] = {
            "open_incidents": len(self._open),
            "targets": len(self._picture.targets),
            "judged_total": self._judged,
            "mails_queued": mails.get("queued", 0) + mails.get("sending", 0),
            "mails_sent": mails.get("sent", 0),
            "mails_given_up": mails.get("dead", 0),
            **self._bus.counters,
        }
        trouble = self._trouble or (self._outbox.trouble if self._outbox else None)
        trouble = trouble[:500] if trouble else None
        self._bus.publish(SERVICES, presence("alerter", self._since, figures, trouble))

    def say_goodbye(self) -> None:
        """The last word of an alerter that stops on request; the last will speaks for one that does not."""
        self._bus.publish(*offline("alerter", self._bus.instance))


def _differ(one: Verdict, other: Verdict) -> bool:
    return (one.state, one.reason, one.sites) != (other.state, other.reason, other.sites)


def _subject_of(incident: Incident) -> str:
    return f"site:{incident.site}" if incident.kind == "site-blind" else incident.targets[0]
