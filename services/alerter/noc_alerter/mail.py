"""Mails about incidents: one thread for each incident and recipient, as text and as HTML."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from noc_alerter.database import Mail
from noc_bus.messages import Incident, Target
from noc_bus.time import Time

# Not every server on the way takes eight bits.
_POLICY: Final = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Mailer:
    """Writes mails; sends none."""

    sender: str
    public_url: str

    def opened(self, incident: Incident, target: Target | None, recipient: str, now: Time) -> Mail:
        return self._mail("opened", incident, target, recipient, now)

    def resolved(self, incident: Incident, target: Target | None, recipient: str, now: Time, outcome: str) -> Mail:
        """`outcome` says how it ended. The mail tells of the begin too: that one may not have been sent."""
        return self._mail("resolved", incident, target, recipient, now, outcome)

    def _mail(
        self, transition: str, incident: Incident, target: Target | None, recipient: str, now: Time, outcome: str = ""
    ) -> Mail:
        words = _words(incident, target, outcome, self.public_url)
        message = EmailMessage(policy=_POLICY)
        message["From"] = self.sender
        message["To"] = recipient
        message["Subject"] = _subject(transition, words)
        message["Date"] = format_datetime(now.datetime())
        message["Message-ID"] = self._message_id(incident.id, transition, recipient)
        if transition != "opened":
            begin = self._message_id(incident.id, "opened", recipient)
            message["In-Reply-To"] = begin
            message["References"] = begin
        # Vacation answers to a monitor help nobody.
        message["Auto-Submitted"] = "auto-generated"
        message["X-NOC-Incident"] = incident.id
        message.set_content(_TEMPLATES.get_template(f"{transition}.txt").render(words))
        message.add_alternative(_TEMPLATES.get_template(f"{transition}.html").render(words), subtype="html")
        return Mail(incident.id, transition, recipient, message.as_bytes())

    def _message_id(self, incident: str, transition: str, recipient: str) -> str:
        """The same for every try of the same mail, so that a mail program can drop a second copy."""
        digest = hashlib.sha256(recipient.encode()).hexdigest()[:12]
        return f"<{incident}.{transition}.{digest}@{self.sender.rpartition('@')[2]}>"


def duration(ms: int) -> str:
    """Like 4 min 12 s, two units at the most."""
    seconds = max(0, round(ms / 1000))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= size or (unit == "s" and not parts):
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2])


def _subject(transition: str, words: dict[str, Any]) -> str:
    if transition == "opened":
        return f"[NOC] {words['state']} {words['name']}{words['at_address']}"
    return f"[NOC] {words['over']} {words['name']}{words['at_address']} after {words['duration']}"


def _words(incident: Incident, target: Target | None, outcome: str, public_url: str) -> dict[str, Any]:
    """What the templates speak of."""
    is_site = incident.kind == "site-blind"
    subject = incident.site if is_site else (incident.targets or ["?"])[0]
    name = _plain(target.name if target else f"site {subject}" if is_site else str(subject))
    ended = incident.resolved_at
    path = "incidents" if is_site else f"targets/{subject}"
    return {
        "state": "BLIND" if is_site else "DOWN",
        "over": ("SEES AGAIN" if is_site else "UP again") if "again" in outcome else "CLOSED",
        "name": name,
        "at_address": f" ({_plain(target.address)})" if target and target.address != target.name else "",
        "address": target.address if target else "",
        "group": target.group if target else "",
        "note": target.note if target else "",
        "critical": bool(target and target.critical),
        "since": f"{incident.opened_at.datetime():%Y-%m-%d %H:%M:%S} UTC",
        "until": f"{ended.datetime():%Y-%m-%d %H:%M:%S} UTC" if ended is not None else "",
        "duration": duration(ended - incident.opened_at) if ended is not None else "",
        "cause": incident.cause,
        "evidence": incident.evidence,
        "outcome": outcome,
        "incident": incident.id,
        "link": f"{public_url}/{path}" if public_url else "",
    }


def _plain(text: str) -> str:
    """For a header: no control or direction characters, and not endless."""
    return "".join(one for one in text if one.isprintable())[:120]


_TEMPLATES = Environment(
    loader=PackageLoader("noc_alerter"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
