"""The simulated internet's process: reads TUN devices, answers as told, and records what it did.

Orders come as lines of JSON on standard input and are confirmed on standard output; end of input ends it.
"""

from __future__ import annotations

import heapq
import ipaddress
import json
import os
import random
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from noc_netlab import dns, oracle, packets
from noc_netlab.behaviour import Behaviour, Host
from noc_netlab.device import open_device

_BATCH: Final = 256
_DATAGRAM_BYTES: Final = 1500


class Responder:
    """`devices` by the name of the site that sends through them; `name_servers` are UDP sockets that are asked for names."""

    def __init__(
        self, devices: Mapping[str, int], record: BinaryIO, seed: int, name_servers: tuple[socket.socket, ...] = ()
    ) -> None:
        self._devices = {fd: site for site, fd in devices.items()}
        self._record = record
        self._rng = random.Random(seed)  # a simulation
        self._default = Behaviour()
        self._hosts: dict[tuple[int, bytes], Host] = {}
        self._cut: set[int] = set()
        self._due: list[tuple[float, int, int, bytes]] = []
        self._pushed = 0
        self._orders = b""
        self._name_servers = {one.fileno(): one for one in name_servers}
        self._zone = dns.Zone({})
        self.requests = 0
        self.worst_late_ms = 0.0

    def run(self) -> None:
        orders = sys.stdin.fileno()
        os.set_blocking(orders, False)
        watched = [*self._devices, *self._name_servers, orders]
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else 1.0
            readable, _, _ = select.select(watched, [], [], min(wait_s, 1.0))
            for fd in readable:
                if fd in self._devices:
                    self._take(fd)
                elif fd in self._name_servers:
                    self._resolve(self._name_servers[fd])
                elif not self._obey(os.read(orders, 65536)):
                    return
            self._send()

    def _take(self, device: int) -> None:
        for _ in range(_BATCH):
            try:
                packet = os.read(device, 65536)
            except BlockingIOError:
                return
            request = packets.read(packet)
            if request is None:
                continue
            self.requests += 1
            host = self._hosts.get((device, request.target))
            if host is None:
                host = self._hosts[device, request.target] = Host(self._default, self._rng)
            now_s = time.monotonic()
            is_answered, answers = (False, []) if device in self._cut else host.answer(request, now_s)
            self._record.write(
                oracle.pack(
                    time.time_ns(), request.source, request.target, request.ident, request.seq, is_answered=is_answered
                )
            )
            for delay_ms, answer in answers:
                self._pushed += 1
                heapq.heappush(self._due, (now_s + delay_ms / 1000, self._pushed, device, answer))

    def _send(self) -> None:
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            due_s, _, device, packet = heapq.heappop(self._due)
            self.worst_late_ms = max(self.worst_late_ms, (now_s - due_s) * 1000)
            os.write(device, packet)

    def _resolve(self, name_server: socket.socket) -> None:
        query, asker = name_server.recvfrom(_DATAGRAM_BYTES)
        if answer := dns.answer(query, self._zone):
            name_server.sendto(answer, asker)

    def _obey(self, received: bytes) -> bool:
        """False at the end of input."""
        if not received:
            return False
        *lines, self._orders = (self._orders + received).split(b"\n")
        for line in lines:
            print(json.dumps(self._do(**json.loads(line))), flush=True)
        return True

    def _do(self, order: str, **options: Any) -> dict[str, Any]:
        self._record.flush()
        if order == "figures":
            answer = {"requests": self.requests, "worst_late_ms": self.worst_late_ms, "waiting": len(self._due)}
            self.worst_late_ms = 0.0
            return answer
        if order == "names":
            self._zone = dns.Zone(options["names"])
        elif order == "cut":
            (self._cut.add if options["is_cut"] else self._cut.discard)(self._device(options["site"]))
        else:
            self._behave(**options)
        return {"at_ns": time.time_ns()}

    def _behave(self, addresses: list[str] | None = None, site: str | None = None, **options: Any) -> None:
        behaviour = Behaviour.read(options)
        if addresses is None:
            self._default = behaviour
            self._hosts.clear()
        for device in self._devices if site is None else (self._device(site),):
            for address in addresses or ():
                self._hosts[device, ipaddress.ip_address(address).packed] = Host(behaviour, self._rng)

    def _device(self, site: str) -> int:
        return next(fd for fd, name in self._devices.items() if name == site)


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, seed = Path(sys.argv[1]), int(sys.argv[2])
    device = open_device()
    with path.open("wb") as record:
        print(json.dumps({"ready": True}), flush=True)
        Responder({"": device}, record, seed).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
