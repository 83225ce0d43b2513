"""Maintenances: planned work, while which nobody is mailed of what it covers."""

from __future__ import annotations

from typing import Final

from flask import Response

from noc_bus.messages import Maintenance
from noc_bus.time import DAY_MS, Time
from noc_rules.calendar import Span
from noc_rules.maintenance import following, is_over, running, spans
from noc_web.api import answers
from noc_web.api.bodies import NewMaintenance
from noc_web.api.route import MOMENT, ROOT, Ask, Query, Route
from noc_web.catalog.catalog import Catalog
from noc_web.json import encode
from noc_web.live.revision import Revisions
from noc_web.problem import ProblemError

_DEFAULT_MS: Final = 31 * DAY_MS
_LONGEST_MS: Final = 400 * DAY_MS
_MOST_WINDOWS: Final = 5000
_ORDER: Final = {"running": 0, "coming": 1, "past": 2}


def list_maintenances(ask: Ask, catalog: Catalog) -> object:
    now = Time.now()
    rows = [_row(one, now) for one in catalog.contents().maintenances.values()]
    return {"maintenances": sorted(rows, key=_soonest_first)}


def get_maintenance(ask: Ask, catalog: Catalog) -> object:
    found = catalog.contents().maintenances.get(ask["maintenance"])
    if found is None:
        raise ProblemError(404, f"There is no maintenance {ask['maintenance'][:80]!r}.")
    return _row(found, Time.now())


def list_windows(ask: Ask, catalog: Catalog) -> object:
    start, end = ask.span(_DEFAULT_MS, _LONGEST_MS)
    found = [
        {"maintenance": one.id, "start": str(Time(span.start)), "end": str(Time(span.end))}
        for one in catalog.contents().maintenances.values()
        for span in spans(one, start, end)
    ]
    found.sort(key=lambda one: one["start"])
    return {"windows": found[:_MOST_WINDOWS], "complete": len(found) <= _MOST_WINDOWS}


def add_maintenance(ask: Ask, catalog: Catalog, revisions: Revisions) -> object:
    one = catalog.add_maintenance(ask.body, ask.actor.signature, _sites(revisions))
    answer = Response(encode(_row(one, Time.now())), 201, mimetype="application/json")
    answer.headers["Location"] = f"{ROOT}/maintenances/{one.id}"
    return answer


def put_maintenance(ask: Ask, catalog: Catalog, revisions: Revisions) -> object:
    one = catalog.put_maintenance(ask["maintenance"], ask.body, ask.actor.signature, _sites(revisions))
    return _row(one, Time.now())


def end_maintenance(ask: Ask, catalog: Catalog) -> object:
    return _row(catalog.end_maintenance(ask["maintenance"], ask.actor.signature), Time.now())


def delete_maintenance(ask: Ask, catalog: Catalog) -> object:
    catalog.delete_maintenance(ask["maintenance"], ask.actor.signature)
    return None


def _sites(revisions: Revisions) -> list[str]:
    return [site.id for site in revisions.sites()]


def _row(one: Maintenance, now: Time) -> answers.KeptMaintenance:
    found = running(one, now)
    state = "running" if found else "past" if is_over(one, now) else "coming"
    after = None if state == "past" else following(one, now)
    return {
        "maintenance": one,
        "state": state,
        "runs_since": str(Time(found.start)) if found else None,
        "runs_until": str(Time(found.until)) if found and found.until is not None else None,
        "next": _window(after) if after else None,
    }


def _window(span: Span) -> answers.NextWindow:
    return {"start": str(Time(span.start)), "end": str(Time(span.end))}


def _soonest_first(row: answers.KeptMaintenance) -> tuple[object, ...]:
    """What runs, what comes, and what is over, the last of these first."""
    one = row["maintenance"]
    if row["state"] == "past":
        return _ORDER["past"], -int(one.ends_at or 0), one.id
    moment = row["runs_until"] if row["state"] == "running" else row["next"] and row["next"]["start"]
    return _ORDER[row["state"]], moment or "9", one.id


ROUTES = (
    Route(
        "GET",
        "/maintenances",
        "viewer",
        "All maintenances: those that run now, then those that come, then those that are over.",
        list_maintenances,
        answer=answers.Maintenances,
    ),
    Route(
        "POST",
        "/maintenances",
        "operator",
        "Set up a maintenance: once from now where nothing else is said, weekly or monthly.",
        add_maintenance,
        body=NewMaintenance,
        answer=answers.KeptMaintenance,
        status=201,
    ),
    Route(
        "GET",
        "/maintenances/windows",
        "viewer",
        "When maintenances run in a period (the coming 31 days where it is left out), for a calendar.",
        list_windows,
        answer=answers.MaintenanceWindows,
        query=(
            Query("from", "start of the period, now where it is left out", MOMENT),
            Query("to", "end of the period", MOMENT),
        ),
    ),
    Route(
        "GET",
        "/maintenances/{maintenance}",
        "viewer",
        "One maintenance.",
        get_maintenance,
        answer=answers.KeptMaintenance,
    ),
    Route(
        "PUT",
        "/maintenances/{maintenance}",
        "operator",
        "Set all of a maintenance again; it holds from now on.",
        put_maintenance,
        body=NewMaintenance,
        answer=answers.KeptMaintenance,
    ),
    Route(
        "POST",
        "/maintenances/{maintenance}/end",
        "operator",
        "End the window that runs now; one that repeats runs again the next time.",
        end_maintenance,
        answer=answers.KeptMaintenance,
    ),
    Route(
        "DELETE",
        "/maintenances/{maintenance}",
        "operator",
        "Delete a maintenance; reports about the past go on counting it.",
        delete_maintenance,
        status=204,
    ),
)
