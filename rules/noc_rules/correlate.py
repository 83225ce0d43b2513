"""From what is known of sites and of the NOC itself to what becomes of their incidents, each time with a named reason.

What verdicts mean for incidents is in `grouping`.

Decisions follow from how things are, not from what just happened: what could not be kept is decided again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from noc_bus.messages import Acknowledgement, Incident, VerdictState
from noc_bus.time import Time
from noc_rules import incident as make
from noc_rules.incident import BROKER, About, CauseCode, IncidentKind, of_duplicate, of_site
from noc_rules.verdict import Standing

BLIND_AFTER_S: Final = 60.0
"""A shorter absence is only a restart."""
BEHIND_AFTER_S: Final = 300.0
"""Of a site that is there we may only not have heard all yet: its writer and we ask and say again for a minute or two."""
UNRESOLVABLE_AFTER_S: Final = 600.0
BROKER_LOST_AFTER_S: Final = 60.0

# Some site reaches it again. UNKNOWN and UNREACHABLE prove nothing: the incident stays open.
REACHED: Final = (VerdictState.UP, VerdictState.DEGRADED, VerdictState.PARTIAL)
# Somebody knows its address again.
LOOKED_AT: Final = (*REACHED, VerdictState.DOWN, VerdictState.UNREACHABLE)


class Why(StrEnum):
    """What happened to an incident."""

    TARGET_WENT_DOWN = "target-went-down"
    TARGET_WENT_PARTIAL = "target-went-partial"
    TARGET_WENT_DEGRADED = "target-went-degraded"
    NAME_UNRESOLVED = "name-unresolved"
    SITE_WENT_BLIND = "site-went-blind"
    DUPLICATE_APPEARED = "duplicate-appeared"
    BROKER_WENT_AWAY = "broker-went-away"
    SERVICE_HAS_TROUBLE = "service-has-trouble"

    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGEMENT_EXPIRED = "acknowledgement-expired"
    COMMENTED = "commented"
    POST_MORTEM_WRITTEN = "post-mortem-written"
    POST_MORTEM_REMOVED = "post-mortem-removed"
    MUTED = "muted"
    MUTE_ENDED = "mute-ended"
    UNMUTED = "unmuted"
    MEMBER_JOINED = "member-joined"
    MEMBER_AGAIN = "member-again"
    MEMBER_MOVED = "member-moved"
    COMING_BACK = "coming-back"
    BEHIND_PARENT = "behind-parent"
    STARTED_FLAPPING = "started-flapping"
    FLAPPING_DOWN = "flapping-down"
    STOPPED_FLAPPING = "stopped-flapping"
    MAIL_HELD = "mail-held"
    NOT_MAILED = "not-mailed"
    CHANGE_NOT_MAILED = "change-not-mailed"
    MAILED_OPENING = "mailed-opening"
    MAILED_CHANGE = "mailed-change"
    NOBODY_TOLD = "nobody-told"
    TOLD_ADDED = "told-added"
    ESCALATED = "escalated"
    REMINDED = "reminded"
    FOUND_LATE = "found-late"
    BEGAN_EARLIER = "began-earlier"

    TARGET_RECOVERED = "target-recovered"
    TARGET_CHANGED = "target-changed"
    TARGET_REMOVED = "target-removed"
    TARGET_PAUSED = "target-paused"
    NAME_RESOLVED = "name-resolved"
    SITE_RECOVERED = "site-recovered"
    SITE_NOT_EXPECTED = "site-not-expected"
    SITE_REMOVED = "site-removed"
    DUPLICATE_GONE = "duplicate-gone"
    BROKER_CAME_BACK = "broker-came-back"
    SERVICE_RECOVERED = "service-recovered"
    NEXT_STAGE = "next-stage"
    UNKNOWN_KIND = "unknown-kind"
    MERGED = "merged"


OPENING: Final = frozenset(
    {
        Why.TARGET_WENT_DOWN,
        Why.TARGET_WENT_PARTIAL,
        Why.TARGET_WENT_DEGRADED,
        Why.NAME_UNRESOLVED,
        Why.SITE_WENT_BLIND,
        Why.DUPLICATE_APPEARED,
        Why.BROKER_WENT_AWAY,
        Why.SERVICE_HAS_TROUBLE,
    }
)
# Who deleted the site knows; who runs an older version cannot do anything about it; the next stage is told itself.
_QUIET: Final = frozenset({Why.ACKNOWLEDGED, Why.SITE_REMOVED, Why.UNKNOWN_KIND, Why.NEXT_STAGE})


@dataclass(frozen=True)
class IncidentChange:
    """An incident as it is from now on, and why."""

    why: Why
    incident: Incident
    about: tuple[About, ...]
    """What it is or was about, before this change."""
    text: str = ""
    """How it ended, for people."""
    state: VerdictState | None = None
    """What its target is now, where that ended it."""

    @property
    def opens(self) -> bool:
        return self.why in OPENING

    @property
    def resolves(self) -> bool:
        return self.incident.resolved_at is not None

    @property
    def is_mailed(self) -> bool:
        return self.why not in _QUIET


@dataclass(frozen=True)
class SiteFacts:
    """What is known of a site, beyond its presence."""

    site: str
    standing: Standing
    is_known: bool
    """It is set up, or a prober speaks for it; or not all that is retained has come, so that nobody can say."""
    is_expected: bool
    blind_since: Time | None
    """By our own clock; None: it can see."""
    blind_for_s: float = 0.0
    """For how long its present cause, or another of the same kind, has kept it from voting: that we lack some of what
    it says is one kind, all else the other."""


def of_site_facts(facts: SiteFacts, found: Incident | None, now: Time) -> IncidentChange | None:
    """What a site's presence means for its incident; `found`: the open one."""
    about = of_site(facts.site)
    if found is None:
        code = _why_blind(facts)
        if code is None or not facts.is_known or not facts.is_expected:
            return None
        cause = f"{_BLIND_CAUSES[code]}; what only this site pings is UNKNOWN, not DOWN"
        opened = make.about_site(IncidentKind.SITE_BLIND, code, facts.site, cause, facts.blind_since or now, now)
        return IncidentChange(Why.SITE_WENT_BLIND, opened, (about,))
    if not facts.is_known:
        return _resolved(found, Why.SITE_REMOVED, now, "the site was removed")
    if facts.blind_since is None:
        return _resolved(found, Why.SITE_RECOVERED, now, "the site can see again")
    if not facts.is_expected:
        return _resolved(found, Why.SITE_NOT_EXPECTED, now, "the site is no longer expected")
    return None


def of_duplicates(
    role: str,
    name: str,
    hosts: tuple[str, ...],
    found: Incident | None,
    now: Time,
) -> IncidentChange | None:
    """What it means that two processes speak under one name: `hosts` are their machines, none where there is only one.

    `role` is prober, and `name` its site; or service, and `name` which. `found`: the open incident about it.
    """
    about = of_duplicate(role, name)
    if hosts and found is None:
        where = " and ".join(hosts) if len(set(hosts)) > 1 else f"{hosts[0]}, twice"
        if role == "prober":
            cause = f"two probers run for site {name}, on {where}; the later one stands by: stop one, or give it another NOC_SITE"
            opened = make.about_site(
                IncidentKind.DUPLICATE, CauseCode.DUPLICATE_SITE, name, cause[:500], now, now, evidence=hosts
            )
        else:
            cause = f"two {name} services run on one broker, on {where}; the later one stands by: stop one of them"
            opened = make.about_middle(
                IncidentKind.DUPLICATE,
                CauseCode.DUPLICATE_SERVICE,
                f"duplicate-{name}",
                cause[:500],
                now,
                now,
                hosts,
            )
        return IncidentChange(Why.DUPLICATE_APPEARED, opened, (about,))
    if not hosts and found is not None:
        return replace_about(_resolved(found, Why.DUPLICATE_GONE, now, "only one is left"), about)
    return None


def of_broker(
    broker: str, lost_since: Time | None, lost_for_s: float, found: Incident | None, now: Time
) -> IncidentChange | None:
    """What the connection to the broker means. `lost_since` None: it is there."""
    if lost_since is None:
        return _resolved(found, Why.BROKER_CAME_BACK, now, "the broker answers again") if found else None
    if found or lost_for_s < BROKER_LOST_AFTER_S:
        return None
    cause = f"the alerter has no connection to the broker {broker}: until it is back, no outage of a target is noticed or mailed"
    opened = make.about_middle(IncidentKind.BROKER_LOST, CauseCode.NO_BROKER, "broker", cause[:500], lost_since, now)
    return IncidentChange(Why.BROKER_WENT_AWAY, opened, (BROKER,))


def of_acknowledgement(
    incident: Incident, about: tuple[About, ...], acknowledgement: Acknowledgement | None, now: Time
) -> IncidentChange | None:
    """Taking one back is said, too: that one is missing on the broker only leaves the incident as it is."""
    known = acknowledgement or incident.acknowledged
    if known is None:
        return None
    is_expired = known.until is not None and now >= known.until
    in_force = None if known.withdrawn or is_expired else known
    if _said(in_force) == _said(incident.acknowledged):
        return None
    why = Why.ACKNOWLEDGEMENT_EXPIRED if is_expired and not known.withdrawn else Why.ACKNOWLEDGED
    text = f"{known.by} had it until now" if why is Why.ACKNOWLEDGEMENT_EXPIRED else ""
    return IncidentChange(why, replace(incident, acknowledged=in_force), about, text)


def of_unknown(incident: Incident, about: tuple[About, ...], now: Time) -> IncidentChange:
    """An incident of a kind this version knows nothing about, and that names neither targets nor a site: let go of it."""
    return replace_about(_resolved(incident, Why.UNKNOWN_KIND, now, "this version does not know its kind"), *about)


def replace_about(change: IncidentChange, *about: About) -> IncidentChange:
    return IncidentChange(change.why, change.incident, about, change.text, change.state)


_BLIND_CAUSES: Final = {
    CauseCode.NO_PROBER: "its prober has never been seen",
    CauseCode.OFFLINE: "its prober is offline",
    CauseCode.ISOLATED: "its prober is isolated: none of its anchors answers",
    CauseCode.OVERLOADED: "its prober is overloaded: it loses too many of its own cycles",
    CauseCode.CATCHING_UP: "its prober is there, but its states on the broker are not those it says it has",
}

_LASTS_S: Final = {
    # An overloaded prober has looked at itself for a minute already.
    CauseCode.OVERLOADED: 0.0,
    CauseCode.CATCHING_UP: BEHIND_AFTER_S,
}


def why_blind(standing: Standing) -> CauseCode | None:
    """Why a site casts no vote; None: it does."""
    presence = standing.presence
    if presence is None:
        return CauseCode.NO_PROBER
    if not presence.online:
        return CauseCode.OFFLINE
    if presence.isolated:
        return CauseCode.ISOLATED
    if presence.overloaded:
        return CauseCode.OVERLOADED
    if not standing.is_current and standing.returned_at is None:
        return CauseCode.CATCHING_UP
    return None


def _why_blind(facts: SiteFacts) -> CauseCode | None:
    """As `why_blind`, once it has lasted."""
    if facts.blind_since is None:
        return None
    code = why_blind(facts.standing)
    return code if code is not None and facts.blind_for_s >= _LASTS_S.get(code, BLIND_AFTER_S) else None


def _resolved(found: Incident, why: Why, at: Time, text: str) -> IncidentChange:
    return IncidentChange(why, _ended(found, at), make.abouts(found), text)


def _ended(incident: Incident, at: Time) -> Incident:
    return replace(incident, resolved_at=Time(max(at, incident.opened_at)))


def _said(acknowledgement: Acknowledgement | None) -> tuple[object, ...] | None:
    if acknowledgement is None:
        return None
    return acknowledgement.by, acknowledgement.at, acknowledgement.comment, acknowledgement.until
