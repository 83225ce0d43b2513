"""History and uptime as the API tells them: the parts add up, outages are the intervals of DOWN, CSV says the same."""

from __future__ import annotations

import csv
import io
import itertools
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.channels import INCIDENTS
from noc_bus.messages import State, VerdictState
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition, Silence
from noc_web.catalog import options
from noc_web.uptime import timelines
from tests.web.conftest import Service
from tests.web.facts import incident, result, state

HOUR_MS: Final = 3_600_000
# Whole minutes in the past: nothing here depends on how long a test takes.
END: Final = Time((Time.now() // 60_000 - 10) * 60_000)
BEGIN: Final = Time(END - HOUR_MS)
PERIOD: Final = f"from={int(BEGIN)}&to={int(END)}"


def minute(number: float) -> int:
    return int(BEGIN + number * 60_000)


def store(service: Service, *records: Any, heard_until: float = 60.0, target: str = "a") -> None:
    """States, and a last cycle that says until when the site looked."""
    service.store.write(Batch(states=[*records], results=[result(target, at=minute(heard_until), seq=99)]))


@pytest.fixture
def watched(service: Service) -> Service:
    """Of a it is known: up, down for ten minutes, up again. Of b: up. Of c: nothing."""
    catalog = service.catalog
    for name, group in (("a", "core/routers"), ("b", "core"), ("c", "corex")):
        catalog.add_target({"id": name, "name": f"=name {name}", "address": "10.0.0.1", "group": group}, "test")
    catalog.put_site("here", {}, "test")
    service.follow()
    store(
        service,
        state(at=minute(-30), seq=1),
        state(kind=State.DOWN, at=minute(20), seq=2, reason="no answer", code="unanswered"),
        state(at=minute(30), seq=3),
    )
    store(service, state("b", at=minute(-30)), target="b")
    return service


def test_states_cover_the_period_and_outages_are_its_intervals_of_down(watched: Service) -> None:
    found = watched.by("viewer").get(f"targets/a/states?{PERIOD}")
    assert (found["from"], found["to"]) == (str(BEGIN), str(END))
    for intervals in (found["overall"], found["sites"]["here"]):
        assert [(one["state"], one["seconds"]) for one in intervals] == [("UP", 1200), ("DOWN", 600), ("UP", 1800)]
        assert (intervals[0]["start"], intervals[-1]["end"]) == (str(BEGIN), str(END))
        assert all(one["end"] == after["start"] for one, after in itertools.pairwise(intervals))
    (outage,) = found["outages"]
    assert (outage["start"], outage["seconds"]) == (str(Time(minute(20))), 600)
    assert (outage["reason"], outage["code"]) == ("no answer", "down")
    assert [one["code"] for one in found["overall"]] == ["answers", "down", "answers"]
    assert [one["code"] for one in found["sites"]["here"]] == [None, "unanswered", None], "as the site gave it"
    assert found["uptime"]["pct"] == pytest.approx(100 * 3000 / 3600)
    assert sum(found["uptime"]["seconds"].values()) == 3600


def test_time_before_a_target_was_first_asked_is_not_drawn_and_not_counted(watched: Service) -> None:
    viewer = watched.by("viewer")
    never = viewer.get(f"targets/c/states?{PERIOD}")
    assert (never["overall"], never["sites"], never["outages"]) == ([], {}, [])
    assert (never["uptime"]["pct"], never["uptime"]["coverage_pct"]) == (None, 0)
    store(watched, state("c", at=minute(45), seq=1), target="c")
    late = viewer.get(f"targets/c/states?{PERIOD}")
    assert [(one["start"], one["state"], one["seconds"]) for one in late["overall"]] == [
        (str(Time(minute(45))), "UP", 900)
    ]
    assert (late["uptime"]["pct"], late["uptime"]["coverage_pct"]) == (100, 25)
    (row,) = viewer.get(f"reports/uptime?{PERIOD}&group=corex")["rows"]
    assert (row["uptime_pct"], row["coverage_pct"], sum(row["seconds"].values())) == (100, 25, 900)


def test_what_nobody_saw_counts_neither_for_nor_against(watched: Service) -> None:
    silence = Silence("a", "here", Time(minute(25)), Time(minute(40)))
    watched.store.write(Batch(silences=[silence]))
    found = watched.by("viewer").get(f"targets/a/states?{PERIOD}")
    due = Time(minute(25) + 10_000)
    assert [(one["state"], one["start"]) for one in found["overall"]][2:] == [
        ("UNKNOWN", str(due)),
        ("UP", str(Time(minute(40)))),
    ]
    assert [one["code"] for one in found["sites"]["here"]][2:] == ["not-checked", None]
    assert found["uptime"]["seconds"]["UNKNOWN"] == 890
    assert found["uptime"]["seconds"]["DOWN"] == 310
    assert found["uptime"]["coverage_pct"] == pytest.approx(100 * (3600 - 890) / 3600)


def test_the_past_is_judged_by_what_was_then_in_force(watched: Service) -> None:
    """Until minute 10 b stood behind a; then it did not. It was down all the time."""
    catalog = watched.catalog
    b = watched.publisher.targets["b"]
    store(watched, state("b", kind=State.DOWN, at=minute(-20), seq=200), target="b")
    store(watched, state(kind=State.DOWN, at=minute(-20), seq=201), state(at=minute(20), seq=202))
    watched.store.write(
        Batch(
            definitions=[
                Definition("b", Time(minute(-60)), replace(b, parents=["a"])),
                Definition("b", Time(minute(10)), replace(b, parents=[])),
            ]
        )
    )
    catalog.put_target("b", {"address": "10.0.0.1", "group": "core", "policy": "any"}, "test")
    watched.follow()
    viewer = watched.by("viewer")
    found = viewer.get(f"targets/b/states?{PERIOD}")
    assert [(one["state"], one["seconds"]) for one in found["overall"]] == [("UNREACHABLE", 600), ("DOWN", 3000)]
    (row,) = [one for one in viewer.get(f"reports/uptime?{PERIOD}&group=core")["rows"] if one["target"] == "b"]
    assert (row["seconds"]["UNREACHABLE"], row["seconds"]["DOWN"], row["downtime_s"]) == (600, 3000, 3000)
    strict = viewer.get(f"reports/uptime?{PERIOD}&group=core&profile=strict")
    (row,) = [one for one in strict["rows"] if one["target"] == "b"]
    assert (strict["profile"], row["downtime_s"], row["outages"]) == ("strict", 3600, 1)


def test_a_profile_nobody_knows_is_refused_with_those_there_are(watched: Service) -> None:
    refused = watched.by("viewer").api("GET", f"reports/uptime?{PERIOD}&profile=kind", status=422)
    assert "use standard or partial-is-down or unreachable-is-down or strict" in str(refused)


def test_a_report_has_the_targets_of_a_group_and_below_the_worst_first_and_adds_up(watched: Service) -> None:
    report = watched.by("viewer").get(f"reports/uptime?{PERIOD}")
    assert [row["target"] for row in report["rows"]] == ["a", "b", "c"]
    assert [row["uptime_pct"] for row in report["rows"]] == [pytest.approx(83.333, abs=0.001), 100, None]
    assert [sum(row["seconds"].values()) for row in report["rows"]] == [3600, 3600, 0]
    assert [row["coverage_pct"] for row in report["rows"]] == [100, 100, 0]
    assert (report["rows"][0]["outages"], report["rows"][0]["downtime_s"], report["rows"][0]["longest_s"]) == (
        1,
        600,
        600,
    )
    total = report["total"]
    assert total["seconds"] == {kind: sum(row["seconds"][kind] for row in report["rows"]) for kind in VerdictState}
    assert total["uptime_pct"] == pytest.approx(100 * 6600 / 7200)
    assert total["coverage_pct"] == pytest.approx(100 * 2 / 3)
    core = watched.by("viewer").get(f"reports/uptime?{PERIOD}&group=core")
    assert [row["target"] for row in core["rows"]] == ["a", "b"]
    nothing = watched.by("viewer").get(f"reports/uptime?{PERIOD}&group=nothing")
    assert (nothing["rows"], nothing["total"]["uptime_pct"]) == ([], None)


def test_the_csv_of_a_report_says_what_its_json_says_and_has_no_formulas(watched: Service) -> None:
    viewer = watched.by("viewer")
    report = viewer.get(f"reports/uptime?{PERIOD}")
    text = viewer.get(f"reports/uptime?{PERIOD}&format=csv")
    # By this mark Excel knows UTF-8.
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert len(rows) == len(report["rows"])
    for cells, row in zip(rows, report["rows"], strict=True):
        assert (cells["from"], cells["to"]) == (report["from"], report["to"])
        assert cells["name"] == f"'{row['name']}"
        assert (cells["target"], cells["group"]) == (row["target"], row["group"])
        assert cells["uptime_pct"] == ("" if row["uptime_pct"] is None else str(row["uptime_pct"]))
        for name in ("coverage_pct", "outages", "downtime_s", "longest_s"):
            assert float(cells[name]) == row[name]
        assert {kind: float(cells[f"{kind.lower()}_s"]) for kind in VerdictState} == row["seconds"]


def test_history_is_given_in_at_most_so_many_points_by_site(watched: Service) -> None:
    cycles = [
        result("b", at=minute(number), seq=number, received=1, rtts_ms=[float(number)]) for number in range(1, 60)
    ]
    cycles.append(result("b", "there", at=minute(1), invalid="late"))
    watched.store.write(Batch(results=cycles))
    viewer = watched.by("viewer")
    found = viewer.get(f"targets/b/history?{PERIOD}&points=10")
    # Rows are whole, so that the last may have the cycle that came at the period's end.
    assert len(found["sites"]["here"]) <= 11
    assert sum(row[5] for row in found["sites"]["here"]) in (59, 60)
    assert all(row[0] % found["width_ms"] == 0 for row in found["sites"]["here"])
    assert all(low <= mean <= high for _, low, mean, high, *_ in found["sites"]["here"])
    assert {row[4] for row in found["sites"]["here"][:-1]} == {50.0}
    assert found["sites"]["there"][0][1:7] == [None, None, None, None, 1, 1]
    assert viewer.get(f"targets/b/history?{PERIOD}&site=there")["sites"].keys() == {"there"}
    whole = viewer.get(f"targets/b/history?{PERIOD}&points=5000")["sites"]["here"]
    assert [row[0] for row in whole if row[0] < END] == [minute(number) for number in range(1, 60)]


@pytest.mark.parametrize(
    "form",
    [str(BEGIN), str(int(BEGIN)), str(BEGIN)[:-1] + "+00:00", str(BEGIN).replace("Z", "%2B00:00")],
    # Without the time of day: all processes of a run must give a test the same name.
    ids=["UTC", "milliseconds", "offset", "offset as an address has it"],
)
def test_a_period_may_be_written_in_any_usual_way(watched: Service, form: str) -> None:
    assert watched.by("viewer").get(f"targets/a/states?from={form}&to={int(END)}")["from"] == str(BEGIN)


def test_a_period_ends_no_later_than_now(watched: Service) -> None:
    found = watched.by("viewer").get(f"targets/a/states?from={int(BEGIN)}&to=2150-01-01T00:00:00Z")
    assert Time.parse(found["to"]) <= Time.now()


def test_incidents_of_a_period_are_the_stored_and_the_open_ones_newest_first(watched: Service) -> None:
    watched.store.write(
        Batch(
            incidents=[
                incident("i-past", "b", opened_at=Time(minute(5)), resolved_at=Time(minute(6))),
                incident("i-now", "a", opened_at=Time(minute(20)), cause="as stored"),
                incident("i-long-ago", "a", opened_at=Time(minute(-90)), resolved_at=Time(minute(-80))),
            ]
        )
    )
    watched.others.publish(INCIDENTS, incident("i-now", "a", opened_at=Time(minute(20)), cause="as it is now"))
    viewer = watched.by("viewer")
    found = viewer.get(f"incidents?{PERIOD}")["incidents"]
    assert [(one["id"], one["cause"]) for one in found] == [("i-now", "as it is now"), ("i-past", "no answer")]
    assert [one["id"] for one in viewer.get("incidents?open=true")["incidents"]] == ["i-now"]
    assert [one["id"] for one in viewer.get(f"incidents?{PERIOD}&target=b")["incidents"]] == ["i-past"]
    assert [one["id"] for one in viewer.get("incidents")["incidents"]] == ["i-now", "i-past", "i-long-ago"]
    assert viewer.get("incidents?open=true&target=b")["incidents"] == []


def test_incidents_opened_while_a_clock_was_ahead_are_listed_at_once(watched: Service) -> None:
    ahead = Time(Time.now() + HOUR_MS)
    over = incident("i-over", "a", opened_at=ahead, resolved_at=Time(ahead + 1), code="down")
    watched.store.write(Batch(incidents=[over]))
    watched.others.publish(INCIDENTS, incident("i-open", "a", opened_at=Time(ahead + 2), code="down"))
    viewer = watched.by("viewer")
    for query in ("incidents", f"incidents?from={int(BEGIN)}", f"incidents?to={int(ahead)}"):
        found = viewer.get(query)["incidents"]
        assert [(one["id"], one["code"]) for one in found] == [("i-open", "down"), ("i-over", "down")], query
    assert viewer.get(f"incidents?{PERIOD}")["incidents"] == [], "a period that was over before"


MOMENTS = st.lists(
    st.tuples(st.floats(-30, 90), st.sampled_from(State), st.sampled_from(["here", "there"])), max_size=8
)


@given(MOMENTS, st.sampled_from(["any", "all", "majority"]), st.floats(-30, 90))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_recorded_the_parts_add_up_to_the_period(
    tmp_path_factory: pytest.TempPathFactory, moments: list[tuple[float, State, str]], policy: str, heard: float
) -> None:
    kept = SqliteStore(tmp_path_factory.mktemp("history") / "history.sqlite")
    try:
        records = [state(site=site, kind=kind, at=minute(at), seq=n) for n, (at, kind, site) in enumerate(moments)]
        kept.write(Batch(states=records, results=[result(at=minute(heard))]))
        target = options.resolved(options.target_body({"id": "a", "address": "10.0.0.1", "policy": policy}), {})
        found = timelines(kept, [target], BEGIN, END)["a"]
    finally:
        kept.close()
    for intervals in (found.overall, *found.sites.values()):
        assert all(one.end == after.start for one, after in itertools.pairwise(intervals))
        assert not intervals or intervals[-1].end == END
        assert not intervals or intervals[0].start >= BEGIN
    covered_s = sum(one.seconds for one in found.overall)
    assert sum(found.uptime.seconds.values()) == pytest.approx(covered_s)
    if any(at <= 0 for at, _, _ in moments):
        assert covered_s == pytest.approx(3600)
    down = sum(one.seconds for one in found.uptime.outages)
    assert down == pytest.approx(found.uptime.seconds[VerdictState.DOWN])
    assert found.uptime.uptime_pct is None or 0 <= found.uptime.uptime_pct <= 100
