"""The ICMP sockets: one per address family, raw where that is allowed, else unprivileged."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any, Final

from icmplib import ICMPSocketError, ICMPv4Socket, ICMPv6Socket, SocketPermissionError

from noc_prober.addresses import Destination
from noc_prober.packets import ERROR_TYPES, Family

_BUFFER_BYTES: Final = 8 * 1024 * 1024
# Numbers of Linux that the socket module does not name.
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
SO_TIMESTAMPNS: Final = 35
_SO_MEMINFO: Final = 55
_SK_MEMINFO_DROPS: Final = 8
_SOL_RAW: Final = 255
_ICMP_FILTER: Final = 1
_ICMP6_FILTER: Final = 1
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25
_IPV6_HOPLIMIT: Final = 52

CURES: Final = (
    "run it as root, or `setcap cap_net_raw+ep` the Python it runs with, "
    'or `sysctl -w net.ipv4.ping_group_range="0 2147483647"`'
)


class NoIcmp(Exception):
    """This process may not ping at all. The text says what would allow it."""


@dataclass(frozen=True)
class IcmpSocket:
    """An open ICMP socket. Unprivileged ones have their identifier from the kernel."""

    family: Family
    is_raw: bool
    sock: socket.socket
    holder: Any
    ident: int

    @property
    def has_ip_header(self) -> bool:
        return self.is_raw and self.family == 4

    def transmit(self, packet: bytes, to: Destination, ttl: int | None) -> None:
        """Hand a packet to the kernel. Raises OSError."""
        transmit(self.sock, packet, to, ttl)

    def drops(self) -> int:
        """Packets the kernel dropped because nobody read them in time."""
        memory = self.sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        return int(struct.unpack_from("=9I", memory)[_SK_MEMINFO_DROPS])

    def close(self) -> None:
        self.holder.close()


def open_all() -> dict[Family, IcmpSocket]:
    """A socket for each family this machine speaks. Raises NoIcmp where none is allowed, or that is not Linux."""
    if sys.platform != "linux":
        raise NoIcmp(
            f"Pinging needs the ICMP sockets of Linux, which {sys.platform} has not: run the prober on Linux or in a container."
        )
    families: tuple[Family, ...] = (4, 6)
    sockets: dict[Family, IcmpSocket] = {}
    refused = False
    for family in families:
        try:
            sockets[family] = open_one(family)
        except SocketPermissionError:
            refused = True
        except ICMPSocketError:
            continue
    if sockets:
        return sockets
    if refused:
        raise NoIcmp(f"This process may not send ICMP echo requests: {CURES}.")
    raise NoIcmp("This machine speaks neither IPv4 nor IPv6: bring up a network interface.")


def open_one(family: Family, *, receives: bool = True) -> IcmpSocket:
    """Raises icmplib's SocketPermissionError where neither kind is allowed, ICMPSocketError without that family.

    `receives=False` gives a raw socket that only sends: what comes back is delivered to every other one.
    """
    kind = ICMPv4Socket if family == 4 else ICMPv6Socket
    try:
        holder, is_raw = kind(privileged=True), True
    except SocketPermissionError:
        holder, is_raw = kind(privileged=False), False
    sock = holder.sock
    sock.setblocking(False)
    _enlarge_buffers(sock)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    ident = 0
    if is_raw:
        _filter(sock, family, receives=receives)
    else:
        sock.bind(("", 0) if family == 4 else ("::", 0))
        ident = sock.getsockname()[1]
        queue_errors(sock, family)
    return IcmpSocket(family, is_raw, sock, holder, ident)


def transmit(sock: socket.socket, packet: bytes, to: Destination, ttl: int | None) -> None:
    """Send with a time to live of its own; None leaves it to the system. Raises OSError."""
    if ttl is None:
        sock.sendto(packet, to.sockaddr)
        return
    level, option = (socket.IPPROTO_IP, socket.IP_TTL) if to.family == 4 else (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)
    sock.sendmsg([packet], [(level, option, struct.pack("=i", ttl))], 0, to.sockaddr)


def queue_errors(sock: socket.socket, family: Family) -> None:
    """Have ICMP errors about what this socket sent queued for it."""
    if family == 4:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)


def _enlarge_buffers(sock: socket.socket) -> None:
    """Room for ten thousands of replies: the default holds 256 and drops the rest (measured).

    And for thousands of requests: those to silent neighbours stay in it while the kernel asks for
    their link addresses, for three seconds each.
    """
    for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_BYTES)
        except OSError:  # without CAP_NET_ADMIN as much as the system gives everybody
            sock.setsockopt(socket.SOL_SOCKET, plain, _BUFFER_BYTES)


def _filter(sock: socket.socket, family: Family, *, receives: bool) -> None:
    """Let through only what is for us; otherwise every ICMP packet of the machine is copied here."""
    wanted = {0 if family == 4 else 129, *ERROR_TYPES[family]} if receives else frozenset[int]()
    if family == 4:
        blocked = 0xFFFFFFFF
        for kind in wanted:
            blocked &= ~(1 << kind)
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
        return
    words = [0xFFFFFFFF] * 8
    for kind in wanted:
        words[kind >> 5] &= ~(1 << (kind & 31))
    sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
