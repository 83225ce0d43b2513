"""The TUN device behind which the simulated internet lies."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from noc_netlab.namespace import NoNamespace, lift

NAME: Final = "netlab"
IPV4: Final = "10.99.0.0/16"
IPV6: Final = "fd99::/64"
# Where our own packets come from: the last address of each network.
OWN_IPV4: Final = "10.99.255.254"
OWN_IPV6: Final = "fd99::ffff:ffff:ffff:ffff"

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x1001
_SIOCSIFADDR: Final = 0x8916
_SIOCSIFNETMASK: Final = 0x891C
_SIOCSIFTXQLEN: Final = 0x8943
_QUEUE_PACKETS: Final = 20_000


def open_device() -> int:
    """A file descriptor to read what is sent to the networks, and to write what comes from them."""
    path = Path("/dev/net/tun")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(10, 200))
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", NAME.encode(), _IFF_TUN_NO_PI))
    except OSError as error:
        raise NoNamespace(f"no TUN device can be made here ({error})") from None
    _set_addresses()
    return fd


def _set_addresses() -> None:
    name = NAME.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for request, address in ((_SIOCSIFADDR, OWN_IPV4), (_SIOCSIFNETMASK, "255.255.0.0")):
            sockaddr = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(sock, request, struct.pack("16s16s", name, sockaddr))
        # The default of 500 packets would be a drop of the lab's own making at a thousand targets.
        fcntl.ioctl(sock, _SIOCSIFTXQLEN, struct.pack("16si12x", name, _QUEUE_PACKETS))
    lift(NAME)
    if socket.has_ipv6 and Path("/proc/net/if_inet6").exists():
        index = socket.if_nametoindex(NAME)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            request6 = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, OWN_IPV6), 64, index)
            fcntl.ioctl(sock, _SIOCSIFADDR, request6)
