"""The demonstration's own mail server: takes every mail, delivers none, and keeps them thread by thread."""

from __future__ import annotations

import asyncio
import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from noc_bus.time import Time
from noc_demo.network import DOMAIN

_MAILS_KEPT: Final = 1000


@dataclass(frozen=True)
class Mail:
    """One that came in. `number` counts from 1; `thread` is the id of the mail that its thread began with."""

    number: int
    at: Time
    recipients: list[str]
    subject: str
    message_id: str
    thread: str
    text: str
    html: str


class Mailbox:
    """Runs on the event loop."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self._count = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Take mails on a free port of loopback; the URL for NOC_SMTP_URL."""
        self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"smtp://127.0.0.1:{port}?starttls=0"

    def close(self) -> None:
        if self._server:
            self._server.close()

    def threads(self) -> list[list[Mail]]:
        """Each oldest mail first, the thread with the newest mail first."""
        found: dict[str, list[Mail]] = {}
        for mail in self.mails:
            found.setdefault(mail.thread, []).append(mail)
        return sorted(found.values(), key=lambda thread: -thread[-1].number)

    def _protocol(self) -> SMTP:
        return SMTP(self, hostname=f"mail.{DOMAIN}", decode_data=False, enable_SMTPUTF8=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        content = envelope.content
        assert isinstance(content, bytes), "decode_data is off"
        message = email.message_from_bytes(content, policy=email.policy.default)
        self._count += 1
        self.mails = [*self.mails, _mail(self._count, list(envelope.rcpt_tos), message)][-_MAILS_KEPT:]
        return "250 taken"


def _mail(number: int, recipients: list[str], message: EmailMessage) -> Mail:
    # Folded, it begins with a space.
    message_id = str(message["Message-ID"] or number).strip()
    references = str(message["References"] or "").split()
    return Mail(
        number=number,
        at=Time.now(),
        recipients=recipients,
        subject=str(message["Subject"]),
        message_id=message_id,
        thread=references[0] if references else message_id,
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part: Any = message.get_body((kind,))
    return str(part.get_content()) if part else ""
