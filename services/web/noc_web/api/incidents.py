"""Incidents, open and over, and acknowledging one."""

from __future__ import annotations

from typing import Final

from noc_bus.messages import Incident
from noc_bus.time import Time
from noc_history.store import Store
from noc_web.api import answers
from noc_web.api.bodies import Comment
from noc_web.api.history import LONGEST_MS
from noc_web.api.route import PERIOD, SLUG, Ask, Query, Route
from noc_web.catalog.catalog import Catalog
from noc_web.live.revision import Revisions
from noc_web.problem import ProblemError
from noc_web.publisher import Publisher

_DEFAULT_MS: Final = 30 * 24 * 3_600_000


def list_incidents(ask: Ask, revisions: Revisions, store: Store) -> object:
    """The live ones win: the store hears of a change a moment later."""
    target = ask.slug("target")
    live = {incident.id: incident for incident in revisions.incidents()}
    if ask.choice("open", "false", ("true", "false")) == "true":
        found = live
    else:
        now = Time.now()
        start, end = ask.period(_DEFAULT_MS, LONGEST_MS)
        if ask.time("to", now) >= now:
            # What a clock that was ahead has dated after now is here all the same.
            end = Time(end + LONGEST_MS)
        stored = {incident.id: incident for incident in store.incidents(start, end)}
        found = stored | {name: one for name, one in live.items() if one.opened_at < end}
    wanted = [one for one in found.values() if not target or target in one.targets]
    return {"incidents": sorted(wanted, key=lambda one: one.opened_at, reverse=True)}


def acknowledge(ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions) -> object:
    name = _open(ask, revisions).id
    comment = ask.read(Comment).comment if ask.raw else ""
    publisher.acknowledge(name, ask.actor.name, comment)
    catalog.note(ask.actor.signature, "acknowledge incident", name, {"comment": comment})
    return None


def withdraw(ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions) -> object:
    name = _open(ask, revisions).id
    publisher.acknowledge(name, ask.actor.name, withdrawn=True)
    catalog.note(ask.actor.signature, "withdraw acknowledgement", name)
    return None


def _open(ask: Ask, revisions: Revisions) -> Incident:
    """The open incident that the path names. Raises ProblemError 404."""
    for incident in revisions.incidents():
        if incident.id == ask["incident"]:
            return incident
    raise ProblemError(404, f"No incident {ask['incident'][:80]!r} is open.")


ROUTES = (
    Route(
        "GET",
        "/incidents",
        "viewer",
        "Incidents open at some moment of a period (30 days where it is left out), newest first.",
        list_incidents,
        answer=answers.Incidents,
        query=(
            *PERIOD,
            Query("open", "true: only those open now", {"type": "string", "enum": ["true", "false"]}),
            Query("target", "only those with this target", SLUG),
        ),
        work="history",
    ),
    Route(
        "POST",
        "/incidents/{incident}/acknowledge",
        "operator",
        "Acknowledge an open incident.",
        acknowledge,
        body=Comment,
        status=204,
    ),
    Route(
        "DELETE",
        "/incidents/{incident}/acknowledge",
        "operator",
        "Take the acknowledgement of an open incident back.",
        withdraw,
        status=204,
    ),
)
