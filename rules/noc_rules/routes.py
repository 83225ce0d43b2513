"""When two traces show the same route, what changed where they do not, and what lies on the way to what. Pure.

The rule is *hop overlap*. At each hop stands the set of all routers that answered there. Two paths to one address are
the same route where, at every hop at which both have answers, they have a router in common, and the target answered at
a common hop. Two things say nothing of a change, as Paxson has it in "End-to-End Routing Behavior in the Internet"
(1997): a hop where nobody answered, for routers answer when they like, and one that flutters in both paths, where
several routers share the load and each trace meets some of them. A hop that has shown one router only may flutter
too, so a site looks again before it believes in a change and puts what it found together (`merged`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from msgspec.structs import replace

from noc_bus.messages import GoodPath, Hop, Router, Trace

_MAX_ROUTERS: Final = 10
_MAX_RTTS: Final = 10


@dataclass(frozen=True)
class HopChange:
    """Who answered at a hop before and who does now, sorted; empty: nobody did."""

    ttl: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class RouteChange:
    """From `at` on the path of a site to a target is another one than that of `before_at`; both were followed to the end.

    `hops` are those where the two contradict each other; those that only one of them has are left out.
    """

    site: str
    target: str
    address: str
    before_at: int
    at: int
    hops: tuple[HopChange, ...]


def routers_at(hops: Sequence[Hop]) -> dict[int, frozenset[str]]:
    """All addresses that answered, by hop; hops at which nobody did are left out."""
    found = {hop.ttl: frozenset(one.address for one in routers_of(hop)) for hop in hops}
    return {ttl: addresses for ttl, addresses in found.items() if addresses}


def routers_of(hop: Hop) -> Sequence[Router]:
    """All that answered at a hop, also where an older prober told only of the first."""
    if hop.routers is not None:
        return hop.routers
    return [] if hop.address is None else [Router(address=hop.address, name=hop.name, rtts_ms=hop.rtts_ms)]


def changed_hops(before: Sequence[Hop], after: Sequence[Hop]) -> tuple[HopChange, ...]:
    """The hops at which two paths to one address contradict each other, by hop overlap."""
    old, new = routers_at(before), routers_at(after)
    return tuple(
        HopChange(ttl, tuple(sorted(old[ttl])), tuple(sorted(new[ttl])))
        for ttl in sorted(old.keys() & new.keys())
        if not old[ttl] & new[ttl] and not (len(old[ttl]) > 1 and len(new[ttl]) > 1)
    )


def same_route(one: Trace | GoodPath, other: Trace | GoodPath) -> bool:
    """Whether two paths to the target are one route, by hop overlap. To another address no path is the same.

    One that did not reach the target is the same only as one that ends at the same hop.
    """
    if one.address != other.address or is_reached(one) != is_reached(other):
        return False
    ends = _ends(one), _ends(other)
    return bool(ends[0] & ends[1]) and not changed_hops(one.hops, other.hops)


def is_reached(path: Trace | GoodPath) -> bool:
    return isinstance(path, GoodPath) or path.reached


def is_news(stored: Iterable[Trace], found: Trace) -> bool:
    """Whether a trace is to be stored beside those of the same site and target that are.

    It is where its path is not the route of the last one before it to the same address: a name with several addresses has
    a route for each of them.
    """
    same = [one for one in stored if one.address == found.address]
    if any(one.at == found.at for one in same):
        return False
    last = max((one for one in same if one.at < found.at), key=lambda one: one.at, default=None)
    return last is None or not same_route(last, found)


def route_changes(traces: Iterable[Trace]) -> list[RouteChange]:
    """Of stored traces, in any order: by the time they were seen. Paths that broke off are no routes."""
    last: dict[tuple[str, str, str], Trace] = {}
    changes: list[RouteChange] = []
    for trace in sorted(traces, key=lambda one: one.at):
        if not trace.reached:
            continue
        key = trace.site, trace.target, trace.address
        before = last.get(key)
        last[key] = trace
        if before is not None and not same_route(before, trace):
            hops = changed_hops(before.hops, trace.hops) or _end_change(before, trace)
            changes.append(RouteChange(*key, before.at, trace.at, hops))
    return changes


def merged(paths: Sequence[Sequence[Hop]]) -> list[Hop]:
    """What several traces of one path found, put together hop by hop."""
    return [_together([hop for hop in hops if hop is not None]) for hops in zip_longest(*paths)]


def described(change: RouteChange, names: Mapping[str, str] | None = None) -> str:
    """What changed, in a sentence for people: `paris: hop 4 is 10.0.0.9 (was 10.0.0.1)`."""
    known = names or {}
    first = change.hops[0]
    now, was = (", ".join(known.get(one, one) for one in some) or "silent" for some in (first.after, first.before))
    more = len(change.hops) - 1
    others = f" and {more} more hop{'s' if more > 1 else ''} changed" if more else ""
    return f"{change.site}: hop {first.ttl} is {now} (was {was}){others}"


def broken_off(trace: Trace) -> str:
    """Where a path ended that did not reach its target, beside the last one that did, in a sentence for people."""
    found = routers_at(trace.hops)
    end = max(found, default=0)
    names = {one.address: one.name for hop in trace.hops for one in routers_of(hop) if one.name}
    known = trace.last_good
    if known is not None:
        names |= {one.address: one.name for hop in known.hops for one in routers_of(hop) if one.name}
    where = f"breaks off after hop {end}, {_called(found[end], names)}" if end else "breaks off at once"
    sentence = f"{trace.site}: the path {where}"
    if known is None or known.address != trace.address:
        return sentence
    for one in changed_hops(known.hops, trace.hops):
        now = "" if one.ttl == end else f"is {_called(one.after, names)} and "
        return f"{sentence}; hop {one.ttl} {now}was {_called(one.before, names)}"
    before = routers_at(known.hops)
    following = min((ttl for ttl in before if ttl > end), default=None)
    return sentence if following is None else f"{sentence}; hop {following} was {_called(before[following], names)}"


@dataclass(frozen=True)
class Evidence:
    """Paths of one site to a target in trouble. `broken`: that of the outage; None: the site reaches it.

    `good`: the last whole one from before the trouble's end; None: none is stored.
    """

    site: str
    broken: Trace | None
    good: Trace | None


def evidence(traces: Iterable[Trace], start: int, end: int) -> list[Evidence]:
    """Of the stored traces to one target, what they say of an outage from `start` to `end`, sites that fail first."""
    by_site: dict[str, list[Trace]] = {}
    for one in sorted(traces, key=lambda one: one.at):
        if one.at <= end:
            by_site.setdefault(one.site, []).append(one)
    found = []
    for site, some in by_site.items():
        broken = [one for one in some if one.at >= start and not one.reached]
        good = [one for one in some if one.reached and (not broken or one.at < broken[-1].at)]
        found.append(Evidence(site, broken[-1] if broken else None, good[-1] if good else None))
    return sorted(found, key=lambda one: (one.broken is None, one.site))


def _called(addresses: Iterable[str], names: Mapping[str, str]) -> str:
    return ", ".join(f"{names[one]} ({one})" if one in names else one for one in sorted(addresses))


def _together(hops: Sequence[Hop]) -> Hop:
    routers: dict[str, Router] = {}
    for hop in hops:
        for one in routers_of(hop):
            known = routers.get(one.address)
            if known is None:
                routers[one.address] = one
            else:
                rtts_ms = [*known.rtts_ms, *one.rtts_ms][:_MAX_RTTS]
                routers[one.address] = replace(
                    known,
                    name=known.name or one.name,
                    rtts_ms=rtts_ms,
                    code=known.code or one.code,
                    reason=known.reason or one.reason,
                )
    all_of_them = list(routers.values())[:_MAX_ROUTERS]
    if not all_of_them:
        return Hop(ttl=hops[0].ttl, routers=[])
    first = all_of_them[0]
    return Hop(ttl=hops[0].ttl, address=first.address, name=first.name, rtts_ms=first.rtts_ms, routers=all_of_them)


def _ends(path: Trace | GoodPath) -> set[int]:
    """The hops at which the target answered; of a path that broke off, the last at which anybody did."""
    found = routers_at(path.hops)
    if is_reached(path):
        return {ttl for ttl, addresses in found.items() if path.address in addresses}
    return {max(found, default=0)}


def _end_change(before: Trace, after: Trace) -> tuple[HopChange, ...]:
    """Where the target answers at another hop than before, and all else is silent."""
    ttl = min(_ends(before) | _ends(after))
    old, new = (routers_at(one.hops).get(ttl, frozenset()) for one in (before, after))
    return (HopChange(ttl, tuple(sorted(old)), tuple(sorted(new))),)
