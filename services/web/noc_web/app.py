"""The Flask application: routes, headers, refusals. Nothing here waits on the event loop."""

from __future__ import annotations

import functools
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import gevent
from flask import Flask, Response, render_template, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestTimeout, Unauthorized

from noc_bus.bus import Bus
from noc_frame import log
from noc_frame.sqlite import DatabaseFault
from noc_history.store import Store, StoreError
from noc_web import health, pages, pools
from noc_web.api import serving
from noc_web.api.route import ROOT
from noc_web.auth import pages as auth_pages
from noc_web.auth.accounts import Accounts
from noc_web.auth.guard import LOG_IN_FIRST, Guard
from noc_web.broker.renewal import Renewal
from noc_web.broker.sites import SiteKeys
from noc_web.calendars import Calendars
from noc_web.catalog.catalog import Catalog
from noc_web.config import SHORTEST_PASSWORD, Config
from noc_web.extension import Extension
from noc_web.live.incidentqueries import IncidentQueries
from noc_web.live.mailtests import MailTests
from noc_web.live.picture import Picture
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.notifications.kept import Notifications, Sealed
from noc_web.pools import Pool
from noc_web.problem import ProblemCode, ProblemError
from noc_web.publisher import Publisher
from noc_web.rehearsal import Rehearsals
from noc_web.report import Reports
from noc_web.reportmails import ReportMails
from noc_web.static_files import Folder, StaticFiles

_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_MOST_BYTES: Final = 1_000_000
# SQLite's extended codes have what went wrong in their lowest byte.
_PRIMARY: Final = 0xFF
_LOG_IN: Final = "auth.log_in"
_LOG_IN_BYTES: Final = 4096
_BODY_S: Final = 30
_LOGIN_LIFE: Final = timedelta(days=7)
_log = log.get("noc.web")


class OffLoop(Flask):
    """Serves requests in threads apart from the event loop, each kind of work in its own pool.

    Nobody's body is read before it is known who they are, but for the small form of a log-in.
    """

    guard: Guard

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.most_bytes: dict[str, int] = {}
        """Endpoints that take larger bodies than the others."""
        self.pools: dict[str, Pool] = {
            _LOG_IN: pools.PASSWORDS,
            "auth.change": pools.PASSWORDS,
        }
        """Endpoints with other work than most."""

    def full_dispatch_request(self) -> Response:
        endpoint = request.endpoint or ""
        if endpoint == health.ON_THE_LOOP:
            return super().full_dispatch_request()
        try:
            self._read_body(endpoint)
            return self.pools.get(endpoint, pools.REQUESTS).run(super().full_dispatch_request)
        except ProblemError as problem:
            return self.finalize_request(problem.response())
        except HTTPException as error:
            # The page that says so asks the database whose it is.
            return self.finalize_request(pools.REQUESTS.run(self.handle_user_exception, error))

    def _read_body(self, endpoint: str) -> None:
        """Here, because only the loop can read from its sockets; the request keeps it for later."""
        if not (request.content_length or request.headers.get("Transfer-Encoding")) or not endpoint:
            return
        if endpoint == _LOG_IN:
            request.max_content_length = _LOG_IN_BYTES
        else:
            if pools.REQUESTS.run(self.guard.actor, request) is None:
                raise Unauthorized(LOG_IN_FIRST)
            request.max_content_length = self.most_bytes.get(endpoint, _MOST_BYTES)
        with gevent.Timeout(_BODY_S, RequestTimeout(f"The body did not arrive within {_BODY_S} seconds.")):
            request.get_data()


def new_app(config: Config) -> tuple[OffLoop, CSRFProtect]:
    """The application without its routes, and its protection against forged forms."""
    app = OffLoop("noc_web", static_folder=None, template_folder="templates")
    app.config.update(
        SECRET_KEY=_secret_key(config.data / "web-cookie.key"),
        SESSION_COOKIE_NAME="__Host-noc_session" if config.is_https else "noc_session",
        SESSION_COOKIE_SECURE=config.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=_LOGIN_LIFE,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        # Behind a proxy the referrer's host is not ours; the token and the cookie's SameSite do the work.
        WTF_CSRF_SSL_STRICT=False,
    )
    return app, CSRFProtect(app)


def add_routes(
    app: OffLoop,
    *,
    config: Config,
    bus: Bus,
    guard: Guard,
    accounts: Accounts,
    catalog: Catalog,
    calendars: Calendars,
    site_keys: SiteKeys,
    renewal: Renewal,
    publisher: Publisher,
    picture: Picture,
    revisions: Revisions,
    requests: Requests,
    mail_tests: MailTests,
    notifications: Notifications,
    sealed: Sealed,
    incident_queries: IncidentQueries,
    store: Store,
    reports: Reports,
    rehearsals: Rehearsals,
    report_mails: ReportMails,
    extensions: Sequence[Extension] = (),
) -> None:
    app.guard = guard
    app.most_bytes = serving.most_bytes()
    app.pools |= serving.pools()
    for_handlers = {
        "config": config,
        "accounts": accounts,
        "catalog": catalog,
        "calendars": calendars,
        "site_keys": site_keys,
        "renewal": renewal,
        "publisher": publisher,
        "picture": picture,
        "revisions": revisions,
        "requests": requests,
        "mail_tests": mail_tests,
        "notifications": notifications,
        "sealed": sealed,
        "incident_queries": incident_queries,
        "store": store,
        "reports": reports,
        "rehearsals": rehearsals,
        "report_mails": report_mails,
    }
    app.register_blueprint(serving.blueprint(guard, for_handlers))
    app.register_blueprint(auth_pages.blueprint(config, guard, accounts, catalog))
    app.register_blueprint(pages.blueprint(guard, config))
    app.register_blueprint(health.blueprint(bus, guard, picture, revisions))
    for extension in extensions:
        app.register_blueprint(extension.blueprint(guard))
    static = StaticFiles(_static_folder(), _headers(config), app.wsgi_app)
    app.wsgi_app = static  # type: ignore[method-assign]  # Flask's own way of putting something before it

    def theme() -> str:
        """Of whoever looks; a page that refuses is one like the others."""
        actor = guard.actor(request)
        return actor.theme if actor else "auto"

    given = {
        "theme": theme,
        "static": static.url,
        "stylesheets": [static.url(name) for name in static.names("", ".css")],
        "scripts": [static.url(name) for name in static.names("", ".js")],
        "extensions": extensions,
        "shortest_password": SHORTEST_PASSWORD,
    }
    app.context_processor(lambda: given)

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in _headers(config).items():
            response.headers.setdefault(name, value)
        response.headers["Cache-Control"] = "no-store"
        return response

    app.register_error_handler(ProblemError, ProblemError.response)
    app.register_error_handler(StoreError, _refuse_without_history)
    app.register_error_handler(DatabaseFault, _refuse_without_database)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(Exception, _fail)


@functools.cache
def _static_folder() -> Folder:
    """Read once by a process, whatever applications it makes."""
    return Folder(Path(__file__).parent / "static")


def _headers(config: Config) -> dict[str, str]:
    """What goes with every answer."""
    return _HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if config.is_https else {})


def _refuse_without_history(error: StoreError) -> Response:
    return _problem(ProblemError(503, f"History cannot be read now: {error}", code=ProblemCode.HISTORY_UNAVAILABLE))


def _refuse_without_database(fault: DatabaseFault) -> Response:
    # Strangers see this too: where the file is, they need not know.
    why = fault.__cause__ or "its file was removed or replaced while it was in use"
    code = getattr(why, "sqlite_errorcode", 0) & _PRIMARY
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _problem(
            ProblemError(503, "Another change is being written; try again in a moment.", code=ProblemCode.BUSY)
        )
    cure = (
        "free disk space in NOC_DATA" if code == sqlite3.SQLITE_FULL else "look at the rights and the disk of NOC_DATA"
    )
    sentence = f"Nothing can be changed now: {why}; {cure}."
    _log.error(sentence, extra=log.values(path=request.path))
    return _problem(ProblemError(503, sentence, code=ProblemCode.DATABASE_UNAVAILABLE))


def _refuse_http(error: HTTPException) -> Response:
    is_unknown = error.description == NotFound.description
    sentence = "There is nothing at this address." if is_unknown else error.description or error.name
    answer = _refusal(error.code or 500, sentence)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _refusal(status: int, sentence: str) -> Response:
    return _problem(ProblemError(status, sentence))


def _problem(problem: ProblemError) -> Response:
    """For machines and the browser's scripts a problem document, for people a page."""
    if request.path.startswith(ROOT):
        return problem.response()
    page = render_template("refused.html", status=problem.status, sentence=problem.detail)
    return Response(page, problem.status)


def _fail(error: Exception) -> Response:
    name = secrets.token_hex(4)
    _log.error(f"request failed, shown as error {name}", extra=log.values(path=request.path), exc_info=error)
    return ProblemError(500, f"Something went wrong here; the log has it as error {name}.").response()


def _secret_key(path: Path) -> bytes:
    """Signs the cookies; the same after a restart, so that nobody is logged out by it."""
    # Empty where the disk was full when it was made.
    if not path.exists() or not path.read_bytes():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()
