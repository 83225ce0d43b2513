"""A whole switch of dead neighbours must not keep us from the others."""

from __future__ import annotations

import asyncio
import socket

from noc_netlab.site import Site
from noc_prober.addresses import Destination, literal
from noc_prober.check import CheckPlan, Findings, Tally, checked
from noc_prober.ping import Pinger
from noc_prober.sockets import IcmpSocket, open_one


def a_socket_with_room_for_few_requests() -> IcmpSocket:
    own = open_one(4)
    own.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    return own


async def check(pinger: Pinger, address: str) -> Findings:
    to = literal(address)
    assert isinstance(to, Destination)
    start_s = asyncio.get_running_loop().time()
    plan = CheckPlan(start_s=start_s, destinations=(to,), timeout_ms=200, lateness_limit_s=10)
    return await checked(pinger, plan, Tally())


def test_requests_to_silent_neighbours_do_not_hold_up_those_to_others(icmp: None, own_network: None) -> None:
    """The kernel keeps them in the socket's buffer while it asks for link addresses, for seconds."""

    async def checks() -> list[Findings]:
        pinger = Pinger({4: a_socket_with_room_for_few_requests()})
        silent = [check(pinger, f"10.98.1.{host}") for host in range(100, 150)]
        try:
            return await asyncio.gather(*silent, check(pinger, "127.0.0.1"))
        finally:
            pinger.close()

    with Site(1):
        *silent, other = asyncio.run(checks())
    assert {(found.sent, found.invalid, len(found.rtts_ms)) for found in silent} == {(1, None, 0)}
    assert (other.sent, other.invalid, len(other.rtts_ms)) == (1, None, 1)
