"""The dashboard for Grafana: each of its questions is one that the store's own points answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from noc_bus.messages import State
from noc_bus.time import Time
from noc_history.influx_lines import TIERS, TYPES
from noc_history.store import Batch
from tests.history.conftest import open_store
from tests.history.influx_engine import InfluxEngine
from tests.history.records import at, cycle, state
from tests.packaging import compose

FOLDER: Final = Path(__file__).parents[2] / "docs" / "grafana"
DASHBOARD: Final[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
VARIABLES: Final = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
QUERIES: Final = {
    f"{panel['title']} {target['refId']}": target["query"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
WIDTHS: Final = tuple(one["value"] for one in VARIABLES["width"]["options"])


@pytest.fixture(scope="module")
def bucket(engine: InfluxEngine) -> Iterator[str]:
    """With two targets, one of them lossy, summed up."""
    store = open_store(engine.make_bucket("grafana"))
    cycles = [cycle(n * 60, [n + 1.0], target=name, seq=n) for n in range(90) for name in ("router", "switch.2")]
    cycles += [cycle(30 + n * 60, [], target="switch.2", invalid="late", seq=100 + n) for n in range(90)]
    store.write(Batch(cycles, [state(1, State.UP), state(600, State.DOWN, seq=1)]))
    while store.maintain(Time(0), 5.0).backlog_rows:
        pass
    yield "grafana"
    store.close()


def filled(query: str, width: str, target: str) -> str:
    """As Grafana fills in what is chosen above the panels, and the period."""
    # From the day before: sums over a day stand at its start.
    period = f"time >= {int(at(-86_400))}ms and time <= {int(at(7200))}ms"
    values = {
        "width": width,
        "target:regex": f"({re.escape(target)})",
        "site:regex": "(here|there)",
        "timeFilter": period,
    }
    return re.sub(r"\$(?:\{([\w:]+)\}|(\w+))", lambda found: values[found[1] or found[2]], query)


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_of_the_dashboard_is_answered(engine: InfluxEngine, bucket: str, name: str) -> None:
    for width in WIDTHS if "$width" in QUERIES[name] else WIDTHS[:1]:
        target = "router" if "States" in name else "switch.2"
        status, answer = engine.run(filled(QUERIES[name], width, target), bucket)
        result = json.loads(answer)["results"][0]
        assert status == 200
        assert "error" not in result
        rows = [row for series in result["series"] for row in series["values"]]
        assert rows
        assert all(value is not None for row in rows for value in row)


def test_what_it_names_is_what_the_store_writes() -> None:
    for query in QUERIES.values():
        (measurement,) = re.findall(r'FROM "([^"]+)"', query)
        known = {tier.measurement for tier in TIERS} if measurement == "$width" else {measurement}
        fields = set(re.findall(r'"(\w+)"', re.sub(r'AS "\w+"', "", query.partition(" FROM ")[0])))
        for one in known:
            assert fields <= TYPES[one].keys()
    assert set(WIDTHS) == {tier.measurement for tier in TIERS}


@pytest.mark.parametrize("name", ["target", "site"])
def test_what_can_be_chosen_is_what_is_there(engine: InfluxEngine, bucket: str, name: str) -> None:
    answer = json.loads(engine.run(VARIABLES[name]["query"], bucket)[1])
    values = [value for _, value in answer["results"][0]["series"][0]["values"]]
    assert values == {"target": ["router", "switch.2"], "site": ["here"]}[name]


def test_panels_ask_the_source_that_compose_sets_up() -> None:
    (source,) = yaml.safe_load((FOLDER / "datasource.yaml").read_text(encoding="utf-8"))["datasources"]
    asked = {one["datasource"]["uid"] for panel in DASHBOARD["panels"] for one in (panel, *panel["targets"])}
    assert asked == {source["uid"]}
    made = compose.services()["influxdb"]["environment"]
    assert source["jsonData"]["dbName"] == made["DOCKER_INFLUXDB_INIT_BUCKET"]
    assert source["url"] == "http://influxdb:8086"
    (provider,) = yaml.safe_load((FOLDER / "dashboards.yaml").read_text(encoding="utf-8"))["providers"]
    mounts = {one["target"]: one["source"] for one in compose.services()["grafana"]["volumes"]}
    assert f"{provider['options']['path']}/noc.json" in mounts
    assert sorted(source for source in mounts.values() if source.startswith("./")) == [
        f"./docs/grafana/{name}" for name in ("dashboard.json", "dashboards.yaml", "datasource.yaml")
    ]
