"""What a service needs of the bus, whether it is a broker or a test's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from noc_bus.channels import Channel
from noc_bus.messages import Message

M = TypeVar("M", bound=Message)
Handler = Callable[[M | None, dict[str, str]], None]
"""Called with the message and the variables of its topic; None says a retained topic was cleared."""


class Bus(Protocol):
    """Publish and subscribe. Subscribe and set hooks before `start`."""

    @property
    def connected(self) -> bool: ...

    @property
    def counters(self) -> Mapping[str, int]:
        """Messages that came and could not be used, since the start: for the health figures of a service."""

    def subscribe(self, channel: Channel[M], handler: Handler[M], **variables: str) -> None:
        """Have `handler` called for every message of `channel`; `variables` narrow it to some topics."""

    def when_connected(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each (re)connection, once every subscription is confirmed.

        What is retained must be published anew here: the broker may have forgotten it.
        """

    def when_disconnected(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each loss of the connection, before anything that the next one brings.

        What is cleared from then on will not be told: it is only missing among what the broker tells anew.
        """

    def publish(self, channel: Channel[M], message: M, **variables: str) -> bool:
        """Hand a message to the broker. False where there is no connection: nothing is kept for later.

        `variables` are those of the topic that the message has no field for.
        """

    def publish_once(self, channel: Channel[M], message: M, **variables: str) -> bool:
        """Like `publish`, but not retained on a retained channel: for a last word before `clear`."""

    def clear(self, channel: Channel[M], **variables: str) -> bool:
        """Remove what is retained on one topic. False where there is no connection."""
