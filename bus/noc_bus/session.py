"""The MQTT session every service speaks through.

One thread keeps a connection; paho's network thread only puts raw bytes into the inbox; a worker
thread decodes them and calls the handlers, so that no payload and no handler can stop the connection.
A connection that is lost takes with it what was on its way: what counts is said again by its owner.
"""

from __future__ import annotations

import errno
import itertools
import math
import random
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from noc_bus import read_ahead, topic_variables
from noc_bus.broker import Broker
from noc_bus.bus import Handler
from noc_bus.channels import READ_AT_QOS, Channel
from noc_bus.codec import encode
from noc_bus.dispatcher import Dispatcher
from noc_bus.inbox import INBOX_MESSAGES, Arrived, Inbox
from noc_bus.messages import Message
from noc_bus.time import Time
from noc_bus.tls import tls_context, why_refused, why_unreachable
from noc_frame import log
from noc_frame.backoff import Backoff
from noc_frame.process import RestartNeeded
from noc_frame.settings import SettingError

M = TypeVar("M", bound=Message)

KEEPALIVE_S: Final = 10
RETRY_S: Final = (0.5, 10.0)
# A refused user name does not get better by asking often: two attempts a minute.
REFUSED_RETRY_S: Final = 30.0
# Where a broker has other addresses, one is left after a while that is reached and says nothing: a node of a cluster
# keeps who asks while the others choose who leads, and what it was asked before they have is never answered.
ANSWER_S: Final = 2.5
# All who lost one address do not come to the next in step.
_NEXT_ADDRESS_S: Final = (0.05, 0.5)
# A broker that is slow is not left again and again by everybody before it could answer.
_ROUNDS_IN_HASTE: Final = 3
_FILTERS_AT_ONCE: Final = 20
_LOOK_S: Final = 0.05

_log = log.get("noc.bus")


class SessionDied(RestartNeeded):
    """A thread of the session ended by itself: the process must end too, so that it is started again."""


class Session:
    """A connection to the broker that heals itself. Implements `noc_bus.bus.Bus`."""

    def __init__(
        self,
        broker: Broker,
        name: str,
        *,
        will: Callable[[str], tuple[Channel[Any], Message]] | None = None,
        inbox_messages: int = INBOX_MESSAGES,
    ) -> None:
        """`will` makes, from our instance, what the broker publishes, retained, when this client is lost.

        The client id is `name` and the instance, so that nobody who knows a service's name can take its
        connection. Raises SettingError where the broker's certificate authority cannot be read.
        """
        self.broker = broker
        """At the address that is tried now."""
        self._further = itertools.cycle((*broker.others, broker))
        self._answered = False
        self._addresses, self._tries = 1 + len(broker.others), 0
        self._unanswered = self._left = 0
        self._ended_unanswered = ""
        self.is_not_taken = False
        """The broker has ended a handshake for what we show of ourselves, or lack."""
        self.instance = secrets.token_hex(4)
        self.trouble: str | None = "not connected to the broker yet"
        self._name = name
        self._client_id = ""
        self._make_will = will
        self._dispatcher = Dispatcher(broker.root)
        self._inbox = Inbox(inbox_messages)
        self._hooks: list[Callable[[], None]] = []
        self._lost_hooks: list[Callable[[], None]] = []
        self._backoff = Backoff(*RETRY_S)
        self._stopping = threading.Event()
        self._client: mqtt.Client | None = None
        self._over = threading.Event()
        # By message, the filters that the broker has not answered yet; it may answer before the call has returned.
        self._unconfirmed: dict[int, list[str]] = {}
        self._asking = threading.Lock()
        self._connected = False
        self._refused = False
        self._muted_but: Channel[Any] | None = None
        if broker.tls:
            # A file that cannot be read now is a wrong setting; later it is trouble that may pass.
            tls_context(broker)
        self._worker = threading.Thread(target=self._work, name=f"bus-worker-{name}", daemon=True)
        self._keeper = threading.Thread(target=self._keep_connected, name=f"bus-keeper-{name}", daemon=True)

    @property
    def counters(self) -> dict[str, int]:
        return self._dispatcher.counters | {"messages_dropped_total": self._inbox.dropped + self._inbox.lost.total()}

    # -- subscriptions

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self._dispatcher.subscribe(channel, handler, **variables)
        self.resubscribe(channel, **variables)

    def try_subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self._dispatcher.try_subscribe(channel, handler, **variables)
        self.resubscribe(channel, **variables)

    def unsubscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        unwanted = self._dispatcher.unsubscribe(channel, handler, **variables)
        client = self._client
        if unwanted and client and self._connected:
            client.unsubscribe(unwanted)

    def resubscribe(self, channel: Channel[Any], **variables: str) -> None:
        client = self._client
        if client and self._connected:
            self._inbox.call(lambda: self._dispatcher.resubscribed(channel))
            self._ask(client, [channel.filter(self.broker.root, **variables)])

    def lost(self, channel: Channel[Any]) -> int:
        return self._inbox.lost[channel.name]

    def when_connected(self, hook: Callable[[], None]) -> None:
        self._hooks.append(hook)

    def when_disconnected(self, hook: Callable[[], None]) -> None:
        self._lost_hooks.append(hook)

    # -- life

    def start(self) -> None:
        """Begin connecting; returns at once. The broker need not be there yet."""
        self._worker.start()
        self._keeper.start()

    def stop(self) -> None:
        """Say goodbye (the broker then does not publish the will) and end all threads."""
        self._stopping.set()
        if client := self._client:
            client.disconnect()
        for thread in (self._keeper, self._worker):
            if thread is self._worker:
                self._inbox.close()
            if thread.is_alive():
                thread.join(timeout=5)

    def check(self) -> None:
        """Raises SessionDied when a thread of the session has ended by itself. Call it once a second."""
        if self._stopping.is_set():
            return
        if not self._worker.is_alive():
            raise SessionDied("the worker thread of the MQTT session has ended")
        if not self._keeper.is_alive():
            raise SessionDied("the connecting thread of the MQTT session has ended")

    @property
    def connected(self) -> bool:
        """True once the broker has confirmed every subscription of this connection."""
        return self._connected

    def change_instance(self) -> None:
        self.instance = secrets.token_hex(4)
        if client := self._client:
            client.disconnect()

    def connects_within(self, seconds: float) -> bool:
        """Wait until it is connected, or every address of the broker has been tried once in vain; then `trouble` says why."""
        end_s = time.monotonic() + seconds
        while not self._connected and self._tries < self._addresses and time.monotonic() < end_s:
            time.sleep(_LOOK_S)
        return self._connected

    @property
    def own_address(self) -> str:
        client = self._client
        sock = client.socket() if client else None
        try:
            return sock.own_address if isinstance(sock, read_ahead.Socket) else ""
        except OSError:
            return ""

    # -- speaking

    def publish(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._send(channel, message, variables, retain=channel.retained)

    def publish_once(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._send(channel, message, variables, retain=False)

    def clear(self, channel: Channel[M], **variables: str) -> bool:
        topic = channel.address(self.broker.root, **variables)
        return self._hand_over(channel, topic, b"", qos=1, retain=True)

    def mute(self, but: Channel[Any] | None) -> None:
        self._muted_but = but

    def _send(self, channel: Channel[Any], message: Message, given: dict[str, str], *, retain: bool) -> bool:
        topic = channel.address(self.broker.root, **topic_variables.of_message(channel, message, given))
        return self._hand_over(channel, topic, encode(message), qos=channel.qos, retain=retain)

    def _hand_over(self, channel: Channel[Any], topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        client = self._client
        if client is None or not self._connected or self._muted_but not in (None, channel):
            return False
        # 3.1.1 brokers acknowledge even what they drop, so only the hand-over can be told here.
        return client.publish(topic, payload, qos=qos, retain=retain).rc == mqtt.MQTT_ERR_SUCCESS

    # -- the keeper's thread: one client for each connection

    def _keep_connected(self) -> None:
        while not self._stopping.is_set():
            self._refused = self._answered = False
            self._ended_unanswered = ""
            self._connect()
            self._tries += 1
            if self._answered:
                self._unanswered = 0
            else:
                self._unanswered += 1
                self.broker = next(self._further)
            self._stopping.wait(self._pause_s())

    def _pause_s(self) -> float:
        """Before the next try: long only once no address has answered."""
        if self._refused:
            return REFUSED_RETRY_S
        if self._unanswered % self._addresses:
            return random.uniform(*_NEXT_ADDRESS_S)
        return self._backoff.next_s()

    def _patience_s(self) -> float:
        """How long the address that is tried now may take to answer."""
        if self._addresses == 1:
            return math.inf
        return ANSWER_S * (1 + self._unanswered // self._addresses // _ROUNDS_IN_HASTE)

    def _connect(self) -> None:
        """One connection, from its start to its end."""
        self._over.clear()
        try:
            client = self._new_client()
            client.connect(self.broker.host, self.broker.port, KEEPALIVE_S)
        except SettingError as error:
            self._set_trouble(str(error))
            return
        except OSError as error:
            # Nobody listens there: who would refuse what we show of ourselves?
            may_be_refused = isinstance(error, (ssl.SSLError, ConnectionError)) and error.errno != errno.ECONNREFUSED
            if not (may_be_refused and self._is_not_taken()):
                self._set_trouble(f"the broker {self.broker} cannot be reached: {why_unreachable(error, self.broker)}")
            return
        self._client = client
        if self._stopping.is_set():
            client.disconnect()
            return
        client.loop_start()
        begun_s = time.monotonic()
        leave_s = begun_s + self._patience_s()
        while not self._over.wait(1.0 if self._answered else max(0.0, min(1.0, leave_s - time.monotonic()))):
            if not self._answered and time.monotonic() >= leave_s:
                self._set_trouble(f"the broker {self.broker} does not answer")
                self._left += 1
                client.disconnect()
                self._over.wait(1.0)
                break
            if not any(thread.name == f"paho-mqtt-client-{self._client_id}" for thread in threading.enumerate()):
                self._set_trouble(f"the connection to the broker {self.broker} was lost: its thread has ended")
                break
        client.loop_stop()
        self._client = None
        self._connection_ended()
        # A refusal comes at once.
        may_be_refused = time.monotonic() - begun_s < ANSWER_S
        if self._ended_unanswered and not (may_be_refused and self._is_not_taken()):
            self._set_trouble(self._ended_unanswered)

    def _is_not_taken(self) -> bool:
        """Whether the broker ends our handshakes for what we show of ourselves; then that is our trouble."""
        why = why_refused(self.broker)
        self.is_not_taken = why is not None
        if why:
            self._set_trouble(f"the broker {self.broker} cannot be reached: {why}")
        return self.is_not_taken

    def _new_client(self) -> mqtt.Client:
        # A node that was left may answer all the same, and a cluster ends what another node has by that name.
        self._client_id = f"{self._name}-{self.instance}" + (f"-{self._left}" if self._left else "")
        client = read_ahead.Client(self._take, self._client_id, "tcp" if self.broker.path is None else "websockets")
        client.suppress_exceptions = True
        client.max_inflight_messages_set(200)
        if self.broker.user:
            client.username_pw_set(self.broker.user, self.broker.password)
        if self.broker.path is not None:
            client.ws_set_options(path=self.broker.path)
        if self.broker.tls:
            # Made for each connection: a renewed file counts from the next one on.
            client.tls_set_context(tls_context(self.broker))
        if self._make_will:
            channel, message = self._make_will(self.instance)
            topic = channel.address(self.broker.root, **topic_variables.of_message(channel, message, {}))
            client.will_set(topic, encode(message), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _connection_ended(self) -> None:
        was_connected, self._connected = self._connected, False
        self._unconfirmed.clear()
        if was_connected:
            self._inbox.call(lambda: self._run_all(self._lost_hooks))

    # -- paho's network thread: enqueue and nothing else

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._take(message.topic, bytes(message.payload), message.retain)

    def _take(self, topic: str, payload: bytes, retained: bool) -> None:
        channel = self._dispatcher.channel_of(topic)
        if channel is not None:
            self._inbox.put(Arrived(topic, payload, retained), channel.name, is_kept=channel.retained)

    def _on_connect(
        self, client: mqtt.Client, userdata: Any, flags: mqtt.ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        self._answered = True
        if code.is_failure:
            self._refused = True
            self._set_trouble(
                f"the broker {self.broker} refused us: {str(code).lower()}; {_whom_it_lets_in(self.broker)}"
            )
            return
        self._backoff.reset()
        self._inbox.call(self._dispatcher.connected)
        filters = self._dispatcher.filters()
        if not filters:
            self._confirmed()
            return
        for start in range(0, len(filters), _FILTERS_AT_ONCE):
            self._ask(client, filters[start : start + _FILTERS_AT_ONCE])

    def _ask(self, client: mqtt.Client, filters: list[str]) -> None:
        with self._asking:
            _, mid = client.subscribe([(one, READ_AT_QOS) for one in filters])
            if mid is not None:
                self._unconfirmed[mid] = filters

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        with self._asking:
            asked = self._unconfirmed.pop(mid, [])
        refused = {one for one, code in zip(asked, codes, strict=False) if code.is_failure}
        if refused & self._dispatcher.needed():
            self._set_trouble(f"the broker {self.broker} does not let us read every topic; check its permissions")
            return
        if not self._unconfirmed and not self._connected:
            self._confirmed()

    def _confirmed(self) -> None:
        self._connected = True
        self._set_trouble(None)
        self._inbox.call(lambda: self._run_all(self._hooks))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: mqtt.DisconnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        # A refusal is already told, and more exactly, by _on_connect.
        if not self._stopping.is_set() and code.is_failure and not self._refused:
            lost = f"the connection to the broker {self.broker} was lost: {str(code).lower()}"
            if self._answered:
                self._set_trouble(lost)
            else:
                self._ended_unanswered = lost
        self._over.set()

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
            if isinstance(item, Arrived):
                self._dispatcher.deliver(item.topic, item.payload, retained=item.retained)
            else:
                self._dispatcher.call(item)

    def _run_all(self, hooks: list[Callable[[], None]]) -> None:
        for hook in hooks:
            self._dispatcher.call(hook)


def _whom_it_lets_in(broker: Broker) -> str:
    if broker.joined is None:
        return "check the user name and password in NOC_MQTT_URL"
    # A broker says to everybody whom it refuses that it does, and never why; what is left is the token's own date.
    token, cure = f"the token of the site {broker.joined}", f"get another one with `noc site rotate {broker.joined}`"
    if not broker.first_use_until:
        return f"{token} was replaced, disabled or removed there, or not used in time: {cure}"
    if Time.now() < broker.first_use_until:
        return f"{token} was replaced, disabled or removed there, for it has not expired: {cure}"
    return (
        f"{token} has expired if it was not used in its first days, or was replaced, disabled or removed there: {cure}"
    )
