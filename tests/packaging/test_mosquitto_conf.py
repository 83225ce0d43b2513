"""The mosquitto.conf of docker-compose.yml and the rights that the web service gives, on a real Mosquitto."""

from __future__ import annotations

import subprocess

import pytest

from noc_bus.codec import MAX_PAYLOAD_BYTES
from tests.packaging import compose
from tests.packaging.clients import Client
from tests.parts.brokers import Mosquitto
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until


def test_a_site_speaks_for_itself_and_for_no_other(broker: Mosquitto) -> None:
    with Client(broker, "reader") as reader, Client(broker, "berlin") as berlin:
        reader.subscribe("noc/v1/#")
        for topic in (
            "results/lisbon/a",
            "replays/lisbon",
            "targets/a",
            "verdicts/a",
            "marks/berlin",
            "commands/berlin/check",
        ):
            berlin.publish(f"noc/v1/{topic}")
        for topic in ("states/lisbon/a", "probers/lisbon", "traces/lisbon/a"):
            berlin.publish(f"noc/v1/{topic}", retain=True)
        berlin.publish("noc/v1/results/berlin/a")
        # One connection keeps the order: what the broker let through before this one has been heard by now.
        reader.wait_for("noc/v1/results/berlin/a")
        assert set(reader.heard) == {"noc/v1/results/berlin/a"}
    with Client(broker, "reader") as later:
        later.subscribe("noc/v1/#")
        with Client(broker, "berlin") as berlin:
            berlin.publish("noc/v1/probers/berlin", retain=True)
        later.wait_for("noc/v1/probers/berlin")
        assert set(later.heard) == {"noc/v1/probers/berlin"}


@pytest.mark.parametrize(("site", "is_heard"), [("berlin", True), ("lisbon", False)])
def test_the_last_will_of_a_site_is_its_own(broker: Mosquitto, site: str, is_heard: bool) -> None:
    with Client(broker, "reader") as reader, Client(broker, "local") as other:
        reader.subscribe("noc/v1/probers/+")
        with Client(broker, "berlin", will=f"noc/v1/probers/{site}") as berlin:
            berlin.vanish()
            wait_until(
                lambda: "closed its connection" in broker.logs["broker"],
                10,
                "the end of berlin",
                seen=lambda: broker.logs,
            )
        other.publish("noc/v1/probers/local")
        reader.wait_for("noc/v1/probers/local")
        assert (f"noc/v1/probers/{site}" in reader.heard) is is_heard


def test_a_site_hears_what_is_meant_for_it_and_nothing_of_another(broker: Mosquitto) -> None:
    with Client(broker, "berlin") as berlin, Client(broker, "web") as web, Client(broker, "lisbon") as lisbon:
        berlin.subscribe("#")
        lisbon.publish("noc/v1/results/lisbon/a")
        lisbon.publish("noc/v1/states/lisbon/a", retain=True)
        web.publish("noc/v1/commands/lisbon/trace")
        web.publish("noc/v1/commands/berlin/trace")
        berlin.wait_for("noc/v1/commands/berlin/trace")
        assert set(berlin.heard) == {"noc/v1/commands/berlin/trace"}


def test_without_a_name_nobody_gets_anything(broker: Mosquitto) -> None:
    with Client(broker, None) as anonymous:
        assert anonymous.refused == "Not authorized"


@pytest.mark.parametrize("user", ["berlin", "web", "nobody", "#", "+"])
def test_with_a_wrong_password_or_an_unknown_name_nobody_gets_in(broker: Mosquitto, user: str) -> None:
    with Client(broker, user, password="wrong-password") as wrong:
        assert wrong.refused == "Not authorized"


@pytest.mark.parametrize("service", ["prober", "recorder", "alerter", "web"])
def test_a_service_with_a_wrong_password_says_what_to_check(
    broker: Mosquitto, noc_processes: Processes, service: str, icmp: None
) -> None:
    user = "berlin" if service == "prober" else service
    url = broker.url(user).replace(f"{user}-password", "wrong-password")
    folder, http = broker.folder / service, {"NOC_HTTP_PORT": str(broker.port + 1)}
    noc_processes.service(service, {"NOC_MQTT_URL": url, "NOC_SITE": "berlin", "NOC_DATA": str(folder), **http})
    sentence = f"the broker mqtt://{user}@127.0.0.1:{broker.port} refused us: not authorized; check the user name and password in NOC_MQTT_URL"
    wait_until(
        lambda: sentence in noc_processes.log(service), 20, "the sentence", seen=lambda: noc_processes.log(service)
    )
    assert "wrong-password" not in noc_processes.log(service)
    assert noc_processes.stop(service)[0] == 0


def test_a_new_subscriber_gets_all_that_is_retained(broker: Mosquitto) -> None:
    """With Mosquitto's default it would get 1,020 of these."""
    topics = {f"noc/v1/targets/host-{number}" for number in range(3000)}
    with Client(broker, "web") as web, Client(broker, "reader") as reader:
        for topic in topics:
            web.publish(topic, retain=True)
        reader.subscribe("noc/v1/targets/+")
        wait_until(lambda: len(reader.heard) == len(topics), 20, "all targets", seen=lambda: len(reader.heard))


def test_what_is_retained_outlives_a_restart(broker: Mosquitto) -> None:
    with Client(broker, "web") as web:
        web.publish("noc/v1/targets/a", b'{"id":"a"}', retain=True)
    broker.stop()
    broker.start()
    with Client(broker, "reader") as reader:
        reader.subscribe("noc/v1/#")
        assert reader.wait_for("noc/v1/targets/a") == b'{"id":"a"}'


def test_the_broker_passes_on_what_the_services_accept_and_nothing_larger(broker: Mosquitto) -> None:
    with Client(broker, "web") as web, Client(broker, "reader") as reader:
        reader.subscribe("noc/v1/#")
        web.publish("noc/v1/targets/larger", b"x" * (MAX_PAYLOAD_BYTES + 1))
        web.publish("noc/v1/targets/largest", b"x" * MAX_PAYLOAD_BYTES)
        assert len(reader.wait_for("noc/v1/targets/largest")) == MAX_PAYLOAD_BYTES
        assert reader.order == ["noc/v1/targets/largest"]


def test_who_sends_an_enormous_message_is_cut_off_and_others_are_not(broker: Mosquitto) -> None:
    with Client(broker, "web") as web, Client(broker, "reader") as reader:
        reader.subscribe("noc/v1/#")
        with Client(broker, "berlin") as berlin:
            berlin.publish("noc/v1/results/berlin/a", b"x" * 5_000_000, is_awaited=False)
            wait_until(lambda: "oversize packet" in broker.logs["broker"], 10, "the cut", seen=lambda: broker.logs)
        web.publish("noc/v1/targets/a")
        reader.wait_for("noc/v1/targets/a")
        assert reader.order == ["noc/v1/targets/a"]


def test_the_health_check_sees_a_broker_that_answers_and_one_that_does_not(broker: Mosquitto) -> None:
    kind, command = compose.services()["mosquitto"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    asked = ["sh", "-c", command.replace("127.0.0.1", f"127.0.0.1 -p {broker.port}")]
    assert subprocess.run(asked, check=False, timeout=10).returncode == 0
    broker.stop()
    assert subprocess.run(asked, check=False, timeout=10).returncode != 0
