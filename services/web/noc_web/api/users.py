"""The people who may log in."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import NewUser, UserChange
from noc_web.api.route import Ask, Route
from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog


def list_users(ask: Ask, accounts: Accounts) -> object:
    return {"users": accounts.users()}


def add_user(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    new = ask.read(NewUser)
    accounts.add_user(new.name, new.role, new.password)
    catalog.note(ask.actor.signature, "add user", new.name, {"role": new.role}, after={"role": new.role})
    return next(user for user in accounts.users() if user["name"] == new.name)


def change_user(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    change = ask.read(UserChange)
    before = accounts.change_user(ask["name"], change.role, change.password)
    detail = {"role": change.role, "new password": change.password is not None}
    after = {"role": change.role} if change.role not in (None, before) else {}
    catalog.note(
        ask.actor.signature, "change user", ask["name"], detail, before={"role": before} if after else {}, after=after
    )
    return next(user for user in accounts.users() if user["name"] == ask["name"])


def delete_user(ask: Ask, catalog: Catalog, accounts: Accounts) -> object:
    before = accounts.delete_user(ask["name"])
    catalog.note(ask.actor.signature, "delete user", ask["name"], before={"role": before})
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
