"""Rehearsals: what other settings of a target, a group, a route or a contact would have done over the last days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from msgspec.structs import replace as with_fields

from noc_bus.messages import NotificationSettings, Target, VerdictState
from noc_rules.estimate import NOT_MEASURED
from noc_rules.incident import severity
from noc_rules.rehearsal import USUAL_WAIT_S, Outcome, Played, Settings
from noc_rules.telling import addresses
from noc_web.api import answers
from noc_web.api.bodies import ContactFields, GroupOptions, RouteFields, TargetChanges
from noc_web.api.route import SLUG, Ask, Query, Route
from noc_web.catalog.catalog import Catalog
from noc_web.json import Row
from noc_web.notifications import book
from noc_web.notifications.kept import Notifications, Sealed
from noc_web.problem import ProblemCode, invalid, refused
from noc_web.rehearsal import MOST_DAYS, Estimate, Proposal, Rehearsal, Rehearsals

_LONGEST_WAIT_S: Final = 60
_LONGEST_GROUP_WAIT_S: Final = 300
_MOST_INCIDENTS: Final = 100
_MOST_CHANGED: Final = 100
_MOST_NAMED: Final = 10


def rehearse_target(
    ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed, rehearsals: Rehearsals
) -> object:
    proposed = catalog.tried_target(ask["target"], ask.body).resolved
    return _started(ask, proposed, catalog, notifications, sealed, rehearsals, estimate=ask["target"])


def rehearse_defaults(
    ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed, rehearsals: Rehearsals
) -> object:
    proposed = catalog.tried_group("", ask.body).resolved
    return _started(ask, proposed, catalog, notifications, sealed, rehearsals, estimate=_estimate(ask, proposed))


def rehearse_group(
    ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed, rehearsals: Rehearsals
) -> object:
    proposed = catalog.tried_group(ask["path"], ask.body).resolved
    return _started(ask, proposed, catalog, notifications, sealed, rehearsals, estimate=_estimate(ask, proposed))


def rehearse_route(
    ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed, rehearsals: Rehearsals
) -> object:
    settings = notifications.read()
    proposed = book.route(ask["route"], ask.body, settings)
    others = [one for one in settings.routes if one.id != proposed.id]
    changed = with_fields(settings, routes=[*others, proposed])
    return _started(ask, catalog.contents().resolved, catalog, notifications, sealed, rehearsals, changed)


def rehearse_contact(
    ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed, rehearsals: Rehearsals
) -> object:
    settings, alerter = notifications.read(), sealed.alerter()
    proposed = book.contact(ask["contact"], ask.body, settings, alerter.apprise_schemes if alerter else ())
    others = [one for one in settings.contacts if one.id != proposed.id]
    changed = with_fields(settings, contacts=[*others, proposed])
    return _started(ask, catalog.contents().resolved, catalog, notifications, sealed, rehearsals, changed)


def get_rehearsal(ask: Ask, rehearsals: Rehearsals, notifications: Notifications, sealed: Sealed) -> object:
    return _answered(ask, ask["rehearsal"], rehearsals, notifications, sealed)


def _started(
    ask: Ask,
    proposed: Mapping[str, Target],
    catalog: Catalog,
    notifications: Notifications,
    sealed: Sealed,
    rehearsals: Rehearsals,
    proposed_settings: NotificationSettings | None = None,
    *,
    estimate: str | None = None,
) -> object:
    settings, alerter = notifications.read(), sealed.alerter()
    wait_s = alerter.figures.get("group_wait_s", USUAL_WAIT_S) if alerter else USUAL_WAIT_S
    before = Settings(catalog.contents().resolved, book.in_force(settings, alerter), wait_s)
    after = replace(
        before,
        targets=proposed,
        book=book.in_force(proposed_settings or settings, alerter),
        wait_s=float(ask.int_param("group_wait_s", round(wait_s), 0, _LONGEST_GROUP_WAIT_S)),
    )
    days = ask.int_param("days", MOST_DAYS, 1, MOST_DAYS)
    # What is refused is refused before anything is calculated for it.
    _wait_s(ask)
    return _answered(ask, rehearsals.start(Proposal(before, after, days, estimate)), rehearsals, notifications, sealed)


def _estimate(ask: Ask, proposed: Mapping[str, Target]) -> str | None:
    """Raises ProblemError 422."""
    name = ask.slug("estimate")
    if name is not None and name not in proposed:
        raise invalid([refused("estimate", name, "the id of a target", ProblemCode.DOES_NOT_FIT)])
    return name


def _wait_s(ask: Ask) -> int:
    """Raises ProblemError 422."""
    return ask.int_param("wait_s", _LONGEST_WAIT_S, 0, _LONGEST_WAIT_S)


def _answered(ask: Ask, name: str, rehearsals: Rehearsals, notifications: Notifications, sealed: Sealed) -> Row:
    progress_pct, found = rehearsals.job(name).awaited(_wait_s(ask))
    if found is None:
        return {"id": name, "progress_pct": progress_pct, "from": None, "to": None, "result": None}
    is_mail_set_up = book.is_mail_set_up(notifications.read(), sealed.alerter())
    result = _result(found) | {"is_mail_set_up": is_mail_set_up}
    return {"id": name, "progress_pct": progress_pct, "from": found.start, "to": found.end, "result": result}


def _result(found: Rehearsal) -> Row:
    sites = sorted({site for _, site in found.unasked})
    return {
        "recorded_from": found.recorded_from,
        "targets": len(found.settings.targets),
        "is_of_all": found.is_of_all,
        "changed": found.changed[:_MOST_CHANGED],
        "changed_count": len(found.changed),
        "not_played": found.not_played,
        "not_measured": [one for one in found.not_played if one in NOT_MEASURED],
        "estimable": found.estimable[:_MOST_CHANGED],
        "estimate": _estimate_row(found.estimate),
        "unasked": sites,
        "before": _side(found.before, found.today, found.changed),
        "after": _side(found.after, found.settings, found.changed),
        "appear": _incidents(found.difference.appear, found.after),
        "vanish": _incidents(found.difference.vanish, found.before),
    }


def _estimate_row(one: Estimate | None) -> Row | None:
    if one is None:
        return None
    return {
        "target": one.target,
        "options": one.options,
        "from": one.start,
        "cycles": one.cycles,
        "recorded": one.recorded,
        "before": one.before,
        "after": one.after,
        "assumed": one.assumed,
    }


def _side(played: Played, settings: Settings, changed: Iterable[str]) -> Row:
    pages = settings.book
    names = {to: one.name for one in pages.contacts.values() for to in addresses(one.id, pages)}
    sent = played.sent
    withdrawn = Counter(one.to for one in played.notices if one.is_withdrawn)
    told = {one.incident for one in played.notices if one.is_sent}
    return {
        "group_wait_s": settings.wait_s,
        "incidents": len(played.outcomes),
        "severities": Counter(_severity(one) for one in played.outcomes),
        "untold": sum(one.id not in told for one in played.outcomes),
        "notices": sum(sent.values()),
        "recipients": [
            {"to": to, "name": names.get(to, ""), "notices": sent[to], "withdrawn": withdrawn[to]}
            for to in sorted({*sent, *withdrawn}, key=lambda one: (-sent[one], one))
        ],
        "seconds": _seconds(played, settings.targets),
        "changed_seconds": _seconds(played, changed),
    }


def _seconds(played: Played, names: Iterable[str]) -> dict[str, float]:
    total: Counter[VerdictState] = Counter()
    for name in names:
        total.update(played.ms.get(name, {}))
    return {state: total[state] / 1000 for state in VerdictState}


def _incidents(outcomes: Iterable[Outcome], played: Played) -> Row:
    found = sorted(outcomes, key=lambda one: (one.incident.opened_at, one.id), reverse=True)
    first = {one.id for one in found[:_MOST_INCIDENTS]}
    notices: dict[str, list[str]] = {}
    for one in played.notices:
        if one.is_sent and one.incident in first:
            notices.setdefault(one.incident, []).append(one.to)
    return {"count": len(found), "first": [_incident(one, notices.get(one.id, [])) for one in found[:_MOST_INCIDENTS]]}


def _incident(one: Outcome, told: list[str]) -> Row:
    incident = one.incident
    return {
        "kind": incident.kind,
        "severity": _severity(one),
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "cause": incident.cause,
        "code": incident.code,
        "targets": incident.targets[:_MOST_NAMED],
        "members": len(one.members),
        "notices": len(told),
        "recipients": [*dict.fromkeys(told)][:_MOST_NAMED],
        "reasons": one.reasons,
    }


def _severity(one: Outcome) -> str:
    return one.incident.severity or severity(one.incident)


_QUERY: Final = (
    Query(
        "days",
        "over how many of the last days",
        {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": MOST_DAYS},
    ),
    Query(
        "group_wait_s",
        "as if NOC_GROUP_WAIT_S were so many seconds; left out: as it is",
        {"type": "integer", "minimum": 0, "maximum": _LONGEST_GROUP_WAIT_S},
    ),
)
_ESTIMATE: Final = Query(
    "estimate",
    "the target whose site states are to be estimated from its cycles, where its `down_after`, `up_after` or limits for DEGRADED would change",
    SLUG,
)
_WAIT: Final = Query(
    "wait_s",
    "how long to wait for it; where it is not there by then, `progress_pct` is below 100 and `result` null: ask for it by its id",
    {"type": "integer", "minimum": 0, "maximum": _LONGEST_WAIT_S, "default": _LONGEST_WAIT_S},
)
ROUTES = (
    Route(
        "POST",
        "/rehearsals/targets/{target}",
        "operator",
        "What a target with these options would have done over the last days, beside what it would have done without; nothing is changed. What its sites would have called it is estimated from its cycles where other limits decide it.",
        rehearse_target,
        body=TargetChanges,
        answer=answers.Rehearsed,
        query=(*_QUERY, _WAIT),
        work="history",
    ),
    Route(
        "POST",
        "/rehearsals/groups",
        "operator",
        "The same of the defaults for all targets.",
        rehearse_defaults,
        body=GroupOptions,
        answer=answers.Rehearsed,
        query=(*_QUERY, _ESTIMATE, _WAIT),
        work="history",
    ),
    Route(
        "POST",
        "/rehearsals/groups/{path}",
        "operator",
        "The same of a group's options.",
        rehearse_group,
        body=GroupOptions,
        answer=answers.Rehearsed,
        query=(*_QUERY, _ESTIMATE, _WAIT),
        work="history",
    ),
    Route(
        "POST",
        "/rehearsals/notification-routes/{route}",
        "admin",
        "The same of a route of notifications, added or replaced.",
        rehearse_route,
        body=RouteFields,
        answer=answers.Rehearsed,
        query=(*_QUERY, _WAIT),
        work="history",
    ),
    Route(
        "POST",
        "/rehearsals/contacts/{contact}",
        "admin",
        "The same of a contact, added or replaced.",
        rehearse_contact,
        body=ContactFields,
        answer=answers.Rehearsed,
        query=(*_QUERY, _WAIT),
        work="history",
    ),
    Route(
        "GET",
        "/rehearsals/{rehearsal}",
        "operator",
        "A rehearsal by its id, of the last few.",
        get_rehearsal,
        answer=answers.Rehearsed,
        query=(_WAIT,),
        work="history",
    ),
)
