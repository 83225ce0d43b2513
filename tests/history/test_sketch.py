"""The sketch beside the RTTs themselves: within 1 % on any of them, and merging is as if all had been seen at once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noc_history.sketch import ERROR, Sketch
from tests.parts.examples import up_to

PERCENTS = (0, 5, 25, 50, 75, 95, 99, 100)
rtts_us = st.lists(st.integers(0, 600_000_000) | st.integers(0, 5000), max_size=200)


def heavy_tailed(rng: random.Random) -> int:
    return min(600_000_000, round(300 * rng.paretovariate(0.7)))


def bimodal(rng: random.Random) -> int:
    return round(rng.gauss(900, 30) if rng.random() < 0.6 else rng.gauss(180_000, 4000))


def constant(rng: random.Random) -> int:
    return 12_345


def tiny(rng: random.Random) -> int:
    return rng.choice([0, 1, 2, 3])


def raw_percentile_us(rtts: list[int], percent: float) -> int:
    return sorted(rtts)[int(percent * (len(rtts) - 1) / 100)]


def insist_within_bound(sketch: Sketch, rtts: list[int]) -> None:
    found = sketch.percentiles_us(PERCENTS)
    assert len(found) == len(PERCENTS)
    for percent, value in zip(PERCENTS, found, strict=True):
        assert value == pytest.approx(raw_percentile_us(rtts, percent), rel=ERROR * 1.000001, abs=0), percent


@pytest.mark.parametrize("draw", [heavy_tailed, bimodal, constant, tiny])
def test_percentiles_of_many_merged_sketches_are_within_one_per_cent(draw: Callable[[random.Random], int]) -> None:
    rng = random.Random(8)
    slices = [[draw(rng) for _ in range(rng.randrange(1, 400))] for _ in range(50)]
    merged = Sketch.merged(Sketch.decode(Sketch.of(one).encode()) for one in slices)
    everything = [rtt for one in slices for rtt in one]
    assert merged.count == len(everything)
    insist_within_bound(merged, everything)


@given(rtts_us)
def test_every_percentile_is_within_one_per_cent(rtts: list[int]) -> None:
    sketch = Sketch.of(rtts)
    if rtts:
        insist_within_bound(sketch, rtts)
    else:
        assert sketch.percentiles_us(PERCENTS) == []


@settings(max_examples=up_to(50))
@given(st.lists(rtts_us, max_size=6))
def test_merging_encoded_ones_is_the_sketch_of_everything(slices: list[list[int]]) -> None:
    merged = Sketch.decode(Sketch.merged_encoded([Sketch.of(one).encode() for one in slices]))
    assert merged == Sketch.of(rtt for one in slices for rtt in one)


@pytest.mark.parametrize("counts", [(1, 255, 256), (65_535, 65_535, 1), (65_536, 1, 300), (70_000, 70_000, 2)])
def test_counts_of_any_width_are_added(counts: tuple[int, ...]) -> None:
    slices = [[rtt] * count for rtt, count in zip((1000, 1000, 5_000_000), counts, strict=True)]
    merged = Sketch.decode(Sketch.merged_encoded([Sketch.of(one).encode() for one in slices]))
    assert merged == Sketch.of(rtt for one in slices for rtt in one)


@settings(max_examples=up_to(50))
@given(st.lists(rtts_us, max_size=6), st.randoms(use_true_random=False))
def test_merging_is_the_sketch_of_everything_in_whatever_order_and_grouping(
    slices: list[list[int]], rng: random.Random
) -> None:
    whole = Sketch.of(rtt for one in slices for rtt in one)
    parts = [Sketch.of(one) for one in slices]
    rng.shuffle(parts)
    while len(parts) > 1:
        first = parts.pop(rng.randrange(len(parts)))
        second = parts.pop(rng.randrange(len(parts)))
        parts.append(Sketch.merged([first, second]))
    assert Sketch.merged(parts) == whole


@given(rtts_us)
def test_what_is_encoded_comes_back(rtts: list[int]) -> None:
    assert Sketch.decode(Sketch.of(rtts).encode()) == Sketch.of(rtts)


def test_five_minutes_of_a_usual_target_take_few_bytes() -> None:
    rng = random.Random(1)
    rtts = [round(20_000 * rng.lognormvariate(0, 0.05)) for _ in range(150)]
    assert len(Sketch.of(rtts).encode()) < 30


@pytest.mark.parametrize(
    "data", [b"\x01", b"\x01\x05\x00", b"\x03\x05\x00\x01", b"\x01\xff\x0f\x01", b"\x02\x05\x00\x01"]
)
def test_what_is_no_sketch_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"a sketch|bytes length"):
        Sketch.decode(data)
