"""Moves this process into a network namespace of its own, and keeps a door to where it came from."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from noc_netlab.outside import Door

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_CURE: Final = (
    "run this as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "or on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0)"
)


class NoNamespace(Exception):
    """The machine does not let us have a namespace. The text says why."""


class Namespace:
    """Where this process is. `trouble` says why it is not in a namespace of its own; None: it is."""

    def __init__(self, door: Door, trouble: str | None) -> None:
        self._door = door
        self.trouble = trouble

    def outside(
        self, command: Sequence[str], *, cwd: Path | None = None, timeout_s: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where this process was before: it has the machine's network."""
        return self._door.run(command, cwd=cwd, timeout_s=timeout_s)

    def forward(self, host: str, port: int) -> int:
        """A loopback port here that leads to `host` and `port` in the machine's network."""
        return self._door.forward(host, port)

    def close(self) -> None:
        self._door.close()


def enter() -> Namespace:
    """Call it before any thread exists: a namespace belongs to a thread, and new threads inherit it."""
    # Who has left as an ordinary user cannot come back, so somebody stays behind.
    door = Door()
    try:
        leave()
        lift("lo")
    except NoNamespace as error:
        return Namespace(door, str(error))
    return Namespace(door, None)


def leave() -> None:
    """Leave the network for a new, empty one; as an ordinary user, by becoming root of a new user namespace."""
    become_root()
    leave_network()


def become_root() -> None:
    """As an ordinary user, become root of a new user namespace. Only before this process has a second thread."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        return
    _unshare(_CLONE_NEWUSER)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        # Root inside, so that the processes we start keep the rights over this network.
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise NoNamespace(
            f"the kernel refuses the rights over a network namespace ({error.strerror}); {_CURE}"
        ) from None


def leave_network() -> None:
    _unshare(_CLONE_NEWNET)


def lift(device: str) -> None:
    """Set a network device up."""
    name = device.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        (flags,) = struct.unpack_from("16xH", fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH14x", name, 0)))
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | _IFF_UP))


def _unshare(flags: int) -> None:
    if sys.platform != "linux":
        raise NoNamespace(f"{sys.platform} has no network namespaces")
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise NoNamespace(f"the kernel refuses a network namespace ({os.strerror(ctypes.get_errno())}); {_CURE}")
