"""How soon an outage and its end are known, whatever the timeout and the round-trip time; and names that move."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections import Counter

import pytest

from noc_bus.channels import COMMANDS, PROBERS, REPLIES, RESULTS, STATES
from noc_bus.codec import decode
from noc_bus.messages import Command, ProbeResult, SiteState, State
from noc_bus.time import Time
from noc_netlab.lab import Netlab
from noc_prober.load import Load
from noc_prober.resolver import Resolver
from tests.parts.figures import Figures
from tests.prober.conftest import Rig, Wire, until

HOST = "10.99.0.4"
MOVED = "10.99.0.3"


def states(rig: Rig, target: str = "a") -> list[SiteState]:
    return [one for one in rig.hub.messages(STATES) if one.target == target]


def results(rig: Rig, target: str = "a") -> list[ProbeResult]:
    return [one for one in rig.hub.messages(RESULTS) if one.target == target]


def is_now(rig: Rig, state: State) -> bool:
    return bool(states(rig)) and states(rig)[-1].state is state


@pytest.mark.parametrize(("timeout_ms", "interval_s"), [(300, 10), (3000, 10), (3000, 2)])
def test_an_outage_is_known_down_after_seconds_and_one_timeout_after_its_first_lost_cycle(
    rig: Rig, netlab: Netlab, timeout_ms: int, interval_s: int
) -> None:
    known: list[Time] = []

    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP))
        netlab.behave(HOST, silent=True)
        await until(lambda: is_now(rig, State.DOWN), 40)
        known.append(Time.now())

    rig.target("a", HOST, interval_s=interval_s, packets=1, timeout_ms=timeout_ms, down_after=5)
    rig.run(scenario)
    down = states(rig)[-1]
    # On a busy machine a little later: a check that could not be sent in time does not count.
    invalid = sum(one.invalid is not None for one in results(rig))
    assert known[0] - down.since <= 2 * timeout_ms + 5000 + 1000 + 1000 * invalid


def test_a_parent_is_looked_at_at_once_when_what_lies_behind_it_falls_silent(rig: Rig, netlab: Netlab) -> None:
    """Its own turn would come in an hour."""

    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP) and states(rig, "parent")[-1:] != [])
        await until(lambda: states(rig, "parent")[-1].state is State.UP)
        netlab.behave(HOST, silent=True)
        netlab.behave(MOVED, silent=True)
        await until(lambda: is_now(rig, State.DOWN) and states(rig, "parent")[-1].state is State.DOWN, 40)

    options = {"packets": 1, "timeout_ms": 300}
    rig.target("parent", MOVED, interval_s=3600, **options)
    rig.target("a", HOST, interval_s=1, parents=["other"], site_parents=["local:other|parent"], **options)
    rig.run(scenario)
    child, parent = states(rig)[-1], states(rig, "parent")[-1]
    assert parent.since - child.since <= 10_000
    assert [one.sent for one in results(rig, "parent")] == [1], "single echoes, not cycles"


def test_the_end_of_two_hundred_outages_is_known_at_once_though_lost_checks_are_still_waited_for(
    rig: Rig, netlab: Netlab, is_long: bool, figure: Figures
) -> None:
    names = {f"t{number}": f"10.99.7.{number + 1}" for number in range(200)}
    took_s: dict[str, float] = {}

    def now(name: str) -> State | None:
        retained = rig.hub.retained.get(f"noc/v1/states/local/{name}")
        return decode(retained, SiteState).state if retained else None

    async def scenario() -> None:
        for address in names.values():
            netlab.behave(address, silent=True)
        await until(lambda: all(now(name) is State.DOWN for name in names), 60)
        await asyncio.sleep(2)
        for address in names.values():
            netlab.behave(address)
        back_s = time.monotonic()

        def all_back() -> bool:
            for name in names.keys() - took_s.keys():
                if now(name) is State.UP:
                    took_s[name] = time.monotonic() - back_s
            return len(took_s) == len(names)

        await until(all_back, 30)

    for name, address in names.items():
        rig.target(name, address, interval_s=10, packets=1, timeout_ms=5000, down_after=1)
    rig.run(scenario)
    in_19_of_20_s = sorted(took_s.values())[len(names) * 19 // 20 - 1]
    # A machine that does other things as well may take twice as long.
    figure.at_most("up_again_s", round(in_19_of_20_s, 2), 2.5 if is_long else 5)


def test_a_host_slower_than_its_interval_loses_nothing_and_is_measured(rig: Rig, netlab: Netlab) -> None:
    """Seven cycles are on their way at once."""
    netlab.behave(HOST, delay_ms=7000)

    async def scenario() -> None:
        await until(lambda: len(results(rig)) >= 6, 40)

    rig.target("a", HOST, interval_s=1, packets=2, timeout_ms=15_000)
    rig.run(scenario)
    late = [one for one in results(rig) if one.invalid]
    assert all(one.invalid_code == "late" for one in late), "only what this machine was too busy for"
    assert all((one.sent, one.received) == (2, 2) for one in results(rig) if not one.invalid)
    assert min(one.rtts_ms[0] for one in results(rig) if not one.invalid) >= 7000
    assert is_now(rig, State.UP)


def test_the_round_trip_time_of_a_state_is_the_median_of_its_last_cycle(rig: Rig, netlab: Netlab) -> None:
    netlab.behave(HOST, delay_ms=5, late_every=5, late_ms=400)

    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP))

    rig.target("a", HOST, packets=5, packet_gap_ms=20, interval_s=60)
    rig.run(scenario)
    up = states(rig)[-1]
    assert max(results(rig)[0].rtts_ms) > 400
    assert up.rtt_ms is not None
    assert up.rtt_ms < 100


def test_a_name_that_moves_is_followed_as_soon_as_its_old_address_is_silent(rig: Rig, netlab: Netlab) -> None:
    addresses = [[HOST]]

    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP))
        addresses[0] = [MOVED]
        netlab.behave(HOST, silent=True)
        await until(lambda: results(rig)[-1].address == MOVED and results(rig)[-1].received, 20)

    rig.target("a", "host.example", interval_s=2, packets=1, timeout_ms=300)
    rig.run(scenario, look_up=lambda name: addresses[0])
    assert State.DOWN not in [one.state for one in states(rig)]


def test_an_address_that_cannot_be_sent_to_is_passed_over_for_one_that_can(rig: Rig, netlab: Netlab) -> None:
    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP))

    rig.target("a", "host.example", interval_s=1, packets=1)
    rig.run(scenario, look_up=lambda name: ["2001:db8::7", HOST])
    assert results(rig)[-1].address == HOST


def test_hundreds_of_dead_names_hold_up_nobody(rig: Rig, netlab: Netlab) -> None:
    release = threading.Event()

    def look_up(name: str) -> list[str]:
        if name.startswith("dead"):
            release.wait(30)
            raise OSError(-3, "Temporary failure in name resolution")
        return [HOST]

    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP), 10)

    for number in range(60):
        rig.target(f"dead{number}", f"dead{number}.example")
    rig.target("a", "host.example")
    try:
        rig.run(scenario, look_up=look_up)
    finally:
        release.set()


class Missing(Load):
    """Counts the cycles that were due while this machine had no time for them."""

    cycles = 0

    def missed(self, cycles: int) -> None:
        self.cycles += cycles
        super().missed(cycles)


def test_names_that_are_slow_fail_and_change_their_addresses_cost_no_cycle(
    rig: Rig, netlab: Netlab, caplog: pytest.LogCaptureFixture
) -> None:
    """Of every cycle on the grid there is a result, and of every request of the wire a cycle that has sent it."""
    rng, lock = random.Random(11), threading.Lock()

    def look_up(name: str) -> list[str]:
        with lock:
            fate, pause_s = rng.random(), rng.uniform(0, 0.8)
            found = rng.sample([f"10.99.7.{number}" for number in range(1, 60)], rng.randint(1, 3))
        if fate < 0.4:
            time.sleep(pause_s)
        if fate > 0.7:
            raise OSError(-3, "Temporary failure in name resolution")
        return found

    async def scenario() -> None:
        await until(lambda: len(results(rig, "host-0")) >= 7, 60)

    # A minute passes for it in a second: each name is asked for again in every cycle.
    resolver, load = Resolver(look_up, clock=lambda: 60 * time.monotonic()), Missing()
    for number in range(50):
        rig.target(f"host-{number}", f"host-{number}.example", interval_s=1, packets=1)
    began_ms = time.time() * 1000
    rig.run(scenario, look_up=resolver, load=load)
    said = [results(rig, f"host-{number}") for number in range(50)]
    left_out = 0
    for one in said:
        # The first is out of turn, and what waits for its first address goes to its grid after that.
        starts = [result.at for result in one if result.invalid_code != "no-address"][1:]
        for before, after in itertools.pairwise(starts):
            steps = round((after - before) / 1000)
            assert steps >= 1
            assert abs(after - before - 1000 * steps) <= 2
            left_out += steps - 1
    has_stood_still = "did not run" in caplog.text
    assert left_out == load.cycles or has_stood_still
    sent = Counter(result.address for one in said for result in one if result.sent)
    assert len(sent) > 30, "they have moved"
    seen = Counter(one.address for one in netlab.seen(since_ms=began_ms))
    # One echo may be on its way when it ends, and another to be sure comes after each that was lost.
    unsure = len(said) + sum(result.received < result.sent for one in said for result in one) * 5
    assert sent.total() <= seen.total() <= sent.total() + unsure
    assert not sent - seen


def test_a_name_without_an_address_says_so_by_its_code(rig: Rig) -> None:
    def look_up(name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    async def scenario() -> None:
        await until(lambda: states(rig) and states(rig)[-1].code == "no-address")

    rig.target("a", "nowhere.example")
    rig.run(scenario, look_up=look_up)
    assert results(rig)[-1].invalid_code == "no-address"


def test_every_check_that_was_asked_for_is_answered_also_when_the_target_changes(rig: Rig, netlab: Netlab) -> None:
    netlab.behave(HOST, silent=True)
    netlab.behave(MOVED, silent=True)

    def ask(number: int) -> None:
        command = Command(request=f"r{number}", target="a", at=Time.now())
        rig.web.publish(COMMANDS, command, site="local", verb="check")

    async def scenario() -> None:
        await until(lambda: states(rig))
        for number in range(101):
            ask(number)
            await asyncio.sleep(0.005)
            rig.target("a", MOVED if number % 2 else HOST, interval_s=3600, timeout_ms=5000)
            await asyncio.sleep(0.005)
        await until(lambda: len(rig.hub.messages(REPLIES)) == 101)
        asked = 101
        while not any(one.code == "cancelled" for one in rig.hub.messages(REPLIES)):
            # A slow machine may have taken none in hand before all the changes.
            ask(asked)
            asked += 1
            await asyncio.sleep(0.5)
            rig.target("a", HOST if asked % 2 else MOVED, interval_s=3600, timeout_ms=5000)
            await until(lambda: len(rig.hub.messages(REPLIES)) == asked)  # noqa: B023  # it is waited for at once
        netlab.behave(HOST)
        netlab.behave(MOVED)
        ask(asked)
        await until(lambda: len(rig.hub.messages(REPLIES)) == asked + 1)

    rig.target("a", HOST, interval_s=3600, timeout_ms=5000)
    rig.run(scenario)
    *answered, last = rig.hub.messages(REPLIES)
    assert len({one.request for one in answered}) == len(answered)
    assert {one.code for one in answered} <= {"cancelled", "busy", None}
    cancelled = {one.error for one in answered if one.code == "cancelled"}
    assert cancelled == {"the check was cancelled: the target was changed"}
    assert last.error is None


def test_what_was_removed_is_retained_no_more_its_path_neither(rig: Rig) -> None:
    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP))
        command = Command(request="r", target="a", at=Time.now())
        rig.web.publish(COMMANDS, command, site="local", verb="trace")
        await until(lambda: "noc/v1/traces/local/a" in rig.hub.retained)
        rig.web.publish(COMMANDS, Command(request="s", target="b", at=Time.now()), site="local", verb="check")
        (presence,) = await until(
            lambda: [one for one in rig.hub.now(PROBERS) if one.retained and one.retained["traces"].count == 1]
        )
        assert presence.host
        assert presence.instance
        rig.hub.put("noc/v1/assignments/local/a", b"", retain=True)
        await until(lambda: not [topic for topic in rig.hub.retained if topic.endswith("local/a")])

    rig.target("a", "127.0.0.1")
    rig.run(scenario)


def test_a_second_prober_of_the_same_site_keeps_silent_and_takes_over_when_the_first_is_gone(rig: Rig) -> None:
    other = Wire(rig.hub)

    async def scenario() -> None:
        await until(lambda: is_now(rig, State.UP))
        first = rig.hub.now(PROBERS)[0]
        # Somebody who was there before: it says so, live, more than once.
        for _ in range(2):
            await asyncio.sleep(0.1)
            earlier = type(first)(
                site="local", online=True, since=Time(first.since or 0) and Time((first.since or 0) - 60_000),
                instance="earlier", host="the-other", clock=Time.now(),
            )  # fmt: skip
            other.publish(PROBERS, earlier)
        told = await until(lambda: [one for one in rig.hub.messages(PROBERS) if one.silenced])
        assert told[0].instance == first.instance
        count = len(results(rig))
        await asyncio.sleep(2.5)
        assert len(results(rig)) <= count + 1, "at most the cycle that had been sent"
        other.publish(PROBERS, type(first)(site="local", online=False, instance="earlier"))
        await until(lambda: len(results(rig)) >= count + 3, 20)
        assert not rig.hub.now(PROBERS)[0].silenced
        assert rig.hub.now(PROBERS)[0].online

    other.start()
    rig.target("a", "127.0.0.1", interval_s=1)
    rig.run(scenario)
