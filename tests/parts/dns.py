"""A DNS server of the test's own, and how to have a process ask it: the machine's own settings stay as they are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from noc_netlab.dns import Zone, answer


class Dns:
    """A context manager: answers from `names` on UDP port 53 of a loopback address.

    `is_silent`: it hears and says nothing, as a dead server does.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.53") -> None:
        self.address = address
        self.names: dict[str, list[str]] = {}
        self.ttl_s = 5
        self.is_silent = False
        self._settings = folder / "resolv.conf"
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        self._settings.write_text(f"nameserver {self.address}\noptions timeout:1 attempts:1\n")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        # A thread that waits in the socket would keep the port from whoever comes next.
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()

    def asking_it(self, *command: str) -> Sequence[str]:
        """The command that runs `command` with this server as its only one, in a mount namespace of its own."""
        mount = f'mount --bind {self._settings} /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh", *command]

    def _serve(self) -> None:
        while not self._is_over.is_set():
            try:
                query, client = self._socket.recvfrom(1024)
            except TimeoutError:
                continue
            # Anew each time: a test changes the names as it goes.
            found = answer(query, Zone(self.names, self.ttl_s))
            if found and not self.is_silent:
                self._socket.sendto(found, client)
