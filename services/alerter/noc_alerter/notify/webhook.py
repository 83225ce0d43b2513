"""Hands one message to a webhook receiver, signed as Standard Webhooks says, and says whether trying again can help.

Where it may connect to is decided here. Administrators set the address, and receivers mostly stand in the NOC's own
network, so private addresses are fine. But nobody follows a redirect; no name may lead to this machine itself, only an
address that says so literally; and what no receiver has (link-local, where clouds answer with their secrets, multicast,
unspecified) is refused. The address that was looked at is the one that is connected to: a name is resolved once.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult

from noc_alerter.notify.smtp import NotDelivered
from noc_rules.webhook import parsed_url, secret_bytes

_CONNECT_S: Final = 10.0
_STEP_S: Final = 15.0
_LONGEST_S: Final = 30.0
_MOST_WORDS: Final = 200
_GONE: Final = 410
_USER_AGENT: Final = "NOC"


@dataclass(frozen=True)
class Receiver:
    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Message:
    """`id` is the same for every try, so that a receiver can drop a second copy."""

    id: str
    body: bytes


def deliver(receiver: Receiver, message: Message, now_s: int, longest_s: float = _LONGEST_S) -> str:
    """The receiver's own words on taking it. Raises NotDelivered.

    `now_s`: seconds since 1970, for the signature. `longest_s`: after this it is left, whatever it does.
    """
    try:
        headers = _headers(receiver, message, now_s)
    except ValueError as error:
        raise NotDelivered(f"the webhook cannot be used: {error}", can_retry=True) from None
    return ask("POST", receiver.url, message.body, headers, longest_s)


def ask(method: str, url: str, body: bytes | None, headers: Mapping[str, str], longest_s: float = _LONGEST_S) -> str:
    """The words of whoever answers at this address, where it is not a refusal. Raises NotDelivered."""
    try:
        parts = parsed_url(url)
    except ValueError as error:
        raise NotDelivered(f"the address cannot be used: {error}", can_retry=True) from None
    where = parts.hostname or ""
    try:
        with _connected(parts, longest_s) as connection:
            connection.request(method, _path(parts), body, {"User-Agent": _USER_AGENT, **headers})
            answer = connection.getresponse()
            words = answer.read(4 * _MOST_WORDS).decode(errors="replace")
    except ssl.SSLError as error:
        raise NotDelivered(f"no secure connection to {where}: {error.reason or error}", can_retry=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"no answer from {where}: {error or type(error).__name__}", can_retry=True) from error
    said = f"{answer.status} {answer.reason} {' '.join(words.split())}".strip()[:_MOST_WORDS]
    if 200 <= answer.status < 300:
        return said
    if 300 <= answer.status < 400:
        place = " ".join((answer.getheader("Location") or "elsewhere").split())[:200]
        raise NotDelivered(f"{said}: it redirects to {place}; enter that address, none is followed", can_retry=True)
    raise NotDelivered(said, can_retry=answer.status != _GONE)


def signature(secret: str, message: Message, now_s: int) -> str:
    """The value of webhook-signature. Raises ValueError for what is no secret."""
    signed = f"{message.id}.{now_s}.".encode() + message.body
    return f"v1,{base64.b64encode(hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()).decode()}"


def _headers(receiver: Receiver, message: Message, now_s: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signature(receiver.secret, message, now_s),
    }


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextlib.contextmanager
def _connected(parts: SplitResult, longest_s: float) -> Iterator[http.client.HTTPConnection]:
    """To the address that was looked at, and not for ever: a receiver may send a byte now and then. Raises OSError."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port, timeout=_STEP_S)
    connection.sock = sock = _socket(host, port)
    watchdog = threading.Timer(longest_s, _cut, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        sock.settimeout(_STEP_S)
        if parts.scheme == "https":
            # Wrapping leaves nothing of the plain one to be cut, so the handshake comes after the exchange.
            context = ssl.create_default_context()
            connection.sock = sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            sock.do_handshake()
        yield connection
    finally:
        watchdog.cancel()
        connection.close()
        sock.close()


def _socket(host: str, port: int) -> socket.socket:
    problem: OSError = OSError("its name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if why := why_not(host, str(address[0])):
            problem = OSError(why)
            continue
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(_CONNECT_S)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def why_not(host: str, address: str) -> str | None:
    """Why nothing is sent to the address that a host has; None: it may be."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return f"{address} is not an address of a receiver"
    if found.is_loopback and not _says_loopback(host):
        return f"{host} leads to this machine itself, {address}; write 127.0.0.1 or localhost where that is meant"
    return None


def _says_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cut(connection: http.client.HTTPConnection) -> None:
    sock: socket.socket | None = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            # Not by TLS, which would wait for the other side.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
