"""What probers and the alerter say, in a few words."""

from __future__ import annotations

from typing import Any

from noc_bus.messages import (
    Hop,
    Incident,
    ProbeResult,
    ProberPresence,
    SiteState,
    State,
    Trace,
    Verdict,
    VerdictState,
)
from noc_bus.time import Time


def presence(site: str = "here", *, online: bool = True, **more: Any) -> ProberPresence:
    return ProberPresence(site=site, online=online, **more)


def result(target: str = "a", site: str = "here", *, at: int | None = None, **more: Any) -> ProbeResult:
    """A cycle of two echoes, answered after 1 and 3 ms."""
    given = {"sent": 2, "received": 2, "rtts_ms": [1.0, 3.0], "epoch": 1, "seq": 0, "address": "10.0.0.1", **more}
    return ProbeResult(site=site, target=target, at=Time.now() if at is None else Time(at), **given)


def state(
    target: str = "a", site: str = "here", kind: State = State.UP, *, at: int | None = None, **more: Any
) -> SiteState:
    when = Time.now() if at is None else Time(at)
    return SiteState(
        site=site, target=target, epoch=1, **{"seq": 0, "reason": "answers", "since": when, **more}, state=kind, at=when
    )


def trace(target: str, at: int, *routers: str, site: str = "here", reached: bool = True) -> Trace:
    """By these routers to 10.0.0.1, or broken off after them."""
    addresses = [*routers, *(["10.0.0.1"] if reached else [])]
    hops = [Hop(ttl=ttl, address=one, name=f"{one}.example") for ttl, one in enumerate(addresses, 1)]
    return Trace(site=site, target=target, address="10.0.0.1", at=Time(at), reached=reached, hops=hops)


def verdict(target: str = "a", kind: VerdictState = VerdictState.UP, **more: Any) -> Verdict:
    now = Time.now()
    return Verdict(target=target, state=kind, **{"since": now, "reason": "as it is", "sites": {}, "at": now, **more})


def incident(name: str = "i-1", *targets: str, **more: Any) -> Incident:
    given = {"kind": "target-down", "opened_at": Time.now(), "cause": "no answer", **more}
    return Incident(id=name, targets=list(targets or ("a",)), **given)
