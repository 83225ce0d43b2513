"""The person who asks: their theme and password."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import MyChanges, PasswordChange
from noc_web.api.route import Ask, Route
from noc_web.auth import own_password
from noc_web.auth.accounts import Accounts
from noc_web.catalog.catalog import Catalog
from noc_web.config import Config


def get_me(ask: Ask) -> object:
    return {"name": ask.actor.name, "role": ask.actor.role, "theme": ask.actor.theme}


def put_me(ask: Ask, accounts: Accounts) -> object:
    theme = ask.read(MyChanges).theme
    accounts.set_theme(ask.actor, theme)
    return {"name": ask.actor.name, "role": ask.actor.role, "theme": theme}


def change_password(ask: Ask, catalog: Catalog, accounts: Accounts, config: Config) -> object:
    change = ask.read(PasswordChange)
    own_password.change(ask.actor, change.current, change.new, accounts=accounts, catalog=catalog, config=config)
    return None


ROUTES = (
    Route("GET", "/me", "viewer", "Who asks, and what they may.", get_me, answer=answers.Me),
    Route("PUT", "/me", "viewer", "Keep the theme: auto, dark or light.", put_me, body=MyChanges, answer=answers.Me),
    Route(
        "POST",
        "/me/password",
        "viewer",
        "Change one's own password; all other sessions end.",
        change_password,
        body=PasswordChange,
        status=204,
        before_password=True,
        work="passwords",
    ),
)
