"""The list of targets as a file: CSV or JSON, in and out."""

from __future__ import annotations

from flask import Response

from noc_web.api.bodies import TargetsBody, TargetsFile
from noc_web.api.route import Ask, Query, Route, Text
from noc_web.catalog import table
from noc_web.catalog.catalog import Catalog, Imported

_LARGEST_FILE = 16_000_000


def import_targets(ask: Ask, catalog: Catalog) -> object:
    replace = ask.choice("replace", "false", ("true", "false")) == "true"
    return catalog.import_listing(table.read(ask.raw), ask.actor.signature, replace=replace)


def export_targets(ask: Ask, catalog: Catalog) -> object:
    form = ask.choice("format", "csv", ("csv", "json"))
    contents = catalog.contents()
    if form == "csv":
        text, media_type = table.to_csv(contents.targets), "text/csv"
    else:
        text, media_type = table.to_json(contents.targets, contents.groups, contents.sites), "application/json"
    answer = Response(text, mimetype=media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="noc-targets.{form}"'
    return answer


ROUTES = (
    Route(
        "POST",
        "/targets/import",
        "operator",
        "Add all targets (of a JSON text also groups and sites), or none; every row that is not accepted is named.",
        import_targets,
        body=(Text(("text/csv",)), TargetsBody),
        answer=Imported,
        query=(
            Query(
                "replace",
                "true: also change targets that exist",
                {"type": "string", "enum": ["true", "false"], "default": "false"},
            ),
        ),
        most_bytes=_LARGEST_FILE,
    ),
    Route(
        "GET",
        "/targets/export",
        "viewer",
        "All targets with their own options; as JSON also groups and sites.",
        export_targets,
        answer=(Text(("text/csv",)), TargetsFile),
        query=(Query("format", "csv or json", {"type": "string", "enum": ["csv", "json"], "default": "csv"}),),
    ),
)
