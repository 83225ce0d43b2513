"""Journal records of a site, with everything a test does not care about filled in."""

from __future__ import annotations

from typing import Final

from noc_bus.messages import Hop, Incident, Mark, ProbeResult, Replay, SiteState, State, Trace
from noc_bus.time import Time

T0: Final = Time.parse("2026-11-24T12:00:00.007Z")


def cycle(seq: int, *, site: str = "here", epoch: int = 1, target: str = "router") -> ProbeResult:
    """The cycle that record `seq` of a journal tells of: another number, another cycle."""
    at = Time(T0 + seq * 1000)
    return ProbeResult(
        site=site, target=target, epoch=epoch, seq=seq, at=at, address="192.0.2.1", sent=1, received=1, rtts_ms=[1.5]
    )


def state(seq: int, *, site: str = "here", epoch: int = 1, now: State = State.UP) -> SiteState:
    at = Time(T0 + seq * 1000)
    return SiteState(site=site, target="router", epoch=epoch, seq=seq, state=now, since=at, reason="answers", at=at)


def replay(*records: ProbeResult | SiteState, oldest: int = 0, site: str = "here", epoch: int = 1) -> Replay:
    return Replay(
        site=site,
        epoch=epoch,
        oldest_seq=oldest,
        first_seq=min(record.seq for record in records),
        last_seq=max(record.seq for record in records),
        results=[record for record in records if isinstance(record, ProbeResult)],
        states=[record for record in records if isinstance(record, SiteState)],
    )


def incident(name: str, *, resolved: bool = False) -> Incident:
    ended = Time(T0 + 60_000) if resolved else None
    return Incident(id=name, kind="target-down", targets=["router"], opened_at=T0, resolved_at=ended, cause="silent")


def trace(seconds: float, *routers: str, site: str = "here", target: str = "router") -> Trace:
    """A path by these routers to the target."""
    hops = [Hop(ttl=ttl, address=one) for ttl, one in enumerate([*routers, "192.0.2.1"], 1)]
    at = Time(T0 + round(seconds * 1000))
    return Trace(site=site, target=target, address="192.0.2.1", at=at, reached=True, hops=hops)


def numbers(marks: list[Mark]) -> list[tuple[str, int, int]]:
    return [(mark.site, mark.epoch, mark.seq) for mark in marks]
