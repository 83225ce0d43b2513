"""Records to store, with everything a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from noc_bus.messages import Hop, Incident, ProbeResult, SiteState, State, Trace
from noc_bus.time import Time

T0: Final = Time.parse("2026-11-24T12:00:00.007Z")


def at(seconds: float) -> Time:
    """So many seconds after T0, to the millisecond."""
    return Time(T0 + round(seconds * 1000))


def cycle(
    seconds: float,
    rtts_ms: Sequence[float] = (1.0, 2.0, 3.0),
    *,
    sent: int = 5,
    site: str = "here",
    target: str = "router",
    seq: int = 0,
    invalid: str | None = None,
) -> ProbeResult:
    return ProbeResult(
        site=site,
        target=target,
        epoch=1,
        seq=seq,
        at=at(seconds),
        address="192.0.2.1",
        sent=sent,
        received=len(rtts_ms),
        rtts_ms=list(rtts_ms),
        invalid=invalid,
    )


def state(
    seconds: float,
    now: State,
    *,
    reason: str = "because",
    code: str | None = None,
    site: str = "here",
    target: str = "router",
    seq: int = 0,
) -> SiteState:
    return SiteState(
        site=site,
        target=target,
        epoch=1,
        seq=seq,
        state=now,
        since=at(seconds),
        reason=reason,
        code=code,
        at=at(seconds + 5),
    )


def incident(name: str, opened: float, resolved: float | None = None, **fields: Any) -> Incident:
    return Incident(
        id=name,
        kind="target-down",
        targets=["router"],
        opened_at=at(opened),
        resolved_at=None if resolved is None else at(resolved),
        **{"cause": "no answer", **fields},
    )


def trace(seconds: float, *routers: str, site: str = "here", target: str = "router", reached: bool = True) -> Trace:
    """A path by these routers to the target, or one that broke off after them."""
    addresses = [*routers, *(["192.0.2.1"] if reached else [])]
    hops = [Hop(ttl=ttl, address=one, name='a name, "quoted"') for ttl, one in enumerate(addresses, 1)]
    return Trace(site=site, target=target, address="192.0.2.1", at=at(seconds), reached=reached, hops=hops)
