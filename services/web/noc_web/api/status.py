"""What everything is now: the table of the overview, for machines."""

from __future__ import annotations

from noc_web.api.route import Ask, Route
from noc_web.live.revision import Revisions
from noc_web.live.rows import Snapshot


def status(ask: Ask, revisions: Revisions) -> object:
    return revisions.current()


ROUTES = (Route("GET", "/status", "viewer", "Every target's and every site's state now.", status, answer=Snapshot),)
