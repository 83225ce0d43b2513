"""The echo requests that are on their way, and what may count as an answer to one. Pure."""

from __future__ import annotations

import hmac
from collections import defaultdict
from typing import Final, NamedTuple, Protocol

from noc_prober.packets import EchoReply, IcmpError

# So long after its timeout a reply is still told as late; after that nobody knows it any more.
REMEMBERED_S: Final = 10.0
_MOST_ERRORS: Final = 20


class Arrival(NamedTuple):
    """When a reply was read, on both clocks, and when the kernel had received it, on its wall clock."""

    mono_ns: int
    wall_ns: int
    stamp_wall_ns: int | None

    def since(self, sent_mono_ns: int) -> int:
        """The nanoseconds it travelled: never negative, never more than the monotonic clock says.

        The wall clock only measures how long the packet waited for us to read it, so that a step of
        the clock while it travelled changes nothing.
        """
        elapsed_ns = max(0, self.mono_ns - sent_mono_ns)
        if self.stamp_wall_ns is None:
            return elapsed_ns
        waited_ns = self.wall_ns - self.stamp_wall_ns
        return elapsed_ns - waited_ns if 0 <= waited_ns <= elapsed_ns else elapsed_ns


class Listener(Protocol):
    """Who sent the echo and is told what became of it."""

    def heard(self, echo: Echo) -> None:
        """Its first reply came in time."""

    def late(self) -> None:
        """A first reply came after the timeout."""

    def duplicate(self) -> None:
        """A second or further copy of a reply came."""

    def error(self, text: str) -> None:
        """An ICMP error quoted the request."""


class Echo:
    """One request that left this machine."""

    __slots__ = ("address", "answered", "cookie", "ident", "listener", "rtt_ms", "sent_ns", "seq", "timeout_ns")

    def __init__(
        self, address: str, ident: int, seq: int, cookie: bytes, sent_ns: int, timeout_ns: int, listener: Listener
    ) -> None:
        self.address = address
        self.ident = ident
        self.seq = seq
        self.cookie = cookie
        self.sent_ns = sent_ns
        self.timeout_ns = timeout_ns
        self.listener = listener
        self.rtt_ms: float | None = None
        self.answered = False


class Outstanding:
    """Requests by address, identifier and sequence number, until they are forgotten.

    A reply from another address, with another number or with another cookie finds nothing.
    """

    def __init__(self) -> None:
        self._echoes: dict[tuple[str, int, int], Echo] = {}
        self._forget: defaultdict[int, list[tuple[str, int, int]]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._echoes)

    def is_free(self, address: str, ident: int, seq: int) -> bool:
        return (address, ident, seq) not in self._echoes

    def add(self, echo: Echo, now_s: float) -> None:
        key = (echo.address, echo.ident, echo.seq)
        self._echoes[key] = echo
        self._forget[int(now_s + echo.timeout_ns / 1e9 + REMEMBERED_S) + 1].append(key)

    def reply(self, source: str, reply: EchoReply, arrival: Arrival) -> None:
        echo = self._echoes.get((source, reply.ident, reply.seq))
        if echo is None or not hmac.compare_digest(echo.cookie, reply.cookie):
            return
        rtt_ns = arrival.since(echo.sent_ns)
        if echo.answered:
            echo.listener.duplicate()
        elif rtt_ns > echo.timeout_ns:
            echo.answered = True
            echo.listener.late()
        else:
            echo.answered = True
            echo.rtt_ms = round(rtt_ns / 1e6, 3)
            echo.listener.heard(echo)

    def error(self, source: str, error: IcmpError) -> None:
        """Take an ICMP error: evidence for whoever reads the result, never a verdict."""
        echo = self._echoes.get((error.destination, error.ident, error.seq))
        if echo is not None:
            echo.listener.error(f"{error.text}, says {source}"[:200])

    def expire(self, now_s: float) -> None:
        """Forget what is long over. Call it about once a second."""
        second = int(now_s)
        for due in [due for due in self._forget if due <= second]:
            for key in self._forget.pop(due):
                self._echoes.pop(key, None)


def add_error(errors: list[str], text: str) -> None:
    """Each error once, and no more than a result may carry."""
    if text not in errors and len(errors) < _MOST_ERRORS:
        errors.append(text)
