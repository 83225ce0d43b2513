"""The simulated company looks like one, and all of it can be put into a catalogue."""

from __future__ import annotations

import ipaddress

import pytest

from noc_demo.network import GROUPS, HOSTS, SITES, Host, ProbingSite, names, path, path_addresses
from noc_demo.past import resolved
from noc_demo.weather import condition, load
from noc_web.catalog import options

HOUR_S = 3600.0
# A Wednesday, a Sunday.
WEDNESDAY_S, SUNDAY_S = 1_795_564_800.0, 1_795_910_400.0


def test_there_are_forty_targets_with_all_that_a_company_has() -> None:
    assert len({host.id for host in HOSTS}) == len({host.address for host in HOSTS}) == len(HOSTS) == 40
    targets = [resolved(host) for host in HOSTS]
    assert {target.group.partition("/")[0] for target in targets} == set(GROUPS)
    assert sum(ipaddress.ip_address(host.address).version == 6 for host in HOSTS) >= 3
    assert sum(bool(host.host_name) for host in HOSTS) >= 5
    assert all(target.tags for target in targets)
    for has in ("critical", "parents", "note", "contacts"):
        assert any(getattr(target, has) for target in targets), has


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_the_catalogue_takes_every_target(host: Host) -> None:
    assert options.target_body(host.definition())["id"] == host.id
    assert set(host.options.get("parents", ())) <= {other.id for other in HOSTS}


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.id)
def test_every_address_lies_in_a_network_of_every_site(site: ProbingSite) -> None:
    networks = [ipaddress.ip_interface(one).network for one in site.own]
    for host in HOSTS:
        for address in (host.address, *path_addresses(site.id, host)):
            assert any(ipaddress.ip_address(address) in network for network in networks), address


def test_every_router_of_a_path_has_a_reverse_name() -> None:
    known = {address for addresses in names().values() for address in addresses}
    for site in SITES:
        for host in HOSTS:
            assert set(path_addresses(site.id, host)) <= known


def test_a_detour_changes_the_way_to_vienna_only() -> None:
    for site in SITES:
        for host in HOSTS:
            is_changed = path(site.id, host) != path(site.id, host, detour=True)
            # By the core of Vienna there is no other way.
            assert is_changed == (("vienna" in (site.id, host.place)) and site.id != host.place), (site.id, host.id)


def test_lines_are_busy_in_the_afternoon_and_less_on_sundays() -> None:
    night, noon, sunday = (
        load(at_s) for at_s in (WEDNESDAY_S + HOUR_S, WEDNESDAY_S + 12 * HOUR_S, SUNDAY_S + 12 * HOUR_S)
    )
    assert night == 0 < sunday < noon <= 1


def test_what_is_far_takes_longer_from_everywhere() -> None:
    for site in SITES:
        near = condition(site.id, f"core-{site.id}", WEDNESDAY_S)
        far = condition(site.id, "cloud-worker", WEDNESDAY_S)
        assert near.delay_ms < 1 < 15 < far.delay_ms
