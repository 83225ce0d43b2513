"""How a simulated host, and the path to it, treats echo requests. Pure: chance and history come from outside."""

from __future__ import annotations

import ipaddress
import random
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
    unreachable: bool = False
    """A router says so instead of a reply."""
    forged_error: bool = False
    """Somebody says unreachable, and then the host answers all the same."""
    hops: int = 0
    """Routers on the way: the n-th answers what has only n hops to live."""

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

    def answer(self, request: Request) -> tuple[bool, list[tuple[float, bytes]]]:
        """Whether the target itself answered well, and what to send after how many milliseconds."""
        how = self.behaviour
        delay_ms = how.delay_ms + (self._rng.random() * how.jitter_ms if how.jitter_ms else 0.0)
        if request.ttl <= how.hops:
            return False, [(delay_ms, packets.time_exceeded(request, router(request.ttl, request.is_ipv6)))]
        if how.silent or self._is_lost():
            return False, []
        if how.unreachable:
            return False, [(delay_ms, packets.unreachable(request, router(how.hops + 1, request.is_ipv6)))]
        self._answers += 1
        if how.late_every and self._answers % how.late_every == 0:
            delay_ms += how.late_ms
        packet = self._spoil(packets.reply(request))
        due = [(delay_ms + copy, packet) for copy in range(1 + how.duplicates)]
        if how.forged_error:
            due.insert(0, (0.0, packets.unreachable(request, router(how.hops + 1, request.is_ipv6))))
        return not (how.source or how.bad_checksum or how.altered_payload), due

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
        if how.altered_payload:
            packet = packets.with_altered_payload(packet)
        if how.source:
            packet = packets.from_source(packet, ipaddress.ip_address(how.source).packed)
        if how.bad_checksum:
            packet = packets.with_bad_checksum(packet)
        return packet


def router(ttl: int, is_ipv6: bool) -> bytes:
    return (_ROUTERS6 + ttl if is_ipv6 else _ROUTERS4 + ttl).packed
