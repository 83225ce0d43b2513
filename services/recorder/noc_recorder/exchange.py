"""Raw cycles and their sums as files that other programs read, and back: JSON Lines, CSV and Parquet."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import msgspec
from msgspec import Meta

from noc_bus.codec import BadMessage, decode
from noc_bus.messages import ProbeResult, Slug
from noc_bus.time import Time
from noc_history.chart import bucket_of
from noc_history.rollups import Rollup
from noc_history.sketch import Sketch
from noc_history.store import PERCENTS, Sum
from noc_history.sums import WIDTH_MS

_CYCLE: Final = ("target", "site", "at", "seq", "sent", "received", "rtts_ms", "invalid", "error_codes")
_PERCENTILES: Final = tuple(f"p{percent}_ms" for percent in PERCENTS)
_SUM: Final = (
    "target", "site", "at", "width_s", "cycles", "invalid", "sent", "received", "sum_us", "min_ms", "max_ms",
    *_PERCENTILES, "sketch",
)  # fmt: skip
_WHOLE: Final = frozenset(("seq", "sent", "received", "width_s", "cycles", "sum_us"))
_REAL: Final = frozenset(("min_ms", "max_ms", *_PERCENTILES))
_WIDTHS_S: Final = tuple(ms // 1000 for ms in WIDTH_MS.values())
# Stands for the code of a cycle that is invalid and has none.
_NO_CODE: Final = "invalid"
_ROWS_AT_ONCE: Final = 20_000

Record = ProbeResult | Sum
Fields = dict[str, Any]


class BadLine(Exception):
    """Which line is neither cycle nor sum, and why."""


class NeedsPackage(Exception):
    """A format that needs a package which is not installed."""


# -- writing


@contextlib.contextmanager
def writing(form: str, path: Path | None, are_sums: bool) -> Iterator[Callable[[Record], None]]:
    """What writes one record after the other; `path` None: to standard output. Raises OSError, NeedsPackage."""
    columns = _SUM if are_sums else _CYCLE
    if form == "parquet":
        if path is None:
            raise NeedsPackage("Parquet is no text for standard output; name a file with --output")
        with _parquet_writer(path, columns) as write:
            yield lambda one: write(_fields(one))
        return
    with path.open("w", encoding="utf-8", newline="") if path else _standard_output() as out:
        write_fields = _as_csv(out, columns) if form == "csv" else _as_lines(out)
        yield lambda one: write_fields(_fields(one))


@contextlib.contextmanager
def _standard_output() -> Iterator[TextIO]:
    yield sys.stdout
    sys.stdout.flush()


def _as_lines(out: TextIO) -> Callable[[Fields], None]:
    return lambda fields: print(json.dumps(fields), file=out)


def _as_csv(out: TextIO, columns: Sequence[str]) -> Callable[[Fields], None]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)

    def write(fields: Fields) -> None:
        values = (fields[name] for name in columns)
        writer.writerow([" ".join(map(str, one)) if isinstance(one, list) else one for one in values])

    return write


@contextlib.contextmanager
def _parquet_writer(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Fields], None]]:
    arrow, parquet = _pyarrow()
    kinds = {
        "at": arrow.timestamp("ms", tz="UTC"),
        "rtts_ms": arrow.list_(arrow.float64()),
        "error_codes": arrow.list_(arrow.string()),
        **dict.fromkeys(_WHOLE, arrow.int64()),
        **dict.fromkeys(_REAL, arrow.float64()),
        # A code for a cycle, a number of cycles for a sum.
        "invalid": arrow.string() if "seq" in columns else arrow.int64(),
    }
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in columns])
    rows: list[Fields] = []
    with path.open("wb") as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:

        def flush() -> None:
            if rows:
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                rows.clear()

        def write(fields: Fields) -> None:
            rows.append(fields | {"at": int(Time.parse(fields["at"]))})
            if len(rows) >= _ROWS_AT_ONCE:
                flush()

        yield write
        flush()


def _fields(one: Record) -> Fields:
    if isinstance(one, Sum):
        return _fields_of_sum(one)
    # The code for which a cycle is not measurable, empty for one that is.
    invalid = "" if one.invalid is None else one.invalid_code or _NO_CODE
    values = (one.target, one.site, str(one.at), one.seq, one.sent, one.received, one.rtts_ms, invalid, one.error_codes)
    return dict(zip(_CYCLE, values, strict=True))


def _fields_of_sum(one: Sum) -> Fields:
    """The percentiles are for who reads; what another store needs of them is in `sketch`."""
    rollup = one.rollup
    bucket = bucket_of(rollup)
    percentiles = bucket.percentiles_ms or [None] * len(PERCENTS)
    counts = rollup.cycles, rollup.invalid, rollup.sent, rollup.received, rollup.sum_us
    values = (
        *(one.target, one.site, str(Time(rollup.start)), one.width_ms // 1000, *counts),
        *(bucket.rtt_min_ms, bucket.rtt_max_ms, *percentiles, b64encode(rollup.sketch).decode()),
    )
    return dict(zip(_SUM, values, strict=True))


# -- reading


def read(form: str, path: Path) -> Iterator[tuple[float, Record]]:
    """The records of a file, each with the share of it that is read then. Raises BadLine, OSError, NeedsPackage."""
    for share, line, fields in _READERS[form](path):
        yield share, _sum(line, fields) if "width_s" in fields else _result(line, fields)


def _from_lines(path: Path) -> Iterator[tuple[float, int, Fields]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.decode()
            try:
                fields = json.loads(text)
            except ValueError as error:
                raise BadLine(f"line {number} is not JSON ({error})") from None
            if not isinstance(fields, dict):
                raise BadLine(f"line {number} is no JSON object")
            yield file.tell() / size, number, fields


def _from_csv(path: Path) -> Iterator[tuple[float, int, Fields]]:
    size = path.stat().st_size
    with path.open("rb") as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        columns = _SUM if "width_s" in (reader.fieldnames or ()) else _CYCLE
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise BadLine(f"line 1 has no column {missing[0]}; the columns are {', '.join(columns)}")
        for row in reader:
            try:
                fields = {name: _value(name, row[name] or "", columns) for name in columns}
            except ValueError as error:
                raise BadLine(f"line {reader.line_num}: {error}") from None
            yield file.tell() / size, reader.line_num, fields


def _value(name: str, text: str, columns: Sequence[str]) -> Any:
    if name in _WHOLE or (name == "invalid" and columns is _SUM):
        return int(text)
    if name in _REAL:
        return float(text) if text else None
    if name == "rtts_ms":
        return [float(ms) for ms in text.split()]
    return text.split() if name == "error_codes" else text


def _from_parquet(path: Path) -> Iterator[tuple[float, int, Fields]]:
    arrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            columns = _SUM if "width_s" in names else _CYCLE
            if missing := [name for name in columns if name not in names]:
                raise BadLine(f"there is no column {missing[0]}; the columns are {', '.join(columns)}")
            number, rows = 0, max(1, file.metadata.num_rows)
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(columns)):
                place = batch.schema.get_field_index("at")
                moments = batch.column(place).cast(arrow.timestamp("ms", tz="UTC")).cast(arrow.int64())
                for fields, at in zip(batch.to_pylist(), moments.to_pylist(), strict=True):
                    number += 1
                    yield number / rows, number, fields | {"at": str(Time(at))}
    except arrow.ArrowException as error:
        raise BadLine(f"it is no Parquet that can be read ({error})") from None


_READERS: Final[Mapping[str, Callable[[Path], Iterator[tuple[float, int, Fields]]]]] = {
    "jsonl": _from_lines,
    "csv": _from_csv,
    "parquet": _from_parquet,
}
FORMATS: Final = tuple(_READERS)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow  # noqa: ICN001  # 150 MB that nothing else needs
        from pyarrow import parquet
    except ImportError:
        raise NeedsPackage(
            "Parquet needs the package pyarrow; install it where NOC runs: .venv/bin/pip install pyarrow"
        ) from None
    return arrow, parquet


def _result(line: int, fields: Fields) -> ProbeResult:
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


_Count = Annotated[int, Meta(ge=0, lt=1 << 62)]
_Ms = Annotated[float, Meta(ge=0, le=600_000)]


class _SumLine(msgspec.Struct):
    target: Slug
    site: Slug
    at: str
    width_s: int
    cycles: _Count
    invalid: _Count
    sent: _Count
    received: _Count
    sum_us: _Count
    min_ms: _Ms | None
    max_ms: _Ms | None
    sketch: str


def _sum(line: int, fields: Fields) -> Sum:
    try:
        one = msgspec.convert(fields, _SumLine)
        at, packed = Time.parse(one.at), b64decode(one.sketch, validate=True)
        seen = Sketch.decode(packed).count
    except (msgspec.ValidationError, ValueError) as error:
        raise BadLine(f"line {line}: {error}") from None
    if one.width_s not in _WIDTHS_S:
        raise BadLine(f"line {line}: width_s {one.width_s} is none of {', '.join(map(str, _WIDTHS_S))}")
    if at % (one.width_s * 1000):
        raise BadLine(f"line {line}: at {one.at} is no multiple of width_s {one.width_s}")
    if seen != one.received:
        raise BadLine(f"line {line}: sketch has {seen} RTTs, and {one.received} were received")
    low_us, high_us = (round((ms or 0) * 1000) for ms in (one.min_ms, one.max_ms))
    counts = one.cycles, one.invalid, one.sent, one.received, one.sum_us
    return Sum(one.target, one.site, one.width_s * 1000, Rollup(0, int(at), *counts, low_us, high_us, packed))
