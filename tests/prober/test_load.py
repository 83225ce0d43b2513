"""When a site is called overloaded, and how much of the last minute it could measure."""

from __future__ import annotations

import asyncio
import time

import pytest

from noc_bus.channels import PROBERS, STATES
from noc_bus.messages import ProberPresence, State
from noc_prober.codes import InvalidCode
from noc_prober.load import Load
from noc_rules.site_state import Reason
from tests.prober.conftest import Rig, until

LATE = Reason(InvalidCode.LATE, "sent 900 ms late")
NO_ADDRESS = Reason(InvalidCode.NO_ADDRESS, "no address")


class Minutes(Load):
    """A load, and a clock that goes on with what is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.tick(self.now_s)

    def run(self, good: int, late: int, other: int = 0, every_s: float = 1.0) -> float | None:
        """A minute with so many cycles in each portion; after how many seconds `is_overloaded` changed."""
        changed_s = None
        for portion in range(round(60 / every_s)):
            for count, invalid in ((good, None), (late, LATE), (other, NO_ADDRESS)):
                for _ in range(count):
                    self.count(invalid)
            self.now_s += every_s
            if self.tick(self.now_s):
                changed_s = (portion + 1) * every_s
        return changed_s


@pytest.mark.parametrize("every_s", [1.0, 2.0], ids=["in time", "a prober too busy to count every second"])
def test_a_site_that_loses_more_than_half_of_a_minute_is_overloaded(every_s: float) -> None:
    load = Minutes()
    assert load.run(good=4, late=6, every_s=every_s) == 60, "when a minute is over"
    assert load.is_overloaded
    assert load.coverage_pct == 40


def test_half_is_not_more_than_half() -> None:
    load = Minutes()
    load.run(good=5, late=5)
    assert not load.is_overloaded


def test_it_stays_overloaded_until_a_minute_is_under_a_tenth() -> None:
    load = Minutes()
    load.run(good=0, late=10)
    load.run(good=8, late=2)
    assert load.is_overloaded
    load.run(good=19, late=1)
    assert not load.is_overloaded


def test_cycles_that_were_never_started_count_as_lost() -> None:
    load = Minutes()
    for _ in range(60):
        load.count(None)
        load.missed(2)
        load.now_s += 1
        load.tick(load.now_s)
    assert load.is_overloaded
    assert load.coverage_pct == 33.33


def test_what_others_are_to_blame_for_makes_nobody_overloaded_and_is_not_measured() -> None:
    load = Minutes()
    load.run(good=1, late=0, other=9)
    assert not load.is_overloaded
    assert load.coverage_pct == 10


def test_a_site_with_hardly_any_cycles_is_not_judged_by_one_late() -> None:
    load = Minutes()
    load.count(LATE)
    load.run(good=0, late=0)
    assert not load.is_overloaded


def test_where_nothing_was_due_nothing_is_covered() -> None:
    assert Load().coverage_pct is None


def test_time_in_which_nobody_ran_is_no_overload() -> None:
    load = Minutes()
    load.run(good=0, late=10)
    load.start_over()
    assert load.coverage_pct is None


def test_a_prober_too_busy_to_measure_says_so_and_calls_nothing_up_or_down(rig: Rig) -> None:
    """In windows of six seconds instead of a minute."""

    def presence() -> ProberPresence:
        found: ProberPresence = rig.hub.now(PROBERS)[0]
        return found

    async def scenario() -> None:
        await until(lambda: len(rig.hub.now(STATES)) == 10)
        for _ in range(15):
            time.sleep(0.85)  # somebody else has the processor
            await asyncio.sleep(0.02)
        busy = await until(lambda: presence().overloaded and presence(), 15)
        assert busy.coverage_pct < 50
        assert {(one.state, one.code) for one in rig.hub.now(STATES)} == {(State.UNKNOWN, "overloaded")}
        await until(lambda: not presence().overloaded, 60)
        await until(lambda: {one.state for one in rig.hub.now(STATES)} == {State.UP}, 60)

    for number in range(10):
        rig.target(f"t{number}", f"127.0.0.{number + 1}", interval_s=1)
    rig.run(scenario, load=Load(window_s=6))
