"""A DNS server of the test's own, and how to have a process ask it: the machine's own settings stay as they are."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

_CLASS_IN: Final = 1
_TYPES: Final = {4: 1, 6: 28}


class Dns:
    """A context manager: answers A and AAAA from `names` on UDP port 53 of a loopback address.

    `is_silent`: it hears and says nothing, as a dead server does.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.53") -> None:
        self.address = address
        self.names: dict[str, list[str]] = {}
        self.ttl_s = 5
        self.is_silent = False
        self.asked: list[str] = []
        self._settings = folder / "resolv.conf"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._settings.write_text(f"nameserver {self.address}\noptions timeout:1 attempts:1\n")
        self._socket.bind((self.address, 53))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def asking_it(self, *command: str) -> Sequence[str]:
        """The command that runs `command` with this server as its only one, in a mount namespace of its own."""
        mount = f'mount --bind {self._settings} /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh", *command]

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(1024)
            except OSError:
                return
            if not self.is_silent and (answer := self._answer(query)):
                self._socket.sendto(answer, client)

    def _answer(self, query: bytes) -> bytes | None:
        if len(query) < 17:
            return None
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        (kind,) = struct.unpack_from("!H", query, at + 1)
        question = query[12 : at + 5]
        self.asked.append(name)
        known = self.names.get(name)
        found = [ip_address(one) for one in known or () if _TYPES[ip_address(one).version] == kind]
        code = 0 if known is not None else 3
        header = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0)
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", kind, _CLASS_IN, self.ttl_s, len(one.packed)) + one.packed
            for one in found
        )
        return header + question + records
