"""The person who asks: their theme and password."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.bodies import MyChanges, PasswordChange
from noc_web.api.route import Ask, Route
from noc_web.parts import Parts


def get_me(parts: Parts, ask: Ask) -> object:
    return {"name": ask.actor.name, "role": ask.actor.role, "theme": ask.actor.theme}


def put_me(parts: Parts, ask: Ask) -> object:
    theme = ask.read(MyChanges).theme
    parts.accounts.set_theme(ask.actor, theme)
    return {"name": ask.actor.name, "role": ask.actor.role, "theme": theme}


def change_password(parts: Parts, ask: Ask) -> object:
    change = ask.read(PasswordChange)
    parts.accounts.choose_password(ask.actor, change.current, change.new, parts.config.data)
    parts.catalog.note(ask.actor.signature, "change password", ask.actor.name)
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
