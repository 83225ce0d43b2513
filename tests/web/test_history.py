"""What a chart of one target says beside its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from noc_bus.codec import encode
from noc_bus.messages import State
from noc_bus.time import Time
from noc_history.store import Batch
from tests.web.conftest import Browser, Service
from tests.web.facts import incident, result, state, trace


@pytest.fixture
def watched(tmp_path: Path) -> Service:
    service, past = Service(tmp_path), Time.now() - 600_000
    service.start()
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    late: dict[str, Any] = {"invalid": "late schedule", "invalid_code": "late-schedule"}
    no_route: dict[str, Any] = {"received": 0, "rtts_ms": [], "errors": ["no route"], "error_codes": ["no-route"]}
    service.store.write(
        Batch(
            results=[
                *(result(at=past + n * 10_000, seq=n) for n in range(30)),
                *(result(at=past + 1 + n * 10_000, seq=100 + n, **late) for n in range(3)),
                result(at=past + 2, seq=200, **no_route),
                result(at=past + 3, seq=201, site="there", **no_route),
            ],
            states=[state(at=past), state(kind=State.DOWN, at=past + 200_000, seq=1)],
            incidents=[
                incident("mine", "a", opened_at=Time(past + 200_000), resolved_at=Time.now()),
                incident("of-another", "b", opened_at=Time(past + 200_000)),
            ],
            traces=[
                trace("a", past - 90_000_000, "10.1.0.1"),
                trace("a", past + 100_000, "10.1.0.1", site="there"),
                trace("a", past + 200_000, reached=False),
                trace("a", past + 300_000, "10.1.0.2"),
            ],
        )
    )
    service.follow()
    return service


@pytest.fixture
def viewer(watched: Service) -> Browser:
    return watched.by("viewer")


def test_with_all_it_has_states_incidents_and_the_codes_of_what_was_invalid(viewer: Browser) -> None:
    found = viewer.get("targets/a/history?with=all")
    assert [one["state"] for one in found["states"]["sites"]["here"]][:2] == ["UP", "DOWN"]
    assert found["states"]["overall"]
    assert [one["id"] for one in found["incidents"]] == ["mine"]
    assert found["codes"] == {
        "here": {"invalid": {"late-schedule": 3}, "errors": {"no-route": 1}},
        "there": {"invalid": {}, "errors": {"no-route": 1}},
    }
    assert viewer.get("targets/a/history?with=all&site=there")["codes"].keys() == {"there"}


def test_changes_of_the_route_are_beside_the_chart_and_listed_with_the_paths(viewer: Browser) -> None:
    (change,) = viewer.get("targets/a/history?with=all")["routes"]
    assert change["text"] == "here: hop 1 is 10.1.0.2.example (was 10.1.0.1.example)"
    assert change["hops"] == [{"ttl": 1, "before": ["10.1.0.1"], "after": ["10.1.0.2"]}]
    found = viewer.get(f"targets/a/routes?from={Time.now() - 3_600_000}")
    assert found["changes"] == [change]
    assert [(one["site"], one["reached"]) for one in found["paths"]] == [
        ("here", True),
        ("here", False),
        ("there", True),
    ]
    assert found["paths"][0]["at"] == change["at"]
    assert [(one["site"], one["at"]) for one in found["before"]] == [("here", change["before_at"])]
    assert viewer.get(f"targets/a/routes?to={Time.now() - 3_600_000}")["changes"] == []


def test_a_router_on_the_way_that_is_a_target_is_suggested_as_a_parent(watched: Service) -> None:
    operator = watched.by("operator")
    operator.api("POST", "targets", {"id": "edge", "address": "10.1.0.2"})
    watched.catalog.put_site("here", {}, "test")
    watched.follow()
    # From there it is reached by another way.
    changes = {"site_parents": ["here:edge"]}
    assert operator.get("targets/a/suggested-parents") == {
        "suggested": [{"parent": "edge", "name": "10.1.0.2", "sites": {"here": 1}, "changes": changes}]
    }
    operator.api("PATCH", "targets/a", changes)
    watched.follow()
    assert operator.get("targets/a/suggested-parents") == {"suggested": []}


def test_without_asking_it_has_figures_only(viewer: Browser) -> None:
    assert not {"states", "incidents", "codes", "routes"} & viewer.get("targets/a/history").keys()


def test_planned_work_counts_as_the_way_of_counting_says_also_after_it_was_deleted(tmp_path: Path) -> None:
    service, now = Service(tmp_path), Time.now()
    past = Time(now - 600_000)
    service.start()
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    results = [result(at=past + n * 10_000, seq=n) for n in range(60)]
    down = [state(at=past), state(kind=State.DOWN, at=past + 200_000, seq=1), state(at=past + 400_000, seq=2)]
    service.store.write(Batch(results=results, states=down))
    one = service.catalog.add_maintenance({"title": "Works", "covers": [{"kind": "everything"}], "minutes": 5}, "test")
    # As if it had been set up for the second half of the outage, and then deleted.
    then = replace(one, starts_at=Time(past + 300_000), ends_at=Time(past + 500_000), at=Time(past + 250_000))
    with service.database.begin() as connection:
        set_up = (int(then.at), encode(then).decode())
        connection.execute("UPDATE maintenance_past SET since = ?, message = ?", set_up)
    service.catalog.delete_maintenance(one.id, "test")
    service.follow()
    viewer = service.by("viewer")
    period = f"from={past}&to={past + 500_000}"
    found = viewer.get(f"targets/a/states?{period}")
    assert found["uptime"]["seconds"]["MAINTENANCE"] == 200
    assert (found["uptime"]["seconds"]["UP"], found["uptime"]["seconds"]["DOWN"]) == (200, 100)
    assert [(one["title"], one["maintenance"]) for one in found["maintenance"]] == [("Works", then.id)]
    assert viewer.get(f"targets/a/history?with=all&{period}")["maintenance"] == found["maintenance"]
    # What was measured is shown as it was.
    assert [one["state"] for one in found["overall"]] == ["UP", "DOWN", "UP"]
    for profile, down_s in (("standard", 100), ("maintenance-counts", 200)):
        report = viewer.get(f"reports/uptime?{period}&profile={profile}")
        assert report["total"]["downtime_s"] == down_s, profile


def test_the_csv_has_the_rows_of_the_json_by_site_and_of_all_together(viewer: Browser) -> None:
    found = viewer.get("targets/a/history?points=100")
    lines = viewer.api("GET", "targets/a/history?points=100&format=csv").splitlines()
    assert lines[0].startswith("site,at,min_ms,mean_ms,max_ms,loss_pct,cycles,invalid,p5_ms")
    rows = [line.split(",") for line in lines[1:]]
    sites = {"here": found["sites"]["here"], "there": found["sites"]["there"], "": found["merged"]}
    expected = [
        [site, str(Time(row[0])), *("" if one is None else str(one) for one in row[1:])]
        for site, part in sites.items()
        for row in part
    ]
    assert rows == expected
    assert len(viewer.api("GET", "targets/a/history?points=100&format=csv&site=there").splitlines()) == 2
