"""Which targets are judged in which order, what a verdict rests on, and since when it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus.messages import ProberPresence, SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.judge import Agenda, VerdictChange, Views, judge, ranks, since
from noc_rules.verdict import Decision, Standing, VerdictCode

T0 = Time.parse("2026-11-24T12:00:00.000Z")
SITES = ("north", "south")
FIT = {site: Standing(ProberPresence(site=site, online=True), is_current=True) for site in SITES}


def target(name: str, *parents: str, **options: Any) -> Target:
    return Target(id=name, name=name, address="192.0.2.1", parents=list(parents), **options)


def network(*targets: Target) -> dict[str, Target]:
    return {one.id: one for one in targets}


def view(state: State, since_s: int, site: str = "north", name: str = "router") -> SiteState:
    at = Time(T0 + 1000 * since_s)
    return SiteState(site=site, target=name, epoch=1, seq=1, state=state, since=at, reason="seen", at=at)


def work_off(
    targets: Mapping[str, Target], states: Mapping[tuple[str, str], SiteState], names: list[str], *, slice_size: int = 1
) -> tuple[list[str], dict[str, Verdict]]:
    """As the alerter does: in which order each was judged, and the verdicts in the end."""
    agenda, verdicts, order = Agenda(), dict[str, Verdict](), list[str]()
    agenda.arrange(targets)
    agenda.add(names)
    while (name := agenda.take()) is not None:
        change = judge(name, Views(targets.get, lambda *key: states.get(key), FIT, SITES, verdicts), T0)
        order.append(name)
        assert change.after is not None
        verdicts[name] = change.after
        agenda.add_behind(change)
    return order, verdicts


def test_critical_targets_and_what_they_lie_behind_are_judged_before_all_others_parents_first() -> None:
    others = [target(f"a-{n:03}", "a-000") if n else target("a-000") for n in range(500)]
    mine = [target("z-core"), target("z-switch", "z-core"), target("z-shop", "z-switch", critical=True)]
    targets = network(*others, *mine)
    states = {(site, name): view(State.DOWN, 1, site, name) for site in SITES for name in targets}
    order, verdicts = work_off(targets, states, sorted(targets))
    assert order[:3] == ["z-core", "z-switch", "z-shop"]
    assert order[3] == "a-000"
    assert [verdicts[one.id].state for one in mine] == [VerdictState.DOWN, *[VerdictState.UNREACHABLE] * 2]


def test_children_are_judged_after_their_parents_whatever_their_number_of_parents() -> None:
    """30 chains of a core, a switch and a host, all down at once: only the cores are outages."""
    chains = [
        (target(f"core-{n}"), target(f"switch-{n}", f"core-{n}"), target(f"host-{n}", f"switch-{n}")) for n in range(30)
    ]
    targets = network(*(one for chain in chains for one in chain))
    states = {(site, name): view(State.DOWN, 1, site, name) for site in SITES for name in targets}
    order, verdicts = work_off(targets, states, sorted(targets, reverse=True))
    assert len(order) == len(targets)
    assert {name for name, one in verdicts.items() if one.state is VerdictState.DOWN} == {
        f"core-{n}" for n in range(30)
    }


@given(st.permutations(["core", "left", "right", "host"]), st.sets(st.sampled_from(["core", "left", "right", "host"])))
def test_the_order_in_which_targets_are_named_changes_no_verdict(names: list[str], down: set[str]) -> None:
    targets = network(target("core"), target("left", "core"), target("right", "core"), target("host", "left", "right"))
    states = {
        (site, name): view(State.DOWN if name in down else State.UP, 1, site, name)
        for site in SITES
        for name in targets
    }
    _, verdicts = work_off(targets, states, names)
    _, expected = work_off(targets, states, ["core", "left", "right", "host"])
    assert {name: one.state for name, one in verdicts.items()} == {name: one.state for name, one in expected.items()}


def test_a_parents_new_state_has_its_children_judged_again() -> None:
    targets = network(target("core"), target("host", "core"))
    states = {(site, name): view(State.DOWN, 1, site, name) for site in SITES for name in targets}
    order, verdicts = work_off(targets, states, ["core"])
    assert order == ["core", "host"]
    assert (verdicts["host"].state, verdicts["host"].code) == (VerdictState.UNREACHABLE, VerdictCode.PARENTS_DOWN)


def test_a_target_named_twice_is_judged_once() -> None:
    targets = network(target("router"))
    order, _ = work_off(targets, {}, ["router", "router"])
    assert order == ["router"]


def test_a_circle_of_parents_is_survived() -> None:
    targets = network(target("a", "c"), target("b", "a"), target("c", "b"), target("d", "c"))
    found = ranks(targets)
    assert set(found) == set(targets)
    assert found["d"] > found["c"]
    order, _ = work_off(targets, {}, list(targets))
    assert set(order) == set(targets)


def test_a_removed_target_has_no_verdict_any_more() -> None:
    before = Verdict(target="router", state=VerdictState.DOWN, since=T0, reason="", sites={}, at=T0)
    change = judge("router", Views(network().get, lambda *_: None, FIT, SITES, {"router": before}), T0)
    assert (change.after, change.is_news, change.changes_state) == (None, True, True)


@pytest.mark.parametrize(
    ("field", "value", "is_news"),
    [
        ("reason", "otherwise", True),
        ("sites", {"north": State.UP}, True),
        ("code", "x", True),
        ("at", Time(T0 + 5), False),
    ],
)
def test_only_what_others_are_to_be_told_is_news(field: str, value: object, is_news: bool) -> None:
    fields = {"target": "router", "state": VerdictState.UP, "since": T0, "reason": "so", "sites": {}, "at": T0}
    one, other = Verdict(**fields), Verdict(**{**fields, field: value})  # type: ignore[arg-type]
    assert VerdictChange("router", target("router"), one, other).is_news is is_news


@pytest.mark.parametrize(
    ("state", "sites", "before_s", "since_s"),
    [
        (VerdictState.DOWN, {"north": State.DOWN, "south": State.DOWN}, 1, 7),
        (VerdictState.DOWN, {"north": State.DOWN, "south": State.UP}, 1, 5),
        (VerdictState.DOWN, {"north": State.DOWN, "south": State.DOWN}, 9, 9),
        (VerdictState.UNKNOWN, {"north": State.UNKNOWN, "south": State.UNKNOWN}, 1, 20),
        (VerdictState.PARTIAL, {"north": State.DOWN, "south": State.UP}, 1, 20),
    ],
    ids=[
        "the youngest view it rests on",
        "a view that counted otherwise is no evidence",
        "never before the verdict before it",
        "nobody saw it start",
        "it follows from the votes, not from one view",
    ],
)
def test_since_when_a_verdict_holds(state: VerdictState, sites: dict[str, State], before_s: int, since_s: int) -> None:
    states = {"north": view(State.DOWN, 5, "north"), "south": view(State.DOWN, 7, "south")}
    at = Time(T0 + 1000 * before_s)
    before = Verdict(target="router", state=VerdictState.UP, since=at, reason="", sites={}, at=T0)
    assert since(Decision(state, "", sites), states, before, Time(T0 + 20_000)) == T0 + 1000 * since_s


@pytest.mark.parametrize("ahead_s", [500, 10**9])
def test_a_site_whose_clock_is_ahead_makes_no_verdict_begin_in_the_future(ahead_s: int) -> None:
    states = {"north": view(State.UP, ahead_s)}
    decision = Decision(VerdictState.UP, "", {"north": State.UP})
    assert since(decision, states, None, T0) == T0
    poisoned = Verdict(
        target="router", state=VerdictState.UP, since=Time(T0 + 1000 * ahead_s), reason="", sites={}, at=T0
    )
    assert since(decision, states, poisoned, Time(T0 + 1)) == T0 + 1
