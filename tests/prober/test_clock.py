"""When things happened, whatever was done to the clocks meanwhile."""

from __future__ import annotations

from noc_bus.time import Time
from noc_prober.clock import Clock, LostTime, Readings

NOON = Time.parse("2026-11-24T12:00:00Z")


class Machine:
    """Three clocks that go on together, until somebody sets one or the machine sleeps."""

    def __init__(self, wall: Time = NOON) -> None:
        self.wall_s = wall / 1000
        self.boot_s = 5000.0
        self.monotonic_s = 4000.0
        self.clock = Clock(Readings(lambda: self.wall_s, lambda: self.monotonic_s, lambda: self.boot_s))
        self.lost: list[LostTime] = []

    def run(self, seconds: float) -> None:
        """The prober runs and looks at its clock five times a second."""
        for _ in range(round(seconds * 5)):
            self.pass_time(0.2)
            self.look()

    def pass_time(self, seconds: float) -> None:
        self.wall_s += seconds
        self.boot_s += seconds
        self.monotonic_s += seconds

    def sleep(self, seconds: float) -> None:
        self.wall_s += seconds
        self.boot_s += seconds

    def look(self) -> None:
        if lost := self.clock.look():
            self.lost.append(lost)

    def set_wall(self, seconds: float) -> None:
        self.wall_s += seconds
        self.look()

    def now(self) -> Time:
        return self.clock.wall(self.clock.now())


def seconds(machine: Machine, moment: int) -> float:
    """The wall time of a moment, as seconds after noon."""
    return round((machine.clock.wall(moment) - NOON) / 1000, 1)


def test_wall_time_is_that_of_the_machine() -> None:
    machine = Machine()
    machine.run(3600)
    assert abs(machine.now() - (NOON + 3_600_000)) <= 1
    assert machine.clock.moment(machine.monotonic_s) == machine.clock.now()
    assert machine.clock.moment_of(machine.now()) == machine.clock.now()
    assert machine.lost == []


def test_time_in_which_the_process_stood_still_is_lost() -> None:
    machine = Machine()
    machine.run(10)
    machine.pass_time(100)
    machine.look()
    (lost,) = machine.lost
    assert (seconds(machine, lost.start), seconds(machine, lost.end)) == (10, 110)


def test_a_short_stall_is_not() -> None:
    machine = Machine()
    machine.pass_time(4.9)
    machine.look()
    assert machine.lost == []


def test_time_in_which_the_machine_slept_is_lost() -> None:
    machine = Machine()
    machine.run(10)
    machine.sleep(8 * 3600)
    machine.run(1)
    (lost,) = machine.lost
    assert (seconds(machine, lost.start), seconds(machine, lost.end)) == (10, 10 + 8 * 3600 + 0.2)
    assert abs(machine.now() - (NOON + (8 * 3600 + 11) * 1000)) <= 1
    assert machine.clock.moment(machine.monotonic_s) == machine.clock.now()


def test_a_machine_that_was_paused_without_noticing_it_lost_what_its_wall_clock_jumps() -> None:
    machine = Machine()
    machine.run(10)
    machine.set_wall(60)
    (lost,) = machine.lost
    assert (seconds(machine, lost.start), seconds(machine, lost.end)) == (10, 70)
    before = machine.clock.now()
    machine.run(1)
    assert machine.clock.now() > before


def test_a_step_back_dates_what_was_seen_before_anew_and_turns_no_order_round() -> None:
    machine = Machine()
    first = machine.clock.now()
    machine.run(100)
    second = machine.clock.now()
    machine.set_wall(-60)
    third = machine.clock.now()
    assert first < second <= third
    assert [seconds(machine, moment) for moment in (first, second, third)] == [-60, 40, 40]
    assert machine.lost == []
    assert abs(machine.now() - machine.wall_s * 1000) <= 2


def test_a_step_back_by_whole_seconds_gives_no_cycle_the_time_of_an_earlier_one() -> None:
    machine = Machine()
    start = machine.clock.now()
    before = {machine.clock.wall(start + 1000 * number) for number in range(100)}
    machine.run(100)
    machine.set_wall(-60)
    after = {machine.clock.wall(start + 100_000 + 1000 * number) for number in range(100)}
    assert not before & after


def test_a_clock_that_was_ahead_for_a_while_spoils_only_that_while() -> None:
    machine = Machine()
    machine.run(10)
    early = machine.clock.now()
    machine.set_wall(180)
    machine.run(18)
    wrong = machine.clock.now()
    machine.set_wall(-180)
    assert [seconds(machine, moment) for moment in (early, wrong)] == [10, 28]
    machine.run(20)
    assert seconds(machine, machine.clock.now()) == 48
    assert len(machine.lost) == 1, "for the jump ahead nobody could know; the way back loses nothing"


def test_a_clock_that_was_behind_for_a_while_loses_nothing() -> None:
    machine = Machine()
    machine.run(100)
    machine.set_wall(-60)
    machine.run(20)
    machine.set_wall(60)
    assert machine.lost == []
    assert abs(machine.now() - machine.wall_s * 1000) <= 2
    assert seconds(machine, machine.clock.now()) == 120


def test_a_clock_that_was_wrong_in_several_ways_spoils_only_that_while() -> None:
    machine = Machine()
    machine.run(100)
    early = machine.clock.now()
    machine.set_wall(-60)
    machine.run(20)
    behind = machine.clock.now()
    machine.set_wall(240)
    machine.run(20)
    ahead = machine.clock.now()
    machine.set_wall(-180)
    assert [seconds(machine, moment) for moment in (early, behind, ahead)] == [100, 120, 140]
    machine.run(10)
    assert seconds(machine, machine.clock.now()) == 150


def test_a_clock_that_goes_wrong_again_moves_nothing_that_was_before() -> None:
    machine = Machine()
    machine.run(10)
    early = machine.clock.now()
    for step_s in (180.0, -180.0, 180.0):
        machine.set_wall(step_s)
        machine.run(10)
        assert seconds(machine, early) == 10
    assert abs(machine.now() - machine.wall_s * 1000) <= 2
    machine.set_wall(-180)
    machine.run(10)
    assert seconds(machine, machine.clock.now()) == 50


def test_a_clock_that_comes_and_goes_is_right_in_the_end() -> None:
    machine = Machine()
    for step_s in (3600.0, -3600.0, 3600.0, -3600.0, -1e7, 1e7):
        machine.run(10)
        machine.set_wall(step_s)
    machine.run(10)
    assert abs(machine.now() - machine.wall_s * 1000) <= 2
    assert len(machine.lost) == 1


def test_a_clock_without_a_battery_begins_when_the_contract_does() -> None:
    machine = Machine(Time(0))
    machine.run(30)
    assert str(machine.now()).startswith("2000-01-01T00:00:")
    machine.wall_s = NOON / 1000
    machine.look()
    assert abs(machine.now() - NOON) <= 1
    assert len(machine.lost) == 1


def test_small_steps_move_moments_nowhere() -> None:
    machine = Machine()
    moments = []
    for step_s in (0.3, -0.3, 0.9, -0.5, 2.0, -2.0):
        machine.run(1)
        moments.append(machine.clock.now())
        machine.set_wall(step_s)
    assert moments == sorted(moments)
    assert machine.lost == []
    assert abs(machine.now() - machine.wall_s * 1000) <= 20


def test_no_step_gives_a_cycle_the_time_of_an_earlier_one() -> None:
    """A busy machine also reads a step wrongly at first, and puts it right at the next look."""
    for steps_s in [
        (-3.0,),
        (-3.025, 0.025),
        (-2.975, -0.025),
        (-1.0, -1.0, -1.0),
        (-2.0, 1.0, -1.0),
        (180.017, -180.017, -5.0),
    ]:
        machine = Machine()
        told = []
        for step_s in (*steps_s, 0.0):
            for _ in range(3):
                told.append(machine.now())
                machine.run(1)
            machine.set_wall(step_s)
        assert len(set(told)) == len(told), (steps_s, told)
