"""One target in time: its history, its states, uptime and outages over any period."""

from __future__ import annotations

from typing import Final

from noc_history.store import Point, Store
from noc_rules.timeline import Interval
from noc_rules.uptime import coverage_pct
from noc_web.api import answers
from noc_web.api.route import PERIOD, SLUG, Ask, Query, Route
from noc_web.api.targets import target_in_force
from noc_web.json import Row
from noc_web.publisher import Publisher
from noc_web.uptime import Timeline, timelines

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
LONGEST_MS: Final = 3660 * _DAY_MS
_MOST_POINTS: Final = 5000


def history(ask: Ask, publisher: Publisher, store: Store) -> object:
    target = target_in_force(ask, publisher)
    start, end = ask.period(_HOUR_MS, LONGEST_MS)
    points = ask.int_param("points", 600, 1, _MOST_POINTS)
    series = store.series(target.id, start, end, points, ask.slug("site"))
    return {
        "from": start,
        "to": end,
        "points": points,
        "sites": {site: [_row(point) for point in found] for site, found in sorted(series.items())},
    }


def states(ask: Ask, publisher: Publisher, store: Store) -> object:
    target = target_in_force(ask, publisher)
    start, end = ask.period(_DAY_MS, LONGEST_MS)
    timeline = timelines(store, [target], start, end, known=publisher.targets)[target.id]
    return {"from": start, "to": end} | _described(timeline, (end - start) / 1000)


def _described(timeline: Timeline, period_s: float) -> Row:
    return {
        "overall": [_interval(one) for one in timeline.overall],
        "sites": {site: [_interval(one) for one in found] for site, found in sorted(timeline.sites.items())},
        "uptime": {
            "pct": timeline.uptime.uptime_pct,
            "coverage_pct": coverage_pct(timeline.uptime.seconds, period_s),
            "seconds": timeline.uptime.seconds,
        },
        "outages": [_interval(one) for one in timeline.uptime.outages],
    }


def _row(point: Point) -> list[float | None]:
    loss_pct = round(100 * (point.sent - point.received) / point.sent, 2) if point.sent else None
    rtts = [None if ms is None else round(ms, 3) for ms in (point.rtt_min_ms, point.rtt_mean_ms, point.rtt_max_ms)]
    return [int(point.at), *rtts, loss_pct, point.cycles, point.invalid]


def _interval(one: Interval) -> Row:
    return {
        "start": one.start,
        "end": one.end,
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
        "Round-trip times and loss over a period (one hour where it is left out), by site.",
        history,
        answer=answers.History,
        query=(
            *PERIOD,
            Query("site", "only this site", SLUG),
            Query(
                "points",
                "at most so many rows a site; a row sums up all cycles of its slice",
                {"type": "integer", "minimum": 1, "maximum": _MOST_POINTS, "default": 600},
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
