"""Puts the table of routes onto Flask: guard, handler, answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from noc_bus.messages import SLUG
from noc_web.api import ROUTES
from noc_web.api.route import ROOT, Ask, Route
from noc_web.auth.guard import Guard
from noc_web.catalog.options import RESERVED_IDS
from noc_web.json import encode
from noc_web.pools import HISTORY, MAIL, PASSWORDS, REQUESTS, Pool

_POOLS: Final[dict[str, Pool]] = {"short": REQUESTS, "history": HISTORY, "passwords": PASSWORDS, "mail": MAIL}


class TargetConverter(BaseConverter):
    """A target's id in a path: no word that is a route of its own, so that methods such a word has not are refused as such."""

    regex = rf"(?!(?:{'|'.join(RESERVED_IDS)})(?:/|$)){SLUG}"


def blueprint(guard: Guard, given: Mapping[str, object]) -> Blueprint:
    """Every handler gets, of what is given, what its parameters name."""
    api = Blueprint("api", __name__, url_prefix=ROOT)
    api.record_once(lambda state: state.app.url_map.converters.update(target=TargetConverter))
    for route in ROUTES:
        rule = route.path.replace("{path}", "<path:path>").replace("{target}", "<target:target>")
        rule = rule.replace("{", "<").replace("}", ">")
        view = _view(guard, route, _bound(route.handler, given))
        api.add_url_rule(rule, _endpoint(route), view, methods=[route.method])
    return api


def pools() -> dict[str, Pool]:
    """Which threads serve a route, by endpoint, where it says that its work is not like most."""
    return {f"api.{_endpoint(route)}": _POOLS[route.work] for route in ROUTES}


def most_bytes() -> dict[str, int]:
    """How large a body may be, by endpoint, where a route says so."""
    return {f"api.{_endpoint(route)}": route.most_bytes for route in ROUTES if route.most_bytes}


def _endpoint(route: Route) -> str:
    return f"{route.method} {route.path}".replace(".", "-")


def _bound(handler: Callable[..., object], given: Mapping[str, object]) -> Callable[[Ask], object]:
    """Raises KeyError, at the start and not at a request, for a name that nobody gives."""
    return functools.partial(handler, **{name: given[name] for name in _wanted(handler)})


@functools.cache
def _wanted(handler: Callable[..., object]) -> tuple[str, ...]:
    """The names of a handler's parameters but for the first one."""
    return tuple(inspect.signature(handler).parameters)[1:]


def _view(guard: Guard, route: Route, handler: Callable[[Ask], object]) -> Callable[..., Response]:
    def view(**variables: str) -> Response:
        actor = guard.admit(request, route.role, before_password=route.before_password)
        ask = Ask(actor, variables, request.args, request.get_data())
        answer = handler(ask)
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response(status=204)
        return Response(encode(answer), route.status, mimetype="application/json")

    return view
