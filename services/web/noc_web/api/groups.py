"""Groups: options that all targets below a path inherit."""

from __future__ import annotations

from collections import Counter

from noc_rules.inheritance import chain
from noc_web.api import answers
from noc_web.api.bodies import GroupOptions
from noc_web.api.route import Ask, Route
from noc_web.catalog.catalog import Catalog
from noc_web.problem import ProblemError


def list_groups(ask: Ask, catalog: Catalog) -> object:
    return {"groups": _groups(catalog)}


def get_group(ask: Ask, catalog: Catalog) -> object:
    return _group(catalog, ask["path"])


def put_group(ask: Ask, catalog: Catalog) -> object:
    catalog.put_group(ask["path"], ask.body, ask.actor.signature)
    return _group(catalog, ask["path"])


def delete_group(ask: Ask, catalog: Catalog) -> object:
    catalog.delete_group(ask["path"], ask.actor.signature)
    return None


def put_defaults(ask: Ask, catalog: Catalog) -> object:
    catalog.put_group("", ask.body, ask.actor.signature)
    return _group(catalog, "")


def delete_defaults(ask: Ask, catalog: Catalog) -> object:
    catalog.delete_group("", ask.actor.signature)
    return None


def _group(catalog: Catalog, path: str) -> dict[str, object]:
    """Raises ProblemError 404."""
    for group in _groups(catalog):
        if group["path"] == path:
            return group
    raise ProblemError(404, f"There is no group {path[:80]!r}.")


def _groups(catalog: Catalog) -> list[dict[str, object]]:
    """The root, those with options and those that targets are in."""
    contents = catalog.contents()
    members = Counter(path for own in contents.targets.values() for path in chain(own.get("group", "")))
    return [
        {"path": path, "options": contents.groups.get(path, {}), "targets": members[path]}
        for path in sorted({"", *members, *contents.groups})
    ]


ROUTES = (
    Route("GET", "/groups", "viewer", "All groups with the options they set.", list_groups, answer=answers.Groups),
    Route(
        "PUT",
        "/groups",
        "operator",
        "Set the defaults for all targets: the options of the root, from which every group inherits.",
        put_defaults,
        body=GroupOptions,
        answer=answers.Group,
    ),
    Route("DELETE", "/groups", "operator", "Forget the defaults for all targets.", delete_defaults, status=204),
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
