"""Puts the table of routes onto Flask: guard, handler, answer."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from noc_web.api import ROUTES
from noc_web.api.route import ROOT, Ask, Route
from noc_web.json import encode
from noc_web.parts import Parts


def blueprint(parts: Parts) -> Blueprint:
    api = Blueprint("api", __name__, url_prefix=ROOT)
    for route in ROUTES:
        rule = route.path.replace("{path}", "<path:path>").replace("{", "<").replace("}", ">")
        api.add_url_rule(
            rule, f"{route.method} {route.path}".replace(".", "-"), _view(parts, route), methods=[route.method]
        )
    return api


def _view(parts: Parts, route: Route) -> Callable[..., Response]:
    def view(**variables: str) -> Response:
        # Set before anything reads the body.
        request.max_content_length = route.most_bytes
        actor = parts.guard.admit(request, route.role, before_password=route.before_password)
        ask = Ask(actor, variables, request.args, request.get_data())
        answer = route.handler(parts, ask)
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response(status=204)
        return Response(encode(answer), route.status, mimetype="application/json")

    return view
