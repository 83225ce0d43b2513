"""The pages for logging in and out and choosing a password: plain forms, no script needed."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request
from flask import session as cookie
from werkzeug.wrappers import Response

from noc_frame import log
from noc_web.auth import own_password
from noc_web.auth.accounts import Accounts
from noc_web.auth.author import Author
from noc_web.auth.client import client_address
from noc_web.auth.guard import COOKIE_KEY, Guard
from noc_web.auth.throttle import WINDOW_S, Throttle
from noc_web.catalog.catalog import Catalog
from noc_web.config import Config
from noc_web.problem import ProblemError

Answer = Response | str | tuple[str, int]
_MOST_TYPED: Final = 200
FAILURES: Final = 5
# More than for one name: a whole office may come from one address.
FAILURES_OF_ADDRESS: Final = 20
_BROWSER: Final = "browser"
_NAMES_OF_BROWSER: Final = 5
# No name of a user can have a space.
_MADE_UP: Final = "unknown names"
_log = log.get("noc.web")


def blueprint(config: Config, guard: Guard, accounts: Accounts, catalog: Catalog) -> Blueprint:
    pages = Blueprint("auth", __name__)
    login, password = LoginPages(config, guard, accounts, catalog), PasswordPages(config, guard, accounts, catalog)
    pages.add_url_rule("/login", view_func=login.show, endpoint="login_form", methods=["GET"])
    pages.add_url_rule("/login", view_func=login.log_in, methods=["POST"])
    pages.add_url_rule("/logout", view_func=login.log_out, methods=["POST"])
    pages.add_url_rule("/password", view_func=password.show, endpoint="password_form", methods=["GET"])
    pages.add_url_rule("/password", view_func=password.change, methods=["POST"])
    return pages


class LoginPages:
    def __init__(self, config: Config, guard: Guard, accounts: Accounts, catalog: Catalog) -> None:
        self._config = config
        self._guard = guard
        self._accounts = accounts
        self._catalog = catalog
        self._throttle = Throttle()

    def show(self) -> Answer:
        if self._guard.actor(request):
            return redirect(_next())
        return render_template("login.html", next=_next(), problem=None, name="")

    def log_in(self) -> Answer:
        self._guard.check_form(request)
        name = request.form.get("username", "")[:_MOST_TYPED]
        address = client_address(request, self._config.trusted_proxies)
        limits = self._limits(name, address)
        wait_s = self._throttle.wait_s(limits, time.monotonic())
        if wait_s:
            _log.warning(f"log-in of {name!r} from {address} refused: too many failures")
            self._note_refused(name, address)
            return _refused(name, f"Too many failed attempts; try again in {int(wait_s // 60) + 1} minutes.", 429)
        found = self._accounts.log_in(name, request.form.get("password", ""))
        if found is None:
            self._throttle.failed(limits, time.monotonic())
            _log.warning(f"log-in of {name!r} from {address} failed")
            self._catalog.note_repeated(name[:64], "log-in failed", address, WINDOW_S * 1000)
            return _refused(name, "Name or password is wrong.", 401)
        self._throttle.succeeded(limits)
        secret, actor = found
        self._accounts.note_place(actor.name, address)
        self._catalog.note(Author(actor.name, address), "log in", address)
        # A new cookie, so that nobody can plant the one they know.
        browser = _browser()
        cookie.clear()
        cookie.permanent = True
        cookie[COOKIE_KEY] = secret
        names = [actor.name, *(one for one in browser["names"] if one != actor.name)]
        cookie[_BROWSER] = browser | {"names": names[:_NAMES_OF_BROWSER]}
        return redirect("/password" if actor.must_change_password else _next())

    def _note_refused(self, name: str, address: str) -> None:
        # Who is refused for their address could fill the audit with names that they make up.
        new_as = None if self._accounts.password_print(name) else _MADE_UP
        self._catalog.note_repeated(name[:64], "log-in failed", address, WINDOW_S * 1000, new_as=new_as)

    def _limits(self, name: str, address: str) -> dict[str, int]:
        """What counts failures of this attempt, and how many. Whoever guesses elsewhere keeps nobody out where they have been.

        A password that was reset has no failures yet: its print is in the key.
        """
        account = self._accounts.password_print(name)
        browser = _browser()
        if name in browser["names"]:
            return {f"name {name} {account} in browser {browser['id']}": FAILURES}
        if self._config.public_url and not self._config.trusted_proxies:
            # Behind a proxy that no setting names, everybody comes from its address.
            return {f"name {name} {account}": FAILURES}
        if self._accounts.was_at(name, address):
            return {f"name {name} {account} at {address}": FAILURES}
        return {f"name {name} {account}": FAILURES, f"address {address}": FAILURES_OF_ADDRESS}

    def log_out(self) -> Answer:
        self._guard.check_form(request)
        secret = cookie.get(COOKIE_KEY)
        if isinstance(secret, str):
            self._accounts.log_out(secret)
        browser = _browser()
        cookie.clear()
        cookie[_BROWSER] = browser
        return redirect("/login")


class PasswordPages:
    def __init__(self, config: Config, guard: Guard, accounts: Accounts, catalog: Catalog) -> None:
        self._config = config
        self._guard = guard
        self._accounts = accounts
        self._catalog = catalog

    def show(self) -> Answer:
        actor = self._guard.actor(request)
        if actor is None:
            return redirect("/login?next=/password")
        return render_template("password.html", actor=actor, problem=None)

    def change(self) -> Answer:
        actor = self._guard.admit(request, "viewer", before_password=True)
        new = request.form.get("new", "")
        if new != request.form.get("again", ""):
            sentence = "The two new passwords differ; type the same one twice."
            return render_template("password.html", actor=actor, problem=sentence), 422
        try:
            own_password.change(
                actor,
                request.form.get("current"),
                new,
                accounts=self._accounts,
                catalog=self._catalog,
                config=self._config,
            )
        except ProblemError as problem:
            return render_template("password.html", actor=actor, problem=problem.detail), problem.status
        return redirect("/")


def _browser() -> dict[str, Any]:
    """This browser's own name and who has logged in there; the cookie's signature says that we wrote it."""
    found = cookie.get(_BROWSER)
    return found if isinstance(found, dict) else {"id": secrets.token_hex(8), "names": []}


def _next() -> str:
    """Where to go after logging in: a path of ours, never another host."""
    wanted = request.values.get("next", "/")
    is_ours = wanted.startswith("/") and not wanted.startswith("//") and wanted.isprintable() and "\\" not in wanted
    return wanted if is_ours else "/"


def _refused(name: str, sentence: str, status: int) -> Answer:
    return render_template("login.html", next=_next(), problem=sentence, name=name), status
