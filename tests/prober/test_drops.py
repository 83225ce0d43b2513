"""What the kernel dropped because we did not read in time proves nothing about a host."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest

import noc_prober.ping
from noc_prober.addresses import Destination
from noc_prober.check import Check, CheckPlan, Findings, Tally
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
        pinger.send(HOST, Check(pinger, plan(), Tally(), print), timeout_ms=1000, size_bytes=56, ttl=None)
    assert pinger.drops() > 0


def plan() -> CheckPlan:
    return CheckPlan(start_s=asyncio.get_running_loop().time(), destinations=(HOST,), timeout_ms=100)


def test_a_cycle_whose_answer_was_dropped_is_invalid_and_not_lossy(icmp: None) -> None:
    async def cycle() -> Findings:
        pinger = Pinger({4: a_small_socket()})
        try:
            overflow(pinger)
            over: asyncio.Future[Findings] = asyncio.get_running_loop().create_future()
            Check(pinger, plan(), Tally(), over.set_result).start()
            return await over
        finally:
            pinger.close()

    found = asyncio.run(cycle())
    assert (found.sent, found.rtts_ms) == (1, [])
    assert found.invalid is not None
    assert found.invalid.code == "dropped"
    assert "ICMP packets unread" in found.invalid.text


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
