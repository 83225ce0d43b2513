"""Open incidents with all their members, of whom a message shows a part, and drafts of what becomes of them.

A draft is made of how things are, changed by decisions, and kept as a whole or dropped as a whole.
"""

from __future__ import annotations

import copy
import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from noc_bus.messages import Incident, Member, Muting, VerdictState
from noc_rules import flapping
from noc_rules.correlate import IncidentChange, Why
from noc_rules.flapping import NEVER, Flap
from noc_rules.incident import MAX_MEMBERS_TOLD, About, IncidentKind, of_target, ordered, severity
from noc_rules.judge import VerdictChange
from noc_rules.verdict import BLOCKED

SETTLES_S: Final = 30.0
"""A change of who takes part is mailed once it has been quiet for so long,"""
SETTLES_AT_THE_LATEST_S: Final = 120.0
"""or has been going on for so long,"""
CHANGES_EVERY_S: Final = 300.0
"""and the last such mail is so long ago."""
CRITICAL_WAIT_S: Final = 2.0
"""For other critical targets; a critical one waits for nothing else."""
NOT_WHILE_TAKEN: Final = float("inf")
"""When a mail is due that would tell whoever has an incident what they look at anyway."""
MAX_ENTRIES_ALIKE: Final = 5
"""What happened to more of an incident's members at one moment is one line of its timeline."""
MASS_TARGETS: Final = 20
"""So many that go down at once, and so large a share of what a site sees, are one incident."""
MASS_SHARE: Final = 0.3


_Name = TypeVar("_Name")


class Key(NamedTuple):
    """What two targets that go down together have in common."""

    kind: str
    """parent, group, unresolvable or site."""
    name: str


class Returning(NamedTuple):
    """A target that some sites reach again and others do not: these are waited for, and it is part of its incident."""

    since_s: float
    change: VerdictChange
    """As it was judged last."""


class Notice(StrEnum):
    """What people are mailed about an incident."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"


class Entry(NamedTuple):
    """What happened to an incident, and why: a line of its timeline."""

    why: Why
    text: str
    target: str | None = None


@dataclass(eq=False)
class Case:
    """An open incident. Seconds are of the caller's steady clock."""

    incident: Incident
    """As last shown; its members are those of `members` that there was room for."""
    about: tuple[About, ...] = ()
    """Where it is not about targets."""
    members: dict[str, Member] = field(default_factory=dict)
    """All that are or were part of it."""
    open: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    """Who was part of it when people were last mailed."""
    is_told: bool = False
    """Whether the mail of its opening is on its way: until then others may join it."""
    stem: str = ""
    """What it was called in that mail."""
    keys: set[Key] = field(default_factory=set)
    due_s: float | None = None
    """When the next mail about it is due; None: there is nothing to say; NOT_WHILE_TAKEN: once nobody has it any more."""
    unsettled_s: float | None = None
    changed_s: float | None = None
    waited_s: float = 0.0
    """For how long people have been told of it, while it was neither acknowledged nor muted."""

    # Of one draft.
    joined: list[str] = field(default_factory=list)
    """Those that joined, left or changed."""
    entries: list[Entry] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    is_urgent: bool = False
    """Whether what is mailed may wait for nothing."""
    back: int = 0
    """How many have left since people were last mailed."""
    state: VerdictState | None = None
    """What its last target is now, where that ended it."""
    text: str = ""
    """How it ended, for people."""
    why: Why | None = None
    """Why it opened or ended."""

    def drafted(self) -> Case:
        one = copy.copy(self)
        one.members, one.open, one.told, one.keys = dict(self.members), set(self.open), set(self.told), set(self.keys)
        one.joined, one.entries, one.notices = [], [], []
        one.is_urgent, one.back = False, 0
        return one

    def kept(self) -> None:
        """What its draft decided is in force, and told: whoever keeps more of the case does not keep it again."""
        self.joined, self.entries, self.notices = [], [], []
        if not self.is_over:
            self.why = None

    @property
    def id(self) -> str:
        return self.incident.id

    @property
    def is_over(self) -> bool:
        return self.incident.resolved_at is not None

    @property
    def is_critical(self) -> bool:
        return any(self.members[one].critical for one in self.open)

    @property
    def is_unseen(self) -> bool:
        """Whether nobody can see any of its members, where that is not the very incident."""
        is_other = self.incident.kind != IncidentKind.TARGET_UNRESOLVABLE
        return (
            is_other and bool(self.open) and all(self.members[one].state == VerdictState.UNKNOWN for one in self.open)
        )

    @property
    def muting(self) -> Muting | None:
        """Why nobody is mailed of any of it, by what lasts longest; None: people are."""
        if not self.members:
            return self.incident.muted
        known = []
        for name in self.open:
            muted = self.members[name].muted
            if muted is None:
                return None
            known.append(muted)
        # Of those that end together the first, whatever order its members are in.
        return max(known, key=lambda one: (lasts(one), -one.since, one.maintenance), default=None)

    @property
    def abouts(self) -> tuple[About, ...]:
        return tuple(of_target(one) for one in self.open) if self.members else self.about

    @property
    def down(self) -> int:
        """How many of its members are DOWN themselves, or were when they left."""
        return sum(one.state == VerdictState.DOWN for one in self.members.values())

    def note(self, why: Why, text: str = "", target: str | None = None) -> None:
        self.entries.append(Entry(why, text, target))

    def timeline(self) -> list[Entry]:
        """What happened in this draft; the same that happened to many is one line."""
        count = Counter(one.why for one in self.entries)
        lines: dict[tuple[Why, int], Entry] = {}
        for place, one in enumerate(self.entries):
            if count[one.why] <= MAX_ENTRIES_ALIKE:
                lines[one.why, place] = one
            elif (one.why, -1) not in lines:
                alike = [other.target for other in self.entries if other.why is one.why and other.target]
                text = f"{count[one.why]:,} targets: {', '.join(alike[:MAX_ENTRIES_ALIKE])}, …"
                lines[one.why, -1] = Entry(one.why, text)
        return list(lines.values())

    def put(self, member: Member) -> None:
        """A member joins, or is another than before."""
        self.members[member.target] = member
        (self.open.discard if member.left_at is not None else self.open.add)(member.target)
        self.joined.append(member.target)

    def drop(self, target: str) -> Member:
        """It is part of another incident from now on, and always was."""
        self.open.discard(target)
        self.told.discard(target)
        self.joined.append(target)
        return self.members.pop(target)

    def shown(self) -> Incident:
        """The message: counts, and as many members as there is room for."""
        if not self.members:
            return replace(self.incident, severity=severity(self.incident))
        roots = {one.behind for one in self.members.values() if one.behind}
        shown = heapq.nsmallest(MAX_MEMBERS_TOLD, self.members.values(), key=lambda one: ordered(one, roots))
        incident = replace(
            self.incident,
            members=shown,
            targets=[one.target for one in shown],
            total_members=len(self.members),
            open_members=len(self.open),
            muted=self.muting if self.open else self.incident.muted,
        )
        if not self.is_told:
            incident = replace(incident, **self._character(roots))
        return replace(incident, severity=severity(incident))

    def _character(self, roots: set[str]) -> dict[str, object]:
        """What kind of incident it is; settled when people are told."""
        sites = sorted(key.name for key in self.keys if key.kind == "site")
        # Where most of them only lie behind others, it is these that failed.
        if sites and 2 * self.down > len(self.members):
            where = f"site {sites[0]}" if len(sites) == 1 else f"sites {', '.join(sites[:5])}"
            cause = f"{where} lost sight of {len(self.members):,} targets at once"
            return {"kind": IncidentKind.MASS_OUTAGE, "cause": cause, "site": sites[0] if len(sites) == 1 else None}
        if self.incident.kind != IncidentKind.MASS_OUTAGE:
            return {}
        return {"kind": IncidentKind.TARGET_DOWN, "site": None}


class Board:
    """How things are: every open incident, and which one each thing has."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.by_about: dict[About, str] = {}
        self.forming: dict[Key, str] = {}
        """Whom another may join by what they have in common."""
        self.former: dict[str, str] = {}
        """Which open incident a target was part of last."""
        self.flaps: dict[str, Flap] = {}
        """Of each target that changed, or was mailed about, lately."""
        self.flapping: dict[str, None] = {}
        self.returning: dict[str, Returning] = {}
        """By target. After a restart the others are waited for once more."""

    def get(self, about: About) -> Case | None:
        found = self.by_about.get(about)
        return self.cases[found] if found is not None else None

    def put(self, case: Case) -> None:
        """One that is there already, as from an earlier start."""
        self.cases[case.id] = case
        self.by_about |= dict.fromkeys(case.abouts, case.id)
        self.former |= dict.fromkeys(case.members.keys() - case.open, case.id)

    def put_flap(self, target: str, flap: Flap | None) -> None:
        """None: nothing of it matters any more."""
        self.flaps.pop(target, None)
        self.flapping.pop(target, None)
        if flap is not None:
            self.flaps[target] = flap
        if flap is not None and flap.is_flapping:
            self.flapping[target] = None


class Draft:
    """What is decided on a board, seen by every further decision, and not in force until `settle`."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._cases: dict[str, Case] = {}
        self._abouts: dict[About, str | None] = {}
        self._forming: dict[Key, str | None] = {}
        self._former: dict[str, str | None] = {}
        self.flaps: dict[str, Flap | None] = {}
        """Of each target whose changes or mails are others now; None: nothing of them matters any more."""
        self._returning: dict[str, Returning | None] = {}

    @property
    def returning(self) -> dict[str, Returning]:
        """What some sites reach again, by target."""
        return {one: found for one, found in (self._board.returning | self._returning).items() if found is not None}

    def returns(self, target: str) -> Returning | None:
        return self._returning[target] if target in self._returning else self._board.returning.get(target)

    def put_returning(self, target: str, found: Returning | None) -> None:
        """None: it is back, or DOWN again, or nobody waits for the other sites any longer."""
        if found is not None or self.returns(target) is not None:
            self._returning[target] = found

    @property
    def flapping(self) -> list[str]:
        """Which targets flap."""
        undecided = [one for one in self._board.flapping if one not in self.flaps]
        return undecided + [one for one, flap in self.flaps.items() if flap is not None and flap.is_flapping]

    def flap(self, target: str) -> Flap:
        found = self.flaps[target] if target in self.flaps else self._board.flaps.get(target)
        return found if found is not None else NEVER

    def forget_flaps(self, now_s: float) -> None:
        """Those of long ago."""
        for target, flap in self._board.flaps.items():
            if target not in self.flaps and flapping.is_past(flap, now_s):
                self.flaps[target] = None

    @property
    def decides(self) -> bool:
        """Whether anything is to be otherwise."""
        return bool(self._cases or self.flaps or self._returning)

    @property
    def touched(self) -> list[Case]:
        return list(self._cases.values())

    def __iter__(self) -> Iterator[Case]:
        """Every open incident, as far as decided."""
        for number, case in self._board.cases.items():
            if number not in self._cases:
                yield case
        yield from [case for case in self._cases.values() if not case.is_over]

    def case(self, number: str | None) -> Case | None:
        """To look at."""
        if number is None:
            return None
        found = self._cases.get(number) or self._board.cases.get(number)
        return found if found is not None and not found.is_over else None

    def edit(self, case: Case) -> Case:
        """To change."""
        found = self._cases.get(case.id)
        if found is None:
            found = self._cases[case.id] = case.drafted()
        return found

    def find(self, about: About) -> Case | None:
        return self.case(self._abouts.get(about, self._board.by_about.get(about)))

    def forming(self, key: Key) -> Case | None:
        return self.case(self._forming.get(key, self._board.forming.get(key)))

    def former(self, target: str) -> Case | None:
        return self.case(self._former.get(target, self._board.former.get(target)))

    def open(self, case: Case) -> Case:
        self._cases[case.id] = case
        self._abouts |= dict.fromkeys(case.abouts, case.id)
        self.form(case, case.keys)
        return case

    def form(self, case: Case, keys: Iterable[Key]) -> None:
        case.keys |= set(keys)
        self._forming |= dict.fromkeys(keys, case.id)

    def put(self, case: Case, member: Member) -> None:
        case.put(member)
        about = of_target(member.target)
        if member.left_at is None:
            self._abouts[about] = case.id
            return
        if self.find(about) in (None, case):
            self._abouts[about] = None
        self._former[member.target] = case.id

    def move(self, case: Case, target: str, home: Case, **fields: object) -> None:
        """A member is part of another incident instead."""
        self.put(home, replace(case.drop(target), **fields))

    def take(self, change: IncidentChange, now_s: float) -> None:
        """A decision about an incident that is about no targets; or one that leaves who takes part as it is."""
        if change.opens:
            case = self.open(Case(change.incident, change.about, due_s=now_s, why=change.why))
            case.note(change.why, change.incident.cause)
            return
        found = self.case(change.incident.id)
        if found is None:
            return
        case = self.edit(found)
        case.incident = change.incident
        case.note(change.why, change.text)
        if change.why is Why.ACKNOWLEDGEMENT_EXPIRED and case.is_told:
            # Whoever thought that somebody has it is told that it is still so.
            case.due_s = now_s
        elif change.why is Why.ACKNOWLEDGED and case.incident.acknowledged is None and case.due_s == NOT_WHILE_TAKEN:
            case.due_s = now_s
        if change.resolves:
            was_muted = not case.is_told and change.incident.muted is not None
            if was_muted and change.is_mailed:
                case.note(Why.NOT_MAILED, "over while nobody was mailed of it")
            self.end(case, change.why, change.text, now_s, change.state, is_mailed=change.is_mailed and not was_muted)

    def end(
        self,
        case: Case,
        why: Why,
        text: str,
        now_s: float,
        state: VerdictState | None = None,
        *,
        is_mailed: bool = True,
    ) -> None:
        """`case` is over: what it was about is free."""
        for about in case.abouts:
            if self.find(about) in (None, case):
                self._abouts[about] = None
        case.why, case.text, case.state, case.due_s = why, text, state, None
        if is_mailed:
            case.notices.append(Notice.RESOLVED)
            self._mailed(case, case.told or case.members.keys(), now_s)

    def told(self, case: Case, now_s: float) -> None:
        """People are mailed how it is now."""
        told = {one for one in case.open if one in case.told or case.members[one].muted is None}
        case.is_urgent = case.incident.kind == IncidentKind.BROKER_LOST or any(
            case.members[one].critical for one in told - case.told
        )
        case.back = len(case.told - case.open)
        if not case.is_told:
            case.incident = case.shown()
            case.is_told = True
            case.notices.append(Notice.OPENED)
            self.close_to_others(case)
        else:
            case.notices.append(Notice.CHANGED)
            case.changed_s = now_s
        self._mailed(case, case.told ^ told | {one for one in told if case.members[one].flapping}, now_s)
        case.told, case.due_s, case.unsettled_s = told, None, None

    def close_to_others(self, case: Case) -> None:
        """What only has something in common with it joins it no more."""
        for key in case.keys:
            # What a whole site loses sight of goes on to join while it lasts.
            if key.kind != "site" and self.forming(key) is case:
                self._forming[key] = None

    def _mailed(self, case: Case, targets: Iterable[str], now_s: float) -> None:
        """What counts as a mail about each of them going down and coming back."""
        if case.incident.kind == IncidentKind.TARGET_UNRESOLVABLE:
            return
        for target in targets:
            is_down = target in case.open and case.members[target].state in BLOCKED
            self.flaps[target] = flapping.mailed(self.flap(target), now_s, is_down=is_down)

    def settle(self) -> None:
        """All of it is in force."""
        board = self._board
        for number, case in self._cases.items():
            if case.is_over:
                board.cases.pop(number, None)
                self._forming |= {key: None for key in case.keys if self.forming(key) is None}
                self._former |= {one: None for one in case.members if self.former(one) is None}
            else:
                board.cases[number] = case
        _overlay(board.by_about, self._abouts, board.cases)
        _overlay(board.forming, self._forming, board.cases)
        _overlay(board.former, self._former, board.cases)
        for target, flap in self.flaps.items():
            board.put_flap(target, flap)
        board.returning |= {target: one for target, one in self._returning.items() if one is not None}
        for target in [target for target, one in self._returning.items() if one is None]:
            board.returning.pop(target, None)


def _overlay(names: dict[_Name, str], news: Mapping[_Name, str | None], known: Collection[str]) -> None:
    for name, number in news.items():
        if number is None or number not in known:
            names.pop(name, None)
        else:
            names[name] = number


def unsettled(draft: Draft, case: Case, now_s: float) -> None:
    """Who takes part has changed: whether and when to mail about it."""
    if not case.is_told or case.is_over:
        return
    gone, new = case.told - case.open, unsaid(case)
    if not gone and not new:
        case.due_s = case.unsettled_s = None
        return
    if case.unsettled_s is None:
        case.unsettled_s = now_s
    earliest_s = now_s if case.changed_s is None else case.changed_s + CHANGES_EVERY_S
    if len(gone) + len(new) < MASS_TARGETS:
        # Of each of a few there is not to be more than enough mail.
        names = [*gone, *[one.target for one in new]]
        earliest_s = max(earliest_s, min(flapping.may_mail_s(draft.flap(one), now_s) for one in names))
    case.due_s = max(earliest_s, min(now_s + SETTLES_S, case.unsettled_s + SETTLES_AT_THE_LATEST_S))
    if any(one.critical for one in new):
        case.due_s = now_s + CRITICAL_WAIT_S


def unsaid(case: Case) -> list[Member]:
    """Those that take part, and were not part of it when people were last mailed, as far as these are mailed of."""
    found = [case.members[one] for one in case.open - case.told]
    # What lies behind a parent is listed with it, and mailed with nothing of its own, unless it is critical.
    # One that flaps has mails of its own: see `noc_rules.flapping`.
    return [one for one in found if (one.critical or not one.behind) and not one.flapping and not one.muted]


def lasts(one: Muting) -> int:
    return one.until if one.until is not None else 2**53
