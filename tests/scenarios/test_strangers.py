"""What names no target or site of the catalogue: a site that was closed and deleted, and ids nobody has set up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from noc_bus.codec import encode
from noc_bus.messages import ProbeResult, ProberPresence, SiteState, State
from noc_bus.time import Time
from noc_netlab.lab import Netlab
from tests.parts import proc
from tests.parts.figures import Figures
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import holds_for, wait_until
from tests.scenarios.whole import CENTRAL, Noc

# What an allocator may keep of a burst; as many kept messages would be several times that.
GROWTH_MB = {8_000: 4, 40_000: 12}
GONE_WITHIN_S = 10


@pytest.fixture(params=["nats", pytest.param("mosquitto", marks=pytest.mark.long_only)])
def noc_of_two(request: pytest.FixtureRequest, netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[Noc]:
    with Noc(tmp_path, smtp_sink, request.param, sites=("here", "there"), users=("flooder",)) as whole:
        yield whole


def retained(noc: Noc) -> list[str]:
    """Every retained topic, as a reader gets them."""
    found: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("reader", noc.broker.passwords["reader"])
    client.on_message = lambda _client, _data, message: found.append(message.topic) if message.retain else None
    client.connect("127.0.0.1", noc.broker.port)
    client.subscribe("noc/v1/#", qos=1)
    client.loop_start()
    time.sleep(1.5)
    client.disconnect()
    client.loop_stop()
    return found


def names_there(noc: Noc) -> list[str]:
    """Where the deleted site is still to be seen: topics, and places of the status."""
    status = noc.get("status")
    seen = [topic for topic in retained(noc) if "there" in topic.split("/")]
    seen += [f"sites: {site['id']}" for site in status["sites"] if site["id"] == "there"]
    return seen + [f"row {row['id']}" for row in status["targets"] if "there" in row["sites"]]


@pytest.mark.timeout(300)
def test_a_site_that_was_closed_and_deleted_is_gone_everywhere_and_its_history_stays(noc_of_two: Noc) -> None:
    noc = noc_of_two
    noc.add("host", "10.99.0.1", interval_s=1, packets=1, timeout_ms=500)
    noc.wait_states({"host": "UP"}, 30)
    wait_until(lambda: len(noc.cycles("host", "there")) > 3, 20, "some history")
    assert names_there(noc)
    noc.processes.stop("there")
    status, answer = noc.ask("DELETE", "sites/there")
    assert status == 204, answer
    wait_until(lambda: not names_there(noc), GONE_WITHIN_S, "nothing of the site", seen=lambda: names_there(noc))
    for service in CENTRAL:
        noc.processes.stop(service)
        noc.processes.restart(service)
    noc.broker.kill()
    noc.broker.start()
    noc.sites = ("here",)
    wait_until(noc.is_whole, 40, "everybody back", seen=lambda: noc.ask("GET", "status"))
    # A broker that is killed may have again what was cleared a moment before.
    wait_until(lambda: not names_there(noc), GONE_WITHIN_S, "nothing of the site", seen=lambda: names_there(noc))
    holds_for(lambda: not names_there(noc), 6, "nothing of the site after a restart of everything")
    assert len(noc.cycles("host", "there")) > 3
    assert not noc.get("incidents")["incidents"]
    assert not noc.mails.mails
    noc.processes.restart("there")
    wait_until(
        lambda: [site["id"] for site in noc.get("status")["sites"] if site["online"]] == ["here", "there"],
        20,
        "it appears as a new site once it speaks again",
        seen=lambda: noc.get("status")["sites"],
    )


@pytest.mark.timeout(300)
def test_tens_of_thousands_of_ids_that_are_no_targets_cost_nobody_memory(
    noc_of_two: Noc, is_long: bool, figure: Figures
) -> None:
    noc, strangers = noc_of_two, 40_000 if is_long else 8_000
    noc.add("host", "10.99.0.1", interval_s=1, packets=1, timeout_ms=500)
    noc.wait_states({"host": "UP"}, 30)
    # The second time shows what is kept: after the first, buffers and caches have their size.
    for round_ in range(2):
        before = {service: proc.rss_mb(noc.processes.pid(service)) for service in CENTRAL}
        _publish_strangers(noc, strangers, round_)
        holds_for(lambda: noc.states() == {"host": "UP"}, 5, "the real target is UP")
    for service in CENTRAL:
        figure.at_most(
            f"{service}_growth_mb",
            round(proc.rss_mb(noc.processes.pid(service)) - before[service], 1),
            GROWTH_MB[strangers],
        )


def _publish_strangers(noc: Noc, count: int, round_: int) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("flooder", noc.broker.passwords["flooder"])
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", noc.broker.port)
    client.loop_start()
    now = Time.now()
    client.publish(
        "noc/v1/probers/flooder", encode(ProberPresence(site="flooder", online=True, epoch=1)), qos=1, retain=True
    )
    for number in range(count):
        name = f"stranger-{number}"
        result = ProbeResult(
            site="flooder", target=name, epoch=1, seq=round_ * 2 * count + 2 * number, at=now, address="192.0.2.1",
            sent=1, received=1, rtts_ms=[1.0],
        )  # fmt: skip
        state = SiteState(
            site="flooder", target=name, epoch=1, seq=result.seq + 1, state=State.DOWN, since=now, reason="x", at=now
        )
        client.publish(f"noc/v1/results/flooder/{name}", encode(result), qos=0)
        last = client.publish(f"noc/v1/states/flooder/{name}", encode(state), qos=1, retain=True)
        if number % 500 == 0:
            last.wait_for_publish(20)
    last.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
