"""Calendars: the hours and the goal of a report, by name."""

from __future__ import annotations

from dataclasses import asdict

from noc_web.api import answers
from noc_web.api.bodies import CalendarFields
from noc_web.api.route import Ask, Route
from noc_web.calendars import Calendars, StoredCalendar
from noc_web.catalog.catalog import Catalog


def list_calendars(ask: Ask, calendars: Calendars) -> object:
    return {"calendars": [asdict(one) for one in calendars.listed()]}


def put_calendar(ask: Ask, catalog: Catalog, calendars: Calendars) -> object:
    wanted = ask.read(CalendarFields)
    name = ask.named("calendar")
    one = StoredCalendar(name, wanted.zone, wanted.hours.strip(), tuple(sorted(set(wanted.holidays))), wanted.goal_pct)
    calendars.put(one)
    catalog.note(ask.actor.signature, "set calendar", name, asdict(one))
    return asdict(calendars.get(name))


def delete_calendar(ask: Ask, catalog: Catalog, calendars: Calendars) -> object:
    calendars.delete(ask["calendar"])
    catalog.note(ask.actor.signature, "delete calendar", ask["calendar"])
    return None


ROUTES = (
    Route("GET", "/calendars", "viewer", "All calendars of reports.", list_calendars, answer=answers.Calendars),
    Route(
        "PUT",
        "/calendars/{calendar}",
        "operator",
        "Set a calendar: which hours count in a report that names it, and towards which goal.",
        put_calendar,
        body=CalendarFields,
        answer=answers.CalendarAnswer,
    ),
    Route("DELETE", "/calendars/{calendar}", "operator", "Delete a calendar.", delete_calendar, status=204),
)
