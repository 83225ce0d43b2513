"""One target in time and on demand: history, states and uptime, a check now, the path to it."""

from __future__ import annotations

from typing import Final

from noc_bus.messages import Target
from noc_history.store import Point
from noc_rules.timeline import Interval
from noc_web.api import answers
from noc_web.api.bodies import At
from noc_web.api.route import PERIOD, Ask, Query, Route
from noc_web.live.view import Row
from noc_web.parts import Parts
from noc_web.problem import FieldError, ProblemError, invalid
from noc_web.uptime import Timeline, timelines

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
LONGEST_MS: Final = 3660 * _DAY_MS
_MOST_POINTS: Final = 5000


def history(parts: Parts, ask: Ask) -> object:
    target = _target(parts, ask)
    start, end = ask.period(_HOUR_MS, LONGEST_MS)
    points = ask.whole("points", 600, 1, _MOST_POINTS)
    series = parts.store.series(target.id, start, end, points, ask.query.get("site") or None)
    return {
        "from": start,
        "to": end,
        "points": points,
        "sites": {site: [_row(point) for point in found] for site, found in sorted(series.items())},
    }


def states(parts: Parts, ask: Ask) -> object:
    target = _target(parts, ask)
    start, end = ask.period(_DAY_MS, LONGEST_MS)
    timeline = timelines(parts.store, [target], start, end)[target.id]
    return {"from": start, "to": end} | described(timeline)


def described(timeline: Timeline) -> Row:
    return {
        "overall": [_interval(one) for one in timeline.overall],
        "sites": {site: [_interval(one) for one in found] for site, found in sorted(timeline.sites.items())},
        "uptime": {"pct": timeline.uptime.uptime_pct, "seconds": timeline.uptime.seconds},
        "outages": [_interval(one) for one in timeline.uptime.outages],
    }


def check(parts: Parts, ask: Ask) -> object:
    return _command(parts, ask, "check")


def trace(parts: Parts, ask: Ask) -> object:
    return _command(parts, ask, "trace")


def traces(parts: Parts, ask: Ask) -> object:
    target = _target(parts, ask)
    with parts.view.lock:
        return {"traces": dict(parts.view.traces.get(target.id, {}))}


def _command(parts: Parts, ask: Ask, verb: str) -> Row:
    target = _target(parts, ask)
    site = (ask.read(At) if ask.raw else At()).site
    known = {row["id"]: row["online"] for row in parts.view.site_rows()}
    if site is None:
        site = next((name for name, online in known.items() if online), None)
        if site is None:
            raise ProblemError(409, "No site has a prober online now.")
    if site not in known:
        sentence = f"site: {site[:63]!r} is not a site; use one of {', '.join(known) or 'none, as there is none yet'}."
        raise invalid([FieldError("site", sentence)])
    if not known[site]:
        raise ProblemError(409, f"The prober of the site {site} is not online now.")
    # Noted first: the reply may be here before the command's sending has returned.
    request = parts.requests.asked(ask.actor.name)
    parts.publisher.command(verb, site, target.id, request)
    return {"request": request, "site": site}


def _target(parts: Parts, ask: Ask) -> Target:
    target = parts.publisher.targets.get(ask["target"])
    if target is None:
        raise ProblemError(404, f"There is no target {ask['target'][:80]!r}.")
    return target


def _row(point: Point) -> list[float | None]:
    loss_pct = round(100 * (point.sent - point.received) / point.sent, 2) if point.sent else None
    rtts = [None if ms is None else round(ms, 3) for ms in (point.rtt_min_ms, point.rtt_mean_ms, point.rtt_max_ms)]
    return [int(point.at), *rtts, loss_pct, point.cycles, point.invalid]


def _interval(one: Interval) -> Row:
    return {"start": one.start, "end": one.end, "seconds": one.seconds, "state": one.state, "reason": one.reason}


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
            Query("site", "only this site", {"type": "string"}),
            Query(
                "points",
                "at most so many rows a site; a row sums up all cycles of its slice",
                {"type": "integer", "minimum": 1, "maximum": _MOST_POINTS, "default": 600},
            ),
        ),
    ),
    Route(
        "GET",
        "/targets/{target}/states",
        "viewer",
        "States, uptime and outages over a period (one day where it is left out).",
        states,
        answer=answers.States,
        query=PERIOD,
    ),
    Route(
        "POST",
        "/targets/{target}/check",
        "operator",
        "Have a site ping it now; the reply comes by MQTT and to the browser.",
        check,
        body=At,
        answer=answers.Asked,
        status=202,
    ),
    Route(
        "POST",
        "/targets/{target}/trace",
        "operator",
        "Have a site follow the path to it now; the reply comes by MQTT and to the browser.",
        trace,
        body=At,
        answer=answers.Asked,
        status=202,
    ),
    Route("GET", "/targets/{target}/traces", "viewer", "The last path each site found.", traces, answer=answers.Traces),
)
