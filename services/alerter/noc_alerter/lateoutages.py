"""Outages that only data that came late showed: incidents that are over when they are kept, and one notice of them all.

What was an incident already, live or by a finding before, is none again; that it began earlier is a line of its
timeline. It stays an incident, too, where late data says that it was none: people were told of what was known.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from noc_alerter.incidents import incident_event
from noc_alerter.ledger import Entry, Ledger, Letter, case_of
from noc_alerter.notify import letter
from noc_alerter.notify.letter import FOUND, MAX_DIGESTED, FoundLate
from noc_bus.bus import Bus
from noc_bus.channels import EVENTS, INCIDENTS, LATE_OUTAGE_ANSWERS, LATE_OUTAGES
from noc_bus.messages import Incident, LateOutages, LateOutagesAnswer, Member, Target, TimelineEntry
from noc_bus.time import HOUR_MS, Time
from noc_frame import log
from noc_rules.cases import Case, Notice
from noc_rules.correlate import Why
from noc_rules.incident import MAX_MEMBERS_TOLD, Severity, family, severity
from noc_rules.late import SAME_MS, is_part, overlap, with_members, without
from noc_rules.notices import Notices, Recipients
from noc_rules.telling import quiet_until

# What finds no room comes again.
_MOST_WAITING: Final = 5
# Nobody is told before the last part has come; nor much later than that, should it never come.
_ALL_PARTS_MS: Final = HOUR_MS
_MAX_ALIKE: Final = 5
_PLACES: Final = {str(one): place for place, one in enumerate(Severity)}
_Known = Mapping[str, Sequence[tuple[str, str, Member]]]


class _Told(NamedTuple):
    """An incident of which somebody is told. `is_new`: it was not counted for them with an earlier part."""

    incident: Incident
    because: str
    is_new: bool


class LateOutagesTaker:
    """Told on the bus's thread, kept by `tick`."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        recipients: Recipients,
        target: Callable[[str], Target | None],
        is_silenced: Callable[[], bool],
    ) -> None:
        """`target` looks up how one is defined now. `is_silenced`: another alerter was here first, and takes it instead."""
        self._bus = bus
        self._ledger = ledger
        self._recipients = recipients
        self._is_silenced = is_silenced
        self._notices = Notices(recipients, ledger, target)
        self._waiting: deque[LateOutages] = deque(maxlen=_MOST_WAITING)
        self._log = log.get("noc.alerter")
        bus.subscribe(LATE_OUTAGES, self._on_outages)

    def tick(self, now: Time) -> bool:
        """Keep what has come, and say so. Whether anybody is to be told. Raises DatabaseFault."""
        is_anybody = False
        while self._waiting:
            message = self._waiting[0]
            is_anybody |= self._keep(message, now)
            self._waiting.popleft()
            self._bus.publish(
                LATE_OUTAGE_ANSWERS, LateOutagesAnswer(finding=message.finding, part=message.part, at=now)
            )
        return is_anybody

    def _keep(self, message: LateOutages, now: Time) -> bool:
        known = self._known(message.incidents)
        entries, earlier, again = [], [], []
        told: dict[str, list[_Told]] = defaultdict(list)
        for one in message.incidents:
            kept = self._ledger.incident(one.id)
            if kept is not None and (kept.found_at is None or not is_part(one)):
                again.append(kept)
                continue
            if not one.members or one.resolved_at is None:
                # What goes on is seen live, and what is about no target is nothing that late data shows.
                continue
            before = self._ledger.all_members(one.id) if kept is not None else []
            found, lines = _new(one, known, {member.target for member in before})
            earlier += lines
            if found is None:
                again += [] if kept is None else [kept]
                continue
            entry, recipients = self._found(message, found, kept, before)
            entries.append(entry)
            for to, each in recipients.items():
                told[to].append(each)
        self._ledger.keep_found(entries, earlier, self._summaries(message, told, now), now)
        for entry in entries:
            if entry.past:
                self._log.warning(f"found {entry.case.id} in data that came late: {entry.incident.cause}")
                self._bus.publish(EVENTS, incident_event("incident-found", entry.incident, now, entry.incident.cause))
        for incident in [*again, *(entry.incident for entry in entries)]:
            # For those who listen now: nothing that is over is retained.
            self._bus.publish_once(INCIDENTS, incident)
        return bool(told) or message.part == message.parts

    def _found(
        self, message: LateOutages, found: Incident, kept: Incident | None, before: Sequence[Member]
    ) -> tuple[Entry, dict[str, _Told]]:
        """What is new of an incident of which `before` is kept already, and who is told of it."""
        whole = _whole(found, [*before, *found.members]) if is_part(found) or before else found
        case = _case(whole, [*before, *found.members])
        case.joined = [one.target for one in found.members]
        recipients = self._recipients_of(case, message)
        known = self._recipients_of(_case(kept, before), message) if kept is not None else {}
        added = recipients.keys() - known.keys()
        if kept is not None:
            case.entries = []
        if kept is None or added:
            case.note(Why.FOUND_LATE, _found_text(message, [one for one in recipients if one in added]))
        past = _past(found) if kept is None else ()
        told = {to: _Told(case.incident, because, to in added) for to, because in recipients.items()}
        return Entry(case, case.incident, past=past), told

    def _recipients_of(self, case: Case, message: LateOutages) -> dict[str, str]:
        """Who is told of it, and why."""
        if case.id in message.quiet:
            case.note(Why.NOT_MAILED, "nobody would have been told of it in time")
            return {}
        tellings = self._notices.of(case, Notice.RESOLVED)
        return {to: because for telling in tellings for to, because in telling.recipients.items()}

    def _known(self, incidents: Sequence[Incident]) -> _Known:
        """By target, which incidents it was part of. Raises DatabaseFault."""
        found: dict[str, list[tuple[str, str, Member]]] = defaultdict(list)
        targets = {member.target for one in incidents for member in one.members}
        for number, kind, member in self._ledger.members_of_targets(targets):
            found[member.target].append((number, kind, member))
        return found

    def _summaries(self, message: LateOutages, told: Mapping[str, Sequence[_Told]], now: Time) -> list[Letter]:
        """The one notice that each recipient gets of the finding, with what is new; it may go out with the last part."""
        before = {one.recipient: one for one in self._ledger.letters(message.finding, FOUND)}
        is_last = message.part == message.parts
        return [
            _summary(
                message,
                to,
                before.get(to),
                told.get(to, ()),
                int(quiet_until(to, self._recipients.book, now) or 0) if is_last else now + _ALL_PARTS_MS,
            )
            for to in (dict.fromkeys([*before, *told]) if is_last else told)
        ]

    def _on_outages(self, message: LateOutages | None, variables: Mapping[str, str]) -> None:
        if message is None or self._is_silenced():
            return
        if all((one.finding, one.part) != (message.finding, message.part) for one in list(self._waiting)):
            self._waiting.append(message)


def _summary(message: LateOutages, to: str, before: Letter | None, given: Sequence[_Told], not_before: int) -> Letter:
    known = letter.decode_found(before.facts) if before else FoundLate(total=0, sites=message.sites, first=[])
    news = {one.incident.id: _shortened(one.incident) for one in given}
    first = sorted([*(one for one in known.first if one.id not in news), *news.values()], key=_by_importance)
    total = known.total + sum(one.is_new for one in given)
    facts = FoundLate(total=total, sites=known.sites, first=first[:MAX_DIGESTED])
    because = before.because if before else given[0].because
    return Letter(message.finding, FOUND, to, letter.encode(facts), because=because, not_before=not_before)


def _new(
    incident: Incident, known: _Known, kept: Collection[str]
) -> tuple[Incident | None, list[tuple[str, TimelineEntry]]]:
    """What of it was no incident yet, and what is to be said of those that were. `kept`: whom it has already."""
    covered: list[str] = [one.target for one in incident.members if one.target in kept]
    earlier: list[tuple[str, TimelineEntry]] = []
    for member in [one for one in incident.members if one.target not in kept]:
        alike = [
            (number, other)
            for number, kind, other in known.get(member.target, ())
            if family(kind) == family(incident.kind) and overlap(member, other)
        ]
        if not alike:
            continue
        covered.append(member.target)
        number, first = min(alike, key=lambda one: one[1].joined_at)
        if first.joined_at - member.joined_at > SAME_MS:
            text = f"it was {member.state or 'DOWN'} before it was noticed, by data that came late"
            line = TimelineEntry(at=member.joined_at, code=Why.BEGAN_EARLIER, target=member.target, text=text)
            earlier.append((number, line))
    return (without(incident, covered) if covered else incident), earlier


def _whole(incident: Incident, members: Sequence[Member]) -> Incident:
    """What is known of one that comes in parts: the same, in whatever order they came and however often."""
    whole = with_members(incident, members)
    whole = replace(
        whole,
        members=whole.members[:MAX_MEMBERS_TOLD],
        targets=whole.targets[:MAX_MEMBERS_TOLD],
        opened_at=min(one.joined_at for one in members),
        resolved_at=max([one.left_at for one in members if one.left_at is not None], default=incident.resolved_at),
    )
    return replace(whole, severity=severity(whole))


def _case(incident: Incident, members: Sequence[Member]) -> Case:
    """`members`: all that are known."""
    case = case_of(incident, (), [(one, False) for one in members], is_told=False, stem=letter.stem(incident))
    case.why, case.due_s = Why.FOUND_LATE, None
    return case


def _found_text(message: LateOutages, recipients: Collection[str]) -> str:
    sites = ", ".join(message.sites[:_MAX_ALIKE]) or "sites"
    people = f"; one notice of all that was found goes to {', '.join(recipients)}" if recipients else ""
    return f"found in data of {sites} that came late{people}"[:500]


def _past(incident: Incident) -> tuple[TimelineEntry, ...]:
    """What happened to it, as far as its members tell."""
    first, *others = incident.members
    lines = [TimelineEntry(at=incident.opened_at, code=Why.TARGET_WENT_DOWN, target=first.target, text=incident.cause)]
    if not is_part(incident) and len(others) <= _MAX_ALIKE:
        lines += [TimelineEntry(at=one.joined_at, code=Why.MEMBER_JOINED, target=one.target) for one in others]
        lines += [
            TimelineEntry(at=one.left_at, code=Why.TARGET_RECOVERED, target=one.target)
            for one in incident.members
            if one.left_at is not None
        ]
    else:
        text = f"{incident.total_members - 1:,} more targets joined"
        lines.append(TimelineEntry(at=incident.opened_at, code=Why.MEMBER_JOINED, text=text))
        if incident.resolved_at is not None:
            lines.append(TimelineEntry(at=incident.resolved_at, code=Why.TARGET_RECOVERED, text="it was over"))
    return tuple(sorted(lines, key=lambda one: one.at))


def _shortened(incident: Incident) -> Incident:
    """With as many members as a line of the notice needs."""
    return replace(incident, members=incident.members[:1], targets=incident.targets[:1], evidence=[])


def _by_importance(incident: Incident) -> tuple[int, Time]:
    return _PLACES.get(incident.severity or "", len(_PLACES)), incident.opened_at
