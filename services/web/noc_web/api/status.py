"""What everything is now: the table of the overview, for machines."""

from __future__ import annotations

from noc_bus.time import Time
from noc_web.api import answers
from noc_web.api.route import Ask, Route
from noc_web.parts import Parts


def status(parts: Parts, ask: Ask) -> object:
    snapshot = parts.revisions.snapshot(Time.now())
    return {name: snapshot[name] for name in ("at", "revision", "kpis", "targets", "sites", "trouble")}


ROUTES = (
    Route("GET", "/status", "viewer", "Every target's and every site's state now.", status, answer=answers.Status),
)
