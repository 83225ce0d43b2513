"""ICMP echo on the wire, IPv4 and IPv6: building requests, reading replies and quoted errors. Pure."""

from __future__ import annotations

import hashlib
import socket
import struct
from dataclasses import dataclass
from typing import Final, Literal

from icmplib import ICMPLibError, ICMPReply

from noc_prober.codes import ErrorCode

Family = Literal[4, 6]

COOKIE_BYTES: Final = 16
HEADER_BYTES: Final = 8
_ECHO_REQUEST: Final = {4: 8, 6: 128}
_ECHO_REPLY: Final = {4: 0, 6: 129}
# Destination unreachable, time exceeded, parameter problem; IPv6 also packet too big.
ERROR_TYPES: Final = {4: frozenset({3, 11, 12}), 6: frozenset({1, 2, 3, 4})}
_CODES: Final = {
    (4, 3): {
        0: ErrorCode.NET_UNREACHABLE,
        1: ErrorCode.HOST_UNREACHABLE,
        2: ErrorCode.PROTOCOL_UNREACHABLE,
        3: ErrorCode.PORT_UNREACHABLE,
        4: ErrorCode.TOO_LARGE,
        6: ErrorCode.NET_UNREACHABLE,
        7: ErrorCode.HOST_UNREACHABLE,
        9: ErrorCode.PROHIBITED,
        10: ErrorCode.PROHIBITED,
        11: ErrorCode.NET_UNREACHABLE,
        12: ErrorCode.HOST_UNREACHABLE,
        13: ErrorCode.PROHIBITED,
    },
    (4, 11): {0: ErrorCode.TTL_EXCEEDED, 1: ErrorCode.REASSEMBLY},
    (4, 12): {0: ErrorCode.PARAMETER_PROBLEM},
    (6, 1): {
        0: ErrorCode.NET_UNREACHABLE,
        1: ErrorCode.PROHIBITED,
        2: ErrorCode.HOST_UNREACHABLE,
        3: ErrorCode.HOST_UNREACHABLE,
        4: ErrorCode.PORT_UNREACHABLE,
        5: ErrorCode.PROHIBITED,
        6: ErrorCode.PROHIBITED,
    },
    (6, 2): {0: ErrorCode.TOO_LARGE},
    (6, 3): {0: ErrorCode.TTL_EXCEEDED, 1: ErrorCode.REASSEMBLY},
    (6, 4): {0: ErrorCode.PARAMETER_PROBLEM},
}
_OWN_WORDS: Final = {(4, 12): "Parameter problem", (6, 2): "Packet too big", (6, 4): "Parameter problem"}
_NEXT_HEADER_ICMPV6: Final = 58
_HEADER: Final = struct.Struct("!BBHHH")


@dataclass(frozen=True, slots=True)
class EchoReply:
    """`is_damaged`: its checksum is wrong, so that nothing in it can be relied on."""

    ident: int
    seq: int
    payload: bytes
    is_damaged: bool = False


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An error message that quotes an echo request of ours."""

    destination: str
    ident: int
    seq: int
    text: str
    code: ErrorCode = ErrorCode.OTHER_ERROR


def checksum(packet: bytes) -> int:
    """The Internet checksum; 0 for a packet that carries its right one."""
    if len(packet) % 2:
        packet += b"\x00"
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF


def cookie(key: bytes, address: str, ident: int, seq: int, sent_ns: int) -> bytes:
    """What only we can have put into a request: a keyed hash over all that names it."""
    text = f"{address}|{ident}|{seq}|{sent_ns}".encode()
    return hashlib.blake2b(text, key=key, digest_size=COOKIE_BYTES).digest()


def payload_of(cookie: bytes, size_bytes: int) -> bytes:
    """What a request carries, and what its reply must bring back."""
    return cookie.ljust(size_bytes, b"\x00")


def request(family: Family, ident: int, seq: int, cookie: bytes, size_bytes: int) -> bytes:
    """An echo request with `size_bytes` of payload. The kernel fills in the ICMPv6 checksum."""
    payload = payload_of(cookie, size_bytes)
    kind = _ECHO_REQUEST[family]
    header = _HEADER.pack(kind, 0, 0, ident, seq)
    if family == 6:
        return header + payload
    return _HEADER.pack(kind, 0, checksum(header + payload), ident, seq) + payload


def read(family: Family, packet: bytes, *, has_ip_header: bool) -> EchoReply | IcmpError | None:
    """What a received packet says, or None where it is nothing for us.

    Raw IPv4 sockets deliver the IP header and unchecked checksums; all others neither.
    """
    is_damaged = False
    if has_ip_header:
        if len(packet) < 20:
            return None
        packet = packet[(packet[0] & 0x0F) * 4 :]
        is_damaged = checksum(packet) != 0
    if len(packet) < HEADER_BYTES:
        return None
    kind, code, _, ident, seq = _HEADER.unpack_from(packet)
    if kind == _ECHO_REPLY[family]:
        return None if code else EchoReply(ident, seq, packet[HEADER_BYTES:], is_damaged)
    if kind in ERROR_TYPES[family] and not is_damaged:
        return _quoted(family, kind, code, packet[HEADER_BYTES:])
    return None


def error_code(family: Family, kind: int, code: int) -> ErrorCode:
    return _CODES.get((family, kind), {}).get(code, ErrorCode.OTHER_ERROR)


def error_text(family: Family, kind: int, code: int) -> str:
    """An ICMP error in words."""
    if words := _OWN_WORDS.get((family, kind)):
        return words
    try:
        ICMPReply("", family, 0, 0, kind, code, 0, 0.0).raise_for_status()
    except ICMPLibError as error:
        return str(error)
    return f"ICMP type {kind} code {code}"


def _quoted(family: Family, kind: int, code: int, quote: bytes) -> IcmpError | None:
    if family == 4:
        if len(quote) < 20 or quote[9] != socket.IPPROTO_ICMP:
            return None
        destination, inner = socket.inet_ntop(socket.AF_INET, quote[16:20]), quote[(quote[0] & 0x0F) * 4 :]
    else:
        if len(quote) < 40 or quote[6] != _NEXT_HEADER_ICMPV6:
            return None
        destination, inner = socket.inet_ntop(socket.AF_INET6, quote[24:40]), quote[40:]
    if len(inner) < HEADER_BYTES or inner[0] != _ECHO_REQUEST[family]:
        return None
    _, _, _, ident, seq = _HEADER.unpack_from(inner)
    return IcmpError(destination, ident, seq, error_text(family, kind, code), error_code(family, kind, code))
