"""Which way packets to a target took: the paths that are stored, and when they changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from noc_bus.messages import Trace
from noc_bus.time import DAY_MS, Time
from noc_history.store import Store
from noc_rules.routes import RouteChange, described, route_changes, routers_of
from noc_rules.suggested import suggested
from noc_web.api import answers
from noc_web.api.route import PERIOD, Ask, Route
from noc_web.api.targets import target_in_force
from noc_web.json import Row
from noc_web.live.picture import Picture
from noc_web.publisher import Publisher

LONGEST_MS: Final = 3660 * DAY_MS
_USUAL_MS: Final = 90 * DAY_MS
_MAX_PATHS: Final = 200


def routes(ask: Ask, publisher: Publisher, store: Store) -> object:
    target = target_in_force(ask, publisher)
    start, end = ask.period(_USUAL_MS, LONGEST_MS)
    traces = stored_traces(store, target.id, end)
    last = {one.site: one for one in traces if one.at < start}
    return {
        "from": start,
        "to": end,
        "changes": changes_in(traces, start),
        "paths": [one for one in reversed(traces) if one.at >= start][:_MAX_PATHS],
        "before": [last[site] for site in sorted(last)],
    }


def suggested_parents(ask: Ask, publisher: Publisher, picture: Picture, store: Store) -> object:
    target = target_in_force(ask, publisher)
    targets = publisher.targets
    # A name's address is what was traced.
    addresses = picture.traced_addresses() | {one.address: one.id for one in targets.values()}
    known = {address: name for address, name in addresses.items() if name in targets}
    found = suggested(target.id, stored_traces(store, target.id, Time.now()), known, targets)
    return {
        "suggested": [
            {"parent": one.parent, "name": targets[one.parent].name, "sites": one.sites, "changes": one.changes}
            for one in found
        ]
    }


def stored_traces(store: Store, target: str, end: Time) -> Sequence[Trace]:
    """All before `end`, oldest first: they are few, for each differs from the one before it."""
    return store.traces([target], Time(0), end).get(target, ())


def changes_in(traces: Sequence[Trace], start: Time) -> list[Row]:
    """Of one target's, those from `start` on, as the API says them."""
    names = {one.address: one.name for trace in traces for hop in trace.hops for one in routers_of(hop) if one.name}
    return [_change(one, names) for one in route_changes(traces) if one.at >= start]


def _change(one: RouteChange, names: dict[str, str]) -> Row:
    return {
        "site": one.site,
        "address": one.address,
        "before_at": Time(one.before_at),
        "at": Time(one.at),
        "hops": [{"ttl": hop.ttl, "before": list(hop.before), "after": list(hop.after)} for hop in one.hops],
        "text": described(one, names),
    }


ROUTES = (
    Route(
        "GET",
        "/targets/{target}/routes",
        "viewer",
        "The paths to it that are stored, and when they changed (90 days where no period is given).",
        routes,
        answer=answers.Routes,
        query=PERIOD,
        work="history",
    ),
    Route(
        "GET",
        "/targets/{target}/suggested-parents",
        "viewer",
        "Targets that are routers on the way to it, from its traces; none that would make a circle.",
        suggested_parents,
        answer=answers.SuggestedParents,
        work="history",
    ),
)
