"""A bus inside one process, for tests: same checks, same bytes, no broker and no threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from noc_bus import topic_variables
from noc_bus.bus import Handler
from noc_bus.channels import DEFAULT_ROOT, Channel
from noc_bus.codec import decode, encode
from noc_bus.dispatcher import Dispatcher
from noc_bus.messages import Message

M = TypeVar("M", bound=Message)


class Hub:
    """The broker: what is retained, and who listens."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.clients: list[FakeBus] = []
        self.is_forgetful = False
        """What is published reaches those who listen, and is not kept: a cluster that nobody leads does so."""
        self.withheld: set[str] = set()
        """Topics that are left out where somebody asks what is retained: a node answers with what it could load in time."""
        self._numbers = itertools.count()

    def next_number(self) -> int:
        return next(self._numbers)

    def put(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self.sent.append((topic, payload))
        if self.is_forgetful:
            pass
        elif retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)
        for client in list(self.clients):
            client.receive(topic, payload, retained=False)

    def messages(self, channel: Channel[M]) -> list[M]:
        """Everything sent on a channel so far, cleared topics left out."""
        return [decode(p, channel.message) for t, p in self.sent if p and channel.match(DEFAULT_ROOT, t)]

    def now(self, channel: Channel[M]) -> list[M]:
        """What is retained on a channel."""
        return [decode(p, channel.message) for t, p in self.retained.items() if channel.match(DEFAULT_ROOT, t)]


class FakeBus:
    """One client of a Hub. Implements `noc_bus.bus.Bus`; it is connected from `start` on."""

    def __init__(self, hub: Hub, instance: str = "fake") -> None:
        self.hub = hub
        self.instance = instance
        self.connected = False
        self.own_address = ""
        self._muted_but: Channel[Any] | None = None
        self._dispatcher = Dispatcher(DEFAULT_ROOT)
        self._hooks: list[Callable[[], None]] = []
        self._lost_hooks: list[Callable[[], None]] = []

    @property
    def counters(self) -> dict[str, int]:
        return self._dispatcher.counters | {"messages_dropped_total": 0}

    @property
    def filters(self) -> list[str]:
        """What it has subscribed to."""
        return self._dispatcher.filters()

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self._dispatcher.subscribe(channel, handler, **variables)
        if self.connected:
            self.resubscribe(channel, **variables)

    def try_subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self.subscribe(channel, handler, **variables)

    def unsubscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self._dispatcher.unsubscribe(channel, handler, **variables)

    def resubscribe(self, channel: Channel[Any], **variables: str) -> None:
        if self.connected:
            self._dispatcher.resubscribed(channel)
            self._send_retained(channel.filter(DEFAULT_ROOT, **variables))

    def lost(self, channel: Channel[Any]) -> int:
        return 0

    def when_connected(self, hook: Callable[[], None]) -> None:
        self._hooks.append(hook)

    def when_disconnected(self, hook: Callable[[], None]) -> None:
        self._lost_hooks.append(hook)

    def start(self) -> None:
        """Connect: retained messages arrive, then the hooks run."""
        self.connected = True
        self.hub.clients.append(self)
        self._dispatcher.connected()
        for wanted in self._dispatcher.filters():
            self._send_retained(wanted)
        for hook in self._hooks:
            hook()

    def stop(self) -> None:
        self.connected = False
        if self in self.hub.clients:
            self.hub.clients.remove(self)
        for hook in self._lost_hooks:
            hook()

    def change_instance(self) -> None:
        self.instance = f"{self.instance}-{self.hub.next_number()}"
        self.stop()
        self.start()

    def receive(self, topic: str, payload: bytes, *, retained: bool) -> None:
        self._dispatcher.deliver(topic, payload, retained=retained)

    def publish(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._put(channel, message, variables, retain=channel.retained)

    def publish_once(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._put(channel, message, variables, retain=False)

    def clear(self, channel: Channel[M], **variables: str) -> bool:
        return self._hand_over(channel, channel.address(DEFAULT_ROOT, **variables), b"", retain=True)

    def mute(self, but: Channel[Any] | None) -> None:
        self._muted_but = but

    def _put(self, channel: Channel[Any], message: Message, given: dict[str, str], *, retain: bool) -> bool:
        topic = channel.address(DEFAULT_ROOT, **topic_variables.of_message(channel, message, given))
        return self._hand_over(channel, topic, encode(message), retain=retain)

    def _hand_over(self, channel: Channel[Any], topic: str, payload: bytes, *, retain: bool) -> bool:
        if not self.connected or self._muted_but not in (None, channel):
            return False
        self.hub.put(topic, payload, retain=retain)
        return True

    def _send_retained(self, wanted: str) -> None:
        for topic, payload in list(self.hub.retained.items()):
            if _matches(wanted, topic) and topic not in self.hub.withheld:
                self.receive(topic, payload, retained=True)


def _matches(wanted: str, topic: str) -> bool:
    parts, own = wanted.split("/"), topic.split("/")
    return len(parts) == len(own) and all(part in ("+", one) for part, one in zip(parts, own, strict=True))
