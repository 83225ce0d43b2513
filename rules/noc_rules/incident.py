"""What an incident is: its kinds, what each is about, and how one is written down when it opens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec.structs import replace

from noc_bus.messages import (
    LONGEST_COMMENT,
    Comment,
    Incident,
    IncidentNote,
    Member,
    SiteState,
    State,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.time import Time
from noc_rules.expiry import ExpiryCode
from noc_rules.verdict import NO_ADDRESS

MAX_MEMBERS_TOLD: Final = 200
MAX_COMMENTS_TOLD: Final = 10
_SLUG_CHARS: Final = 63


class IncidentKind(StrEnum):
    """What kinds there are. A reader may meet others, from a newer version."""

    TARGET_DOWN = "target-down"
    TARGET_UNRESOLVABLE = "target-unresolvable"
    SITE_BLIND = "site-blind"
    DUPLICATE = "duplicate"
    BROKER_LOST = "broker-lost"
    SERVICE_TROUBLE = "service-trouble"
    MASS_OUTAGE = "mass-outage"
    TARGET_PARTIAL = "target-partial"
    TARGET_DEGRADED = "target-degraded"
    SERVICE_AWAY = "service-away"
    NOTICES_REFUSED = "notices-refused"
    CLOCK_WRONG = "clock-wrong"
    EXPIRING = "expiring"


class Severity(StrEnum):
    """How bad one is, the worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


LESSER: Final = {
    VerdictState.PARTIAL: IncidentKind.TARGET_PARTIAL,
    VerdictState.DEGRADED: IncidentKind.TARGET_DEGRADED,
}
"""What a state less than DOWN is, where the target's options ask for an incident."""
APART: Final = frozenset({IncidentKind.TARGET_UNRESOLVABLE, *LESSER.values()})
"""Of these kinds no target that goes DOWN becomes part."""


def family(kind: str) -> str:
    """The same of incidents that tell of the same: being DOWN, in whatever company, or something less of its own kind."""
    return kind if kind in APART else IncidentKind.TARGET_DOWN


class CauseCode(StrEnum):
    """Why an incident opened."""

    DOWN = "down"
    PARTLY_DOWN = "partly-down"
    DEGRADED = "degraded"
    NO_ADDRESS = NO_ADDRESS
    NO_PROBER = "no-prober"
    OFFLINE = "offline"
    ISOLATED = "isolated"
    OVERLOADED = "overloaded"
    CATCHING_UP = "catching-up"
    DUPLICATE_SITE = "duplicate-site"
    DUPLICATE_SERVICE = "duplicate-service"
    NO_BROKER = "no-broker"
    SERVICE_TROUBLE = "service-trouble"
    AWAY = "away"
    MAIL_REFUSED = "mail-refused"
    WEBHOOK_REFUSED = "webhook-refused"
    CLOCK_WRONG = "clock-wrong"


class About(NamedTuple):
    """A thing that has at most one open incident at a time."""

    kind: str
    """target, site, duplicate, broker, a trouble of the NOC's own, or other for what this version does not know."""
    name: str


BROKER: Final = About("broker", "broker")


def of_target(name: str) -> About:
    return About("target", name)


def of_site(name: str) -> About:
    return About("site", name)


def of_duplicate(role: str, name: str) -> About:
    """`role`: prober, where `name` is a site; service, where it is a service."""
    return About("duplicate", f"{role} {name}")


def of_service(name: str) -> About:
    return About("service", name)


def abouts(incident: Incident) -> tuple[About, ...]:
    """What an incident is about. One of an unknown kind is about its targets or its site, as those known are."""
    match incident.kind:
        case IncidentKind.BROKER_LOST:
            return (BROKER,)
        case IncidentKind.DUPLICATE if incident.site:
            return (of_duplicate("prober", incident.site),)
        case IncidentKind.CLOCK_WRONG if incident.site:
            return (About("clock", f"site {incident.site}"),)
        case IncidentKind.DUPLICATE | IncidentKind.SERVICE_TROUBLE | IncidentKind.SERVICE_AWAY:
            return (About("other", incident.id),)
        case IncidentKind.NOTICES_REFUSED | IncidentKind.CLOCK_WRONG | IncidentKind.EXPIRING:
            return (About("other", incident.id),)
    if members := open_members(incident):
        return tuple(of_target(one) for one in members)
    if incident.site:
        return (of_site(incident.site),)
    return (About("other", incident.id),)


def members_of(incident: Incident) -> list[Member]:
    """Its members, as far as its message tells; an older one tells the names of its targets only."""
    known = {one.target: one for one in incident.members}
    return [
        known.get(one) or Member(target=one, name=one, joined_at=incident.opened_at)
        for one in dict.fromkeys([*known, *incident.targets])
    ]


def open_members(incident: Incident) -> tuple[str, ...]:
    """The targets that are still part of it."""
    left = {member.target for member in incident.members if member.left_at is not None}
    return tuple(target for target in incident.targets if target not in left)


def ordered(member: Member, roots: Collection[str]) -> tuple[object, ...]:
    """Sorts members as people want them: those that people are mailed of, critical ones, those that still take part, what others lie behind (`roots`)."""
    is_behind = member.behind is not None
    return (
        member.muted is not None, not member.critical, member.left_at is not None, member.target not in roots, is_behind, member.joined_at,
        member.target,
    )  # fmt: skip


_SOON_ENOUGH: Final = frozenset({ExpiryCode.IN_30_DAYS, ExpiryCode.IN_7_DAYS})


def severity(incident: Incident) -> Severity:
    if incident.kind == IncidentKind.BROKER_LOST or any(one.critical for one in incident.members):
        return Severity.CRITICAL
    still = [one for one in incident.members if one.left_at is None]
    is_lesser = (
        incident.kind in LESSER.values()
        or incident.code in _SOON_ENOUGH
        or (bool(still) and all(one.flapping for one in still))
    )
    return Severity.MINOR if is_lesser else Severity.MAJOR


def noted(incident: Incident, note: IncidentNote, at: Time) -> Incident:
    """With what somebody wrote of it: its message has the latest comments, and says when there is more to ask for."""
    if note.kind != "comment":
        return replace(incident, noted_at=at)
    comments = [*incident.comments, Comment(by=note.by, at=at, text=note.text[:LONGEST_COMMENT])]
    return replace(incident, noted_at=at, comments=comments[-MAX_COMMENTS_TOLD:])


def incident_id(subject: str, at: Time) -> str:
    """Readable, unique, and a slug: the moment and whom it is about."""
    text = re.sub(r"[^a-z0-9-]", "-", f"{at.datetime():%Y%m%d-%H%M%S}-{at % 1000:03d}-{subject}")
    if len(text) <= _SLUG_CHARS:
        return text
    # Long names often differ only at their end.
    return f"{text[: _SLUG_CHARS - 9]}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


def down_from(verdict: Verdict) -> list[str]:
    """The sites that do not reach it."""
    return [site for site, state in verdict.sites.items() if state is State.DOWN]


def evidence(verdict: Verdict, states: Mapping[str, SiteState]) -> list[str]:
    """What each site saw when it was decided."""
    lines = []
    for site, counted in verdict.sites.items():
        state = states.get(site)
        lines.append(f"{site} {counted}: {state.reason}"[:500] if state else f"{site} {counted}")
    return lines[:100]


def first_unanswered(verdict: Verdict, states: Mapping[str, SiteState]) -> dict[str, Time]:
    """By site that calls it DOWN: when the first check of that began. Of other states the first bad one is not known."""
    seen = {site: states[site] for site in down_from(verdict) if site in states}
    found = {site: state.since for site, state in seen.items() if state.state is State.DOWN}
    return dict(list(found.items())[:100])


def member_of(target: Target, verdict: Verdict, *, behind: str | None = None) -> Member:
    """It keeps the target's name, address and group as they are now, whatever becomes of them."""
    return Member(
        target=target.id,
        name=target.name,
        address=target.address,
        group=target.group,
        critical=target.critical,
        joined_at=verdict.since,
        state=verdict.state,
        behind=behind,
    )


def about_target(
    kind: IncidentKind, code: CauseCode, target: Target, verdict: Verdict, states: Mapping[str, SiteState], now: Time
) -> Incident:
    """Opened `now`, which names it: the same outage may be seen again after its incident was closed."""
    return Incident(
        id=incident_id(target.id, now),
        kind=kind,
        targets=[target.id],
        opened_at=verdict.since,
        cause=verdict.reason,
        code=code,
        sites=down_from(verdict),
        evidence=evidence(verdict, states),
        first_unanswered=first_unanswered(verdict, states),
    )


def about_site(
    kind: IncidentKind,
    code: CauseCode,
    site: str,
    cause: str,
    opened_at: Time,
    now: Time,
    *,
    evidence: tuple[str, ...] = (),
) -> Incident:
    return Incident(
        id=incident_id(f"{'site' if kind is IncidentKind.SITE_BLIND else kind}-{site}", now),
        kind=kind,
        targets=[],
        site=site,
        opened_at=opened_at,
        cause=cause,
        code=code,
        evidence=list(evidence),
    )


def about_middle(
    kind: IncidentKind,
    code: str,
    subject: str,
    cause: str,
    opened_at: Time,
    now: Time,
    evidence: tuple[str, ...] = (),
) -> Incident:
    """About a part of the NOC itself, in the middle."""
    return Incident(
        id=incident_id(subject, now),
        kind=kind,
        targets=[],
        opened_at=opened_at,
        cause=cause,
        code=code,
        evidence=list(evidence),
    )
