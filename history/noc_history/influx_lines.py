"""Records and sums as points of InfluxDB: their line protocol, and back from rows of an answer.

Every record is a point named by its tags and its time, so that writing it again changes nothing. Targets and
sites are tags. What there is no end of is none: the index of a server holds each value of a tag for good.
"""

from __future__ import annotations

import functools
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from influxdb_client.client.write.point import Point as Line

from noc_bus.codec import encode
from noc_bus.messages import Incident, Mark, ProbeResult, SiteState, Trace
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.chart import bucket_of
from noc_history.packing import Row
from noc_history.rollups import FIVE_MINUTES_MS, Rollup
from noc_history.store import PERCENTS, Definition, Point, Silence, StateRecord


class Tier(NamedTuple):
    """Sums of one width, and the measurement that has them."""

    measurement: str
    width_ms: int


MINUTES: Final = Tier("rollup_5m", FIVE_MINUTES_MS)
HOURS: Final = Tier("rollup_1h", HOUR_MS)
DAYS: Final = Tier("rollup_1d", DAY_MS)
TIERS: Final = (MINUTES, HOURS, DAYS)

_COUNTS: Final = ("cycles", "invalid", "sent", "received", "sum_us")
_FIGURES: Final = ("loss_pct", "min_ms", "mean_ms", "max_ms", *(f"p{percent}_ms" for percent in PERCENTS))
ROLLUP_FIELDS: Final = ", ".join([*_COUNTS, "min_ms", "max_ms", "sketch"])
"""What `rollup_from` needs."""
_ROLLUP_TYPES: Final = dict.fromkeys(_COUNTS, "integer") | dict.fromkeys(_FIGURES, "float") | {"sketch": "string"}
# What we write. A field that another program has made of another type takes nothing from us.
TYPES: Final[Mapping[str, Mapping[str, str]]] = {
    "cycle": dict.fromkeys(
        (
            "cycles", "sent", "received", "invalid", "valid_sent", "valid_received", "min_us", "sum_us", "max_us",
        ),
        "integer",
    )
    | dict.fromkeys(("rtts_us", "invalid_code", "error_codes"), "string"),
    "state": {"epoch": "integer", "seq": "integer", "state": "string", "reason": "string", "code": "string"},
    "incident": {"opened": "string", "resolved": "string"},
    "silence": {"until": "integer"},
    "definition": {"message": "string"},
    "trace": {"message": "string"},
    **{tier.measurement: _ROLLUP_TYPES for tier in TIERS},
    "unsummed": {"changed": "integer", "summed": "integer"},
    "layout": dict.fromkeys(("version", "keep_days", "raw_since", "minutes_since", "hours_since"), "integer"),
    "mark": {"epoch": "integer", "seq": "integer", "at": "integer"},
}  # fmt: skip

_PARTS: Final = 256


def cycle_line(result: ProbeResult) -> str:
    """Written out by hand, as `rollup_line` is: there are millions of them, and the client's points cost five times as much."""
    valid = result.invalid is None
    rtts_us = [round(rtt * 1000) for rtt in result.rtts_ms]
    sent, received = (result.sent, result.received) if valid else (0, 0)
    fields = (
        f"cycles=1i,invalid={0 if valid else 1}i,sent={result.sent}i,received={result.received}i,"
        f"valid_sent={sent}i,valid_received={received}i"
    )
    if rtts_us:
        fields += f',rtts_us="{" ".join(map(str, rtts_us))}"'
        if valid:
            fields += f",min_us={min(rtts_us)}i,sum_us={sum(rtts_us)}i,max_us={max(rtts_us)}i"
    if result.invalid_code:
        fields += f",invalid_code={double_quoted(result.invalid_code)}"
    if result.error_codes:
        fields += f",error_codes={double_quoted(' '.join(result.error_codes))}"
    return f"{_head('cycle', result.site, result.target)} {fields} {_nanoseconds(result.at, result.seq)}"


@functools.lru_cache(maxsize=65_536)
def _head(measurement: str, site: str, target: str) -> str:
    """Of a line, what names its series."""
    return str(_tagged(measurement, site, target).field("of", 1).to_line_protocol()).removesuffix(" of=1i")


def double_quoted(text: str) -> str:
    """As lines and the predicate of a deletion write texts, and InfluxQL names."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def state_line(state: SiteState) -> str:
    line = _tagged("state", state.site, state.target)
    line.field("epoch", state.epoch).field("seq", state.seq).field("state", str(state.state)).field(
        "reason", state.reason
    )
    if state.code:
        line.field("code", state.code)
    return str(line.time(_nanoseconds(state.since, state.seq)).to_line_protocol())


def _nanoseconds(at: Time, seq: int) -> int:
    """Two records of one millisecond stay two points, in their order."""
    return at * 1_000_000 + seq % 1_000_000


def definition_line(definition: Definition) -> str:
    message = "" if definition.target is None else encode(definition.target).decode()
    line = Line("definition").tag("id", definition.id).field("message", message)
    return str(line.time(definition.since * 1_000_000).to_line_protocol())


def silence_line(silence: Silence) -> str:
    line = _tagged("silence", silence.site, silence.target).field("until", int(silence.until))
    return str(line.time(silence.start * 1_000_000).to_line_protocol())


def trace_line(trace: Trace) -> str:
    line = _tagged("trace", trace.site, trace.target).field("message", encode(trace).decode())
    return str(line.time(trace.at * 1_000_000).to_line_protocol())


def incident_line(incident: Incident) -> str:
    # Two fields, so that a late message of the opening cannot undo the end.
    field = "opened" if incident.resolved_at is None else "resolved"
    # There is no end of ids: what tells incidents of one millisecond apart are the nanoseconds, and one of some parts.
    part, nanoseconds = divmod(zlib.crc32(incident.id.encode()), 1_000_000)
    line = Line("incident").tag("part", part % _PARTS).field(field, encode(incident).decode())
    return str(line.time(incident.opened_at * 1_000_000 + nanoseconds).to_line_protocol())


def mark_line(mark: Mark) -> str:
    line = (
        Line("mark").tag("site", mark.site).field("epoch", mark.epoch).field("seq", mark.seq).field("at", int(mark.at))
    )
    # One point a day: each mark overwrites the one before.
    return str(line.time(mark.at // DAY_MS * DAY_MS * 1_000_000).to_line_protocol())


def _tagged(measurement: str, site: str, target: str) -> Any:
    return Line(measurement).tag("site", site).tag("target", target)


def state_record(row: Mapping[str, Any]) -> StateRecord:
    code = row["code"]
    if code is None and (row["state"], row["reason"]) == ("UNKNOWN", "paused"):
        # Version 0.1 wrote no codes, and knew a pause by its sentence.
        code = "paused"
    return StateRecord(Time(row["time"] // 1_000_000), row["state"], row["reason"], code, row["epoch"], row["seq"])


def is_whole(row: Mapping[str, Any]) -> bool:
    """Whether a cycle has what every cycle has: a server shows the fields of a point one by one while it is written."""
    return not (row["sent"] is None or row["received"] is None or row["invalid"] is None)


def cycle_row(row: Mapping[str, Any]) -> Row:
    rtts_us = tuple([int(rtt) for rtt in (row["rtts_us"] or "").split()])
    return 0, row["time"], 0, row["sent"], row["received"], "!" if row["invalid"] else "", rtts_us


def whole_row(row: Mapping[str, Any]) -> Row:
    """Of a row whose time is in nanoseconds: see `_nanoseconds`."""
    at, seq = divmod(row["time"], 1_000_000)
    _, _, _, sent, received, _, rtts_us = cycle_row(row)
    head = f"!{row['invalid_code'] or ''}" if row["invalid"] else ""
    errors = (row["error_codes"] or "").split()
    return 0, at, seq, sent, received, " ".join([head, *errors]) if head or errors else "", rtts_us


def points_of(rows: Sequence[Mapping[str, Any]]) -> list[Point]:
    """Cycles of one millisecond are one point."""
    points: list[Point] = []
    for row in rows:
        if points and points[-1].at == row["time"]:
            points.append(_sum(points.pop(), _point(row)))
        else:
            points.append(_point(row))
    return points


def _sum(one: Point, other: Point) -> Point:
    lows = [ms for ms in (one.rtt_min_ms, other.rtt_min_ms) if ms is not None]
    highs = [ms for ms in (one.rtt_max_ms, other.rtt_max_ms) if ms is not None]
    received = one.received + other.received
    total_ms = (one.rtt_mean_ms or 0) * one.received + (other.rtt_mean_ms or 0) * other.received
    return Point(
        one.at,
        one.cycles + other.cycles,
        one.invalid + other.invalid,
        one.sent + other.sent,
        received,
        min(lows, default=None),
        total_ms / received if received else None,
        max(highs, default=None),
    )


def _point(row: Mapping[str, Any]) -> Point:
    received = row["received"] or 0
    low, total, high = row["min_us"], row["sum_us"], row["max_us"]
    return Point(
        Time(row["time"]),
        row["cycles"],
        row["invalid"] or 0,
        row["sent"] or 0,
        received,
        None if low is None else low / 1000,
        None if total is None or not received else total / received / 1000,
        None if high is None else high / 1000,
    )


def rollup_line(tier: Tier, target: str, site: str, one: Rollup) -> str:
    """All that people ask for as numbers, and what sums are made of exactly."""
    counts = one.cycles, one.invalid, one.sent, one.received, one.sum_us
    fields = ",".join([f"{name}={count}i" for name, count in zip(_COUNTS, counts, strict=True)])
    bucket = bucket_of(one)
    if bucket.loss is not None:
        fields += f",loss_pct={100.0 * bucket.loss}"
    if bucket.percentiles_ms is not None:
        rtts_ms = bucket.rtt_min_ms, bucket.rtt_mean_ms, bucket.rtt_max_ms, *bucket.percentiles_ms
        fields += "".join([f",{name}={ms}" for name, ms in zip(_FIGURES[1:], rtts_ms, strict=True) if ms is not None])
        fields += f',sketch="{b64encode(one.sketch).decode()}"'
    return f"{_head(tier.measurement, site, target)} {fields} {one.start * 1_000_000}"


def rollup_from(row: Mapping[str, Any]) -> Rollup:
    """Of a row with ROLLUP_FIELDS."""
    low_us, high_us = (round((row[name] or 0) * 1000) for name in ("min_ms", "max_ms"))
    sketch = b64decode(row["sketch"]) if row["sketch"] else b""
    counts = row["cycles"], row["invalid"], row["sent"], row["received"], row["sum_us"]
    return Rollup(0, row["time"], *counts, low_us, high_us, sketch)


def unsummed_line(tier: Tier, start: int, stamp: int) -> str:
    """Cycles of this hour or day have come since it was summed up."""
    line = Line("unsummed").tag("tier", tier.measurement).field("changed", stamp).field("summed", 0)
    return str(line.time(start * 1_000_000).to_line_protocol())


def summed_line(tier: Tier, start: int, stamp: int) -> str:
    """It is summed up with all that had come until `stamp`."""
    line = Line("unsummed").tag("tier", tier.measurement).field("summed", stamp)
    return str(line.time(start * 1_000_000).to_line_protocol())


def layout_line(fields: Mapping[str, int]) -> str:
    line = Line("layout")
    for name, value in fields.items():
        line.field(name, int(value))
    return str(line.time(0).to_line_protocol())
