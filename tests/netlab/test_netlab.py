"""The simulated internet does what it is told, and its record is true."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from noc_netlab.firewall import Firewall
from noc_netlab.lab import Netlab
from noc_netlab.site import Site
from tests.parts.pinger import Heard, ping
from tests.parts.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("address", ["10.99.1.2", "fd99::1:2"])
UNREACHABLE = {"10.99.1.2": 3, "fd99::1:2": 1}
TIME_EXCEEDED = {"10.99.1.2": 11, "fd99::1:2": 3}
ROUTER = {"10.99.1.2": "10.99.254.{}", "fd99::1:2": "fd99::fe:{}"}


def replies(heard: list[Heard]) -> list[Heard]:
    return [one for one in heard if one.seq >= 0]


@BOTH
def test_every_address_is_a_host_that_answers_after_its_delay(netlab: Netlab, address: str) -> None:
    netlab.behave(address, delay_ms=40)
    (heard,) = ping(address)
    assert (heard.source, heard.is_checksum_right, heard.is_payload_right) == (address, True, True)
    assert 40 <= heard.after_ms < 140


@BOTH
def test_a_silent_host_says_nothing_and_the_record_knows(netlab: Netlab, address: str) -> None:
    netlab.behave(address, silent=True)
    assert ping(address, 3) == []
    netlab.behave(address)
    assert len(ping(address, 2)) == 2
    assert [one.is_answered for one in netlab.seen(address)][-5:] == [False, False, False, True, True]


@BOTH
def test_nftables_silences_a_host_and_nobody_is_told(netlab: Netlab, address: str) -> None:
    with netlab.silence(address):
        assert ping(address, 2) == []
    assert len(ping(address, 2)) == 2


def test_independent_loss_is_as_asked(netlab: Netlab) -> None:
    netlab.behave("10.99.1.2", loss_pct=30)
    assert 600 <= len(ping("10.99.1.2", 1000)) <= 800


def test_loss_in_bursts_is_longer_than_chance(netlab: Netlab) -> None:
    netlab.behave("10.99.1.2", burst_enter_pct=2, burst_leave_pct=10)
    answered = sorted(one.seq for one in ping("10.99.1.2", 3000))
    lost = 3000 - len(answered)
    bursts = sum(after - before > 1 for before, after in pairwise(answered))
    assert 200 < lost < 1000
    assert lost / bursts > 5


def test_copies_arrive_as_often_as_asked(netlab: Netlab) -> None:
    netlab.behave("10.99.1.2", duplicates=2)
    assert [one.seq for one in ping("10.99.1.2")] == [0, 0, 0]


def test_a_late_reply_is_overtaken(netlab: Netlab) -> None:
    netlab.behave("10.99.1.2", late_every=2, late_ms=200)
    assert [one.seq for one in ping("10.99.1.2", 4)] == [0, 2, 1, 3]


@BOTH
def test_a_reply_may_come_from_another_address(netlab: Netlab, address: str) -> None:
    other = address[:-1] + "9"
    netlab.behave(address, source=other)
    (heard,) = ping(address)
    assert (heard.source, heard.is_checksum_right) == (other, True)


def test_a_checksum_may_be_wrong(netlab: Netlab) -> None:
    netlab.behave("10.99.1.2", bad_checksum=True)
    (heard,) = ping("10.99.1.2")
    assert not heard.is_checksum_right


def test_a_wrong_icmpv6_checksum_is_dropped_by_the_kernel(netlab: Netlab) -> None:
    netlab.behave("fd99::1:2", bad_checksum=True)
    assert ping("fd99::1:2") == []


@BOTH
def test_a_payload_may_be_altered_under_a_right_checksum(netlab: Netlab, address: str) -> None:
    netlab.behave(address, altered_payload=True)
    (heard,) = ping(address)
    assert (heard.is_checksum_right, heard.is_payload_right) == (True, False)


@BOTH
def test_a_router_says_unreachable(netlab: Netlab, address: str) -> None:
    netlab.behave(address, unreachable=True)
    (heard,) = ping(address)
    assert (heard.kind, heard.source) == (UNREACHABLE[address], ROUTER[address].format(1))


@BOTH
def test_an_error_may_be_forged_and_the_reply_come_all_the_same(netlab: Netlab, address: str) -> None:
    netlab.behave(address, forged_error=True)
    error, reply = ping(address)
    assert error.kind == UNREACHABLE[address]
    assert (reply.seq, reply.source) == (0, address)


@BOTH
def test_routers_answer_for_what_has_too_few_hops_to_live(netlab: Netlab, address: str) -> None:
    netlab.behave(address, hops=2)
    path = [(one.kind, one.source) for ttl in (1, 2, 3) for one in ping(address, ttl=ttl)]
    assert path[:2] == [(TIME_EXCEEDED[address], ROUTER[address].format(ttl)) for ttl in (1, 2)]
    assert path[2][1] == address


def test_ten_thousand_pings_are_answered_within_a_second_or_two(netlab: Netlab) -> None:
    started_s = time.monotonic()
    for _ in range(20):
        ping("10.99.7.7", 500, wait_s=0.03)
    took_s = time.monotonic() - started_s
    wait_until(lambda: netlab.figures()["waiting"] == 0, 5, "all answers sent")
    answered = netlab.answered()["10.99.7.7"]
    print(f"{answered} pings in {took_s:.2f} s, {answered / took_s:.0f} a second")
    assert answered == 10_000
    assert took_s < 10


def test_a_behaviour_that_does_not_exist_is_named(netlab: Netlab) -> None:
    with pytest.raises(ValueError, match="no behaviour is called colour"):
        netlab.behave("10.99.1.2", colour="red")


def test_one_site_is_cut_from_a_host_and_the_other_is_not(netlab: Netlab) -> None:
    with Site(1) as site:
        netlab.firewall.separate(site.address, "10.99.1.2")
        assert not _hears(site, "10.99.1.2")
        assert _hears(site, "10.99.1.3")
        assert len(ping("10.99.1.2")) == 1
        netlab.firewall.join(site.address, "10.99.1.2")
        assert _hears(site, "10.99.1.2")


def test_a_cut_connection_is_silent_and_not_refused(netlab: Netlab, firewall: Firewall) -> None:
    with Site(1) as site, socket.create_server((site.gateway, 0)) as server:
        port = server.getsockname()[1]
        assert _connects(site, port) == "connected"
        firewall.cut(site.address, port)
        assert _connects(site, port) == "TimeoutError"
        firewall.mend(site.address, port)
        assert _connects(site, port) == "connected"


def _hears(site: Site, address: str) -> bool:
    program = f"from tests.parts.pinger import ping; print(len(ping({address!r})))"
    return _python(site, program) == "1"


def _connects(site: Site, port: int) -> str:
    return _python(
        site,
        "import socket\n"
        f"try: socket.create_connection(({site.gateway!r}, {port}), timeout=3).close()\n"
        "except OSError as error: print(type(error).__name__)\n"
        "else: print('connected')",
    )


def _python(site: Site, program: str) -> str:
    command = site.inside(sys.executable, "-c", program)
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
