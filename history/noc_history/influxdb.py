"""The InfluxDB store: written through influxdb-client in line protocol, read in InfluxQL.

InfluxQL is the one query language that InfluxDB 1, 2 and 3 share. Every record is a point named by
its tags and its time, so writing it again changes nothing. Nothing counts as stored before the
server has answered that it is.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point as Line
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from noc_bus.codec import decode, encode
from noc_bus.messages import Incident, Mark, Message, ProbeResult, SiteState, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.chart import chart_of, codes_of, whole_buckets, whole_hours, width_for
from noc_history.packing import Row, result_of
from noc_history.rollups import Rollup, merged, roll_up
from noc_history.store import (
    Batch,
    Chart,
    Codes,
    Day,
    Definition,
    Point,
    Rejected,
    Silence,
    SiteRecords,
    StateRecord,
    StoreError,
    Upkeep,
    Written,
    days_ago,
)

_TIMEOUT_MS: Final = 20_000
_LINES_AT_ONCE: Final = 5_000
_KEEP_DAYS: Final = 30
# More names than this make a longer query than filtering the answer costs.
_NAMES_IN_A_QUERY: Final = 50
# The server refuses what is sent, and not the sender; sending it again unchanged can only help once it is set up right.
_REFUSED: Final = (400, 413, 422)
# So many records of one batch are sent one by one to learn what becomes of each; the others come again anyway.
_MAX_SINGLES: Final = 64
_HOUR_S: Final = 3600.0
# What we write. A field that another program has made of another type takes nothing from us.
_TYPES: Final[Mapping[str, Mapping[str, str]]] = {
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
    "mark": {"epoch": "integer", "seq": "integer", "at": "integer"},
}  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """A line, the time in it, and the record it stands for; None: it says something about many."""

    record: Message | None
    at: Time
    text: str

    @property
    def measurement(self) -> str:
        return self.text.partition(",")[0]


class InfluxStore:
    """Implements `noc_history.store.Store` on a bucket of InfluxDB 2."""

    def __init__(self, address: str, token: str, org: str, bucket: str) -> None:
        self._address = address
        self._bucket = bucket
        self._org = org
        self._client = InfluxDBClient(url=address, token=token, org=org, timeout=_TIMEOUT_MS, enable_gzip=False)
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = urllib3.PoolManager(
            headers={"Authorization": f"Token {token}"}, timeout=_TIMEOUT_MS / 1000, retries=False
        )
        self._delete_at_s = 0.0

    # -- writing

    def write(self, batch: Batch) -> Written:
        rejected: list[Rejected] = []
        before_marks = [
            *(_Line(one, one.at, _cycle_line(one)) for one in batch.results),
            *(_Line(one, one.since, _state_line(one)) for one in batch.states),
            *(_Line(one, one.opened_at, _incident_line(one)) for one in batch.incidents),
            *(_Line(None, one.since, _definition_line(one)) for one in batch.definitions),
            *(_Line(None, one.start, _silence_line(one)) for one in batch.silences),
        ]
        for start in range(0, len(before_marks), _LINES_AT_ONCE):
            self._put(before_marks[start : start + _LINES_AT_ONCE], rejected)
        if not any(one.can_mend for one in rejected):
            self._put([_Line(one, one.at, _mark_line(one)) for one in batch.marks], rejected)
        offered = len(batch.results) + len(batch.states) + len(batch.incidents)
        return Written(offered - sum(not isinstance(one.record, Mark) for one in rejected), tuple(rejected))

    def _put(self, lines: Sequence[_Line], rejected: list[Rejected]) -> None:
        """Write lines; where the server refuses some, halve until it is known which."""
        if not lines:
            return
        try:
            self._writer.write(bucket=self._bucket, record="\n".join(one.text for one in lines))
        except ApiException as error:
            reason = _reason_of(error)
            if error.status not in _REFUSED:
                raise self._failed("write", f"{error.status} {reason}", error.status) from error
            if len(lines) == 1:
                rejected += self._rejected(lines, reason, self._cure_for(lines[0].measurement))
                return
            for part in self._parts(lines, reason, rejected):
                self._put(part, rejected)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed("write", str(error), None) from error

    def _parts(self, lines: Sequence[_Line], reason: str, rejected: list[Rejected]) -> Iterable[Sequence[_Line]]:
        """What to try next of lines of which the server refuses some."""
        if len(rejected) >= _MAX_SINGLES:
            cures = {name: self._cure_for(name) for name in {one.measurement for one in lines}}
            for name, cure in cures.items():
                if cure is not None:
                    rejected += self._rejected([one for one in lines if one.measurement == name], reason, cure)
            lines = [one for one in lines if cures[one.measurement] is None]
        middle = -(-len(lines) // 2)
        return [part for part in (lines[:middle], lines[middle:]) if part]

    def _rejected(self, lines: Sequence[_Line], reason: str, cure: str | None) -> Iterator[Rejected]:
        keeps_ms = self._keeps_ms() if cure is None else None
        for one in lines:
            if one.record is None:
                continue
            is_too_old = keeps_ms is not None and one.at < Time.now() - keeps_ms
            mend = self._retention_cure(keeps_ms) if is_too_old and keeps_ms is not None else cure
            if mend is None:
                yield Rejected(one.record, reason[:300])
            else:
                yield Rejected(one.record, f"{mend} ({reason[:200]})", can_mend=True)

    # -- how the bucket is set up

    def trouble(self) -> str | None:
        if (keeps_ms := self._keeps_ms()) is not None:
            return self._retention_cure(keeps_ms)
        return next(filter(None, map(self._cure_for, _TYPES)), None)

    def _retention_cure(self, keeps_ms: int) -> str:
        return (
            f"bucket {self._bucket} at {self._address} keeps data for {keeps_ms / HOUR_MS:g} hours only, but states and "
            "incidents are kept for good: set its retention to forever (influx bucket update --retention 0)"
        )

    def _keeps_ms(self) -> int | None:
        """For how long the bucket keeps data; None: for good, or the server does not tell."""
        try:
            for _, rows in self._series_of(f"SHOW RETENTION POLICIES ON {_name(self._bucket)}"):
                for row in rows:
                    if row.get("default", True):
                        return _duration_ms(row["duration"])
        except StoreError:
            # Version 2 answers by its own route, where the token may look at buckets.
            with contextlib.suppress(ApiException, urllib3.exceptions.HTTPError, OSError):
                found = self._client.buckets_api().find_bucket_by_name(self._bucket)
                rules = found.retention_rules if found else []
                return next((rule.every_seconds * 1000 for rule in rules if rule.every_seconds), None)
        return None

    def _cure_for(self, measurement: str) -> str | None:
        """What another program did to our fields, and what to do about it; None: nothing."""
        wanted = _TYPES[measurement]
        try:
            found = [row for _, rows in self._series_of(f"SHOW FIELD KEYS FROM {measurement}") for row in rows]
        except StoreError:
            return None
        for row in found:
            ours = wanted.get(row["fieldKey"])
            if ours is not None and row["fieldType"] != ours:
                return (
                    f"in bucket {self._bucket} at {self._address} the field {row['fieldKey']} of {measurement} has the type "
                    f"{row['fieldType']}, and NOC writes {ours}: another program writes there; delete what it wrote, "
                    "or give NOC a bucket of its own in NOC_HISTORY_URL"
                )
        return None

    # -- upkeep

    def maintain(self, before: Time | None, budget_s: float) -> Upkeep:
        """The server does the work and tells no figures; it is asked once an hour."""
        if time.monotonic() < self._delete_at_s:
            return Upkeep(backlog_rows=None)
        before = before if before is not None else days_ago(_KEEP_DAYS)
        try:
            self._client.delete_api().delete(
                "1970-01-01T00:00:00Z",
                # By whole hours, as promised.
                str(Time(before // HOUR_MS * HOUR_MS - 1)),
                '_measurement="cycle"',
                bucket=self._bucket,
                org=self._org,
            )
        except ApiException as error:
            raise self._failed("delete", f"{error.status} {_reason_of(error)}", error.status) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed("delete", str(error), None) from error
        self._delete_at_s = time.monotonic() + _HOUR_S
        return Upkeep(backlog_rows=None)

    def close(self) -> None:
        self._client.close()
        self._http.clear()

    # -- reading

    def marks(self) -> dict[str, Mark]:
        marks = {}
        query = "SELECT epoch, seq, at FROM mark GROUP BY site ORDER BY time DESC LIMIT 1"
        for tags, (row,) in self._series_of(query):
            marks[tags["site"]] = Mark(site=tags["site"], epoch=row["epoch"], seq=row["seq"], at=Time(row["at"]))
        return marks

    def series(
        self, target: str, start: Time, end: Time, points: int, site: str | None = None
    ) -> Mapping[str, Sequence[Point]]:
        where = f"target = {_quoted(target)} AND {_between(start, end)}"
        if site is not None:
            where += f" AND site = {_quoted(site)}"
        counted = {
            tags["site"]: rows[0]["count"]
            for tags, rows in self._series_of(f"SELECT COUNT(sent) FROM cycle WHERE {where} GROUP BY site")
        }
        found: dict[str, list[Point]] = {}
        if few := [name for name, count in counted.items() if count <= points]:
            query = (
                "SELECT cycles, invalid, valid_sent AS sent, valid_received AS received, min_us, sum_us, max_us "
                f"FROM cycle WHERE {where} GROUP BY site"
            )
            found |= self._points(query, few)
        if many := [name for name in counted if name not in few]:
            width = -(-(end - start) // points)
            query = (
                "SELECT SUM(cycles) AS cycles, SUM(invalid) AS invalid, SUM(valid_sent) AS sent, "
                "SUM(valid_received) AS received, MIN(min_us) AS min_us, SUM(sum_us) AS sum_us, MAX(max_us) AS max_us "
                f"FROM cycle WHERE {where} GROUP BY site, time({width}ms, {start % width}ms) fill(none)"
            )
            found |= self._points(query, many)
        return dict(sorted(found.items()))

    def chart(
        self, targets: Sequence[str], sites: Sequence[str] | None, start: Time, end: Time, points: int
    ) -> Mapping[str, Chart]:
        """From raw cycles, whatever the period: there are no rollups here yet."""
        width_ms = width_for(start, end, points)
        first, last = whole_buckets(start, end, width_ms)
        # Whole buckets at once, and no more of the period than memory is for.
        step_ms = max(width_ms, DAY_MS // width_ms * width_ms)
        charts = {}
        for target in targets:
            where = f"target = {_quoted(target)} AND "
            found: dict[str, list[Rollup]] = defaultdict(list)
            for begin in range(first, last, step_ms):
                between = _between(Time(begin), Time(min(begin + step_ms, last)))
                query = f"SELECT sent, received, invalid, rtts_us FROM cycle WHERE {where}{between} GROUP BY site"
                for tags, rows in self._series_of(query):
                    if sites is None or tags["site"] in sites:
                        found[tags["site"]] += roll_up([_cycle_row(row) for row in rows], width_ms)
            silences = list(self._silences(f"{where}time < {last}ms AND until > {first}"))
            charts[target] = chart_of(dict(sorted(found.items())), silences, start, end, width_ms)
        return charts

    def raw_cycles(self, target: str, start: Time, end: Time) -> Iterator[ProbeResult]:
        where = f"target = {_quoted(target)} AND {_between(start, end)}"
        begins = {
            tags["site"]: rows[0]["time"]
            for tags, rows in self._series_of(f"SELECT FIRST(sent) FROM cycle WHERE {where} GROUP BY site")
        }
        fields = "sent, received, invalid, rtts_us, invalid_code, error_codes"
        for site, first in sorted(begins.items()):
            for begin in range(first, end, DAY_MS):
                between = _between(Time(begin), Time(min(begin + DAY_MS, end)))
                of_day = f"target = {_quoted(target)} AND site = {_quoted(site)} AND {between}"
                for _, rows in self._series_of(f"SELECT {fields} FROM cycle WHERE {of_day}", epoch="ns"):
                    yield from (result_of(_whole_row(row), site, target) for row in rows)

    def codes(self, target: str, sites: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Codes]:
        where = f"target = {_quoted(target)} AND {_between(start, end)}"
        notes: dict[str, list[tuple[str | None, list[str]]]] = defaultdict(list)
        for condition in ("invalid = 1", "invalid = 0 AND error_codes =~ /./"):
            # A point without the first of what is asked for is no row: `invalid` is in all.
            query = f"SELECT invalid, invalid_code, error_codes FROM cycle WHERE {where} AND {condition} GROUP BY site"
            for tags, rows in self._series_of(query):
                notes[tags["site"]] += [
                    ((row["invalid_code"] or "") if row["invalid"] else None, (row["error_codes"] or "").split())
                    for row in rows
                ]
        return {site: codes_of(notes[site]) for site in sorted(notes) if sites is None or site in sites}

    def totals(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Rollup]:
        """From raw cycles, as `chart`: a day of some hundred targets takes seconds."""
        if targets is not None and not targets:
            return {}
        start, end = whole_hours(start, end)
        found: dict[str, list[Rollup]] = defaultdict(list)
        wanted = None if targets is None else set(targets)
        for begin in range(start, end, DAY_MS):
            between = _between(Time(begin), Time(min(begin + DAY_MS, end)))
            query = f"SELECT sent, received, invalid, rtts_us FROM cycle WHERE {_chosen('target', targets)}{between}"
            for tags, rows in self._series_of(f"{query} GROUP BY target"):
                if wanted is None or tags["target"] in wanted:
                    found[tags["target"]] += roll_up([_cycle_row(row) for row in rows], DAY_MS)
        return {target: merged(0, start, found[target]) for target in sorted(found)}

    def daily(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Day]]:
        if targets is not None and not targets:
            return {}
        start, end = whole_hours(Time(start // DAY_MS * DAY_MS), end)
        query = (
            "SELECT SUM(cycles) AS cycles, SUM(invalid) AS invalid, SUM(valid_sent) AS sent, "
            f"SUM(valid_received) AS received FROM cycle WHERE {_chosen('target', targets)}{_between(start, end)} "
            "GROUP BY target, time(1d) fill(none)"
        )
        found = {
            tags["target"]: [
                Day(Time(row["time"]), row["cycles"], row["invalid"] or 0, row["sent"] or 0, row["received"] or 0)
                for row in rows
            ]
            for tags, rows in self._series_of(query)
        }
        return {target: found[target] for target in sorted(found) if targets is None or target in targets}

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        if targets is not None and not targets:
            return {}
        chosen, now = _chosen("target", targets), Time.now()
        states: dict[tuple[str, str], list[StateRecord]] = defaultdict(list)
        fields = "reason, code, epoch, seq"
        held = (
            f"SELECT LAST(state) AS state, {fields} FROM state WHERE {chosen}time < {start + 1}ms GROUP BY target, site"
        )
        begun = (
            f"SELECT state, {fields} FROM state "
            f"WHERE {chosen}{_between(Time(start + 1), Time(end + HOUR_MS))} GROUP BY target, site"
        )
        later = (
            f"SELECT state, {fields} FROM state "
            f"WHERE {chosen}time >= {max(end + HOUR_MS, now + 0)}ms GROUP BY target, site"
        )
        for query in (held, begun, later):
            for tags, rows in self._series_of(query, epoch="ns"):
                states[tags["target"], tags["site"]] += [_state_record(row) for row in rows]
        silences: dict[tuple[str, str], list[Silence]] = defaultdict(list)
        for one in self._silences(f"{chosen}time < {int(end)}ms AND until > {int(start)}"):
            silences[one.target, one.site].append(one)
        last = self._last_cycles(chosen, now)
        found: dict[str, dict[str, SiteRecords]] = defaultdict(dict)
        wanted = None if targets is None else set(targets)
        for target, site in sorted(last.keys() | states.keys()):
            if wanted is None or target in wanted:
                name = target, site
                found[target][site] = SiteRecords(tuple(states[name]), tuple(silences[name]), last.get(name))
        return found

    def definitions(self, targets: Sequence[str] | None) -> Mapping[str, Sequence[Definition]]:
        if targets is not None and not targets:
            return {}
        found: dict[str, list[Definition]] = {}
        where = _chosen("id", targets) + "time > 0"
        for tags, rows in self._series_of(f"SELECT message FROM definition WHERE {where} GROUP BY id"):
            found[tags["id"]] = [
                Definition(
                    tags["id"], Time(row["time"]), decode(row["message"].encode(), Target) if row["message"] else None
                )
                for row in rows
            ]
        return found if targets is None else {name: found[name] for name in targets if name in found}

    def last_cycles(self) -> Mapping[tuple[str, str], Time]:
        return self._last_cycles("", Time.now())

    def silences(self, since: Time) -> Sequence[Silence]:
        return list(self._silences(f"until > {int(since)}"))

    def _last_cycles(self, chosen: str, now: Time) -> dict[tuple[str, str], Time]:
        query = f"SELECT LAST(sent) FROM cycle WHERE {chosen}time < {now + 1}ms GROUP BY target, site"
        return {
            (tags["target"], tags["site"]): Time(rows[0]["time"] // 1_000_000)
            for tags, rows in self._series_of(query, epoch="ns")
        }

    def _silences(self, where: str) -> Iterator[Silence]:
        for tags, rows in self._series_of(f"SELECT until FROM silence WHERE {where} GROUP BY target, site"):
            for row in rows:
                # What is over by its own start was taken back.
                if row["until"] > row["time"]:
                    yield Silence(tags["target"], tags["site"], Time(row["time"]), Time(row["until"]))

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        found = []
        query = f"SELECT opened, resolved FROM incident WHERE time < {int(end)}ms GROUP BY id"
        for _, rows in self._series_of(query):
            incident = decode((rows[-1].get("resolved") or rows[-1]["opened"]).encode(), Incident)
            if incident.resolved_at is None or incident.resolved_at >= start:
                found.append(incident)
        return sorted(found, key=lambda incident: incident.opened_at, reverse=True)

    def _points(self, query: str, sites: Sequence[str]) -> dict[str, list[Point]]:
        return {tags["site"]: _points_of(rows) for tags, rows in self._series_of(query) if tags["site"] in sites}

    def _series_of(self, query: str, epoch: str = "ms") -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
        """Every series of the answer: its tags, and its rows by column."""
        try:
            answer = self._http.request(
                "GET", f"{self._address}/query", fields={"db": self._bucket, "q": query, "epoch": epoch}
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed("read", str(error), None) from error
        if answer.status != 200:
            raise self._failed("read", f"{answer.status} {answer.data[:300].decode(errors='replace')}", answer.status)
        try:
            result = json.loads(answer.data)["results"][0]
        except (ValueError, LookupError, TypeError):
            raise self._failed("read", "what answers there is no InfluxDB", 404) from None
        if "error" in result:
            # Our queries are right: what cannot be answered is about the bucket.
            raise self._failed("read", result["error"], 404)
        for series in result.get("series", ()):
            rows = [dict(zip(series["columns"], values, strict=True)) for values in series["values"]]
            yield series.get("tags", {}), rows

    def _failed(self, act: str, reason: str, status: int | None) -> StoreError:
        cure = {
            401: "check the token in NOC_HISTORY_URL",
            403: "give the token the right to read and write the bucket",
            404: "check address, organisation and bucket in NOC_HISTORY_URL",
        }.get(status or 0, "check that the server runs and can be reached")
        return StoreError(
            f"cannot {act} bucket {self._bucket} at {self._address}: {' '.join(reason.split())[:300]}; {cure}",
            can_retry=True,
        )


def _cycle_line(result: ProbeResult) -> str:
    valid = result.invalid is None
    rtts_us = [round(rtt * 1000) for rtt in result.rtts_ms]
    line = _tagged("cycle", result.site, result.target)
    line.field("cycles", 1).field("sent", result.sent).field("received", result.received)
    line.field("invalid", 0 if valid else 1)
    line.field("valid_sent", result.sent if valid else 0).field("valid_received", result.received if valid else 0)
    if rtts_us:
        line.field("rtts_us", " ".join(map(str, rtts_us)))
        if valid:
            line.field("min_us", min(rtts_us)).field("sum_us", sum(rtts_us)).field("max_us", max(rtts_us))
    if result.invalid_code:
        line.field("invalid_code", result.invalid_code)
    if result.error_codes:
        line.field("error_codes", " ".join(result.error_codes))
    return str(line.time(_nanoseconds(result.at, result.seq)).to_line_protocol())


def _state_line(state: SiteState) -> str:
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


def _definition_line(definition: Definition) -> str:
    message = "" if definition.target is None else encode(definition.target).decode()
    line = Line("definition").tag("id", definition.id).field("message", message)
    return str(line.time(definition.since * 1_000_000).to_line_protocol())


def _silence_line(silence: Silence) -> str:
    line = _tagged("silence", silence.site, silence.target).field("until", int(silence.until))
    return str(line.time(silence.start * 1_000_000).to_line_protocol())


def _incident_line(incident: Incident) -> str:
    # Two fields, so that a late message of the opening cannot undo the end.
    field = "opened" if incident.resolved_at is None else "resolved"
    line = Line("incident").tag("id", incident.id).field(field, encode(incident).decode())
    return str(line.time(incident.opened_at * 1_000_000).to_line_protocol())


def _mark_line(mark: Mark) -> str:
    line = (
        Line("mark").tag("site", mark.site).field("epoch", mark.epoch).field("seq", mark.seq).field("at", int(mark.at))
    )
    # One point a day: each mark overwrites the one before.
    return str(line.time(mark.at // DAY_MS * DAY_MS * 1_000_000).to_line_protocol())


def _tagged(measurement: str, site: str, target: str) -> Any:
    return Line(measurement).tag("site", site).tag("target", target)


def _state_record(row: Mapping[str, Any]) -> StateRecord:
    code = row["code"]
    if code is None and (row["state"], row["reason"]) == ("UNKNOWN", "paused"):
        # Version 0.1 wrote no codes, and knew a pause by its sentence.
        code = "paused"
    return StateRecord(Time(row["time"] // 1_000_000), row["state"], row["reason"], code, row["epoch"], row["seq"])


def _cycle_row(row: Mapping[str, Any]) -> Row:
    rtts_us = tuple([int(rtt) for rtt in (row["rtts_us"] or "").split()])
    return 0, row["time"], 0, row["sent"], row["received"], "!" if row["invalid"] else "", rtts_us


def _whole_row(row: Mapping[str, Any]) -> Row:
    """Of a row whose time is in nanoseconds: see `_nanoseconds`."""
    at, seq = divmod(row["time"], 1_000_000)
    _, _, _, sent, received, _, rtts_us = _cycle_row(row)
    head = f"!{row['invalid_code'] or ''}" if row["invalid"] else ""
    errors = (row["error_codes"] or "").split()
    return 0, at, seq, sent, received, " ".join([head, *errors]) if head or errors else "", rtts_us


def _points_of(rows: Sequence[Mapping[str, Any]]) -> list[Point]:
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


def _chosen(tag: str, names: Sequence[str] | None) -> str:
    """The beginning of a condition. Where it would be long, everything is asked for and filtered afterwards."""
    if names is None or len(names) > _NAMES_IN_A_QUERY:
        return ""
    return "(" + " OR ".join(f"{tag} = {_quoted(one)}" for one in names) + ") AND "


def _duration_ms(text: str) -> int | None:
    """`24h0m0s` as the server writes it; None for its way of saying for ever."""
    units_s = {"h": 3600, "m": 60, "s": 1}
    total_s = sum(int(number) * units_s[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
    return total_s * 1000 or None


def _between(start: Time, end: Time) -> str:
    return f"time >= {int(start)}ms AND time < {int(end)}ms"


def _name(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _reason_of(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or error.reason)
    try:
        return str(json.loads(body).get("message", body))
    except (ValueError, AttributeError):
        return body
