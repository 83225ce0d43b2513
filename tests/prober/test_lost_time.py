"""Time in which nobody looked, and wall clocks that are wrong for a while: what history is told of them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.channels import RESULTS, STATES
from noc_bus.codec import encode
from noc_bus.messages import ProbeResult, SiteState, State, Target
from noc_bus.time import Time
from noc_netlab.lab import Netlab
from noc_prober.clock import Readings, boot_ms, boot_number
from noc_prober.journal import SignOfLife
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until
from tests.parts.wallclock import WallClock
from tests.prober.conftest import Rig, journal_in, until

HOST = "10.99.0.5"


def states(rig: Rig, target: str = "a") -> list[SiteState]:
    return [one for one in rig.hub.messages(STATES) if one.target == target]


def results(rig: Rig, target: str = "a") -> list[ProbeResult]:
    return [one for one in rig.hub.messages(RESULTS) if one.target == target]


def is_up(rig: Rig) -> bool:
    return bool(states(rig)) and states(rig)[-1].state is State.UP


class Wall:
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.readings = Readings(wall=lambda: time.time() + self.ahead_s)


def unseen(rig: Rig) -> list[tuple[Time, Time]]:
    """From when to when the journal says that the prober was not running."""
    told = states(rig)
    return [
        (before.since, after.since)
        for before, after in pairwise(told)
        if before.state is State.UNKNOWN and before.code == "not-running" and after.since != before.since
    ]


def test_time_that_passed_without_us_is_unknown_from_the_next_check_to_the_first_one_after(rig: Rig) -> None:
    wall = Wall()

    async def scenario() -> None:
        await until(lambda: len(results(rig)) >= 3)
        wall.ahead_s = 60
        count = len(results(rig))
        await until(lambda: len(results(rig)) >= count + 3)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario, readings=wall.readings)
    ((start, end),) = unseen(rig)
    before = max(one.at for one in results(rig) if one.at < start)
    after = min(one.at for one in results(rig) if one.at > start)
    assert abs(start - before - 1000) <= 100, "when the next check was due"
    assert abs(end - after) <= 2, "the start of the first one after"
    assert 58_000 < end - start < 64_000


def test_a_paused_or_rarely_checked_target_missed_nothing(rig: Rig) -> None:
    wall = Wall()

    async def scenario() -> None:
        await until(lambda: len(results(rig)) >= 2)
        wall.ahead_s = 60
        count = len(results(rig))
        await until(lambda: len(results(rig)) >= count + 2)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.target("asleep", "127.0.0.2", interval_s=1, paused=True)
    rig.target("rare", "127.0.0.3", interval_s=3600)
    rig.run(scenario, readings=wall.readings)
    assert [one.code for one in states(rig, "asleep")] == ["not-checked", "paused"][-len(states(rig, "asleep")) :]
    assert [one.state for one in states(rig, "rare")] == [State.UNKNOWN, State.UP]


def test_a_clock_put_right_dates_the_present_state_anew_and_shortens_no_outage_after_it(
    rig: Rig, netlab: Netlab
) -> None:
    """180 s ahead for some seconds; then an outage that would have lain before all that was said."""
    wall = Wall()

    async def scenario() -> None:
        await until(lambda: is_up(rig))
        wall.ahead_s = 180
        await until(lambda: unseen(rig) and is_up(rig))
        wall.ahead_s = 0
        await until(lambda: is_up(rig) and states(rig)[-1].since < Time.now() + 1000)
        netlab.behave(HOST, silent=True)
        await until(lambda: states(rig)[-1].state is State.DOWN, 15)
        netlab.behave(HOST)
        await until(lambda: is_up(rig), 15)

    rig.target("a", HOST, interval_s=1, packets=1, timeout_ms=300)
    rig.run(scenario, readings=wall.readings)
    ends = [*(one for one, after in pairwise(states(rig)) if one.since != after.since), states(rig)[-1]]
    right, down, up = ends[-3:]
    assert (right.state, down.state, up.state) == (State.UP, State.DOWN, State.UP)
    assert right.since < down.since < up.since <= Time.now()
    assert up.since - down.since >= 4000
    assert sorted(one.seq for one in results(rig)) == [one.seq for one in results(rig)]


def test_a_step_back_loses_no_cycle_and_dates_none_like_another(rig: Rig) -> None:
    wall = Wall()

    async def scenario() -> None:
        await until(lambda: len(results(rig)) >= 4)
        wall.ahead_s = -3
        count = len(results(rig))
        await until(lambda: len(results(rig)) >= count + 6)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario, readings=wall.readings)
    told = results(rig)
    assert len({one.at for one in told}) == len(told)
    assert any(after.at < before.at for before, after in pairwise(told)), "the clock did go back"
    assert not unseen(rig)
    assert {one.invalid for one in told} == {None}


@pytest.mark.parametrize(
    ("ahead_s", "gone_s"),
    [(0.0, 600), (365 * 86_400.0, 600), (-365 * 86_400.0, 600)],
    ids=["a right clock", "a clock that was a year ahead", "a clock that was a year behind"],
)
def test_a_restart_on_the_same_machine_knows_how_long_nobody_looked(rig: Rig, ahead_s: float, gone_s: int) -> None:
    async def scenario() -> None:
        await until(lambda: is_up(rig))

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)
    wrong = int(ahead_s * 1000)
    gone_at = Time(Time.now() - gone_s * 1000)
    with journal_in(rig.folder) as (journal, memory), journal.transaction():
        journal.sign(SignOfLife(Time(gone_at + wrong), boot_ms() - gone_s * 1000, boot_number()), journal.ran_ms)
        last = replace(memory.states()["a"], since=Time(gone_at + wrong - 5000), at=Time(gone_at + wrong))
        memory.keep("state", "a", encode(last))
    rig.hub.sent.clear()
    rig.hub.retained = {topic: body for topic, body in rig.hub.retained.items() if "/targets/" in topic}
    rig.run(scenario)
    unknown = next(one for one in states(rig) if one.code == "not-running")
    assert abs(unknown.since - gone_at) < 1000
    assert abs(states(rig)[-1].since - Time.now()) < 10_000


def test_after_a_restart_of_the_machine_a_state_of_the_future_began_by_now(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: is_up(rig))

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)
    future = Time(Time.now() + 365 * 86_400_000)
    with journal_in(rig.folder) as (journal, memory), journal.transaction():
        journal.sign(SignOfLife(future, 10_000, 7), journal.ran_ms)
        memory.keep("state", "a", encode(replace(memory.states()["a"], since=future, at=future)))
    rig.hub.sent.clear()
    rig.run(scenario)
    assert states(rig)[-1].since <= Time.now()


# -- real processes


class Alone:
    """A prober as a process of its own, without a broker; what it saw is read from its journal."""

    def __init__(self, folder: Path, processes: Processes, environment: dict[str, str], targets: list[Target]) -> None:
        self._folder = folder
        self.processes = processes
        with journal_in(folder, "prober-local.sqlite") as (journal, memory), journal.transaction():
            for target in targets:
                memory.keep("target", target.id, encode(target))
        settings = {"NOC_DATA": str(folder), "NOC_MQTT_URL": "mqtt://127.0.0.1:9", **environment}
        processes.service("prober", settings)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.processes.pid("prober"), number)

    def journal(self) -> tuple[list[ProbeResult], list[SiteState]]:
        with journal_in(self._folder, "prober-local.sqlite") as (journal, _):
            run = journal.read(0, 100_000_000)
        return (run.results, run.states) if run else ([], [])

    def wait(self, condition: Callable[[list[ProbeResult], list[SiteState]], bool], deadline_s: float = 20) -> None:
        wait_until(
            lambda: condition(*self.journal()), deadline_s, "the journal", seen=lambda: self.processes.log("prober")
        )


def target(name: str, address: str, **options: object) -> Target:
    return Target(id=name, name=name, address=address, **{"interval_s": 1.0, "packets": 1, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("is_dead", [False, True], ids=["UP before", "DOWN before"])
def test_a_stopped_process_says_unknown_for_the_time_it_did_not_run(
    icmp: None, netlab: Netlab, noc_processes: Processes, tmp_path: Path, is_dead: bool
) -> None:
    before = State.DOWN if is_dead else State.UP
    netlab.behave(HOST, silent=is_dead)
    alone = Alone(tmp_path, noc_processes, {}, [target("a", HOST, timeout_ms=300, down_after=1)])
    # The first check is out of turn, and the second comes up to an interval and a half after it.
    alone.wait(lambda results, states: len(results) > 2 and states[-1].state is before)
    alone.signal(signal.SIGSTOP)
    stopped = Time.now()
    time.sleep(9)
    going_on = Time.now()
    alone.signal(signal.SIGCONT)
    alone.wait(lambda results, states: states[-1].state is before and states[-1].since >= going_on)
    results, states = alone.journal()
    unknown, after = states[-2:]
    assert (unknown.state, unknown.code) == (State.UNKNOWN, "not-running")
    assert -100 < unknown.since - stopped < 1200
    first = min(one.at for one in results if one.at >= going_on - 50)
    assert abs(after.since - first) <= (2 if not is_dead else 30_000)
    assert not [one for one in results if unknown.since + 100 < one.at < going_on - 50]


def test_a_wall_clock_ahead_for_a_while_spoils_nothing_that_comes_later(
    icmp: None, netlab: Netlab, noc_processes: Processes, tmp_path: Path
) -> None:
    with WallClock(tmp_path) as clock:
        (tmp_path / "data").mkdir()
        alone = Alone(
            tmp_path / "data", noc_processes, clock.environment, [target("a", HOST, timeout_ms=300, down_after=2)]
        )
        alone.wait(lambda results, states: bool(states) and states[-1].state is State.UP)
        clock.set(180)
        alone.wait(
            lambda results, states: any(one.code == "not-running" for one in states) and states[-1].state == "UP"
        )
        clock.set(0)
        alone.wait(lambda results, states: states[-1].since <= Time.now() + 500)
        netlab.behave(HOST, silent=True)
        alone.wait(lambda results, states: states[-1].state is State.DOWN)
        netlab.behave(HOST)
        alone.wait(lambda results, states: states[-1].state is State.UP)
    _, states = alone.journal()
    assert [one.state for one in states[-2:]] == [State.DOWN, State.UP]
    assert states[-3].since < states[-2].since < states[-1].since <= Time.now()


def test_a_process_that_was_killed_says_unknown_from_its_last_sign_of_life(
    icmp: None, netlab: Netlab, noc_processes: Processes, tmp_path: Path
) -> None:
    alone = Alone(tmp_path, noc_processes, {}, [target("a", HOST, timeout_ms=300)])
    alone.wait(lambda results, states: bool(states) and states[-1].state is State.UP)
    noc_processes.kill("prober")
    killed = Time.now()
    time.sleep(8)
    noc_processes.restart("prober")
    alone.wait(lambda results, states: states[-1].state is State.UP and states[-1].since > killed)
    _, states = alone.journal()
    unknown = next(one for one in states if one.code == "not-running")
    assert unknown.state is State.UNKNOWN
    assert -3000 < unknown.since - killed <= 100


def test_a_loop_that_is_busy_for_a_moment_lost_no_time(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: len(results(rig)) >= 2)
        time.sleep(2)  # that is the point
        count = len(results(rig))
        await until(lambda: len(results(rig)) >= count + 2)
        await asyncio.sleep(0)

    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)
    assert [one.state for one in states(rig)] == [State.UNKNOWN, State.UP]
