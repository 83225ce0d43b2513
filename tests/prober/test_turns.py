"""Whose path is followed when: once a day each, at the start of an outage, and again where it seems to be another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from noc_bus.channels import COMMANDS, REPLIES, STATES, TRACES
from noc_bus.messages import Command, GoodPath, Hop, State, Trace
from noc_bus.time import Time
from noc_netlab.lab import Netlab
from noc_prober.tracing import look_again
from noc_prober.turns import DAY_S, FIRST_AFTER_S, RETRY_S, Turns, time_of_day
from tests.prober.conftest import Rig, until

T0_S = Time.parse("2026-11-24T12:00:00.000Z") / 1000
TARGET = "192.0.2.1"


def trace(at_s: float, *routers: str, reached: bool = True) -> Trace:
    hops = [Hop(ttl=ttl, address=one) for ttl, one in enumerate([*routers, TARGET] if reached else routers, 1)]
    at = Time(round(at_s * 1000))
    return Trace(site="here", target="a", address=TARGET, at=at, reached=reached, hops=hops)


def turns_of(*targets: str, last: dict[str, Trace] | None = None) -> Turns:
    turns = Turns((last or {}).get)
    for target in targets:
        turns.add(target, T0_S)
    return turns


def test_each_target_comes_a_minute_after_it_was_added_and_then_once_a_day_at_its_own_time() -> None:
    names = [f"host-{number}" for number in range(500)]
    turns = turns_of(*names)
    taken: dict[str, list[float]] = {name: [] for name in names}
    # A trace takes its time: one every two seconds at most.
    for second in range(0, 3 * int(DAY_S), 2):
        if (target := turns.take(T0_S + second, lambda target: True)) is not None:
            taken[target].append(T0_S + second)
    assert min(min(times) for times in taken.values()) == T0_S + FIRST_AFTER_S
    assert max(times[0] for times in taken.values()) <= T0_S + FIRST_AFTER_S + 2 * len(names)
    for name, times in taken.items():
        assert 3 <= len(times) <= 4
        for at_s in times[1:]:
            assert 0 <= at_s - time_of_day(name) * DAY_S - at_s // DAY_S * DAY_S < 2 * len(names)
    by_hour = [0] * 24
    for name in names:
        by_hour[int(time_of_day(name) * 24)] += 1
    assert max(by_hour) < 3 * len(names) / 24


def test_a_trace_from_before_a_restart_counts() -> None:
    turns = turns_of("a", last={"a": trace(T0_S - 10)})
    due = [second for second in range(int(DAY_S) + 1) if turns.take(T0_S + second, lambda target: True)]
    assert len(due) == 1


def test_who_goes_down_goes_first_and_once() -> None:
    turns = turns_of("a", "b", "c")
    turns.observe({"c", "b"}, T0_S + 100)
    order = [turns.take(T0_S + 100, lambda target: target == "a") for _ in range(4)]
    assert order == ["b", "c", "a", None]
    turns.observe({"c", "b"}, T0_S + 101)
    assert turns.take(T0_S + 101, lambda target: target == "a") is None


def test_what_is_up_again_is_traced_once_it_has_settled() -> None:
    turns = turns_of("a", last={"a": trace(T0_S)})
    turns.observe({"a"}, T0_S)
    turns.observe(set(), T0_S + 5)
    assert turns.take(T0_S + 5, lambda target: True) is None
    assert turns.take(T0_S + 5 + FIRST_AFTER_S, lambda target: True) == "a"


@pytest.mark.parametrize(
    ("last", "taken"),
    [
        pytest.param(trace(T0_S - 20, "r", reached=False), None, id="one that broke off just now says enough"),
        pytest.param(trace(T0_S - 20, "r"), "a", id="a whole one does not"),
        pytest.param(trace(T0_S - 400, "r", reached=False), "a", id="nor one of an outage before"),
    ],
)
def test_a_target_that_goes_up_and_down_is_not_traced_each_time(last: Trace, taken: str | None) -> None:
    turns = turns_of("a", last={"a": last})
    turns.observe({"a"}, T0_S)
    assert turns.take(T0_S, lambda target: False) == taken


def test_outages_from_before_a_restart_are_no_new_ones() -> None:
    turns = turns_of("a")
    turns.resume({"a"})
    turns.observe({"a"}, T0_S + 1)
    assert turns.take(T0_S + 1, lambda target: False) is None


def test_what_is_not_up_waits_and_what_is_gone_is_forgotten() -> None:
    turns = turns_of("a", "gone")
    states = {"a": False}
    assert turns.take(T0_S + FIRST_AFTER_S, states.get) is None
    assert turns.take(T0_S + FIRST_AFTER_S + RETRY_S - 1, states.get) is None
    states["a"] = True
    assert turns.take(T0_S + FIRST_AFTER_S + RETRY_S, states.get) == "a"


KNOWN = GoodPath(at=Time(0), address=TARGET, hops=trace(T0_S, "r1", "s").hops)


@pytest.mark.parametrize(
    ("paths", "looks", "routers"),
    [
        pytest.param([["r1", "s"]], 1, {"r1"}, id="the same"),
        pytest.param([["r2", "s"], ["r1", "s"]], 2, {"r1", "r2"}, id="the load is shared"),
        pytest.param([["r2", "s"]] * 5, 5, {"r2"}, id="another route"),
    ],
)
def test_what_seems_to_be_another_route_is_looked_at_again(
    paths: list[list[str]], looks: int, routers: set[str]
) -> None:
    followed: Iterator[Trace] = iter([trace(T0_S + n, *path) for n, path in enumerate(paths)])
    found = look_again(lambda: next(followed), KNOWN)
    assert next(followed, None) is None, "fewer looks than expected"
    assert found.at == Time(round((T0_S + looks - 1) * 1000))
    assert found.reached
    first = found.hops[0]
    assert {one.address for one in first.routers or []} | {first.address} == routers


def test_an_outage_is_traced_and_the_last_whole_path_is_beside_it(rig: Rig, netlab: Netlab) -> None:
    host = "10.99.0.9"

    def last() -> Trace | None:
        return next(iter(rig.hub.now(TRACES)), None)

    async def scenario() -> None:
        await until(lambda: rig.hub.now(STATES) and rig.hub.now(STATES)[0].state is State.UP)
        rig.web.publish(COMMANDS, Command(request="r", target="a", at=Time.now()), site="local", verb="trace")
        await until(lambda: rig.hub.messages(REPLIES))
        good = last()
        assert good is not None
        assert good.reached
        netlab.behave(host, path=["10.99.200.1"], silent=True)
        broken = await until(lambda: found if (found := last()) and not found.reached else None, 40)
        assert broken.last_good == GoodPath(at=good.at, address=host, hops=good.hops)
        assert rig.hub.now(STATES)[0].state is State.DOWN

    netlab.behave(host, path=["10.99.200.1"])
    rig.target("a", host, interval_s=1, packets=1, timeout_ms=300, down_after=2)
    rig.run(scenario)
