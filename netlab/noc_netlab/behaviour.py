"""How a simulated host, and the path to it, treats echo requests. Pure: chance and history come from outside."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from noc_netlab import packets
from noc_netlab.packets import Request

# Simulated routers: the n-th on a path is 10.99.254.n or fd99::fe:n.
_ROUTERS4: Final = ipaddress.IPv4Address("10.99.254.0")
_ROUTERS6: Final = ipaddress.IPv6Address("fd99::fe:0")


@dataclass(frozen=True)
class Behaviour:
    """All defaults: answers everything after 10 ms."""

    silent: bool = False
    delay_ms: float = 10.0
    jitter_ms: float = 0.0
    """Up to this much more delay, evenly spread; more than the packet gap makes replies overtake each other."""
    tail_ms: float = 0.0
    """The mean of a further delay that is mostly small and now and then large, as in a queue."""
    loss_pct: float = 0.0
    burst_enter_pct: float = 0.0
    """Gilbert-Elliott: chance, at each request, that a burst begins in which everything is lost …"""
    burst_leave_pct: float = 100.0
    """… and that it ends."""
    duplicates: int = 0
    """Further copies of each reply, 1 ms apart."""
    late_every: int = 0
    """Every n-th reply comes `late_ms` later: reordered, or after the timeout."""
    late_ms: float = 0.0
    source: str | None = None
    """Replies come from this address instead."""
    bad_checksum: bool = False
    altered_payload: bool = False
    cut_bytes: int = -1
    """Replies bring back only so many bytes of the payload; -1: all of it."""
    prohibited: bool = False
    """The last router forbids the way instead of a reply; one with no routers before it: the host itself."""
    unreachable: bool = False
    """A router says so instead of a reply."""
    forged_error: bool = False
    """Somebody says unreachable, and then the host answers all the same."""
    hops: int = 0
    """Routers on the way: the n-th answers what has only n hops to live."""
    limit_per_s: float = 0.0
    """Answers no more echo requests than this, as many a router does; 0: as many as come."""
    path: Sequence[str] = ()
    """These routers instead, nearest first; of the path to an IPv6 host also IPv6 addresses."""
    turns: Sequence[str] = ()
    """Routers that take turns at the first step of `path`."""
    limited: Sequence[str] = ()
    """Those of `path` that say only one thing a second, and let all else die in silence."""

    @classmethod
    def read(cls, options: dict[str, Any]) -> Behaviour:
        if unknown := options.keys() - {field.name for field in fields(cls)}:
            raise ValueError(f"no behaviour is called {', '.join(sorted(unknown))}")
        return cls(**options)


class Host:
    """A behaviour with what it must remember: whether it is in a burst of loss, and how often it answered."""

    def __init__(self, behaviour: Behaviour, rng: random.Random) -> None:
        self.behaviour = behaviour
        self._rng = rng
        self._in_burst = False
        self._answers = 0
        self._answered_s = float("-inf")
        self._spoke_s: dict[bytes, float] = {}
        self._turns = [ipaddress.ip_address(one).packed for one in behaviour.turns]
        self._path = [ipaddress.ip_address(one).packed for one in behaviour.path]
        self._limited = {ipaddress.ip_address(one).packed for one in behaviour.limited}

    def answer(self, request: Request, now_s: float) -> tuple[bool, list[tuple[float, bytes]]]:
        """Whether the target itself answered well, and what to send after how many milliseconds.

        `now_s` is any clock that only goes forward.
        """
        how = self.behaviour
        delay_ms = delay(how, self._rng)
        hops = len(self._path) or how.hops
        if request.ttl <= hops:
            return False, self._die(request, hops, delay_ms, now_s)
        if how.silent or self._is_lost() or (how.limit_per_s and now_s - self._answered_s < 1 / how.limit_per_s):
            return False, []
        self._answered_s = now_s
        if how.prohibited:
            return False, [(delay_ms, packets.prohibited(request, self._path[-1] if self._path else request.target))]
        if how.unreachable:
            last = self._path[-1] if self._path else router(how.hops + 1, request.is_ipv6)
            return False, [(delay_ms, packets.unreachable(request, last))]
        self._answers += 1
        if how.late_every and self._answers % how.late_every == 0:
            delay_ms += how.late_ms
        packet = self._spoil(packets.reply(request))
        due = [(delay_ms + copy, packet) for copy in range(1 + how.duplicates)]
        if how.forged_error:
            due.insert(0, (0.0, packets.unreachable(request, router(hops + 1, request.is_ipv6))))
        return not (how.source or how.bad_checksum or how.altered_payload or how.cut_bytes >= 0), due

    def _die(self, request: Request, hops: int, delay_ms: float, now_s: float) -> list[tuple[float, bytes]]:
        """What the router says in whose hands a request has no hops left to live."""
        speaker = self._path[request.ttl - 1] if self._path else router(request.ttl, request.is_ipv6)
        if self._turns and request.ttl == 1:
            self._turns.append(speaker := self._turns.pop(0))
        if speaker in self._limited:
            if now_s - self._spoke_s.get(speaker, float("-inf")) < 1.0:
                return []
            self._spoke_s[speaker] = now_s
        return [(delay_ms * request.ttl / (hops + 1), packets.time_exceeded(request, speaker))]

    def _is_lost(self) -> bool:
        how = self.behaviour
        if how.burst_enter_pct:
            chance = how.burst_leave_pct if self._in_burst else how.burst_enter_pct
            if self._rng.random() * 100 < chance:
                self._in_burst = not self._in_burst
            if self._in_burst:
                return True
        return bool(how.loss_pct) and self._rng.random() * 100 < how.loss_pct

    def _spoil(self, packet: bytes) -> bytes:
        how = self.behaviour
        if how.cut_bytes >= 0:
            packet = packets.cut(packet, how.cut_bytes)
        if how.altered_payload:
            packet = packets.with_altered_payload(packet)
        if how.source:
            packet = packets.from_source(packet, ipaddress.ip_address(how.source).packed)
        if how.bad_checksum:
            packet = packets.with_bad_checksum(packet)
        return packet


def delay(how: Behaviour, rng: random.Random) -> float:
    """One round-trip time in milliseconds."""
    delay_ms = how.delay_ms
    if how.jitter_ms:
        delay_ms += rng.random() * how.jitter_ms
    if how.tail_ms:
        delay_ms += rng.expovariate(1 / how.tail_ms)
    return delay_ms


def router(ttl: int, is_ipv6: bool) -> bytes:
    return (_ROUTERS6 + ttl if is_ipv6 else _ROUTERS4 + ttl).packed
