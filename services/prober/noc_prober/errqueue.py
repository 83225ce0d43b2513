"""Linux's socket error queue: which router said what about a packet we sent, without any privilege."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from noc_prober.packets import Family, IcmpError, error_code, error_text
from noc_prober.sockets import IP_RECVERR, IPV6_RECVERR, SO_TIMESTAMPNS

ORIGIN_ICMP: Final = 2
ORIGIN_ICMP6: Final = 3
_MSG_ERRQUEUE: Final = 0x2000
_EXTENDED: Final = struct.Struct("=IBBBBII")
_STAMP: Final = struct.Struct("=qq")
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class QueuedError:
    """One ICMP error. `payload` is what of our packet came back: ICMP header first, or the UDP payload."""

    family: Family
    destination: str
    port: int
    kind: int
    code: int
    offender: str
    payload: bytes
    stamp_wall_ns: int | None

    def quoting(self, ident: int) -> IcmpError | None:
        """As an error about an echo request of the unprivileged socket with that identifier."""
        if len(self.payload) < 8:
            return None
        seq = int.from_bytes(self.payload[6:8], "big")
        text = error_text(self.family, self.kind, self.code)
        return IcmpError(self.destination, ident, seq, text, error_code(self.family, self.kind, self.code))


def read_errors(sock: socket.socket, family: Family) -> Iterator[QueuedError | None]:
    """Every error waiting, oldest first; None for one that did not come from the network."""
    for _ in range(_MOST):
        try:
            payload, ancillary, _, name = sock.recvmsg(2048, 512, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            return
        yield _parsed(family, payload, ancillary, name)


def kernel_stamp_ns(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The wall time at which the kernel received the packet."""
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(content) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(content)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None


def _parsed(
    family: Family, payload: bytes, ancillary: list[tuple[int, int, bytes]], name: tuple[str, int]
) -> QueuedError | None:
    wanted = (socket.IPPROTO_IP, IP_RECVERR) if family == 4 else (socket.IPPROTO_IPV6, IPV6_RECVERR)
    for level, option, content in ancillary:
        if (level, option) != wanted or len(content) < _EXTENDED.size:
            continue
        _, origin, kind, code, _, _, _ = _EXTENDED.unpack_from(content)
        if origin not in (ORIGIN_ICMP, ORIGIN_ICMP6):
            return None
        offender = _address(family, content[_EXTENDED.size :])
        return QueuedError(family, name[0], name[1], kind, code, offender, payload, kernel_stamp_ns(ancillary))
    return None


def _address(family: Family, sockaddr: bytes) -> str:
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8]) if len(sockaddr) >= 8 else ""
    return socket.inet_ntop(socket.AF_INET6, sockaddr[8:24]) if len(sockaddr) >= 24 else ""
