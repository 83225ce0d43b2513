"""What everything is now: the table of the overview, for machines."""

from __future__ import annotations

from noc_web.api.route import Ask, Route
from noc_web.live.rows import Snapshot
from noc_web.parts import Parts


def status(parts: Parts, ask: Ask) -> object:
    return parts.revisions.current()


ROUTES = (Route("GET", "/status", "viewer", "Every target's and every site's state now.", status, answer=Snapshot),)
