"""The open incidents: what was decided becomes rows, mails and retained messages, in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from noc_alerter.ledger import Entry, Ledger, by_about
from noc_alerter.notify.letter import letters
from noc_alerter.recipients import Recipients
from noc_bus.bus import Bus
from noc_bus.channels import EVENTS, INCIDENTS
from noc_bus.messages import Event, Incident
from noc_bus.retained import Published
from noc_bus.time import Time
from noc_frame import log
from noc_rules.correlate import IncidentChange, Why
from noc_rules.incident import About, abouts, of_target, open_members


class Incidents:
    """In memory as in the ledger; on the broker once it is there."""

    def __init__(
        self, bus: Bus, published: Published[str, Incident], ledger: Ledger, recipients: Recipients | None
    ) -> None:
        """`recipients` None: nobody is mailed. Raises DatabaseFault."""
        self._bus = bus
        self._published = published
        self._ledger = ledger
        self._recipients = recipients
        self._log = log.get("noc.alerter")
        entries = ledger.open_incidents()
        self._abouts = {entry.incident.id: entry.about for entry in entries}
        self._open = by_about(entries)
        for entry in entries:
            published.put(entry.incident)

    @property
    def open(self) -> Mapping[About, Incident]:
        return self._open

    @property
    def count(self) -> int:
        return len(self._abouts)

    def knows(self, incident: str) -> bool:
        """Whether it is open here. From any thread."""
        return incident in self._abouts

    def get(self, incident: str) -> tuple[Incident, tuple[About, ...]] | None:
        """An open incident by its id, and what it is about."""
        about = self._abouts.get(incident)
        return (self._open[about[0]], about) if about else None

    def each(self) -> list[tuple[Incident, tuple[About, ...]]]:
        """Every open incident once, with what it is about."""
        found = {incident.id: incident for incident in self._open.values()}
        return [(incident, self._abouts[number]) for number, incident in found.items()]

    def about_target(self, target: str) -> Incident | None:
        return self._open.get(of_target(target))

    def keep(self, changes: Sequence[IncidentChange], now: Time) -> None:
        """All of these in one transaction, then on the broker. Raises DatabaseFault: then nothing of it happened."""
        self._ledger.keep([self._entry(change) for change in changes], now)
        for change in changes:
            self._remember(change)
            self._publish(change, now)

    def hold(self, incident: Incident) -> None:
        """Leave on the broker what an earlier start retained, until it is adopted or not. From any thread."""
        self._published.adopt(incident)

    def adopt(self, incident: Incident, told: tuple[str, ...], now: Time) -> bool:
        """Go on with an incident that the broker remembers and our database does not. Raises DatabaseFault.

        False: it is over, or about something that has another open incident. Nobody is mailed of its
        opening, which `told` know already.
        """
        if incident.id in self._abouts:
            return True
        ended = self._ledger.resolved(incident.id)
        if ended is not None:
            # We died between keeping its end and telling it.
            self._published.remove(incident.id, closing=ended)
            return False
        about = abouts(incident)
        if any(one in self._open for one in about):
            self._published.remove(incident.id)
            return False
        self._ledger.keep([Entry(incident, about, told_before=told)], now)
        self._abouts[incident.id] = about
        self._open.update(dict.fromkeys(about, incident))
        self._published.put(incident)
        return True

    def resend_resolved(self, since: Time) -> None:
        """For a recorder that was away. Raises DatabaseFault."""
        for incident in self._ledger.resolved_since(since):
            self._bus.publish_once(INCIDENTS, incident)

    def event(self, kind: str, now: Time, text: str, **fields: str | None) -> None:
        self._bus.publish(EVENTS, Event(kind=kind, at=now, text=text[:500], **fields))  # type: ignore[arg-type]  # its own fields

    def _entry(self, change: IncidentChange) -> Entry:
        if self._recipients is None or not change.is_mailed:
            return Entry(change.incident, _about_from_now_on(change))
        if change.opens:
            recipients = self._recipients.of(change.definition)
        else:
            recipients = self._recipients.with_present(self._ledger.recipients(change.incident.id), change.definition)
        return Entry(change.incident, _about_from_now_on(change), letters(change, recipients))

    def _remember(self, change: IncidentChange) -> None:
        incident = change.incident
        for one in self._abouts.pop(incident.id, ()):
            self._open.pop(one, None)
        if not change.resolves:
            about = _about_from_now_on(change)
            self._abouts[incident.id] = about
            self._open.update(dict.fromkeys(about, incident))

    def _publish(self, change: IncidentChange, now: Time) -> None:
        incident = change.incident
        if change.resolves:
            self._published.remove(incident.id, closing=incident)
            self._log.info(f"resolved {incident.id}: {change.text}", extra=log.values(why=change.why))
            self._incident_event("incident-resolved", incident, now, change.text)
            return
        self._published.put(incident)
        if change.opens:
            self._log.warning(f"opened {incident.id}: {incident.cause}", extra=log.values(why=change.why))
            self._incident_event("incident-opened", incident, now, incident.cause)
        elif change.why is Why.ACKNOWLEDGED and incident.acknowledged:
            text = f"{incident.acknowledged.by} acknowledged {incident.id}"
            self._incident_event("incident-acknowledged", incident, now, text)

    def _incident_event(self, kind: str, incident: Incident, now: Time, text: str) -> None:
        target = incident.targets[0] if len(incident.targets) == 1 else None
        self.event(kind, now, text, target=target, incident=incident.id, site=incident.site)


def _about_from_now_on(change: IncidentChange) -> tuple[About, ...]:
    """A target that left is free to have another incident."""
    if change.resolves or not change.incident.targets:
        return change.about
    return tuple(of_target(one) for one in open_members(change.incident))
