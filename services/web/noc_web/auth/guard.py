"""Finds out who a request comes from, and refuses what they may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flask import Request
from flask import session as cookie
from flask_wtf.csrf import CSRFError, CSRFProtect

from noc_web.auth.accounts import Accounts
from noc_web.auth.actor import Actor, Role
from noc_web.auth.client import Network, client_address
from noc_web.problem import ProblemCode, ProblemError

COOKIE_KEY: Final = "log-in"
"""Under it the signed cookie has the secret of the session."""
LOG_IN_FIRST: Final = "Log in, or send a valid token as Authorization: Bearer."
_CHANGING: Final = ("POST", "PUT", "PATCH", "DELETE")
_BEARER: Final = "bearer"


class Guard:
    def __init__(self, accounts: Accounts, csrf: CSRFProtect, trusted: Sequence[Network] = ()) -> None:
        """`trusted`: the proxies that say from where a request comes."""
        self._accounts = accounts
        self._csrf = csrf
        self._trusted = trusted

    def actor(self, request: Request) -> Actor | None:
        """A token wins over a cookie; a wrong token is nobody."""
        actor = self._actor(request)
        return replace(actor, origin=client_address(request, self._trusted)) if actor else None

    def _actor(self, request: Request) -> Actor | None:
        header = request.headers.get("Authorization", "")
        if header:
            scheme, _, token = header.partition(" ")
            return self._accounts.whose_token(token) if scheme.lower() == _BEARER else None
        secret = cookie.get(COOKIE_KEY)
        return self._accounts.who(secret) if isinstance(secret, str) else None

    def admit(self, request: Request, role: Role, *, before_password: bool = False) -> Actor:
        """Who it is, where they may. Raises ProblemError 401, 403.

        `before_password`: also somebody who has not replaced the one-time secret yet.
        """
        actor = self.actor(request)
        if actor is None:
            raise ProblemError(401, LOG_IN_FIRST)
        if actor.session and request.method in _CHANGING:
            self.check_form(request)
        if actor.must_change_password and not before_password:
            raise ProblemError(403, "Choose a password first.", code=ProblemCode.CHOOSE_PASSWORD)
        if not actor.may_enter(area_of(request.path)):
            raise ProblemError(403, f"The token {actor.name} is for {', '.join(actor.areas)} only.")
        if not actor.may(role):
            raise ProblemError(403, f"This needs the role {role}; {actor.name} has the role {actor.role}.")
        return actor

    def check_form(self, request: Request) -> None:
        """That the request comes from a page of ours (its token in a field or in X-CSRFToken). Raises ProblemError 400."""
        try:
            self._csrf.protect()
        except CSRFError as error:
            sentence = f"{error.description} Reload the page."
            raise ProblemError(400, sentence, code=ProblemCode.STALE_PAGE) from None


def area_of(path: str) -> str:
    """What of the API a path belongs to, by its first word: targets, reports, metrics."""
    return path.removeprefix("/api/v1").strip("/").partition("/")[0]
