"""Incidents, open and over, acknowledging one, and what people write of it."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from noc_bus.messages import SLUG as SLUG_FORM
from noc_bus.messages import GoodPath, Incident, IncidentAnswer
from noc_bus.time import Time
from noc_history.store import Store
from noc_rules.incident import MAX_MEMBERS_TOLD
from noc_rules.routes import Evidence, broken_off, evidence
from noc_web.api import answers
from noc_web.api.bodies import Acknowledging, Commenting, PostMortemChange
from noc_web.api.history import LONGEST_MS
from noc_web.api.route import PERIOD, SLUG, Ask, Query, Route
from noc_web.catalog.catalog import Catalog
from noc_web.json import Row
from noc_web.live.incidentqueries import IncidentQueries
from noc_web.live.picture import Picture, check_alerter
from noc_web.live.revision import Revisions
from noc_web.problem import FieldError, ProblemError, invalid
from noc_web.publisher import Publisher

_MOST_MEMBERS: Final = 1_000_000
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


def get_incident(ask: Ask, revisions: Revisions, picture: Picture, incident_queries: IncidentQueries) -> object:
    found = _asked(ask, picture, incident_queries)
    if found is None:
        # Without the alerter there is what the bus says of an open one.
        incident = _on_bus(ask, revisions, picture)
        return {"incident": incident, "timeline": [], "post_mortem": None, "mails": [], "complete": False}
    assert found.incident is not None
    return {
        "incident": found.incident,
        "timeline": found.timeline,
        "post_mortem": found.post_mortem,
        "mails": found.mails,
        "complete": True,
    }


def list_members(ask: Ask, revisions: Revisions, picture: Picture, incident_queries: IncidentQueries) -> object:
    offset = ask.int_param("offset", 0, 0, _MOST_MEMBERS)
    limit = ask.int_param("limit", MAX_MEMBERS_TOLD, 1, MAX_MEMBERS_TOLD)
    found = _asked(ask, picture, incident_queries, offset, limit)
    if found is None:
        incident = _on_bus(ask, revisions, picture)
        members = incident.members[offset : offset + limit]
        is_complete = len(incident.members) >= incident.total_members
        return {
            "members": members,
            "total": max(incident.total_members, len(incident.members)),
            "complete": is_complete,
        }
    assert found.incident is not None
    total = max(found.incident.total_members, len(found.incident.members))
    return {"members": found.members, "total": total, "complete": True}


def list_paths(
    ask: Ask, revisions: Revisions, picture: Picture, incident_queries: IncidentQueries, store: Store
) -> object:
    found = _asked(ask, picture, incident_queries)
    incident = _on_bus(ask, revisions, picture) if found is None or found.incident is None else found.incident
    if not incident.targets:
        return {"target": None, "sites": []}
    target, end = incident.targets[0], incident.resolved_at or Time.now()
    traces = store.traces([target], Time(0), end).get(target, ())
    return {"target": target, "sites": [_paths_of(one) for one in evidence(traces, incident.opened_at, end)]}


def _paths_of(one: Evidence) -> Row:
    text = None
    if one.broken is not None:
        good = GoodPath(at=one.good.at, address=one.good.address, hops=one.good.hops) if one.good else None
        text = broken_off(replace(one.broken, last_good=good))
    return {"site": one.site, "broken": one.broken, "good": one.good, "text": text}


def _asked(
    ask: Ask, picture: Picture, incident_queries: IncidentQueries, offset: int = 0, limit: int = 0
) -> IncidentAnswer | None:
    """What the alerter keeps of it; None: it does not answer. Raises ProblemError 404."""
    _check_name(ask)
    # Nobody is to wait for one that is known to be away.
    found = incident_queries.ask(ask["incident"], offset, limit) if picture.services().get("alerter") else None
    if found is not None and found.incident is None:
        raise _unknown(ask)
    return found


def _check_name(ask: Ask) -> None:
    """Raises ProblemError 404 for what no incident can be called."""
    if not re.fullmatch(SLUG_FORM, ask["incident"]):
        raise _unknown(ask)


def _unknown(ask: Ask) -> ProblemError:
    return ProblemError(404, f"No incident {ask['incident'][:80]!r} is known.")


def acknowledge(ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions) -> object:
    name = _open(ask, revisions).id
    given = ask.read(Acknowledging) if ask.raw else Acknowledging()
    publisher.acknowledge(name, ask.actor.name, given.comment, given.minutes)
    detail = {"comment": given.comment, "minutes": given.minutes}
    catalog.note(ask.actor.signature, "acknowledge incident", name, detail)
    return None


def withdraw(ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions) -> object:
    name = _open(ask, revisions).id
    publisher.acknowledge(name, ask.actor.name, withdrawn=True)
    catalog.note(ask.actor.signature, "withdraw acknowledgement", name)
    return None


def comment(ask: Ask, catalog: Catalog, picture: Picture, incident_queries: IncidentQueries) -> object:
    given = ask.read(Commenting)
    text = given.comment.strip()
    if not text:
        raise invalid([FieldError("comment", "Write something.")])
    _check_keeper(ask, picture)
    _kept(ask, incident_queries.comment(ask["incident"], ask.actor.name, text))
    catalog.note(ask.actor.signature, "comment on incident", ask["incident"], {"comment": text})
    return None


def write_post_mortem(ask: Ask, catalog: Catalog, picture: Picture, incident_queries: IncidentQueries) -> object:
    given = ask.read(PostMortemChange)
    text = given.text.strip()
    _check_keeper(ask, picture)
    answer = incident_queries.write_post_mortem(ask["incident"], ask.actor.name, text, given.replaces)
    found = _kept(ask, answer).post_mortem
    is_kept = (found.by, found.text) == (ask.actor.name, text) if found else not text
    if not is_kept:
        whose = f"{found.by} has changed it at {found.at}" if found else "It has been removed"
        raise ProblemError(409, f"{whose} since you read it; read it again and put in what you want.")
    catalog.note(ask.actor.signature, "write post-mortem of incident", ask["incident"], {"text": text})
    return None


def _check_keeper(ask: Ask, picture: Picture) -> None:
    """Raises ProblemError 404, 409."""
    _check_name(ask)
    check_alerter(picture, "keeps what is written of incidents")


def _kept(ask: Ask, answer: IncidentAnswer | None) -> IncidentAnswer:
    """Raises ProblemError 404, 503."""
    if answer is None:
        sentence = "The alerter has not answered in time; look at the incident whether it is kept before you try again."
        raise ProblemError(503, sentence)
    if answer.incident is None:
        raise _unknown(ask)
    return answer


def _on_bus(ask: Ask, revisions: Revisions, picture: Picture) -> Incident:
    """Without the alerter's answer: the open incident that the path names. Raises ProblemError 409, 503."""
    found = _found(ask, revisions)
    if found is None:
        check_alerter(picture, "keeps the incidents that are over")
        raise ProblemError(503, "The alerter, which keeps the incidents that are over, has not answered in time.")
    return found


def _open(ask: Ask, revisions: Revisions) -> Incident:
    """The open incident that the path names. Raises ProblemError 404."""
    found = _found(ask, revisions)
    if found is None:
        raise ProblemError(404, f"No incident {ask['incident'][:80]!r} is open.")
    return found


def _found(ask: Ask, revisions: Revisions) -> Incident | None:
    return next((one for one in revisions.incidents() if one.id == ask["incident"]), None)


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
        "GET",
        "/incidents/{incident}",
        "viewer",
        "An incident, open or over, with its timeline and who was mailed.",
        get_incident,
        answer=answers.KeptIncident,
        work="history",
    ),
    Route(
        "GET",
        "/incidents/{incident}/members",
        "viewer",
        "A page of the targets that are or were part of an incident, critical ones first.",
        list_members,
        answer=answers.Members,
        query=(
            Query("offset", "how many to leave out", {"type": "integer", "minimum": 0, "maximum": _MOST_MEMBERS}),
            Query("limit", "how many to tell", {"type": "integer", "minimum": 1, "maximum": MAX_MEMBERS_TOLD}),
        ),
        work="history",
    ),
    Route(
        "GET",
        "/incidents/{incident}/paths",
        "viewer",
        "How far the paths to the target of an incident came, beside the last whole ones.",
        list_paths,
        answer=answers.IncidentPaths,
        work="history",
    ),
    Route(
        "POST",
        "/incidents/{incident}/acknowledge",
        "operator",
        "Acknowledge an open incident.",
        acknowledge,
        body=Acknowledging,
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
    Route(
        "POST",
        "/incidents/{incident}/comments",
        "operator",
        "Comment on an incident, open or over: a line of its timeline.",
        comment,
        body=Commenting,
        status=204,
        work="history",
    ),
    Route(
        "PUT",
        "/incidents/{incident}/post-mortem",
        "operator",
        "Write the post-mortem note of an incident, open or over, in place of the one that there is; an empty text removes it.",
        write_post_mortem,
        body=PostMortemChange,
        status=204,
        work="history",
    ),
)
