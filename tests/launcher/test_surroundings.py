"""What is read out of a machine's files, as first targets."""

from __future__ import annotations

import sys

import pytest

from noc_launcher.surroundings import answering, gateways_4, gateways_6, proposals, resolvers
from noc_netlab.lab import Netlab

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t00000000\t090200C0\t0003\t0\t0\t100\t00000080\t0\t0\t0
"""
ROUTES_6 = """\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="needs a machine whose kernel prints the table's byte order")
def test_a_default_route_through_a_gateway_is_found_once_and_others_are_not() -> None:
    assert gateways_4(ROUTES) == ["192.0.2.1"]


@pytest.mark.parametrize("text", ["", "Iface\tDestination\n", "\n\n"])
def test_a_machine_without_routes_has_no_gateway(text: str) -> None:
    assert gateways_4(text) == gateways_6(text) == []


def test_an_ipv6_gateway_on_the_link_comes_with_its_interface() -> None:
    assert gateways_6(ROUTES_6) == ["fe80::1%eth0", "2001:db8::1"]


def test_resolvers_on_the_machine_itself_and_broken_lines_are_left_out() -> None:
    text = "# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\n"
    text += " nameserver\t2001:db8::53 # v6\nnameserver nonsense\nsearch example.org\nnameserver 192.0.2.53\n"
    assert resolvers(text) == ["192.0.2.53", "2001:db8::53"]


def test_a_proposal_names_each_address_once_and_always_this_host() -> None:
    proposed = proposals(["192.0.2.1", "2001:db8::1"], ["192.0.2.1", "192.0.2.53"])
    assert [(one["id"], one["name"], one["address"]) for one in proposed] == [
        ("gateway", "Gateway", "192.0.2.1"),
        ("gateway-2", "Gateway 2", "2001:db8::1"),
        ("dns", "DNS resolver", "192.0.2.53"),
        ("this-host", "This host", "127.0.0.1"),
    ]
    assert [one["id"] for one in proposals([], [])] == ["this-host"]


def test_what_does_not_answer_is_not_proposed_but_this_host_always_is(netlab: Netlab) -> None:
    netlab.behave("10.99.0.2", silent=True)
    proposed = proposals(["10.99.0.1", "fe80::1%nowhere"], ["10.99.0.2", "fd99::3"])
    assert [one["address"] for one in answering(proposed)] == ["10.99.0.1", "fd99::3", "127.0.0.1"]
