"""The uptime report: how long what was up, for targets, groups, tags and sites; calculated once, and turned over page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, get_args

from noc_bus.messages import Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.chart import bucket_of
from noc_history.rollups import Rollup, merged
from noc_history.store import Bucket, Store
from noc_rules.calendar import Calendar, Hours, Span
from noc_rules.inheritance import chain, is_below
from noc_rules.maintenance import Versions
from noc_rules.share import pct
from noc_rules.timeline import Interval
from noc_rules.uptime import PROFILES, Outage, Uptime, account, together
from noc_web.jobs import Job, Jobs, Told
from noc_web.uptime import Timeline, timelines

By = Literal["target", "group", "tag", "site"]
BY: Final[tuple[By, ...]] = get_args(By)
# From a minute to ten years there is always one of which few enough fit.
_BAR_WIDTHS_MS: Final = (60_000, 600_000, HOUR_MS, 3 * HOUR_MS, DAY_MS, 7 * DAY_MS, 28 * DAY_MS, 112 * DAY_MS)
_MOST_BARS: Final = 60
_TOO_MANY: Final = "Too many reports are being calculated at the moment; try again in a few seconds."


@dataclass(frozen=True)
class Wanted:
    """What a report is of. `group`, `tag` and `site` "": all. `calendar` None: all of the period counts."""

    start: Time
    end: Time
    group: str = ""
    tag: str = ""
    site: str = ""
    profile: str = "standard"
    calendar: Calendar | None = None
    goal_pct: float | None = None
    """Instead of the targets' own."""
    by_site: bool = False
    """With a row for each site; it takes longer."""
    compared: bool = False
    """With the period before, of the same length; it takes twice as long."""
    measured: bool = False
    """With round-trip times and loss, from the sums of whole hours."""

    def has(self, target: Target) -> bool:
        return is_below(target.group, self.group) and (not self.tag or self.tag in target.tags)

    @property
    def before(self) -> Wanted:
        return replace(self, start=Time(self.start - (self.end - self.start)), end=self.start, compared=False)


@dataclass(frozen=True)
class Line:
    """One row. `name` is a target's id, or what else the row is of; "" for the total."""

    name: str
    targets: int
    uptime: Uptime
    before: Uptime | None
    """In the period before."""
    goal_pct: float | None
    """None where there is none, or its targets do not have one and the same."""
    cycles: Bucket | None = None
    """All of them summed up, where that was asked for."""

    @property
    def change_pct(self) -> float | None:
        """How much more it was up than in the period before."""
        now, before = self.uptime.uptime_pct, self.before.uptime_pct if self.before else None
        return None if now is None or before is None else now - before

    @property
    def loss_pct(self) -> float | None:
        """None where nothing was sent, or its cycles were not asked for."""
        return pct(self.cycles.sent - self.cycles.received, self.cycles.sent, 4) if self.cycles else None


@dataclass(frozen=True)
class Report:
    wanted: Wanted
    targets: Mapping[str, Target]
    lines: Mapping[By, Sequence[Line]]
    total: Line
    outages: Sequence[tuple[str, Outage]]
    """With the target's id, newest first."""
    bars: Sequence[tuple[Span, int]]
    """For stretches of the period, how many milliseconds of all targets together were downtime."""


def calculated(
    store: Store,
    known: Mapping[str, Target],
    wanted: Wanted,
    told: Told = lambda done, of: None,
    maintenances: Versions = MappingProxyType({}),
) -> Report:
    """`maintenances`: all that ever were. Raises StoreError."""
    targets = {name: target for name, target in known.items() if wanted.has(target)}
    # Whatever is asked for later is done later.
    steps = len(targets) * (2 if wanted.compared else 1)
    now = _uptimes(store, targets, known, wanted, maintenances, lambda done: told(done, steps))
    before: Mapping[str, Uptime] = {}
    if wanted.compared:
        before = _uptimes(
            store, targets, known, wanted.before, maintenances, lambda done: told(len(targets) + done, steps)
        ).overall
    sums: Mapping[str, Rollup] = {}
    if wanted.measured and not wanted.site and targets:
        sums = store.totals([*targets], wanted.start, wanted.end)

    def lined(of: Mapping[str, Sequence[str]]) -> list[Line]:
        return _lines(of, targets, now.overall, before, sums, wanted.goal_pct)

    lines: dict[By, Sequence[Line]] = {
        "target": lined({name: [name] for name in now.overall}),
        "group": lined(members(targets, _paths)),
        "tag": lined(members(targets, lambda one: one.tags)),
        "site": [Line(site, len(found), together(found), None, None) for site, found in sorted(now.by_site.items())],
    }
    outages = [(name, outage) for name, uptime in now.overall.items() for outage in uptime.outages]
    outages.sort(key=lambda one: (one[1].start, one[0]), reverse=True)
    (total,) = lined({"": [*now.overall]})
    return Report(wanted, targets, lines, total, outages, _bars(wanted, [outage for _, outage in outages]))


@dataclass(frozen=True)
class _Uptimes:
    overall: dict[str, Uptime] = field(default_factory=dict)
    """By target."""
    by_site: dict[str, list[Uptime]] = field(default_factory=lambda: defaultdict(list))
    """By site, one for each of its targets."""


def _uptimes(
    store: Store,
    targets: Mapping[str, Target],
    known: Mapping[str, Target],
    wanted: Wanted,
    maintenances: Versions,
    told: Callable[[int], None],
) -> _Uptimes:
    period, profile = Span(wanted.start, wanted.end), PROFILES[wanted.profile]
    hours = None if wanted.calendar is None else wanted.calendar.spans(*period)

    def counted(intervals: Sequence[Interval], timeline: Timeline) -> Uptime:
        return account(intervals, period, profile, hours=hours, maintenance=timeline.windows)

    found = _Uptimes()
    for name, timeline in timelines(
        store,
        [*targets.values()],
        wanted.start,
        wanted.end,
        known=known,
        profile=profile,
        hours=hours,
        explained=False,
        maintenances=maintenances,
    ):
        found.overall[name] = counted(timeline.sites.get(wanted.site, []), timeline) if wanted.site else timeline.uptime
        for site, intervals in timeline.sites.items() if wanted.by_site else ():
            found.by_site[site].append(counted(intervals, timeline))
        told(len(found.overall))
    return found


def _bars(wanted: Wanted, outages: Sequence[Outage]) -> list[tuple[Span, int]]:
    hours = Hours(
        [Span(wanted.start, wanted.end)] if wanted.calendar is None else wanted.calendar.spans(wanted.start, wanted.end)
    )
    width_ms = next(width for width in _BAR_WIDTHS_MS if (wanted.end - wanted.start) / width <= _MOST_BARS)
    first = wanted.start // width_ms
    down_ms = [0] * (-(-wanted.end // width_ms) - first)
    for one in outages:
        for number in range(one.start // width_ms, -(-one.end // width_ms)):
            begin, stop = max(one.start, number * width_ms), min(one.end, (number + 1) * width_ms)
            down_ms[number - first] += hours.ms_within(begin, stop)
    return [
        (Span(max(wanted.start, (first + place) * width_ms), min(wanted.end, (first + place + 1) * width_ms)), ms)
        for place, ms in enumerate(down_ms)
    ]


def _paths(target: Target) -> list[str]:
    return [path for path in chain(target.group) if path]


def members(targets: Mapping[str, Target], names: Callable[[Target], Iterable[str]]) -> dict[str, list[str]]:
    """The ids of the targets that belong to each of the names."""
    found: dict[str, list[str]] = defaultdict(list)
    for target in targets.values():
        for name in names(target):
            found[name].append(target.id)
    return found


def _lines(
    members: Mapping[str, Sequence[str]],
    targets: Mapping[str, Target],
    uptimes: Mapping[str, Uptime],
    before: Mapping[str, Uptime],
    sums: Mapping[str, Rollup],
    goal_pct: float | None,
) -> list[Line]:
    """The worst first; what has nothing to count comes last."""
    lines = []
    for name, of in members.items():
        goals = {targets[one].uptime_goal_pct for one in of} if goal_pct is None else {goal_pct}
        past = [before[one] for one in of if one in before]
        goal = goals.pop() if len(goals) == 1 else None
        parts = [sums[one] for one in of if one in sums]
        cycles = bucket_of(merged(0, 0, parts)) if parts else None
        uptime, earlier = together([uptimes[one] for one in of]), together(past) if past else None
        lines.append(Line(name, len(of), uptime, earlier, goal, cycles))
    return sorted(lines, key=_worst_first)


def _worst_first(line: Line) -> tuple[bool, float, str]:
    value = line.uptime.uptime_pct
    return value is None, value or 0.0, line.name


class Reports:
    """Calculates one report at a time and keeps the last few, so that whoever turns the pages of one reads the same."""

    def __init__(
        self,
        store: Store,
        targets: Callable[[], Mapping[str, Target]],
        maintenances: Callable[[], Versions] = dict,
    ) -> None:
        """`targets`: those in force. `maintenances`: all that ever were."""
        self._store, self._targets, self._maintenances = store, targets, maintenances
        self._jobs: Jobs[Wanted, Report] = Jobs("report", _TOO_MANY)

    def ask(self, wanted: Wanted) -> Job[Report]:
        """The report, which may be there already. Raises ProblemError 503 where too many are being calculated."""
        return self._jobs.ask(
            wanted, lambda told: calculated(self._store, self._targets(), wanted, told, self._maintenances())
        )

    def close(self) -> None:
        """Stops what is being calculated; returns once nothing reads the store any more."""
        self._jobs.close()
