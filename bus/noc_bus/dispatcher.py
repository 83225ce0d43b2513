"""Who is called for which topic: the one table behind every bus, a broker's or a test's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from noc_bus import topic_variables
from noc_bus.bus import Handler
from noc_bus.channels import CHANNELS, Channel
from noc_bus.codec import BadMessage, decode
from noc_bus.messages import Message
from noc_frame import log

M = TypeVar("M", bound=Message)

_KINDS: Final = 1000
# For so long after a subscription a broker may still send what it had retained.
_RETAINED_COME_S: Final = 60.0
# Channels are told apart by the first word of their topics, so that a message costs one look-up.
_BY_WORD: Final[dict[str, Channel[Any]]] = {channel.topic.partition("/")[0]: channel for channel in CHANNELS}

_log = log.get("noc.bus")


@dataclass(frozen=True)
class Subscription:
    channel: Channel[Any]
    handler: Handler[Any]
    filter: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class _Live:
    """What was last heard of a topic as it happened: the number it had, and whether it is gone."""

    rev: int | None
    is_gone: bool


class Dispatcher:
    """Every handler of a topic is called, whatever another one does. `deliver` belongs to one thread."""

    def __init__(self, root: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.counters = {"messages_refused_total": 0, "messages_failed_total": 0}
        self._root = root
        self._lock = threading.Lock()
        # By channel, what they are narrowed by, and to what: a service may have one for each of many sites.
        self._subscriptions: dict[str, dict[tuple[str, ...], dict[tuple[str, ...], tuple[Subscription, ...]]]] = {}
        self._seen_kinds: set[tuple[str, str]] = set()
        self._clock = clock
        self._live: dict[str, _Live] = {}
        self._retained_come_until_s = 0.0

    # -- from any thread

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> Subscription:
        return self._add(channel, handler, variables, is_optional=False)

    def try_subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> Subscription:
        """The same where the broker may refuse it."""
        return self._add(channel, handler, variables, is_optional=True)

    def _add(
        self, channel: Channel[M], handler: Handler[M], variables: dict[str, str], *, is_optional: bool
    ) -> Subscription:
        added = Subscription(channel, handler, channel.filter(self._root, **variables), is_optional)
        names, values = _narrowed(variables)
        with self._lock:
            alike = self._subscriptions.setdefault(channel.name, {}).setdefault(names, {})
            alike[values] = (*alike.get(values, ()), added)
        return added

    def unsubscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> str | None:
        """The filter that nobody wants any more; None where somebody still does."""
        names, values = _narrowed(variables)
        with self._lock:
            alike = self._subscriptions.get(channel.name, {}).get(names, {})
            mine = alike.pop(values, ())
            if left := tuple(one for one in mine if one.handler != handler):
                alike[values] = left
        return channel.filter(self._root, **variables) if mine and not left else None

    def filters(self) -> list[str]:
        """What to subscribe to, in the table's order: definitions before what names them."""
        with self._lock:
            order = {one.filter: CHANNELS.index(one.channel) for one in self._all()}
        return sorted(order, key=lambda name: (order[name], name))

    def needed(self) -> set[str]:
        """The filters without which somebody cannot do its work."""
        with self._lock:
            return {one.filter for one in self._all() if not one.is_optional}

    def _all(self) -> Iterator[Subscription]:
        """Under the lock."""
        for of_channel in self._subscriptions.values():
            for alike in of_channel.values():
                for many in alike.values():
                    yield from many

    def channel_of(self, topic: str) -> Channel[Any] | None:
        """The channel a topic belongs to, by its first word."""
        if not topic.startswith(f"{self._root}/"):
            return None
        return _BY_WORD.get(topic[len(self._root) + 1 :].partition("/")[0])

    # -- from the thread that delivers

    def connected(self) -> None:
        """A new connection: what it brings as retained is news again."""
        self._live.clear()
        self._retained_come_until_s = self._clock() + _RETAINED_COME_S

    def resubscribed(self, channel: Channel[Any]) -> None:
        """What is retained on a channel comes again: copies without a number cannot be told from old ones, so they count."""
        self._retained_come_until_s = self._clock() + _RETAINED_COME_S
        unnumbered = [
            topic for topic, live in self._live.items() if live.rev is None and self.channel_of(topic) is channel
        ]
        for topic in unnumbered:
            del self._live[topic]

    def deliver(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Decode one message and call whoever wants it. `retained`: a stored copy, sent to a new subscription."""
        channel = self.channel_of(topic)
        if channel is None:
            return
        variables = channel.match(self._root, topic)
        if variables is None:
            self._refuse(channel, topic, "the topic holds something that is not a slug")
            return
        wanting = self._wanting(channel, variables)
        if not wanting:
            return
        message = None
        if payload or not channel.retained:
            try:
                message = decode(payload, channel.message)
            except BadMessage as error:
                self._refuse(channel, topic, str(error))
                return
            if problem := topic_variables.contradiction(message, variables):
                self._refuse(channel, topic, problem)
                return
        if channel.retained and not self._is_newest(topic, message, retained=retained):
            return
        for one in wanting:
            self.call(lambda one=one: one.handler(message, variables))  # type: ignore[misc]  # bound at once

    def _wanting(self, channel: Channel[Any], variables: dict[str, str]) -> list[Subscription]:
        with self._lock:
            return [
                one
                for names, alike in self._subscriptions.get(channel.name, {}).items()
                for one in alike.get(tuple([variables[name] for name in names]), ())
            ]

    def call(self, hook: Callable[[], None]) -> None:
        """Run one piece of somebody's code. One poisonous item must not end the service; it is told in full, and counted."""
        try:
            hook()
        except Exception:  # noqa: BLE001  # handlers are not ours to know
            self.counters["messages_failed_total"] += 1
            _log.exception("a handler failed")

    def _is_newest(self, topic: str, message: Any, *, retained: bool) -> bool:
        """A broker may hand out what it retained after what replaced it: nats-server does to who has just subscribed."""
        if self._clock() > self._retained_come_until_s:
            self._live.clear()
            return True
        rev = getattr(message, "rev", None)
        live = self._live.get(topic)
        if not retained:
            gone_rev = live.rev if live else None
            self._live[topic] = _Live(gone_rev, is_gone=True) if message is None else _Live(rev, is_gone=False)
            return True
        if live is None:
            return True
        if rev is None or live.rev is None:
            return False
        return bool(rev > live.rev) if live.is_gone else bool(rev >= live.rev)

    def _refuse(self, channel: Channel[Any], topic: str, problem: str) -> None:
        self.counters["messages_refused_total"] += 1
        kind = (channel.name, problem.partition(" - at ")[0][:60])
        if kind not in self._seen_kinds and len(self._seen_kinds) < _KINDS:
            self._seen_kinds.add(kind)
            _log.warning(
                f"dropped a message that is not a {channel.message.__name__}: {problem[:300]}; "
                "more of this kind are only counted",
                extra=log.values(topic=topic[:200]),
            )


def _narrowed(variables: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it is narrowed by, in one order, and to what."""
    names = tuple(sorted(variables))
    return names, tuple(variables[name] for name in names)
