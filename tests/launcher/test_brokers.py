"""The brokers that `noc up` writes settings for hold to the contract's permissions."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from noc_bus.broker import Broker
from noc_bus.session import Session
from noc_launcher.brokers import mosquitto, nats
from noc_web.broker.__main__ import prepare
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.database.opening import Database
from tests.launcher.conftest import Stranger
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

PASSWORDS = {user: f"{user}-password" for user in ("berlin", "madrid", "recorder", "alerter", "web", "reader")}


@dataclass
class Running:
    port: int
    processes: Processes
    folder: Path

    def let_in(self, passwords: Mapping[str, str]) -> None:
        """As `noc up` does: into the database and the broker's files, then the signal."""
        prepare(self.folder.parent, arrangement(self.folder), passwords)
        os.kill(self.processes.pid("broker"), signal.SIGHUP)


def arrangement(folder: Path) -> Arrangement:
    return Arrangement(str(folder), anonymous_read=True)


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "a folder of it"
    folder.mkdir()
    port = free_port()
    command = {"nats": nats.prepare, "mosquitto": mosquitto.prepare}[request.param]
    prepare(tmp_path, arrangement(folder), PASSWORDS)
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", command(folder, port))
        wait_until(lambda: listens(port), 15, "a listening broker", seen=lambda: processes.logs)
        yield Running(port, processes, folder)


Connect = Callable[..., Stranger]


def test_who_has_no_password_reads_everything_and_writes_nothing(broker: Running, stranger: Connect) -> None:
    anonymous, berlin = stranger(broker.port), stranger(broker.port, "berlin", "berlin-password")
    assert anonymous.subscribe("noc/v1/#")
    stranger(broker.port).publish("noc/v1/states/berlin/forged", retain=True)
    stranger(broker.port).publish("noc/v1/forged")
    berlin.publish("noc/v1/states/berlin/router", b"real", retain=True)
    assert anonymous.hear() == ("noc/v1/states/berlin/router", b"real")
    late = stranger(broker.port)
    assert late.subscribe("noc/v1/#")
    assert late.hear() == ("noc/v1/states/berlin/router", b"real")
    assert late.heard.empty()
    assert anonymous.heard.empty()


def test_a_site_cannot_publish_as_another_site(broker: Running, stranger: Connect) -> None:
    listener = stranger(broker.port)
    assert listener.subscribe("noc/v1/#")
    for topic in ("results/madrid/router", "probers/madrid", "verdicts/router", "services/web"):
        stranger(broker.port, "berlin", "berlin-password").publish(f"noc/v1/{topic}", b"forged")
    for site in ("berlin", "madrid"):
        stranger(broker.port, site, f"{site}-password").publish(f"noc/v1/results/{site}/router", b"own")
        assert listener.hear() == (f"noc/v1/results/{site}/router", b"own")


def test_nobody_else_can_disturb_a_service_by_its_client_id(broker: Running, tmp_path: Path) -> None:
    """What a stranger can know or guess of it: the names of its processes, and its topics."""
    url = Broker.parse(f"mqtt://alerter:{PASSWORDS['alerter']}@127.0.0.1:{broker.port}")
    session = Session(url, "noc-alerter")
    connections: list[None] = []
    losses: list[None] = []
    session.when_connected(lambda: connections.append(None))
    session.when_disconnected(lambda: losses.append(None))
    session.start()
    try:
        wait_until(lambda: connections, 10, "a connection")
        for user in (None, "berlin"):
            for client_id in ("noc-alerter", "alerter", ""):
                client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
                if user:
                    client.username_pw_set(user, PASSWORDS[user])
                client.will_set("noc/v1/services/alerter", b"", retain=True)
                client.connect("127.0.0.1", broker.port)
                client.loop_start()
                client.publish("noc/v1/services/alerter", b"", qos=0, retain=True)
                client.subscribe("noc/v1/services/+", 1)
                wait_until(lambda: session.connected, 5, "the service's connection")
                client.loop_stop()
                client.disconnect()
        assert (len(connections), len(losses)) == (1, 0)
    finally:
        session.stop()


def test_a_site_cannot_read_the_commands_of_another(broker: Running, stranger: Connect) -> None:
    web = stranger(broker.port, "web", "web-password")
    berlin = stranger(broker.port, "berlin", "berlin-password")
    berlin.subscribe("noc/v1/commands/madrid/+")
    berlin.subscribe("noc/v1/commands/berlin/+")
    web.publish("noc/v1/commands/madrid/check")
    web.publish("noc/v1/commands/berlin/check")
    assert berlin.hear()[0] == "noc/v1/commands/berlin/check"


def test_an_account_of_somebody_s_own_reads_what_it_was_given(broker: Running, stranger: Connect) -> None:
    with closing(Database(broker.folder.parent)) as database:
        accounts = BrokerAccounts(database)
        password = accounts.add_reader("grafana", ["verdicts/#"])
        BrokerFiles(accounts).write()
    os.kill(broker.processes.pid("broker"), signal.SIGHUP)
    wait_until(lambda: not stranger(broker.port, "grafana", password).refused, 20, "the account")
    grafana, web = stranger(broker.port, "grafana", password), stranger(broker.port, "alerter", "alerter-password")
    grafana.subscribe("noc/v1/#")
    grafana.subscribe("noc/v1/verdicts/#")
    anonymous = stranger(broker.port)
    anonymous.subscribe("noc/v1/#")
    stranger(broker.port, "grafana", password).publish("noc/v1/verdicts/router", b"forged")
    web.publish("noc/v1/incidents/router", b"not for it")
    web.publish("noc/v1/verdicts/router", b"for it")
    assert grafana.hear() == ("noc/v1/verdicts/router", b"for it")
    assert anonymous.hear() == ("noc/v1/incidents/router", b"not for it")


@pytest.mark.parametrize(("user", "password"), [("berlin", "wrong"), ("nobody", "wrong"), ("berlin", "")])
def test_a_wrong_password_is_refused(broker: Running, stranger: Connect, user: str, password: str) -> None:
    assert stranger(broker.port, user, password).refused


def test_what_is_retained_survives_the_kill_of_the_bundled_broker(tmp_path: Path, stranger: Connect) -> None:
    port = free_port()
    prepare(tmp_path, arrangement(tmp_path), PASSWORDS)
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", nats.prepare(tmp_path, port))
        wait_until(lambda: listens(port), 15, "a listening broker")
        reader = stranger(port)
        reader.subscribe("noc/v1/#")
        stranger(port, "web", "web-password").publish("noc/v1/targets/router", b"kept", retain=True)
        reader.hear()
        processes.kill("broker")
        processes.restart("broker")
        wait_until(lambda: listens(port), 15, "a listening broker")
        again = stranger(port)
        again.subscribe("noc/v1/targets/+")
        assert again.hear() == ("noc/v1/targets/router", b"kept")


def test_files_of_a_broker_are_for_their_owner_alone_and_hold_no_password(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir(mode=0o700)
    prepare(tmp_path, arrangement(folder), PASSWORDS)
    nats.prepare(folder, 1)
    mosquitto.prepare(folder, 1)
    files = [file for file in folder.iterdir() if file.is_file()]
    assert {file.name for file in files} == {
        "nats.conf", "accounts.nats", "mosquitto.conf", "mosquitto.acl", "mosquitto.users", "revision", ".accounts.lock",
    }  # fmt: skip
    # The lock is empty, and in a folder of the owner's.
    assert {stat.S_IMODE(file.stat().st_mode) for file in files if file.stat().st_size} == {0o600}
    everything = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(password.encode() in text for password in PASSWORDS.values() for text in everything)


def test_who_is_no_longer_let_in_is_cut_off_at_once_and_nobody_else(broker: Running, stranger: Connect) -> None:
    """Removed, or with another password: both end a live connection too."""
    berlin, madrid = (stranger(broker.port, user, f"{user}-password") for user in ("berlin", "madrid"))
    web, anonymous = stranger(broker.port, "web", "web-password"), stranger(broker.port)
    assert anonymous.subscribe("noc/v1/#")
    changed = {user: password for user, password in PASSWORDS.items() if user != "berlin"} | {"madrid": "another"}
    broker.let_in({**changed, "oslo": "oslo-password"})
    wait_until(lambda: berlin.is_cut and madrid.is_cut, 20, "the end of both connections")
    for user, password in (("berlin", "berlin-password"), ("madrid", "madrid-password")):
        assert stranger(broker.port, user, password).refused
    stranger(broker.port, "madrid", "another").publish("noc/v1/results/madrid/router")
    assert anonymous.hear() == ("noc/v1/results/madrid/router", b"x")
    stranger(broker.port, "oslo", "oslo-password").publish("noc/v1/results/oslo/router")
    assert anonymous.hear() == ("noc/v1/results/oslo/router", b"x")
    web.publish("noc/v1/commands/oslo/check")
    assert anonymous.hear()[0] == "noc/v1/commands/oslo/check"
    assert not web.is_cut


def test_what_the_bundled_broker_keeps_for_a_subscriber_who_left_goes_after_a_while(tmp_path: Path) -> None:
    port, store = free_port(), tmp_path / "nats"
    config = tmp_path / "short.conf"
    prepare(tmp_path, arrangement(tmp_path), PASSWORDS)
    config.write_text(nats.settings(store, port, kept_s=5))
    program = nats.prepare(tmp_path, port)[0]
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", [program, "--config", config])
        wait_until(lambda: listens(port), 15, "a listening broker", seen=lambda: processes.logs)
        Leaver(port).leave()
        publish(port, count=100)
        soon = Leaver(port)
        wait_until(lambda: soon.received == 100, 10, "all that was kept", seen=lambda: soon.received)
        soon.leave()
        publish(port, count=100)
        wait_until(lambda: not subscriptions(store), 30, "the end of what is kept", seen=lambda: subscriptions(store))
        late = Leaver(port, is_clean=True)
        publish(port, count=1)
        wait_until(lambda: late.received, 10, "what is published now")
        assert late.received == 1
        late.leave()


def subscriptions(store: Path) -> list[str]:
    """What the bundled broker keeps messages for, by its files."""
    return [folder.name for folder in store.rglob("obs/*") if folder.parent.parent.name == "$MQTT_msgs"]


def test_what_mosquitto_keeps_for_a_subscriber_who_left_is_bounded(tmp_path: Path) -> None:
    port = free_port()
    prepare(tmp_path, arrangement(tmp_path), PASSWORDS)
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", mosquitto.prepare(tmp_path, port))
        wait_until(lambda: listens(port), 15, "a listening broker", seen=lambda: processes.logs)
        Leaver(port).leave()
        publish(port, count=120, size_bytes=900_000)
        late = Leaver(port)
        publish(port, count=1, topic="noc/v1/targets/last")
        wait_until(lambda: late.topics[-1:] == ["noc/v1/targets/last"], 30, "the last", seen=lambda: late.received)
        assert 10 < late.received < 80
        late.leave()


class Leaver:
    """A reader without a name that subscribes for good: what it misses is kept for it."""

    def __init__(self, port: int, *, is_clean: bool = False) -> None:
        self.topics: list[str] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="left", clean_session=is_clean)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda client, userdata, message: self.topics.append(message.topic)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("noc/v1/#", 1)
        assert subscribed.wait(10)

    @property
    def received(self) -> int:
        return len(self.topics)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def publish(port: int, count: int, size_bytes: int = 100, topic: str = "noc/v1/targets/router") -> None:
    """By the web service's user; returns when the broker has acknowledged all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("web", PASSWORDS["web"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    handed_over = [client.publish(topic, bytes(size_bytes), qos=1) for _ in range(count)]
    for one in handed_over:
        one.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
