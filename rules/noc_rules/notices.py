"""Which notices go to whom when an incident opens, changes, grows older or ends.

What was told before decides with it, so that whoever was told of a start is told of the end. Who keeps that is a
parameter: the alerter its ledger, a rehearsal its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from noc_bus.messages import Incident, Target
from noc_bus.time import Time
from noc_rules.cases import Case, Notice
from noc_rules.correlate import Why
from noc_rules.incident import CauseCode, IncidentKind, Severity, severity
from noc_rules.telling import Because, Book, Occasion, Reason, Reminder, is_mail, is_time, quiet_until, reminded, told

_ONLY_CRITICAL: Final = "only critical targets are mailed, as its options say"
_NOBODY: Final = "it has no contacts, no route matches, and nobody is told when nobody else is"
_NO_OTHER_WAY: Final = "nobody is told of it by another way than the one that is not taken"
REMINDED: Final = "reminded"
_NO_REMINDERS: Final[Mapping[str, Reminder]] = {}


class Means(Protocol):
    """Who there is to be told, and whether mails can be sent."""

    @property
    def book(self) -> Book: ...
    @property
    def why_no_mail(self) -> str | None:
        """In a sentence, what is missing before a mail can be sent; None: nothing."""


class Sent(Protocol):
    """What was told before, of an incident by its id."""

    def told(self, incident: str) -> Mapping[str, str]:
        """Who was to be told that it opened, and why."""

    def queued(self, incident: str) -> Collection[tuple[str, str]]:
        """Every notice that there was about it: its recipient and its transition."""

    def mailed(self, incident: str) -> Iterable[str]:
        """Whom the notice of its opening has reached."""


class Telling(NamedTuple):
    """One notice to some people, with why they are told."""

    notice: Notice
    recipients: Mapping[str, str]
    reminders: Mapping[str, Reminder] = _NO_REMINDERS
    """Of a reminder, by recipient, which one it is."""

    def transition(self, recipient: str, now: Time) -> str:
        """What names it among the notices of its incident. There may be many changes, and each is a notice of its own."""
        if recipient in self.reminders:
            return reminder(self.reminders[recipient])
        return f"{Notice.CHANGED}-{int(now)}" if self.notice is Notice.CHANGED else self.notice.value


class Recipients:
    """By the rules of `noc_rules.telling`, with what is in force now."""

    def __init__(self, means: Callable[[], Means], name_unknown: Callable[[str], None] = lambda entry: None) -> None:
        """`name_unknown` is called once for each entry that is neither a mail address nor a contact."""
        self._means = means
        self._name_unknown = name_unknown
        self._named: set[str] = set()

    @property
    def book(self) -> Book:
        """Who there is to be told, now."""
        return self._means().book

    def of(self, incident: Incident, targets: Sequence[Target], waited_s: float) -> dict[str, str]:
        """Whom to tell of it, and why in words. `targets`: those that take part, as they are defined now.

        `waited_s`: for how long it has been told, neither acknowledged nor muted.

        The hours of routes are those in which it opened: who was asleep then is not told of it later in the day.
        No mail address, where nothing is there to mail by.
        """
        means = self._means()
        found = told(_occasion(incident, targets, waited_s), means.book)
        for entry in set(found.unknown) - self._named:
            self._named.add(entry)
            self._name_unknown(entry)
        return {
            to: ", ".join(map(str, reasons))[:500] for to, reasons in found.recipients.items() if _is_reached(to, means)
        }

    def reminded(self, incident: Incident, targets: Sequence[Target], waited_s: float) -> dict[str, Reminder]:
        """Who is told again that it is open, and by which reminder."""
        means = self._means()
        found = reminded(_occasion(incident, targets, waited_s), means.book)
        return {to: one for to, one in found.items() if _is_reached(to, means)}

    def not_before(self, recipient: str, incident: Incident, now: Time) -> int:
        """When the recipient's quiet hours end; 0: there are none now, or it is critical."""
        if (incident.severity or severity(incident)) == Severity.CRITICAL:
            return 0
        return int(quiet_until(recipient, self.book, now) or 0)

    def why_nobody(self) -> str:
        """For an incident of which nobody is told."""
        return self._means().why_no_mail or _NOBODY


class Notices:
    """What is to be told of each incident. It may raise what `sent` raises."""

    def __init__(self, recipients: Recipients, sent: Sent, target: Callable[[str], Target | None]) -> None:
        """`target` looks up how one is defined now."""
        self._recipients = recipients
        self._sent = sent
        self._target = target

    def of(self, case: Case, notice: Notice) -> list[Telling]:
        """Of what was decided about it. Where that is nobody, the case says why."""
        if case.why is Why.MERGED:
            return _some(Telling(notice, dict.fromkeys(self._sent.mailed(case.id), "")))
        known = {} if notice is Notice.OPENED else self._sent.told(case.id)
        if notice is Notice.RESOLVED and case.is_told:
            return _some(Telling(notice, known))
        wanted = self._wanted(case)
        added = {to: why for to, why in self._present(case, wanted).items() if to not in known}
        if not known and not added:
            case.note(Why.NOBODY_TOLD, self._why_nobody(case, wanted))
            return []
        # Whoever is told only now is told that it is open.
        first = notice if notice is Notice.RESOLVED else Notice.OPENED
        return _some(Telling(first, added), Telling(notice, known))

    def _why_nobody(self, case: Case, wanted: list[Target] | None) -> str:
        if wanted == []:
            return _ONLY_CRITICAL
        return _NO_OTHER_WAY if case.incident.kind == IncidentKind.NOTICES_REFUSED else self._recipients.why_nobody()

    def added(self, case: Case, why: Why) -> list[Telling]:
        """To those who were not told yet, that it is open."""
        known = self._sent.told(case.id)
        added = {to: because for to, because in self._present(case, self._wanted(case)).items() if to not in known}
        if added:
            case.note(why, ", ".join(f"{to} ({because})" for to, because in added.items()))
        return _some(Telling(Notice.OPENED, added))

    def reminders(self, case: Case) -> list[Telling]:
        """To those who were told already; each number once, also over a restart."""
        known, before = self._sent.told(case.id), self._sent.queued(case.id)
        wanted = self._wanted(case)
        found = {} if wanted == [] else self._recipients.reminded(case.incident, wanted or [], case.waited_s)
        found = {to: one for to, one in found.items() if to in known and (to, reminder(one)) not in before}
        if found:
            case.note(Why.REMINDED, ", ".join(found))
        because = {to: str(Reason(Because.ROUTE, one.route)) for to, one in found.items()}
        return _some(Telling(Notice.CHANGED, because, found))

    def _present(self, case: Case, wanted: list[Target] | None) -> dict[str, str]:
        """Who is to be told as things are now."""
        found = {} if wanted == [] else self._recipients.of(case.incident, wanted or [], case.waited_s)
        if case.incident.kind == IncidentKind.NOTICES_REFUSED:
            # What is not taken does not tell people that it is not taken.
            is_by_webhook = case.incident.code == CauseCode.MAIL_REFUSED
            found = {to: why for to, why in found.items() if is_mail(to) is not is_by_webhook}
        return found

    def _wanted(self, case: Case) -> list[Target] | None:
        """Those that take part and whose options let them be mailed; None: nothing is known that takes part."""
        definitions = self._definitions(case)
        return [one for one in definitions if one.critical or not one.mail_only_critical] if definitions else None

    def _definitions(self, case: Case) -> list[Target]:
        """Of those that take part and are not muted; of all that ever did, where none does any more."""
        loud = [name for name, one in case.members.items() if one.muted is None]
        names = case.open & case.told or case.open or loud or case.members.keys()
        return [found for one in names if (found := self._target(one)) is not None]


def ageing(cases: Iterable[Case]) -> list[Case]:
    """Those that grow older: people know of them, and they are neither acknowledged nor muted."""
    return [one for one in cases if one.is_told and one.incident.acknowledged is None and one.muting is None]


def aged(case: Case, seconds: float, book: Book) -> bool:
    """So much has passed for it: whether somebody may have to be told now."""
    before_s, case.waited_s = case.waited_s, case.waited_s + seconds
    return is_time(book, before_s, case.waited_s)


def reminder(one: Reminder) -> str:
    return f"{REMINDED}-{one.route}-{one.number}"


def _some(*tellings: Telling) -> list[Telling]:
    return [one for one in tellings if one.recipients]


def _occasion(incident: Incident, targets: Sequence[Target], waited_s: float) -> Occasion:
    return Occasion(incident.kind, incident.severity or severity(incident), targets, incident.opened_at, waited_s)


def _is_reached(recipient: str, means: Means) -> bool:
    return not is_mail(recipient) or not means.why_no_mail
