"""One target on demand: a check now, the path to it, and the last path each site found."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import At
from noc_web.api.route import Ask, Route
from noc_web.api.targets import target_in_force
from noc_web.json import Row
from noc_web.live.picture import Picture
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid
from noc_web.publisher import Publisher


def check(ask: Ask, publisher: Publisher, revisions: Revisions, requests: Requests) -> object:
    return _command(ask, publisher, revisions, requests, "check")


def trace(ask: Ask, publisher: Publisher, revisions: Revisions, requests: Requests) -> object:
    return _command(ask, publisher, revisions, requests, "trace")


def traces(ask: Ask, publisher: Publisher, picture: Picture) -> object:
    target = target_in_force(ask, publisher)
    return {"traces": picture.traces(target.id)}


def _command(ask: Ask, publisher: Publisher, revisions: Revisions, requests: Requests, verb: str) -> Row:
    target = target_in_force(ask, publisher)
    site = (ask.read(At) if ask.raw else At()).site
    known = {row.id: row.online for row in revisions.sites()}
    if site is None:
        site = next((name for name, online in known.items() if online), None)
        if site is None:
            raise ProblemError(409, "No site has a prober online now.", code=ProblemCode.OFFLINE)
    if site not in known:
        sentence = f"site: {site[:63]!r} is not a site; use one of {', '.join(known) or 'none, as there is none yet'}."
        raise invalid([FieldError("site", sentence)])
    if not known[site]:
        sentence = f"The prober of the site {site} is not online now."
        raise ProblemError(409, sentence, code=ProblemCode.OFFLINE)
    # Noted first: the reply may be here before the command's sending has returned.
    request = requests.asked(ask.actor.name)
    publisher.command(verb, site, target.id, request)
    return {"request": request, "site": site}


ROUTES = (
    Route(
        "POST",
        "/targets/{target}/check",
        "operator",
        "Have a site ping it now; the reply comes by MQTT and to the browser.",
        check,
        body=At,
        answer=answers.Asked,
        status=202,
    ),
    Route(
        "POST",
        "/targets/{target}/trace",
        "operator",
        "Have a site follow the path to it now; the reply comes by MQTT and to the browser.",
        trace,
        body=At,
        answer=answers.Asked,
        status=202,
    ),
    Route("GET", "/targets/{target}/traces", "viewer", "The last path each site found.", traces, answer=answers.Traces),
)
