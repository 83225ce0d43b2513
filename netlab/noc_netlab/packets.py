"""Echo requests as they come out of the TUN device, and what a network could send back. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_ECHO_REQUEST4: Final = 8
_ECHO_REQUEST6: Final = 128
_NEXT_ICMPV6: Final = 58
_PROTOCOL_ICMP: Final = 1
_ROUTER_TTL: Final = 64


@dataclass(frozen=True, slots=True)
class Request:
    """One echo request. Addresses are 4 or 16 bytes."""

    raw: bytes
    source: bytes
    target: bytes
    ttl: int
    ident: int
    seq: int

    @property
    def is_ipv6(self) -> bool:
        return len(self.target) == 16


def read(packet: bytes) -> Request | None:
    """None for everything that is not an echo request without options."""
    if packet[0] == 0x45 and packet[9] == _PROTOCOL_ICMP and len(packet) >= 28 and packet[20] == _ECHO_REQUEST4:
        ident, seq = struct.unpack_from("!HH", packet, 24)
        return Request(packet, packet[12:16], packet[16:20], packet[8], ident, seq)
    if packet[0] >> 4 == 6 and packet[6] == _NEXT_ICMPV6 and len(packet) >= 48 and packet[40] == _ECHO_REQUEST6:
        ident, seq = struct.unpack_from("!HH", packet, 44)
        return Request(packet, packet[8:24], packet[24:40], packet[7], ident, seq)
    return None


def reply(request: Request) -> bytes:
    """The echo reply: both checksums follow from the request's, since swapping addresses keeps the sum."""
    raw = request.raw
    if request.is_ipv6:
        checksum = _add(raw[42] << 8 | raw[43], 0xFEFF)  # ~(sum + 0x0100)
        return b"%b%b%b\x81\x00%b%b" % (
            raw[:8], request.target, request.source, checksum.to_bytes(2, "big"), raw[44:],
        )  # fmt: skip
    checksum = _add(raw[22] << 8 | raw[23], 0x0800)
    return b"%b%b%b\x00\x00%b%b" % (
        raw[:12], request.target, request.source, checksum.to_bytes(2, "big"), raw[24:],
    )  # fmt: skip


def from_source(packet: bytes, source: bytes) -> bytes:
    """The same packet from another address, its checksums right."""
    if len(source) == 16:
        return _ipv6(source, packet[24:40], _body(packet), packet[7])
    return _ipv4(source, packet[16:20], _body(packet), packet[8])


def with_bad_checksum(packet: bytes) -> bytes:
    at = 42 if packet[0] >> 4 == 6 else 22
    return packet[:at] + bytes([packet[at] ^ 0x55]) + packet[at + 1 :]


def with_altered_payload(packet: bytes) -> bytes:
    """The first byte of the payload turned round, the checksum right again."""
    at = 48 if packet[0] >> 4 == 6 else 28
    if len(packet) <= at:
        return packet
    changed = packet[:at] + bytes([packet[at] ^ 0xFF]) + packet[at + 1 :]
    return from_source(changed, changed[8:24] if packet[0] >> 4 == 6 else changed[12:16])


def cut(packet: bytes, size: int) -> bytes:
    """The same reply with only so many bytes of its payload, the checksum right again."""
    is_ipv6 = packet[0] >> 4 == 6
    shorter = packet[: (48 if is_ipv6 else 28) + size]
    return from_source(shorter, packet[8:24] if is_ipv6 else packet[12:16])


def prohibited(request: Request, router: bytes) -> bytes:
    """Communication administratively prohibited, said by a firewall."""
    return _error(request, router, (1, 1) if request.is_ipv6 else (3, 13))


def unreachable(request: Request, router: bytes) -> bytes:
    """Host (IPv6: address) unreachable, said by a router."""
    return _error(request, router, (1, 3) if request.is_ipv6 else (3, 1))


def time_exceeded(request: Request, router: bytes) -> bytes:
    return _error(request, router, (3, 0) if request.is_ipv6 else (11, 0))


def checksum(packet: bytes) -> int:
    if len(packet) % 2:
        packet += b"\x00"
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF


def _error(request: Request, router: bytes, kind: tuple[int, int]) -> bytes:
    if request.is_ipv6:
        return _ipv6(router, request.source, bytes(kind) + bytes(6) + request.raw[:1232], _ROUTER_TTL)
    return _ipv4(router, request.source, bytes(kind) + bytes(6) + request.raw[:28], _ROUTER_TTL)


def _body(packet: bytes) -> bytes:
    return packet[40:] if packet[0] >> 4 == 6 else packet[20:]


def _ipv4(source: bytes, target: bytes, body: bytes, ttl: int) -> bytes:
    body = body[:2] + bytes(2) + body[4:]
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, ttl, _PROTOCOL_ICMP, 0, source, target)
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + body


def _ipv6(source: bytes, target: bytes, body: bytes, ttl: int) -> bytes:
    body = body[:2] + bytes(2) + body[4:]
    pseudo = source + target + struct.pack("!I3xB", len(body), _NEXT_ICMPV6)
    body = body[:2] + checksum(pseudo + body).to_bytes(2, "big") + body[4:]
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), _NEXT_ICMPV6, ttl, source, target) + body


def _add(one: int, other: int) -> int:
    """Ones' complement addition of 16 bits."""
    total = one + other
    return (total & 0xFFFF) + (total >> 16)
