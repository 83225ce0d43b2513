"""What may be pinged, and the sentence for what may not."""

from __future__ import annotations

from typing import Any

import pytest

from noc_bus.messages import Assignment, Target
from noc_prober.addresses import BadAddress, check_name, is_name, literal
from noc_prober.resolver import Resolver, Resolving, Unresolved, destinations
from noc_rules.assignment import assignment


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("fe80::1%nosuchcard0", "the interface nosuchcard0"),
    ],
)
def test_addresses_that_name_no_single_host_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason) as caught:
        literal(text)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "-x", "a b", "127.1", "0x7f000001", "2130706433", "a..b", "x\n", "a" * 254, "10.0.0.256"]
)
def test_what_is_no_host_name_is_not_looked_up(text: str) -> None:
    assert not is_name(text)
    with pytest.raises(BadAddress, match="neither an IP address nor a host name"):
        check_name(text)


@pytest.mark.parametrize(
    "text", ["localhost", "a.example", "xn--bcher-kva.example", "bücher.example", "r1-core.example.", "_x.example"]
)
def test_host_names_are_names(text: str) -> None:
    assert is_name(text)


def test_an_ipv4_address_inside_ipv6_is_the_ipv4_address() -> None:
    found = literal("::ffff:192.0.2.7")
    assert found is not None
    assert (found.family, found.address) == (4, "192.0.2.7")


def resolved(*addresses: str) -> Resolver:
    resolver = Resolver(lambda name: [])
    resolver.recall([("host.example", addresses)])
    return resolver


def at(address: str, **options: Any) -> Assignment:
    return assignment(Target(id="t", name="t", address=address, **options), ())


def pinged(family: str, *addresses: str) -> list[str]:
    return [found.address for found in destinations(at("host.example", family=family), resolved(*addresses))]


@pytest.mark.parametrize(
    ("family", "expected"),
    [("auto", ["2001:db8::1"]), ("4", ["192.0.2.1"]), ("6", ["2001:db8::1"]), ("both", ["192.0.2.1", "2001:db8::1"])],
)
def test_the_family_chooses_among_the_addresses_of_a_name(family: str, expected: list[str]) -> None:
    assert pinged(family, "2001:db8::1", "192.0.2.1", "192.0.2.2") == expected


def test_a_name_without_the_family_wanted_says_so() -> None:
    with pytest.raises(Unresolved, match="has no IPv6 address"):
        pinged("6", "192.0.2.1")


def test_what_the_name_server_says_is_checked_too() -> None:
    assert pinged("auto", "224.0.0.1", "192.0.2.1") == ["192.0.2.1"]
    with pytest.raises(BadAddress, match="multicast"):
        pinged("auto", "224.0.0.1")


def test_an_address_of_the_wrong_family_says_so() -> None:
    with pytest.raises(BadAddress, match="not an IPv6 address"):
        destinations(at("192.0.2.1", family="6"), resolved())


def test_a_name_not_asked_yet_is_awaited() -> None:
    with pytest.raises(Resolving):
        destinations(at("host.example"), Resolver(lambda name: []))
