"""Hands one mail to the mail server, and says of a failure whether trying again can help."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from typing import Final

from noc_rules.mail_server import Smtp

_STEP_S: Final = 10.0
_GREETING_S: Final = 30.0
_COMMAND_S: Final = 60.0
_CONTENT_S: Final = 180.0
# RFC 5321, 4.5.3.2.6: servers look for spam before they say that they took a mail, and whoever leaves
# earlier sends it a second time.
_TAKING_S: Final = 600.0
_READY: Final = 220
# What smtplib calls a line without one.
_NO_CODE: Final = -1
_GO_AHEAD: Final = 354
_TLS_OR_LOGIN_FIRST: Final = 530
_ABOUT_SENDER: Final = (501, 550, 551, 553, 554)

# RFC 3463: the mailbox or its domain does not exist, is written wrongly, moved, takes no mail, is disabled.
_FINAL_ABOUT_RECIPIENT: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})


class NotDelivered(Exception):
    """The mail server does not have the mail, as far as we know.

    `can_retry` False: the server has said for good that this recipient gets none. Everything else is
    about us, the mail or the moment, and somebody may mend it. `is_for_all`: it did not come to speak of
    this mail at all, so that no other one would fare better now.
    """

    def __init__(self, reason: str, *, can_retry: bool, is_for_all: bool = False) -> None:
        super().__init__(" ".join(reason.split())[:400])
        self.can_retry = can_retry
        self.is_for_all = is_for_all


def deliver(server: Smtp, recipient: str, content: bytes) -> str:
    """The server's own words on taking the mail. Raises NotDelivered."""
    sender = parseaddr(BytesHeaderParser().parsebytes(content)["From"])[1]
    speaks_of_mail = False
    try:
        with _dialogue(server) as dialogue:
            speaks_of_mail = True
            return _hand_over(dialogue, server, sender, recipient, content)
    except NotDelivered as error:
        error.is_for_all = not speaks_of_mail
        raise
    except _Refused as refusal:
        raise NotDelivered(str(refusal), can_retry=not refusal.is_final) from refusal
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(
            f"user name or password refused: {error.smtp_code} {_text(error.smtp_error)}; check {server.named_by}",
            can_retry=True,
            is_for_all=True,
        ) from error
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(
            f"{error.smtp_code} {_text(error.smtp_error)}", can_retry=True, is_for_all=not speaks_of_mail
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise NotDelivered(_certificate_sentence(server, error), can_retry=True, is_for_all=True) from error
    except ssl.SSLError as error:
        raise NotDelivered(
            f"no secure connection: {error.reason or error}; check the scheme, the port and starttls in {server.named_by}",
            can_retry=True,
            is_for_all=not speaks_of_mail,
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(str(error) or type(error).__name__, can_retry=True, is_for_all=not speaks_of_mail) from error
    except ValueError as error:
        # smtplib cannot even write it down; a mended setting may.
        raise NotDelivered(f"this mail cannot be sent: {error}", can_retry=True) from error


class _Refused(Exception):
    """A command was answered with a refusal."""

    def __init__(self, step: str, code: int, text: bytes, cure: str = "") -> None:
        words = _text(text)
        super().__init__(f"{step} refused: {code} {words}{f'; {cure}' if cure else ''}")
        # Without the extended code a 550 may as well mean that we are not to relay.
        found = re.match(r"\d\.\d{1,3}\.\d{1,3}(?=\s|$)", words)
        self.is_final = code >= 500 and found is not None and found[0] in _FINAL_ABOUT_RECIPIENT


def _hand_over(dialogue: smtplib.SMTP, server: Smtp, sender: str, recipient: str, content: bytes) -> str:
    with _no_longer_than(3 * _COMMAND_S, dialogue):
        _wait_at_each_step(dialogue, _COMMAND_S)
        dialogue.ehlo_or_helo_if_needed()
        code, text = dialogue.mail(sender, [f"SIZE={len(content)}"] if dialogue.has_extn("size") else [])
        if code != 250:
            raise _Refused(f"sender {sender}", code, text, _cure_of_sender(dialogue, server, code))
        code, text = dialogue.rcpt(recipient)
        if code not in (250, 251):
            raise _Refused(recipient, code, text)
        code, text = dialogue.docmd("data")
        if code != _GO_AHEAD:
            raise _Refused("the mail", code, text)
    with _no_longer_than(_CONTENT_S, dialogue):
        _wait_at_each_step(dialogue, _CONTENT_S)
        dialogue.send(_dotted(content))
    with _no_longer_than(_TAKING_S, dialogue):
        _wait_at_each_step(dialogue, _TAKING_S)
        code, text = dialogue.getreply()
    if code != 250:
        raise _Refused("the mail", code, text)
    return f"{code} {_text(text)}"


def _cure_of_sender(dialogue: smtplib.SMTP, server: Smtp, code: int) -> str:
    if code != _TLS_OR_LOGIN_FIRST:
        return f"check the sender, and the user in {server.named_by}" if code in _ABOUT_SENDER else ""
    if not isinstance(dialogue.sock, ssl.SSLSocket) and dialogue.has_extn("starttls"):
        return f"the server wants encryption first: add ?starttls=1 to {server.named_by}"
    return f"the server wants a log-in first: add user:password@ to {server.named_by}"


def _dotted(content: bytes) -> bytes:
    """As DATA wants it: a line's first dot doubled, and a lone one at the end."""
    doubled = re.sub(rb"(?m)^\.", b"..", content)
    return doubled + (b"" if doubled.endswith(b"\r\n") else b"\r\n") + b".\r\n"


@contextlib.contextmanager
def _dialogue(server: Smtp) -> Iterator[smtplib.SMTP]:
    """A connection, secured and logged in as the settings say, that does not live for ever."""
    context = _tls_context(server)
    dialogue = smtplib.SMTP_SSL(timeout=_STEP_S, context=context) if server.tls else smtplib.SMTP(timeout=_STEP_S)
    # What the certificate has to name; smtplib takes it only where it connects in its constructor.
    dialogue._host = server.host  # type: ignore[attr-defined]  # its own name for it since Python 3.7
    try:
        with _no_longer_than(_GREETING_S, dialogue):
            _connect(dialogue, server)
            if server.starttls:
                _start_tls(dialogue, server, context)
            if server.user:
                _log_in(dialogue, server)
        yield dialogue
        _wait_at_each_step(dialogue, _STEP_S)
        with contextlib.suppress(smtplib.SMTPException, OSError), _no_longer_than(_STEP_S, dialogue):
            dialogue.quit()
    finally:
        dialogue.close()


def _connect(dialogue: smtplib.SMTP, server: Smtp) -> None:
    try:
        code, text = dialogue.connect(server.host, server.port)
    except ssl.SSLError:
        raise
    except OSError as error:
        # A server that wants TLS first says nothing to whoever waits for a greeting.
        cure = f"check that it runs, and the scheme, the host and the port in {server.named_by}"
        raise NotDelivered(f"no greeting from {server} ({error.strerror or error}); {cure}", can_retry=True) from error
    if code == _NO_CODE:
        cure = f"check the host and the port in {server.named_by}"
        raise NotDelivered(f"what answers at {server} is no mail server; {cure}", can_retry=True)
    if code != _READY:
        raise smtplib.SMTPConnectError(code, text)


def _tls_context(server: Smtp) -> ssl.SSLContext:
    """Made for each connection, so that a renewed file of certificates is read again."""
    try:
        return ssl.create_default_context(cafile=server.ca)
    except OSError as error:
        raise NotDelivered(
            f"{server.ca} cannot be read as certificates ({error.strerror or error}); "
            f"name a readable PEM file after ca= in {server.named_by}",
            can_retry=True,
        ) from error


def _certificate_sentence(server: Smtp, error: ssl.SSLCertVerificationError) -> str:
    # OpenSSL's number for a certificate that names another host or address.
    if error.verify_code in (62, 64):
        cure = f"write the name that is in its certificate as the host in {server.named_by}"
    elif error.verify_code in (9, 10):
        cure = "renew the server's certificate, or put the clocks right"
    else:
        cure = f"name the file of the authority that signed it with ca=/path/of/ca.pem after the ? in {server.named_by}"
    return f"no secure connection: the certificate of {server.host} is not accepted ({error.verify_message}); {cure}"


@contextlib.contextmanager
def _no_longer_than(seconds: float, dialogue: smtplib.SMTP) -> Iterator[None]:
    """Cut the connection then: a server that sends a byte now and then would hold us for ever."""
    watchdog = threading.Timer(seconds, _cut, [dialogue])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _cut(dialogue: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError):
        if sock := dialogue.sock:
            sock.shutdown(socket.SHUT_RDWR)


def _wait_at_each_step(dialogue: smtplib.SMTP, seconds: float) -> None:
    if sock := dialogue.sock:
        sock.settimeout(seconds)


def _start_tls(dialogue: smtplib.SMTP, server: Smtp, context: ssl.SSLContext) -> None:
    try:
        dialogue.starttls(context=context)
    except smtplib.SMTPNotSupportedError as error:
        # Never in the clear after all.
        reason = str(error).rstrip(".")
        raise NotDelivered(
            f"{reason}; add ?starttls=0 to {server.named_by} to send unencrypted", can_retry=True
        ) from error


def _log_in(dialogue: smtplib.SMTP, server: Smtp) -> None:
    try:
        dialogue.login(server.user or "", server.password or "")
    except smtplib.SMTPNotSupportedError as error:
        if not isinstance(dialogue.sock, ssl.SSLSocket) and dialogue.has_extn("starttls"):
            cure = f"it may do so after encryption only: add ?starttls=1 to {server.named_by}"
        else:
            cure = f"use the server's port for sending in {server.named_by}, mostly 587, or leave user and password out"
        raise NotDelivered(f"{str(error).rstrip('.')}; {cure}", can_retry=True) from error


def _text(reply: bytes | str) -> str:
    return " ".join((reply.decode(errors="replace") if isinstance(reply, bytes) else reply).split())
