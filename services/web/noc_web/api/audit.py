"""Who changed what, when."""

from __future__ import annotations

from noc_web.api import answers
from noc_web.api.route import Ask, Query, Route
from noc_web.catalog.catalog import Catalog


def list_audit(ask: Ask, catalog: Catalog) -> object:
    return {"audit": catalog.audit(ask.int_param("most", 500, 1, 10_000))}


ROUTES = (
    Route(
        "GET",
        "/audit",
        "admin",
        "The newest changes and log-ins.",
        list_audit,
        answer=answers.Audit,
        query=(Query("most", "how many", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 500}),),
    ),
)
