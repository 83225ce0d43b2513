"""Many targets at once, from what their cycles are summed up to: days, the worst, what is unusual, groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from noc_bus.messages import GROUP_PATTERN, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.chart import bucket_of
from noc_history.rollups import Rollup, merged
from noc_history.store import Bucket, Day, Store
from noc_rules.inheritance import chain, is_below
from noc_rules.share import pct
from noc_web.api import answers
from noc_web.api.history import LONGEST_MS
from noc_web.api.route import MOST_ROWS, PAGES, PERIOD, Ask, Query, Route
from noc_web.json import Row
from noc_web.publisher import Publisher
from noc_web.report import members

_WEEK_MS: Final = 7 * DAY_MS
_USUAL_WEEKS: Final = 4
# Until then the cycles of an hour have come, and the store has summed them up.
_SETTLED_MS: Final = HOUR_MS // 4
_MOST_DAYS: Final = 366
# Of longer periods a piece of a day at the beginning is not worth what reading its hours costs.
_BY_DAYS_MS: Final = 2 * DAY_MS
_FIGURES: Final = ("loss_pct", "rtt_p50_ms", "rtt_p95_ms", "jitter_ms")
_BY: Final = {"loss": "loss_pct", "median": "rtt_p50_ms", "p95": "rtt_p95_ms", "jitter": "jitter_ms"}


def days(ask: Ask, publisher: Publisher, store: Store) -> object:
    targets = sorted(_targets(ask, publisher).values(), key=lambda one: (one.name.casefold(), one.id))
    count = ask.int_param("days", 90, 1, _MOST_DAYS)
    by = ask.choice("sort", "name", ("name", "loss"))
    offset, limit = ask.page()
    last = Time.now() // DAY_MS
    start, end = Time((last - count + 1) * DAY_MS), Time((last + 1) * DAY_MS)
    # What nobody sees is not read, unless its place depends on it.
    shown = targets[offset : offset + limit] if by == "name" else targets
    found = store.daily([one.id for one in shown], start, end)
    if by == "loss":
        shown = sorted(shown, key=lambda one: -_lost(found.get(one.id, ())))[offset : offset + limit]
    rows = [_named(target) | {"days": _strip(found.get(target.id, ()), start, count)} for target in shown]
    return {"from": start, "to": end, "count": len(targets), "offset": offset, "rows": rows}


def _lost(found: Sequence[Day]) -> float:
    """The share of all echoes of the days; below 0 where there were none."""
    sent, received = sum(day.sent for day in found), sum(day.received for day in found)
    return (sent - received) / sent if sent else -1.0


def _strip(found: Iterable[Day], start: Time, count: int) -> list[list[float | None] | None]:
    strip: list[list[float | None] | None] = [None] * count
    for day in found:
        strip[(day.at - start) // DAY_MS] = [_loss_pct(day.sent, day.received), day.cycles, day.invalid]
    return strip


def top(ask: Ask, publisher: Publisher, store: Store) -> object:
    targets = _targets(ask, publisher)
    start, end = _period(ask)
    by = ask.choice("by", "loss", tuple(_BY))
    order = ask.choice("order", "value", ("value", "change"))
    limit = ask.int_param("limit", 20, 1, MOST_ROWS)
    now, before = _now_and_before(store, targets, start, end)
    rows = [_named(targets[name]) | _compared(one, before.get(name)) for name, one in now.items() if name in targets]
    rows.sort(key=lambda row: (_rank(row, _BY[by], order), row["target"]))
    return {"from": start, "to": end, "by": by, "order": order, "rows": rows[:limit]}


def _rank(row: Row, figure: str, order: str) -> float:
    """The worst first; what is not known last."""
    value, before = row[figure], row["before"]
    if order == "change":
        value = None if value is None or before is None or before[figure] is None else value - before[figure]
    return float("inf") if value is None else -value


def groups(ask: Ask, publisher: Publisher, store: Store) -> object:
    targets = _targets(ask, publisher)
    start, end = _period(ask)
    now, before = (_by_group(found, targets) for found in _now_and_before(store, targets, start, end))
    of_groups = _of_groups(targets)
    rows = [
        {"group": group, "targets": len(of_groups[group])} | _compared(now.get(group), before.get(group))
        for group in sorted(of_groups)
    ]
    return {"from": start, "to": end, "rows": rows}


def _of_groups(targets: Mapping[str, Target]) -> dict[str, list[str]]:
    """By group, those in it and below it; all of them in the group without a name."""
    return members(targets, lambda target: chain(target.group))


def _by_group(found: Mapping[str, Rollup], targets: Mapping[str, Target]) -> dict[str, Rollup]:
    return {
        group: merged(0, 0, parts)
        for group, names in _of_groups(targets).items()
        if (parts := [found[name] for name in names if name in found])
    }


def usual(ask: Ask, publisher: Publisher, store: Store) -> object:
    targets = _targets(ask, publisher)
    limit = ask.int_param("limit", 20, 1, MOST_ROWS)
    settled = Time(Time.now() - _SETTLED_MS)
    end = Time(min(ask.time("to", settled), settled) // HOUR_MS * HOUR_MS)
    start = Time(end - HOUR_MS)
    now = store.totals(list(targets), start, end)
    weeks = [
        store.totals(list(targets), Time(start - week * _WEEK_MS), Time(end - week * _WEEK_MS))
        for week in range(1, _USUAL_WEEKS + 1)
    ]
    rows = []
    for name, one in now.items():
        if name in targets:
            known = [week[name] for week in weeks if name in week]
            together = merged(0, 0, known) if known else None
            row = _named(targets[name]) | {"now": _figures(one), "usual": _usual(together), "weeks": len(known)}
            rows.append(row)
    rows.sort(key=lambda row: (-_surprise(row), row["target"]))
    return {"from": start, "to": end, "rows": rows[:limit]}


def _usual(one: Rollup | None) -> Row | None:
    if one is None:
        return None
    bucket = bucket_of(one)
    low_ms = None if bucket.percentiles_ms is None else round(bucket.percentiles_ms[0], 3)
    return _described(bucket) | {"rtt_p5_ms": low_ms}


def _surprise(row: Row) -> float:
    """How far the median is above what is usual, as a share of that, and the loss in points above the usual one."""
    now, before = row["now"], row["usual"]
    if before is None:
        return -1.0
    slower = 0.0
    if now["rtt_p50_ms"] is not None and before["rtt_p95_ms"]:
        slower = max(0.0, now["rtt_p50_ms"] / before["rtt_p95_ms"] - 1)
    return slower + max(0.0, (now["loss_pct"] or 0.0) - (before["loss_pct"] or 0.0)) / 100


def _targets(ask: Ask, publisher: Publisher) -> dict[str, Target]:
    group = ask.query.get("group", "")
    return {name: target for name, target in publisher.targets.items() if is_below(target.group, group)}


def _period(ask: Ask) -> tuple[Time, Time]:
    """Whole hours, or from a whole day of UTC on."""
    start, end = ask.period(_WEEK_MS, LONGEST_MS)
    unit_ms = DAY_MS if end - start >= _BY_DAYS_MS else HOUR_MS
    return Time(start // unit_ms * unit_ms), Time(end // HOUR_MS * HOUR_MS)


def _now_and_before(
    store: Store, targets: Mapping[str, Target], start: Time, end: Time
) -> tuple[Mapping[str, Rollup], Mapping[str, Rollup]]:
    unit_ms = HOUR_MS if start % DAY_MS or end - start < _BY_DAYS_MS else DAY_MS
    length_ms = -(-(end - start) // unit_ms) * unit_ms
    names = list(targets)
    return store.totals(names, start, end), store.totals(names, Time(start - length_ms), start)


def _compared(now: Rollup | None, before: Rollup | None) -> Row:
    return _figures(now) | {"before": None if before is None else _figures(before)}


def _figures(one: Rollup | None) -> Row:
    if one is None:
        return dict.fromkeys(("cycles", "invalid"), 0) | dict.fromkeys(_FIGURES)
    return _described(bucket_of(one))


def _described(one: Bucket) -> Row:
    found: Row = {"cycles": one.cycles, "invalid": one.invalid, "loss_pct": _loss_pct(one.sent, one.received)}
    if one.percentiles_ms is None:
        return found | dict.fromkeys(_FIGURES[1:])
    _, _, median_ms, _, high_ms = one.percentiles_ms
    ms = {"rtt_p50_ms": median_ms, "rtt_p95_ms": high_ms, "jitter_ms": high_ms - median_ms}
    return found | {name: round(value, 3) for name, value in ms.items()}


def _loss_pct(sent: int, received: int) -> float | None:
    return pct(sent - received, sent, 2)


def _named(target: Target) -> Row:
    return {"target": target.id, "name": target.name, "group": target.group}


_GROUP: Final = Query("group", "only this group and those below it", {"type": "string", "pattern": GROUP_PATTERN})
_LIMIT: Final = Query(
    "limit", "so many rows at the most", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 20}
)


def _route(path: str, summary: str, handler: Callable[..., object], answer: object, *query: Query) -> Route:
    return Route("GET", path, "viewer", summary, handler, answer=answer, query=(_GROUP, *query), work="history")


ROUTES = (
    _route(
        "/history/days",
        "Loss and coverage of every target, day by day of UTC; what is not summed up yet, as is this hour, is left out.",
        days,
        answers.Days,
        Query(
            "days",
            "so many, with today",
            {"type": "integer", "minimum": 1, "maximum": _MOST_DAYS, "default": 90},
        ),
        Query(
            "sort",
            "by name, or those first that lost the most",
            {"type": "string", "enum": ["name", "loss"], "default": "name"},
        ),
        *PAGES,
    ),
    _route(
        "/history/top",
        "The targets with the greatest loss, median, 95th percentile or jitter of a period (one week where it is left "
        "out), or those in which it has risen most against the period before.",
        top,
        answers.Top,
        *PERIOD,
        Query("by", "the figure that counts", {"type": "string", "enum": list(_BY), "default": "loss"}),
        Query(
            "order",
            "by the figure itself, or by its rise against the period before",
            {"type": "string", "enum": ["value", "change"], "default": "value"},
        ),
        _LIMIT,
    ),
    _route(
        "/history/groups",
        "The same figures of groups, with all targets in them and below, over a period (one week where it is left out).",
        groups,
        answers.GroupSums,
        *PERIOD,
    ),
    _route(
        "/history/usual",
        "The last hour of every target that ended a quarter of an hour ago or earlier, beside the same hour of the four weeks "
        "before, the most unusual first.",
        usual,
        answers.Unusual,
        Query("to", "the hour that had ended by then", PERIOD[1].schema),
        _LIMIT,
    ),
)
