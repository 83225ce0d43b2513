"""What the demonstration adds to the web service: its line in the header, its buttons, its mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.exceptions import NotFound, ServiceUnavailable
from werkzeug.wrappers import Response as Answer

from noc_demo import door
from noc_web.auth.guard import Guard
from noc_web.extension import Extension

ROOT = "/demo"
# Of a page of its own, so that a mail's styles are its own too; and it can do nothing.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"


def extension(path: Path) -> Extension:
    """`path`: where the demonstration answers."""

    def blueprint(guard: Guard) -> Blueprint:
        pages = Blueprint("demo", __name__, url_prefix=ROOT, static_folder="static", template_folder="templates")
        views = _Views(path, guard)
        pages.add_url_rule("/status", view_func=views.status)
        pages.add_url_rule("/events/<event>", view_func=views.call, methods=["POST"])
        pages.add_url_rule("/mails", view_func=views.mails)
        pages.add_url_rule("/mails/<int:number>", view_func=views.mail)
        return pages

    return Extension(blueprint, scripts=(f"{ROOT}/static/bar.js",), stylesheets=(f"{ROOT}/static/demo.css",))


class _Views:
    def __init__(self, path: Path, guard: Guard) -> None:
        self._path = path
        self._guard = guard

    def status(self) -> Any:
        self._guard.admit(request, "viewer")
        return self._ask(ask="status")

    def call(self, event: str) -> Any:
        """Have an event happen now."""
        self._guard.admit(request, "operator")
        if self._ask(ask="call", event=event) is None:
            raise NotFound(f"There is no event {event[:80]!r}.")
        return self._ask(ask="status")

    def mails(self) -> Answer | str:
        if self._guard.actor(request) is None:
            return redirect(f"/login?next={ROOT}/mails")
        return render_template("demo_mails.html", threads=self._ask(ask="mails"))

    def mail(self, number: int) -> Response:
        """One mail as it looks in a mail program."""
        self._guard.admit(request, "viewer")
        found = self._ask(ask="mail", number=number)
        if found is None:
            raise NotFound(f"There is no mail {number}.")
        # A link leads out of the frame, which may not show our own pages.
        html = found["html"].replace("<head>", '<head><base target="_blank">', 1)
        return Response(html, headers={"Content-Security-Policy": _MAIL_POLICY})

    def _ask(self, **question: Any) -> Any:
        try:
            return door.ask(self._path, **question)
        except (OSError, ValueError):
            raise ServiceUnavailable("The demonstration is ending.") from None
