"""The uptime report over any period: rows for targets, groups, tags or sites, and the outages; as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Response

from noc_bus.messages import GROUP_PATTERN, Target, VerdictState
from noc_bus.time import DAY_MS, Time
from noc_history.store import PERCENTS
from noc_rules.calendar import HOURS_ACCEPTED, Calendar
from noc_rules.uptime import PROFILES
from noc_web.api import answers
from noc_web.api.history import LONGEST_MS
from noc_web.api.route import PAGES, PERIOD, SLUG, Ask, Query, Route, Text
from noc_web.calendars import HOLIDAYS, HOURS, ZONE, Calendars, read_calendar
from noc_web.catalog.table import guarded
from noc_web.json import Row
from noc_web.problem import FieldError, ProblemCode, invalid
from noc_web.report import BY, By, Line, Report, Reports, Wanted

_DEFAULT_MS: Final = 7 * DAY_MS
_LONGEST_WAIT_S: Final = 600
_P50, _P95 = PERCENTS.index(50), PERCENTS.index(95)
_FIGURES: Final = (
    "uptime_pct", "coverage_pct", "outages", "downtime_s", "longest_s", "mttr_s", "mtbf_s", "change_pct", "goal_pct",
    "budget_s", "budget_left_s", "loss_pct", "p50_ms", "p95_ms",
)  # fmt: skip
_SORTS: Final[Mapping[str, tuple[str, bool]]] = {
    "uptime": ("uptime_pct", False),
    "coverage": ("coverage_pct", False),
    "outages": ("outages", True),
    "downtime": ("downtime_s", True),
    "longest": ("longest_s", True),
    "change": ("change_pct", False),
    "budget": ("budget_left_s", False),
    "loss": ("loss_pct", True),
    "p50": ("p50_ms", True),
    "p95": ("p95_ms", True),
    "name": ("name", False),
}
"""By the name of an order: a figure, and whether the largest comes first; what has none comes last."""


def uptime_report(ask: Ask, reports: Reports, calendars: Calendars) -> object:
    by: By = next(one for one in BY if one == ask.choice("by", "target", BY))
    form = ask.choice("format", "json", ("json", "csv"))
    figure, is_falling = _SORTS[ask.choice("sort", "uptime", tuple(_SORTS))]
    wanted = _wanted(ask, calendars, by_site=by == "site")
    progress_pct, report = _awaited(ask, reports, wanted)
    rows = (
        [_row(line, report.targets.get(line.name) if by == "target" else None) for line in report.lines[by]]
        if report
        else []
    )
    rows.sort(key=lambda row: _place(row[figure], is_falling=is_falling))
    if form == "csv":
        return _csv(rows, ("target", "name", "group", "targets", *_FIGURES), wanted, by)
    total = _figures(report.total) if report else None
    bars = (
        [{"start": Time(span.start), "end": Time(span.end), "down_s": ms / 1000} for span, ms in report.bars]
        if report
        else []
    )
    return _head(ask, wanted, progress_pct) | {"by": by, "total": total, "bars": bars} | _page(ask, rows)


def outages(ask: Ask, reports: Reports, calendars: Calendars) -> object:
    form = ask.choice("format", "json", ("json", "csv"))
    wanted = _wanted(ask, calendars)
    progress_pct, report = _awaited(ask, reports, wanted)
    rows = _outages(report) if report else []
    if form == "csv":
        return _csv(
            rows, ("target", "name", "group", "start", "end", "seconds", "state", "is_ongoing"), wanted, "outages"
        )
    return _head(ask, wanted, progress_pct) | _page(ask, rows)


def _wanted(ask: Ask, calendars: Calendars, *, by_site: bool = False) -> Wanted:
    """Raises ProblemError 422."""
    start, end = ask.period(_DEFAULT_MS, LONGEST_MS)
    calendar, goal_pct = _calendar(ask, calendars)
    return Wanted(
        start=start,
        end=end,
        group=ask.query.get("group", ""),
        tag=ask.slug("tag") or "",
        site=ask.slug("site") or "",
        profile=ask.choice("profile", "standard", tuple(PROFILES)),
        calendar=calendar,
        goal_pct=goal_pct,
        by_site=by_site,
        compared=ask.choice("compare", "false", ("true", "false")) == "true",
        measured=ask.choice("rtt", "false", ("true", "false")) == "true",
    )


def _calendar(ask: Ask, calendars: Calendars) -> tuple[Calendar | None, float | None]:
    """Which hours count, and a goal for them. Raises ProblemError 422."""
    hours, zone, holidays, name = (ask.query.get(one, "") for one in ("hours", "zone", "holidays", "calendar"))
    if name:
        if hours or holidays:
            sentence = (
                "calendar: it has hours and holidays of its own; leave `hours` and `holidays` out, or `calendar`."
            )
            raise invalid([FieldError("calendar", sentence, ProblemCode.DOES_NOT_FIT)])
        chosen = calendars.chosen(name)
        return chosen.calendar, chosen.goal_pct
    if not hours and not holidays:
        return None, None
    return read_calendar(hours, zone, [one for one in holidays.split(",") if one]), None


def _awaited(ask: Ask, reports: Reports, wanted: Wanted) -> tuple[int, Report | None]:
    """How far the report is, and it where it is there within the time that is asked for. Raises StoreError."""
    wait_s = ask.int_param("wait_s", _LONGEST_WAIT_S, 0, _LONGEST_WAIT_S)
    return reports.ask(wanted).awaited(wait_s)


def _head(ask: Ask, wanted: Wanted, progress_pct: int) -> Row:
    return {
        "from": wanted.start,
        "to": wanted.end,
        "group": wanted.group,
        "tag": wanted.tag,
        "site": wanted.site,
        "profile": wanted.profile,
        "hours": ask.query.get("hours", ""),
        "calendar": ask.query.get("calendar", ""),
        "progress_pct": progress_pct,
    }


def _page(ask: Ask, rows: Sequence[Row]) -> Row:
    offset, limit = ask.page()
    return {"count": len(rows), "offset": offset, "rows": rows[offset : offset + limit]}


def _row(line: Line, target: Target | None) -> Row:
    """`target`: which it is of, where it is of one."""
    what = {
        "target": target.id if target else None,
        "name": target.name if target else line.name,
        "group": target.group if target else "",
        "targets": line.targets,
    }
    return what | _figures(line)


def _figures(line: Line) -> Row:
    uptime = line.uptime
    percentiles = line.cycles.percentiles_ms if line.cycles else None
    budget = None if line.goal_pct is None else uptime.budget(line.goal_pct)
    return {
        "uptime_pct": uptime.uptime_pct,
        "coverage_pct": uptime.coverage_pct,
        "seconds": uptime.seconds,
        "unmonitored_s": uptime.unmonitored_ms / 1000,
        "off_hours_s": uptime.off_hours_ms / 1000,
        "outages": len(uptime.outages),
        "downtime_s": uptime.down_ms / 1000,
        "longest_s": uptime.longest_ms / 1000,
        "mttr_s": _seconds(uptime.mttr_ms),
        "mtbf_s": _seconds(uptime.mtbf_ms),
        "change_pct": line.change_pct,
        "goal_pct": line.goal_pct,
        "budget_s": _seconds(budget.allowed_ms if budget else None),
        "budget_left_s": _seconds(budget.left_ms if budget else None),
        "loss_pct": line.loss_pct,
        "p50_ms": round(percentiles[_P50], 3) if percentiles else None,
        "p95_ms": round(percentiles[_P95], 3) if percentiles else None,
    }


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms) / 1000


def _outages(report: Report) -> list[Row]:
    found = []
    for name, one in report.outages:
        target = report.targets[name]
        found.append(
            {
                "target": name,
                "name": target.name,
                "group": target.group,
                "start": Time(one.start),
                "end": Time(one.end),
                "seconds": one.seconds,
                "state": one.state,
                "is_ongoing": one.end == report.wanted.end,
            }
        )
    return found


def _place(value: Any, *, is_falling: bool) -> tuple[bool, Any]:
    if value is None:
        return True, 0
    return False, -value if is_falling else value


def _csv(rows: Iterable[Row], columns: Sequence[str], wanted: Wanted, what: str) -> Response:
    out = io.StringIO()
    # Without this mark Excel takes UTF-8 for something else.
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\n")
    states = [*VerdictState] if "uptime_pct" in columns else []
    writer.writerow(["from", "to", *columns, *(f"{state.lower()}_s" for state in states)])
    for row in rows:
        cells = ["" if row[name] is None else guarded(str(row[name])) for name in columns]
        seconds = [round(row["seconds"][state], 3) for state in states]
        writer.writerow([str(wanted.start), str(wanted.end), *cells, *seconds])
    answer = Response(out.getvalue(), mimetype="text/csv")
    kind = {"target": "uptime", "outages": "outages"}.get(what, f"uptime-by-{what}")
    name = f"noc-{kind}-{str(wanted.start)[:10]}-{str(wanted.end)[:10]}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _form(pattern: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{pattern}$"}


_QUERY: Final = (
    *PERIOD,
    Query("group", "only targets in this group and below; left out: all", {"type": "string", "pattern": GROUP_PATTERN}),
    Query("tag", "only targets with this tag", SLUG),
    Query("site", "as this site alone saw them; left out: as all sites did together", SLUG),
    Query(
        "profile",
        "what counts as downtime, besides DOWN; maintenance and what nobody saw are left out unless it says so",
        {"type": "string", "enum": list(PROFILES), "default": "standard"},
    ),
    Query("hours", f"which hours count, by the clock of `zone`: {HOURS_ACCEPTED}; left out: all", _form(HOURS)),
    Query("zone", "the time zone of `hours` and `holidays`, like Europe/Berlin", _form(ZONE) | {"default": "UTC"}),
    Query("holidays", "days that do not count, like 2026-12-25,2026-12-26", _form(HOLIDAYS)),
    Query("calendar", "the hours, the holidays and the goal that a calendar of this name has", SLUG),
    Query(
        "wait_s",
        "how long to wait for it; where it is not there by then, `progress_pct` is below 100 and there are no rows",
        {"type": "integer", "minimum": 0, "maximum": _LONGEST_WAIT_S, "default": _LONGEST_WAIT_S},
    ),
    Query("format", "json or csv, which has all rows", {"type": "string", "enum": ["json", "csv"], "default": "json"}),
    *PAGES,
)
ROUTES = (
    Route(
        "GET",
        "/reports/uptime",
        "viewer",
        "Uptime, outages and seconds of each state over a period (7 days where it is left out).",
        uptime_report,
        answer=(answers.Report, Text(("text/csv",))),
        query=(
            *_QUERY,
            Query("by", "what a row is of", {"type": "string", "enum": list(BY), "default": "target"}),
            Query("sort", "which rows come first", {"type": "string", "enum": list(_SORTS), "default": "uptime"}),
            Query(
                "rtt",
                "true: loss and percentiles of round-trip times, from the sums of whole hours; over a year they take long",
                {"type": "string", "enum": ["true", "false"], "default": "false"},
            ),
            Query(
                "compare",
                "true: `change_pct` against the period before, of the same length",
                {"type": "string", "enum": ["true", "false"], "default": "false"},
            ),
        ),
        work="history",
    ),
    Route(
        "GET",
        "/reports/outages",
        "viewer",
        "Every outage of a period (7 days where it is left out), the newest first.",
        outages,
        answer=(answers.Outages, Text(("text/csv",))),
        query=_QUERY,
        work="history",
    ),
)
