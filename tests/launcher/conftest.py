"""Runs the `noc` command as a process, and speaks MQTT as a stranger would."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.parts.up import clean_environment

Noc = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def noc(tmp_path: Path) -> Noc:
    """`noc(*words, piped="", **settings)`: the command to its end, in an empty home."""

    def run(*words: str, piped: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "noc_launcher", *words],
            env=clean_environment(tmp_path) | settings,
            cwd=tmp_path,
            input=piped,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


class Stranger:
    """An MQTT client that nobody here has written: connects, subscribes, publishes, and keeps what it hears."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.refused: str | None = None
        self.granted: list[bool] = []
        self.is_cut = False
        self._connected, self._subscribed = threading.Event(), threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.on_message = lambda client, userdata, message: self.heard.put(
            (message.topic, bytes(message.payload))
        )
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = lambda *_: setattr(self, "is_cut", True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._connected.wait(10), "no answer from the broker"

    def subscribe(self, wanted: str) -> bool:
        self._subscribed.clear()
        self._client.subscribe(wanted, 1)
        assert self._subscribed.wait(10), "no answer to the subscription"
        return all(self.granted)

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
        """Returns when it has been sent. Mosquitto throws out who sends what it may not: use another client then."""
        self._client.publish(topic, payload, qos=0, retain=retain).wait_for_publish(10)

    def hear(self, deadline_s: float = 5) -> tuple[str, bytes]:
        return self.heard.get(timeout=deadline_s)

    def hear_on(self, topic: str, deadline_s: float = 5) -> bytes:
        """The next message on one topic, whatever comes before it on others."""
        end_s = time.monotonic() + deadline_s
        while (heard := self.hear(max(0.01, end_s - time.monotonic())))[0] != topic:
            continue
        return heard[1]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self.refused = str(code) if code.is_failure else None
        self._connected.set()

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: Any, properties: Any) -> None:
        self.granted = [not code.is_failure for code in codes]
        self._subscribed.set()


@pytest.fixture
def stranger() -> Iterator[Callable[..., Stranger]]:
    """`stranger(port, user, password)`: a connected client, closed at the end."""
    clients: list[Stranger] = []

    def connect(port: int, user: str | None = None, password: str | None = None) -> Stranger:
        clients.append(Stranger(port, user, password))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
