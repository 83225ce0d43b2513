"""What a service needs of the bus, whether it is a broker or a test's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from noc_bus.channels import Channel
from noc_bus.messages import Message

M = TypeVar("M", bound=Message)
Handler = Callable[[M | None, dict[str, str]], None]
"""Called with the message and the variables of its topic; None says a retained topic was cleared."""


class Bus(Protocol):
    """Publish and subscribe. Handlers and hooks are called one after the other, on one thread of the bus."""

    @property
    def connected(self) -> bool: ...

    @property
    def instance(self) -> str:
        """Names this start of this process, at random: two with one name are told apart by it."""

    def change_instance(self) -> None:
        """Have another one, and connect again with it: somebody who is a copy of this process has the one before."""

    @property
    def own_address(self) -> str:
        """This machine's own end of the connection; empty: there is none."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Messages that came and could not be used, since the start: for the health figures of a service."""

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        """Have `handler` called for every message of `channel`; `variables` narrow it to some topics.

        At any time. Who subscribes on a living connection is told what is retained, and so is again
        everybody else who has subscribed to the same topics. Where the broker refuses it the connection is not used.
        """

    def try_subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        """Like `subscribe`, where a broker of another version may refuse it: then nothing is heard."""

    def unsubscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        """Undo a `subscribe` with the same arguments."""

    def resubscribe(self, channel: Channel[Any], **variables: str) -> None:
        """Ask the broker to send again what is retained; everybody who has subscribed to it gets it."""

    def lost(self, channel: Channel[Any]) -> int:
        """How many retained messages of a channel found no room since the start: ask for them again."""

    def when_connected(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each (re)connection, once every subscription is confirmed."""

    def when_disconnected(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each loss of the connection, before anything that the next one brings.

        What is cleared from then on will not be told: it is only missing among what the broker sends again.
        """

    def publish(self, channel: Channel[M], message: M, **variables: str) -> bool:
        """Hand a message to the broker. False where there is no connection: nothing is kept for later.

        `variables` are those of the topic that the message has no field for.
        """

    def publish_once(self, channel: Channel[M], message: M, **variables: str) -> bool:
        """Like `publish`, but not retained on a retained channel: for a closing message before `clear`."""

    def clear(self, channel: Channel[M], **variables: str) -> bool:
        """Remove what is retained on one topic. False where there is no connection."""

    def mute(self, but: Channel[Any] | None) -> None:
        """Publish and clear nothing more but on one channel; None: speak again. Muted, `publish` answers False."""
