"""A plain MQTT client for tests of the broker: what it hears it keeps, and it may vanish without a goodbye."""

from __future__ import annotations

import threading
from typing import Any, Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.parts.brokers import Mosquitto
from tests.parts.waiting import wait_until

ANSWER_S: Final = 10.0


class Client:
    """A context manager. `refused`: why the broker did not let it in, None where it did."""

    def __init__(
        self, broker: Mosquitto, user: str | None, *, password: str | None = None, will: str | None = None
    ) -> None:
        self.heard: dict[str, bytes] = {}
        self.order: list[str] = []
        self.refused: str | None = None
        self._broker = broker
        self._answered, self._subscribed = threading.Event(), threading.Event()
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        if user:
            self._mqtt.username_pw_set(user, password or broker.passwords[user])
        if will:
            self._mqtt.will_set(will, b"will", qos=1, retain=True)
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = lambda *_: self._subscribed.set()
        self._mqtt.on_message = self._on_message

    def __enter__(self) -> Self:
        self._mqtt.connect("127.0.0.1", self._broker.port, keepalive=10)
        self._mqtt.loop_start()
        assert self._answered.wait(ANSWER_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False, is_awaited: bool = True) -> None:
        """Returns when the broker has acknowledged it, which it does for what it drops too."""
        handed_over = self._mqtt.publish(topic, payload, qos=1, retain=retain)
        if is_awaited:
            handed_over.wait_for_publish(ANSWER_S)
            assert handed_over.is_published()

    def subscribe(self, topics: str) -> None:
        self._subscribed.clear()
        self._mqtt.subscribe(topics, qos=1)
        assert self._subscribed.wait(ANSWER_S)

    def wait_for(self, topic: str) -> bytes:
        wait_until(lambda: topic in self.heard, ANSWER_S, f"a message on {topic}", seen=lambda: self.order[-20:])
        return self.heard[topic]

    def vanish(self) -> None:
        """Cut the line, so that the broker publishes the will."""
        self._mqtt.loop_stop()
        sock = self._mqtt.socket()
        assert sock
        sock.close()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            self.refused = str(code)
            client.disconnect()
        self._answered.set()

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self.heard[message.topic] = bytes(message.payload)
        self.order.append(message.topic)
