"""The list of targets as a file: CSV or JSON, in and out."""

from __future__ import annotations

from flask import Response

from noc_web.api import answers
from noc_web.api.route import Ask, Query, Route, Text
from noc_web.catalog import table
from noc_web.parts import Parts
from noc_web.problem import ProblemError

_LARGEST_FILE = 16_000_000


def import_targets(parts: Parts, ask: Ask) -> object:
    try:
        text = ask.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProblemError(422, f"The file is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    replace = ask.word("replace", "false", ("true", "false")) == "true"
    added, changed = parts.catalog.import_targets(table.read(text), ask.actor.signature, replace=replace)
    return {"added": added, "changed": changed}


def export_targets(parts: Parts, ask: Ask) -> object:
    form = ask.word("format", "csv", ("csv", "json"))
    contents = parts.catalog.contents()
    if form == "csv":
        text, media_type = table.to_csv(contents.targets), "text/csv"
    else:
        text, media_type = table.to_json(contents.targets, contents.groups), "application/json"
    answer = Response(text, mimetype=media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="noc-targets.{form}"'
    return answer


ROUTES = (
    Route(
        "POST",
        "/targets/import",
        "operator",
        "Add all targets of a CSV or JSON text, or none; every row that is not accepted is named.",
        import_targets,
        body=Text(("text/csv", "application/json")),
        answer=answers.Imported,
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
        "All targets with their own options.",
        export_targets,
        answer=Text(("text/csv", "application/json")),
        query=(Query("format", "csv or json", {"type": "string", "enum": ["csv", "json"], "default": "csv"}),),
    ),
)
