"""Maintenance windows: when each runs, also on days of 23 and 25 hours, and what those that run cover."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noc_bus.messages import Covered, Maintenance, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_rules.calendar import WEEKDAYS, Span, union
from noc_rules.maintenance import Covers, Past, Running, Schedule, following, is_over, running, spans
from noc_rules.timeline import InForce
from tests.parts.examples import up_to

LONG_AGO = Time.parse("2026-01-01T00:00:00Z")
MINUTE_MS = 60_000


def window(**fields: Any) -> Maintenance:
    given: dict[str, Any] = {
        "id": "one",
        "title": "works",
        "covers": [Covered(kind="everything")],
        "starts_at": LONG_AGO,
        "at": LONG_AGO,
    }
    return Maintenance(**(given | fields))


def weekly(zone: str, begin: str, stop: str, *days: str, **fields: Any) -> Maintenance:
    return window(repeats="weekly", zone=zone, from_time=begin, to_time=stop, weekdays=list(days), **fields)


def monthly(zone: str, begin: str, stop: str, **fields: Any) -> Maintenance:
    return window(repeats="monthly", zone=zone, from_time=begin, to_time=stop, **fields)


def at(text: str) -> Time:
    return Time.parse(f"{text.replace(' ', 'T')}:00Z")


BERLIN = "Europe/Berlin"
DAYS_23_AND_25 = {
    "spring": ("2026-03-28 12:00", "2026-03-29 12:00"),
    "autumn": ("2026-10-24 12:00", "2026-10-25 12:00"),
}


@pytest.mark.parametrize(
    ("one", "start", "end", "expected"),
    [
        pytest.param(
            window(starts_at=at("2026-11-24 22:00"), ends_at=at("2026-11-24 23:30")), "2026-11-24 00:00", "2026-11-26 00:00",
            [("24 22:00", "24 23:30")], id="once",
        ),
        pytest.param(
            window(starts_at=at("2026-11-24 22:00"), ends_at=at("2026-11-24 23:30")), "2026-11-24 23:00", "2026-11-26 00:00",
            [("24 23:00", "24 23:30")], id="no more than the period",
        ),
        pytest.param(
            weekly(BERLIN, "02:00", "04:00", "sun"), "2026-11-20 00:00", "2026-12-01 00:00",
            [("22 01:00", "22 03:00"), ("29 01:00", "29 03:00")], id="every Sunday from 02:00 to 04:00",
        ),
        pytest.param(
            weekly(BERLIN, "02:00", "04:00", "sun"), *DAYS_23_AND_25["spring"], [("29 01:00", "29 02:00")],
            id="of 02:00 to 04:00 the hour that is skipped in spring is missing",
        ),
        pytest.param(
            weekly(BERLIN, "02:00", "04:00", "sun"), *DAYS_23_AND_25["autumn"], [("25 00:00", "25 03:00")],
            id="of 02:00 to 04:00 one hour comes twice in autumn",
        ),
        pytest.param(
            weekly(BERLIN, "02:15", "02:45", "sun"), *DAYS_23_AND_25["spring"], [], id="one that falls into the skipped hour is not",
        ),
        pytest.param(
            weekly(BERLIN, "02:15", "02:45", "sun"), *DAYS_23_AND_25["autumn"],
            [("25 00:15", "25 00:45"), ("25 01:15", "25 01:45")], id="one that falls into the hour that comes twice runs twice",
        ),
        pytest.param(
            weekly(BERLIN, "23:00", "03:00", "sat"), *DAYS_23_AND_25["spring"], [("28 22:00", "29 01:00")],
            id="over midnight into the day that is short",
        ),
        pytest.param(
            weekly("UTC", "00:00", "00:00", "mon", "tue"), "2026-11-20 00:00", "2026-11-30 00:00", [("23 00:00", "25 00:00")],
            id="whole days side by side are one window",
        ),
        pytest.param(
            weekly("UTC", "22:00", "02:00", "mon"), "2026-11-23 23:00", "2026-11-24 01:00", [("23 23:00", "24 01:00")],
            id="of the day before",
        ),
        pytest.param(
            weekly("UTC", "02:00", "04:00", "sun", starts_at=at("2026-11-22 03:00"), ends_at=at("2026-11-29 02:30")),
            "2026-11-01 00:00", "2026-12-30 00:00", [("22 03:00", "22 04:00"), ("29 02:00", "29 02:30")],
            id="of one that repeats, what lies between its start and its end",
        ),
        pytest.param(
            monthly("UTC", "02:00", "04:00", days=[31, 1]), "2026-10-30 00:00", "2026-12-02 00:00",
            [("31 02:00", "31 04:00"), ("01 02:00", "01 04:00"), ("01 02:00", "01 04:00")], id="no 31st of November",
        ),
        pytest.param(
            monthly("UTC", "02:00", "04:00", days=[-1]), "2026-02-01 00:00", "2026-04-01 00:00",
            [("28 02:00", "28 04:00"), ("31 02:00", "31 04:00")], id="the last day of the month",
        ),
        pytest.param(
            monthly("UTC", "02:00", "04:00", weekdays=["tue"], weeks=[2]), "2026-11-01 00:00", "2026-12-30 00:00",
            [("10 02:00", "10 04:00"), ("08 02:00", "08 04:00")], id="the second Tuesday",
        ),
        pytest.param(
            monthly("UTC", "23:00", "01:00", weekdays=["sun"], weeks=[-1]), "2026-11-01 00:00", "2026-12-30 00:00",
            [("29 23:00", "30 01:00"), ("27 23:00", "28 01:00")], id="the last Sunday, over midnight",
        ),
        pytest.param(
            weekly("UTC", "02:00", "04:00", "sun", skipped_from=at("2026-11-22 02:30"), skipped_until=at("2026-11-22 04:00")),
            "2026-11-20 00:00", "2026-11-30 00:00", [("22 02:00", "22 02:30"), ("29 02:00", "29 04:00")], id="ended early, once",
        ),
        pytest.param(
            weekly("Nowhere/Atlantis", "02:00", "04:00", "sun"), "2026-11-20 00:00", "2026-11-30 00:00", [],
            id="a zone that this machine does not know mutes nobody",
        ),
    ],
)  # fmt: skip
def test_when_a_window_runs(one: Maintenance, start: str, end: str, expected: list[tuple[str, str]]) -> None:
    found = spans(one, at(start), at(end))
    assert [
        tuple(f"{datetime.fromtimestamp(edge / 1000, UTC):%d %H:%M}" for edge in span) for span in found
    ] == expected


def test_a_window_runs_from_its_start_up_to_its_end_and_not_at_its_end() -> None:
    one = window(starts_at=at("2026-11-24 22:00"), ends_at=at("2026-11-24 23:30"))
    edges = [one.starts_at - 1, one.starts_at, one.ends_at - 1, one.ends_at] if one.ends_at else []
    assert [running(one, moment) is not None for moment in edges] == [False, True, True, False]
    assert [is_over(one, moment) for moment in edges] == [False, False, False, True]
    assert following(one, one.starts_at - 1) == (one.starts_at, one.ends_at)
    assert following(one, one.starts_at) is None


def test_the_next_window_is_told_also_where_it_is_months_away() -> None:
    sundays = weekly("UTC", "02:00", "04:00", "sun")
    during = at("2026-11-22 03:00")
    assert following(sundays, during) == (at("2026-11-29 02:00"), at("2026-11-29 04:00"))
    fifth = monthly("UTC", "02:00", "04:00", weekdays=["sun"], weeks=[5])
    assert following(fifth, at("2026-08-30 12:00")) == (at("2026-11-29 02:00"), at("2026-11-29 04:00"))


def test_of_one_that_never_stops_nobody_knows_the_end() -> None:
    found = running(weekly("UTC", "00:00", "00:00", *WEEKDAYS), at("2026-11-22 03:00"))
    assert found is not None
    assert found.until is None


def sees(**fields: Any) -> Target:
    return Target(id="sw-1", name="sw-1", address="192.0.2.1", **fields)


@pytest.mark.parametrize(
    ("kind", "name", "target", "is_covered"),
    [
        ("target", "sw-1", sees(), True),
        ("target", "sw-2", sees(), False),
        ("group", "core", sees(group="core"), True),
        ("group", "core", sees(group="core/switches"), True),
        ("group", "core", sees(group="core2"), False),
        ("group", "core/switches", sees(group="core"), False),
        ("tag", "switch", sees(tags=["switch"]), True),
        ("tag", "core", sees(group="core", tags=["switch"]), False),
        ("everything", "", sees(), True),
        ("site", "paris", sees(sites=["paris"]), True),
        ("site", "paris", sees(sites=["paris", "lyon"]), False),
        ("site", "paris", sees(), False),
        ("incident", "sw-1", sees(), False),
    ],
)
def test_what_a_window_covers(kind: Any, name: str, target: Target, is_covered: bool) -> None:
    one = window(covers=[Covered(kind=kind, name=name)])
    assert (Covers([Running(one, 0, None)]).of(target, ["paris", "lyon"]) is not None) is is_covered


def test_of_windows_that_overlap_the_one_that_ends_last_is_named() -> None:
    short = Running(window(id="short", covers=[Covered(kind="target", name="sw-1")]), 0, 10)
    long = Running(window(id="long", covers=[Covered(kind="tag", name="switch")]), 5, 20)
    covers = Covers([long, short])
    found = covers.target(sees(tags=["switch"]))
    assert found is not None
    assert found.maintenance.id == "long"
    assert covers.target(sees()) == short


def test_several_sites_are_covered_until_the_first_of_them_is_not() -> None:
    paris = Running(window(id="paris", covers=[Covered(kind="site", name="paris")]), 0, 10)
    lyon = Running(window(id="lyon", covers=[Covered(kind="site", name="lyon")]), 5, 20)
    assert Covers([lyon, paris]).sites(["paris", "lyon"]) == paris
    assert Covers([lyon]).sites(["paris", "lyon"]) is None
    assert Covers([lyon]).sites([]) is None


def test_a_schedule_says_the_same_as_each_window_also_when_they_are_edited_deleted_and_the_clock_is_put_back() -> None:
    schedule = Schedule()
    sundays = weekly("UTC", "02:00", "04:00", "sun", id="sundays")
    schedule.define([sundays])
    sunday = at("2026-11-22 00:00")

    def names(moment: int) -> list[str]:
        return [one.maintenance.id for one in schedule.running(moment).running]

    for hours in (0, 3, 5, 24 * 7 + 3, 3, 0):
        assert names(sunday + hours * HOUR_MS) == (["sundays"] if hours % 24 == 3 else [])
    once = window(id="once", starts_at=sunday, ends_at=Time(sunday + 3 * HOUR_MS))
    schedule.change("once", once)
    assert names(sunday + 2 * HOUR_MS) == ["sundays", "once"]
    schedule.change("once", window(id="once", starts_at=sunday, ends_at=Time(sunday + HOUR_MS)))
    assert names(sunday + 2 * HOUR_MS) == ["sundays"]
    schedule.change("sundays", None)
    assert names(sunday + 2 * HOUR_MS) == []


ZONES = ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC", "America/Sao_Paulo", "Asia/Kathmandu")


@st.composite
def repeating(draw: st.DrawFn) -> Maintenance:
    times = st.builds("{:02d}:{:02d}".format, st.sampled_from([0, 1, 2, 3, 22, 23]), st.sampled_from([0, 15, 30, 59]))
    days = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)
    fields: dict[str, Any] = {"zone": draw(st.sampled_from(ZONES)), "from_time": draw(times), "to_time": draw(times)}
    if draw(st.booleans()):
        return window(repeats="weekly", weekdays=draw(days), **fields)
    if draw(st.booleans()):
        chosen = st.lists(st.sampled_from([1, 28, 29, 30, 31, -1, 8]), min_size=1, max_size=4)
        return window(repeats="monthly", days=draw(chosen), **fields)
    weeks = st.lists(st.sampled_from([1, 2, 3, 4, 5, -1]), min_size=1, max_size=3)
    return window(repeats="monthly", weekdays=draw(days), weeks=draw(weeks), **fields)


def _shows(one: Maintenance, moment: int) -> bool:
    """What a person with a calendar and a clock on the wall would say."""
    local = datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo(one.zone))
    clock = f"{local:%H:%M}"
    assert one.from_time is not None
    assert one.to_time is not None
    if one.from_time < one.to_time:
        return _is_day(one, local.date()) and one.from_time <= clock < one.to_time
    yesterday = local.date() - timedelta(days=1)
    return (_is_day(one, local.date()) and clock >= one.from_time) or (_is_day(one, yesterday) and clock < one.to_time)


def _is_day(one: Maintenance, day: date) -> bool:
    weekday = WEEKDAYS[day.weekday()]
    if one.repeats == "weekly":
        return weekday in one.weekdays
    month = [first for n in range(31) if (first := day.replace(day=1) + timedelta(days=n)).month == day.month]
    if one.weeks:
        alike = [other for other in month if WEEKDAYS[other.weekday()] == weekday]
        wanted = [alike[week - 1 if week > 0 else week] for week in one.weeks if week <= len(alike)]
        return weekday in one.weekdays and day in wanted
    return day.day in one.days or (-1 in one.days and day == month[-1])


CLOCK_CHANGES = (
    "2026-03-29",
    "2026-10-25",
    "2026-03-08",
    "2026-11-01",
    "2026-04-05",
    "2026-10-04",
    "2024-02-29",
    "2017-10-15",
)


@given(repeating(), st.sampled_from(CLOCK_CHANGES), st.integers(-DAY_MS, DAY_MS), st.integers(1, 40 * HOUR_MS))
@settings(max_examples=up_to(150), deadline=None)
def test_windows_are_what_the_wall_clock_shows(one: Maintenance, day: str, ahead_ms: int, lasts_ms: int) -> None:
    start = Time.parse(f"{day}T00:00:00Z") + ahead_ms
    end = start + lasts_ms
    one = window(**{name: getattr(one, name) for name in one.__struct_fields__} | {"starts_at": Time(0)})
    found = spans(one, start, end)
    assert all(start <= span.start < span.end <= end for span in found)
    moments = {*range(start, end, 13 * MINUTE_MS), *(edge + off for span in found for edge in span for off in (-1, 0))}
    for moment in sorted(one for one in moments if start <= one < end):
        assert any(span.start <= moment < span.end for span in found) is _shows(one, moment), Time(moment)
    middle = (start + end) // 2
    now = running(one, middle)
    assert (now is not None) is _shows(one, middle)
    if now is not None and now.until is not None:
        assert _shows(one, now.until - 1)
        assert not _shows(one, now.until)
    after = following(one, middle)
    if after is not None:
        assert _shows(one, after.start)
        assert not _shows(one, after.start - 1)


class Then(NamedTuple):
    """What a target was from a moment on."""

    since: Time
    target: Target | None


DAY = at("2026-11-24 00:00")


def hour(number: float) -> Time:
    return Time(DAY + int(number * HOUR_MS))


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        pytest.param([(0, window(starts_at=hour(2), ends_at=hour(4)))], [(2, 4)], id="one that was set up before"),
        pytest.param([(3, window(starts_at=hour(2), ends_at=hour(4)))], [(3, 4)], id="not before it was set up"),
        pytest.param(
            [(0, window(starts_at=hour(2), ends_at=hour(4))), (3, window(starts_at=hour(2), ends_at=hour(6)))], [(2, 3), (3, 6)],
            id="edited to last longer",
        ),
        pytest.param(
            [(0, window(starts_at=hour(2), ends_at=hour(4))), (5, window(starts_at=hour(8), ends_at=hour(9)))], [(2, 4), (8, 9)],
            id="what it was stays when it is moved afterwards",
        ),
        pytest.param([(0, window(starts_at=hour(2), ends_at=hour(4))), (3, None)], [(2, 3)], id="deleted while it ran"),
        pytest.param([(0, window(starts_at=hour(2), ends_at=hour(4))), (5, None)], [(2, 4)], id="deleted afterwards"),
        pytest.param(
            [(0, window(starts_at=hour(2), ends_at=hour(4), covers=[Covered(kind="group", name="core")]))], [(2, 3)],
            id="only while the target was in the group",
        ),
        pytest.param(
            [(0, window(starts_at=hour(2), ends_at=hour(4), covers=[Covered(kind="tag", name="old")]))], [],
            id="not by a tag that it had no more",
        ),
        pytest.param(
            [(0, window(starts_at=hour(2), ends_at=hour(4), covers=[Covered(kind="incident", name="i")]))], [],
            id="what is snoozed is no planned work",
        ),
        pytest.param(
            [(0, window(starts_at=hour(2), ends_at=hour(4), covers=[Covered(kind="site", name="paris")]))], [(2, 4)],
            id="by the only site that looked at it",
        ),
        pytest.param([(12, window(starts_at=hour(2), ends_at=hour(40)))], [], id="set up after the period"),
    ],
)  # fmt: skip
def test_the_past_counts_by_what_was_then_in_force(
    versions: list[tuple[float, Maintenance | None]], expected: list[tuple[float, float]]
) -> None:
    before, after = sees(group="core/lan"), sees(group="edge")
    in_force = InForce(after, [Then(LONG_AGO, before), Then(hour(3), after)])
    past = Past({"one": [(hour(since), one) for since, one in versions]}, hour(0), hour(10))
    found = past.of(in_force, ["paris"], hour(0), hour(10))
    joined = union(Span(one.start, one.end) for one in found)
    assert joined == union(Span(hour(start), hour(end)) for start, end in expected)
    assert {(one.maintenance, one.title) for one in found} <= {("one", "works")}
