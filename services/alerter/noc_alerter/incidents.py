"""The open incidents: what was decided becomes rows, mails and retained messages, in that order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from noc_alerter.ledger import Entry, Ledger, Letter, case_of
from noc_alerter.notify import letter
from noc_alerter.paths import Paths
from noc_bus.bus import Bus
from noc_bus.channels import EVENTS, INCIDENTS
from noc_bus.messages import Event, Incident, IncidentNote, Target
from noc_bus.retained import Published
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_rules import grouping
from noc_rules.cases import Board, Case, Draft, Notice
from noc_rules.correlate import OPENING, Why
from noc_rules.incident import About, abouts, members_of, noted, of_target
from noc_rules.notices import Notices, Recipients, Telling, aged, ageing

_KEEP_WAITS_EVERY_S: Final = 10.0


class Incidents:
    """In memory as in the ledger; on the broker once it is there."""

    def __init__(
        self,
        bus: Bus,
        published: Published[str, Incident],
        ledger: Ledger,
        recipients: Recipients,
        target: Callable[[str], Target | None],
    ) -> None:
        """`target` looks up how one is defined now. Raises DatabaseFault."""
        self._bus = bus
        self._published = published
        self._ledger = ledger
        self._recipients = recipients
        self._notices = Notices(recipients, ledger, target)
        self._target = target
        self._paths = Paths(bus)
        self._log = log.get("noc.alerter")
        self._board = Board()
        self._unkept_s = 0.0
        for case in ledger.open_cases():
            self._board.put(case)
            published.put(case.incident)
        self._has_flaps = False

    @property
    def open(self) -> Mapping[About, str]:
        """The open incident of each thing that has one."""
        return self._board.by_about

    @property
    def count(self) -> int:
        return len(self._board.cases)

    def knows(self, incident: str) -> bool:
        """Whether it is open here. From any thread."""
        return incident in self._board.cases

    def get(self, incident: str) -> Case | None:
        return self._board.cases.get(incident)

    def each(self) -> list[Case]:
        return list(self._board.cases.values())

    def about_target(self, target: str) -> str | None:
        return self._board.by_about.get(of_target(target))

    def recall_flaps(self, now: Time, now_s: float) -> None:
        """Those of earlier starts, once. Raises DatabaseFault."""
        if not self._has_flaps:
            grouping.recalled(self._board, self._ledger.flaps(now, now_s), now_s)
            self._has_flaps = True

    def draft(self) -> Draft:
        return Draft(self._board)

    def keep(self, draft: Draft, now: Time, now_s: float) -> bool:
        """All of it in one transaction, then on the broker. Whether anybody is mailed.

        Raises DatabaseFault: then nothing of it happened.
        """
        entries = [self._entry(case, now) for case in draft.touched]
        self._ledger.keep(entries, now, flaps=draft.flaps, now_s=now_s)
        draft.settle()
        for entry in entries:
            self._publish(entry.case, now)
            entry.case.kept()
        return any(entry.letters for entry in entries)

    def hold(self, incident: Incident) -> None:
        """Leave on the broker what an earlier start retained, until it is adopted or not. From any thread."""
        self._published.adopt(incident)

    def adopt(self, incident: Incident, told: tuple[str, ...], now: Time) -> bool:
        """Go on with an incident that the broker remembers and our database does not. Raises DatabaseFault.

        False: it is over, or about something that has another open incident. Nobody is mailed of its
        opening, which `told` know already.
        """
        if incident.id in self._board.cases:
            return True
        ended = self._ledger.resolved(incident.id)
        if ended is not None:
            # We died between keeping its end and telling it.
            self._published.remove(incident.id, closing=ended)
            return False
        about = abouts(incident)
        if any(one in self._board.by_about for one in about):
            self._published.remove(incident.id)
            return False
        members = members_of(incident)
        case = case_of(incident, () if members else about, [(one, True) for one in members], is_told=True, stem="")
        case.joined = list(case.members)
        self._ledger.keep([Entry(case, incident, told_before=told)], now)
        case.joined = []
        self._board.put(case)
        self._published.put(incident)
        return True

    def resend_resolved(self, since: Time) -> None:
        """For a recorder that was away. Raises DatabaseFault."""
        for incident in self._ledger.resolved_since(since):
            self._bus.publish_once(INCIDENTS, incident)

    def note(self, note: IncidentNote, now: Time) -> Incident | None:
        """Keep what somebody wrote of an incident, open or over; None: there is none of that id. Raises DatabaseFault."""
        case = self.get(note.incident)
        before = case.incident if case is not None else self._ledger.incident(note.incident)
        if before is None:
            return None
        incident = noted(before, note, now)
        if not self._ledger.note(note, incident, now):
            return before
        # Whoever looks at it sees that there is more to ask for.
        if case is not None:
            case.incident = incident
            self._published.put(incident)
        else:
            self._published.remove(incident.id, closing=incident)
        what = "commented on" if note.kind == "comment" else "changed the post-mortem of"
        self._tell("incident-noted", incident, now, f"{note.by} {what} {incident.id}")
        return incident

    def event(self, kind: str, now: Time, text: str, **fields: str | None) -> None:
        self._bus.publish(EVENTS, Event(kind=kind, at=now, text=text[:500], **fields))  # type: ignore[arg-type]  # its own fields

    def _entry(self, case: Case, now: Time) -> Entry:
        case.incident = case.shown()
        letters: list[Letter] = []
        for notice in case.notices:
            letters += self._letters(case, notice, now)
        return Entry(case, case.incident, tuple(letters))

    def _letters(self, case: Case, notice: Notice, now: Time) -> tuple[Letter, ...]:
        if not case.stem:
            case.stem = letter.stem(case.incident)
        return self._written(case, self._notices.of(case, notice), now)

    def _written(self, case: Case, tellings: Iterable[Telling], now: Time) -> tuple[Letter, ...]:
        head = self._target(case.incident.targets[0]) if case.incident.targets else None
        broken_off = self._paths.of(case.incident) if case.incident.resolved_at is None else []
        return tuple(
            replace(one, not_before=self._recipients.not_before(one.recipient, case.incident, now))
            for telling in tellings
            for one in letter.letters(case, telling, head.note if head else "", now, broken_off)
        )

    def tell_added(self, now: Time) -> bool:
        """Who is told of what, or who there is, has changed: who was not told yet is told of what is open.

        Whether anybody is. Raises DatabaseFault.
        """
        cases = [one for one in self._board.cases.values() if one.is_told and one.muting is None]
        letters = [(one, self._written(one, self._notices.added(one, Why.TOLD_ADDED), now)) for one in cases]
        return self._keep_more(letters, now)

    def pass_time(self, seconds: float, now: Time) -> bool:
        """So much has passed: who is told of what has been open for long enough, and who again. Whether anybody is.

        What is acknowledged or muted does not grow older. Raises DatabaseFault: then no time has passed.
        """
        book = self._recipients.book
        is_timed = any(one.after_min or one.remind_min for one in book.routes)
        older = ageing(self._board.cases.values())
        due = [one for one in older if aged(one, seconds, book)]
        self._unkept_s += seconds
        try:
            letters = [(one, self._written(one, self._of_age(one), now)) for one in due]
            is_anybody = self._keep_more(letters, now)
            if is_timed and older and self._unkept_s >= _KEEP_WAITS_EVERY_S:
                self._ledger.keep_waits(older)
                self._unkept_s = 0.0
        except DatabaseFault:
            for case in older:
                case.waited_s -= seconds
            raise
        return is_anybody

    def _of_age(self, case: Case) -> list[Telling]:
        return [*self._notices.added(case, Why.ESCALATED), *self._notices.reminders(case)]

    def _keep_more(self, letters: Sequence[tuple[Case, tuple[Letter, ...]]], now: Time) -> bool:
        """Letters about incidents that stay as they are. Whether there are any. Raises DatabaseFault."""
        entries = [Entry(case, case.incident, written) for case, written in letters if written]
        try:
            self._ledger.keep(entries, now)
        finally:
            for case, _ in letters:
                case.entries.clear()
        return bool(entries)

    def _publish(self, case: Case, now: Time) -> None:
        incident = case.incident
        if case.is_over:
            self._published.remove(incident.id, closing=incident)
            self._log.info(f"resolved {incident.id}: {case.text}", extra=log.values(why=case.why))
            self._tell("incident-resolved", incident, now, case.text)
            return
        self._published.put(incident)
        for entry in case.entries:
            if entry.why in OPENING and entry.why is case.why and case.entries[0] is entry:
                self._log.warning(f"opened {incident.id}: {incident.cause}", extra=log.values(why=case.why))
                self._tell("incident-opened", incident, now, incident.cause)
            elif entry.why is Why.ACKNOWLEDGED and incident.acknowledged:
                text = f"{incident.acknowledged.by} acknowledged {incident.id}"
                self._tell("incident-acknowledged", incident, now, text)

    def _tell(self, kind: str, incident: Incident, now: Time, text: str) -> None:
        self._bus.publish(EVENTS, incident_event(kind, incident, now, text))


def incident_event(kind: str, incident: Incident, now: Time, text: str) -> Event:
    target = incident.targets[0] if len(incident.targets) == 1 else None
    return Event(kind=kind, at=now, text=text[:500], target=target, incident=incident.id, site=incident.site)
