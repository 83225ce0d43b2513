"""Puts the table of routes onto Flask: guard, handler, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from noc_bus.messages import SLUG
from noc_web.api import ROUTES
from noc_web.api.route import ROOT, Ask, Route
from noc_web.catalog.options import RESERVED_IDS
from noc_web.json import encode
from noc_web.parts import Parts
from noc_web.pools import HISTORY, PASSWORDS, REQUESTS, Pool

_POOLS: Final[dict[str, Pool]] = {"short": REQUESTS, "history": HISTORY, "passwords": PASSWORDS}


class TargetConverter(BaseConverter):
    """A target's id in a path: no word that is a route of its own, so that methods such a word has not are refused as such."""

    regex = rf"(?!(?:{'|'.join(RESERVED_IDS)})(?:/|$)){SLUG}"


def blueprint(parts: Parts) -> Blueprint:
    api = Blueprint("api", __name__, url_prefix=ROOT)
    api.record_once(lambda state: state.app.url_map.converters.update(target=TargetConverter))
    for route in ROUTES:
        rule = route.path.replace("{path}", "<path:path>").replace("{target}", "<target:target>")
        rule = rule.replace("{", "<").replace("}", ">")
        api.add_url_rule(rule, _endpoint(route), _view(parts, route), methods=[route.method])
    return api


def pools() -> dict[str, Pool]:
    """Which threads serve a route, by endpoint, where it says that its work is not like most."""
    return {f"api.{_endpoint(route)}": _POOLS[route.work] for route in ROUTES}


def most_bytes() -> dict[str, int]:
    """How large a body may be, by endpoint, where a route says so."""
    return {f"api.{_endpoint(route)}": route.most_bytes for route in ROUTES if route.most_bytes}


def _endpoint(route: Route) -> str:
    return f"{route.method} {route.path}".replace(".", "-")


def _view(parts: Parts, route: Route) -> Callable[..., Response]:
    def view(**variables: str) -> Response:
        actor = parts.guard.admit(request, route.role, before_password=route.before_password)
        ask = Ask(actor, variables, request.args, request.get_data())
        answer = route.handler(parts, ask)
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response(status=204)
        return Response(encode(answer), route.status, mimetype="application/json")

    return view
