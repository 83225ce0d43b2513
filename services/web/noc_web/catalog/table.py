"""Targets as rows of a file: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from noc_bus.messages import Target, fields_of
from noc_web.problem import ProblemError

COLUMNS: Final = fields_of(Target)
_LISTS: Final = ("sites", "parents", "tags", "contacts")
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_EMPTY_LIST: Final = "[]"
"""Overrides what the groups say with nothing, where an empty cell inherits it."""
# A spreadsheet would take what begins so for a formula; the apostrophe is here so that it is told from a guard.
_GUARDED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
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
        # Stricter than Python's own: no NaN, and no half characters that could not be written again.
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProblemError(422, f"This is not JSON: {error}.") from None
    rows = found.get("targets") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise ProblemError(422, 'The JSON has no list of targets; use {"targets": […]} or […].')
    return rows


def _read_csv(text: str) -> list[object]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        names, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row] or [[]]
    except csv.Error as error:
        raise ProblemError(422, f"This is not CSV: {error}.") from None
    names = [name.strip() for name in names]
    if "address" not in names:
        raise ProblemError(422, f"The first line has no column address; the columns are {', '.join(COLUMNS)}.")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ProblemError(422, f"The first line has the column {twice[0][:60]!r} twice; name each once.")
    too_long = [f"row {number}" for number, row in enumerate(rows, start=1) if len(row) > len(names)]
    if too_long:
        raise ProblemError(
            422,
            f"There are more cells than the {len(names)} columns in {', '.join(too_long[:20])}; "
            "put a text with a separator in it into double quotes.",
        )
    return [{name: _value(name, cell) for name, cell in zip(names, row, strict=False)} for row in rows]


def _value(name: str, cell: str) -> object:
    """A cell as the API would have it; what cannot be read stays text, and is refused by name later."""
    text = cell if name == "note" else cell.strip()
    if text[:1] == "'" and text[1:2] in _GUARDED:
        text = text[1:]
    if not text:
        return None
    if name in _LISTS:
        if text == _EMPTY_LIST:
            return []
        return [one for one in text.replace(",", " ").split() if one]
    if name in _WORDS:
        return text
    if text.lower() in _TRUTHS and name in ("critical", "paused"):
        return _TRUTHS[text.lower()]
    # Python's own float takes nan, 1_000 and the digits of every script too.
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if value == []:
        return _EMPTY_LIST
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return guarded(text)


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in _GUARDED else text
