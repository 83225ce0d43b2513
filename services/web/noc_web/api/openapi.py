"""The OpenAPI document, rendered from the table of routes; `python -m noc_web.api.openapi` prints it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from noc_bus.messages import GROUP_PATTERN
from noc_bus.time import Time
from noc_web.api.route import ROOT, SLUG, Ask, Route, Text
from noc_web.auth.accounts import NAME_PATTERN
from noc_web.problem import ProblemCode
from noc_web.reportmails import NAME

# What stands in a path, by its name there.
_VARIABLES: Final = {
    "target": SLUG,
    "site": SLUG,
    "contact": SLUG,
    "route": SLUG,
    "incident": SLUG,
    "maintenance": SLUG,
    "calendar": SLUG,
    "report": {"type": "string", "pattern": f"^{NAME}$"},
    "request": SLUG,
    "rehearsal": SLUG,
    "name": {"type": "string", "pattern": NAME_PATTERN},
    "path": {"type": "string", "minLength": 1, "maxLength": 250, "pattern": GROUP_PATTERN},
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {
            "type": "string",
            "description": "why, for programs; new ones may come: who does not know one goes by the status",
            "examples": sorted(ProblemCode),
        },
        "detail": {"type": "string", "description": "one sentence that names the value and what is accepted"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}, "code": {"type": "string"}},
            },
        },
    },
}


def render(routes: Sequence[Route]) -> dict[str, Any]:
    """The document as plain values."""
    parts = [part for route in routes for side in (route.body, route.answer) for part in _parts(side)]
    types = [part for part in parts if not isinstance(part, Text)]
    described, components = msgspec.json.schema_components(
        types, schema_hook=_schema_of_other, ref_template="#/components/schemas/{name}"
    )
    schemas = dict(zip(map(id, types), described, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NOC",
            "version": version("noc-web"),
            "description": "Browsers use a session cookie and X-CSRFToken, machines a token.",
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components | {"Problem": _PROBLEM},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "noc_session"},
            },
            "responses": {
                "Problem": {
                    "description": "Refused, with the reason.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
        },
    }


def _operation(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": f"Needs the role {route.role}.",
        "tags": [route.path.split("/")[1]],
        "responses": {
            str(route.status): {"description": "Done."} | _content(route.answer, schemas),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _VARIABLES[name]}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [
        {"name": query.name, "in": "query", "description": query.meaning, "schema": dict(query.schema)}
        for query in route.query
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True} | _content(route.body, schemas)
    return operation


def _content(side: Any, schemas: dict[int, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for part in _parts(side):
        if isinstance(part, Text):
            content |= {media_type: {"schema": {"type": "string"}} for media_type in part.media_types}
        else:
            content["application/json"] = {"schema": schemas[id(part)]}
    return {"content": content} if content else {}


def _parts(side: Any) -> tuple[Any, ...]:
    if side is None:
        return ()
    return side if isinstance(side, tuple) else (side,)


def _schema_of_other(kind: type) -> dict[str, Any]:
    if kind is Time:
        return {"type": "string", "format": "date-time"}
    raise NotImplementedError


def route(others: Sequence[Route]) -> Route:
    """The route of the document, which describes the others and itself."""

    def openapi_document(ask: Ask) -> object:
        return render((*others, own))

    own = Route("GET", "/openapi.json", "viewer", "This document.", openapi_document, answer=dict[str, Any])
    return own


def main() -> None:
    from noc_web.api import ROUTES  # the table has this module's route in it

    print(json.dumps(render(ROUTES), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
