"""Targets as rows of a file: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, Final

from noc_bus.messages import Target
from noc_web.problem import ProblemError

COLUMNS: Final = Target.__struct_fields__
_LISTS: Final = ("sites", "parents", "tags", "contacts")
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WORDS: Final = ("id", "name", "address", "family", "policy", "group", "note")


def to_csv(targets: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a target, its own options only; an empty cell is inherited."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for own in targets.values():
        writer.writerow([_cell(own.get(name)) for name in COLUMNS])
    return out.getvalue()


def to_json(targets: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Mapping[str, Any]]) -> str:
    return json.dumps({"groups": groups, "targets": list(targets.values())}, indent=2, ensure_ascii=False) + "\n"


def read(text: str) -> list[object]:
    """The targets of a CSV or JSON text, not checked yet. Raises ProblemError 422 for what is neither."""
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        return _read_json(text)
    return _read_csv(text)


def _read_json(text: str) -> list[object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(422, f"This is not JSON: {error}.") from None
    rows = found.get("targets") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise ProblemError(422, 'The JSON has no list of targets; use {"targets": […]} or […].')
    return rows


def _read_csv(text: str) -> list[object]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = [name.strip() for name in reader.fieldnames or ()]
    if "address" not in names:
        raise ProblemError(422, f"The first line has no column address; the columns are {', '.join(COLUMNS)}.")
    reader.fieldnames = names
    try:
        return [{name: _value(name, cell) for name, cell in row.items() if name} for row in reader]
    except csv.Error as error:
        raise ProblemError(422, f"This is not CSV: {error}.") from None


def _value(name: str, cell: str | None) -> object:
    """A cell as the API would have it; what cannot be read stays text, and is refused by name later."""
    text = (cell or "").strip()
    # A spreadsheet would take these for formulas, so the export has put an apostrophe before them.
    if text[:2] in ("'=", "'+", "'-", "'@"):
        text = text[1:]
    if not text:
        return None
    if name in _LISTS:
        return [one for one in text.replace(",", " ").split() if one]
    if name in _WORDS:
        return text
    if text.lower() in _TRUTHS and name in ("critical", "paused"):
        return _TRUTHS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return guarded(text)


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
