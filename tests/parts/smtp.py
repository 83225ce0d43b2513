"""A real SMTP server that keeps what it is given, or misbehaves as told."""

from __future__ import annotations

import asyncio
import email
import email.policy
import time
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final, Literal, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.parts.ports import free_port
from tests.parts.waiting import wait_until

Mode = Literal["ok", "refuse-recipients", "refuse-mail", "greylist", "stall", "slow", "drop-after-data"]
"""550 for every recipient; 554 after the mail; 451 for every recipient; no answer; a second until the mail is taken; taken, but the line is cut before the answer."""

_STALL_S: Final = 600.0
_SLOW_S: Final = 1.0


@dataclass(frozen=True)
class Mail:
    at_s: float
    """By time.monotonic()."""
    recipients: list[str]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def references(self) -> list[str]:
        return str(self.message["References"] or "").split()

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""


class SmtpSink:
    """A context manager; may be stopped and started again on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mode: Mode = "ok"
        self.mails: list[Mail] = []
        self.unknown: set[str] = set()
        """550 for these recipients, whatever the mode."""
        self.refused = 0
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """For NOC_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}?starttls=0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._controller = _Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Nobody listens any more."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    def wait(self, count: int, deadline_s: float, about: str = "") -> list[Mail]:
        """All mails whose subject or text holds `about`, as soon as there are `count` of them."""

        def found() -> list[Mail]:
            return self.about(about)

        wait_until(
            lambda: len(found()) >= count,
            deadline_s,
            f"{count} mails about {about or 'anything'}",
            seen=lambda: [mail.subject for mail in self.mails],
        )
        return found()

    def about(self, text: str) -> list[Mail]:
        return [mail for mail in list(self.mails) if text in mail.subject or text in mail.text]

    # -- aiosmtpd's hooks

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mode == "stall":
            await asyncio.sleep(_STALL_S)
        if self.mode == "refuse-recipients" or address in self.unknown:
            self.refused += 1
            return "550 5.1.1 no such user here"
        if self.mode == "greylist":
            self.refused += 1
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        if self.mode == "refuse-mail":
            self.refused += 1
            return "554 5.7.1 we do not want this"
        if self.mode == "slow":
            await asyncio.sleep(_SLOW_S)
        content = envelope.content
        parsed: Any = email.message_from_bytes(
            content if isinstance(content, bytes) else str(content).encode(), policy=email.policy.default
        )
        self.mails.append(Mail(time.monotonic(), list(envelope.rcpt_tos), parsed))
        if self.mode == "drop-after-data" and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 taken"


class _Controller(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, hostname="sink.test", decode_data=False, enable_SMTPUTF8=True)
