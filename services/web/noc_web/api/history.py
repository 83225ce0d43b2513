"""One target in time: its history, its states, uptime and outages over any period."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from flask import Response

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.store import PERCENTS, Bucket, Chart, Store
from noc_rules.share import pct
from noc_rules.timeline import Interval
from noc_rules.uptime import Outage
from noc_web.api import answers
from noc_web.api.paths import changes_in, stored_traces
from noc_web.api.route import PERIOD, SLUG, Ask, Query, Route, Text
from noc_web.api.targets import target_in_force
from noc_web.catalog.catalog import Catalog
from noc_web.json import Row
from noc_web.publisher import Publisher
from noc_web.uptime import Timeline, timelines

LONGEST_MS: Final = 3660 * DAY_MS
_MOST_POINTS: Final = 5000
# Of a row after its time; the browser's own file has the same.
_COLUMNS: Final = (
    "min_ms", "mean_ms", "max_ms", "loss_pct", "cycles", "invalid", "p5_ms", "p25_ms", "p50_ms", "p75_ms", "p95_ms",
    "blind_pct",
)  # fmt: skip


def history(ask: Ask, publisher: Publisher, catalog: Catalog, store: Store) -> object:
    target = target_in_force(ask, publisher)
    start, end = ask.period(HOUR_MS, LONGEST_MS)
    points = ask.int_param("points", 600, 1, _MOST_POINTS)
    site = ask.slug("site")
    sites = None if site is None else [site]
    form = ask.choice("format", "json", ("json", "csv"))
    chart = store.chart([target.id], sites, start, end, points)[target.id]
    if form == "csv":
        return _csv(chart, f"noc-{target.id}-{str(start)[:10]}-{str(end)[:10]}.csv")
    answer: Row = {
        "from": start,
        "to": end,
        "points": points,
        "width_ms": chart.width_ms,
        "sites": {name: _rows(buckets) for name, buckets in sorted(chart.sites.items())},
        "merged": _rows(chart.merged),
    }
    if ask.choice("with", "figures", ("figures", "all")) == "all":
        past = catalog.maintenance_past()
        ((_, timeline),) = timelines(store, [target], start, end, known=publisher.targets, maintenances=past)
        answer["states"] = _states(timeline)
        answer["maintenance"] = _maintenance(timeline)
        answer["routes"] = changes_in(stored_traces(store, target.id, end), start)
        answer["incidents"] = [one for one in store.incidents(start, end) if target.id in one.targets]
        codes = store.codes(target.id, sites, start, end)
        answer["codes"] = {name: {"invalid": one.invalid, "errors": one.errors} for name, one in sorted(codes.items())}
    return answer


def _csv(chart: Chart, name: str) -> Response:
    """A line for each row of each site, and of all sites together where there are several."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["site", "at", *_COLUMNS])
    parts = [*sorted(chart.sites.items()), *([("", chart.merged)] if len(chart.sites) > 1 else [])]
    for site, buckets in parts:
        for at, *rest in _rows(buckets):
            writer.writerow([site, str(Time(at or 0)), *("" if one is None else one for one in rest)])
    answer = Response(out.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def states(ask: Ask, publisher: Publisher, catalog: Catalog, store: Store) -> object:
    target = target_in_force(ask, publisher)
    start, end = ask.period(DAY_MS, LONGEST_MS)
    past = catalog.maintenance_past()
    ((_, timeline),) = timelines(store, [target], start, end, known=publisher.targets, maintenances=past)
    return {"from": start, "to": end} | _described(timeline)


def _described(timeline: Timeline) -> Row:
    uptime = timeline.uptime
    return {
        **_states(timeline),
        "uptime": {
            "pct": uptime.uptime_pct,
            "coverage_pct": uptime.coverage_pct,
            "seconds": uptime.seconds,
            "unmonitored_s": uptime.unmonitored_ms / 1000,
        },
        "outages": [_interval(one) for one in uptime.outages],
        "maintenance": _maintenance(timeline),
    }


def _states(timeline: Timeline) -> Row:
    return {
        "overall": [_interval(one) for one in timeline.overall],
        "sites": {site: [_interval(one) for one in found] for site, found in sorted(timeline.sites.items())},
    }


def _maintenance(timeline: Timeline) -> list[Row]:
    return [
        {"start": Time(one.start), "end": Time(one.end), "maintenance": one.maintenance, "title": one.title}
        for one in timeline.maintenance
    ]


def _rows(buckets: Sequence[Bucket]) -> list[list[float | None]]:
    # What nobody looked at is a gap.
    return [_row(bucket) for bucket in buckets if bucket.cycles]


def _row(one: Bucket) -> list[float | None]:
    loss_pct = pct(one.sent - one.received, one.sent, 2)
    percentiles = one.percentiles_ms or (None,) * len(PERCENTS)
    rtts = [
        None if ms is None else round(ms, 3) for ms in (one.rtt_min_ms, one.rtt_mean_ms, one.rtt_max_ms, *percentiles)
    ]
    return [int(one.at), *rtts[:3], loss_pct, one.cycles, one.invalid, *rtts[3:], round(100 * one.blind, 2)]


def _interval(one: Interval | Outage) -> Row:
    return {
        "start": Time(one.start),
        "end": Time(one.end),
        "seconds": one.seconds,
        "state": one.state,
        "reason": one.reason,
        "code": one.code,
    }


ROUTES = (
    Route(
        "GET",
        "/targets/{target}/history",
        "viewer",
        "Round-trip times with percentiles, and loss, over a period (one hour where it is left out), by site and of all.",
        history,
        answer=(answers.History, Text(("text/csv",))),
        query=(
            *PERIOD,
            Query("site", "only this site", SLUG),
            Query(
                "points",
                "about so many rows a site; a row sums up all cycles that began in its `width_ms`, which is a usual one",
                {"type": "integer", "minimum": 1, "maximum": _MOST_POINTS, "default": 600},
            ),
            Query(
                "format",
                "json, or csv: a line for each row, that of all sites together without a site",
                {"type": "string", "enum": ["json", "csv"], "default": "json"},
            ),
            Query(
                "with",
                "all: also the states of the period, when it was in maintenance, the incidents that touch it, changes of the route to it, and why cycles were invalid or had "
                "errors, as far as raw cycles are kept",
                {"type": "string", "enum": ["figures", "all"], "default": "figures"},
            ),
        ),
        work="history",
    ),
    Route(
        "GET",
        "/targets/{target}/states",
        "viewer",
        "States, uptime and outages over a period (one day where it is left out).",
        states,
        answer=answers.States,
        query=PERIOD,
        work="history",
    ),
)
