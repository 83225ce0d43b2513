"""Whether a broker serves is asked as a client asks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from noc_launcher.brokers import probe
from tests.parts.brokers import Broker
from tests.parts.ports import free_port


@pytest.mark.parametrize("kind", ["mosquitto", "nats"])
def test_a_broker_that_serves_has_no_trouble_and_none_that_is_gone_serves(
    kind: str, request: pytest.FixtureRequest
) -> None:
    broker: Broker = request.getfixturevalue(kind)
    assert probe.trouble(broker.port) is None
    broker.kill()
    assert probe.trouble(broker.port) == "it cannot be connected to: Connection refused"


def _close(connection: socket.socket) -> None:
    connection.recv(100)


def _refuse(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"\x20\x02\x00\x03")


def _talk(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")


def _say_nothing(connection: socket.socket) -> None:
    while connection.recv(100):
        continue


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (_close, "it closes connections"),
        (_refuse, "it refuses connections: unavailable"),
        (_talk, "it answers something else than MQTT"),
        (_say_nothing, "it does not answer within 3 s"),
    ],
)
def test_what_listens_and_does_not_serve_is_told_apart(answer: Callable[[socket.socket], None], why: str) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        assert probe.trouble(port) == why
        thread.join()
