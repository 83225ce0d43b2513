"""Is it them or us: carrier, routes and neighbours, as the kernel tells them; and what a site makes of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_bus.codec import encode
from noc_bus.messages import ProbeResult, SiteState, State, Target
from noc_netlab.lab import Netlab
from noc_netlab.namespace import NoNamespace
from noc_netlab.site import Site
from noc_prober import netlink
from noc_prober.addresses import literal
from noc_prober.link import Facts, trouble_of, trouble_on
from noc_prober.netlink import Interface, Neighbour, NeighbourState, Route
from tests.parts.processes import Processes
from tests.parts.waiting import holds_for, wait_until
from tests.prober.conftest import journal_in

CARD = Interface(2, "eth0", is_up=True, has_carrier=True, is_loopback=False)
PULLED = Interface(2, "eth0", is_up=True, has_carrier=False, is_loopback=False)
OTHER = Interface(3, "eth1", is_up=True, has_carrier=True, is_loopback=False)
LOOPBACK = Interface(1, "lo", is_up=True, has_carrier=True, is_loopback=True)
WAY = Route(2, "192.0.2.1")
ON_LINK = Route(2, None)


def facts(card: Interface, *states: NeighbourState, ways: tuple[Route, ...] = (WAY,)) -> Facts:
    """The first state is that of the gateway."""
    neighbours = tuple(Neighbour(2, f"192.0.2.{number}", state) for number, state in enumerate(states, 1))
    return Facts({one.index: one for one in (LOOPBACK, card, OTHER)}, ways, neighbours)


@pytest.mark.parametrize(
    ("known", "was_broken", "code"),
    [
        pytest.param(facts(CARD, NeighbourState.REACHABLE), False, None, id="all well"),
        pytest.param(facts(CARD), False, None, id="nothing known of the gateway"),
        pytest.param(facts(PULLED), False, "link-down", id="no carrier"),
        pytest.param(facts(CARD, NeighbourState.FAILED), False, "no-neighbour", id="no neighbour for the gateway"),
        pytest.param(facts(CARD, NeighbourState.INCOMPLETE), False, None, id="the gateway is being looked for"),
        pytest.param(facts(CARD, NeighbourState.INCOMPLETE), True, "no-neighbour", id="and was missing before"),
        pytest.param(facts(CARD, NeighbourState.STALE), True, None, id="the gateway is back"),
        pytest.param(facts(PULLED, ways=(WAY, Route(3, "198.51.100.1"))), False, None, id="another way is left"),
        pytest.param(
            facts(PULLED, ways=(Route(1, None),)), False, None, id="no way out, but another card has a carrier"
        ),
        pytest.param(Facts({1: LOOPBACK, 2: PULLED}), False, "link-down", id="no way out, and no card has a carrier"),
        pytest.param(Facts({1: LOOPBACK}), False, None, id="a machine on its own"),
        pytest.param(Facts(), False, None, id="a kernel that tells nothing"),
    ],
)
def test_nothing_can_be_reached_where_every_way_out_is_broken(known: Facts, was_broken: bool, code: str | None) -> None:
    found = trouble_of(known, was_broken=was_broken)
    assert (found.code if found else None) == code


GONE, THERE = NeighbourState.FAILED, NeighbourState.REACHABLE


@pytest.mark.parametrize(
    ("route", "known", "code"),
    [
        pytest.param(ON_LINK, facts(CARD, THERE, GONE), None, id="one dead host among others is dead"),
        pytest.param(ON_LINK, facts(CARD, GONE, GONE), "no-neighbour", id="where nobody answers it is the link"),
        pytest.param(ON_LINK, facts(CARD, GONE), None, id="a host alone on its link: nobody can tell"),
        pytest.param(ON_LINK, facts(PULLED, THERE, GONE), "link-down", id="no carrier"),
        pytest.param(WAY, facts(CARD, THERE, GONE), None, id="the gateway is there: the host beyond it is dead"),
        pytest.param(WAY, facts(CARD, GONE, THERE), "no-neighbour", id="the gateway is not"),
    ],
)
def test_a_silent_host_is_dead_unless_our_own_link_is(route: Route, known: Facts, code: str | None) -> None:
    found = trouble_on(route, known)
    assert (found.code if found else None) == code


@pytest.fixture
def site(netlab: Netlab) -> Iterator[Site]:
    try:
        with Site(1) as site:
            yield site
    except NoNamespace as error:
        pytest.skip(f"needs nested network namespaces: {error}")


def test_the_kernel_tells_interfaces_routes_and_neighbours(site: Site, netlab: Netlab) -> None:
    by_name = {one.name: one for one in netlink.interfaces().values()}
    assert by_name["lo"].is_loopback
    cable = by_name["site1"]
    assert (cable.is_up, cable.has_carrier, cable.is_loopback) == (True, True, False)
    to = literal(site.address)
    far = literal("203.0.113.1")
    assert to is not None
    assert far is not None
    assert netlink.route_to(to) == Route(cable.index, None)
    assert netlink.route_to(far) is None
    program = (
        "from noc_prober.addresses import literal; from noc_prober import netlink\n"
        "print(netlink.route_to(literal('203.0.113.1')).gateway, netlink.route_to(literal('2001:db8::1')))"
    )
    done = subprocess.run(site.inside(sys.executable, "-c", program), capture_output=True, text=True, check=True)
    assert done.stdout == f"{site.gateway} None\n"


class Prober:
    """A prober at a site of its own, without a broker; what it saw is read from its journal."""

    def __init__(self, folder: Path, processes: Processes, site: Site, *addresses: str) -> None:
        self._folder = folder
        self._processes = processes
        with journal_in(folder, "prober-local.sqlite") as (journal, memory), journal.transaction():
            for number, address in enumerate(addresses):
                target = Target(
                    id=f"t{number}", name="t", address=address, interval_s=1, packets=1, timeout_ms=300, down_after=3
                )
                memory.keep("target", target.id, encode(target))
        processes.start(
            "prober",
            site.inside(sys.executable, "-m", "noc_prober"),
            {"NOC_DATA": str(folder), "NOC_MQTT_URL": "mqtt://127.0.0.1:9"},
        )

    def journal(self) -> tuple[list[ProbeResult], list[SiteState]]:
        with journal_in(self._folder, "prober-local.sqlite") as (journal, _):
            run = journal.read(0, 100_000_000)
        return (run.results, run.states) if run else ([], [])

    def now(self) -> dict[str, tuple[State, str | None]]:
        return {one.target: (one.state, one.code) for one in self.journal()[1]}

    def wait(self, expected: dict[str, tuple[State, str]], deadline_s: float = 25) -> None:
        wait_until(
            lambda: self.now() == expected,
            deadline_s,
            str(expected),
            seen=lambda: (self.now(), self._processes.log("prober")),
        )

    def ever_down(self) -> set[str]:
        return {one.target for one in self.journal()[1] if one.state is State.DOWN}


FAR = "10.99.0.6"


def test_a_pulled_cable_makes_the_site_isolated_and_nothing_down(
    icmp: None, site: Site, netlab: Netlab, noc_processes: Processes, tmp_path: Path
) -> None:
    prober = Prober(tmp_path, noc_processes, site, FAR, site.gateway)
    prober.wait({"t0": (State.UP, "answers"), "t1": (State.UP, "answers")})
    subprocess.run(["ip", "link", "set", "site1", "down"], check=True)
    prober.wait({"t0": (State.UNKNOWN, "isolated"), "t1": (State.UNKNOWN, "isolated")})
    time.sleep(3)
    subprocess.run(["ip", "link", "set", "site1", "up"], check=True)
    prober.wait({"t0": (State.UP, "answers"), "t1": (State.UP, "answers")})
    assert not prober.ever_down()


def test_a_gateway_that_has_gone_makes_the_site_isolated_without_any_anchor_set(
    icmp: None, site: Site, netlab: Netlab, noc_processes: Processes, tmp_path: Path
) -> None:
    prober = Prober(tmp_path, noc_processes, site, FAR)
    prober.wait({"t0": (State.UP, "answers")})
    time.sleep(1.5)  # its first look at the gateway
    subprocess.run(["ip", "link", "set", "site1", "arp", "off"], check=True)
    netlab.firewall.silence(FAR)
    subprocess.run(
        ["nft", "-f", "-"],
        input=f"table inet gone {{\nchain in {{\ntype filter hook prerouting priority -400\nip saddr {site.address} drop\n}}\n}}\n",
        text=True,
        check=True,
    )
    try:
        prober.wait({"t0": (State.UNKNOWN, "isolated")})
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "gone"], check=True)
        subprocess.run(["ip", "link", "set", "site1", "arp", "on"], check=True)
        netlab.firewall.let_speak(FAR)
    prober.wait({"t0": (State.UP, "answers")})
    assert not prober.ever_down()


def test_one_dead_host_on_the_own_link_stays_down_while_its_neighbours_answer(
    icmp: None, site: Site, netlab: Netlab, noc_processes: Processes, tmp_path: Path
) -> None:
    neighbour = "10.98.1.77"
    subprocess.run(["ip", "addr", "add", f"{neighbour}/32", "dev", "site1"], check=True)
    prober = Prober(tmp_path, noc_processes, site, FAR, neighbour)
    prober.wait({"t0": (State.UP, "answers"), "t1": (State.UP, "answers")})
    subprocess.run(["ip", "addr", "del", f"{neighbour}/32", "dev", "site1"], check=True)
    # Its address is answered for no more; the kernel learns so when it asks again.
    subprocess.run(site.inside("ip", "neigh", "flush", "all"), check=True)
    prober.wait({"t0": (State.UP, "answers"), "t1": (State.DOWN, "unanswered")})
    holds_for(lambda: prober.now()["t1"][0] is State.DOWN, 8, "the dead host is DOWN")
    assert prober.ever_down() == {"t1"}
