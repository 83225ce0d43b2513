"""Many targets at once: days, the worst, groups, what is unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from noc_bus.messages import ProbeResult
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.store import Batch
from tests.web.conftest import Browser, Service
from tests.web.facts import result

TARGETS: Final = {"a": "core/routers", "b": "core", "c": "edge", "silent": "edge"}
NOW_H: Final = (Time.now() - HOUR_MS // 4) // HOUR_MS
"""The hour after the last that a service takes for over."""


def hour_of(target: str, hours_ago: int, rtts_ms: Sequence[float]) -> Iterator[ProbeResult]:
    """Of each ten minutes of one whole hour a cycle of so many echoes, of which these were answered."""
    for number in range(6):
        at = (NOW_H - hours_ago) * HOUR_MS + number * 600_000
        yield result(target, at=at, seq=at // 1000, sent=5, received=len(rtts_ms), rtts_ms=list(rtts_ms))


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Of a and b the last day was worse than the one before; of c it was as always, and it loses most."""
    service = Service(Path(tmp_path_factory.mktemp("summaries")))
    service.start()
    for name, group in TARGETS.items():
        service.catalog.add_target({"id": name, "name": name.upper(), "address": "10.0.0.1", "group": group}, "test")
    written: list[ProbeResult] = []
    for hours_ago in (1, 5):
        written += hour_of("a", hours_ago, [10.0, 10.0, 10.0, 10.0, 30.0])
        written += hour_of("b", hours_ago, [5.0] * 4)
        written += hour_of("c", hours_ago, [2.0] * 3)
    for hours_ago in (30, *(week * 168 + 1 for week in (2, 3))):
        written += hour_of("a", hours_ago, [1.0] * 5)
        written += hour_of("b", hours_ago, [5.0] * 5)
        written += hour_of("c", hours_ago, [2.0] * 3)
    service.store.write(Batch(results=written))
    while service.store.maintain(Time(0), 5.0).backlog_rows:
        pass
    service.follow()
    return service.by("viewer")


def day() -> str:
    return f"from={(NOW_H - 24) * HOUR_MS}&to={NOW_H * HOUR_MS}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("by=loss", ["c", "b", "a"]),
        ("by=median", ["a", "b", "c"]),
        ("by=p95", ["a", "b", "c"]),
        ("by=jitter", ["a", "b", "c"]),
        ("by=loss&order=change", ["b", "a", "c"]),
        ("by=median&order=change", ["a", "b", "c"]),
        ("by=loss&limit=1", ["c"]),
        ("by=loss&group=core", ["b", "a"]),
    ],
)
def test_the_worst_come_first(viewer: Browser, query: str, expected: list[str]) -> None:
    found = viewer.get(f"history/top?{day()}&{query}")
    assert [row["target"] for row in found["rows"]] == expected


def test_each_has_its_figures_and_those_of_the_period_before(viewer: Browser) -> None:
    found = viewer.get(f"history/top?{day()}&by=median")["rows"][0]
    assert (found["name"], found["group"], found["cycles"], found["invalid"]) == ("A", "core/routers", 12, 0)
    assert found["loss_pct"] == 0.0
    assert found["rtt_p50_ms"] == pytest.approx(10, rel=0.01)
    assert found["rtt_p95_ms"] == pytest.approx(30, rel=0.01)
    assert found["jitter_ms"] == pytest.approx(20, rel=0.03)
    assert found["before"]["rtt_p50_ms"] == pytest.approx(1, rel=0.01)
    assert found["before"]["cycles"] == 6


def test_a_longer_period_begins_with_a_whole_day(viewer: Browser) -> None:
    found = viewer.get("history/top")
    assert Time.parse(found["from"]) % DAY_MS == 0
    assert Time.parse(found["to"]) % HOUR_MS == 0
    assert [row["cycles"] for row in found["rows"]] == [18, 18, 18]


def test_groups_have_all_targets_below_them(viewer: Browser) -> None:
    found = {row["group"]: row for row in viewer.get(f"history/groups?{day()}")["rows"]}
    assert {group: (row["targets"], row["cycles"]) for group, row in found.items()} == {
        "": (4, 36), "core": (2, 24), "core/routers": (1, 12), "edge": (2, 12),
    }  # fmt: skip
    assert found["core"]["loss_pct"] == 10.0
    assert found["core"]["before"]["loss_pct"] == 0.0
    assert found[""]["loss_pct"] == 20.0


def test_each_day_has_its_loss_and_none_stands_for_no_cycles(viewer: Browser) -> None:
    found = viewer.get("history/days?days=10")
    assert Time.parse(found["to"]) - Time.parse(found["from"]) == 10 * DAY_MS
    days = {row["target"]: row["days"] for row in found["rows"]}
    assert {len(one) for one in days.values()} == {10}
    assert days["silent"] == [None] * 10
    measured = [one for one in days["c"] if one is not None]
    assert sum(cycles for _, cycles, _ in measured) == 18
    assert {loss for loss, _, _ in measured} == {40.0}


def test_days_come_page_by_page_by_name_or_the_worst_first(viewer: Browser) -> None:
    assert [row["target"] for row in viewer.get("history/days?days=10")["rows"]] == ["a", "b", "c", "silent"]
    page = viewer.get("history/days?days=10&sort=loss&offset=1&limit=2")
    assert (page["count"], page["offset"], [row["target"] for row in page["rows"]]) == (4, 1, ["b", "a"])
    assert [row["target"] for row in viewer.get("history/days?offset=3&limit=2")["rows"]] == ["silent"]


def test_what_is_unusual_comes_first(viewer: Browser) -> None:
    rows = viewer.get(f"history/usual?to={NOW_H * HOUR_MS}")["rows"]
    assert [row["target"] for row in rows] == ["a", "b", "c"]
    assert [row["weeks"] for row in rows] == [2, 2, 2]
    assert rows[0]["usual"]["rtt_p95_ms"] == pytest.approx(1, rel=0.01)
    assert rows[0]["now"]["rtt_p50_ms"] == pytest.approx(10, rel=0.01)
    assert (rows[1]["now"]["loss_pct"], rows[1]["usual"]["loss_pct"]) == (20.0, 0.0)
