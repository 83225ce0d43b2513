"""What may be pinged: IP addresses and host names, written in one way only."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Final

_LONGEST_NAME: Final = 253
_ZONE: Final = re.compile(r"[A-Za-z0-9._-]{1,15}")
_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")
# Python's codec still makes other letters of these, as was right until 2010: names of other hosts.
_KEPT: Final = re.compile("[ßς]")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


class NoHostError(ValueError):
    """A well-formed address that no host can have."""


def checked(text: str) -> str:
    """The address in its usual form. Raises ValueError with the reason, NoHostError where its form is right."""
    text = text.strip()
    if "/" in text:
        raise ValueError("is no host name; a network or a URL is not one address")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _checked_name(text)
    # The library takes any text at all for a zone; interfaces have short names.
    zone = getattr(address, "scope_id", None)
    if zone is not None and not _ZONE.fullmatch(zone):
        raise ValueError("has a zone that names no interface")
    meant = getattr(address, "ipv4_mapped", None) or address
    if meant.is_multicast:
        raise NoHostError("is a multicast address")
    if meant.is_unspecified or str(meant) == "255.255.255.255":
        raise NoHostError("is no host's address")
    return str(address)


def _checked_name(text: str) -> str:
    name = text.removesuffix(".").lower()
    if not name.isprintable():
        raise ValueError("is no address and no host name")
    if not name.isascii():
        try:
            name = ".".join(map(_in_ascii, _DOTS.split(name)))
        except UnicodeError:
            raise ValueError("is no host name") from None
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("is no address and no host name")
    if re.fullmatch(r"[\d-]+", labels[-1]) and "-" in labels[-1]:
        raise ValueError("looks like a range; every target is one address")
    # Resolvers take 127.1, 0x7f.1 and 2130706433 for addresses; nobody who reads them does.
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        raise ValueError("looks like a number; write an IPv4 address with four parts")
    return name


def _in_ascii(label: str) -> str:
    """Raises UnicodeError."""
    if not _KEPT.search(label):
        return label.encode("idna").decode()
    return "xn--" + unicodedata.normalize("NFKC", label).encode("punycode").decode()
