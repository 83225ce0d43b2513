"""Holes in what is stored: the same ones are known in whatever order the cycles came."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from noc_bus.time import Time
from noc_history.silences import Silences, longest_pause_ms
from noc_history.store import Silence
from tests.history.records import at


def after(silences: Silences, seconds: list[int]) -> list[tuple[Time, Time]]:
    """What a store holds once it was told of each cycle in turn."""
    kept: dict[Time, Silence] = {}
    for second in seconds:
        for one in silences.see("router", "here", at(second)):
            kept[one.start] = one
            if one.until == one.start:
                del kept[one.start]
    return sorted((one.start, one.until) for one in kept.values())


def plain(seconds: list[int]) -> list[tuple[Time, Time]]:
    """The same in the most obvious words."""
    return [
        (at(one), at(other))
        for one, other in itertools.pairwise(sorted(set(seconds)))
        if (other - one) * 1000 > longest_pause_ms(10)
    ]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40))
def test_in_any_order_the_same_silences_are_known(seconds: list[int]) -> None:
    # Before the first cycle that came, a site had not been heard of.
    later = [seconds[0], *(second for second in seconds[1:] if second > seconds[0])]
    assert after(Silences(lambda target: 10), later) == plain(later)


@given(st.lists(st.integers(1, 200), min_size=2, max_size=40), st.data())
def test_over_a_restart_too(seconds: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(seconds)))
    seconds = [0, *seconds]
    before = Silences(lambda target: 10)
    kept = after(before, seconds[:cut])
    again = Silences(lambda target: 10)
    last = at(max(seconds[:cut]))
    again.restore({("router", "here"): last}, [Silence("router", "here", start, until) for start, until in kept])
    changed: dict[Time, Time] = dict(kept)
    for second in seconds[cut:]:
        for one in again.see("router", "here", at(second)):
            changed[one.start] = one.until
    assert sorted((start, until) for start, until in changed.items() if until > start) == plain(seconds)


def test_of_a_target_in_no_catalogue_nothing_is_expected() -> None:
    assert after(Silences(lambda target: None), [0, 1000]) == []


def test_a_site_s_silence_is_its_own() -> None:
    silences = Silences(lambda target: 10)
    for site, second in (("here", 0), ("there", 0), ("there", 10), ("there", 20)):
        assert silences.see("router", site, at(second)) == []
    assert silences.see("router", "here", at(20)) == [Silence("router", "here", at(0), at(20))]
