"""Which incident a target is part of, and when people are mailed about it: one outage, one incident, one mail.

What goes down within a short time and has something in common is one incident. What lies behind a parent is
part of its parent's, in whatever order they were seen to fail. Decisions follow from how things are, not from
what just happened: what could not be kept is decided again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from noc_bus.messages import Member, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules import flapping, muting
from noc_rules import incident as make
from noc_rules.cases import (
    CRITICAL_WAIT_S,
    MASS_SHARE,
    MASS_TARGETS,
    NOT_WHILE_TAKEN,
    Board,
    Case,
    Draft,
    Key,
    Returning,
    unsaid,
    unsettled,
)
from noc_rules.correlate import LOOKED_AT, REACHED, UNRESOLVABLE_AFTER_S, Why
from noc_rules.flapping import Flap
from noc_rules.incident import APART, LESSER, CauseCode, IncidentKind, of_target
from noc_rules.judge import VerdictChange
from noc_rules.muting import Quiet
from noc_rules.parents import parents_of
from noc_rules.verdict import BLOCKED, VerdictCode

_LOOK_AGAIN_S: Final = 1.0
_MAX_SITES: Final = 1000
AT_ONCE_S: Final = 30.0
"""Targets that fall within so long have fallen at once: two cycles of most, and their re-checks."""
_RETURNS_S: Final = 15.0
"""The mail that an outage is over comes within half a minute, however long outages are gathered."""


class Falls:
    """Which targets went down lately, and from which sites: whether a site has lost sight of many at once."""

    def __init__(self) -> None:
        self._lately: deque[tuple[float, str, tuple[str, ...]]] = deque()
        self._of: dict[str, dict[str, None]] = {}

    def add(self, target: str, sites: Iterable[str], now_s: float) -> None:
        sites = tuple(sites)
        self._lately.append((now_s, target, sites))
        for site in sites:
            self._of.setdefault(site, {})[target] = None

    def forget(self, now_s: float) -> None:
        while self._lately and now_s - self._lately[0][0] > AT_ONCE_S:
            _, target, sites = self._lately.popleft()
            for site in sites:
                self._of.get(site, {}).pop(target, None)

    def of(self, site: str) -> list[str]:
        """What it has lost sight of lately, the first first."""
        return list(self._of.get(site, ()))

    def is_mass(self, site: str, seen: Callable[[str], int]) -> bool:
        """Whether it has lost sight of many at once. `seen`: how many it sees still."""
        lost = len(self._of.get(site, ()))
        return lost >= MASS_TARGETS and lost >= MASS_SHARE * (lost + seen(site))


@dataclass(frozen=True)
class World:
    """What grouping depends on besides verdicts."""

    falls: Falls
    seen: Callable[[str], int]
    """How many targets a site sees answer."""
    children: Callable[[str], Iterable[str]]
    in_the_way: Callable[[str], Iterable[str]]
    """Of its parents those that explain why a target is DOWN from some site."""
    wait_s: float
    """For how long others may join before people are told."""

    @property
    def returns_s(self) -> float:
        """For how long the other sites are waited for where some reach a target again."""
        return min(self.wait_s, _RETURNS_S)


def of_verdicts(draft: Draft, changes: Iterable[VerdictChange], world: World, now: Time, now_s: float) -> None:
    """What verdicts mean for incidents. Parents are to come before what is behind them."""
    world.falls.forget(now_s)
    for change in changes:
        _of_verdict(draft, change, world, now, now_s)


def of_unresolvable(
    draft: Draft, change: VerdictChange, unresolvable_for_s: float, world: World, now: Time, now_s: float
) -> None:
    """What it means that no site has known an address of a target's name for so long."""
    definition, verdict = change.definition, change.after
    if draft.find(of_target(change.target)) is not None or definition is None or verdict is None:
        return
    if verdict.code != VerdictCode.NO_ADDRESS or unresolvable_for_s < UNRESOLVABLE_AFTER_S:
        return
    key = Key("unresolvable", definition.group)
    member = make.member_of(definition, verdict)
    home = draft.forming(key)
    if home is not None:
        case = draft.edit(home)
        draft.put(case, member)
        case.note(Why.MEMBER_JOINED, f"{definition.address} cannot be resolved", change.target)
    else:
        incident = make.about_target(
            IncidentKind.TARGET_UNRESOLVABLE, CauseCode.NO_ADDRESS, definition, verdict, change.states, now
        )
        incident = replace(incident, cause=f"{definition.address} cannot be resolved from any site"[:500])
        case = draft.open(Case(incident, keys={key}, why=Why.NAME_UNRESOLVED))
        draft.put(case, member)
        case.note(Why.NAME_UNRESOLVED, incident.cause, change.target)
    _await_others(draft, case, member, world, now_s)


def of_returning(draft: Draft, world: World, now: Time, now_s: float) -> None:
    """What some sites do not reach yet, long after others did, is PARTIAL. To be called about once a second."""
    for target, one in draft.returning.items():
        verdict = one.change.after
        if verdict is None or now_s - one.since_s < world.returns_s:
            continue
        draft.put_returning(target, None)
        found = draft.find(of_target(target))
        text = f"{verdict.state}: {verdict.reason}"[:500]
        _leave(draft, found, one.change, Why.TARGET_RECOVERED, verdict.since, now_s, text)
        _lesser(draft, one.change, verdict, world, now, now_s)


def of_flapping(draft: Draft, now: Time, now_s: float) -> None:
    """What time does to targets that flap. To be called about once a second."""
    draft.forget_flaps(now_s)
    for target in draft.flapping:
        flap, found = draft.flap(target), draft.find(of_target(target))
        if flapping.is_calm(flap, now_s):
            draft.flaps[target] = flapping.calmed(flap)
            if found is not None:
                _calms(draft, draft.edit(found), target, flap, now, now_s)
        elif found is not None:
            _goes_on_flapping(draft, found, target, flap, now_s)


def _calms(draft: Draft, case: Case, target: str, flap: Flap, now: Time, now_s: float) -> None:
    member = replace(case.members[target], flapping=False)
    text = f"no change for {flapping.WITHIN_S / 60:.0f} minutes"
    case.note(Why.STOPPED_FLAPPING, text, target)
    if member.state not in BLOCKED:
        left = replace(member, left_at=now)
        # Whose flapping is not mailed has nothing to be told of, unless people know that it was DOWN.
        _left(
            draft, case, left, Why.TARGET_RECOVERED, now, now_s, f"{member.state}: {text}", member.state,
            is_mailed=flap.is_mailed,
        )  # fmt: skip
        return
    draft.put(case, member)
    if not flap.is_told_down:
        case.due_s = now_s


def _goes_on_flapping(draft: Draft, found: Case, target: str, flap: Flap, now_s: float) -> None:
    """That it flaps is mailed, and that it is DOWN where it stays so, but not more often than people can read."""
    due_s = flapping_due_s(found, target, flap, now_s)
    if due_s is None or due_s > now_s or (found.due_s is not None and found.due_s <= now_s):
        return
    case = draft.edit(found)
    case.due_s = now_s
    down_s = now_s - (now_s if flap.changed_s is None else flap.changed_s)
    if found.members[target].state in BLOCKED and down_s >= flapping.STAYS_DOWN_S:
        case.note(Why.FLAPPING_DOWN, f"DOWN for {down_s:.0f} s", target)


def flapping_due_s(found: Case, target: str, flap: Flap, now_s: float) -> float | None:
    """When people are to be mailed of one that flaps, as things are now; None: nothing of it is to be said."""
    if found.members[target].muted or (found.is_told and found.incident.acknowledged is not None):
        return None
    is_down = found.members[target].state in BLOCKED
    changed_s = now_s if flap.changed_s is None else flap.changed_s
    due_s = flapping.tells_down_s(flap, changed_s) if is_down and not flap.is_told_down else None
    if (
        flap.is_mailed
        and not flap.is_told
        and (is_down or found.is_told or now_s - changed_s < flapping.steady_s(flap.interval_s))
    ):
        may_s = flapping.may_mail_s(flap, now_s)
        due_s = may_s if due_s is None else min(may_s, due_s)
    return due_s


def recalled(board: Board, flaps: Mapping[str, Flap], now_s: float) -> None:
    """What is known of changes before a restart holds mails back as it did then, and what waited to be told waits again."""
    for target, flap in flaps.items():
        board.put_flap(target, flap)
    draft = Draft(board)
    for case in board.cases.values():
        if case.is_told:
            unsettled(draft, case, now_s)
            continue
        if not case.open:
            continue
        dues_s = [_recalled_s(case.members[one], flaps.get(one)) for one in case.open]
        case.due_s = min((one for one in dues_s if one is not None), default=None)


def _recalled_s(member: Member, flap: Flap | None) -> float | None:
    if member.critical or flap is None or flap.changed_s is None:
        return 0.0
    if member.flapping:
        return None
    return flapping.opens_s(flap, flap.changed_s) if flapping.is_held(flap, flap.changed_s) else 0.0


def tell_what_is_due(draft: Draft, now_s: float, quiet: Quiet, now: Time) -> None:
    """Mails that have waited for others long enough. `quiet`, of the moment `now`: of whom nobody is to be mailed."""
    for case in [one for one in draft if one.due_s is not None and one.due_s <= now_s]:
        edited = draft.edit(case)
        muting.of_case(draft, edited, quiet, now, now_s)
        if edited.muting is not None:
            muting.hold(draft, edited)
            continue
        if edited.due_s is None or edited.due_s > now_s:
            continue
        if case.is_told and (by := _who_has(edited)):
            edited.due_s, edited.unsettled_s = NOT_WHILE_TAKEN, None
            edited.note(Why.CHANGE_NOT_MAILED, f"{by} has it, and gets no mail of each change")
            continue
        if not case.is_told and (case.is_unseen or _is_coming_back(draft, case)):
            # What nobody can see any more may have been nothing, and what comes back is over in a moment: that is
            # found out first.
            edited.due_s = now_s + _LOOK_AGAIN_S
            continue
        is_first = not edited.is_told
        draft.told(edited, now_s)
        edited.note(Why.MAILED_OPENING if is_first else Why.MAILED_CHANGE)


def _who_has(case: Case) -> str | None:
    """Who has taken it on, and with it all that there is to tell: what is part of it only since then nobody has."""
    taken = case.incident.acknowledged
    return taken.by if taken is not None and not unsaid(case) else None


def _of_verdict(draft: Draft, change: VerdictChange, world: World, now: Time, now_s: float) -> None:
    verdict = change.after
    _returns_no_more(draft, change)
    if verdict is None or verdict.state is VerdictState.PAUSED:
        why, text = (
            (Why.TARGET_PAUSED, "the target was paused") if verdict else (Why.TARGET_REMOVED, "the target was removed")
        )
        _leave(draft, draft.find(of_target(change.target)), change, why, now, now_s, text)
        draft.flaps[change.target] = None
        return
    before = draft.flap(change.target)
    if _turns(change) and change.definition is not None:
        options = change.definition
        draft.flaps[change.target] = flapping.changed(
            before, options.flap_after, options.interval_s, now_s, is_mailed=options.mail_flapping
        )
    _judged(draft, change, verdict, world, now, now_s)
    if draft.flap(change.target).is_flapping and not before.is_flapping:
        _flaps(draft, change.target, now_s)


def _judged(draft: Draft, change: VerdictChange, verdict: Verdict, world: World, now: Time, now_s: float) -> None:
    found = draft.find(of_target(change.target))
    if found is None and verdict.state is VerdictState.UP:
        return
    if found is not None and found.incident.kind == IncidentKind.TARGET_UNRESOLVABLE:
        if verdict.state not in LOOKED_AT:
            return
        text = f"{verdict.state}: {verdict.reason}"[:500]
        _leave(draft, found, change, Why.NAME_RESOLVED, now, now_s, text)
        found = None
    if found is not None and found.incident.kind in LESSER.values():
        if not _outgrows(draft, found, change, verdict, now_s):
            return
        found = None
    if verdict.state in REACHED:
        _reached(draft, found, change, verdict, world, now, now_s)
    elif verdict.state is VerdictState.UNKNOWN and found is not None and not found.is_told:
        case = draft.edit(found)
        draft.put(case, replace(case.members[change.target], state=verdict.state))
    elif verdict.state is VerdictState.UNREACHABLE and change.definition is not None:
        _behind(draft, found, change, change.definition, world, now, now_s)
    elif verdict.state is VerdictState.DOWN and change.definition is not None:
        _down(draft, found, change, change.definition, world, now, now_s)


def _outgrows(draft: Draft, found: Case, change: VerdictChange, verdict: Verdict, now_s: float) -> bool:
    """Whether it is better or worse now than the state that its incident is about, which is over then."""
    if verdict.state in (VerdictState.UNKNOWN, VerdictState.MAINTENANCE, found.members[change.target].state):
        return False
    why = Why.TARGET_RECOVERED if verdict.state is VerdictState.UP else Why.TARGET_CHANGED
    _leave(draft, found, change, why, verdict.since, now_s, f"{verdict.state}: {verdict.reason}"[:500])
    return True


def _reached(
    draft: Draft, found: Case | None, change: VerdictChange, verdict: Verdict, world: World, now: Time, now_s: float
) -> None:
    text = f"{verdict.state}: {verdict.reason}"[:500]
    if found is not None and draft.flap(change.target).is_flapping:
        draft.put_returning(change.target, None)
        case = draft.edit(found)
        draft.put(case, replace(case.members[change.target], state=verdict.state, behind=None, flapping=True))
    elif found is not None and verdict.state is VerdictState.PARTIAL and world.returns_s > 0:
        _returns(draft, found, change, text, now_s)
    else:
        ended_at = verdict.since if verdict.state in (VerdictState.UP, VerdictState.DEGRADED) else now
        _leave(draft, found, change, Why.TARGET_RECOVERED, ended_at, now_s, text)
        _lesser(draft, change, verdict, world, now, now_s)


def _returns(draft: Draft, found: Case, change: VerdictChange, text: str, now_s: float) -> None:
    """Some sites reach it again, the others may in a moment: one mail is to say how it is then."""
    known = draft.returns(change.target)
    draft.put_returning(change.target, Returning(known.since_s if known else now_s, change))
    if known is None:
        case = draft.edit(found)
        case.note(Why.COMING_BACK, text, change.target)
        unsettled(draft, case, now_s)


def _returns_no_more(draft: Draft, change: VerdictChange) -> None:
    """Unless it is as it was."""
    state = change.after.state if change.after else None
    if draft.returns(change.target) is None or state is VerdictState.PARTIAL:
        return
    draft.put_returning(change.target, None)
    found = draft.find(of_target(change.target))
    if change.after is not None and found is not None and state is VerdictState.DOWN:
        draft.edit(found).note(Why.MEMBER_AGAIN, change.after.reason, change.target)


def _is_coming_back(draft: Draft, case: Case) -> bool:
    """Whether some sites reach again all that is still part of it."""
    return bool(case.open) and all(draft.returns(one) for one in case.open)


def _lesser(draft: Draft, change: VerdictChange, verdict: Verdict, world: World, now: Time, now_s: float) -> None:
    """A state less than DOWN is an incident where the target's options ask for it; those of one group are one."""
    definition = change.definition
    if definition is None or verdict.state not in LESSER:
        return
    is_partial = verdict.state is VerdictState.PARTIAL
    if not (definition.mail_partial if is_partial else definition.mail_degraded):
        return
    kind, key = LESSER[verdict.state], Key(verdict.state, definition.group)
    member, home = make.member_of(definition, verdict), draft.forming(key)
    if home is None or (member.critical and home.is_told):
        code, why = (
            (CauseCode.PARTLY_DOWN, Why.TARGET_WENT_PARTIAL)
            if is_partial
            else (CauseCode.DEGRADED, Why.TARGET_WENT_DEGRADED)
        )
        incident = make.about_target(kind, code, definition, verdict, change.states, now)
        case = draft.open(Case(incident, keys={key}, why=why))
        case.note(why, verdict.reason, change.target)
    else:
        case = draft.edit(home)
        case.note(Why.MEMBER_JOINED, verdict.reason, change.target)
    draft.put(case, member)
    if definition.flap_after is None:
        draft.flaps[change.target] = flapping.unlimited(draft.flap(change.target))
    _await_others(draft, case, member, world, now_s)


def _turns(change: VerdictChange) -> bool:
    """Whether it went down or came back, as its sites see it."""
    if change.before is None or change.after is None:
        return False
    states = (change.before.state, change.after.state)
    return VerdictState.DOWN in states and any(one in REACHED for one in states)


def _flaps(draft: Draft, target: str, now_s: float) -> None:
    """It flaps from now on: it stays part of its incident until it is calm, and time tells when that is mailed."""
    found = draft.find(of_target(target))
    if found is None:
        return
    flap = draft.flap(target)
    lately = sum(now_s - at_s <= flapping.WITHIN_S for at_s in flap.changes_s)
    pct = flapping.change_pct(flap.changes_s, flap.interval_s, now_s)
    case = draft.edit(found)
    draft.put(case, replace(case.members[target], flapping=True))
    case.note(Why.STARTED_FLAPPING, f"{lately} changes within half an hour, weighted state change {pct:.1f} %", target)
    if not case.is_told and all(case.members[one].flapping for one in case.open):
        case.due_s = None


def _behind(
    draft: Draft, found: Case | None, change: VerdictChange, definition: Target, world: World, now: Time, now_s: float
) -> None:
    """It is part of the incident of the parent it lies behind, and mailed with nothing of its own."""
    assert change.after is not None
    homes = [(one, case) for one in world.in_the_way(change.target) if (case := draft.find(of_target(one)))]
    if not homes:
        return
    # Of several it stays with the one it is part of already.
    parent, home = next((one for one in homes if found is not None and one[1].id == found.id), homes[0])
    root = home.members[parent].behind or parent if parent in home.members else parent
    if found is not None and found.id == home.id:
        member = home.members[change.target]
        if (member.state, member.behind) != (VerdictState.UNREACHABLE, root):
            case = draft.edit(home)
            draft.put(case, replace(member, state=VerdictState.UNREACHABLE, behind=root))
            _follow(draft, case, change.target, case, root, world)
            unsettled(draft, case, now_s)
        return
    case = draft.edit(home)
    member = make.member_of(definition, change.after, behind=root)
    if found is None:
        draft.put(case, member)
        case.note(Why.BEHIND_PARENT, f"every path to it goes through {root}", change.target)
    else:
        left = draft.edit(found)
        draft.move(left, change.target, case, state=VerdictState.UNREACHABLE, behind=root)
        _follow(draft, left, change.target, case, root, world)
        left.note(Why.MEMBER_MOVED, f"it lies behind {root}: part of {case.id}", change.target)
        case.note(
            Why.BEHIND_PARENT, f"every path to it goes through {root}; part of {left.id} until now", change.target
        )
        _merged(draft, left, case, now, now_s)
    if member.critical and not case.is_told:
        _await_others(draft, case, member, None, now_s)
    unsettled(draft, case, now_s)


def _follow(draft: Draft, left: Case, top: str, home: Case, root: str, world: World) -> None:
    """What lies behind `top`, however far, lies behind `root` as well, and is part of the same incident.

    Their verdicts stay as they are, so that nobody judges them again.
    """
    waiting, met = [top], {top}
    while waiting:
        one = waiting.pop()
        for name in world.children(one):
            member = left.members.get(name)
            if name in met or member is None or name not in left.open or member.state != VerdictState.UNREACHABLE:
                continue
            if one not in world.in_the_way(name):
                continue
            met.add(name)
            waiting.append(name)
            if left is not home:
                draft.move(left, name, home, behind=root)
            elif member.behind != root:
                draft.put(home, replace(member, behind=root))


def _down(
    draft: Draft, found: Case | None, change: VerdictChange, definition: Target, world: World, now: Time, now_s: float
) -> None:
    assert change.after is not None
    member = make.member_of(definition, change.after)
    if found is not None:
        known = found.members.get(change.target)
        if known is not None and known.state != VerdictState.DOWN:
            # Its parent is back, and it is not.
            case = draft.edit(found)
            draft.put(case, replace(known, state=VerdictState.DOWN, behind=None))
            _follow(draft, case, change.target, case, change.target, world)
            unsettled(draft, case, now_s)
        return
    down_from = make.down_from(change.after)
    world.falls.add(change.target, down_from, now_s)
    keys = [Key("parent", one) for one in parents_of(definition)] + [Key("group", definition.group)]
    lost = [Key("site", site) for site in down_from if world.falls.is_mass(site, world.seen)]
    home = _home(draft, change.target, member, [*lost, *keys], world)
    if home is None:
        incident = make.about_target(
            IncidentKind.TARGET_DOWN, CauseCode.DOWN, definition, change.after, change.states, now
        )
        case = draft.open(Case(incident, why=Why.TARGET_WENT_DOWN))
        draft.put(case, member)
        case.note(Why.TARGET_WENT_DOWN, change.after.reason, change.target)
    else:
        case = draft.edit(home)
        is_back = change.target in case.members
        if is_back:
            member = replace(member, joined_at=case.members[change.target].joined_at)
        draft.put(case, member)
        case.note(Why.MEMBER_AGAIN if is_back else Why.MEMBER_JOINED, change.after.reason, change.target)
        if not case.is_told and any(child in case.open for child in world.children(change.target)):
            # What lies behind it failed first; the cause is this one.
            evidence = make.evidence(change.after, change.states)
            first = make.first_unanswered(change.after, change.states)
            case.incident = replace(case.incident, cause=change.after.reason, evidence=evidence, first_unanswered=first)
    if not case.is_told:
        _seen_from(case, down_from)
        # What a site has lost sight of is looked through once, when it turns out to be much.
        new = [key for key in lost if key not in case.keys]
        others = _others(draft, case, [*keys, *new], world)
        draft.form(case, [*keys, *lost])
        for other in others:
            _join(draft, draft.edit(other), case, now, now_s)
    _await_others(draft, case, member, world, now_s)
    unsettled(draft, case, now_s)


def _home(draft: Draft, target: str, member: Member, keys: list[Key], world: World) -> Case | None:
    """The incident it is part of: its own that is still open, or one with which it has something in common.

    A critical target joins none that people know of already: it has a mail of its own.
    """
    former = draft.former(target)
    is_one = former is not None and former.incident.kind not in APART
    if is_one and former is not None and not (member.critical and former.is_told):
        return former
    for child in world.children(target):
        behind = draft.find(of_target(child))
        if behind is not None and not behind.is_told and behind.incident.kind not in APART:
            return behind
    for key in keys:
        found = draft.forming(key)
        if found is not None and not (member.critical and found.is_told):
            return found
    return None


def _others(draft: Draft, case: Case, keys: list[Key], world: World) -> list[Case]:
    """Incidents nobody was told of yet that turn out to be one with this one."""
    found: dict[str, Case] = {}
    for key in keys:
        other = draft.forming(key)
        if other is not None:
            found[other.id] = other
        if key.kind == "site":
            for target in world.falls.of(key.name):
                one = draft.find(of_target(target))
                if one is not None:
                    found[one.id] = one
    return [one for one in found.values() if one.id != case.id and not one.is_told and one.incident.kind not in APART]


def _seen_from(case: Case, sites: Iterable[str]) -> None:
    """What joins before people are told may be DOWN from further sites."""
    case.incident = replace(case.incident, sites=sorted({*case.incident.sites, *sites})[:_MAX_SITES])


def _join(draft: Draft, left: Case, home: Case, now: Time, now_s: float) -> None:
    for target in list(left.members):
        draft.move(left, target, home)
    due = [one for one in (left.due_s, home.due_s) if one is not None]
    home.due_s = min(due) if due else None
    home.note(Why.MEMBER_JOINED, f"{left.id} is one with it")
    _seen_from(home, left.incident.sites)
    draft.form(home, left.keys)
    _merged(draft, left, home, now, now_s)


def _await_others(draft: Draft, case: Case, member: Member, world: World | None, now_s: float) -> None:
    """Until when others may join before people are told."""
    if case.is_told:
        return
    wait_s = CRITICAL_WAIT_S if member.critical or world is None else world.wait_s
    if world is not None:
        wait_s = min(wait_s, world.wait_s)
    due_s = now_s + wait_s
    flap = draft.flap(member.target)
    is_about_names = case.incident.kind == IncidentKind.TARGET_UNRESOLVABLE
    if not member.critical and not is_about_names and flapping.is_held(flap, now_s):
        due_s = max(due_s, flapping.opens_s(flap, now_s))
        text = (
            f"last mailed {(now_s - flap.mails_s[-1]) / 60:.0f} min ago: mailed again if it lasts {due_s - now_s:.0f} s"
        )
        case.note(Why.MAIL_HELD, text, member.target)
    case.due_s = due_s if case.due_s is None else min(case.due_s, due_s)


def _leave(
    draft: Draft, found: Case | None, change: VerdictChange, why: Why, at: Time, now_s: float, text: str
) -> None:
    if found is None:
        return
    case = draft.edit(found)
    member = case.members[change.target]
    left = replace(member, left_at=Time(max(at, member.joined_at)))
    case.note(why, text, change.target)
    _left(draft, case, left, why, at, now_s, text, change.after.state if change.after else None)


def _left(
    draft: Draft,
    case: Case,
    left: Member,
    why: Why,
    at: Time,
    now_s: float,
    text: str,
    state: VerdictState | None,
    *,
    is_mailed: bool = True,
) -> None:
    """The last that leaves ends it."""
    was_unseen = case.is_unseen
    draft.put(case, left)
    if case.open:
        unsettled(draft, case, now_s)
        return
    case.incident = replace(case.incident, resolved_at=Time(max(at, case.incident.opened_at)))
    # Whose last outage people have just been mailed of is UP, as they know.
    was_held = not case.is_told and all(flapping.is_held(draft.flap(one), now_s) for one in case.members)
    if was_held:
        case.note(Why.NOT_MAILED, "over before it was mailed, soon after the mails of the last one")
    was_muted = not case.is_told and muting.was_never_loud(case)
    if was_muted:
        case.note(Why.NOT_MAILED, "over while nobody was mailed of it")
    draft.end(
        case,
        why,
        text,
        now_s,
        state,
        is_mailed=case.is_told or (is_mailed and not (was_unseen or was_held or was_muted)),
    )


def _merged(draft: Draft, left: Case, home: Case, now: Time, now_s: float) -> None:
    """Whoever was told of the start of an incident is told where it went."""
    if left.open:
        unsettled(draft, left, now_s)
        return
    text = f"it is part of incident {home.id}"
    ended_at = Time(max(now, left.incident.opened_at))
    left.incident = replace(left.incident, resolved_at=ended_at, open_members=0, merged_into=home.id)
    left.note(Why.MERGED, text)
    draft.end(left, Why.MERGED, text, now_s, is_mailed=left.is_told)
