"""The InfluxDB store: written through influxdb-client in line protocol, read in InfluxQL.

InfluxQL is the one query language that InfluxDB 1, 2 and 3 share. Every record is a point named by
its tags and its time, so writing it again changes nothing. Nothing counts as stored before the
server has answered that it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point as Line
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from noc_bus.codec import decode, encode
from noc_bus.messages import Incident, Mark, Message, ProbeResult, SiteState
from noc_bus.time import Time
from noc_history.store import Batch, Point, Rejected, SiteRecords, StateRecord, StoreError

_TIMEOUT_MS: Final = 20_000
_LINES_AT_ONCE: Final = 5_000
_DAY_MS: Final = 86_400_000
# More names than this make a longer query than filtering the answer costs.
_NAMES_IN_A_QUERY: Final = 50
# The server refuses the record itself; sending it again unchanged can never help.
_REFUSED: Final = (400, 413, 422)


@dataclass(frozen=True)
class _Written:
    """A record and the line that stands for it."""

    record: Message
    line: str


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

    # -- writing

    def write(self, batch: Batch) -> list[Rejected]:
        rejected: list[Rejected] = []
        before_marks = [
            *(_Written(one, _cycle_line(one)) for one in batch.results),
            *(_Written(one, _state_line(one)) for one in batch.states),
            *(_Written(one, _incident_line(one)) for one in batch.incidents),
        ]
        for written in (before_marks, [_Written(one, _mark_line(one)) for one in batch.marks]):
            for start in range(0, len(written), _LINES_AT_ONCE):
                rejected += self._put(written[start : start + _LINES_AT_ONCE])
        return rejected

    def _put(self, written: Sequence[_Written]) -> list[Rejected]:
        """Write lines; where the server refuses some, halve until it is known which."""
        try:
            self._writer.write(bucket=self._bucket, record="\n".join(one.line for one in written))
        except ApiException as error:
            reason = _reason_of(error)
            if error.status not in _REFUSED:
                raise self._failed("write", f"{error.status} {reason}", error.status) from error
            if len(written) == 1:
                return [Rejected(written[0].record, reason[:300])]
            middle = len(written) // 2
            return self._put(written[:middle]) + self._put(written[middle:])
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed("write", str(error), None) from error
        return []

    def forget_cycles(self, before: Time) -> None:
        try:
            self._client.delete_api().delete(
                "1970-01-01T00:00:00Z",
                str(Time(before - 1)),
                '_measurement="cycle"',
                bucket=self._bucket,
                org=self._org,
            )
        except ApiException as error:
            raise self._failed("delete", f"{error.status} {_reason_of(error)}", error.status) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed("delete", str(error), None) from error

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

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        chosen = ""
        if targets is not None and len(targets) <= _NAMES_IN_A_QUERY:
            if not targets:
                return {}
            chosen = "(" + " OR ".join(f"target = {_quoted(one)}" for one in targets) + ") AND "
        records: dict[tuple[str, str], list[StateRecord]] = defaultdict(list)
        heard: dict[tuple[str, str], int] = {}
        before = (
            f"SELECT LAST(state) AS state, reason FROM state WHERE {chosen}time < {start + 1}ms GROUP BY target, site"
        )
        during = f"SELECT state, reason FROM state WHERE {chosen}{_between(Time(start + 1), end)} GROUP BY target, site"
        for query in (before, during):
            for tags, rows in self._series_of(query, epoch="ns"):
                for row in rows:
                    records[tags["target"], tags["site"]].append(
                        StateRecord(Time(row["time"] // 1_000_000), row["state"], row["reason"])
                    )
        for measurement, field in (("cycle", "sent"), ("state", "seq")):
            everything = f"SELECT LAST({field}) FROM {measurement} WHERE {chosen}time > 0 GROUP BY target, site"
            for tags, rows in self._series_of(everything, epoch="ns"):
                name = tags["target"], tags["site"]
                heard[name] = max(heard.get(name, 0), rows[0]["time"] // 1_000_000)
        wanted = None if targets is None else set(targets)
        found: dict[str, dict[str, SiteRecords]] = defaultdict(dict)
        for (target, site), at in sorted(heard.items()):
            if wanted is None or target in wanted:
                found[target][site] = SiteRecords(tuple(records[target, site]), Time(at))
        return found

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        found = []
        query = f"SELECT opened, resolved FROM incident WHERE time < {int(end)}ms GROUP BY id"
        for _, rows in self._series_of(query):
            incident = decode((rows[-1].get("resolved") or rows[-1]["opened"]).encode(), Incident)
            if incident.resolved_at is None or incident.resolved_at >= start:
                found.append(incident)
        return sorted(found, key=lambda incident: incident.opened_at, reverse=True)

    def _points(self, query: str, sites: Sequence[str]) -> dict[str, list[Point]]:
        return {
            tags["site"]: [_point(row) for row in rows]
            for tags, rows in self._series_of(query)
            if tags["site"] in sites
        }

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
            raise self._failed("read", result["error"], 404 if "not found" in result["error"] else None)
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
    return str(line.time(result.at * 1_000_000).to_line_protocol())


def _state_line(state: SiteState) -> str:
    line = _tagged("state", state.site, state.target)
    line.field("epoch", state.epoch).field("seq", state.seq).field("state", str(state.state)).field(
        "reason", state.reason
    )
    # Two changes in one millisecond stay two points, in their order.
    return str(line.time(state.since * 1_000_000 + state.seq % 1_000_000).to_line_protocol())


def _incident_line(incident: Incident) -> str:
    # Two fields, so that a late word of the opening cannot undo the end.
    field = "opened" if incident.resolved_at is None else "resolved"
    line = Line("incident").tag("id", incident.id).field(field, encode(incident).decode())
    return str(line.time(incident.opened_at * 1_000_000).to_line_protocol())


def _mark_line(mark: Mark) -> str:
    line = (
        Line("mark").tag("site", mark.site).field("epoch", mark.epoch).field("seq", mark.seq).field("at", int(mark.at))
    )
    # One point a day: each mark overwrites the one before.
    return str(line.time(mark.at // _DAY_MS * _DAY_MS * 1_000_000).to_line_protocol())


def _tagged(measurement: str, site: str, target: str) -> Any:
    return Line(measurement).tag("site", site).tag("target", target)


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


def _between(start: Time, end: Time) -> str:
    return f"time >= {int(start)}ms AND time < {int(end)}ms"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _reason_of(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or error.reason)
    try:
        return str(json.loads(body).get("message", body))
    except (ValueError, AttributeError):
        return body
