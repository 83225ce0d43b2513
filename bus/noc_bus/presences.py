"""Who is there: the presences of all probers or services, also of those that died without a will."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import Channel
from noc_bus.messages import Presence
from noc_bus.mirror import Mirror
from noc_bus.presence import SILENT_AFTER_S

P = TypeVar("P", bound=Presence)


class Presences(Mirror[str, P]):
    """A mirror of presences. Who says nothing for SILENT_AFTER_S is offline, whatever the broker has retained."""

    def __init__(
        self,
        bus: Bus,
        channel: Channel[P],
        *,
        notify: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        **variables: str,
    ) -> None:
        self._last_heard_s: dict[str, float] = {}
        super().__init__(bus, channel, wanted=None, notify=notify, clock=clock, is_optional=False, **variables)

    def tick(self) -> None:
        super().tick()
        with self._lock:
            if self._connected_s is None:
                return
            now_s = self._clock()
            for name, presence in list(self._items.items()):
                # Who could not reach the broker either gets the time again to come back.
                heard_s = max(self._last_heard_s.get(name, 0.0), self._connected_s)
                if presence.online and now_s - heard_s > SILENT_AFTER_S:
                    self._keep(name, replace(presence, online=False))

    def _on_message(self, message: P | None, variables: dict[str, str]) -> None:
        name = self._key(variables)
        with self._lock:
            if message is not None and (message.silenced or self._is_of_an_earlier_start(name, message)):
                return
            if message is None:
                self._last_heard_s.pop(name, None)
            else:
                self._last_heard_s[name] = self._clock()
        super()._on_message(message, variables)

    def _is_of_an_earlier_start(self, name: str, message: P) -> bool:
        """A broker may publish the will of a connection it took long to miss when the next start is there already."""
        known = self._items.get(name)
        return (
            not message.online
            and known is not None
            and known.online
            and None not in (known.instance, message.instance)
            and known.instance != message.instance
        )
