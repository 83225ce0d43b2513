"""Which addresses and names may be pinged, checked before a name is asked for and again after."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from noc_prober.codes import InvalidCode
from noc_prober.packets import Family
from noc_rules.site_state import Reason

# A last label that is a number would make inet_aton read "127.1", "2130706433" or "0x7f000001" as an address.
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?=[a-z0-9-]*[a-z])(?!0x[0-9a-f]*\.?\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?",
    re.IGNORECASE | re.ASCII,
)


class BadAddress(Exception):
    """Not to be pinged. The text says why, naming the address."""

    @property
    def reason(self) -> Reason:
        return Reason(InvalidCode.BAD_ADDRESS, str(self)[:200])


class NoInterface(BadAddress):
    """The interface an address belongs to is not here; it may come."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address, in the form the kernel reports it as the source of a reply."""

    family: Family
    address: str
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


def literal(text: str) -> Destination | None:
    """The destination where `text` is an IP address, None where it is to be resolved. Raises BadAddress."""
    # An interface may come and go; all else stays what it is, and every check asks.
    return _parse(text) if "%" in text else _parse_once(text)


def _parse(text: str) -> Destination | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_unspecified:
        raise BadAddress(f"{text} is the unspecified address, which names no host")
    if ip.is_multicast:
        raise BadAddress(f"{text} is a multicast address, which names no single host")
    if ip == ipaddress.IPv4Address("255.255.255.255"):
        raise BadAddress(f"{text} is the broadcast address, which names no single host")
    if isinstance(ip, ipaddress.IPv4Address):
        return Destination(4, str(ip), (str(ip), 0))
    plain = socket.inet_ntop(socket.AF_INET6, ip.packed)
    return Destination(6, plain, (plain, 0, 0, _scope(ip.scope_id, text)))


_parse_once: Final = functools.lru_cache(maxsize=50_000)(_parse)


def check_name(text: str) -> None:
    """Raises BadAddress where `text` is neither an address nor a host name."""
    if not _NAME.fullmatch(_ascii(text)):
        raise BadAddress(f"{text[:80]!r} is neither an IP address nor a host name")


def is_name(text: str) -> bool:
    """Whether a resolver has to be asked for it."""
    try:
        if literal(text) is None:
            check_name(text)
            return True
    except BadAddress:
        pass
    return False


def _ascii(text: str) -> str:
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _scope(scope: str | None, text: str) -> int:
    if scope is None:
        return 0
    if scope.isdecimal():
        return int(scope)
    try:
        return socket.if_nametoindex(scope)
    except OSError:
        raise NoInterface(f"{text} names the interface {scope}, which is not here") from None
