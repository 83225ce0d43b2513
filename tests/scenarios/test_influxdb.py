"""The whole NOC with its history in InfluxDB, also when that is gone for a while."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_netlab.lab import Netlab
from tests.history.influx_engine import InfluxEngine
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

PACKETS = 2


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[InfluxEngine]:
    if not InfluxEngine.is_here():
        pytest.skip("influxd is not on PATH; install Debian's influxdb package")
    (tmp_path / "influxd").mkdir()
    engine = InfluxEngine(tmp_path / "influxd")
    yield engine
    engine.close()


def test_history_is_whole_although_the_store_was_killed(
    netlab: Netlab, smtp_sink: SmtpSink, influx: InfluxEngine, tmp_path: Path
) -> None:
    with Noc(tmp_path, smtp_sink, history=influx.make_bucket("noc")) as noc:
        noc.add("server", "10.99.0.2", interval_s=1, packets=PACKETS, timeout_ms=300)
        noc.wait_states({"server": "UP"}, 20)
        wait_until(lambda: len(noc.cycles("server")) >= 3, 20, "cycles are stored")
        influx.kill()
        wait_until(lambda: any("recorder" in one for one in noc.get("status")["trouble"]), 40, "the trouble is shown")
        assert noc.ask("GET", "targets/server/history")[0] == 503
        with netlab.silence("10.99.0.2"):
            noc.wait_states({"server": "DOWN"}, 20)
            smtp_sink.wait(1, 10)
        noc.wait_states({"server": "UP"}, 15)
        influx.start()
        wait_until(
            lambda: not noc.get("status")["trouble"], 60, "no trouble", seen=lambda: noc.get("status")["trouble"]
        )
        # What the site has kept comes beside what is new.
        wait_until(lambda: not _lost(noc, netlab), 60, "nothing lost", seen=lambda: _lost(noc, netlab))
        (outage,) = noc.get("targets/server/states")["outages"]
        assert outage["seconds"] > 1
        assert len(noc.get("incidents")["incidents"]) == 1


def _lost(noc: Noc, netlab: Netlab) -> list[tuple[int, int]]:
    """Between which stored cycles the host got the packets of another; a busy machine may send late, or leave one out."""
    starts: list[int] = [row[0] for row in noc.cycles("server")]
    asked_ms = [one.at_ms for one in netlab.seen() if one.address == "10.99.0.2"]
    return [
        (before, after)
        for before, after in itertools.pairwise(starts)
        if sum(before <= at_ms < after for at_ms in asked_ms) >= 2 * PACKETS
    ]
