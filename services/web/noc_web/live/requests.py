"""Commands that were sent to a site, so that the reply finds the person who asked."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import REPLIES
from noc_bus.messages import Reply

_MOST: Final = 1000


class Requests:
    """Replies arrive from the bus's thread and are taken by the one that tells the browsers."""

    def __init__(self, bus: Bus) -> None:
        self._lock = threading.Lock()
        self._askers: OrderedDict[str, str] = OrderedDict()
        self._arrived: list[tuple[str, Reply]] = []
        bus.subscribe(REPLIES, self._on_reply)

    def asked(self, name: str) -> str:
        """The id of a new request, the reply to which `name` will be told."""
        request = f"r-{secrets.token_hex(8)}"
        with self._lock:
            self._askers[request] = name
            while len(self._askers) > _MOST:
                self._askers.popitem(last=False)
        return request

    def arrived(self) -> list[tuple[str, Reply]]:
        """Who is to be told what, once."""
        with self._lock:
            arrived, self._arrived = self._arrived, []
        return arrived

    def _on_reply(self, reply: Reply | None, variables: dict[str, str]) -> None:
        with self._lock:
            if reply is not None and (name := self._askers.pop(reply.request, None)):
                self._arrived.append((name, reply))
