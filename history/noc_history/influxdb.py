"""The InfluxDB store: written through influxdb-client in line protocol, read in InfluxQL.

Nothing counts as stored before the server has answered that it is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from noc_bus.codec import decode
from noc_bus.messages import Incident, Mark, Message, ProbeResult, Target, Trace
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.chart import chart_of, codes_of, whole_buckets, whole_hours, width_for
from noc_history.influx_lines import (
    DAYS,
    HOURS,
    MINUTES,
    ROLLUP_FIELDS,
    TIERS,
    TYPES,
    Tier,
    cycle_line,
    cycle_row,
    definition_line,
    incident_line,
    is_whole,
    mark_line,
    points_of,
    rollup_from,
    rollup_line,
    silence_line,
    state_line,
    state_record,
    trace_line,
    unsummed_line,
    whole_row,
)
from noc_history.influx_server import LINES_AT_ONCE, InfluxServer, LinesRefused, between, chosen, quoted
from noc_history.influx_sums import InfluxSums, read_layout, unsummed
from noc_history.packing import result_of
from noc_history.rollups import BY_START, FIVE_MINUTES_MS, Rollup, merged, merged_to, roll_up
from noc_history.room import Room
from noc_history.store import (
    KEEP_5MIN_DAYS,
    KEEP_HOURLY_DAYS,
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
    Sum,
    Upkeep,
    Written,
)

# So many records of one batch are sent one by one to learn what becomes of each; the others come again anyway.
_MAX_SINGLES: Final = 64
# What has a target and a site for tags.
_OF_SERIES: Final = ("cycle", "state", "silence", "trace", *(tier.measurement for tier in TIERS))
# Without a condition version 2 names those too of which everything was deleted.
_TARGETS: Final = 'SHOW TAG VALUES WITH KEY = "target" WHERE site =~ /./'
_RAW_FIELDS: Final = "sent, received, invalid, rtts_us"


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

    def __init__(
        self,
        address: str,
        token: str,
        org: str,
        bucket: str,
        *,
        password: str = "",
        keep_5min_days: int = KEEP_5MIN_DAYS,
        keep_hourly_days: int = KEEP_HOURLY_DAYS,
    ) -> None:
        """With a `password`, `token` is the name of a user: of version 1, or one of version 2 who may only read."""
        self._server = InfluxServer(address, token, org, bucket, password)
        self._sums = InfluxSums(self._server, keep_5min_days, keep_hourly_days)

    def prepare(self) -> None:
        self._server.make_bucket()
        if (trouble := self._server.retention_trouble()) is not None:
            raise StoreError(trouble, can_retry=True)
        self._sums.lay_out_empty()

    # -- writing

    def write(self, batch: Batch) -> Written:
        rejected: list[Rejected] = []
        before_marks = [
            *(_Line(one, one.at, cycle_line(one)) for one in batch.results),
            *(_Line(one, one.since, state_line(one)) for one in batch.states),
            *(_Line(one, one.opened_at, incident_line(one)) for one in batch.incidents),
            *(_Line(one, one.at, trace_line(one)) for one in batch.traces),
            *(_Line(None, one.since, definition_line(one)) for one in batch.definitions),
            *(_Line(None, one.start, silence_line(one)) for one in batch.silences),
        ]
        # Before, so that nothing stays without its sums where this is cut off; and after, for who summed up meanwhile.
        self._note_unsummed(batch.results)
        for start in range(0, len(before_marks), LINES_AT_ONCE):
            self._put(before_marks[start : start + LINES_AT_ONCE], rejected)
        self._note_unsummed(batch.results)
        if not any(one.can_mend for one in rejected):
            self._put([_Line(one, one.at, mark_line(one)) for one in batch.marks], rejected)
        offered = len(batch.results) + len(batch.states) + len(batch.incidents) + len(batch.traces)
        return Written(offered - sum(not isinstance(one.record, Mark) for one in rejected), tuple(rejected))

    def _note_unsummed(self, results: Sequence[ProbeResult]) -> None:
        if results:
            hours = {one.at // HOUR_MS for one in results}
            days = {hour * HOUR_MS // DAY_MS for hour in hours}
            stamp = time.time_ns()
            lines = [unsummed_line(HOURS, hour * HOUR_MS, stamp) for hour in hours]
            lines += [unsummed_line(DAYS, day * DAY_MS, stamp) for day in days]
            try:
                self._server.write(lines)
            except LinesRefused as error:
                # Where the bucket does not go so far back, it refuses these cycles too.
                if (trouble := self._server.type_trouble("unsummed")) is not None:
                    raise StoreError(trouble, can_retry=True) from error

    def _put(self, lines: Sequence[_Line], rejected: list[Rejected]) -> None:
        """Write lines; where the server refuses some, halve until it is known which."""
        if not lines:
            return
        try:
            self._server.write([one.text for one in lines])
        except LinesRefused as error:
            reason = str(error)
            if len(lines) == 1:
                rejected += self._rejected(lines, reason, self._server.type_trouble(lines[0].measurement))
                return
            for part in self._parts(lines, reason, rejected):
                self._put(part, rejected)

    def _parts(self, lines: Sequence[_Line], reason: str, rejected: list[Rejected]) -> Iterable[Sequence[_Line]]:
        """What to try next of lines of which the server refuses some."""
        if len(rejected) >= _MAX_SINGLES:
            cures = {name: self._server.type_trouble(name) for name in {one.measurement for one in lines}}
            for name, cure in cures.items():
                if cure is not None:
                    rejected += self._rejected([one for one in lines if one.measurement == name], reason, cure)
            lines = [one for one in lines if cures[one.measurement] is None]
        middle = -(-len(lines) // 2)
        return [part for part in (lines[:middle], lines[middle:]) if part]

    def _rejected(self, lines: Sequence[_Line], reason: str, cure: str | None) -> Iterator[Rejected]:
        keeps_ms = self._server.keeps_ms() if cure is None else None
        for one in lines:
            if one.record is None:
                continue
            is_too_old = keeps_ms is not None and one.at < Time.now() - keeps_ms
            mend = self._server.retention_cure(keeps_ms) if is_too_old and keeps_ms is not None else cure
            if mend is None:
                yield Rejected(one.record, reason[:300])
            else:
                yield Rejected(one.record, f"{mend} ({reason[:200]})", can_mend=True)

    # -- how the bucket is set up
    def trouble(self) -> str | None:
        return self._server.retention_trouble() or next(filter(None, map(self._server.type_trouble, TYPES)), None)

    def forget(self, target: str | None, site: str | None) -> None:
        tags = {name: value for name, value in (("target", target), ("site", site)) if value is not None}
        for measurement in _OF_SERIES:
            self._server.forget(measurement, tags)
        if target is not None and site is None:
            self._server.forget("definition", {"id": target})

    def room(self) -> Room | None:
        return None

    def maintain(self, before: Time | None, budget_s: float) -> Upkeep:
        return self._sums.work(before, time.monotonic() + budget_s)

    def close(self) -> None:
        self._server.close()

    # -- reading

    def marks(self) -> dict[str, Mark]:
        marks = {}
        query = "SELECT epoch, seq, at FROM mark GROUP BY site ORDER BY time DESC LIMIT 1"
        for tags, (row,) in self._server.series(query):
            marks[tags["site"]] = Mark(site=tags["site"], epoch=row["epoch"], seq=row["seq"], at=Time(row["at"]))
        return marks

    def series(
        self, target: str, start: Time, end: Time, points: int, site: str | None = None
    ) -> Mapping[str, Sequence[Point]]:
        where = f"target = {quoted(target)} AND {between(start, end)}"
        if site is not None:
            where += f" AND site = {quoted(site)}"
        counted = {
            tags["site"]: rows[0]["count"]
            for tags, rows in self._server.series(f"SELECT COUNT(sent) FROM cycle WHERE {where} GROUP BY site")
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
        width_ms = width_for(start, end, points)
        first, last = whole_buckets(start, end, width_ms)
        parts = self._parts_for(width_ms, first, last)
        charts = {}
        for target in targets:
            where = f"target = {quoted(target)} AND "
            found: dict[str, list[Rollup]] = defaultdict(list)
            for tier, begin, until in parts:
                for site, rollups in self._summed(where, tier, begin, until, width_ms).items():
                    if sites is None or site in sites:
                        found[site] += rollups
            of_sites = {site: merged_to(sorted(some, key=BY_START), width_ms) for site, some in sorted(found.items())}
            silences = list(self._silences(f"{where}time < {last}ms AND until > {first}"))
            charts[target] = chart_of(of_sites, silences, start, end, width_ms)
        return charts

    def _parts_for(self, width_ms: int, first: int, last: int) -> list[tuple[Tier | None, int, int]]:
        """Which sums serve for each part of a period, in order; None: raw cycles.

        The widest that divide a bucket, and finer ones where they do not have all that has come.
        """
        layout = read_layout(self._server)
        if layout is None:
            return [(None, first, last)]
        changed = unsummed(self._server, f"{between(first // DAY_MS * DAY_MS, last)} AND ")
        parts: list[tuple[Tier | None, int, int]] = []
        at = first
        while at < last:
            hour, day = at // HOUR_MS * HOUR_MS, at // DAY_MS * DAY_MS
            if width_ms % DAY_MS == 0 and at == day and day + DAY_MS <= last and day not in changed[DAYS]:
                tier, until = DAYS, day + DAY_MS
            elif at >= layout.raw_since and (hour in changed[HOURS] or width_ms < FIVE_MINUTES_MS):
                tier, until = None, hour + HOUR_MS
            elif at >= layout.minutes_since and width_ms < HOUR_MS:
                tier, until = MINUTES, hour + HOUR_MS
            else:
                tier, until = HOURS, hour + HOUR_MS
            until = min(until, last)
            # What one question asks for is a day of raw cycles at the most, and any number of sums.
            if parts and parts[-1][0] == tier and (tier or until - parts[-1][1] <= DAY_MS):
                parts[-1] = tier, parts[-1][1], until
            else:
                parts.append((tier, at, until))
            at = until
        return parts

    def _summed(self, where: str, tier: Tier | None, start: int, end: int, width_ms: int) -> dict[str, list[Rollup]]:
        """By site, in buckets of this width or finer ones."""
        fields, table = (_RAW_FIELDS, "cycle") if tier is None else (ROLLUP_FIELDS, tier.measurement)
        query = f"SELECT {fields} FROM {table} WHERE {where}{between(start, end)} GROUP BY site"
        if tier is not None:
            return {tags["site"]: list(map(rollup_from, rows)) for tags, rows in self._server.series(query)}
        return {
            tags["site"]: roll_up(map(cycle_row, filter(is_whole, rows)), width_ms)
            for tags, rows in self._server.series(query)
        }

    def raw_cycles(self, target: str, start: Time, end: Time) -> Iterator[ProbeResult]:
        fields = "sent, received, invalid, rtts_us, invalid_code, error_codes"
        where = f"target = {quoted(target)} AND {between(start, end)}"
        for tags, rows in self._server.pieces(f"SELECT {fields} FROM cycle WHERE {where} GROUP BY site", epoch="ns"):
            yield from (result_of(whole_row(row), tags["site"], target) for row in rows if is_whole(row))

    def targets(self) -> Sequence[str]:
        return sorted({row["value"] for _, rows in self._server.series(_TARGETS) for row in rows})

    def sums(self, target: str, start: Time, end: Time) -> Iterator[Sum]:
        where = f"target = {quoted(target)} AND {between(start, end)}"
        for tier in TIERS:
            query = f"SELECT {ROLLUP_FIELDS} FROM {tier.measurement} WHERE {where} GROUP BY site"
            for tags, rows in self._server.pieces(query):
                yield from (Sum(target, tags["site"], tier.width_ms, rollup_from(row)) for row in rows)

    def write_sums(self, sums: Sequence[Sum]) -> None:
        for tier in TIERS:
            of_tier = [one for one in sums if one.width_ms == tier.width_ms]
            for target in sorted({one.target for one in of_tier}):
                of_target = {(one.site, one.rollup.start): one.rollup for one in of_tier if one.target == target}
                starts = [start for _, start in of_target]
                where = f"target = {quoted(target)} AND {between(min(starts), max(starts) + 1)}"
                query = f"SELECT cycles FROM {tier.measurement} WHERE {where} GROUP BY site"
                known = {(tags["site"], row["time"]) for tags, rows in self._server.series(query) for row in rows}
                lines = [
                    rollup_line(tier, target, name[0], one) for name, one in of_target.items() if name not in known
                ]
                self._server.write_whole(lines)

    def codes(self, target: str, sites: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Codes]:
        where = f"target = {quoted(target)} AND {between(start, end)}"
        notes: dict[str, list[tuple[str | None, list[str]]]] = defaultdict(list)
        for condition in ("invalid = 1", "invalid = 0 AND error_codes =~ /./"):
            # A point without the first of what is asked for is no row: `invalid` is in all.
            query = f"SELECT invalid, invalid_code, error_codes FROM cycle WHERE {where} AND {condition} GROUP BY site"
            for tags, rows in self._server.series(query):
                notes[tags["site"]] += [
                    ((row["invalid_code"] or "") if row["invalid"] else None, (row["error_codes"] or "").split())
                    for row in rows
                ]
        return {site: codes_of(notes[site]) for site in sorted(notes) if sites is None or site in sites}

    def totals(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Rollup]:
        if targets is not None and not targets:
            return {}
        start, end = whole_hours(start, end)
        found: dict[str, list[Rollup]] = defaultdict(list)
        wanted = None if targets is None else set(targets)
        for tier, begin, until in self._days_and_hours(start, end):
            where = f"{chosen('target', targets)}{between(begin, until)}"
            for tags, rows in self._server.series(
                f"SELECT {ROLLUP_FIELDS} FROM {tier.measurement} WHERE {where} GROUP BY target"
            ):
                if wanted is None or tags["target"] in wanted:
                    found[tags["target"]] += map(rollup_from, rows)
        return {target: merged(0, start, found[target]) for target in sorted(found)}

    def daily(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Day]]:
        if targets is not None and not targets:
            return {}
        start, end = whole_hours(Time(start // DAY_MS * DAY_MS), end)
        found: dict[str, list[Day]] = defaultdict(list)
        sums = ", ".join(f"SUM({name}) AS {name}" for name in ("cycles", "invalid", "sent", "received"))
        for tier, begin, until in self._days_and_hours(start, end):
            where = f"{chosen('target', targets)}{between(begin, until)}"
            query = f"SELECT {sums} FROM {tier.measurement} WHERE {where} GROUP BY target, time(1d) fill(none)"
            for tags, rows in self._server.series(query):
                found[tags["target"]] += [
                    Day(Time(row["time"]), row["cycles"], row["invalid"], row["sent"], row["received"]) for row in rows
                ]
        return {target: sorted(found[target]) for target in sorted(found) if targets is None or target in targets}

    def _days_and_hours(self, start: Time, end: Time) -> list[tuple[Tier, int, int]]:
        """Which sums have all of each part of a period of whole hours: those over days where they do."""
        changed = unsummed(self._server, f"{between(start // DAY_MS * DAY_MS, end)} AND ")[DAYS]
        parts: list[tuple[Tier, int, int]] = []
        for day in range(start // DAY_MS * DAY_MS, end, DAY_MS):
            begin, until = max(start, day), min(end, day + DAY_MS)
            tier = DAYS if until - begin == DAY_MS and day not in changed else HOURS
            if parts and parts[-1][0] == tier:
                parts[-1] = tier, parts[-1][1], until
            else:
                parts.append((tier, begin, until))
        return parts

    def states(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Mapping[str, SiteRecords]]:
        if targets is not None and not targets:
            return {}
        of_targets, now = chosen("target", targets), Time.now()
        states: dict[tuple[str, str], list[StateRecord]] = defaultdict(list)
        fields = "reason, code, epoch, seq"
        held = f"SELECT LAST(state) AS state, {fields} FROM state WHERE {of_targets}time < {start + 1}ms GROUP BY target, site"
        begun = (
            f"SELECT state, {fields} FROM state "
            f"WHERE {of_targets}{between(Time(start + 1), Time(end + HOUR_MS))} GROUP BY target, site"
        )
        later = (
            f"SELECT state, {fields} FROM state "
            f"WHERE {of_targets}time >= {max(end + HOUR_MS, now + 0)}ms GROUP BY target, site"
        )
        for query in (held, begun, later):
            for tags, rows in self._server.series(query, epoch="ns"):
                states[tags["target"], tags["site"]] += [state_record(row) for row in rows]
        silences: dict[tuple[str, str], list[Silence]] = defaultdict(list)
        for one in self._silences(f"{of_targets}time < {int(end)}ms AND until > {int(start)}"):
            silences[one.target, one.site].append(one)
        last = self._last_cycles(of_targets, now)
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
        where = chosen("id", targets) + "time > 0"
        for tags, rows in self._server.series(f"SELECT message FROM definition WHERE {where} GROUP BY id"):
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

    def _last_cycles(self, where: str, now: Time) -> dict[tuple[str, str], Time]:
        query = f"SELECT LAST(sent) FROM cycle WHERE {where}time < {now + 1}ms GROUP BY target, site"
        return {
            (tags["target"], tags["site"]): Time(rows[0]["time"] // 1_000_000)
            for tags, rows in self._server.series(query, epoch="ns")
        }

    def _silences(self, where: str) -> Iterator[Silence]:
        for tags, rows in self._server.series(f"SELECT until FROM silence WHERE {where} GROUP BY target, site"):
            for row in rows:
                # What is over by its own start was taken back.
                if row["until"] > row["time"]:
                    yield Silence(tags["target"], tags["site"], Time(row["time"]), Time(row["until"]))

    def incidents(self, start: Time, end: Time) -> Sequence[Incident]:
        found: dict[str, Incident] = {}
        # An id is no tag any more, and was one in version 0.1: so the message alone says which incident it is of.
        for _, rows in self._server.series(f"SELECT opened, resolved FROM incident WHERE time < {int(end)}ms"):
            for row in rows:
                incident = decode((row["resolved"] or row["opened"]).encode(), Incident)
                if incident.id not in found or found[incident.id].resolved_at is None:
                    found[incident.id] = incident
        open_then = [one for one in found.values() if one.resolved_at is None or one.resolved_at >= start]
        return sorted(open_then, key=lambda incident: incident.opened_at, reverse=True)

    def traces(self, targets: Sequence[str] | None, start: Time, end: Time) -> Mapping[str, Sequence[Trace]]:
        if targets is not None and not targets:
            return {}
        found: dict[str, list[Trace]] = defaultdict(list)
        wanted = None if targets is None else set(targets)
        where = f"{chosen('target', targets)}{between(start, end)}"
        for tags, rows in self._server.series(f"SELECT message FROM trace WHERE {where} GROUP BY target, site"):
            if wanted is None or tags["target"] in wanted:
                found[tags["target"]] += [decode(row["message"].encode(), Trace) for row in rows]
        return {target: sorted(found[target], key=lambda one: (one.at, one.site)) for target in sorted(found)}

    def _points(self, query: str, sites: Sequence[str]) -> dict[str, list[Point]]:
        return {tags["site"]: points_of(rows) for tags, rows in self._server.series(query) if tags["site"] in sites}
