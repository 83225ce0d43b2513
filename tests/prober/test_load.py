"""When a site is called overloaded, and how much of the last minute it could measure."""

from __future__ import annotations

from noc_prober.codes import InvalidCode
from noc_prober.load import Load
from noc_rules.site_state import Reason

LATE = Reason(InvalidCode.LATE, "sent 900 ms late")
NO_ADDRESS = Reason(InvalidCode.NO_ADDRESS, "no address")


def minute(load: Load, good: int, late: int, other: int = 0) -> list[bool]:
    """A minute with so many cycles each second; at which seconds `is_overloaded` changed."""
    changes = []
    for _ in range(60):
        for count, invalid in ((good, None), (late, LATE), (other, NO_ADDRESS)):
            for _ in range(count):
                load.count(invalid)
        changes.append(load.tick())
    return changes


def test_a_site_that_loses_more_than_half_of_a_minute_is_overloaded() -> None:
    load = Load()
    assert minute(load, good=4, late=6).index(True) == 59, "not before a minute is over"
    assert load.is_overloaded
    assert load.coverage_pct == 40


def test_half_is_not_more_than_half() -> None:
    load = Load()
    minute(load, good=5, late=5)
    assert not load.is_overloaded


def test_it_stays_overloaded_until_a_minute_is_under_a_tenth() -> None:
    load = Load()
    minute(load, good=0, late=10)
    minute(load, good=8, late=2)
    assert load.is_overloaded
    minute(load, good=19, late=1)
    assert not load.is_overloaded


def test_cycles_that_were_never_started_count_as_lost() -> None:
    load = Load()
    for _ in range(60):
        load.count(None)
        load.missed(2)
        load.tick()
    assert load.is_overloaded
    assert load.coverage_pct == 33.33


def test_what_others_are_to_blame_for_makes_nobody_overloaded_and_is_not_measured() -> None:
    load = Load()
    minute(load, good=1, late=0, other=9)
    assert not load.is_overloaded
    assert load.coverage_pct == 10


def test_a_site_with_hardly_any_cycles_is_not_judged_by_one_late() -> None:
    load = Load()
    load.count(LATE)
    for _ in range(60):
        load.tick()
    assert not load.is_overloaded


def test_where_nothing_was_due_nothing_is_covered() -> None:
    assert Load().coverage_pct is None


def test_time_in_which_nobody_ran_is_no_overload() -> None:
    load = Load()
    minute(load, good=0, late=10)
    load.start_over()
    assert load.coverage_pct is None
