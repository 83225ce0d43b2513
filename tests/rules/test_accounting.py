"""Random pasts, judged and added up: equal to a slow reference that looks at every second, and to what the alerter said live."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from noc_bus.messages import ProberPresence, SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.calendar import MINUTES_OF_DAY, Calendar, Span
from noc_rules.judge import Agenda, Views, judge
from noc_rules.timeline import InForce, Interval, merged, overall, site_intervals, while_asked
from noc_rules.uptime import PROFILES, Uptime, account
from noc_rules.verdict import Parent, Standing, Vote, decide
from tests.rules.records import Defined, Hole, Known

SITES: Final = ("a", "b", "c")
POLICIES: Final = ("majority", "any", "all", "1", "2")
# Moments at which clocks are changed, by an hour or a half; and a midnight in a zone where they never are.
MOMENTS: Final = (
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("America/St_Johns", "2026-03-08T05:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Asia/Kathmandu", "2026-11-26T18:15:00Z"),
)
BEHIND: Final[tuple[dict[str, Any], ...]] = (
    {}, {}, {"parents": ["p"]}, {"parents": ["p"]}, {"parents": ["p"]}, {"parent_groups": ["p"]}, {"parent_groups": ["p|x"]},
    {"site_parents": ["a:p"]}, {"site_parents": ["a:p", "b:p"]}, {"parents": ["p"], "site_parents": ["b:-"]},
)  # fmt: skip
MEASURED: Final = {"UP", "DEGRADED", "PARTIAL", "DOWN", "UNREACHABLE"}


@dataclass(frozen=True)
class Watched:
    """What is known of one target."""

    definitions: list[Defined]
    states: dict[str, list[Known]]
    holes: dict[str, list[Hole]]


@dataclass(frozen=True)
class Case:
    """`start` and `end`: whole seconds since 1970."""

    start: int
    end: int
    parent: Watched
    child: Watched
    calendar: Calendar | None
    windows: list[Span]
    profile: str


def ms(second: int) -> Time:
    return Time(1000 * second)


def case(number: int) -> Case:
    rng = random.Random(number)
    zone_name, change = rng.choice(MOMENTS)
    zone = ZoneInfo(zone_name)
    start = Time.parse(change) // 1000 - rng.randrange(3000)
    end = start + rng.randrange(60, 3600)
    today = datetime.fromtimestamp(start, zone).date()
    holidays = {today + timedelta(days=rng.randrange(-1, 3))} if rng.random() < 0.3 else set[date]()
    begins = rng.choices(range(start - 900, end), k=rng.randrange(4))
    return Case(
        start,
        end,
        _watched(rng, "p", start, end, changes=rng.randrange(2)),
        _watched(rng, "t", start, end, changes=rng.randrange(4)),
        Calendar(zone, tuple(_hours(rng) for _ in range(7)), frozenset(holidays)) if rng.random() < 0.7 else None,
        [Span(ms(begin), ms(begin + rng.randrange(1, 1500))) for begin in begins],
        rng.choice(sorted(PROFILES)),
    )


def _hours(rng: random.Random) -> tuple[tuple[int, int], ...]:
    edges = sorted(rng.sample(range(0, MINUTES_OF_DAY + 1, 5), 2 * rng.randrange(12)))
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _watched(rng: random.Random, name: str, start: int, end: int, changes: int) -> Watched:
    # What was in force before the first that is known, it was itself.
    moments = [start - 900, *sorted(rng.sample(range(start - 500, end), changes))]
    definitions = [Defined(ms(at), _definition(rng, name, may_be_gone=at > moments[0])) for at in moments]
    states, holes = {}, {}
    for site in SITES[: rng.randrange(1, 4)]:
        first = start - 600 if rng.random() < 0.7 else rng.randrange(start, end)
        at = sorted({first, *(rng.randrange(first, end) for _ in range(rng.randrange(8)))})
        states[site] = [Known(ms(one), rng.choice(list(State)), "as seen", None, 1, seq) for seq, one in enumerate(at)]
        edges = sorted(rng.sample(range(start - 100, end + 100), 2 * rng.randrange(3)))
        holes[site] = [Hole(ms(one), ms(other)) for one, other in zip(edges[::2], edges[1::2], strict=True)]
    return Watched(definitions, states, holes)


def _definition(rng: random.Random, name: str, *, may_be_gone: bool) -> Target | None:
    if may_be_gone and rng.random() < 0.15:
        return None
    return Target(
        id=name,
        name=name,
        address="192.0.2.1",
        policy=rng.choice(POLICIES),
        sites=rng.choice([None, None, ["a"], ["b", "c"]]),
        **rng.choice(BEHIND) if name == "t" else {},
        paused=rng.random() < 0.1,
        interval_s=rng.choice([1, 10, 60]),
    )


# -- as the product does it


def past(found: Case) -> list[Interval]:
    above, sites = _sites(found.parent, found.start, found.end)
    seen = {"p": while_asked(above, sites, ms(found.start), ms(found.end))}
    in_force, by_site = _sites(found.child, found.start, found.end)
    parents = {"p": overall(above, sites, {})}
    together = overall(in_force, by_site, parents, seen)
    assert drawn(together) == drawn(overall(in_force, by_site, parents, seen, explained=False))
    return together


def _sites(watched: Watched, start: int, end: int) -> tuple[InForce, dict[str, list[Interval]]]:
    present = watched.definitions[0].target
    assert present is not None
    in_force = InForce(present, watched.definitions)
    return in_force, {
        site: site_intervals(states, watched.holes[site], ms(end), ms(start), ms(end), in_force)
        for site, states in watched.states.items()
    }


def counted(found: Case) -> Uptime:
    period = Span(ms(found.start), ms(found.end))
    hours = None if found.calendar is None else found.calendar.spans(*period)
    return account(past(found), period, PROFILES[found.profile], hours=hours, maintenance=found.windows)


def parts(uptime: Uptime) -> dict[str, Any]:
    return {
        "seconds": {state: part_ms / 1000 for state, part_ms in uptime.ms.items()},
        "unmonitored": uptime.unmonitored_ms / 1000,
        "off hours": uptime.off_hours_ms / 1000,
        "measured": uptime.measured_ms / 1000,
        "up and down": (uptime.up_ms / 1000, uptime.down_ms / 1000),
        "outages": [(one.start / 1000, one.end / 1000, one.state, one.ms / 1000) for one in uptime.outages],
    }


# -- by the second


def reference(found: Case) -> dict[str, Any]:
    parent = _by_the_second(found, found.parent, None)
    profile = PROFILES[found.profile]
    seconds = dict.fromkeys(VerdictState, 0)
    unmonitored = off_hours = measured = 0
    outages: list[tuple[int, int, VerdictState, int]] = []
    for second, both in enumerate(_by_the_second(found, found.child, parent), start=found.start):
        judged = both and both[0]
        is_open = _is_open(found.calendar, second)
        is_maintained = any(one.start <= 1000 * second < one.end for one in found.windows)
        state = judged
        if is_maintained and not profile.counts_maintenance and judged not in (None, VerdictState.PAUSED):
            state = VerdictState.MAINTENANCE
        off_hours += not is_open
        if state is None:
            unmonitored += is_open
            continue
        seconds[state] += is_open
        measured += is_open and judged in MEASURED
        if state in profile.down:
            goes_on = bool(outages) and outages[-1][1] == second
            begin, _, first, lasted = outages.pop() if goes_on else (second, second, state, 0)
            outages.append((begin, second + 1, first, lasted + is_open))
    return {
        "seconds": seconds,
        "unmonitored": unmonitored,
        "off hours": off_hours,
        "measured": measured,
        "up and down": (sum(seconds[one] for one in profile.up), sum(seconds[one] for one in profile.down)),
        "outages": [one for one in outages if one[3]],
    }


def _is_open(calendar: Calendar | None, second: int) -> bool:
    if calendar is None:
        return True
    wall = datetime.fromtimestamp(second, calendar.zone)
    minute = 60 * wall.hour + wall.minute
    is_within = any(begin <= minute < stop for begin, stop in calendar.hours[wall.weekday()])
    return is_within and wall.date() not in calendar.holidays


Second = tuple[VerdictState, tuple[tuple[str, State], ...]]
"""The verdict, and the votes that led to it."""


def _by_the_second(found: Case, watched: Watched, parent: Sequence[Second | None] | None) -> list[Second | None]:
    definitions = _places(watched.definitions, found.start, found.end)
    lines = {site: _line(found, watched, site) for site in watched.states}
    known: dict[Any, Second | None] = {}
    judged = []
    for number, place in enumerate(definitions):
        views = tuple((site, line[number]) for site, line in lines.items() if line[number] is not None)
        above = parent[number] if parent else None
        key = place, views, above
        if key not in known:
            known[key] = _judged(watched.definitions[place].target, dict(views), above)
        judged.append(known[key])
    return judged


def _judged(target: Target | None, views: dict[str, State | None], parent: Second | None) -> Second | None:
    if target is None or not views:
        return None
    votes = {
        site: Vote(state, "")
        for site, state in views.items()
        if state and (target.sites is None or site in target.sites)
    }
    decision = decide(target, votes, {"p": Parent(parent[0], dict(parent[1]))} if parent else {})
    return decision.state, tuple(decision.sites.items())


def _last(things: Sequence[Defined | Known], second: int) -> int:
    """The place of the one that holds; the first where none does yet."""
    return max((place for place, one in enumerate(things) if one.since <= 1000 * second), default=0)


def _places(things: Sequence[Defined | Known], start: int, end: int) -> list[int]:
    """For each second the place of the one that holds."""
    places, place = [], _last(things, start)
    for second in range(start, end):
        while place + 1 < len(things) and things[place + 1].since <= 1000 * second:
            place += 1
        places.append(place)
    return places


def _line(found: Case, watched: Watched, site: str) -> list[State | None]:
    states = watched.states[site]
    line = [
        State(states[place].state) if states[0].since <= 1000 * second else None
        for second, place in enumerate(_places(states, found.start, found.end), start=found.start)
    ]
    for hole in watched.holes[site]:
        seconds = range(hole.start // 1000, hole.until // 1000)
        places = set(_places(watched.definitions, seconds[0], seconds[-1] + 1))
        intervals = [one.interval_s for place in places if (one := watched.definitions[place].target)]
        for second in seconds:
            is_due = bool(intervals) and second >= seconds[0] + max(intervals)
            if is_due and found.start <= second < found.end and line[second - found.start]:
                line[second - found.start] = State.UNKNOWN
    return line


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_random_pasts_are_added_up_as_a_slow_reference_does_by_the_second(is_long: bool) -> None:
    """Overlapping windows, sites, policies, parents, pauses, silences, calendars, days on which clocks are changed."""
    for number in range(10_000 if is_long else 60):
        found = case(number)
        uptime = counted(found)
        assert parts(uptime) == reference(found), f"case {number}"
        total_ms = sum(uptime.ms.values()) + uptime.unmonitored_ms + uptime.off_hours_ms
        assert total_ms == 1000 * (found.end - found.start), f"case {number}"
        is_perfect = uptime.uptime_pct == 100
        assert is_perfect == (uptime.down_ms == 0 < uptime.up_ms), f"case {number}"


# -- as the alerter did it, live


SEEING: Final = Standing(ProberPresence(site="any", online=True), is_current=True)


def said_live(found: Case) -> list[Interval]:
    """The verdicts on the child, judged at each moment at which something changed, by what had then been heard."""
    both = {"p": found.parent, "t": found.child}
    changes = {one.since for watched in both.values() for one in watched.definitions}
    changes |= {known.since for watched in both.values() for states in watched.states.values() for known in states}
    targets: dict[str, Target] = {}
    states: dict[tuple[str, str], SiteState] = {}
    verdicts: dict[str, Verdict] = {}
    views = Views(
        targets.get, lambda site, name: states.get((site, name)), dict.fromkeys(SITES, SEEING), SITES, verdicts
    )
    said: list[Interval] = []
    moments = sorted(changes)
    for now, following in zip(moments, [*moments[1:], ms(found.end)], strict=True):
        for name, watched in both.items():
            target = watched.definitions[_last(watched.definitions, now // 1000)].target
            targets.pop(name, None)
            if target is not None:
                targets[name] = target
            for site, known in watched.states.items():
                if known[0].since <= now:
                    states[site, name] = _heard(name, site, known[_last(known, now // 1000)])
        agenda = Agenda()
        agenda.arrange(targets)
        agenda.add(both)
        while (next_one := agenda.take()) is not None:
            after = judge(next_one, views, now).after
            verdicts.pop(next_one, None)
            if after is not None:
                verdicts[next_one] = after
        start, is_seen = max(now, ms(found.start)), any(name == "t" for _, name in states)
        if "t" in verdicts and is_seen and start < following:
            said.append(Interval(Time(start), Time(following), verdicts["t"].state, verdicts["t"].reason))
    return merged(said)


def _heard(name: str, site: str, known: Known) -> SiteState:
    return SiteState(
        target=name, site=site, epoch=1, seq=known.seq, state=State(known.state), since=known.since,
        reason=known.reason, at=known.since,
    )  # fmt: skip


def without_holes(found: Case) -> Case:
    """Nothing came late, and nobody was silent."""
    both = [
        Watched(one.definitions, one.states, {site: [] for site in one.states}) for one in (found.parent, found.child)
    ]
    return Case(found.start, found.end, both[0], both[1], None, [], "standard")


def drawn(intervals: Sequence[Interval]) -> list[tuple[int, int, VerdictState]]:
    return [(int(one.start), int(one.end), one.state) for one in intervals]


def test_with_nothing_late_the_past_is_what_the_alerter_said_live(is_long: bool) -> None:
    for number in range(5000 if is_long else 100):
        found = without_holes(case(number))
        assert drawn(past(found)) == drawn(said_live(found)), f"case {number}"


def test_states_that_come_late_have_their_stretch_judged_again(is_long: bool) -> None:
    """What a site noted while it was cut off is missing at first, and then as if it had been heard at once."""
    changed = 0
    for number in range(2000 if is_long else 60):
        found = without_holes(case(number))
        rng = random.Random(number)
        site = rng.choice(sorted(found.child.states))
        kept = found.child.states[site]
        cut_off = rng.randrange(1, len(kept) + 1)
        before = Watched(found.child.definitions, found.child.states | {site: kept[:cut_off]}, found.child.holes)
        late = kept[:cut_off] + rng.sample(kept[cut_off:], len(kept) - cut_off)
        after = Watched(found.child.definitions, found.child.states | {site: late}, found.child.holes)
        at_first, at_last = (
            drawn(past(Case(found.start, found.end, found.parent, one, None, [], "standard")))
            for one in (before, after)
        )
        assert at_last == drawn(said_live(found)), f"case {number}"
        changed += at_first != at_last
    assert changed > number // 4, "what is missing does matter"
