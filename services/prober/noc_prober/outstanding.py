"""The echo requests that are on their way, and what may count as an answer to one. Pure."""

from __future__ import annotations

import hmac
from collections import defaultdict
from typing import Final, NamedTuple, Protocol

from noc_prober.addresses import Destination
from noc_prober.codes import ErrorCode
from noc_prober.packets import COOKIE_BYTES, EchoReply, IcmpError

# So long after its timeout a reply still counts as late; after that nobody knows it any more.
REMEMBERED_S: Final = 10.0


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
    """Who sent the echo and gets to know what became of it."""

    def answered(self, echo: Echo) -> None:
        """Its first reply came in time."""

    def late(self) -> None:
        """A first reply came after the timeout."""

    def duplicate(self) -> None:
        """A second or further copy of a reply came."""

    def odd_reply(self, code: ErrorCode, source: str) -> None:
        """A reply that is not as it should be; only one whose cookie is whole, from the right host, counts as well."""

    def error(self, echo: Echo, error: IcmpError, source: str) -> None:
        """An ICMP error quoted the request."""


class Echo:
    """One request that left this machine."""

    __slots__ = ("answered", "ident", "listener", "payload", "rtt_ms", "sent_ns", "seq", "timeout_ns", "to")

    def __init__(
        self, to: Destination, ident: int, seq: int, payload: bytes, sent_ns: int, timeout_ns: int, listener: Listener
    ) -> None:
        self.to = to
        self.ident = ident
        self.seq = seq
        self.payload = payload
        self.sent_ns = sent_ns
        self.timeout_ns = timeout_ns
        self.listener = listener
        self.rtt_ms: float | None = None
        self.answered = False


class Outstanding:
    """Requests by address, identifier and sequence number, until they are forgotten.

    A reply from another address, with another number or with another cookie answers nothing; where it
    can only be meant for a request of ours, that request's check is told.
    """

    def __init__(self) -> None:
        self._echoes: dict[tuple[str, int, int], Echo] = {}
        self._by_number: dict[tuple[int, int], Echo] = {}
        self._forget: defaultdict[int, list[Echo]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._echoes)

    def is_free(self, address: str, ident: int, seq: int) -> bool:
        return (address, ident, seq) not in self._echoes

    def add(self, echo: Echo, now_s: float) -> None:
        self._echoes[(echo.to.address, echo.ident, echo.seq)] = echo
        self._by_number[(echo.ident, echo.seq)] = echo
        self._forget[int(now_s + echo.timeout_ns / 1e9 + REMEMBERED_S) + 1].append(echo)

    def reply(self, source: str, reply: EchoReply, arrival: Arrival) -> None:
        echo = self._echoes.get((source, reply.ident, reply.seq))
        if echo is None:
            self._from_elsewhere(source, reply)
            return
        if reply.is_damaged or reply.payload != echo.payload:
            if not echo.answered:
                echo.listener.odd_reply(_oddity(reply, echo), source)
            if reply.is_damaged or not _has_cookie(reply, echo):
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
            echo.listener.answered(echo)

    def error(self, source: str, error: IcmpError) -> None:
        """Take an ICMP error: evidence for whoever reads the result, never a verdict."""
        echo = self._echoes.get((error.destination, error.ident, error.seq))
        if echo is not None:
            echo.listener.error(echo, error, source)

    def expire(self, now_s: float) -> None:
        """Forget what is long over. Call it about once a second."""
        second = int(now_s)
        for due in [due for due in self._forget if due <= second]:
            for echo in self._forget.pop(due):
                self._echoes.pop((echo.to.address, echo.ident, echo.seq), None)
                if self._by_number.get((echo.ident, echo.seq)) is echo:
                    del self._by_number[(echo.ident, echo.seq)]

    def _from_elsewhere(self, source: str, reply: EchoReply) -> None:
        """Only who saw the request can bring its cookie back: then another address answered for the one we asked."""
        echo = self._by_number.get((reply.ident, reply.seq))
        if echo and not echo.answered and not reply.is_damaged and _has_cookie(reply, echo):
            echo.listener.odd_reply(ErrorCode.OTHER_SOURCE, source)


def _has_cookie(reply: EchoReply, echo: Echo) -> bool:
    return hmac.compare_digest(reply.payload[:COOKIE_BYTES], echo.payload[:COOKIE_BYTES])


def _oddity(reply: EchoReply, echo: Echo) -> ErrorCode:
    is_cut = not reply.is_damaged and len(reply.payload) < len(echo.payload)
    return ErrorCode.CUT if is_cut and echo.payload.startswith(reply.payload) else ErrorCode.ALTERED
