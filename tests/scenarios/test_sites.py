"""Two sites in networks of their own: what one cannot see is not down, and what it saw alone is not lost."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from noc_netlab.lab import Netlab
from noc_netlab.namespace import NoNamespace
from noc_netlab.site import Site
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import holds_for, wait_until
from tests.scenarios.whole import Noc

EVERYWHERE = "0.0.0.0"
HOST = "10.99.0.9"
ANCHOR = "10.99.0.1"


@pytest.fixture
def two_sites(netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[tuple[Noc, Site, Site]]:
    """The sites east and west, each pinging from an address of its own."""
    try:
        east, west = Site(1).__enter__(), Site(2).__enter__()
    except NoNamespace as error:
        pytest.skip(f"needs nested network namespaces: {error}")
    with Noc(tmp_path, smtp_sink, sites=(), host=EVERYWHERE, users=("east", "west")) as noc:
        for name, site in (("east", east), ("west", west)):
            environment = noc.prober_environment(name, site.gateway)
            noc.processes.start(name, site.inside(sys.executable, "-m", "noc_prober"), environment)
            status, answer = noc.ask("PUT", f"sites/{name}", {"label": name.title(), "anchors": [ANCHOR]})
            assert status == 200, answer
        noc.sites = ("east", "west")
        wait_until(noc.is_whole, 20, "both sites online", seen=lambda: noc.ask("GET", "status"))
        yield noc, east, west
    east.__exit__()
    west.__exit__()


def test_a_host_that_one_site_of_two_cannot_reach_is_partial_and_nobody_is_mailed(
    two_sites: tuple[Noc, Site, Site], netlab: Netlab
) -> None:
    noc, east, _west = two_sites
    noc.add("host", HOST, interval_s=2, packets=2)
    noc.wait_states({"host": "UP"}, 20)
    netlab.firewall.separate(east.address, HOST)
    noc.wait_states({"host": "PARTIAL"}, 30)
    (row,) = noc.get("status")["targets"]
    assert {site: cell["state"] for site, cell in row["sites"].items()} == {"east": "DOWN", "west": "UP"}
    assert "east" in row["reason"]
    assert not noc.mails.mails
    netlab.firewall.join(east.address, HOST)
    noc.wait_states({"host": "UP"}, 20)


def test_an_isolated_site_casts_no_vote(two_sites: tuple[Noc, Site, Site], netlab: Netlab) -> None:
    noc, east, _west = two_sites
    noc.add("host", HOST, interval_s=2, packets=2, policy="any")
    noc.wait_states({"host": "UP"}, 20)
    # East loses its whole network but the way to the broker: first its anchor is silent, then all else.
    netlab.firewall.separate(east.address, ANCHOR)
    netlab.firewall.separate(east.address, HOST)
    wait_until(lambda: _site(noc, "east")["isolated"], 30, "east is isolated", seen=lambda: noc.get("sites"))
    holds_for(lambda: noc.states() == {"host": "UP"}, 10, "the host is UP, as west sees it")
    (row,) = noc.get("status")["targets"]
    assert row["sites"]["east"]["state"] == "UNKNOWN"
    assert not noc.mails.about("host")
    outages = noc.get("targets/host/states")["outages"]
    assert outages == []


def test_what_a_site_saw_without_the_broker_is_stored_when_it_is_back(
    two_sites: tuple[Noc, Site, Site], netlab: Netlab
) -> None:
    noc, east, _west = two_sites
    noc.add("host", HOST, interval_s=1, packets=1, timeout_ms=500)
    noc.wait_states({"host": "UP"}, 20)
    netlab.firewall.cut(east.address, noc.broker.port)
    wait_until(lambda: not _site(noc, "east")["online"], 40, "east is offline", seen=lambda: noc.get("sites"))
    assert noc.states() == {"host": "UP"}
    last_ms = noc.cycles("host", "east")[-1][0]
    netlab.firewall.mend(east.address, noc.broker.port)
    wait_until(lambda: noc.cycles("host", "east")[-1][0] > last_ms + 20_000, 60, "east's cycles are stored")
    wait_until(lambda: _site(noc, "east")["journal_depth"] < 20, 30, "the replay is over")
    starts = [row[0] for row in noc.cycles("host", "east")]
    # A row stands for a second or so: two cycles may share one, and the next have none.
    assert all(after - before < 2500 for before, after in itertools.pairwise(starts))
    assert not noc.mails.about("host")


def _site(noc: Noc, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(site for site in noc.get("sites")["sites"] if site["id"] == name)
    return found
