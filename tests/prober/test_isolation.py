"""When a site is called isolated, and when no longer."""

from __future__ import annotations

import pytest

from noc_prober.anchors import Isolation


@pytest.mark.parametrize(
    ("checks", "is_isolated"),
    [
        ("", False),
        ("-", False),
        ("--", True),
        ("-+-", False),
        ("--+", True),
        ("--++", True),
        ("--+++", False),
        ("--++-+", True),
        ("--++-+++", False),
        ("--+++-", False),
        ("--+++--", True),
    ],
)
def test_isolated_after_two_silent_checks_until_three_answered_ones(checks: str, is_isolated: bool) -> None:
    isolation = Isolation()
    for check in checks:
        isolation.judge(answered=check == "+")
    assert isolation.is_isolated is is_isolated


def test_it_says_when_it_changed() -> None:
    isolation = Isolation()
    assert [isolation.judge(answered=check == "+") for check in "+---+++--"] == [
        False, False, True, False, False, False, True, False, True,
    ]  # fmt: skip
