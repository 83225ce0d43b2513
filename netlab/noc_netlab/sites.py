"""A simulated internet with several sites: each in a network namespace of its own, with names and a way out.

    with Sites({"berlin": ["10.0.0.2/8"]}, folder) as sites:
        subprocess.run([*sites.inside("berlin"), "ping", "host.example"])

The process that calls this stays in the machine's network; a second one makes the namespaces and is
all that lies behind them. As an ordinary user it becomes root of a user namespace for that.
Every site has the loopback address, a name server on it, and one way out: `Gate`, a TCP port of
its loopback whose connections arrive at the caller.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from noc_netlab import namespace
from noc_netlab.behaviour import Behaviour
from noc_netlab.device import open_device
from noc_netlab.namespace import NoNamespace
from noc_netlab.responder import Responder

NAME_SERVER: Final = "127.0.0.1"
GATE: Final = ("127.0.0.1", 1883)
_DNS_PORT: Final = 53
_PER_SITE: Final = 2
_END_S: Final = 10.0


class Sites:
    """A context manager. `own`: by site, its addresses with the length of their network's prefix."""

    def __init__(self, own: Mapping[str, Sequence[str]], record: Path, seed: int = 1) -> None:
        self.record = record
        self._own = {site: list(addresses) for site, addresses in own.items()}
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None
        self._user: int | None = None
        self._networks: dict[str, int] = {}
        self.gates: dict[str, socket.socket] = {}
        """By site, the socket that listens on GATE there. Connections accepted from it come from that site."""

    def __enter__(self) -> Self:
        """Raises NoNamespace."""
        near, far = socket.socketpair()
        with near, far:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "noc_netlab.sites"),
                    *(str(far.fileno()), str(self.record), str(self._seed), json.dumps(self._own)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=[far.fileno()],
                # Ctrl-C in the terminal is for our caller, who ends us in order.
                start_new_session=True,
            )
            far.close()
            received = _receive(near, 1 + _PER_SITE * len(self._own))
        if not received:
            problem = self._process.stderr.read() if self._process.stderr else ""
            self.__exit__()
            raise NoNamespace(problem.strip().splitlines()[-1] if problem.strip() else "the simulated network has died")
        self._user, *rest = received
        for site, network, gate in zip(self._own, rest[::_PER_SITE], rest[1::_PER_SITE], strict=True):
            self._networks[site] = network
            self.gates[site] = socket.socket(fileno=gate)
        return self

    def __exit__(self, *_: object) -> None:
        for gate in self.gates.values():
            gate.close()
        for fd in [*self._networks.values(), *([] if self._user is None else [self._user])]:
            os.close(fd)
        self.gates, self._networks, self._user = {}, {}, None
        if self._process:
            # End of input is the order to end; what it made goes with it.
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate(timeout=_END_S)
            self._process = None

    def inside(self, site: str) -> list[str]:
        """What to put before a command that is to run at this site, as long as this process lives."""
        return [sys.executable, "-P", "-m", "noc_netlab.inside", *self.doors(site)]

    def doors(self, site: str) -> list[str]:
        """For `inside.enter`: paths of the user namespace and of the network of this site."""
        ours = f"/proc/{os.getpid()}/fd"
        return [f"{ours}/{self._user}", f"{ours}/{self._networks[site]}"]

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def behave(self, *addresses: str, site: str | None = None, **behaviour: Any) -> None:
        """Have these hosts treat what comes from this site (None: from every one) so from now on; see `Behaviour`."""
        Behaviour.read(behaviour)
        self._order(order="behave", addresses=list(addresses) or None, site=site, **behaviour)

    def cut(self, site: str, *, is_cut: bool) -> None:
        """Let nothing through from this site, or everything again."""
        self._order(order="cut", site=site, is_cut=is_cut)

    def name(self, names: Mapping[str, Sequence[str]]) -> None:
        """All names there are from now on, each with its addresses."""
        self._order(order="names", names={name: list(addresses) for name, addresses in names.items()})

    def figures(self) -> dict[str, float]:
        """`requests` so far, and `worst_late_ms` since the last call: how late the simulation itself answered."""
        return self._order(order="figures")

    def _order(self, **order: Any) -> dict[str, float]:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            problem = self._process.stderr.read() if self._process.stderr else ""
            raise RuntimeError(f"the simulated network has died: {problem.strip()}")
        answer: dict[str, float] = json.loads(line)
        return answer


def _receive(near: socket.socket, wanted: int) -> list[int]:
    """The file descriptors that the other process has made; none where it could not."""
    _, fds, _, _ = socket.recv_fds(near, 1, wanted)
    return list(fds)


def _make(own: Sequence[str]) -> tuple[int, int, socket.socket, socket.socket]:
    """A network of its own, of which this thread is in from now on: its file, its device, its gate, its name server."""
    namespace.leave_network()
    namespace.lift("lo")
    name_server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    name_server.bind((NAME_SERVER, _DNS_PORT))
    gate = socket.create_server(GATE)
    return os.open("/proc/self/ns/net", os.O_RDONLY), open_device(own), gate, name_server


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    near = socket.socket(fileno=int(sys.argv[1]))
    path, seed = Path(sys.argv[2]), int(sys.argv[3])
    own: dict[str, list[str]] = json.loads(sys.argv[4])
    try:
        namespace.leave()
        made = {site: _make(addresses) for site, addresses in own.items()}
    except NoNamespace as error:
        print(error, file=sys.stderr)
        return 1
    fds = [os.open("/proc/self/ns/user", os.O_RDONLY)]
    for network, _, gate, _ in made.values():
        fds += [network, gate.fileno()]
    near.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    near.close()
    for network, _, gate, _ in made.values():
        # They live as long as our caller has them.
        os.close(network)
        gate.close()
    devices = {site: device for site, (_, device, _, _) in made.items()}
    name_servers = tuple(name_server for _, _, _, name_server in made.values())
    with path.open("wb") as record:
        Responder(devices, record, seed, name_servers).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
