"""Commands that were sent to a site, so that the reply finds the person who asked."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import REPLIES
from noc_bus.messages import Reply
from noc_web.problem import ProblemError

_MOST: Final = 1000
ADDRESSES_A_MINUTE: Final = 12
"""So often may one person have any address at all be pinged or traced."""


class Requests:
    """Replies arrive from the bus's thread and are taken by the one that tells the browsers."""

    def __init__(self, bus: Bus, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_s: OrderedDict[str, deque[float]] = OrderedDict()
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

    def asked_about_address(self, name: str) -> str:
        """Like `asked`. Raises ProblemError 429 where this person asked often in the last minute."""
        now_s = self._clock()
        with self._lock:
            lately = self._asked_s.setdefault(name, deque(maxlen=ADDRESSES_A_MINUTE))
            self._asked_s.move_to_end(name)
            while len(self._asked_s) > _MOST:
                self._asked_s.popitem(last=False)
            if len(lately) == ADDRESSES_A_MINUTE and (wait_s := lately[0] + 60 - now_s) > 0:
                raise ProblemError(
                    429,
                    f"You have tried {ADDRESSES_A_MINUTE} addresses within a minute; try again in {int(wait_s) + 1} s.",
                )
            lately.append(now_s)
        return self.asked(name)

    def arrived(self) -> list[tuple[str, Reply]]:
        """Who is to be told what, once."""
        with self._lock:
            arrived, self._arrived = self._arrived, []
        return arrived

    def _on_reply(self, reply: Reply | None, variables: dict[str, str]) -> None:
        with self._lock:
            if reply is not None and (name := self._askers.get(reply.request)):
                self._arrived.append((name, reply))
                if reply.done:
                    del self._askers[reply.request]
