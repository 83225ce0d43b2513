"""Every target has its own moments, evenly spread and always the same."""

from __future__ import annotations

import pytest

from noc_prober.schedule import Slots, first_check_delay, lateness_limit_s, next_start, spread


@pytest.mark.parametrize("count", [2, 3, 10, 100, 1000])
def test_targets_are_spread_evenly_over_their_interval(count: int) -> None:
    places = sorted(spread(slot) for slot in range(count))
    gaps = [b - a for a, b in zip(places, [*places[1:], places[0] + 1], strict=True)]
    assert max(gaps) < 2.0 / count * 1.4


def test_a_new_target_moves_nobody() -> None:
    slots = Slots()
    before = {name: slots.phase(name, 10) for name in ("a", "b", "c")}
    slots.phase("d", 10)
    assert {name: slots.phase(name, 10) for name in before} == before


def test_the_place_of_a_target_that_left_is_given_out_again() -> None:
    slots = Slots()
    places = {name: slots.phase(name, 10) for name in ("a", "b", "c")}
    slots.leave("b")
    assert slots.phase("d", 10) == places["b"]
    assert slots.phase("e", 10) not in places.values()


def test_another_interval_is_another_round() -> None:
    slots = Slots()
    assert slots.phase("a", 10) == slots.phase("b", 60)
    slots.phase("c", 10)
    slots.phase("a", 60)
    assert slots.phase("d", 10) == spread(0), "the place it left in the other round is free"


@pytest.mark.parametrize(
    ("now_s", "interval_s", "phase", "start_s"),
    [
        (1000.0, 10, 0.0, 1010.0),  # a start is after now, never now
        (1000.1, 10, 0.0, 1010.0),
        (1000.1, 10, 0.5, 1005.0),
        (1005.1, 10, 0.5, 1015.0),
        (1795525605.7, 3600, 0.25, 1795526100.0),
    ],
)
def test_the_next_start_is_the_first_on_the_grid(now_s: float, interval_s: float, phase: float, start_s: float) -> None:
    assert next_start(now_s, interval_s, phase) == pytest.approx(start_s, rel=0, abs=1e-6)


def test_the_grid_is_the_same_after_a_restart() -> None:
    starts = {round(next_start(now_s, 7, 0.3) % 7, 6) for now_s in (0.4, 1e6 + 0.1, 1.7e9 + 3.3)}
    assert starts == {round(0.3 * 7, 6)}


def test_first_checks_are_soon_but_not_all_at_once() -> None:
    assert first_check_delay(0.9, 3600, targets=3) < 0.1
    assert first_check_delay(0.5, 3600, targets=1000) == 10
    assert first_check_delay(0.5, 10, targets=10_000) == 5


def test_a_request_may_be_late_by_a_fifth_of_its_interval_or_by_its_timeout() -> None:
    assert lateness_limit_s(10, 1.0) == 1.0
    assert lateness_limit_s(1, 0.5) == 0.2
