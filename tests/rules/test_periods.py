"""Which period a regular report is of, and when it is due."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_rules.periods import Every, last_whole, next_due

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "America/Santiago")
HOUR_MS = 3_600_000


def ms(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("every", "zone", "now", "start", "end", "due"),
    [
        pytest.param("day", "UTC", "2026-11-27T12:00", "2026-11-26", "2026-11-27", "2026-11-28T07:00", id="yesterday"),
        pytest.param(
            "day", "UTC", "2026-11-27T03:00", "2026-11-26", "2026-11-27", "2026-11-27T07:00", id="not yet due"
        ),
        pytest.param(
            "day", "UTC", "2026-11-27T07:00", "2026-11-26", "2026-11-27", "2026-11-28T07:00", id="due just now"
        ),
        pytest.param(
            "week",
            "Europe/Berlin",
            "2026-11-25T12:00",
            "2026-11-16",
            "2026-11-23",
            "2026-11-30T07:00",
            id="Monday to Sunday",
        ),
        pytest.param(
            "month",
            "Europe/Berlin",
            "2026-11-25T12:00",
            "2026-10-01",
            "2026-11-01",
            "2026-12-01T07:00",
            id="last month",
        ),
        pytest.param(
            "month", "UTC", "2026-01-31T12:00", "2025-12-01", "2026-01-01", "2026-02-01T07:00", id="a short month"
        ),
        pytest.param(
            "month", "UTC", "2026-12-31T23:59", "2026-11-01", "2026-12-01", "2027-01-01T07:00", id="a new year"
        ),
        pytest.param(
            "day",
            "Europe/Berlin",
            "2026-10-26T01:00",
            "2026-10-25",
            "2026-10-26",
            "2026-10-26T07:00",
            id="a day of 25 hours",
        ),
    ],
)
def test_a_report_is_of_the_last_whole_period_of_its_zone(
    every: str, zone: str, now: str, start: str, end: str, due: str
) -> None:
    place, moment = ZoneInfo(zone), ms(now, zone)
    found = last_whole(Every(every), place, moment)
    assert (found.start, found.end) == (ms(start, zone), ms(end, zone))
    assert next_due(Every(every), 7, place, moment) == ms(due, zone)


@given(
    st.sampled_from(list(Every)),
    st.sampled_from(ZONES),
    st.integers(0, 23),
    st.integers(1_600_000_000_000, 2_000_000_000_000),
)
def test_periods_follow_each_other_without_a_hole_and_each_is_due_once(
    every: Every, zone: str, hour: int, now: int
) -> None:
    place = ZoneInfo(zone)
    first = next_due(every, hour, place, now)
    second = next_due(every, hour, place, first)
    assert now < first < second
    assert last_whole(every, place, first).end == last_whole(every, place, second).start
    assert last_whole(every, place, first).end <= first


def test_the_hour_is_that_of_the_wall_clock_through_a_change_of_clocks() -> None:
    place = ZoneInfo("Europe/Berlin")
    before = next_due(Every.DAY, 7, place, ms("2026-10-24T06:00", "Europe/Berlin"))
    after = next_due(Every.DAY, 7, place, before)
    assert after - before == 25 * HOUR_MS
