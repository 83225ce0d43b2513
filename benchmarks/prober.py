"""How truly and how cheaply we ping: our engine beside icmplib's multiping, in one run.

    .venv/bin/python benchmarks/prober.py [--delay-ms 10] [--targets 100 500 1000]

Every host of a simulated network answers after the same delay, so that every loss is false and every
other round-trip time is wrong. The ratio is the CPU time beside ours for as many hosts; what an
engine gains in time by sending all at once it loses in the figures before. Touches no network but the namespace it makes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icmplib import async_multiping

from noc_netlab import namespace
from noc_netlab.lab import Netlab
from noc_netlab.namespace import NoNamespace
from noc_prober.addresses import literal
from noc_prober.check import Check, CheckPlan, Findings, Tally
from noc_prober.ping import Pinger
from noc_prober.schedule import spread
from noc_prober.sockets import open_all

PACKETS = 5
GAP_S = 0.2
TIMEOUT_S = 1.0
ROUND_S = 10.0


@dataclass(frozen=True)
class Round:
    """What one round of pings to all hosts gave."""

    sent: int
    rtts_ms: list[float]
    down: int


async def ours(addresses: list[str]) -> Round:
    """As the service does it: every host in its own place of a ten-second round."""
    loop = asyncio.get_running_loop()
    pinger = Pinger(open_all())
    findings: list[Findings] = []
    over = asyncio.Event()

    def done(found: Findings) -> None:
        findings.append(found)
        if len(findings) == len(addresses):
            over.set()

    start_s = loop.time() + 0.1
    for slot, address in enumerate(addresses):
        to = literal(address)
        assert to is not None
        due_s = start_s + spread(slot) * (ROUND_S - PACKETS * GAP_S - TIMEOUT_S)
        plan = CheckPlan(
            start_s=due_s, destinations=(to,), packets=PACKETS, gap_s=GAP_S, timeout_ms=TIMEOUT_S * 1000,
            lateness_limit_s=TIMEOUT_S,
        )  # fmt: skip
        loop.call_at(due_s, lambda plan=plan: Check(pinger, plan, Tally(), done).start())  # type: ignore[misc]
    await over.wait()
    pinger.close()
    return Round(
        sum(found.sent for found in findings),
        [rtt_ms for found in findings for rtt_ms in found.rtts_ms],
        sum(not found.rtts_ms for found in findings),
    )


def icmplib_with(tasks: Callable[[int], int]) -> Callable[[list[str]], Coroutine[Any, Any, Round]]:
    async def ping(addresses: list[str]) -> Round:
        hosts = await async_multiping(
            addresses, count=PACKETS, interval=GAP_S, timeout=TIMEOUT_S, concurrent_tasks=tasks(len(addresses))
        )
        return Round(
            sum(host.packets_sent for host in hosts),
            [rtt_ms for host in hosts for rtt_ms in host.rtts],
            sum(not host.is_alive for host in hosts),
        )

    return ping


ENGINES: tuple[tuple[str, Callable[[list[str]], Coroutine[Any, Any, Round]]], ...] = (
    ("noc-prober", ours),
    ("icmplib, 50 tasks", icmplib_with(lambda hosts: 50)),
    ("icmplib, a task each", icmplib_with(lambda hosts: hosts)),
)
HEADER = (
    f"{'hosts':>6}  {'engine':<21} {'false loss':>10}  {'false down':>10}  {'median RTT':>11}  {'p99 RTT':>11}"
    f"  {'RTT error':>9}  {'CPU':>8}  {'CPU ratio':>9}  {'took':>7}"
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Our engine beside icmplib's, on a simulated network.")
    parser.add_argument("--delay-ms", type=float, default=10.0, help="how long every host takes to answer (10)")
    parser.add_argument("--targets", type=int, nargs="+", default=[100, 500, 1000], help="hosts (100 500 1000)")
    options = parser.parse_args()
    if not 0.1 <= options.delay_ms <= 900:
        parser.error("--delay-ms takes 0.1 to 900")
    if not all(1 <= count <= 50_000 for count in options.targets):
        parser.error("--targets takes numbers from 1 to 50000")
    try:
        namespace.leave()
        namespace.lift("lo")
        with tempfile.TemporaryDirectory() as folder, Netlab(Path(folder)) as network:
            network.behave(delay_ms=options.delay_ms)
            compare(options.targets, options.delay_ms)
    except NoNamespace as error:
        print(f"benchmarks/prober.py needs a network of its own: {error}", file=sys.stderr)
        return 1
    return 0


def compare(counts: list[int], delay_ms: float) -> None:
    print(f"every host answers after {delay_ms:g} ms; {PACKETS} echo requests each, {GAP_S * 1000:g} ms apart")
    print(HEADER)
    for count in counts:
        addresses = [f"10.99.{1 + host // 250}.{1 + host % 250}" for host in range(count)]
        ours_cpu_s = 0.0
        for name, engine in ENGINES:
            cpu_s, began_s = time.process_time(), time.monotonic()
            found = asyncio.run(engine(addresses))
            cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - began_s
            ours_cpu_s = ours_cpu_s or cpu_s
            lost = PACKETS * count - len(found.rtts_ms)
            rtts = sorted(found.rtts_ms) or [float("nan")]
            median_ms = statistics.median(rtts)
            print(
                f"{count:6}  {name:<21} {lost:10}  {found.down:10}  {median_ms:8.2f} ms"
                f"  {rtts[int(len(rtts) * 0.99)]:8.2f} ms  {median_ms / delay_ms - 1:9.0%}"
                f"  {cpu_s:6.2f} s  {cpu_s / ours_cpu_s:8.1f}x  {took_s:5.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
