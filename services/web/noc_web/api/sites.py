"""Sites: where probers stand."""

from __future__ import annotations

from flask import Response

from noc_bus.messages import Site
from noc_web.api import answers
from noc_web.api.bodies import NewSite, SiteFields
from noc_web.api.route import HISTORY, ROOT, Ask, Route
from noc_web.broker.sites import SiteKeys
from noc_web.catalog.catalog import Catalog
from noc_web.json import encode
from noc_web.live.revision import Revisions
from noc_web.live.rows import SiteRow
from noc_web.problem import ProblemError
from noc_web.publisher import Publisher


def list_sites(ask: Ask, revisions: Revisions) -> object:
    return {"sites": revisions.sites()}


def get_site(ask: Ask, revisions: Revisions) -> object:
    for row in revisions.sites():
        if row.id == ask["site"]:
            return row
    raise ProblemError(404, f"There is no site {ask['site'][:80]!r}.")


def add_site(ask: Ask, catalog: Catalog) -> object:
    site = catalog.add_site(ask.body, ask.actor.signature)
    answer = Response(encode(site), 201, mimetype="application/json")
    answer.headers["Location"] = f"{ROOT}/sites/{site.id}"
    return answer


def put_site(ask: Ask, catalog: Catalog) -> object:
    return catalog.put_site(ask["site"], ask.body, ask.actor.signature)


def delete_site(ask: Ask, catalog: Catalog, site_keys: SiteKeys, publisher: Publisher, revisions: Revisions) -> object:
    site, with_history = ask["site"], ask.with_history()
    row = next((row for row in revisions.sites() if row.id == site), None)
    key = next((one for one in site_keys.listed() if one.site == site), None)
    if row is not None and row.online and with_history and (key is None or key.is_own):
        # Its states would be those of the time before.
        raise _is_running(site)
    if row is not None and not row.configured and key is None:
        _forget_seen(catalog, publisher, row, ask.actor.signature, with_history)
        return None
    site_keys.remove(site, ask.actor.signature, with_history=with_history)
    return None


def _forget_seen(catalog: Catalog, publisher: Publisher, row: SiteRow, who: str, with_history: bool) -> None:
    """A site that nobody set up: only its prober ever spoke of it."""
    if row.online:
        raise _is_running(row.id)
    catalog.forget_seen_site(row.id, who, with_history=with_history)
    publisher.forget_site(row.id)


def _is_running(site: str) -> ProblemError:
    return ProblemError(409, f"The prober of {site} is running, so that the site would come back; stop it first.")


ROUTES = (
    Route("GET", "/sites", "viewer", "All sites and how their probers are.", list_sites, answer=answers.Sites),
    Route("POST", "/sites", "operator", "Set up a site.", add_site, body=NewSite, answer=Site, status=201),
    Route("GET", "/sites/{site}", "viewer", "One site.", get_site, answer=SiteRow),
    Route(
        "PUT",
        "/sites/{site}",
        "operator",
        "Set a site's label, location and anchors, and whether its silence is an incident.",
        put_site,
        body=SiteFields,
        answer=Site,
    ),
    Route(
        "DELETE",
        "/sites/{site}",
        "operator",
        "Forget a site and its key; its history stays, unless it is to go too.",
        delete_site,
        status=204,
        query=HISTORY,
    ),
)
