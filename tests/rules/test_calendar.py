"""Business hours by the wall clock, also on the days that have 23 or 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_rules.calendar import Calendar, Hours, Span, clipped, parsed_hours, union

BERLIN = ZoneInfo("Europe/Berlin")
WORK = ((9 * 60, 17 * 60),)
WEEK = (WORK, WORK, WORK, WORK, WORK, (), ())
ALWAYS = (((0, 1440),),) * 7


def at(text: str) -> int:
    return int(Time.parse(text))


def utc(spans: list[Span]) -> list[tuple[str, str]]:
    return [tuple(f"{datetime.fromtimestamp(one / 1000, UTC):%d %H:%M}" for one in span) for span in spans]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("calendar", "start", "end", "expected"),
    [
        pytest.param(
            Calendar(BERLIN, WEEK), "2026-11-26T00:00:00Z", "2026-11-30T23:00:00Z",
            [("26 08:00", "26 16:00"), ("27 08:00", "27 16:00"), ("30 08:00", "30 16:00")],
            id="nothing on Saturday and Sunday",
        ),
        pytest.param(
            Calendar(BERLIN, WEEK, frozenset({date(2026, 11, 27)})), "2026-11-26T00:00:00Z", "2026-11-28T00:00:00Z",
            [("26 08:00", "26 16:00")], id="nor on a holiday",
        ),
        pytest.param(
            Calendar(BERLIN, WEEK), "2026-11-26T10:30:00Z", "2026-11-26T12:00:00Z", [("26 10:30", "26 12:00")],
            id="no more than the period",
        ),
        pytest.param(
            Calendar(BERLIN, WEEK), "2026-03-27T00:00:00Z", "2026-03-31T00:00:00Z",
            [("27 08:00", "27 16:00"), ("30 07:00", "30 15:00")], id="an hour earlier by UTC in summer",
        ),
        pytest.param(
            Calendar(BERLIN, (((60, 180),),) * 7), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z",
            [("29 00:00", "29 01:00")], id="of 01:00 to 03:00 the hour that is skipped is missing",
        ),
        pytest.param(
            Calendar(BERLIN, (((60, 150),),) * 7), "2026-10-24T22:00:00Z", "2026-10-25T12:00:00Z",
            [("24 23:00", "25 00:30"), ("25 01:00", "25 01:30")], id="of 01:00 to 02:30 half an hour comes twice",
        ),
        pytest.param(
            Calendar(ZoneInfo("Australia/Lord_Howe"), (((90, 135),),) * 7), "2026-04-04T12:00:00Z", "2026-04-04T18:00:00Z",
            [("04 14:30", "04 15:45")], id="clocks that go back by half an hour",
        ),
        pytest.param(
            Calendar(ZoneInfo("Asia/Kathmandu"), WEEK), "2026-11-26T00:00:00Z", "2026-11-26T23:00:00Z",
            [("26 03:15", "26 11:15")], id="a zone of quarters of an hour",
        ),
    ],
)  # fmt: skip
def test_what_counts_of_a_period(calendar: Calendar, start: str, end: str, expected: list[tuple[str, str]]) -> None:
    assert utc(calendar.spans(at(start), at(end))) == expected


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-26", 24)])
def test_all_of_a_day_is_as_long_as_the_day_is(day: str, hours: int) -> None:
    around = Calendar(BERLIN, ALWAYS, frozenset({date.fromisoformat(day)}))
    noon = at(f"{day}T12:00:00Z")
    days = Span(noon - 2 * DAY_MS, noon + 2 * DAY_MS)
    counted = sum(one.end - one.start for one in around.spans(*days))
    assert counted == 4 * DAY_MS - hours * HOUR_MS


def test_a_union_has_neither_overlaps_nor_seams_and_forgets_what_is_empty() -> None:
    assert union([Span(5, 7), Span(0, 2), Span(2, 3), Span(6, 9), Span(4, 4)]) == [Span(0, 3), Span(5, 9)]
    assert clipped([Span(0, 3), Span(5, 9)], 2, 5) == [Span(2, 3)]


def test_how_much_of_an_interval_lies_in_spans_is_what_clipping_says() -> None:
    spans = [Span(2, 4), Span(7, 8), Span(10, 15)]
    hours = Hours(spans)
    for start in range(18):
        for end in range(start, 18):
            expected = sum(one.end - one.start for one in clipped(spans, start, end))
            assert hours.ms_within(start, end) == expected, (start, end)


def test_hours_are_read_from_words() -> None:
    found = parsed_hours("Mon-Fri 08:00-12:00, mon - thu 12:00-18:00,Sat 9:00-24:00")
    assert found[0] == found[3] == ((8 * 60, 18 * 60),), "neighbours are one"
    assert found[4] == ((8 * 60, 12 * 60),)
    assert found[5:] == (((9 * 60, 24 * 60),), ())
    assert [bool(day) for day in parsed_hours("Sat-Mon 00:00-06:00")] == [True, *[False] * 4, True, True]
    over_night = parsed_hours("Fri 22:00-06:00, Sun 23:00-00:00, Mon 24:00-01:00")
    assert over_night[4:] == (((22 * 60, 24 * 60),), ((0, 6 * 60),), ((23 * 60, 24 * 60),))
    assert over_night[:2] == ((), ((0, 60),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "Mon 08:00",
        "Mon-Fri 8-18",
        "Funday 08:00-18:00",
        "Mon 18:00-18:00",
        "Mon 24:01-06:00",
        "Mon 25:00-06:00",
        "Mon 08:00-24:01",
        "Mon 08:00-18:60",
    ],
)
def test_hours_that_are_none_are_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="use days and hours like Mon-Fri 08:00-18:00"):
        parsed_hours(text)
