"""What a letter's templates are given: facts as the texts that people read. docs/mail-templates.md lists them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final

from noc_alerter.notify import letter as letters
from noc_alerter.notify.letter import CHANGED, MAX_NAMED, OPENED, Digest, Facts, FoundLate, HeldBack, Late
from noc_bus.messages import Incident, Member
from noc_bus.time import Time
from noc_rules.correlate import Why
from noc_rules.incident import IncidentKind
from noc_rules.uptime import duration

_STATES: Final = {
    IncidentKind.TARGET_DOWN: "DOWN",
    IncidentKind.MASS_OUTAGE: "MASS OUTAGE",
    IncidentKind.TARGET_PARTIAL: "PARTIAL",
    IncidentKind.TARGET_DEGRADED: "DEGRADED",
    IncidentKind.TARGET_UNRESOLVABLE: "UNRESOLVABLE",
    IncidentKind.SITE_BLIND: "BLIND",
    IncidentKind.DUPLICATE: "DUPLICATE",
    IncidentKind.BROKER_LOST: "NO BROKER",
    IncidentKind.SERVICE_TROUBLE: "NOC PROBLEM",
    IncidentKind.SERVICE_AWAY: "SERVICE AWAY",
    IncidentKind.NOTICES_REFUSED: "NOT TAKEN",
    IncidentKind.CLOCK_WRONG: "CLOCK WRONG",
    IncidentKind.EXPIRING: "EXPIRES",
}
# What stands where the state stood, for endings that are no new state of a target.
_ENDS: Final = {
    Why.SITE_RECOVERED: "RECOVERED",
    Why.DUPLICATE_GONE: "RECOVERED",
    Why.BROKER_CAME_BACK: "RECOVERED",
    Why.SERVICE_RECOVERED: "RECOVERED",
    Why.MERGED: "MERGED",
}
# What of the words a subject has in its brackets, by template.
_BRACKETS: Final = {OPENED: "state", CHANGED: "still", "resolved": "ended"}
FOUND_LATE: Final = "found_late"
"""The template of the mail about outages found in late data."""
MAX_LISTED: Final = 20
"""Members that a mail names."""
# A mail is read on a phone, and is to be small whatever people call things.
_MAX_EVIDENCE: Final = 10
_MAX_COMMENTS: Final = 5
_LINE_CHARS: Final = 200
_SITES_NAMED: Final = 3


Words = dict[str, Any]


def of_incident(facts: Facts, public_url: str, zone: tzinfo) -> Words:
    """For opened, changed and resolved: the incident's own names, whatever its target is called by now."""
    incident = facts.incident
    name, address = letters.named(incident)
    group = incident.members[0].group if incident.members else ""
    state, open_members = _state(incident), [one for one in incident.members if one.left_at is None]
    over = _ENDS.get(facts.why) or (facts.state if facts.state in _NEW_STATES else "CLOSED")  # type: ignore[call-overload]
    ended = incident.resolved_at
    lasted = duration(ended - incident.opened_at) if ended is not None else ""
    total = max(incident.total_members, len(incident.members))
    # An older alerter's incident has one target.
    still = incident.open_members if incident.open_members is not None else len(open_members)
    shown = (open_members if ended is None else incident.members)[:MAX_LISTED]
    listed = still if ended is None else total
    return {
        "state": f"{open_members[0].state}, FLAPPING" if [one.flapping for one in open_members] == [True] else state,
        "over": str(over),
        "ended": f"{over} after {lasted}",
        "still": _still(open_members, still, "DOWN" if incident.kind == IncidentKind.MASS_OUTAGE else state),
        "back": facts.back,
        "stem": facts.stem or letters.stem(incident),
        "name": facts.stem or name if total > 1 else name,
        "at_address": f" ({address})" if address and address != name and total <= 1 else "",
        "address": address if total <= 1 else "",
        "group": group,
        "members": [_member(one) for one in shown] if total > 1 or any(one.flapping for one in shown) else [],
        "unlisted": max(0, listed - len(shown)),
        "counted": f"{listed:,}{'' if listed == total else f' of {total:,}'} {'target' if total == 1 else 'targets'}",
        "note": facts.note,
        "kind": str(incident.kind),
        "severity": str(incident.severity or "major"),
        "sites": [letters.plain(one) for one in incident.sites],
        "critical": incident.kind != IncidentKind.BROKER_LOST and any(one.critical for one in incident.members),
        "since": at(incident.opened_at, zone),
        "until": at(ended, zone) if ended is not None else "",
        "duration": lasted,
        "cause": incident.cause,
        "evidence": [_short(one) for one in incident.evidence[:_MAX_EVIDENCE]],
        "unshown": max(0, len(incident.evidence) - _MAX_EVIDENCE),
        "outcome": facts.text,
        "comments": [_said(*one, zone) for one in _comments(incident)[-_MAX_COMMENTS:]],
        "incident": incident.id,
        "link": f"{public_url}/{_path(incident)}" if public_url else "",
        "acknowledge": f"{public_url}/incidents/{incident.id}?acknowledge" if public_url and ended is None else "",
    }


def _comments(incident: Incident) -> list[tuple[Time, str, str]]:
    """When who said what of it, as it happened; who took it on may have said something, too."""
    said = [(one.at, one.by, one.text) for one in incident.comments]
    taken = incident.acknowledged
    said += [(taken.at, taken.by, taken.comment)] if taken and taken.comment else []
    return sorted(said, key=lambda one: one[0])


def _said(time: Time, by: str, text: str, zone: tzinfo) -> str:
    line = " ".join(text.split())
    return "".join(one for one in _short(f"{letters.plain(by)}, {at(time, zone)}: {line}") if one.isprintable())


def subject(template: str, facts: Facts, told: Words, zone: tzinfo) -> str:
    """Of a mail about an incident. What stands in brackets is not part of what mail programs thread by."""
    return f"[{told[_BRACKETS[template]]}] {told['stem']}{_where(facts.incident.sites)} since {_clock(facts, zone)}"


def of_digest(digest: Digest, public_url: str, zone: tzinfo) -> Words:
    return {
        "name": f"{digest.total:,} mails in one",
        "address": "",
        "total": digest.total,
        "since": at(digest.first[0].at, zone),
        "until": at(digest.until, zone),
        "first": [_late(late, zone) for late in digest.first],
        "more": digest.total - len(digest.first),
        "link": f"{public_url}/incidents?show=all" if public_url else "",
    }


def of_found(found: FoundLate, public_url: str, zone: tzinfo) -> Words:
    return {
        "name": f"{found.total:,} {'outage' if found.total == 1 else 'outages'} found in data that came late{_where(found.sites)}",
        "address": "",
        "total": found.total,
        "sites": [letters.plain(one) for one in found.sites],
        "first": [_over(incident, zone) for incident in found.first],
        "more": found.total - len(found.first),
        "link": f"{public_url}/incidents?show=all" if public_url else "",
    }


def _over(incident: Incident, zone: tzinfo) -> str:
    ended = incident.resolved_at or incident.opened_at
    lasted = duration(ended - incident.opened_at)
    line = f"{at(incident.opened_at, zone)}: {_state(incident)} {letters.stem(incident)}{_where(incident.sites)}, for {lasted}"
    return _short(line)


def of_held_back(held: HeldBack, public_url: str, zone: tzinfo) -> Words:
    return {
        "name": f"{held.total} mails are held back",
        "address": "",
        "total": held.total,
        "per_hour": held.per_hour,
        "until": at(held.until, zone),
        "first": [_line(incident, zone) for incident in held.first[:MAX_NAMED]],
        "more": held.total - len(held.first[:MAX_NAMED]),
        "link": f"{public_url}/incidents" if public_url else "",
    }


def _late(late: Late, zone: tzinfo) -> str:
    """A line of a digest: when it happened, and what stands in the subject of the mail that was not taken."""
    incident, kind = late.facts.incident, late.transition.partition("-")[0]
    happened = {OPENED: incident.opened_at, "resolved": incident.resolved_at}.get(kind) or late.at
    words = of_incident(late.facts, "", zone)
    return _short(
        f"{at(happened, zone)}: {words[_BRACKETS.get(kind, 'still')]}: {words['stem']}{_where(incident.sites)}"
    )


def _state(incident: Incident) -> str:
    known: str | None = _STATES.get(incident.kind)  # type: ignore[call-overload]  # any text
    return known or incident.kind.upper().replace("-", " ")


def _still(members: Sequence[Member], count: int, state: str) -> str:
    """What stands in the brackets of a change."""
    if count == 1 and members and members[0].flapping:
        return f"{members[0].state}, FLAPPING"
    # One about a site or the NOC itself has no members.
    return f"{count:,} STILL {state}" if count else f"STILL {state}"


def _member(member: Member) -> str:
    """A line of the list."""
    name, address = letters.plain(member.name), letters.plain(member.address)
    parts = [f"{name} ({address})" if address and address != name else name, member.group]
    parts += ["critical"] if member.critical else []
    parts += [f"behind {member.behind}"] if member.behind else []
    parts += ["in maintenance"] if member.muted else []
    parts += [f"flapping, {member.state} now"] if member.flapping else []
    return _short(", ".join(part for part in parts if part))


_NEW_STATES: Final = ("UP", "DEGRADED", "PARTIAL", "DOWN", "UNREACHABLE")


def _path(incident: Incident) -> str:
    return f"targets/{incident.targets[0]}" if len(incident.targets) == 1 else f"incidents/{incident.id}"


def _line(incident: Incident, zone: tzinfo) -> str:
    return _short(
        f"{_state(incident)} {letters.stem(incident)}{_where(incident.sites)} since {at(incident.opened_at, zone)}"
    )


def _short(line: str) -> str:
    return line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 1]}…"


def _where(sites: Sequence[str]) -> str:
    """The first of these sites in brackets, for a subject."""
    more = f" +{len(sites) - _SITES_NAMED}" if len(sites) > _SITES_NAMED else ""
    return f" ({', '.join(map(letters.plain, sites[:_SITES_NAMED]))}{more})" if sites else ""


def _clock(facts: Facts, zone: tzinfo) -> str:
    return f"{facts.incident.opened_at.datetime().astimezone(zone):%H:%M}"


def at(time: Time, zone: tzinfo) -> str:
    """Like 2026-11-24 13:00:00 CET (12:00:00 UTC)."""
    utc = time.datetime()
    there = utc.astimezone(zone)
    if not there.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    day = "" if there.date() == utc.date() else f"{utc:%Y-%m-%d} "
    return f"{there:%Y-%m-%d %H:%M:%S %Z} ({day}{utc:%H:%M:%S} UTC)"
