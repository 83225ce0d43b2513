"""The same bus three times: inside the process, over Mosquitto, over the bundled nats-server; with --long on a cluster of it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import paho.mqtt.publish
import pytest

from noc_bus.broker import Broker
from noc_bus.bus import Bus
from noc_bus.channels import Channel
from noc_bus.codec import encode
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Message
from noc_bus.session import Session
from tests.parts.brokers import Broker as BrokerProcess
from tests.parts.brokers import Mosquitto, Nats, NatsCluster
from tests.parts.waiting import wait_until

BROKERS: Final[dict[str, type[BrokerProcess]]] = {"mosquitto": Mosquitto, "nats": Nats}


class World:
    """A broker, and clients of it."""

    def client(self, name: str = "client", will: Any = None) -> Any:
        """A bus that is not started yet."""
        raise NotImplementedError

    def wipe(self) -> None:
        """The broker dies and comes back without anything it had retained."""
        raise NotImplementedError

    def put(self, channel: Channel[Any], message: Message | None, **variables: str) -> None:
        """Somebody retains a message, or clears the topic."""
        raise NotImplementedError

    def lose(self, channel: Channel[Any], **variables: str) -> None:
        """The broker has it no more, and no client of ours is told."""
        raise NotImplementedError

    def cut(self, bus: Any) -> None:
        """It loses its connection, and gets another one."""
        raise NotImplementedError

    @staticmethod
    def start(bus: Any) -> Any:
        bus.start()
        wait_until(lambda: bus.connected, 20, "a connection")
        return bus

    def until(self, condition: Callable[[], object], what: str, deadline_s: float = 15) -> None:
        wait_until(condition, deadline_s, what)


class FakeWorld(World):
    def __init__(self) -> None:
        self.hub = Hub()
        self.clients: list[FakeBus] = []

    def client(self, name: str = "client", will: Any = None) -> FakeBus:
        bus = FakeBus(self.hub, instance=f"{name}-{len(self.clients)}")
        self.clients.append(bus)
        return bus

    def wipe(self) -> None:
        connected = [one for one in self.clients if one.connected]
        for one in connected:
            one.stop()
        self.hub.retained.clear()
        for one in connected:
            one.start()

    def put(self, channel: Channel[Any], message: Message | None, **variables: str) -> None:
        payload = encode(message) if message else b""
        self.hub.put(channel.address("noc/v1", **variables), payload, retain=True)

    def lose(self, channel: Channel[Any], **variables: str) -> None:
        del self.hub.retained[channel.address("noc/v1", **variables)]

    def cut(self, bus: FakeBus) -> None:
        bus.stop()
        bus.start()

    def close(self) -> None:
        return


class Deaf(Session):
    """Does not hear that these topics are cleared."""

    deaf_to: frozenset[str] = frozenset()

    def _take(self, topic: str, payload: bytes, retained: bool) -> None:
        if payload or topic not in self.deaf_to:
            super()._take(topic, payload, retained)


class RealWorld(World):
    def __init__(self, process: BrokerProcess, wipe: Callable[[], None]) -> None:
        self.process = process
        self.clients: list[Deaf] = []
        self._wipe = wipe

    def client(self, name: str = "client", will: Any = None) -> Deaf:
        session = Deaf(Broker.parse(self.process.url()), name, will=will)
        self.clients.append(session)
        return session

    def wipe(self) -> None:
        self.process.kill()
        self._wipe()
        self.process.start()
        for one in self.clients:
            wait_until(lambda one=one: one.connected, 30, "a new connection")  # type: ignore[misc]

    def put(self, channel: Channel[Any], message: Message | None, **variables: str) -> None:
        payload = encode(message) if message else b""
        topic = channel.address("noc/v1", **variables)
        paho.mqtt.publish.single(topic, payload, 1, True, "127.0.0.1", self.process.port)

    def lose(self, channel: Channel[Any], **variables: str) -> None:
        topic = channel.address("noc/v1", **variables)
        for one in self.clients:
            one.deaf_to |= {topic}
        self.put(channel, None, **variables)

    def cut(self, bus: Deaf) -> None:
        assert bus._client is not None
        before = bus._client
        before.disconnect()
        wait_until(lambda: bus._client is not before and bus.connected, 20, "another connection")

    def close(self) -> None:
        for one in self.clients:
            one.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" in metafunc.fixturenames:
        kinds = ["fake", *BROKERS, *(["cluster"] if metafunc.config.getoption("--long") else [])]
        metafunc.parametrize("world", kinds, indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    kind: type[BrokerProcess] = {**BROKERS, "cluster": NatsCluster}[request.param]
    broker = kind(tmp_path / "broker")
    if isinstance(broker, Mosquitto):
        broker.is_durable = False
    with broker as process:

        def wipe() -> None:
            stored = [*process.folder.glob("mosquitto.db*"), *process.folder.glob("jetstream*/**/*")]
            for file in sorted(stored, reverse=True):
                if file.is_dir():
                    file.rmdir()
                else:
                    file.unlink()

        real = RealWorld(process, wipe)
        yield real
        real.close()


def handle(bus: Bus, channel: Channel[Any], into: list[Any]) -> None:
    bus.subscribe(channel, lambda message, variables: into.append((message, variables)))
