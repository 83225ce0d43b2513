"""What the Linux kernel knows of links, routes and neighbours, asked over a netlink socket. Needs no privilege."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from noc_prober.addresses import Destination
from noc_prober.packets import Family

_HEADER: Final = struct.Struct("=IHHII")
_LINK: Final = struct.Struct("=BxHiII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")
_ATTRIBUTE: Final = struct.Struct("=HH")
_GET_LINK: Final = 18
_GET_ROUTE: Final = 26
_GET_NEIGHBOUR: Final = 30
_REQUEST: Final = 0x1
_DUMP: Final = 0x300
_ERROR: Final = 2
_DONE: Final = 3
_IFLA_IFNAME: Final = 3
_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_RTA_VIA: Final = 18
_NDA_DST: Final = 1
_IFF_UP: Final = 0x1
_IFF_LOOPBACK: Final = 0x8
_IFF_RUNNING: Final = 0x40
_TIMEOUT_S: Final = 1.0
_AF: Final = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}


class NeighbourState(IntFlag):
    """How sure the kernel is of a neighbour's link address."""

    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80


@dataclass(frozen=True)
class Interface:
    index: int
    name: str
    is_up: bool
    """Somebody switched it on …"""
    has_carrier: bool
    """… and there is something at the other end."""
    is_loopback: bool


@dataclass(frozen=True)
class Route:
    """The way a packet to one address takes. No gateway: the address is on the link itself."""

    interface: int
    gateway: str | None


@dataclass(frozen=True)
class Neighbour:
    interface: int
    address: str
    state: int


def interfaces() -> dict[int, Interface]:
    """By index. Raises OSError."""
    found = {}
    for body in _ask(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0), _DUMP):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        name = _attributes(body[_LINK.size :]).get(_IFLA_IFNAME, b"").rstrip(b"\x00").decode("utf-8", "replace")
        is_up, has_carrier = bool(flags & _IFF_UP), bool(flags & _IFF_RUNNING)
        found[index] = Interface(index, name, is_up, has_carrier, bool(flags & _IFF_LOOPBACK))
    return found


def route_to(to: Destination) -> Route | None:
    """None where there is no way. Raises OSError."""
    packed = socket.inet_pton(_AF[to.family], to.address)
    body = _ROUTE.pack(_AF[to.family], len(packed) * 8, 0, 0, 0, 0, 0, 0, 0) + _attribute(_RTA_DST, packed)
    if len(to.sockaddr) == 4 and to.sockaddr[3]:
        body += _attribute(_RTA_OIF, struct.pack("=I", to.sockaddr[3]))
    try:
        answers = list(_ask(_GET_ROUTE, body, 0))
    except OSError as error:
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES):
            return None
        raise
    for answer in answers:
        attributes = _attributes(answer[_ROUTE.size :])
        if _RTA_OIF in attributes:
            return Route(int.from_bytes(attributes[_RTA_OIF][:4], sys.byteorder), _gateway(attributes, to.family))
    return None


def neighbours() -> list[Neighbour]:
    """Raises OSError."""
    found = []
    for body in _ask(_GET_NEIGHBOUR, _NEIGHBOUR.pack(0, 0, 0, 0, 0), _DUMP):
        family, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
        address = _attributes(body[_NEIGHBOUR.size :]).get(_NDA_DST)
        if address and family in _AF.values():
            found.append(Neighbour(index, socket.inet_ntop(family, address), state))
    return found


def _gateway(attributes: dict[int, bytes], family: Family) -> str | None:
    if gateway := attributes.get(_RTA_GATEWAY):
        return socket.inet_ntop(_AF[family], gateway)
    if via := attributes.get(_RTA_VIA):  # IPv4 over an IPv6 neighbour
        return socket.inet_ntop(int.from_bytes(via[:2], sys.byteorder), via[2:])
    return None


def _ask(kind: int, body: bytes, flags: int) -> Iterator[bytes]:
    """Every answer's body. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(_TIMEOUT_S)
        sock.bind((0, 0))
        sock.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body)
        while True:
            received = sock.recv(1 << 17)
            at = 0
            while at + _HEADER.size <= len(received):
                length, answer, _, _, _ = _HEADER.unpack_from(received, at)
                content = received[at + _HEADER.size : at + length]
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    (number,) = struct.unpack_from("=i", content)
                    if number:
                        raise OSError(-number, os.strerror(-number))
                    return
                yield content
                at += (length + 3) & ~3
            if not flags:
                return


def _attributes(content: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = content[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def _attribute(kind: int, content: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(content), kind) + content.ljust((len(content) + 3) & ~3, b"\x00")
