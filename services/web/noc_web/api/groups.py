"""Groups: options that all targets below a path inherit."""

from __future__ import annotations

from collections import Counter

from noc_rules.inheritance import chain
from noc_web.api import answers
from noc_web.api.bodies import GroupOptions
from noc_web.api.route import Ask, Route
from noc_web.parts import Parts
from noc_web.problem import ProblemError


def list_groups(parts: Parts, ask: Ask) -> object:
    return {"groups": _groups(parts)}


def get_group(parts: Parts, ask: Ask) -> object:
    for group in _groups(parts):
        if group["path"] == ask["path"]:
            return group
    raise ProblemError(404, f"There is no group {ask['path'][:80]!r}.")


def put_group(parts: Parts, ask: Ask) -> object:
    parts.catalog.put_group(ask["path"], ask.body, ask.actor.signature)
    return get_group(parts, ask)


def delete_group(parts: Parts, ask: Ask) -> object:
    parts.catalog.delete_group(ask["path"], ask.actor.signature)
    return None


def _groups(parts: Parts) -> list[dict[str, object]]:
    """Those with options and those that targets are in."""
    contents = parts.catalog.contents()
    members = Counter(path for own in contents.targets.values() for path in chain(own.get("group", "")) if path)
    return [
        {"path": path, "options": contents.groups.get(path, {}), "targets": members[path]}
        for path in sorted(members.keys() | contents.groups.keys())
    ]


ROUTES = (
    Route("GET", "/groups", "viewer", "All groups with the options they set.", list_groups, answer=answers.Groups),
    Route("GET", "/groups/{path}", "viewer", "One group.", get_group, answer=answers.Group),
    Route(
        "PUT",
        "/groups/{path}",
        "operator",
        "Set a group's options: every target below inherits those it does not set itself.",
        put_group,
        body=GroupOptions,
        answer=answers.Group,
    ),
    Route(
        "DELETE", "/groups/{path}", "operator", "Forget a group's options; its targets stay.", delete_group, status=204
    ),
)
