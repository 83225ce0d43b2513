"""The open incidents: what was decided becomes rows, mails and retained messages, in that order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from noc_alerter.ledger import Entry, Ledger, Letter, case_of
from noc_alerter.notify import letter
from noc_alerter.recipients import Recipients
from noc_bus.bus import Bus
from noc_bus.channels import EVENTS, INCIDENTS
from noc_bus.messages import Event, Incident, Target
from noc_bus.retained import Published
from noc_bus.time import Time
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_rules import grouping
from noc_rules.cases import Board, Case, Draft, Notice
from noc_rules.correlate import OPENING, Why
from noc_rules.incident import About, abouts, members_of, of_target
from noc_rules.telling import is_time

_KEEP_WAITS_EVERY_S: Final = 10.0
_ONLY_CRITICAL: Final = "only critical targets are mailed, as its options say"


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
        self._target = target
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
            grouping.recalled(self._board, self._ledger.flaps(now, now_s))
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
            # Kept: whoever keeps more of the case must not keep it again.
            entry.case.joined, entry.case.entries, entry.case.notices = [], [], []
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
        wanted = self._wanted(case)
        present = self._present(case, wanted)
        if case.why is Why.MERGED:
            told = dict.fromkeys(self._ledger.mailed(case.id), "")
            return self._written(case, notice, told, now)
        told = {} if notice is Notice.OPENED else self._ledger.told(case.id)
        if notice is Notice.RESOLVED and case.is_told:
            return self._written(case, notice, told, now)
        added = {to: why for to, why in present.items() if to not in told}
        if not told and not added:
            why = _ONLY_CRITICAL if wanted == [] else self._recipients.why_nobody()
            case.note(Why.NOBODY_TOLD, why)
            return ()
        # Whoever is told only now is told that it is open.
        first = notice if notice is Notice.RESOLVED else Notice.OPENED
        return (*self._written(case, first, added, now), *self._written(case, notice, told, now))

    def _written(self, case: Case, notice: Notice, recipients: Mapping[str, str], now: Time) -> tuple[Letter, ...]:
        if not recipients:
            return ()
        head = self._target(case.incident.targets[0]) if case.incident.targets else None
        written = letter.letters(case, notice, recipients, head.note if head else "", now)
        return tuple(
            replace(one, not_before=self._recipients.not_before(one.recipient, case.incident, now)) for one in written
        )

    def tell_added(self, now: Time) -> bool:
        """Who is told of what, or who there is, has changed: who was not told yet is told of what is open.

        Whether anybody is. Raises DatabaseFault.
        """
        cases = [one for one in self._board.cases.values() if one.is_told and one.muting is None]
        return self._keep_more([(one, self._added(one, Why.TOLD_ADDED, now)) for one in cases], now)

    def pass_time(self, seconds: float, now: Time) -> bool:
        """So much has passed: who is told of what has been open for long enough, and who again. Whether anybody is.

        What is acknowledged or muted does not grow older. Raises DatabaseFault: then no time has passed.
        """
        book = self._recipients.book
        is_timed = any(one.after_min or one.remind_min for one in book.routes)
        due = []
        ageing = [
            one
            for one in self._board.cases.values()
            if one.is_told and one.incident.acknowledged is None and one.muting is None
        ]
        for case in ageing:
            before_s, case.waited_s = case.waited_s, case.waited_s + seconds
            if is_timed and is_time(book, before_s, case.waited_s):
                due.append(case)
        self._unkept_s += seconds
        try:
            letters = [(one, (*self._added(one, Why.ESCALATED, now), *self._reminders(one, now))) for one in due]
            is_anybody = self._keep_more(letters, now)
            if is_timed and ageing and self._unkept_s >= _KEEP_WAITS_EVERY_S:
                self._ledger.keep_waits(ageing)
                self._unkept_s = 0.0
        except DatabaseFault:
            for case in ageing:
                case.waited_s -= seconds
            raise
        return is_anybody

    def _added(self, case: Case, why: Why, now: Time) -> tuple[Letter, ...]:
        told = self._ledger.told(case.id)
        added = {to: because for to, because in self._present(case, self._wanted(case)).items() if to not in told}
        if added:
            case.note(why, ", ".join(f"{to} ({because})" for to, because in added.items()))
        return self._written(case, Notice.OPENED, added, now)

    def _reminders(self, case: Case, now: Time) -> tuple[Letter, ...]:
        """Of those who were told already; each number once, also over a restart."""
        told, before = self._ledger.told(case.id), self._ledger.queued(case.id)
        wanted = self._wanted(case)
        found = {} if wanted == [] else self._recipients.reminded(case.incident, wanted or [], case.waited_s)
        found = {to: one for to, one in found.items() if to in told and (to, _reminder(one[0])) not in before}
        if found:
            case.note(Why.REMINDED, ", ".join(found))
        written = self._written(case, Notice.CHANGED, {to: because for to, (_, because) in found.items()}, now)
        return tuple(replace(one, transition=_reminder(found[one.recipient][0])) for one in written)

    def _keep_more(self, letters: Sequence[tuple[Case, tuple[Letter, ...]]], now: Time) -> bool:
        """Letters about incidents that stay as they are. Whether there are any. Raises DatabaseFault."""
        entries = [Entry(case, case.incident, written) for case, written in letters if written]
        try:
            self._ledger.keep(entries, now)
        finally:
            for case, _ in letters:
                case.entries.clear()
        return bool(entries)

    def _present(self, case: Case, wanted: list[Target] | None) -> dict[str, str]:
        """Who is to be told as things are now."""
        return {} if wanted == [] else self._recipients.of(case.incident, wanted or [], case.waited_s)

    def _wanted(self, case: Case) -> list[Target] | None:
        """Those that take part and whose options let them be mailed; None: nothing is known that takes part."""
        definitions = self._definitions(case)
        return [one for one in definitions if one.critical or not one.mail_only_critical] if definitions else None

    def _definitions(self, case: Case) -> list[Target]:
        """Of those that take part and are not muted; of all that ever did, where none does any more."""
        loud = [name for name, one in case.members.items() if one.muted is None]
        names = case.open & case.told or case.open or loud or case.members.keys()
        return [found for one in names if (found := self._target(one)) is not None]

    def _publish(self, case: Case, now: Time) -> None:
        incident = case.incident
        if case.is_over:
            self._published.remove(incident.id, closing=incident)
            self._log.info(f"resolved {incident.id}: {case.text}", extra=log.values(why=case.why))
            self._incident_event("incident-resolved", incident, now, case.text)
            return
        self._published.put(incident)
        for entry in case.entries:
            if entry.why in OPENING and entry.why is case.why and case.entries[0] is entry:
                self._log.warning(f"opened {incident.id}: {incident.cause}", extra=log.values(why=case.why))
                self._incident_event("incident-opened", incident, now, incident.cause)
            elif entry.why is Why.ACKNOWLEDGED and incident.acknowledged:
                text = f"{incident.acknowledged.by} acknowledged {incident.id}"
                self._incident_event("incident-acknowledged", incident, now, text)
        case.why = None

    def _incident_event(self, kind: str, incident: Incident, now: Time, text: str) -> None:
        target = incident.targets[0] if len(incident.targets) == 1 else None
        self.event(kind, now, text, target=target, incident=incident.id, site=incident.site)


def _reminder(number: int) -> str:
    return f"{letter.REMINDED}-{number}"
