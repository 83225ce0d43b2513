"""What came back but does not count leaves its trace in the result, and what is about us is not held against the host."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from noc_netlab.firewall import Firewall
from noc_netlab.lab import Netlab
from noc_netlab.site import Site
from noc_prober.addresses import literal
from noc_prober.check import Check, CheckPlan, Findings, Tally, checked
from noc_prober.ping import Pinger
from noc_prober.sockets import open_all

HOST = "10.99.0.7"
BOTH = pytest.mark.parametrize("address", [HOST, "fd99::7"])


def check(address: str, **plan: Any) -> Findings:
    """Three echo requests."""

    async def run() -> Findings:
        to = literal(address)
        assert to is not None
        pinger = Pinger(open_all())
        start_s = asyncio.get_running_loop().time()
        given = {"packets": 3, "gap_s": 0.02, "timeout_ms": 300.0, "lateness_limit_s": 5.0, **plan}
        try:
            return await checked(pinger, CheckPlan(start_s=start_s, destinations=(to,), **given), Tally())
        finally:
            pinger.close()

    return asyncio.run(run())


def told(findings: Findings) -> list[tuple[str, str]]:
    return list(zip(findings.evidence.codes, findings.evidence.texts, strict=True))


@BOTH
def test_replies_from_another_address_are_no_answer_and_name_it(icmp: None, netlab: Netlab, address: str) -> None:
    other = address.replace("7", "9")
    netlab.behave(address, source=other)
    found = check(address)
    assert (found.sent, found.rtts_ms, found.invalid) == (3, [], None)
    assert told(found) == [("other-source", f"3 replies came from {other}")]


@BOTH
def test_altered_replies_are_no_answer_and_told(icmp: None, netlab: Netlab, address: str) -> None:
    netlab.behave(address, altered_payload=True)
    found = check(address)
    assert (found.sent, found.rtts_ms) == (3, [])
    assert told(found) == [("altered", "3 replies came back altered")]


@BOTH
@pytest.mark.parametrize(("left", "answered"), [(0, 0), (8, 0), (40, 3)])
def test_replies_that_came_back_cut_are_told_and_count_where_they_are_surely_ours(
    icmp: None, netlab: Netlab, address: str, left: int, answered: int
) -> None:
    netlab.behave(address, cut_bytes=left)
    found = check(address)
    assert len(found.rtts_ms) == answered
    assert told(found) == [("cut", "3 replies came back cut")]


def test_a_firewall_on_the_way_says_so(icmp: None, netlab: Netlab) -> None:
    netlab.behave(HOST, prohibited=True, path=["10.99.200.1"])
    found = check(HOST)
    assert (found.sent, found.rtts_ms, found.invalid) == (3, [], None)
    assert told(found) == [("prohibited", "Packet filtered, says 10.99.200.1")]


def test_what_a_local_firewall_forbids_is_not_counted(icmp: None, netlab: Netlab, firewall: Firewall) -> None:
    with forbidden():
        found = check(HOST)
    assert found.sent == 0
    assert found.invalid is not None
    assert (found.invalid.code, found.invalid.text) == ("filtered", f"a local firewall forbids it, to {HOST}")


def test_a_request_that_could_not_leave_is_missing_and_not_lost(icmp: None, netlab: Netlab) -> None:
    """The firewall comes after the first of three."""

    async def run() -> Findings:
        to = literal(HOST)
        assert to is not None
        loop = asyncio.get_running_loop()
        pinger = Pinger(open_all())
        over: asyncio.Future[Findings] = loop.create_future()
        plan = CheckPlan(start_s=loop.time(), destinations=(to,), packets=3, gap_s=0.5, lateness_limit_s=5.0)
        Check(pinger, plan, Tally(), over.set_result).start()
        await asyncio.sleep(0.2)
        with forbidden():
            found = await over
        pinger.close()
        return found

    found = asyncio.run(run())
    assert (found.sent, len(found.rtts_ms), found.invalid) == (1, 1, None)
    assert found.evidence.codes == ["filtered"]


class forbidden:  # noqa: N801  # reads as a condition of the tests
    """Nothing may leave for HOST."""

    def __enter__(self) -> None:
        rules = (
            f"table inet forbidden {{\nchain out {{\ntype filter hook output priority 0\nip daddr {HOST} drop\n}}\n}}\n"
        )
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)

    def __exit__(self, *_: object) -> None:
        subprocess.run(["nft", "delete", "table", "inet", "forbidden"], check=True)


def test_a_packet_too_large_for_the_path_is_sent_again_in_pieces(icmp: None, own_network: None) -> None:
    with Site(1) as near, Site(2) as far:
        # A router with a narrow cable behind it; the host at its end knows of its narrowness.
        subprocess.run(["ip", "link", "set", "site2", "mtu", "600"], check=True)
        subprocess.run(far.inside("ip", "link", "set", "eth0", "mtu", "600"), check=True)
        command = [sys.executable, "-m", "noc_prober.cli", "ping", "--json", "-c", "3", "-s", "1000", far.address]
        done = subprocess.run(near.inside(*command), capture_output=True, text=True, check=False, timeout=30)
    (host,) = json.loads(done.stdout)
    assert (host["sent"], host["received"], host["invalid"]) == (3, 3, None)
    assert host["error_codes"] == ["too-large"]
