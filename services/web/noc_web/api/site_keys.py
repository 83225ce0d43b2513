"""Keys of sites: with its key, and nothing else, a prober speaks for a site."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import KeyChange, KeyRequest
from noc_web.api.route import Ask, Route
from noc_web.broker.renewal import Renewal
from noc_web.broker.sites import NewKey, SiteKeys, Way


def list_keys(ask: Ask, site_keys: SiteKeys, renewal: Renewal) -> object:
    return {
        "site_keys": site_keys.listed(),
        "certificate": renewal.certificate,
        "site_certificates": site_keys.asked_for(),
    }


def add_key(ask: Ask, site_keys: SiteKeys) -> object:
    return _shown(site_keys.add(ask["site"], _way(ask.read(KeyRequest)), ask.actor.signature))


def rotate_key(ask: Ask, site_keys: SiteKeys) -> object:
    return _shown(site_keys.rotate(ask["site"], _way(ask.read(KeyRequest)), ask.actor.signature))


def _shown(key: NewKey) -> dict[str, object]:
    return {"site": key.site, "join": key.token, "expires_at": key.expires_at, "warning": key.warning}


def _way(wanted: KeyRequest) -> Way:
    return Way(wanted.addresses, wanted.through)


def change_key(ask: Ask, site_keys: SiteKeys) -> object:
    site_keys.set_disabled(ask["site"], is_disabled=ask.read(KeyChange).disabled, who=ask.actor.signature)
    return None


ROUTES = (
    Route(
        "GET",
        "/site-keys",
        "operator",
        "The keys of sites, and by what they know the listener; no secret is in it.",
        list_keys,
        answer=answers.Keys,
    ),
    Route(
        "POST",
        "/site-keys/{site}",
        "admin",
        "Set a site up where it is not yet, and give it its key; it is shown this once.",
        add_key,
        body=KeyRequest,
        answer=answers.NewKey,
        status=201,
    ),
    Route(
        "PUT",
        "/site-keys/{site}",
        "admin",
        "Give a site another key; the one before is worth nothing from now on, and cut off.",
        rotate_key,
        body=KeyRequest,
        answer=answers.NewKey,
    ),
    Route(
        "PATCH",
        "/site-keys/{site}",
        "admin",
        "Let a site in no more, or let it in again.",
        change_key,
        body=KeyChange,
        status=204,
    ),
)
