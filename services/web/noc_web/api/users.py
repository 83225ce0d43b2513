"""The people who may log in."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import NewUser, UserChange
from noc_web.api.route import Ask, Route
from noc_web.parts import Parts


def list_users(parts: Parts, ask: Ask) -> object:
    return {"users": parts.accounts.users()}


def add_user(parts: Parts, ask: Ask) -> object:
    new = ask.read(NewUser)
    parts.accounts.add_user(new.name, new.role, new.password)
    parts.catalog.note(ask.actor.signature, "add user", new.name, {"role": new.role})
    return next(user for user in parts.accounts.users() if user["name"] == new.name)


def change_user(parts: Parts, ask: Ask) -> object:
    change = ask.read(UserChange)
    parts.accounts.change_user(ask["name"], change.role, change.password)
    detail = {"role": change.role, "new password": change.password is not None}
    parts.catalog.note(ask.actor.signature, "change user", ask["name"], detail)
    return next(user for user in parts.accounts.users() if user["name"] == ask["name"])


def delete_user(parts: Parts, ask: Ask) -> object:
    parts.accounts.delete_user(ask["name"])
    parts.catalog.note(ask.actor.signature, "delete user", ask["name"])
    return None


ROUTES = (
    Route("GET", "/users", "admin", "All users.", list_users, answer=answers.Users),
    Route(
        "POST",
        "/users",
        "admin",
        "Add a user.",
        add_user,
        body=NewUser,
        answer=answers.User,
        status=201,
        work="passwords",
    ),
    Route(
        "PUT",
        "/users/{name}",
        "admin",
        "Change a user's role or password; their sessions end.",
        change_user,
        body=UserChange,
        answer=answers.User,
        work="passwords",
    ),
    Route("DELETE", "/users/{name}", "admin", "Delete a user; their sessions end.", delete_user, status=204),
)
