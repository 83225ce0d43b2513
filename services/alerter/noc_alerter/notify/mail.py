"""Mails about incidents: one thread for each incident and recipient, as text and as HTML."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from email.headerregistry import HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from noc_alerter.ledger import Letter
from noc_alerter.notify import letter as letters
from noc_alerter.notify.letter import (
    CHANGED,
    DIGEST,
    HELD_BACK,
    OPENED,
    REPORT,
    Digest,
    Facts,
    HeldBack,
    Late,
)
from noc_bus.messages import Incident, Member, ReportMail
from noc_bus.time import Time
from noc_rules.correlate import Why
from noc_rules.incident import IncidentKind
from noc_rules.notices import REMINDED
from noc_rules.uptime import duration


class _Verbatim:
    """A header that is written as it is: Python would fold a long id as encoded words, which no reader takes for one."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["parse_tree"] = None
        kwds["decoded"] = value

    def fold(self, *, policy: Any) -> str:
        # One id is far shorter than the 998 characters a line may have.
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]  # name is BaseHeader's


class _Subject(UniqueUnstructuredHeader):
    """Python begins a new line before the first word of a long one, and some readers show the space."""

    def fold(self, *, policy: Any) -> str:
        folded: str = super().fold(policy=policy)  # type: ignore[misc]  # BaseHeader's, which it is made one of
        return folded.replace(f":{policy.linesep} ", ": ", 1)


_HEADERS: Final = HeaderRegistry()
_HEADERS.map_to_type("subject", _Subject)  # type: ignore[arg-type]  # made one by the registry
for _name in ("message-id", "in-reply-to", "references"):
    _HEADERS.map_to_type(_name, _Verbatim)  # type: ignore[arg-type]  # made one by the registry
# Not every server on the way takes eight bits.
_POLICY: Final = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)

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
MAX_LISTED: Final = 20
"""Members that a mail names."""
# A mail is read on a phone, and is to be small whatever people call things.
_MAX_EVIDENCE: Final = 10
_LINE_CHARS: Final = 200
_SITES_NAMED: Final = 3


@dataclass(frozen=True)
class Mailer:
    """Writes mails; sends none."""

    sender: str
    public_url: str
    zone: tzinfo = UTC
    """Of the times; UTC is beside it."""

    def write(self, one: Letter, queued_at: Time) -> bytes:
        """The mail as it is sent: the same bytes for every try, but for its boundary."""
        if one.transition.startswith(DIGEST):
            return self._digest(one, letters.decode_digest(one.facts), queued_at)
        if one.transition.startswith(HELD_BACK):
            return self._held_back(one, letters.decode_held_back(one.facts), queued_at)
        if one.transition == REPORT:
            return self._report(one, letters.decode_report(one.facts), queued_at)
        facts = letters.decode_facts(one.facts)
        words = _words(facts, self.public_url, self.zone)
        template = (
            OPENED
            if one.transition == OPENED
            else CHANGED
            if one.transition.startswith((CHANGED, REMINDED))
            else "resolved"
        )
        # What stands in brackets is not part of what mail programs thread by.
        subject = (
            f"[{words[_BRACKETS[template]]}] {words['stem']}{_where(facts.incident)} since {_clock(facts, self.zone)}"
        )
        message = self._message(one, subject if template == OPENED else f"Re: {subject}", queued_at)
        if template != OPENED:
            opening = self._message_id(one.incident, OPENED, one.recipient)
            message["In-Reply-To"] = opening
            message["References"] = opening
        message["X-NOC-Incident"] = one.incident
        message["X-NOC-Severity"] = facts.incident.severity or "major"
        return _filled(message, template, words)

    def _digest(self, one: Letter, digest: Digest, queued_at: Time) -> bytes:
        subject = f"[NOC] {digest.total:,} mails in one: the mail server did not take them"
        words = {
            "name": f"{digest.total:,} mails in one",
            "address": "",
            "since": at(digest.first[0].at, self.zone),
            "until": at(digest.until, self.zone),
            "first": [_late(late, self.zone) for late in digest.first],
            "more": digest.total - len(digest.first),
            "link": f"{self.public_url}/incidents?show=all" if self.public_url else "",
        }
        return _filled(self._message(one, subject, queued_at), "digest", words)

    def _held_back(self, one: Letter, held: HeldBack, queued_at: Time) -> bytes:
        subject = f"[NOC] {held.total} more {'outage' if held.total == 1 else 'outages'}: their mails are held back"
        words = {
            "name": f"{held.total} mails are held back",
            "address": "",
            "total": held.total,
            "per_hour": held.per_hour,
            "until": at(held.until, self.zone),
            "first": [_line(incident, self.zone) for incident in held.first[:MAX_LISTED]],
            "more": held.total - len(held.first[:MAX_LISTED]),
            "link": f"{self.public_url}/incidents" if self.public_url else "",
        }
        return _filled(self._message(one, subject, queued_at), "held_back", words)

    def _report(self, one: Letter, report: ReportMail, queued_at: Time) -> bytes:
        """As the web service wrote it."""
        message = self._message(one, report.subject, queued_at)
        message["X-NOC-Report"] = report.report
        message.set_content(report.text)
        message.add_alternative(report.html, subtype="html")
        return message.as_bytes()

    def _message(self, one: Letter, subject: str, queued_at: Time) -> EmailMessage:
        message = EmailMessage(policy=_POLICY)
        message["From"] = self.sender
        message["To"] = one.recipient
        message["Subject"] = subject
        message["Date"] = format_datetime(queued_at.datetime())
        message["Message-ID"] = self._message_id(one.incident, one.transition, one.recipient)
        # Vacation answers to a monitor help nobody.
        message["Auto-Submitted"] = "auto-generated"
        return message

    def _message_id(self, incident: str, transition: str, recipient: str) -> str:
        """The same for every try of the same mail, so that a mail program can drop a second copy."""
        digest = hashlib.sha256(recipient.encode()).hexdigest()[:12]
        return f"<{incident}.{transition}.{digest}@{self.sender.rpartition('@')[2]}>"


def test_mail(sender: str, to: str) -> bytes:
    """A mail that says that mail works."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = "[NOC] Test mail"
    message["Date"] = format_datetime(Time.now().datetime())
    message["Message-ID"] = f"<test.{secrets.token_hex(8)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("This mail was sent to try it. Mails about incidents take the same way.\n")
    return message.as_bytes()


def _filled(message: EmailMessage, template: str, words: dict[str, Any]) -> bytes:
    message.set_content(_TEMPLATES.get_template(f"{template}.txt").render(words))
    message.add_alternative(_TEMPLATES.get_template(f"{template}.html").render(words), subtype="html")
    return message.as_bytes()


def _words(facts: Facts, public_url: str, zone: tzinfo) -> dict[str, Any]:
    """What the templates speak of: the incident's own names, whatever its target is called by now."""
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
        "counted": f"{listed:,} targets" if listed == total else f"{listed:,} of {total:,} targets",
        "note": facts.note,
        "critical": incident.kind != IncidentKind.BROKER_LOST and any(one.critical for one in incident.members),
        "since": at(incident.opened_at, zone),
        "until": at(ended, zone) if ended is not None else "",
        "duration": lasted,
        "cause": incident.cause,
        "evidence": [_short(one) for one in incident.evidence[:_MAX_EVIDENCE]],
        "unshown": max(0, len(incident.evidence) - _MAX_EVIDENCE),
        "outcome": facts.text,
        "incident": incident.id,
        "link": f"{public_url}/{_path(incident)}" if public_url else "",
        "acknowledge": f"{public_url}/incidents/{incident.id}?acknowledge" if public_url and ended is None else "",
    }


def _late(late: Late, zone: tzinfo) -> str:
    """A line of a digest: when it happened, and what stands in the subject of the mail that was not taken."""
    incident, kind = late.facts.incident, late.transition.partition("-")[0]
    happened = {OPENED: incident.opened_at, "resolved": incident.resolved_at}.get(kind) or late.at
    words = _words(late.facts, "", zone)
    return _short(f"{at(happened, zone)}: {words[_BRACKETS.get(kind, 'still')]}: {words['stem']}{_where(incident)}")


def _state(incident: Incident) -> str:
    known: str | None = _STATES.get(incident.kind)  # type: ignore[call-overload]  # any text
    return known or incident.kind.upper().replace("-", " ")


def _still(members: Sequence[Member], count: int, state: str) -> str:
    """What stands in the brackets of a change."""
    if count == 1 and members and members[0].flapping:
        return f"{members[0].state}, FLAPPING"
    return f"{count:,} STILL {state}"


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
    return _short(f"{_state(incident)} {letters.stem(incident)}{_where(incident)} since {at(incident.opened_at, zone)}")


def _short(line: str) -> str:
    return line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 1]}…"


def _where(incident: Incident) -> str:
    """The sites that do not reach it, for a subject."""
    sites = incident.sites
    more = f" +{len(sites) - _SITES_NAMED}" if len(sites) > _SITES_NAMED else ""
    return f" ({', '.join(sites[:_SITES_NAMED])}{more})" if sites else ""


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


_TEMPLATES = Environment(
    loader=PackageLoader("noc_alerter.notify"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
