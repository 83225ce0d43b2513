"""History and uptime as the API tells them: the parts add up, outages are the intervals of DOWN, CSV says the same."""

from __future__ import annotations

import csv
import io
import itertools
import threading
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.channels import INCIDENTS
from noc_bus.messages import State, VerdictState
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition, Silence, Store
from noc_web.catalog import options
from noc_web.problem import ProblemError
from noc_web.report import Reports, Wanted
from noc_web.uptime import timelines
from tests.parts.examples import up_to
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


def test_a_report_has_rows_for_groups_tags_and_sites_too(watched: Service) -> None:
    watched.catalog.put_group("core", {"tags": ["backbone"], "uptime_goal_pct": 90}, "test")
    watched.follow()
    viewer = watched.by("viewer")
    groups = {row["name"]: row for row in viewer.get(f"reports/uptime?{PERIOD}&by=group")["rows"]}
    assert {name: (row["targets"], row["downtime_s"]) for name, row in groups.items()} == {
        "core": (2, 600),
        "core/routers": (1, 600),
        "corex": (1, 0),
    }
    assert groups["core"]["uptime_pct"] == pytest.approx(100 * 6600 / 7200)
    (tag,) = viewer.get(f"reports/uptime?{PERIOD}&by=tag")["rows"]
    assert (tag["name"], tag["targets"], tag["outages"], tag["target"]) == ("backbone", 2, 1, None)
    assert [row["target"] for row in viewer.get(f"reports/uptime?{PERIOD}&tag=backbone")["rows"]] == ["a", "b"]
    (site,) = viewer.get(f"reports/uptime?{PERIOD}&by=site")["rows"]
    assert (site["name"], site["targets"], site["downtime_s"]) == ("here", 2, 600)
    assert viewer.get(f"reports/uptime?{PERIOD}&site=nowhere")["total"]["uptime_pct"] is None


def test_a_goal_says_how_much_of_the_error_budget_is_left(watched: Service) -> None:
    watched.catalog.put_group("core", {"uptime_goal_pct": 90}, "test")
    watched.follow()
    report = watched.by("viewer").get(f"reports/uptime?{PERIOD}&by=group")
    core, routers, corex = (
        next(row for row in report["rows"] if row["name"] == name) for name in ("core", "core/routers", "corex")
    )
    assert [core[name] for name in ("goal_pct", "budget_s", "budget_left_s")] == [90, 720, 120]
    assert [routers[name] for name in ("goal_pct", "budget_s", "budget_left_s")] == [90, 360, -240]
    assert corex["goal_pct"] is corex["budget_s"] is None
    assert report["total"]["goal_pct"] is None, "its targets do not have one and the same"


def test_a_report_has_loss_and_percentiles_from_what_is_summed_up(watched: Service) -> None:
    """Of b each cycle has two RTTs, 1 to 60 ms and twice that, and every sixth lost one."""
    start = Time(END // HOUR_MS * HOUR_MS - 2 * HOUR_MS)
    watched.store.write(
        Batch(
            results=[
                result("b", at=start + n * 60_000, seq=n, sent=3, received=2, rtts_ms=[float(n + 1), 2.0 * (n + 1)])
                for n in range(60)
            ]
        )
    )
    while watched.store.maintain(Time(0), 10.0).backlog_rows:
        pass
    viewer = watched.by("viewer")
    query = f"reports/uptime?from={int(start)}&to={int(start + HOUR_MS)}&group=core&sort=loss"
    rows = {row["target"]: row for row in viewer.get(f"{query}&rtt=true")["rows"]}
    assert rows["b"]["loss_pct"] == pytest.approx(100 / 3, abs=0.001)
    every = sorted([float(n + 1) for n in range(60)] + [2.0 * (n + 1) for n in range(60)])
    assert rows["b"]["p50_ms"] == pytest.approx(every[59], rel=0.03)
    assert rows["b"]["p95_ms"] == pytest.approx(every[113], rel=0.03)
    assert viewer.get(f"{query}&rtt=true&by=group")["rows"][0]["loss_pct"] == rows["b"]["loss_pct"]
    assert {row["p95_ms"] for row in viewer.get(query)["rows"]} == {None}


def test_the_bars_of_a_report_are_the_downtime_of_all_targets_in_stretches_of_the_period(watched: Service) -> None:
    bars = watched.by("viewer").get(f"reports/uptime?{PERIOD}")["bars"]
    assert (bars[0]["start"], bars[-1]["end"]) == (str(BEGIN), str(END))
    assert all(one["end"] == after["start"] for one, after in itertools.pairwise(bars))
    assert sum(one["down_s"] for one in bars) == 600
    (first, *_, last) = [one for one in bars if one["down_s"]]
    assert first["start"] <= str(Time(minute(20))) < first["end"]
    assert last["start"] < str(Time(minute(30))) <= last["end"]


def test_outages_have_their_length_the_time_between_them_and_a_list(watched: Service) -> None:
    store(watched, state(kind=State.DOWN, at=minute(55), seq=4), state(kind=State.DOWN, at=minute(59), seq=5))
    viewer = watched.by("viewer")
    (row,) = viewer.get(f"reports/uptime?{PERIOD}&group=core/routers")["rows"]
    assert [row[name] for name in ("outages", "downtime_s", "longest_s", "mttr_s", "mtbf_s")] == [
        2,
        900,
        600,
        450,
        1350,
    ]
    found = viewer.get(f"reports/outages?{PERIOD}")
    assert [(one["target"], one["start"], one["seconds"], one["is_ongoing"]) for one in found["rows"]] == [
        ("a", str(Time(minute(55))), 300, True),
        ("a", str(Time(minute(20))), 600, False),
    ]
    rows = list(csv.DictReader(io.StringIO(viewer.get(f"reports/outages?{PERIOD}&format=csv").removeprefix("\ufeff"))))
    assert [(one["target"], one["seconds"], one["state"]) for one in rows] == [
        ("a", "300.0", "DOWN"),
        ("a", "600.0", "DOWN"),
    ]


def test_a_report_tells_the_change_against_the_period_before(watched: Service) -> None:
    """In the hour before it was UP for the half of it in which it was known."""
    viewer = watched.by("viewer")
    rows = viewer.get(f"reports/uptime?{PERIOD}&compare=true")["rows"]
    assert [row["change_pct"] for row in rows] == [pytest.approx(100 * 3000 / 3600 - 100), 0, None]
    assert {row["change_pct"] for row in viewer.get(f"reports/uptime?{PERIOD}")["rows"]} == {None}


def test_business_hours_count_by_the_clock_of_a_zone(watched: Service) -> None:
    begin = BEGIN.datetime()
    day = f"{begin:%a}-{(begin + timedelta(hours=24)):%a}"
    until = begin + timedelta(minutes=30)
    hours = (
        f"{day} {begin:%H:%M}-{until:%H:%M}" if until.hour >= begin.hour and f"{until:%H:%M}" > f"{begin:%H:%M}" else ""
    )
    if not hours:
        hours = f"{day} {begin:%H:%M}-24:00"
    viewer = watched.by("viewer")
    (row,) = viewer.get(f"reports/uptime?{PERIOD}&group=core/routers&hours={quote(hours)}&zone=Etc/UTC")["rows"]
    assert row["off_hours_s"] > 0
    assert row["off_hours_s"] + sum(row["seconds"].values()) + row["unmonitored_s"] == 3600
    everything = viewer.get(
        f"reports/uptime?{PERIOD}&group=core/routers&holidays={begin:%Y-%m-%d},{until:%Y-%m-%d},{END.datetime():%Y-%m-%d}"
    )
    assert everything["rows"][0]["off_hours_s"] == 3600


def test_a_report_takes_hours_holidays_and_goal_from_a_calendar_by_name(watched: Service) -> None:
    operator, viewer = watched.by("operator"), watched.by("viewer")
    days = sorted({f"{moment.datetime():%Y-%m-%d}" for moment in (BEGIN, END)})
    made = operator.api("PUT", "calendars/quiet", {"zone": "Etc/UTC", "holidays": [*days, *days], "goal_pct": 99.5})
    assert made == {"name": "quiet", "zone": "Etc/UTC", "hours": "", "holidays": days, "goal_pct": 99.5}
    operator.api("PUT", "calendars/always", {"goal_pct": 90})
    assert [one["name"] for one in viewer.get("calendars")["calendars"]] == ["always", "quiet"]
    found = viewer.get(f"reports/uptime?{PERIOD}&group=core/routers&calendar=quiet")
    assert (found["calendar"], found["total"]["off_hours_s"], found["total"]["goal_pct"]) == ("quiet", 3600, 99.5)
    (row,) = viewer.get(f"reports/uptime?{PERIOD}&group=core/routers&calendar=always")["rows"]
    assert (row["off_hours_s"], row["goal_pct"], row["budget_s"]) == (0, 90, 360)
    assert row["budget_left_s"] == 360 - row["downtime_s"]
    operator.api("DELETE", "calendars/quiet", status=204)
    refused = viewer.api("GET", "reports/uptime?calendar=quiet", status=422)
    assert "calendar: there is no 'quiet'; use always." in str(refused)
    operator.api("DELETE", "calendars/quiet", status=404)


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("calendars/office", {"hours": "Mon 9-5"}, "hours: 'Mon 9-5' is not accepted; use days and hours like"),
        ("calendars/office", {"zone": "Mars/Base"}, "zone: 'Mars/Base' is not accepted; use the name of a time zone"),
        ("calendars/office", {"holidays": ["2026-02-30"]}, "holidays: '2026-02-30' is not accepted; use days with"),
        ("calendars/office", {"goal_pct": 101}, "goal_pct"),
        ("calendars/My%20hours", {}, "calendar: 'My hours' is not accepted; use lower-case letters, digits and"),
    ],
)
def test_what_is_no_calendar_is_refused_in_a_sentence(
    watched: Service, path: str, body: dict[str, Any], sentence: str
) -> None:
    assert sentence in str(watched.by("operator").api("PUT", path, body, status=422))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("calendar=office", "calendar: there is no 'office'; use none: there is no calendar yet."),
        ("calendar=office&hours=Mon%2008:00-09:00", "leave `hours` and `holidays` out, or `calendar`."),
        (
            "hours=Mon",
            "hours: 'Mon' is not accepted; use days and hours like Mon-Fri 08:00-18:00, Sat 22:00-06:00 (into Sunday).",
        ),
        ("hours=Mon%2018:00-18:00", "hours: 'Mon 18:00-18:00' is not accepted; use days and hours like"),
        ("holidays=christmas", "holidays: 'christmas' is not accepted; use days with commas between"),
        ("hours=Mon%2008:00-09:00&zone=Mars/Base", "zone: 'Mars/Base' is not accepted; use the name of a time zone"),
        ("by=colour", "by: 'colour' is not accepted; use target or group or tag or site."),
        ("wait_s=601", "wait_s: '601' is not accepted; use a whole number from 0 to 600."),
    ],
)
def test_what_a_report_cannot_be_asked_is_refused_in_a_sentence(watched: Service, query: str, sentence: str) -> None:
    assert sentence in str(watched.by("viewer").api("GET", f"reports/uptime?{query}", status=422))


def test_a_page_holds_only_the_rows_it_shows(watched: Service) -> None:
    viewer = watched.by("viewer")
    pages = [viewer.get(f"reports/uptime?{PERIOD}&limit=1&offset={offset}&sort=name") for offset in range(4)]
    assert [[row["target"] for row in page["rows"]] for page in pages] == [["a"], ["b"], ["c"], []]
    assert {(page["count"], page["total"]["outages"]) for page in pages} == {(3, 1)}
    by_outages = viewer.get(f"reports/uptime?{PERIOD}&sort=outages")["rows"]
    assert by_outages[0]["target"] == "a"


def test_a_report_that_takes_long_says_how_far_it_is_and_is_kept_for_who_asks_again(watched: Service) -> None:
    """What is stored is being read when the page asks for the first time."""
    store, entered, go_on = watched.store, threading.Event(), threading.Event()
    slow = _SlowStore(store, entered, go_on)
    reports = Reports(cast("Store", slow), lambda: watched.publisher.targets)
    wanted = Wanted(BEGIN, END)
    job = reports.ask(wanted)
    assert entered.wait(20)
    assert (job.awaited(0), job.future.done()) == ((0, None), False)
    for number in range(1, 4):
        reports.ask(Wanted(BEGIN, Time(END - number)))
    with pytest.raises(ProblemError, match="Too many reports"):
        reports.ask(Wanted(BEGIN, Time(END - 9)))
    go_on.set()
    progress_pct, report = job.awaited(20)
    assert report is not None
    assert (progress_pct, report.total.targets) == (100, 3)
    assert reports.ask(wanted) is job
    reports.close()


class _SlowStore:
    """A store whose states take as long as a test wants."""

    def __init__(self, store: Store, entered: threading.Event, go_on: threading.Event) -> None:
        self._store, self._entered, self._go_on = store, entered, go_on
        self.definitions = store.definitions

    def states(self, *asked: Any) -> Any:
        self._entered.set()
        assert self._go_on.wait(60)
        return self._store.states(*asked)


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


@pytest.mark.thorough
@given(MOMENTS, st.sampled_from(["any", "all", "majority"]), st.floats(-30, 90))
@settings(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_recorded_the_parts_add_up_to_the_period(
    tmp_path_factory: pytest.TempPathFactory, moments: list[tuple[float, State, str]], policy: str, heard: float
) -> None:
    kept = SqliteStore(tmp_path_factory.mktemp("history") / "history.sqlite")
    try:
        records = [state(site=site, kind=kind, at=minute(at), seq=n) for n, (at, kind, site) in enumerate(moments)]
        kept.write(Batch(states=records, results=[result(at=minute(heard))]))
        target = options.resolved(options.target_body({"id": "a", "address": "10.0.0.1", "policy": policy}), {})
        ((_, found),) = timelines(kept, [target], BEGIN, END)
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
