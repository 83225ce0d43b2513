"""The whole NOC with its history in InfluxDB, also when that is gone for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from noc_bus.codec import decode
from noc_bus.messages import ProbeResult
from noc_netlab.lab import Netlab
from tests.history.influx_engine import InfluxEngine
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc


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
    with Noc(tmp_path, smtp_sink, history=influx.make_bucket("noc")) as noc, results(noc) as told:
        noc.add("server", "10.99.0.2", interval_s=1, packets=2, timeout_ms=300)
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
        so_far = set(told)
        # What the site has kept comes beside what is new.
        wait_until(lambda: not so_far - stored(noc), 60, "nothing lost", seen=lambda: sorted(so_far - stored(noc)))
        (outage,) = noc.get("targets/server/states")["outages"]
        assert outage["seconds"] > 1
        assert len(noc.get("incidents")["incidents"]) == 1


@contextmanager
def results(noc: Noc) -> Iterator[set[int]]:
    """In which seconds the cycles began whose results were published; it grows."""
    told: set[int] = set()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("reader", noc.broker.passwords["reader"])
    client.on_message = lambda _client, _data, message: told.add(decode(bytes(message.payload), ProbeResult).at // 1000)
    client.connect("127.0.0.1", noc.broker.port)
    client.subscribe("noc/v1/results/here/server", qos=1)
    client.loop_start()
    try:
        yield told
    finally:
        client.disconnect()
        client.loop_stop()


def stored(noc: Noc) -> set[int]:
    return {row[0] // 1000 for row in noc.cycles("server")}
