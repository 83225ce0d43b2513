"""On demand: a check of a target now, the path to it, the last path each site found; any address from any site."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import AddressRequest, At
from noc_web.api.route import Ask, Route
from noc_web.api.targets import target_in_force
from noc_web.catalog.catalog import Catalog
from noc_web.catalog.options import TARGET, checked
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
    _check_online(site, is_online=known[site])
    # Noted first: the reply may be here before the command's sending has returned.
    request = requests.asked(ask.actor.name)
    publisher.command(verb, site, request, target=target.id)
    return {"request": request, "site": site}


def ping_address(ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions, requests: Requests) -> object:
    return _about_address(ask, catalog, publisher, revisions, requests, "ping")


def trace_address(ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions, requests: Requests) -> object:
    return _about_address(ask, catalog, publisher, revisions, requests, "trace")


def _about_address(
    ask: Ask, catalog: Catalog, publisher: Publisher, revisions: Revisions, requests: Requests, verb: str
) -> Row:
    """What may be no target may not be tried either."""
    given = ask.read(AddressRequest).address
    address = checked({"address": given}, {"address": TARGET["address"]})["address"]
    row = next((row for row in revisions.sites() if row.id == ask["site"]), None)
    if row is None:
        raise ProblemError(404, f"There is no site {ask['site'][:80]!r}.")
    _check_online(row.id, is_online=row.online)
    request = requests.asked_about_address(ask.actor.name)
    publisher.command(verb, row.id, request, address=address)
    catalog.note(ask.actor.signature, f"{verb} from site", row.id, {"address": address})
    return {"request": request, "site": row.id}


def _check_online(site: str, *, is_online: bool) -> None:
    if not is_online:
        raise ProblemError(409, f"The prober of the site {site} is not online now.", code=ProblemCode.OFFLINE)


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
    Route(
        "POST",
        "/sites/{site}/ping",
        "operator",
        "Have a site send a few echo requests to any address; the replies come by MQTT and to the browser.",
        ping_address,
        body=AddressRequest,
        answer=answers.Asked,
        status=202,
    ),
    Route(
        "POST",
        "/sites/{site}/trace",
        "operator",
        "Have a site follow the path to any address; the reply comes by MQTT and to the browser.",
        trace_address,
        body=AddressRequest,
        answer=answers.Asked,
        status=202,
    ),
)
