"""A rounded share never claims to be all or nothing of what it is not."""

from __future__ import annotations

import pytest

from noc_rules.share import pct, shown_change, shown_pct


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        pytest.param(0, 0, None, id="of nothing there is no share"),
        pytest.param(0, 7, 0.0, id="nothing"),
        pytest.param(7, 7, 100.0, id="all"),
        pytest.param(1, 10**9, 0.01, id="a little is not nothing"),
        pytest.param(10**9 - 1, 10**9, 99.99, id="nearly all is not all"),
        pytest.param(1, 3, 33.33, id="in between it is rounded"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, expected: float | None) -> None:
    assert pct(part, whole, 2) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (100.0, "100 %"),
        (99.99999999, "99.999 %"),
        (99.3, "99.300 %"),
        (0.0, "0.000 %"),
        (1e-7, "< 0.001 %"),
        (0.0019, "0.001 %"),
    ],
)
def test_a_percentage_is_cut_and_never_rounded_up(value: float, shown: str) -> None:
    assert shown_pct(value) == shown


@pytest.mark.parametrize(
    ("points", "shown"),
    [
        pytest.param(0.0, "±0.000", id="none"),
        pytest.param(1e-14, "±0.000", id="only in floating point"),
        pytest.param(3e-6, "< +0.001", id="a second more in a year is something"),
        pytest.param(-3e-6, "> -0.001", id="a second less too"),
        pytest.param(0.001, "+0.001", id="a thousandth"),
        pytest.param(-12.34567, "-12.346", id="much"),
    ],
)
def test_a_change_is_never_shown_as_a_signed_nothing(points: float, shown: str) -> None:
    assert shown_change(points) == shown
