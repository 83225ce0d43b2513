"""A bus inside one process, for tests: same checks, same bytes, no broker and no threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from noc_bus import topic_variables
from noc_bus.bus import Handler
from noc_bus.channels import DEFAULT_ROOT, Channel
from noc_bus.codec import decode, encode
from noc_bus.messages import Message

M = TypeVar("M", bound=Message)


class Hub:
    """The broker: what is retained, and who listens."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.listeners: list[tuple[Channel[Any], str, Handler[Any]]] = []

    def put(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self.sent.append((topic, payload))
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)
        for channel, wanted, handler in list(self.listeners):
            self.offer(channel, wanted, handler, topic, payload)

    def offer(self, channel: Channel[Any], wanted: str, handler: Handler[Any], topic: str, payload: bytes) -> None:
        variables = channel.match(DEFAULT_ROOT, topic)
        if variables is None or channel.filter(DEFAULT_ROOT, **_narrow(channel, wanted)) != wanted:
            return
        if any(part not in ("+", own) for part, own in zip(wanted.split("/"), topic.split("/"), strict=False)):
            return
        handler(decode(payload, channel.message) if payload else None, variables)

    def messages(self, channel: Channel[M]) -> list[M]:
        """Everything sent on a channel so far, cleared topics left out."""
        return [decode(p, channel.message) for t, p in self.sent if p and channel.match(DEFAULT_ROOT, t)]

    def now(self, channel: Channel[M]) -> list[M]:
        """What is retained on a channel."""
        return [decode(p, channel.message) for t, p in self.retained.items() if channel.match(DEFAULT_ROOT, t)]


class FakeBus:
    """One client of a Hub. Implements `noc_bus.bus.Bus`; it is connected from `start` on."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.connected = False
        self.counters: dict[str, int] = {}
        self._wanted: list[tuple[Channel[Any], str, Handler[Any]]] = []
        self._hooks: list[Callable[[], None]] = []
        self._lost_hooks: list[Callable[[], None]] = []

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        self._wanted.append((channel, channel.filter(DEFAULT_ROOT, **variables), handler))

    def when_connected(self, hook: Callable[[], None]) -> None:
        self._hooks.append(hook)

    def when_disconnected(self, hook: Callable[[], None]) -> None:
        self._lost_hooks.append(hook)

    def start(self) -> None:
        """Connect: retained messages arrive, then the hooks run."""
        self.connected = True
        self.hub.listeners += self._wanted
        for listener in self._wanted:
            for topic, payload in list(self.hub.retained.items()):
                self.hub.offer(*listener, topic, payload)
        for hook in self._hooks:
            hook()

    def stop(self) -> None:
        self.connected = False
        self.hub.listeners = [one for one in self.hub.listeners if one not in self._wanted]
        for hook in self._lost_hooks:
            hook()

    def publish(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._put(channel, message, variables, retain=channel.retained)

    def publish_once(self, channel: Channel[M], message: M, **variables: str) -> bool:
        return self._put(channel, message, variables, retain=False)

    def clear(self, channel: Channel[M], **variables: str) -> bool:
        if self.connected:
            self.hub.put(channel.address(DEFAULT_ROOT, **variables), b"", retain=True)
        return self.connected

    def _put(self, channel: Channel[Any], message: Message, given: dict[str, str], *, retain: bool) -> bool:
        topic = channel.address(DEFAULT_ROOT, **topic_variables.of_message(channel, message, given))
        if self.connected:
            self.hub.put(topic, encode(message), retain=retain)
        return self.connected


def _narrow(channel: Channel[Any], wanted: str) -> dict[str, str]:
    own = wanted.removeprefix(f"{DEFAULT_ROOT}/").split("/")
    return {
        name: value
        for part, value in zip(channel.topic.split("/"), own, strict=False)
        for name in channel.variables
        if part == f"{{{name}}}" and value != "+"
    }
