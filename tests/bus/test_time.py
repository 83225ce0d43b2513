"""Times on the bus: RFC 3339 in, milliseconds inside, RFC 3339 out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus.time import Time


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-24T12:00:00.000Z", "2026-11-24T12:00:00.000Z"),
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z"),
        ("2026-11-24t12:00:00.5z", "2026-11-24T12:00:00.500Z"),
        ("2026-11-24T12:00:00.123456789Z", "2026-11-24T12:00:00.123Z"),
        ("2026-11-24T14:30:00+02:30", "2026-11-24T12:00:00.000Z"),
        ("2024-02-29T00:00:00-00:01", "2024-02-29T00:01:00.000Z"),
    ],
)
def test_every_way_to_write_a_moment_is_read_and_one_is_written(text: str, written: str) -> None:
    assert str(Time.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-24", "2026-11-24T12:00:00", "2026-02-30T00:00:00Z", "1970-01-01T00:00:00Z", "2262-04-11T00:00:00Z",
     "2026-11-24T25:00:00Z", "2026-11-24T12:00:00Z\n", "٢٠٢٦-11-24T12:00:00Z", "9" * 5000],
)  # fmt: skip
def test_what_is_no_time_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|outside") as refusal:
        Time.parse(text)
    assert repr(text[:20])[1:-1] in str(refusal.value)


@given(st.integers(min_value=946_684_800_000, max_value=7_258_118_399_999))
def test_every_millisecond_survives_the_round_trip(ms: int) -> None:
    assert Time.parse(str(Time(ms))) == ms
