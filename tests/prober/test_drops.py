"""What the kernel dropped because we did not read in time proves nothing about a host."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest

import noc_prober.ping
from noc_bus.time import Time
from noc_prober.addresses import Destination
from noc_prober.cycle import Cycle, Outcome, Plan, Tally
from noc_prober.ping import Pinger
from noc_prober.sockets import IcmpSocket, open_one

HOST = Destination(4, "127.0.0.1", ("127.0.0.1", 0))


def a_small_socket() -> IcmpSocket:
    own = open_one(4)
    own.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    return own


def overflow(pinger: Pinger) -> None:
    """More answers than the socket takes, and nobody reads."""
    for _ in range(200):
        pinger.send(HOST, Cycle(pinger, plan(), Tally(), print), timeout_ms=1000, size_bytes=56, ttl=None)
    assert pinger.drops() > 0


def plan() -> Plan:
    now_s = asyncio.get_running_loop().time()
    return Plan(now_s, Time.now(), (HOST,), 1, 0.0, 100.0, 56, None, 1.0)


def test_a_cycle_whose_answer_was_dropped_is_invalid_and_not_lossy(icmp: None) -> None:
    async def cycle() -> Outcome:
        pinger = Pinger({4: a_small_socket()})
        try:
            overflow(pinger)
            over: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            Cycle(pinger, plan(), Tally(), over.set_result).start()
            return await over
        finally:
            pinger.close()

    outcome = asyncio.run(cycle())
    assert (outcome.sent, outcome.rtts_ms) == (1, [])
    assert outcome.invalid is not None
    assert "ICMP packets unread" in outcome.invalid


def test_drops_are_counted_on_when_a_socket_is_exchanged(icmp: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noc_prober.ping, "_IDENT_LASTS_S", 0.0)

    async def exchange() -> tuple[int, int]:
        # Only unprivileged sockets are exchanged, and not every machine that runs this has them.
        pinger = Pinger({4: dataclasses.replace(a_small_socket(), is_raw=False)})
        try:
            overflow(pinger)
            before = pinger.drops()
            pinger.tick()
            return before, pinger.drops()
        finally:
            pinger.close()

    before, after = asyncio.run(exchange())
    assert after >= before
