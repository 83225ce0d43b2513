"""Whether this machine's own connection is broken, by what the kernel knows: carrier, routes, neighbours.

Nothing is sent for it. Where the kernel tells nothing, nothing is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from noc_prober import netlink
from noc_prober.addresses import Destination, literal
from noc_prober.codes import InvalidCode
from noc_prober.netlink import Interface, Neighbour, NeighbourState, Route
from noc_rules.site_state import Reason

# Addresses that belong to nobody: the way to them is the way to the rest of the world. Nothing is sent to them.
_ELSEWHERE: Final = ("192.0.2.1", "2001:db8::1")
_FRESH_S: Final = 0.5
# Routes change seldom, and every answer of every target asks for one.
_ROUTES_FRESH_S: Final = 10.0
_SILENT: Final = NeighbourState.FAILED | NeighbourState.INCOMPLETE
_KNOWN: Final = _SILENT | (
    NeighbourState.REACHABLE
    | NeighbourState.STALE
    | NeighbourState.DELAY
    | NeighbourState.PROBE
    | NeighbourState.PERMANENT
)


@dataclass(frozen=True)
class Facts:
    """What the kernel said at one time; `ways` are the routes to the rest of the world."""

    interfaces: Mapping[int, Interface] = field(default_factory=dict)
    ways: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()


class Link:
    """Asked from one thread; answers are kept for a moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._facts = Facts()
        self._asked_s = float("-inf")
        self._was_broken = False
        self._routes: dict[str, Route | None] = {}
        self._routes_s = float("-inf")

    def trouble(self) -> Reason | None:
        """Why nothing beyond this machine can be reached; None: something can, or nobody knows."""
        found = trouble_of(self._now(), was_broken=self._was_broken)
        self._was_broken = found is not None
        return found

    def trouble_to(self, to: Destination) -> Reason | None:
        """Why this machine is to blame where `to` is silent; None: it is not."""
        route = self._route(to)
        return trouble_on(route, self._now()) if route else None

    def is_beyond_gateway(self, to: Destination) -> bool:
        route = self._route(to)
        return route is not None and route.gateway is not None

    def gateways(self) -> tuple[str, ...]:
        """Addresses of the routers on the ways to the rest of the world, in the form a target has."""
        facts = self._now()
        return tuple(dict.fromkeys(_address(route, facts) for route in facts.ways if route.gateway))

    def _route(self, to: Destination) -> Route | None:
        now_s = self._clock()
        if now_s - self._routes_s >= _ROUTES_FRESH_S:
            self._routes_s = now_s
            self._routes.clear()
        if to.address not in self._routes:
            try:
                self._routes[to.address] = netlink.route_to(to)
            except OSError:
                self._routes[to.address] = None
        return self._routes[to.address]

    def _now(self) -> Facts:
        now_s = self._clock()
        if now_s - self._asked_s >= _FRESH_S:
            self._asked_s = now_s
            try:
                ways = [netlink.route_to(to) for to in map(literal, _ELSEWHERE) if to]
                facts = Facts(netlink.interfaces(), tuple(way for way in ways if way), tuple(netlink.neighbours()))
            except OSError:
                facts = Facts()
            self._facts = facts
        return self._facts


def trouble_of(facts: Facts, *, was_broken: bool) -> Reason | None:
    """Pure. A gateway that is being looked for is missing only where it was missing before."""
    silent = _SILENT if was_broken else NeighbourState.FAILED
    ways = [way for way in facts.ways if not _is_loopback(way, facts)]
    if ways:
        troubles = [_broken(way, facts, silent) for way in ways]
        return troubles[0] if all(troubles) else None
    cards = [card for card in facts.interfaces.values() if card.is_up and not card.is_loopback]
    if cards and not any(card.has_carrier for card in cards):
        return _no_carrier(cards[0].name)
    return None


def trouble_on(route: Route, facts: Facts) -> Reason | None:
    """Pure. A neighbour that is silent alone is dead; where all are, the link is."""
    if broken := _broken(route, facts, _SILENT):
        return broken
    known = [one.state for one in facts.neighbours if one.interface == route.interface and one.state & _KNOWN]
    if route.gateway is None and len(known) >= 2 and all(state & _SILENT for state in known):
        return Reason(InvalidCode.NO_NEIGHBOUR, f"nobody answers on {_name(route, facts)}")
    return None


def _broken(route: Route, facts: Facts, silent: int) -> Reason | None:
    card = facts.interfaces.get(route.interface)
    if card and not card.is_loopback and not card.has_carrier:
        return _no_carrier(card.name)
    for one in facts.neighbours if route.gateway else ():
        if (one.interface, one.address) == (route.interface, route.gateway) and one.state & silent:
            return Reason(
                InvalidCode.NO_NEIGHBOUR, f"the gateway {route.gateway} is not there on {_name(route, facts)}"
            )
    return None


def _no_carrier(name: str) -> Reason:
    return Reason(InvalidCode.LINK_DOWN, f"the link {name} is down: no carrier")


def _is_loopback(route: Route, facts: Facts) -> bool:
    card = facts.interfaces.get(route.interface)
    return card is not None and card.is_loopback


def _name(route: Route, facts: Facts) -> str:
    card = facts.interfaces.get(route.interface)
    return card.name if card else f"interface {route.interface}"


def _address(route: Route, facts: Facts) -> str:
    gateway = route.gateway or ""
    return f"{gateway}%{_name(route, facts)}" if gateway.lower().startswith("fe80:") else gateway
