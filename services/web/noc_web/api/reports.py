"""The uptime report: seconds of state for every target of a group over any period."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from flask import Response

from noc_bus.messages import GROUP_PATTERN, VerdictState
from noc_bus.time import Time
from noc_history.store import Store
from noc_rules.uptime import PROFILES, Uptime, together
from noc_web.api import answers
from noc_web.api.history import LONGEST_MS
from noc_web.api.route import PERIOD, Ask, Query, Route, Text
from noc_web.catalog.table import guarded
from noc_web.json import Row
from noc_web.publisher import Publisher
from noc_web.uptime import Timeline, timelines

_DEFAULT_MS: Final = 7 * 24 * 3_600_000
_COLUMNS: Final = ("target", "name", "group", "uptime_pct", "coverage_pct", "outages", "downtime_s", "longest_s")


def uptime_report(ask: Ask, publisher: Publisher, store: Store) -> object:
    start, end = ask.period(_DEFAULT_MS, LONGEST_MS)
    form = ask.choice("format", "json", ("json", "csv"))
    profile = ask.choice("profile", "standard", tuple(PROFILES))
    group = ask.query.get("group", "")
    known = publisher.targets
    targets = [target for target in known.values() if _is_in(target.group, group)]
    found: dict[str, Timeline] = {}
    if targets:
        found = timelines(store, targets, start, end, known=known, profile=PROFILES[profile], explained=False)
    rows = [
        {"target": target.id, "name": target.name, "group": target.group} | _figures(found[target.id].uptime)
        for target in targets
    ]
    rows.sort(key=lambda row: (row["uptime_pct"] is None, row["uptime_pct"], row["target"]))
    if form == "csv":
        return _csv(rows, start, end)
    total = _figures(together([timeline.uptime for timeline in found.values()]))
    return {"from": start, "to": end, "group": group, "profile": profile, "rows": rows, "total": total}


def _is_in(path: str, group: str) -> bool:
    return not group or path == group or path.startswith(f"{group}/")


def _figures(uptime: Uptime) -> Row:
    return {
        "uptime_pct": uptime.uptime_pct,
        "coverage_pct": uptime.coverage_pct,
        "seconds": uptime.seconds,
        "outages": len(uptime.outages),
        "downtime_s": uptime.down_ms / 1000,
        "longest_s": uptime.longest_ms / 1000,
    }


def _csv(rows: Sequence[Row], start: Time, end: Time) -> Response:
    out = io.StringIO()
    # Without this mark Excel takes UTF-8 for something else.
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["from", "to", *_COLUMNS, *(f"{state.lower()}_s" for state in VerdictState)])
    for row in rows:
        cells = ["" if row[name] is None else guarded(str(row[name])) for name in _COLUMNS]
        writer.writerow([str(start), str(end), *cells, *(round(row["seconds"][state], 3) for state in VerdictState)])
    answer = Response(out.getvalue(), mimetype="text/csv")
    name = f"noc-uptime-{str(start)[:10]}-{str(end)[:10]}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


ROUTES = (
    Route(
        "GET",
        "/reports/uptime",
        "viewer",
        "Uptime, outages and seconds of each state over a period (7 days where it is left out).",
        uptime_report,
        answer=(answers.Report, Text(("text/csv",))),
        query=(
            *PERIOD,
            Query(
                "group",
                "only targets in this group and below; left out: all",
                {"type": "string", "pattern": GROUP_PATTERN},
            ),
            Query(
                "profile",
                "what counts as downtime, besides DOWN; maintenance and what nobody saw are left out unless it says so",
                {"type": "string", "enum": list(PROFILES), "default": "standard"},
            ),
            Query("format", "json or csv", {"type": "string", "enum": ["json", "csv"], "default": "json"}),
        ),
        work="history",
    ),
)
