"""A simulated network for benchmarks: every address of 10.99.0.0/16 answers pings after a fixed delay.

Runs inside a network namespace of its own. Prints `ready`, then answers until it is ended.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
SETUP = (
    "ip link set lo up",
    "ip address add 10.99.0.1/16 dev benchmark",
    "ip link set benchmark txqueuelen 20000 up",
)


def main(delay_s: float) -> None:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"benchmark", IFF_TUN_NO_PI))
    for command in SETUP:
        subprocess.run(command.split(), check=True)  # noqa: S603  # the table above
    print("ready", flush=True)
    waiting: list[tuple[float, int, bytes]] = []
    count = 0
    while True:
        timeout_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select([tun], [], [], timeout_s)
        while readable:
            try:
                packet = os.read(tun, 2048)
            except BlockingIOError:
                break
            if answer := reply(packet):
                count += 1
                heapq.heappush(waiting, (time.monotonic() + delay_s, count, answer))
        now_s = time.monotonic()
        while waiting and waiting[0][0] <= now_s:
            os.write(tun, heapq.heappop(waiting)[2])


def reply(packet: bytes) -> bytes | None:
    """The echo reply to an IPv4 echo request with a header of 20 bytes; None for anything else."""
    if packet[0] != 0x45 or packet[9] != 1 or packet[20] != 8:
        return None
    # Type 8 becomes 0: the checksum grows by 0x0800, with the carry added in.
    total = int.from_bytes(packet[22:24], "big") + 0x0800
    total = (total & 0xFFFF) + (total >> 16)
    icmp = b"\x00\x00" + total.to_bytes(2, "big") + packet[24:]
    return packet[:12] + packet[16:20] + packet[12:16] + icmp


if __name__ == "__main__":
    main(float(sys.argv[1]) / 1000)
