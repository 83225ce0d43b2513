"""Targets as rows of a file: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from noc_bus.messages import Site
from noc_web.catalog.options import SITE, TARGET
from noc_web.json import decode, plain
from noc_web.problem import ProblemCode, ProblemError

COLUMNS: Final = tuple(TARGET)
MOST_ROWS: Final = 50_000
# Of empty ones and breaks within cells too.
_MOST_LINES: Final = 20 * MOST_ROWS
# As many columns as a sheet of Excel's has.
_MOST_CELLS: Final = 16_384
_LISTS: Final = tuple(name for name, option in TARGET.items() if option.kind == "array")
_TRUTHS: Final = tuple(name for name, option in TARGET.items() if option.kind == "boolean")
_WHOLE: Final = tuple(name for name, option in TARGET.items() if option.kind == "integer")
_NUMBERS: Final = (*_WHOLE, *(name for name, option in TARGET.items() if option.kind == "number"))
_WORDS_OF_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_EMPTY_LIST: Final = "[]"
"""Sets a list to nothing, where an empty cell inherits it."""
# A spreadsheet would take what begins so for a formula; the apostrophe is here so that it is told from a guard.
_GUARDED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
# Spreadsheets of many countries write a comma before the decimals.
_NUMBER: Final = re.compile(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?", re.ASCII)
# A thousand in one country and one in another; an export never says it so.
_AMBIGUOUS: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]000", re.ASCII)
_AMBIGUOUS_WHOLE: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_SEPARATORS: Final = ",;\t"
_BOM: Final = "\ufeff"
# How a zip begins (xlsx, ods, numbers), and what Excel wrote before those.
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]')
# A target has a few lists; whatever has more lists and objects than this is something else.
_MOST_CONTAINERS: Final = 6 * MOST_ROWS


@dataclass(frozen=True)
class Listing:
    """What a file says, not checked yet."""

    targets: list[object]
    groups: dict[str, object] = field(default_factory=dict)
    sites: list[object] = field(default_factory=list)


def to_csv(targets: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a target, its own options only; an empty cell is inherited."""
    out = io.StringIO()
    # Without the mark, Excel takes the text for that of a country's old code page.
    out.write(_BOM)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for _, own in sorted(targets.items()):
        writer.writerow([_cell(own.get(name)) for name in COLUMNS])
    return out.getvalue()


def to_json(
    targets: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Mapping[str, Any]],
    sites: Mapping[str, Site],
) -> str:
    """All that the import reads: it gives another NOC the same targets, groups with their options, and sites."""
    described = [{name: plain(site)[name] for name in SITE} for _, site in sorted(sites.items())]
    whole = {
        "groups": {path: _in_order(options) for path, options in sorted(groups.items())},
        "sites": described,
        "targets": [_in_order(own) for _, own in sorted(targets.items())],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _in_order(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in COLUMNS if name in options}


def read(data: bytes) -> Listing:
    """What a CSV or JSON file lists. Raises ProblemError 422 for what is neither, or too much."""
    text = _decoded(data)
    if text.lstrip()[:1] in ("{", "["):
        return _read_json(text)
    return Listing(_read_csv(text))


def _decoded(data: bytes) -> str:
    if data.startswith(_WORKBOOKS):
        raise _refused("The file is a workbook and no text; save it as CSV UTF-8.")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise _refused(
            f"The file is no {'UTF-16' if wide else 'UTF-8'} text ({error.reason} at byte {error.start}); "
            "save it as CSV UTF-8.",
        ) from None
    if "\0" in text:
        # UTF-16 without its mark has one in every second place.
        raise _refused("The file has NUL characters, as no text has; save it as CSV UTF-8.")
    if "\ufffd" in text:
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        raise _refused(f"Letters of the file were lost before: line {line} has U+FFFD in their place; export it again.")
    return text


def _read_json(text: str) -> Listing:
    _check_size_of_json(text)
    try:
        found = decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refused(f"This is not JSON: {error}.") from None
    if isinstance(found, list):
        return Listing(found)
    if not isinstance(found.get("targets"), list):
        raise _refused('The JSON has no list of targets; use {"targets": […]} or […].')
    unknown = [name for name in found if name not in ("targets", "groups", "sites")]
    if unknown:
        raise _refused(f"{unknown[0][:60]!r} is not part of such a file; there are targets, groups and sites.")
    groups, sites = found.get("groups", {}), found.get("sites", [])
    if not isinstance(groups, dict) or not isinstance(sites, list):
        raise _refused("groups is an object of options by path, and sites a list.")
    return Listing(found["targets"], groups, sites)


def _check_size_of_json(text: str) -> None:
    """Counts before anything is made of it: objects cost many times their text. Raises ProblemError 422."""
    containers = 0
    for token in _JSON_TOKEN.finditer(text):
        containers += token.group() in ("[", "{")
        if containers > _MOST_CONTAINERS:
            raise _too_many()


def _read_csv(text: str) -> list[object]:
    hint = re.match(r"sep=(.)\r?\n", text)
    text = text[hint.end() :] if hint else text
    # Spreadsheets write rows and columns in which there is nothing: before the first line, and after the last column.
    begin = re.search(rf'[^\s{_SEPARATORS}"]', text)
    first = text[begin.start() if begin else 0 :].partition("\n")[0]
    delimiter = hint.group(1) if hint else max(_SEPARATORS, key=first.count)
    rows = _rows_of_csv(text, delimiter)
    names = [name.strip().lower() for name in next((row for row in rows if _has_text(row)), [])]
    while names and not names[-1]:
        names.pop()
    _check_columns(names)
    found: list[object] = []
    too_long: list[str] = []
    for number, row in enumerate(rows, start=1):
        if number > MOST_ROWS:
            raise _too_many()
        if _has_text(row[len(names) :]) and len(too_long) < 20:
            too_long.append(f"row {number}")
        if _has_text(row):
            found.append({name: _value(name, cell) for name, cell in zip(names, row, strict=False)})
    if too_long:
        raise _refused(
            f"There are more cells than columns ({len(names)}) in {', '.join(too_long)}; "
            "put a text with a separator in it into double quotes.",
        )
    return found


def _rows_of_csv(text: str, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from (row for row in csv.reader(_narrow_lines(text, delimiter), delimiter=delimiter, strict=True) if row)
    except csv.Error as error:
        # In the words of Python's reader, what ends within quotes ends unexpectedly.
        what = "a double quote is not closed" if str(error) == "unexpected end of data" else error
        raise _refused(f"This is not CSV: {what}.") from None


def _narrow_lines(text: str, delimiter: str) -> Iterator[str]:
    """The lines, before cells are made of them: a cell costs many times its text. Raises ProblemError 422."""
    for number, line in enumerate(io.StringIO(text, newline="")):
        if number == _MOST_LINES:
            raise _too_many()
        if line.count(delimiter) > _MOST_CELLS:
            raise _refused(f"A line has more than {_MOST_CELLS} cells; there are {len(COLUMNS)} columns.")
        yield line


def _has_text(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _check_columns(names: list[str]) -> None:
    """Raises ProblemError 422."""
    known = f"the columns are {', '.join(COLUMNS)}."
    if "address" not in names:
        raise _refused(f"The first line has no column address; {known}")
    seen: set[str] = set()
    for name in names:
        if name not in COLUMNS:
            raise _refused(f"The first line has the column {name[:60]!r}, which is no option; {known}")
        if name in seen:
            raise _refused(f"The first line has the column {name!r} twice; name each once.")
        seen.add(name)


def _refused(sentence: str) -> ProblemError:
    return ProblemError(422, sentence, code=ProblemCode.UNREADABLE_FILE)


def _too_many() -> ProblemError:
    return _refused(f"The file has more than {MOST_ROWS} targets; import it in parts.")


def _value(name: str, cell: str) -> object:
    """A cell as the API would have it; what cannot be read stays text, and is refused by name later."""
    text = cell if name == "note" else cell.strip()
    if text[:1] == "'" and text[1:2] in _GUARDED:
        text = text[1:]
    if not text:
        return None
    if name in _LISTS:
        return [] if text == _EMPTY_LIST else text.replace(",", " ").split()
    if name in _TRUTHS:
        return _WORDS_OF_TRUTH.get(text.lower(), text)
    if name in _NUMBERS and not (_AMBIGUOUS_WHOLE if name in _WHOLE else _AMBIGUOUS).fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> object:
    # Python's own float takes nan, 1_000 and the digits of every script too.
    number = float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else math.inf
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
