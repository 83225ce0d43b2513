"""A report as a mail: its figures, its groups, the worst and the latest outages, as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_eval_context, select_autoescape
from jinja2.nodes import EvalContext

from noc_history.store import PERCENTS
from noc_rules.periods import Every, local
from noc_rules.share import shown_change, shown_pct
from noc_rules.uptime import PROFILES, duration, unbroken
from noc_web.report import Line, Report

_MOST_GROUPS: Final = 20
_WORST: Final = 10
_MOST_OUTAGES: Final = 10
_WIDEST: Final = 60
_NONE: Final = "-"


def written(
    report: Report, title: str, every: Every, zone: ZoneInfo, public_url: str, calendar: str
) -> tuple[str, str, str]:
    """Subject, text and HTML."""
    wanted = report.wanted
    period = _period(every, local(zone, wanted.start), local(zone, wanted.end))
    bad = [line for line in report.lines["target"] if line.uptime.outages][:_WORST]
    words = {
        "title": title,
        "period": f"{period}, {zone.key}",
        "of": ", ".join(
            [
                wanted.group or "all targets",
                *([f"tag {wanted.tag}"] if wanted.tag else []),
                *([f"calendar {calendar}"] if calendar else []),
            ]
        ),
        "targets": len(report.targets),
        "figures": _cover(report.total),
        "tables": [
            ("Groups", [_row(line, line.name) for line in _by_name(report.lines["group"])[:_MOST_GROUPS]]),
            (f"The worst {len(bad)}", [_row(line, report.targets[line.name].name) for line in bad]),
        ],
        "outages": [
            (
                report.targets[name].name[:_WIDEST],
                f"{local(zone, one.start):%Y-%m-%d %H:%M:%S}",
                "ongoing" if one.end >= wanted.end else duration(one.ms),
            )
            for name, one in report.outages[:_MOST_OUTAGES]
        ],
        "more_outages": max(0, len(report.outages) - _MOST_OUTAGES),
        "downtime": PROFILES[wanted.profile].title,
        "link": _link(report, public_url, calendar),
    }
    text, html = (_TEMPLATES.get_template(f"report_mail.{form}").render(words) for form in ("txt", "html"))
    return f"{title}: {period}", text, html


def _cover(total: Line) -> list[tuple[str, str, str]]:
    """Name, value, and what else is to be said of it."""
    uptime = total.uptime
    longest = f"longest {duration(uptime.longest_ms)}" if uptime.outages else ""
    figures = [
        ("Uptime", _pct(uptime.uptime_pct), f"{_change(total)} against the period before" if _change(total) else ""),
        ("Downtime", duration(uptime.down_ms) if uptime.down_ms else _NONE, ""),
        ("Outages", str(len(uptime.outages)), longest),
        ("MTTR", duration(uptime.mttr_ms) if uptime.mttr_ms else _NONE, ""),
        ("MTBF", duration(uptime.mtbf_ms) if uptime.mtbf_ms else _NONE, ""),
        ("Coverage", _pct(uptime.coverage_pct), "of the time was measured"),
        ("Loss", _loss(total), ""),
        ("Median", _percentile(total, 50), f"95th percentile {_percentile(total, 95)}"),
    ]
    return (
        figures
        if total.goal_pct is None
        else [*figures, ("Error budget left", _left(total), f"goal {_pct(total.goal_pct)}")]
    )


def _row(line: Line, name: str) -> tuple[str, ...]:
    uptime = line.uptime
    down = duration(uptime.down_ms) if uptime.down_ms else _NONE
    return (
        *(name[:_WIDEST], _pct(uptime.uptime_pct), _pct(uptime.coverage_pct), _change(line) or _NONE),
        *(str(len(uptime.outages)), down, _loss(line), _percentile(line, 50), _percentile(line, 95), _left(line)),
    )


def _by_name(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.name)


def _pct(value: float | None) -> str:
    return _NONE if value is None else shown_pct(value)


def _loss(line: Line) -> str:
    return _NONE if line.loss_pct is None else shown_pct(line.loss_pct, 2)


def _percentile(line: Line, percent: int) -> str:
    percentiles = line.cycles.percentiles_ms if line.cycles else None
    return _NONE if percentiles is None else f"{percentiles[PERCENTS.index(percent)]:.1f} ms"


def _change(line: Line) -> str:
    """In percentage points."""
    return "" if line.change_pct is None else shown_change(line.change_pct)


def _left(line: Line) -> str:
    if line.goal_pct is None:
        return _NONE
    left_ms = line.uptime.budget(line.goal_pct).left_ms
    return f"{'-' if left_ms < 0 else ''}{duration(abs(left_ms))}"


def _period(every: Every, start: datetime, end: datetime) -> str:
    if every is Every.MONTH:
        return f"{start:%B %Y}"
    if every is Every.DAY:
        return f"{start:%A, %Y-%m-%d}"
    return f"{start:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}"


def _link(report: Report, public_url: str, calendar: str) -> str:
    if not public_url:
        return ""
    wanted = report.wanted
    query: dict[str, Any] = {"from": int(wanted.start), "to": int(wanted.end)}
    query |= {"group": wanted.group} if wanted.group else {}
    query |= {"tag": wanted.tag} if wanted.tag else {}
    query |= {"profile": wanted.profile} if wanted.profile != "standard" else {}
    query |= {"calendar": calendar} if calendar else {}
    return f"{public_url}/reports?{urlencode(query)}"


@pass_eval_context
def _in_one_piece(context: EvalContext, value: object) -> object:
    """HTML breaks lines where it likes, but not within a duration."""
    return type(value)(unbroken(value)) if context.autoescape and isinstance(value, str) else value


_TEMPLATES: Final = Environment(
    loader=PackageLoader("noc_web"),
    finalize=_in_one_piece,
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
