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
_DIALOGUE_S: Final = 30.0


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
    except smtplib.SMTPNotSupportedError as error:
        raise NotDelivered(f"{error}; add ?starttls=0 to NOC_SMTP_URL to send unencrypted", can_retry=True) from error
    except ssl.SSLError as error:
        raise NotDelivered(f"no secure connection: {error.reason or error}", can_retry=True) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(str(error) or type(error).__name__, can_retry=True) from error
    except ValueError as error:
        # smtplib cannot even write it down; the next mail may do better.
        raise NotDelivered(f"this mail cannot be sent: {error}", can_retry=False) from error


@contextlib.contextmanager
def _dialogue(smtp: Smtp) -> Iterator[smtplib.SMTP]:
    """A connection, secured and logged in as the settings say, that lives for 30 s at the most."""
    context = ssl.create_default_context()
    if smtp.tls:
        server: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=_STEP_S, context=context)
    else:
        server = smtplib.SMTP(smtp.host, smtp.port, timeout=_STEP_S)
    # A server that sends a byte now and then would hold us for ever.
    watchdog = threading.Timer(_DIALOGUE_S, _cut, [server])
    watchdog.daemon = True
    watchdog.start()
    try:
        if smtp.starttls:
            # Raises where the server does not offer it: never in the clear after all.
            server.starttls(context=context)
        if smtp.user:
            server.login(smtp.user, smtp.password or "")
        yield server
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
    finally:
        watchdog.cancel()
        server.close()


def _cut(server: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError):
        if server.sock:
            server.sock.shutdown(socket.SHUT_RDWR)


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else reply
