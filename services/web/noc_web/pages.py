"""The page of the browser's application: one shell for all its addresses."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from noc_web.parts import Parts

# The browser's router knows the same addresses.
_ADDRESSES = ("/", "/targets/<target>", "/incidents", "/reports", "/groups", "/settings")


def blueprint(parts: Parts) -> Blueprint:
    pages = Blueprint("pages", __name__)

    def shell(target: str = "") -> Response | str:
        actor = parts.guard.actor(request)
        if actor is None:
            return redirect(f"/login?next={quote(request.full_path.rstrip('?'))}")
        if actor.must_change_password:
            return redirect("/password")
        return render_template("shell.html", actor=actor, theme=actor.theme)

    for address in _ADDRESSES:
        pages.add_url_rule(address, "shell", shell)
    return pages
