"""The simulated internet as tests see it: behaviours are set, silences made, the record read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from noc_netlab import oracle
from noc_netlab.behaviour import Behaviour
from noc_netlab.firewall import Firewall
from noc_netlab.namespace import NoNamespace
from noc_netlab.oracle import Seen


class Netlab:
    """Every address of 10.99.0.0/16 and fd99::/64 is a host, as long as this runs.

    Use it as a context manager, in a process that is in a network namespace of its own.
    """

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.record = folder / "netlab.record"
        self.seed = seed
        self.firewall = Firewall()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "noc_netlab.responder", str(self.record), str(self.seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        if not self._process.stdout.readline():
            trouble = self._process.stderr.read() if self._process.stderr else ""
            self.__exit__()
            raise NoNamespace(trouble.strip().splitlines()[-1])
        return self

    def __exit__(self, *_: object) -> None:
        self.firewall.close()
        if self._process:
            # End of input is the order to end.
            self._process.communicate(timeout=10)
            self._process = None

    def behave(self, *addresses: str, **behaviour: Any) -> None:
        """Have these hosts (none given: all) treat echo requests so from now on; see `Behaviour`."""
        Behaviour.read(behaviour)
        self._order(order="behave", addresses=list(addresses) or None, **behaviour)

    def figures(self) -> dict[str, float]:
        """`requests` so far, and `worst_late_ms` since the last call: how late the lab itself answered."""
        return self._order(order="figures")

    def seen(self, address: str | None = None, since_ms: float = 0.0) -> Iterator[Seen]:
        """What the hosts got so far, oldest first."""
        self.figures()
        for one in oracle.read(self.record):
            if one.at_ms >= since_ms and address in (None, one.address):
                yield one

    def answered(self, since_ms: float = 0.0) -> Counter[str]:
        """How many requests each address answered."""
        self.figures()
        return oracle.answered(self.record, since_ms)

    @contextmanager
    def silence(self, *addresses: str) -> Iterator[None]:
        """Drop what these addresses say, on its way back, by nftables."""
        self.firewall.silence(*addresses)
        try:
            yield
        finally:
            self.firewall.let_speak(*addresses)

    def _order(self, **order: Any) -> dict[str, float]:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the lab has died: {self._process.stderr.read() if self._process.stderr else ''}")
        answer: dict[str, float] = json.loads(line)
        return answer
