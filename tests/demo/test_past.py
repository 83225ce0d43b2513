"""The week before: full, the same every time, and true to what the simulation did."""

from __future__ import annotations

import pytest

from noc_bus.messages import VerdictState
from noc_bus.time import Time
from noc_demo.network import BY_ID, HOSTS, SITES
from noc_demo.past import WEEK_S, Past, troubles, write
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Store
from noc_rules.routes import HopChange, route_changes

END = Time.parse("2026-11-20T10:00:00.000Z")
START = Time(END - WEEK_S * 1000)


@pytest.fixture(scope="module")
def past() -> tuple[Past, list[Batch]]:
    made = Past(END)
    return made, [batch for _, batch in made.batches()]


@pytest.fixture(scope="module")
def store_of_the_past(tmp_path_factory: pytest.TempPathFactory) -> Store:
    kept = SqliteStore(tmp_path_factory.mktemp("past") / "history.sqlite")
    shares = list(write(kept, END))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return kept


def test_the_same_seed_and_end_give_the_same_week(past: tuple[Past, list[Batch]]) -> None:
    _, batches = past
    again = Past(END).batches()
    for batch in batches[:3]:
        assert next(again)[1] == batch
    assert next(Past(END, seed=2).batches())[1] != batches[0]


def test_every_chart_of_seven_days_is_full(store_of_the_past: Store) -> None:
    for host in HOSTS:
        series = store_of_the_past.series(host.id, START, END, points=168)
        assert set(series) == {site.id for site in SITES}
        for site, points in series.items():
            # An hour each; while it was cut off, Vienna saw nothing.
            assert len(points) >= 167, (host.id, site)


def test_each_time_a_whole_place_or_host_failed_is_an_incident_of_its_length(past: tuple[Past, list[Batch]]) -> None:
    _, batches = past
    incidents = [incident for batch in batches for incident in batch.incidents]
    for name, target in (
        ("hamburg-fails", "hamburg-router"), ("db-2-restarts", "db-2"), ("shop-fails", "shop"),
        ("stuttgart-fails", "stuttgart-router"), ("intranet-fails", "intranet"),
    ):  # fmt: skip
        trouble = next(one for one in troubles(END / 1000) if one.name == name)
        (incident,) = [one for one in incidents if one.targets == [target]]
        assert incident.resolved_at
        assert abs(incident.opened_at / 1000 - trouble.begins_s) <= 20
        assert abs(incident.resolved_at / 1000 - trouble.ends_s) <= 20
        assert incident.members[0].name == BY_ID[target].name
    assert not [
        one for one in incidents if one.targets == ["hamburg-printer"] or one.targets[0].startswith("hamburg-ap")
    ]
    assert len([one for one in incidents if one.targets == ["mail"]]) == 3


def test_the_way_to_vienna_changed_for_a_while(store_of_the_past: Store) -> None:
    traces = store_of_the_past.traces(None, START, END)
    assert sorted(traces) == sorted(host.id for host in HOSTS)
    there, back = route_changes(one for one in traces["cloud-api"] if one.site == "vienna")
    assert there.hops == (HopChange(3, ("2001:db8:0:4::1",), ("2001:db8:0:4::2",)),)
    assert back.hops == (HopChange(3, ("2001:db8:0:4::2",), ("2001:db8:0:4::1",)),)
    assert back.at - there.at == 300 * 60_000
    assert not route_changes(one for one in traces["cloud-api"] if one.site == "berlin")


def test_states_tell_what_was_wrong(past: tuple[Past, list[Batch]]) -> None:
    made, _ = past
    states = {host.id: {one.state for one in made.timeline(host)} for host in HOSTS}
    assert VerdictState.PARTIAL in states["cloud-api"]
    assert VerdictState.DEGRADED in states["munich-files"]
    assert VerdictState.DEGRADED in states["cloud-worker"]
    assert states["web-1"] == {VerdictState.UP}
