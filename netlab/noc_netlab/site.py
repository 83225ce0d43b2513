"""A site of its own: a network namespace behind a virtual cable, so that one site can be cut and another not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

from noc_netlab import namespace
from noc_netlab.namespace import NoNamespace


class Site:
    """Number 1 has the address 10.98.1.2, and sees us as 10.98.1.1. Only IPv4 reaches it.

    Use it as a context manager, in a process that is in a network namespace of its own.
    """

    def __init__(self, number: int) -> None:
        self.address = f"10.98.{number}.2"
        self.gateway = f"10.98.{number}.1"
        self._cable = f"site{number}"
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            [sys.executable, "-P", "-m", "noc_netlab.site"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        if not self._holder.stdout.readline():
            self.__exit__()
            raise NoNamespace("the kernel refuses a second network namespace")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder.pid))
        _run("ip", "addr", "add", f"{self.gateway}/24", "dev", self._cable)
        _run("ip", "link", "set", self._cable, "up")
        _run(*self.inside("ip", "addr", "add", f"{self.address}/24", "dev", "eth0"))
        _run(*self.inside("ip", "link", "set", "eth0", "up"))
        _run(*self.inside("ip", "route", "add", "default", "via", self.gateway))
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder:
            # End of input is the order to end; the cable goes with the namespace.
            self._holder.communicate(timeout=10)
            self._holder = None

    def inside(self, *command: str) -> list[str]:
        """The command that runs `command` at this site."""
        assert self._holder
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *command]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")


def hold() -> int:
    """Be the process whose namespace it is, until the end of input."""
    namespace.leave_network()
    namespace.lift("lo")
    print("ready", flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(hold())
