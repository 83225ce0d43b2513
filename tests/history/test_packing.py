"""What is packed comes back to the last microsecond, whatever it is, and is small where it is usual."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_history.packing import (
    Row,
    UnknownPackingError,
    key,
    note_of,
    pack,
    portions,
    row_of,
    times,
    unpack,
    without_repeats,
)
from tests.history.records import T0, at, cycle

rtts_us = st.lists(st.integers(0, 600_000_000), max_size=8).map(tuple)
notes = st.sampled_from(["", "!late-schedule", "!", " no-route", "!no-address no-route unreachable"])
rows = st.lists(
    st.tuples(
        st.integers(1, 5) | st.integers(1, 2**32 - 1),
        st.integers(T0, T0 + 100_000) | st.integers(0, 2**45),
        st.integers(-1, 2**53),
        st.integers(0, 200),
        st.integers(0, 200),
        notes,
        rtts_us,
    ),
    min_size=1,
    max_size=40,
)


@given(rows)
def test_what_is_packed_comes_back_as_it_was(some: list[Row]) -> None:
    wanted = without_repeats(list(some))
    data = pack(wanted)
    assert unpack(data) == wanted
    # In a slot, zeros follow.
    assert unpack(data + bytes(100)) == wanted
    series = {row[0] for row in wanted}
    for only in ({7}, {*series, 7}, {min(series), max(series)}, {min(series)}):
        assert unpack(data, only) == [row for row in wanted if row[0] in only]
    assert dict(times(data)) == {one: [row[1] for row in wanted if row[0] == one] for one in series}


def test_many_series_of_many_cycles_come_back(many: list[Row]) -> None:
    packed = [pack(one) for one in portions(many, 1024)]
    assert [row for one in packed for row in unpack(one)] == many
    for one in packed:
        whole = unpack(one)
        series = sorted({row[0] for row in whole})
        for only in [*({each} for each in series), set(series[1::2]), {series[0], series[-1]}]:
            assert unpack(one, only) == [row for row in whole if row[0] in only]
    assert all(len(unpack(one)) >= 1024 for one in packed[:-1])


def test_a_usual_cycle_takes_less_than_eleven_bytes(many: list[Row]) -> None:
    """SQLite adds its pages: `benchmarks/history.py` measures the file."""
    assert sum(len(pack(one)) for one in portions(many, 1024)) / len(many) < 11


@pytest.fixture
def many() -> list[Row]:
    rng = random.Random(8)
    found: list[Row] = []
    for series in range(1, 31):
        base_ms, jitter = rng.uniform(1, 200), rng.uniform(0.01, 0.1)
        for number in range(360 if series % 5 else 30):
            rtts = [round(base_ms * rng.lognormvariate(0, jitter), 3) for _ in range(5) if rng.random() > 0.005]
            found.append(row_of(series, cycle(number * 10, rtts, seq=number * 30 + rng.randrange(10))))
    return sorted(found, key=key)


def test_of_cycles_of_one_name_the_first_is_kept() -> None:
    first, second = row_of(1, cycle(0, [1.0], seq=3)), row_of(1, cycle(0, [2.0], seq=3))
    unnumbered = (*first[:2], -1, *first[3:])
    later = row_of(1, cycle(0, [1.0], seq=9))
    assert without_repeats([first, second]) == [first]
    assert without_repeats([later, first]) == [first, later]
    assert without_repeats([first, later, unnumbered]) == [unnumbered]


def test_a_note_says_why_a_cycle_is_invalid_and_which_errors_came() -> None:
    assert note_of(cycle(0)) == ""
    assert note_of(cycle(0, invalid="late schedule")) == "!"


def test_rtts_are_kept_to_the_microsecond() -> None:
    assert row_of(1, cycle(0, [0.0, 0.0004, 0.0005, 1.2345, 600_000.0])) == (
        1, at(0), 0, 5, 5, "", (0, 0, 1, 1235, 600_000_000)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "cycles that cannot be read"),
        (b"\x01\x05\x00\x00\x00hello", "cycles that cannot be read"),
        (b"\x63\x00\x00\x00\x00", "cycles packed in the way 99; this program knows 1 only"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(UnknownPackingError, match=sentence):
        unpack(data)
