"""Of whom nobody is mailed for the moment, and why: the one place that decides it.

What is muted is measured, judged and kept as always. When that ends and it is still bad, a fresh check is waited
for, and then people are mailed once. What is over by then is mailed to nobody who was not told that it began.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from noc_bus.messages import Member, Muting, Target, Verdict
from noc_bus.time import Time
from noc_rules.cases import Case, Draft, lasts, unsettled
from noc_rules.correlate import Why
from noc_rules.incident import IncidentKind, down_from
from noc_rules.maintenance import Covers, Running
from noc_rules.verdict import VerdictCode

TOGETHER_S: Final = 60.0
"""Those whose window ended with that of others are mailed with them, if they are checked again within so long: sites
confirm what they see once a minute."""


class MuteCode(StrEnum):
    """Why nobody is mailed."""

    MAINTENANCE = "maintenance"
    SITE_MAINTENANCE = "site-maintenance"
    PARENT_MAINTENANCE = "parent-maintenance"
    SNOOZED = "snoozed"
    CONFIRMING = "confirming"


@dataclass(frozen=True)
class Quiet:
    """All that muting depends on, looked up as it is at this moment."""

    covers: Covers
    """Of the windows that run."""
    target: Callable[[str], Target | None]
    down_from: Callable[[str], Collection[str]]
    """The sites that see a target DOWN."""
    is_fresh: Callable[[str, Time], bool]
    """Whether all that see a target DOWN, or cannot resolve its name, have said so again since this moment."""


class Witnesses:
    """What sites had said of targets when it was first asked whether they say so again."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[Time, Mapping[str, int]]] = {}

    def say_again(self, verdict: Verdict, since: Time, said: Mapping[str, int]) -> bool:
        """Whether all sites that see a target DOWN, or cannot resolve its name, have said so again since first asked.

        `since` names the occasion; `said`: when each site of the verdict confirmed last what it sees, by its own clock.
        What each said then is compared with what it says now, and no clock with another.
        """
        before = self._asked.get(verdict.target)
        if before is None or before[0] != since:
            self._asked[verdict.target] = (since, said)
            return False
        is_nameless = verdict.code == VerdictCode.NO_ADDRESS
        witnesses = [site for site in (verdict.sites if is_nameless else down_from(verdict)) if site in said]
        return bool(witnesses) and all(said[site] != before[1].get(site) for site in witnesses)

    def forget(self, target: str) -> None:
        self._asked.pop(target, None)


def of_cases(draft: Draft, quiet: Quiet, now: Time, now_s: float) -> None:
    """What windows mean for every open incident. To be called about once a second."""
    for case in list(draft):
        of_case(draft, case, quiet, now, now_s)


def of_case(draft: Draft, case: Case, quiet: Quiet, now: Time, now_s: float) -> None:
    """Who of it is muted from now on, and who no longer."""
    if not case.members:
        _of_whole(draft, case, quiet, now, now_s)
        return
    if not quiet.covers and not any(case.members[one].muted for one in case.open):
        return
    # What others lie behind comes first: they follow it.
    for name in sorted(case.open, key=lambda one: (case.members[one].behind is not None, one)):
        known = draft.case(case.id) or case
        _put(draft, known, known.members[name], _wanted(known, known.members[name], quiet, now), now_s)
    _release(draft, draft.case(case.id) or case, quiet, now, now_s)


def hold(draft: Draft, case: Case) -> None:
    """It is time to mail about it, and all of it is muted. What goes down from now on is an incident of its own."""
    case.due_s = case.unsettled_s = None
    draft.close_to_others(case)


def was_never_loud(case: Case) -> bool:
    """Whether all that ever took part was muted until it left."""
    return bool(case.members) and all(one.muted for one in case.members.values())


def _put(draft: Draft, case: Case, member: Member, after: Muting | None, now_s: float) -> None:
    before = member.muted
    if before == after:
        return
    edited = draft.edit(case)
    draft.put(edited, replace(member, muted=after))
    _note(edited, before, after, member.target)
    if before is None and edited.unsettled_s is not None:
        unsettled(draft, edited, now_s)


def _release(draft: Draft, case: Case, quiet: Quiet, now: Time, now_s: float) -> None:
    """Those that were checked again since their windows ended, all at once."""
    waiting = [one for name in case.open if (one := case.members[name]).muted and _is_confirming(one)]
    fresh = [one for one in waiting if one.muted and quiet.is_fresh(one.target, one.muted.since)]
    if not fresh:
        return
    waits_s = max((now - one.muted.since) / 1000 for one in fresh if one.muted)
    if len(fresh) < len(waiting) and waits_s < TOGETHER_S:
        return
    for member in fresh:
        _put(draft, draft.case(case.id) or case, member, None, now_s)
    # Also who was told of it before its window is told that it goes on.
    draft.edit(case).due_s = now_s


def _is_confirming(member: Member) -> bool:
    return member.muted is not None and member.muted.code == MuteCode.CONFIRMING


def _wanted(case: Case, member: Member, quiet: Quiet, now: Time) -> Muting | None:
    covers = quiet.covers
    found: list[tuple[MuteCode, Running | None]] = []
    if covers:
        definition = quiet.target(member.target)
        found = [
            (MuteCode.SNOOZED, covers.incident(case.id)),
            (MuteCode.MAINTENANCE, covers.target(definition) if definition else None),
            (MuteCode.SITE_MAINTENANCE, covers.sites(quiet.down_from(member.target)) if covers.has_sites else None),
        ]
    known = [_muting(code, one, member.muted, now) for code, one in found if one is not None]
    root = case.members.get(member.behind) if member.behind else None
    if root is not None and root.muted is not None and root.left_at is None:
        known.append(replace(root.muted, code=MuteCode.PARENT_MAINTENANCE))
    if known:
        return max(known, key=lasts)
    if member.muted is None or member.muted.code == MuteCode.CONFIRMING:
        return member.muted
    if member.behind:
        # It is mailed with nothing of its own, so there is nothing to wait for.
        return None
    return replace(member.muted, code=MuteCode.CONFIRMING, since=now, until=None)


def _of_whole(draft: Draft, case: Case, quiet: Quiet, now: Time, now_s: float) -> None:
    """One about a site or the NOC itself; what is known of these is never older than a moment."""
    before = case.incident.muted
    named = [(MuteCode.SNOOZED, quiet.covers.incident(case.id))]
    if case.incident.kind == IncidentKind.SITE_BLIND and case.incident.site:
        named.append((MuteCode.MAINTENANCE, quiet.covers.sites([case.incident.site])))
    known = [_muting(code, one, before, now) for code, one in named if one is not None]
    after = max(known, key=lasts, default=None)
    if before == after:
        return
    edited = draft.edit(case)
    edited.incident = replace(edited.incident, muted=after)
    _note(edited, before, after, None)
    if after is None:
        edited.due_s = now_s


def _muting(code: MuteCode, one: Running, before: Muting | None, now: Time) -> Muting:
    if one.maintenance.covers and all(covered.kind == "everything" for covered in one.maintenance.covers):
        code = MuteCode.MAINTENANCE
    is_same = before is not None and (before.code, before.maintenance) == (code, one.maintenance.id)
    return Muting(
        code=code,
        maintenance=one.maintenance.id,
        title=one.maintenance.title,
        since=before.since if before is not None and is_same else now,
        until=Time(one.until) if one.until is not None else None,
    )


def _note(case: Case, before: Muting | None, after: Muting | None, target: str | None) -> None:
    if after is None:
        case.note(Why.UNMUTED, "checked again after it was muted: it is still so", target)
    elif after.code == MuteCode.CONFIRMING:
        case.note(Why.MUTE_ENDED, f"no longer muted by {after.title!r}: it is checked again first"[:500], target)
    elif before is None or (before.code, before.maintenance) != (after.code, after.maintenance):
        case.note(Why.MUTED, f"nobody is mailed of it: {_REASONS[after.code]} {after.title!r}"[:500], target)


_REASONS: Final[dict[str, str]] = {
    MuteCode.MAINTENANCE: "maintenance",
    MuteCode.SITE_MAINTENANCE: "only sites in maintenance see it DOWN,",
    MuteCode.PARENT_MAINTENANCE: "it lies behind what is muted by",
    MuteCode.SNOOZED: "snoozed,",
}
