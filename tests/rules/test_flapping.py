"""When a target flaps: Icinga's figure, as its own tests have it."""

from __future__ import annotations

import pytest

from noc_rules import flapping
from noc_rules.flapping import NEVER, STARTS_PCT, STOPS_PCT, Flap, change_pct


@pytest.mark.parametrize(
    ("checks_alike", "starts_at"),
    [(1, 7), (2, 13), (3, 19), (4, None), (5, None)],
    ids=["each check another", "two alike", "three alike", "four alike: never", "five alike: never"],
)
def test_the_weighted_state_change_passes_thirty_per_cent_at_the_check_that_icingas_own_tests_expect(
    checks_alike: int, starts_at: int | None
) -> None:
    changes_s: list[float] = []
    found = None
    for check in range(1, 200):
        if check > 1 and (check - 1) % checks_alike == 0:
            changes_s.append(check * 10.0)
        if change_pct(changes_s, 10, check * 10.0) > STARTS_PCT:
            found = check
            break
    assert found == starts_at


def test_six_changes_in_seven_checks_are_33_9_per_cent_and_fall_below_25_fifteen_calm_checks_later() -> None:
    changes_s = [20.0, 30.0, 40.0, 50.0, 60.0, 70.0]
    assert change_pct(changes_s, 10, 70) == pytest.approx(33.9)
    assert change_pct(changes_s, 10, 70 + 140) == pytest.approx(25.5)
    assert change_pct(changes_s, 10, 70 + 150) < STOPS_PCT


def after(changes_s: list[float], flap_after: int | None, interval_s: float) -> Flap:
    flap = NEVER
    for at_s in changes_s:
        flap = flapping.changed(flap, flap_after, interval_s, at_s)
    return flap


@pytest.mark.parametrize(
    ("every_s", "changes", "flap_after", "interval_s", "is_flapping"),
    [
        pytest.param(60, 4, 4, 10, True, id="four changes within half an hour"),
        pytest.param(60, 3, 4, 10, False, id="three"),
        pytest.param(601, 9, 4, 10, False, id="four take longer than half an hour"),
        pytest.param(900, 6, 4, 900, True, id="each check another, where checks are rare"),
        pytest.param(900, 5, 4, 900, False, id="five of these"),
        pytest.param(10, 6, 100, 10, True, id="each check another, where the option allows many"),
        pytest.param(10, 99, None, 10, False, id="its option says never"),
    ],
)
def test_a_target_flaps_by_its_own_option_or_by_icingas_figure(
    every_s: float, changes: int, flap_after: int | None, interval_s: float, is_flapping: bool
) -> None:
    times_s = [1000 + every_s * number for number in range(changes)]
    assert after(times_s, flap_after, interval_s).is_flapping == is_flapping


@pytest.mark.parametrize(
    ("interval_s", "later_s", "is_calm"),
    [(10, 1799, False), (10, 1800, True), (900, 1800, False), (900, 15 * 900, True)],
    ids=["not half an hour yet", "half an hour", "two checks", "fifteen checks"],
)
def test_flapping_is_over_after_half_an_hour_without_a_change_and_fifteen_checks(
    interval_s: float, later_s: float, is_calm: bool
) -> None:
    times_s = [1000 + interval_s * number for number in range(6)]
    flap = after(times_s, 4, interval_s)
    assert flap.is_flapping
    assert flapping.is_calm(flap, times_s[-1] + later_s) == is_calm
