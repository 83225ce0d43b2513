"""A pinger of the tests' own, so that the lab is not judged by the code it is there to judge."""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any, Final

from noc_netlab.packets import checksum

_PAYLOAD: Final = bytes(range(56))
_RECEIVE_BYTES: Final = 8 * 1024 * 1024
_SO_RCVBUFFORCE: Final = 33
_IPV6_HOPLIMIT: Final = 52


@dataclass(frozen=True)
class Heard:
    """One ICMP packet that came back. `seq` is -1 for errors."""

    after_ms: float
    source: str
    kind: int
    seq: int
    is_checksum_right: bool
    is_payload_right: bool


def ping(address: str, count: int = 1, *, wait_s: float = 0.5, gap_s: float = 0.0, ttl: int = 64) -> list[Heard]:
    """Send `count` echo requests and hear whatever comes until `wait_s` after the last."""
    is_ipv6 = ipaddress.ip_address(address).version == 6
    ident = os.getpid() & 0xFFFF
    sent_s: dict[int, float] = {}
    heard: list[Heard] = []
    with _open(is_ipv6) as sock:
        for seq in range(count):
            sent_s[seq] = time.monotonic()
            _send(sock, address, ident, seq, ttl, is_ipv6)
            heard += _hear(sock, sent_s, ident, is_ipv6, gap_s) if gap_s else []
        heard += _hear(sock, sent_s, ident, is_ipv6, wait_s)
    return heard


def _open(is_ipv6: bool) -> socket.socket:
    family, protocol = (
        (socket.AF_INET6, socket.getprotobyname("ipv6-icmp")) if is_ipv6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    )
    sock = socket.socket(family, socket.SOCK_RAW, protocol)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
    return sock


def _send(sock: socket.socket, address: str, ident: int, seq: int, ttl: int, is_ipv6: bool) -> None:
    header = struct.pack("!BBHHH", 128 if is_ipv6 else 8, 0, 0, ident, seq)
    packet = header[:2] + checksum(header + _PAYLOAD).to_bytes(2, "big") + header[4:] + _PAYLOAD
    level, option = (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT) if is_ipv6 else (socket.IPPROTO_IP, socket.IP_TTL)
    sock.sendmsg([packet], [(level, option, struct.pack("=i", ttl))], 0, (address, 0))


def _hear(sock: socket.socket, sent_s: dict[int, float], ident: int, is_ipv6: bool, for_s: float) -> list[Heard]:
    heard = []
    end_s = time.monotonic() + for_s
    while (left_s := end_s - time.monotonic()) > 0:
        if not select.select([sock], [], [], left_s)[0]:
            break
        packet, sender = sock.recvfrom(65536)
        one = _read(packet, sender, sent_s, ident, is_ipv6)
        if one:
            heard.append(one)
    return heard


def _read(packet: bytes, sender: Any, sent_s: dict[int, float], ident: int, is_ipv6: bool) -> Heard | None:
    now_s = time.monotonic()
    body = packet if is_ipv6 else packet[20:]
    kind, _, _, own, seq = struct.unpack_from("!BBHHH", body)
    source = str(sender[0])
    if kind == (129 if is_ipv6 else 0) and own == ident and seq in sent_s:
        # The kernel checks ICMPv6 checksums itself.
        is_right = is_ipv6 or checksum(body) == 0
        return Heard((now_s - sent_s[seq]) * 1000, source, kind, seq, is_right, body[8:] == _PAYLOAD)
    if kind in ((1, 3) if is_ipv6 else (3, 11)):
        return Heard((now_s - max(sent_s.values())) * 1000, source, kind, -1, is_ipv6 or checksum(body) == 0, False)
    return None
