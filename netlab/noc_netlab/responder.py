"""The simulated internet's process: reads the TUN device, answers as told, and records what it did.

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
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Final

from noc_netlab import oracle, packets
from noc_netlab.behaviour import Behaviour, Host
from noc_netlab.device import open_device

_BATCH: Final = 256


class Responder:
    def __init__(self, device: int, record: BinaryIO, seed: int) -> None:
        self._device = device
        self._record = record
        self._rng = random.Random(seed)
        self._default = Behaviour()
        self._hosts: dict[bytes, Host] = {}
        self._due: list[tuple[float, int, bytes]] = []
        self._pushed = 0
        self._orders = b""
        self.requests = 0
        self.worst_late_ms = 0.0

    def run(self) -> None:
        orders = sys.stdin.fileno()
        os.set_blocking(orders, False)
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else 1.0
            readable, _, _ = select.select([self._device, orders], [], [], min(wait_s, 1.0))
            if orders in readable and not self._obey(os.read(orders, 65536)):
                return
            if self._device in readable:
                self._take()
            self._send()

    def _take(self) -> None:
        for _ in range(_BATCH):
            try:
                packet = os.read(self._device, 65536)
            except BlockingIOError:
                return
            request = packets.read(packet)
            if request is None:
                continue
            self.requests += 1
            host = self._hosts.get(request.target)
            if host is None:
                host = self._hosts[request.target] = Host(self._default, self._rng)
            is_answered, answers = host.answer(request)
            self._record.write(
                oracle.pack(
                    time.time_ns(), request.source, request.target, request.ident, request.seq, is_answered=is_answered
                )
            )
            now_s = time.monotonic()
            for delay_ms, answer in answers:
                self._pushed += 1
                heapq.heappush(self._due, (now_s + delay_ms / 1000, self._pushed, answer))

    def _send(self) -> None:
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            due_s, _, packet = heapq.heappop(self._due)
            self.worst_late_ms = max(self.worst_late_ms, (now_s - due_s) * 1000)
            os.write(self._device, packet)

    def _obey(self, received: bytes) -> bool:
        """False at the end of input."""
        if not received:
            return False
        *lines, self._orders = (self._orders + received).split(b"\n")
        for line in lines:
            print(json.dumps(self._do(**json.loads(line))), flush=True)
        return True

    def _do(self, order: str, addresses: list[str] | None = None, **options: Any) -> dict[str, Any]:
        self._record.flush()
        if order == "figures":
            answer = {"requests": self.requests, "worst_late_ms": self.worst_late_ms, "waiting": len(self._due)}
            self.worst_late_ms = 0.0
            return answer
        behaviour = Behaviour.read(options)
        if addresses is None:
            self._default = behaviour
            self._hosts.clear()
        for address in addresses or ():
            self._hosts[ipaddress.ip_address(address).packed] = Host(behaviour, self._rng)
        return {"at_ns": time.time_ns()}


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, seed = Path(sys.argv[1]), int(sys.argv[2])
    device = open_device()
    with path.open("wb") as record:
        print(json.dumps({"ready": True}), flush=True)
        Responder(device, record, seed).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
