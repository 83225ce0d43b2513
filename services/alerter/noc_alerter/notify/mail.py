"""Mails about incidents: one thread for each incident and recipient, as text and as HTML."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, tzinfo
from email.headerregistry import HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

from noc_alerter.ledger import Letter
from noc_alerter.notify import apprised, words
from noc_alerter.notify import letter as letters
from noc_alerter.notify.letter import CHANGED, DIGEST, FOUND, HELD_BACK, OPENED, REPORT, Digest, Facts, HeldBack
from noc_alerter.notify.templating import BUILT_IN, Templates
from noc_alerter.notify.words import Words
from noc_bus.messages import ReportMail
from noc_bus.time import Time
from noc_rules.incident import Severity
from noc_rules.notices import REMINDED


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


@dataclass(frozen=True)
class Mailer:
    """Writes mails; sends none."""

    sender: str
    public_url: str
    zone: tzinfo = UTC
    """Of the times; UTC is beside it."""
    templates: Templates = BUILT_IN
    domain: str = ""
    """What stands in every Message-ID; empty: the sender's domain."""

    def write(self, one: Letter, queued_at: Time) -> bytes:
        """The mail as it is sent: the same bytes for every try, but for its boundary."""
        if one.transition.startswith(DIGEST):
            return self._digest(one, letters.decode_digest(one.facts), queued_at)
        if one.transition.startswith(HELD_BACK):
            return self._held_back(one, letters.decode_held_back(one.facts), queued_at)
        if one.transition == FOUND:
            subject, told = self._found(one)
            return self._filled(self._message(one, subject, queued_at), words.FOUND_LATE, told)
        if one.transition == REPORT:
            return self._report(one, letters.decode_report(one.facts), queued_at)
        facts, template, told, subject = self._about(one)
        message = self._message(one, subject if template == OPENED else f"Re: {subject}", queued_at)
        if template != OPENED:
            opening = self._message_id(one.incident, OPENED, one.recipient)
            message["In-Reply-To"] = opening
            message["References"] = opening
        message["X-NOC-Incident"] = one.incident
        message["X-NOC-Severity"] = facts.incident.severity or "major"
        return self._filled(message, template, told)

    def write_short(self, one: Letter) -> bytes:
        """The same for Apprise, of incidents: the subject and the text."""
        if one.transition == FOUND:
            subject, told = self._found(one)
            return apprised.written(subject, self.templates.rendered(words.FOUND_LATE, told)[0], "info")
        facts, template, told, subject = self._about(one)
        kind = (
            "success"
            if template == "resolved"
            else "warning"
            if facts.incident.severity == Severity.MINOR
            else "failure"
        )
        return apprised.written(subject, self.templates.rendered(template, told)[0], kind)

    def _about(self, one: Letter) -> tuple[Facts, str, Words, str]:
        """Of a letter about an incident: its facts, template, words and subject."""
        facts = letters.decode_facts(one.facts)
        told = words.of_incident(facts, self.public_url, self.zone)
        template = (
            OPENED
            if one.transition == OPENED
            else CHANGED
            if one.transition.startswith((CHANGED, REMINDED))
            else "resolved"
        )
        return facts, template, told, words.subject(template, facts, told, self.zone)

    def _found(self, one: Letter) -> tuple[str, Words]:
        told = words.of_found(letters.decode_found(one.facts), self.public_url, self.zone)
        return f"[NOC] {told['name']}", told

    def _digest(self, one: Letter, digest: Digest, queued_at: Time) -> bytes:
        subject = f"[NOC] {digest.total:,} mails in one: the mail server did not take them"
        told = words.of_digest(digest, self.public_url, self.zone)
        return self._filled(self._message(one, subject, queued_at), DIGEST, told)

    def _held_back(self, one: Letter, held: HeldBack, queued_at: Time) -> bytes:
        subject = f"[NOC] {held.total} more {'outage' if held.total == 1 else 'outages'}: their mails are held back"
        told = words.of_held_back(held, self.public_url, self.zone)
        return self._filled(self._message(one, subject, queued_at), "held_back", told)

    def _report(self, one: Letter, report: ReportMail, queued_at: Time) -> bytes:
        """As the web service wrote it."""
        message = self._message(one, report.subject, queued_at)
        message["X-NOC-Report"] = report.report
        message.set_content(report.text)
        message.add_alternative(report.html, subtype="html")
        return message.as_bytes()

    def _filled(self, message: EmailMessage, template: str, told: Words) -> bytes:
        text, html = self.templates.rendered(template, told)
        message.set_content(text)
        message.add_alternative(html, subtype="html")
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
        return f"<{incident}.{transition}.{digest}@{self.domain or self.sender.rpartition('@')[2]}>"


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
