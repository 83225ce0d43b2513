"""Hands one mail to the mail server, and says of a failure whether trying again can help."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from typing import Final

from noc_alerter.config import Smtp
from noc_alerter.database import Mail

_STEP_S: Final = 10.0
_GREETING_S: Final = 30.0
# Servers look for spam before they say that they took a mail; whoever leaves earlier sends it a second time.
_TAKING_S: Final = 120.0
_READY: Final = 220


class NotDelivered(Exception):
    """The mail server does not have the mail, as far as we know."""

    def __init__(self, reason: str, *, can_retry: bool) -> None:
        super().__init__(" ".join(reason.split())[:300])
        self.can_retry = can_retry


def deliver(smtp: Smtp, mail: Mail) -> None:
    """Raises NotDelivered. When it returns, the server has taken the mail on."""
    sender = parseaddr(BytesHeaderParser().parsebytes(mail.content)["From"])[1]
    try:
        with _dialogue(smtp) as server:
            # One recipient: a refusal is raised, not returned among others' successes.
            server.sendmail(sender, [mail.recipient], mail.content)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise NotDelivered(f"{mail.recipient} refused: {code} {_text(text)}", can_retry=code < 500) from error
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(
            f"user name or password refused ({error.smtp_code}); check NOC_SMTP_URL", can_retry=True
        ) from error
    except smtplib.SMTPDataError as error:
        raise NotDelivered(f"{error.smtp_code} {_text(error.smtp_error)}", can_retry=error.smtp_code < 500) from error
    except smtplib.SMTPSenderRefused as error:
        reason = f"sender {sender} refused: {error.smtp_code} {_text(error.smtp_error)}"
        raise NotDelivered(f"{reason}; check NOC_MAIL_FROM and the user in NOC_SMTP_URL", can_retry=True) from error
    except smtplib.SMTPResponseException as error:
        # Said of us and not of this mail, so it is kept until somebody has mended it.
        raise NotDelivered(f"{error.smtp_code} {_text(error.smtp_error)}", can_retry=True) from error
    except ssl.SSLError as error:
        raise NotDelivered(f"no secure connection: {error.reason or error}", can_retry=True) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(str(error) or type(error).__name__, can_retry=True) from error
    except ValueError as error:
        # smtplib cannot even write it down; the next mail may do better.
        raise NotDelivered(f"this mail cannot be sent: {error}", can_retry=False) from error


@contextlib.contextmanager
def _dialogue(smtp: Smtp) -> Iterator[smtplib.SMTP]:
    """A connection, secured and logged in as the settings say, that does not live for ever."""
    context = ssl.create_default_context()
    server = smtplib.SMTP_SSL(timeout=_STEP_S, context=context) if smtp.tls else smtplib.SMTP(timeout=_STEP_S)
    # What the certificate has to name; smtplib takes it only where it connects in its constructor.
    server._host = smtp.host  # type: ignore[attr-defined]  # its own name for it since Python 3.7
    try:
        with _no_longer_than(_GREETING_S, server):
            code, text = server.connect(smtp.host, smtp.port)
            if code != _READY:
                raise smtplib.SMTPConnectError(code, text)
            if smtp.starttls:
                _start_tls(server, context)
            if smtp.user:
                _log_in(server, smtp.user, smtp.password or "")
        with _no_longer_than(_TAKING_S, server):
            _wait_at_each_step(server, _TAKING_S)
            yield server
            _wait_at_each_step(server, _STEP_S)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
    finally:
        server.close()


@contextlib.contextmanager
def _no_longer_than(seconds: float, server: smtplib.SMTP) -> Iterator[None]:
    """Cut the connection then: a server that sends a byte now and then would hold us for ever."""
    watchdog = threading.Timer(seconds, _cut, [server])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _cut(server: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError):
        if sock := server.sock:
            sock.shutdown(socket.SHUT_RDWR)


def _wait_at_each_step(server: smtplib.SMTP, seconds: float) -> None:
    if sock := server.sock:
        sock.settimeout(seconds)


def _start_tls(server: smtplib.SMTP, context: ssl.SSLContext) -> None:
    try:
        server.starttls(context=context)
    except smtplib.SMTPNotSupportedError as error:
        # Never in the clear after all.
        reason = str(error).rstrip(".")
        raise NotDelivered(f"{reason}; add ?starttls=0 to NOC_SMTP_URL to send unencrypted", can_retry=True) from error


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except smtplib.SMTPNotSupportedError as error:
        cure = "use the server's port for sending in NOC_SMTP_URL, mostly 587, or leave user and password out"
        raise NotDelivered(f"{str(error).rstrip('.')}; {cure}", can_retry=True) from error


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else reply
