"""Raw cycles as text that other programs read, and back: JSON Lines and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TextIO

from noc_bus.codec import BadMessage, decode
from noc_bus.messages import ProbeResult

_COLUMNS: Final = ("target", "site", "at", "seq", "sent", "received", "rtts_ms", "invalid", "error_codes")
_NUMBERS: Final = ("seq", "sent", "received")
# Stands for the code of a cycle that is invalid and has none.
_NO_CODE: Final = "invalid"


class BadLine(Exception):
    """Which line is no cycle, and why."""


def as_lines(out: TextIO) -> Callable[[ProbeResult], None]:
    def write(one: ProbeResult) -> None:
        out.write(json.dumps(_fields(one)) + "\n")

    return write


def as_csv(out: TextIO) -> Callable[[ProbeResult], None]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)

    def write(one: ProbeResult) -> None:
        fields = _fields(one)
        lists = {name: " ".join(map(str, fields[name])) for name in ("rtts_ms", "error_codes")}
        writer.writerow([(fields | lists)[name] for name in _COLUMNS])

    return write


def from_lines(source: Iterable[str]) -> Iterator[ProbeResult]:
    """Raises BadLine."""
    for number, line in enumerate(source, 1):
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise BadLine(f"line {number} is not JSON ({error})") from None
        if not isinstance(fields, dict):
            raise BadLine(f"line {number} is no JSON object")
        yield _result(number, fields)


def from_csv(source: Iterable[str]) -> Iterator[ProbeResult]:
    """Raises BadLine."""
    reader = csv.DictReader(source)
    if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
        raise BadLine(f"line 1 has no column {missing[0]}; the columns are {', '.join(_COLUMNS)}")
    for row in reader:
        fields: dict[str, Any] = {name: row[name] or "" for name in _COLUMNS}
        try:
            fields |= {name: int(fields[name]) for name in _NUMBERS}
            fields["rtts_ms"] = [float(ms) for ms in fields["rtts_ms"].split()]
        except ValueError as error:
            raise BadLine(f"line {reader.line_num}: {error}") from None
        yield _result(reader.line_num, fields | {"error_codes": fields["error_codes"].split()})


def _fields(one: ProbeResult) -> dict[str, Any]:
    """`invalid` is the code for which a cycle is not measurable, empty for one that is."""
    invalid = "" if one.invalid is None else one.invalid_code or _NO_CODE
    values = (one.target, one.site, str(one.at), one.seq, one.sent, one.received, one.rtts_ms, invalid, one.error_codes)
    return dict(zip(_COLUMNS, values, strict=True))


def _result(line: int, fields: dict[str, Any]) -> ProbeResult:
    invalid, codes = fields.get("invalid") or None, fields.get("error_codes", [])
    whole = fields | {
        "epoch": 0,
        "address": "",
        "errors": codes,
        "error_codes": codes,
        "invalid": invalid,
        "invalid_code": None if invalid == _NO_CODE else invalid,
    }
    try:
        return decode(json.dumps(whole).encode(), ProbeResult)
    except BadMessage as error:
        raise BadLine(f"line {line}: {error}") from None


WRITERS: Final = {"jsonl": as_lines, "csv": as_csv}
READERS: Final = {"jsonl": from_lines, "csv": from_csv}
