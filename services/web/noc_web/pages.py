"""The pages of the browser's application: one table of them, and one shell for all their addresses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import quote

from flask import Blueprint, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from noc_web.auth.guard import Guard
from noc_web.config import Config


@dataclass(frozen=True)
class Page:
    """One page. Its view is what `static/js/views/{name}.js` exports as default."""

    name: str
    address: str
    title: str
    is_linked: bool = True
    """Whether the header links to it."""


# The browser reads the same table from the shell.
PAGES: Final = (
    Page("overview", "/", "Overview"),
    Page("target", "/targets/<id>", "Target", is_linked=False),
    Page("incidents", "/incidents", "Incidents"),
    Page("incident", "/incidents/<id>", "Incident", is_linked=False),
    Page("maintenance", "/maintenance", "Maintenance"),
    Page("history", "/history", "History"),
    Page("reports", "/reports", "Reports"),
    Page("groups", "/groups", "Groups"),
    Page("notifications", "/notifications", "Notifications"),
    Page("settings", "/settings", "Settings"),
)


def blueprint(guard: Guard, config: Config) -> Blueprint:
    pages = Blueprint("pages", __name__)
    table = [asdict(page) for page in PAGES]

    def shell(id: str = "") -> Response | str:  # noqa: A002  # named as in the address
        actor = guard.actor(request)
        if actor is None:
            return redirect(f"/login?next={quote(request.full_path.rstrip('?'))}")
        if actor.must_change_password:
            return redirect("/password")
        return render_template("shell.html", actor=actor, pages=table, config=config)

    def logo() -> Response:
        guard.admit(request, "viewer")
        if config.report_logo is None:
            raise NotFound
        return Response(config.report_logo.content, mimetype=config.report_logo.media_type)

    for page in PAGES:
        pages.add_url_rule(page.address, "shell", shell)
    pages.add_url_rule("/report-logo", "logo", logo)
    return pages
