"""The list of targets."""

from __future__ import annotations

from flask import Response

from noc_bus.messages import Target
from noc_web.api import answers
from noc_web.api.bodies import NewTarget, SavedTarget, TargetChanges
from noc_web.api.route import HISTORY, ROOT, Ask, Route
from noc_web.catalog.catalog import Catalog
from noc_web.json import encode, plain
from noc_web.notifications import book
from noc_web.notifications.kept import Notifications
from noc_web.problem import ProblemError
from noc_web.publisher import Publisher


def list_targets(ask: Ask, catalog: Catalog) -> object:
    contents = catalog.contents()
    return {"targets": [own | {"resolved": contents.resolved[name]} for name, own in sorted(contents.targets.items())]}


def get_target(ask: Ask, catalog: Catalog) -> object:
    contents = catalog.contents()
    own = contents.targets.get(ask["target"])
    if own is None:
        raise ProblemError(404, f"There is no target {ask['target'][:80]!r}.")
    return own | {"resolved": contents.resolved[ask["target"]]}


def add_target(ask: Ask, catalog: Catalog, notifications: Notifications) -> object:
    target = catalog.add_target(ask.body, ask.actor.signature)
    answer = Response(encode(_saved(catalog, notifications, target)), 201, mimetype="application/json")
    answer.headers["Location"] = f"{ROOT}/targets/{target.id}"
    return answer


def put_target(ask: Ask, catalog: Catalog, notifications: Notifications) -> object:
    return _saved(catalog, notifications, catalog.put_target(ask["target"], ask.body, ask.actor.signature))


def patch_target(ask: Ask, catalog: Catalog, notifications: Notifications) -> object:
    return _saved(catalog, notifications, catalog.patch_target(ask["target"], ask.body, ask.actor.signature))


def delete_target(ask: Ask, catalog: Catalog) -> object:
    catalog.delete_target(ask["target"], ask.actor.signature, with_history=ask.with_history())
    return None


def _saved(catalog: Catalog, notifications: Notifications, target: Target) -> object:
    warnings = catalog.warnings_about(target) + book.warnings_about(target, notifications.read())
    return plain(target) | {"warnings": warnings}


def target_in_force(ask: Ask, publisher: Publisher) -> Target:
    """The resolved target that the path names. Raises ProblemError 404."""
    target = publisher.targets.get(ask["target"])
    if target is None:
        raise ProblemError(404, f"There is no target {ask['target'][:80]!r}.")
    return target


ROUTES = (
    Route("GET", "/targets", "viewer", "All targets as they are defined.", list_targets, answer=answers.Targets),
    Route(
        "POST",
        "/targets",
        "operator",
        "Add a target; without an id, one is made of its name or address.",
        add_target,
        body=NewTarget,
        answer=SavedTarget,
        status=201,
    ),
    Route("GET", "/targets/{target}", "viewer", "One target.", get_target, answer=answers.DefinedTarget),
    Route(
        "PUT",
        "/targets/{target}",
        "operator",
        "Set a target's own options; those left out are inherited.",
        put_target,
        body=NewTarget,
        answer=SavedTarget,
    ),
    Route(
        "PATCH",
        "/targets/{target}",
        "operator",
        "Change some of a target's options; null gives one back to its group.",
        patch_target,
        body=TargetChanges,
        answer=SavedTarget,
    ),
    Route(
        "DELETE",
        "/targets/{target}",
        "operator",
        "Delete a target; its history stays, unless it is to go too.",
        delete_target,
        status=204,
        query=HISTORY,
    ),
)
