"""The MQTT session every service speaks through.

paho's network thread only puts raw bytes into a queue; a worker thread decodes them and calls the
handlers, so that no payload and no handler can stop the connection. What cannot be decoded is
counted, logged once per kind and dropped.
"""

from __future__ import annotations

import queue
import random
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from noc_bus import topic_variables
from noc_bus.broker import Broker
from noc_bus.bus import Handler
from noc_bus.channels import Channel
from noc_bus.codec import BadMessage, decode, encode
from noc_bus.messages import Message
from noc_frame import log
from noc_frame.process import RestartNeeded
from noc_frame.settings import SettingError

M = TypeVar("M", bound=Message)

KEEPALIVE_S: Final = 10
RETRY_S: Final = (0.5, 30.0)
# A refused user name does not get better by asking often: two attempts a minute.
REFUSED_RETRY_S: Final = 30.0
INBOX_MESSAGES: Final = 50_000

_log = log.get("noc.bus")


class SessionDied(RestartNeeded):
    """A thread of the session ended by itself: the process must end too, so that it is started again."""


@dataclass(frozen=True)
class _Subscription:
    channel: Channel[Any]
    handler: Handler[Any]
    filter: str


class Session:
    """A connection to the broker that heals itself. Implements `noc_bus.bus.Bus`."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        *,
        will: tuple[Channel[Any], Message] | None = None,
    ) -> None:
        """`will` is published, retained, by the broker when this client is lost.

        Raises SettingError where the broker's certificate authority cannot be read.
        """
        self.broker = broker
        self.counters = {"messages_refused_total": 0, "messages_dropped_total": 0, "messages_failed_total": 0}
        self.trouble: str | None = "not connected to the broker yet"
        self._client_id = client_id
        self._subscriptions: list[_Subscription] = []
        self._hooks: list[Callable[[], None]] = []
        self._lost_hooks: list[Callable[[], None]] = []
        self._inbox: queue.SimpleQueue[tuple[_Subscription, str, bytes] | Callable[[], None] | None] = (
            queue.SimpleQueue()
        )
        self._seen_kinds: set[tuple[str, str]] = set()
        self._unconfirmed: set[int] = set()
        self._heard_live: set[str] = set()
        self._connected = False
        self._stopping = False
        self._rng = random.Random()
        self._attempts = 0
        self._client = self._new_client(will)
        self._worker = threading.Thread(target=self._work, name=f"bus-worker-{client_id}", daemon=True)

    # -- before start

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self._subscriptions.append(_Subscription(channel, handler, channel.filter(self.broker.root, **variables)))

    def when_connected(self, hook: Callable[[], None]) -> None:
        self._hooks.append(hook)

    def when_disconnected(self, hook: Callable[[], None]) -> None:
        self._lost_hooks.append(hook)

    # -- life

    def start(self) -> None:
        """Begin connecting; returns at once. The broker need not be there yet."""
        for subscription in self._subscriptions:
            self._client.message_callback_add(subscription.filter, self._enqueue(subscription))
        self._worker.start()
        self._client.connect_async(self.broker.host, self.broker.port, KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye (the broker then does not publish the will) and end both threads."""
        self._stopping = True
        self._client.disconnect()
        self._client.loop_stop()
        self._inbox.put(None)
        if self._worker.is_alive():
            self._worker.join(timeout=5)

    def check(self) -> None:
        """Raises SessionDied when a thread of the session has ended by itself. Call it once a second."""
        if self._stopping:
            return
        if not self._worker.is_alive():
            raise SessionDied("the worker thread of the MQTT session has ended")
        if not any(thread.name == f"paho-mqtt-client-{self._client_id}" for thread in threading.enumerate()):
            raise SessionDied("the network thread of the MQTT session has ended")

    @property
    def connected(self) -> bool:
        """True once the broker has confirmed every subscription of this connection."""
        return self._connected

    # -- speaking

    def publish(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._send(channel, message, variables, retain=channel.retained)

    def publish_once(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._send(channel, message, variables, retain=False)

    def clear(self, channel: Channel[M], **variables: str) -> bool:
        if not self._connected:
            return False
        self._client.publish(channel.address(self.broker.root, **variables), b"", qos=1, retain=True)
        return True

    def _send(self, channel: Channel[Any], message: Message, given: dict[str, str], *, retain: bool) -> bool:
        topic = channel.address(self.broker.root, **topic_variables.of_message(channel, message, given))
        payload = encode(message)
        if not self._connected:
            return False
        # 3.1.1 brokers acknowledge even what they drop, so only the hand-over can be told here.
        return self._client.publish(topic, payload, qos=channel.qos, retain=retain).rc == mqtt.MQTT_ERR_SUCCESS

    # -- the network thread: enqueue and nothing else

    def _new_client(self, will: tuple[Channel[Any], Message] | None) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=mqtt.MQTTv311)
        client.suppress_exceptions = True
        client.max_inflight_messages_set(200)
        if self.broker.user:
            client.username_pw_set(self.broker.user, self.broker.password)
        if self.broker.tls:
            client.tls_set_context(_tls_context(self.broker.ca))
        if will:
            channel, message = will
            topic = channel.address(self.broker.root, **topic_variables.of_message(channel, message, {}))
            client.will_set(topic, encode(message), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        return client

    def _enqueue(self, subscription: _Subscription) -> Callable[[mqtt.Client, Any, mqtt.MQTTMessage], None]:
        def callback(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
            if subscription.channel.retained and not self._is_latest(message):
                return
            # What is retained says how things are and must not be lost; what merely happened is replayed.
            if not subscription.channel.retained and self._inbox.qsize() > INBOX_MESSAGES:
                self.counters["messages_dropped_total"] += 1
                return
            self._inbox.put((subscription, message.topic, bytes(message.payload)))

        return callback

    def _is_latest(self, message: mqtt.MQTTMessage) -> bool:
        """A broker may hand out what it retained after what replaced it: nats-server does to who has just subscribed."""
        if not message.retain:
            self._heard_live.add(message.topic)
        return not message.retain or message.topic not in self._heard_live

    def _on_connect(
        self, client: mqtt.Client, userdata: Any, flags: mqtt.ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            self._set_trouble(
                f"the broker {self.broker} refused us: {str(code).lower()}; check the user name and password in NOC_MQTT_URL"
            )
            client.reconnect_delay_set(REFUSED_RETRY_S, REFUSED_RETRY_S)  # type: ignore[arg-type]  # floats work
            return
        self._attempts = 0
        self._heard_live.clear()
        if not self._subscriptions:
            self._confirmed()
            return
        filters = sorted({subscription.filter for subscription in self._subscriptions})
        qos: dict[str, int] = {s.filter: s.channel.qos for s in self._subscriptions}
        for start in range(0, len(filters), 20):
            _, mid = client.subscribe([(f, qos[f]) for f in filters[start : start + 20]])
            if mid is not None:
                self._unconfirmed.add(mid)

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        self._unconfirmed.discard(mid)
        if any(code.is_failure for code in codes):
            self._set_trouble(f"the broker {self.broker} does not let us read every topic; check its permissions")
            return
        if not self._unconfirmed:
            self._confirmed()

    def _confirmed(self) -> None:
        self._connected = True
        self._set_trouble(None)
        for hook in self._hooks:
            self._inbox.put(hook)

    def _on_connect_fail(self, client: mqtt.Client, userdata: Any) -> None:
        # paho calls this while it handles the error, and hands it to nobody.
        error = sys.exc_info()[1]
        reason = f": {getattr(error, 'strerror', None) or error}" if error else ""
        self._set_trouble(f"the broker {self.broker} cannot be reached{reason}")
        self._back_off()

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: mqtt.DisconnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        self._connected = False
        self._unconfirmed.clear()
        for hook in self._lost_hooks:
            self._inbox.put(hook)
        # A refusal is already told, and more exactly, by _on_connect.
        if not self._stopping and code.is_failure and self.trouble is None:
            self._set_trouble(f"the connection to the broker {self.broker} was lost: {str(code).lower()}")
            self._back_off()

    def _back_off(self) -> None:
        """Full jitter: many clients that lost one broker must not come back in step."""
        self._attempts += 1
        low, high = RETRY_S
        delay = self._rng.uniform(low, min(high, low * 2**self._attempts))
        self._client.reconnect_delay_set(delay, delay)  # type: ignore[arg-type]  # floats work

    def _set_trouble(self, trouble: str | None) -> None:
        if trouble == self.trouble:
            return
        if trouble:
            _log.warning(trouble)
        else:
            _log.info(f"connected to the broker {self.broker}")
        self.trouble = trouble

    # -- the worker thread: decode, check, call

    def _work(self) -> None:
        while (item := self._inbox.get()) is not None:
            try:
                if callable(item):
                    item()
                else:
                    self._deliver(*item)
            except Exception:  # noqa: BLE001  # handlers are not ours to know
                # One poisonous item must not end the service; it is told in full, and counted.
                self.counters["messages_failed_total"] += 1
                _log.exception("a handler failed")

    def _deliver(self, subscription: _Subscription, topic: str, payload: bytes) -> None:
        channel = subscription.channel
        variables = channel.match(self.broker.root, topic)
        if variables is None:
            self._refuse(channel, topic, "the topic holds something that is not a slug")
            return
        if not payload and channel.retained:
            subscription.handler(None, variables)
            return
        try:
            message = decode(payload, channel.message)
        except BadMessage as error:
            self._refuse(channel, topic, str(error))
            return
        if problem := topic_variables.contradiction(message, variables):
            self._refuse(channel, topic, problem)
            return
        subscription.handler(message, variables)

    def _refuse(self, channel: Channel[Any], topic: str, problem: str) -> None:
        self.counters["messages_refused_total"] += 1
        kind = (channel.name, problem.partition(" - at ")[0][:60])
        if kind not in self._seen_kinds and len(self._seen_kinds) < 1000:
            self._seen_kinds.add(kind)
            _log.warning(
                f"dropped a message that is not a {channel.message.__name__}: {problem[:300]}; "
                "more of this kind are only counted",
                topic=topic[:200],
            )


def _tls_context(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise SettingError(
            f"NOC_MQTT_URL: {ca} cannot be read as certificates ({error.strerror or error}); "
            "name a readable PEM file after ?ca="
        ) from None
