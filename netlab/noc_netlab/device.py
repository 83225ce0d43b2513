"""The TUN device behind which the simulated internet lies."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from noc_netlab.namespace import NoNamespace, lift

NAME: Final = "netlab"
IPV4: Final = "10.99.0.0/16"
IPV6: Final = "fd99::/64"
# Where our own packets come from: the last address of each network.
OWN_IPV4: Final = "10.99.255.254"
OWN_IPV6: Final = "fd99::ffff:ffff:ffff:ffff"
LAB: Final = (f"{OWN_IPV4}/16", f"{OWN_IPV6}/64")

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x1001
_SIOCSIFADDR: Final = 0x8916
_SIOCSIFNETMASK: Final = 0x891C
_NETLINK_ROUTE: Final = 0
_RTM_NEWLINK: Final = 16
_NLM_F_REQUEST_ACK: Final = 0x5
_IFLA_TXQLEN: Final = 13
_QUEUE_PACKETS: Final = 20_000


def open_device(own: Sequence[str] = LAB) -> int:
    """A file descriptor to read what is sent to the networks, and to write what comes from them.

    `own`: addresses of ours with the length of their network's prefix; all else in those networks lies behind the device.
    Raises NoNamespace.
    """
    path = Path("/dev/net/tun")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(10, 200))
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", NAME.encode(), _IFF_TUN_NO_PI))
        _set_addresses([ipaddress.ip_interface(one) for one in own])
    except OSError as error:
        raise NoNamespace(
            f"no TUN device can be made here ({error}); run this as root, load the module (modprobe tun), "
            "or let users have it (chmod 666 /dev/net/tun)"
        ) from None
    return fd


def _set_addresses(own: Sequence[ipaddress.IPv4Interface | ipaddress.IPv6Interface]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number, one in enumerate(one for one in own if one.version == 4):
            # Further addresses have a label of their own.
            label = (f"{NAME}:{number}" if number else NAME).encode()
            for request, address in ((_SIOCSIFADDR, one.ip), (_SIOCSIFNETMASK, one.netmask)):
                sockaddr = struct.pack("HH4s8x", socket.AF_INET, 0, address.packed)
                fcntl.ioctl(sock, request, struct.pack("16s16s", label, sockaddr))
    _lengthen_queue(_QUEUE_PACKETS)
    lift(NAME)
    if socket.has_ipv6 and Path("/proc/net/if_inet6").exists():
        index = socket.if_nametoindex(NAME)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            for six in (one for one in own if one.version == 6):
                request6 = struct.pack("16sIi", six.ip.packed, six.network.prefixlen, index)
                fcntl.ioctl(sock, _SIOCSIFADDR, request6)


def _lengthen_queue(packets: int) -> None:
    """The default of 500 would be a drop of the lab's own making at a thousand targets.

    By netlink: the ioctl for it asks for rights in the machine's own network.
    """
    change = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(NAME), 0, 0)
    change += struct.pack("=HHI", 8, _IFLA_TXQLEN, packets)
    message = struct.pack("=IHHII", 16 + len(change), _RTM_NEWLINK, _NLM_F_REQUEST_ACK, 1, 0) + change
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE) as sock:
        sock.send(message)
        (error,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error))
