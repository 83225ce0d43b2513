"""What a target lies behind: groups of parents, parents by site, and circles among them."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from noc_bus.messages import ProberPresence, SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.judge import Agenda, Views, in_the_way, judge
from noc_rules.parents import Circle, above, circle, groups_from, parents_from, parents_of
from noc_rules.verdict import Parent, Standing, VerdictCode, Vote, decide

V = VerdictState
T0 = Time.parse("2026-11-24T12:00:00.000Z")


def target(name: str = "t", **options: Any) -> Target:
    return Target(**{"id": name, "name": name, "address": "192.0.2.1", **options})


@pytest.mark.parametrize(
    ("options", "paris", "lyon", "all_of_them"),
    [
        ({}, [], [], []),
        ({"parents": ["a", "b"]}, [["a", "b"]], [["a", "b"]], ["a", "b"]),
        ({"parent_groups": ["a", "b|c"]}, [["a"], ["b", "c"]], [["a"], ["b", "c"]], ["a", "b", "c"]),
        ({"parents": ["a"], "parent_groups": ["a|b"]}, [["a"], ["a", "b"]], [["a"], ["a", "b"]], ["a", "b"]),
        ({"site_parents": ["paris:a|b", "paris:c"]}, [["a", "b"], ["c"]], [], ["a", "b", "c"]),
        ({"parents": ["x"], "site_parents": ["paris:a"]}, [["a"]], [["x"]], ["x", "a"]),
        ({"parents": ["x"], "site_parents": ["paris:-"]}, [], [["x"]], ["x"]),
        ({"parent_groups": ["x"], "site_parents": ["lyon:y", "paris:-"]}, [], [["y"]], ["x", "y"]),
    ],
)  # fmt: skip
def test_the_groups_from_each_site(
    options: dict[str, Any], paris: list[list[str]], lyon: list[list[str]], all_of_them: list[str]
) -> None:
    one = target(**options)
    assert (groups_from(one, "paris"), groups_from(one, "lyon"), parents_of(one)) == (paris, lyon, all_of_them)
    assert parents_from(one, "paris") == list(dict.fromkeys(itertools.chain(*paris)))


# What is judged: the options, what paris and lyon see of the target and of its parents, the verdict under `any`.
# Letters of a parent: what paris and lyon see of it; it is DOWN where either sees it DOWN.
@pytest.mark.parametrize(
    ("options", "seen", "parents", "state"),
    [
        pytest.param({"parents": ["a", "b"]}, "DD", {"a": "DD", "b": "UU"}, V.DOWN, id="one alternative is left"),
        pytest.param({"parents": ["a", "b"]}, "DD", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="none is left"),
        pytest.param({"parent_groups": ["a|b", "c"]}, "DD", {"a": "DD", "b": "UU", "c": "UU"}, V.DOWN, id="one left of two"),
        pytest.param({"parent_groups": ["a|b", "c"]}, "DD", {"a": "DD", "b": "DD", "c": "UU"}, V.UNREACHABLE, id="one group"),
        pytest.param({"parent_groups": ["a|b", "c"]}, "DD", {"a": "UU", "b": "UU", "c": "DD"}, V.UNREACHABLE, id="the other group"),
        pytest.param({"parents": ["a", "b"], "parent_groups": ["c"]}, "DD", {"a": "DD", "b": "UU", "c": "DD"}, V.UNREACHABLE, id="a group beside the parents"),
        pytest.param({"parents": ["a", "b"], "parent_groups": ["c"]}, "DD", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="the parents beside a group not judged yet"),
        pytest.param({"parents": ["a"]}, "D?", {"a": "UD"}, V.UNREACHABLE, id="one path for all sites: the verdict on it counts"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"]}, "DD", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="both sites behind their own"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"]}, "DD", {"a": "DD", "b": "UU"}, V.DOWN, id="lyon is behind nothing that is down"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"]}, "DU", {"a": "DD", "b": "UU"}, V.UNREACHABLE, id="who sees it needs no excuse"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"]}, "D?", {"a": "DD", "b": "UU"}, V.UNREACHABLE, id="nor who does not look"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"]}, "UD", {"a": "DD", "b": "UU"}, V.DOWN, id="the other site's parent explains nothing"),
        pytest.param({"site_parents": ["paris:a"]}, "DU", {"a": "UD"}, V.DOWN, id="paris reaches its parent"),
        pytest.param({"site_parents": ["paris:a"]}, "DU", {"a": "?D"}, V.DOWN, id="paris does not see its parent"),
        pytest.param({"site_parents": ["paris:a"]}, "DU", {"a": "DU"}, V.UNREACHABLE, id="paris itself does not reach its parent"),
        pytest.param({"parents": ["c"], "site_parents": ["paris:a"]}, "DD", {"a": "DD", "c": "DD"}, V.UNREACHABLE, id="lyon behind the parents of all others"),
        pytest.param({"parents": ["c"], "site_parents": ["paris:-"]}, "DD", {"c": "DD"}, V.DOWN, id="paris is behind nothing"),
        pytest.param({"parents": ["c"], "site_parents": ["paris:-"]}, "?D", {"c": "DD"}, V.UNREACHABLE, id="and does not look"),
        pytest.param({"site_parents": ["paris:a|b", "paris:c"]}, "D?", {"a": "DD", "b": "UU", "c": "DD"}, V.UNREACHABLE, id="groups of one site"),
        pytest.param({"site_parents": ["paris:a|b", "paris:c"]}, "D?", {"a": "DD", "b": "UU", "c": "UU"}, V.DOWN, id="an alternative of one site"),
        pytest.param({"site_parents": ["paris:a"], "paused": True}, "DD", {"a": "DD"}, V.PAUSED, id="paused"),
        pytest.param({"site_parents": ["paris:a"]}, "UU", {"a": "DD"}, V.UP, id="it answers"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "majority"}, "DU", {"a": "DD", "b": "UU"}, V.PARTIAL, id="too few for the policy"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "majority"}, "DD", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="a majority, all explained"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "majority"}, "DD", {"a": "DD", "b": "UU"}, V.DOWN, id="a majority, one not explained"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "all"}, "DD", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="all, explained"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "all"}, "DU", {"a": "DD", "b": "DD"}, V.PARTIAL, id="not all"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "2"}, "DD", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="two, explained"),
        pytest.param({"site_parents": ["paris:a", "lyon:b"], "policy": "2"}, "D?", {"a": "DD", "b": "DD"}, V.UNREACHABLE, id="of two the one that looks"),
    ],
)  # fmt: skip
def test_what_is_behind_a_cut_is_unreachable(
    options: dict[str, Any], seen: str, parents: dict[str, str], state: VerdictState
) -> None:
    one = target(**{"policy": "any", **options})
    judged = {name: Parent(V.DOWN if "D" in views else V.UP, _views(views)) for name, views in parents.items()}
    votes = {site: Vote(state, "") for site, state in _views(seen).items()}
    assert decide(one, votes, judged).state is state


def _views(letters: str) -> dict[str, State]:
    states = {"U": State.UP, "D": State.DOWN, "?": State.UNKNOWN}
    return {site: states[letter] for site, letter in zip(("paris", "lyon"), letters, strict=True)}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"parents": ["a"]}, "every path goes through a, which is down"),
        ({"parents": ["a", "b"]}, "every path goes through a, b, which are down"),
        ({"parents": ["u"], "parent_groups": ["u|a", "b"]}, "every path goes through b, which is down"),
        ({"site_parents": ["paris:a", "lyon:a"]}, "every path goes through a, which is down"),
        (
            {"site_parents": ["paris:a", "lyon:a|b"]},
            "every path goes through what is down: a, b from lyon, a from paris",
        ),
    ],
)
def test_an_unreachable_verdict_says_what_it_is_behind_and_from_where(options: dict[str, Any], reason: str) -> None:
    judged = {"a": Parent(V.DOWN, _views("DD")), "b": Parent(V.UNREACHABLE, _views("DD")), "u": Parent(V.UP)}
    decision = decide(target(**options), {site: Vote(one, "") for site, one in _views("DD").items()}, judged)
    assert (decision.state, decision.code, decision.reason) == (V.UNREACHABLE, VerdictCode.PARENTS_DOWN, reason)


def test_a_partial_verdict_says_what_is_down_on_the_way() -> None:
    one = target(policy="all", site_parents=["paris:a|b", "lyon:u"])
    judged = {"a": Parent(V.DOWN, _views("DD")), "b": Parent(V.DOWN, _views("DD")), "u": Parent(V.UP, _views("UU"))}
    votes = {site: Vote(state, "") for site, state in _views("DU").items()}
    decision = decide(one, votes, judged)
    assert (decision.state, decision.reason) == (
        V.PARTIAL,
        "DOWN from paris, not from lyon; down on the way: a, b from paris",
    )


# -- circles


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        pytest.param({"a": {}, "b": {"parents": ["a"]}}, None, id="none"),
        pytest.param({"a": {"parents": ["a"]}}, Circle(("a", "a")), id="its own parent"),
        pytest.param({"a": {"parents": ["x", "b"]}, "b": {"parents": ["a"]}}, Circle(("a", "b", "a")), id="two"),
        pytest.param({"a": {"parent_groups": ["x|b"]}, "b": {"parents": ["a"]}}, Circle(("a", "b", "a")), id="through a group"),
        pytest.param({"a": {"site_parents": ["paris:a"]}}, Circle(("a", "a"), ("paris",)), id="its own from a site"),
        pytest.param(
            {"a": {"site_parents": ["paris:b"]}, "b": {"site_parents": ["paris:a"]}},
            Circle(("a", "b", "a"), ("paris",)),
            id="from one site",
        ),
        pytest.param(
            {"a": {"site_parents": ["paris:b"]}, "b": {"parents": ["a"]}}, Circle(("a", "b", "a"), ("paris",)), id="half of it from one site"
        ),
        pytest.param(
            {"a": {"parents": ["b"]}, "b": {"site_parents": ["paris:a", "lyon:-"]}}, Circle(("a", "b", "a"), ("paris",)), id="the other half"
        ),
        pytest.param(
            {"a": {"parents": ["b"], "site_parents": ["paris:-"]}, "b": {"parents": ["a"]}}, Circle(("a", "b", "a")), id="from all others"
        ),
        pytest.param(
            {"a": {"site_parents": ["paris:b"]}, "b": {"site_parents": ["lyon:a"]}}, None, id="a ring: behind each other from different sites"
        ),
        pytest.param(
            {"a": {"parents": ["b"], "site_parents": ["paris:-"]}, "b": {"site_parents": ["paris:a"]}}, None, id="a ring, said otherwise"
        ),
        pytest.param(
            {"a": {"parents": ["b"]}, "b": {"site_parents": ["paris:c"]}, "c": {"parents": ["d"]}, "d": {"site_parents": ["lyon:a"]}},
            Circle(("a", "b", "c", "d", "a"), ("lyon", "paris")),
            id="a ring that verdicts would close",
        ),
    ],
)  # fmt: skip
def test_circles(network: dict[str, dict[str, Any]], expected: Circle | None) -> None:
    targets = {name: target(name, **options) for name, options in network.items()}
    assert circle(targets, targets) == expected


NAMES = "abcdef"
SITES = ("paris", "lyon", "rome")
CASES = 300


def network(rng: random.Random) -> dict[str, Target]:
    """Targets behind each other as rings, trees and whatever is stored; every second one without circles from one site."""
    orders = {site: rng.sample(NAMES, len(NAMES)) for site in SITES}
    is_orderly = rng.random() < 0.5
    found = {}
    for name in NAMES:
        above = {site: order[: order.index(name)] for site, order in orders.items()}
        anywhere = [one for one in NAMES if all(one in each for each in above.values())]
        if not is_orderly:
            above, anywhere = {site: list(NAMES) for site in SITES}, list(NAMES)
        options: dict[str, Any] = {"policy": rng.choice(["any", "any", "majority", "all", "2"])}
        if rng.random() < 0.3:
            options["parents"] = _group(rng, anywhere)
        if rng.random() < 0.2:
            options["parent_groups"] = ["|".join(one) for _ in range(2) if (one := _group(rng, anywhere))]
        if rng.random() < 0.6:
            entries = [(site, _group(rng, above[site])) for site in rng.choices(SITES, k=3)]
            options["site_parents"] = [f"{site}:{'|'.join(one) or '-'}" for site, one in entries]
        if rng.random() < 0.3:
            options["sites"] = rng.sample(SITES, rng.randrange(1, 3))
        found[name] = target(name, **options)
    return found


def _group(rng: random.Random, names: list[str]) -> list[str]:
    return rng.sample(names, min(len(names), rng.choice([1, 1, 2])))


def said(rng: random.Random) -> list[tuple[str, str, State]]:
    """What sites come to see, one after the other: mostly that something is DOWN, so that rules meet."""
    likely = [State.DOWN] * rng.choice([1, 4]) + [State.UP, State.UNKNOWN]
    return [(rng.choice(SITES), rng.choice(NAMES), rng.choice(likely)) for _ in range(rng.randrange(60))]


@pytest.mark.parametrize("seed", range(5))
def test_parents_are_accepted_exactly_where_each_path_has_an_end(seed: int) -> None:
    rng = random.Random(seed)
    accepted = [_check_circle(network(rng)) for _ in range(CASES)]
    assert CASES // 5 < sum(accepted) < CASES


def _check_circle(targets: dict[str, Target]) -> bool:
    """Every place is a target as a site sees it; what has an end is taken away until nothing has."""
    sites = [*SITES, "any other"]
    steps = {
        (name, site): {
            (parent, seen) for parent in parents_from(one, site) for seen in ([site] if one.site_parents else sites)
        }
        for name, one in targets.items()
        for site in sites
    }
    alive = set(steps)
    while ends := {place for place in alive if not alive & steps[place]}:
        alive -= ends
    found = circle(targets, targets)
    assert bool(found) == bool(alive)
    if found:
        assert found.names[0] == found.names[-1]
        for child, parent in itertools.pairwise(found.names):
            assert parent in parents_of(targets[child])
    return found is None


# -- the judge, against a slow and obvious model


Seen = Mapping[tuple[str, str], State]


def model(targets: Mapping[str, Target], seen: Seen) -> dict[str, VerdictState]:
    """Every verdict from nothing but what is seen, with the words of the rule."""

    def votes(name: str) -> dict[str, State]:
        return {site: seen.get((site, name), State.UNKNOWN) for site in targets[name].sites or SITES}

    def is_lost(name: str) -> bool:
        looking = [one for one in votes(name).values() if one is not State.UNKNOWN]
        down = looking.count(State.DOWN)
        needed = {"any": 1, "majority": len(looking) // 2 + 1, "all": len(looking)}.get(targets[name].policy, 2)
        return down > 0 and down >= min(needed, len(looking))

    def blocks(parent: str, child: str, site: str) -> bool:
        is_seen_by_site = not targets[child].site_parents or votes(parent).get(site) is State.DOWN
        return is_lost(parent) and is_seen_by_site

    def groups(name: str, site: str) -> Iterator[list[str]]:
        one = targets[name]
        named = [entry.split(":")[1] for entry in one.site_parents if entry.split(":")[0] == site]
        if named:
            yield from (entry.split("|") for entry in named if entry != "-")
        else:
            if one.parents:
                yield one.parents
            yield from (entry.split("|") for entry in one.parent_groups)

    def state(name: str) -> VerdictState:
        by_site = votes(name)
        looking = {site: one for site, one in by_site.items() if one is not State.UNKNOWN}
        down = [site for site, one in looking.items() if one is State.DOWN]
        if not looking:
            return V.UNKNOWN
        if not is_lost(name):
            return V.PARTIAL if down else V.UP
        explained = all(
            any(all(blocks(parent, name, site) for parent in group) for group in groups(name, site)) for site in down
        )
        return V.UNREACHABLE if explained else V.DOWN

    return {name: state(name) for name in targets}


class Watch:
    """What the alerter does with what sites say, one after the other."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self.targets, self.seen = targets, dict[tuple[str, str], State]()
        self.verdicts: dict[str, Verdict] = {}
        self.agenda = Agenda()
        self.agenda.arrange(targets)
        self.agenda.add(targets)

    @property
    def views(self) -> Views:
        fit = {site: Standing(ProberPresence(site=site, online=True), is_current=True) for site in SITES}
        return Views(self.targets.get, self._state, fit, SITES, self.verdicts)

    def in_the_way(self, name: str) -> list[str]:
        return in_the_way(name, self.views)

    def sees(self, site: str, name: str, state: State) -> None:
        self.seen[site, name] = state
        self.agenda.add([name])

    def work(self, most: int = 1000) -> None:
        for _ in range(most):
            name = self.agenda.take()
            if name is None:
                return
            change = judge(name, self.views, T0)
            assert change.after is not None
            self.verdicts[name] = change.after
            self.agenda.add_behind(change)
        assert most < 1000, "it never comes to rest"

    def _state(self, site: str, name: str) -> SiteState | None:
        state = self.seen.get((site, name))
        if state is None:
            return None
        return SiteState(site=site, target=name, epoch=0, seq=0, state=state, since=T0, reason="", at=T0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 5))])
def test_the_judge_is_the_model_in_whatever_order_things_are_seen(seed: int) -> None:
    """With circles that were stored all the same. Some are judged before all has come, in slices of any size."""
    rng = random.Random(seed)
    states: Counter[VerdictState] = Counter()
    for _ in range(CASES):
        watch = Watch(network(rng))
        for one in said(rng):
            watch.sees(*one)
            watch.work(rng.randrange(3))
        watch.work()
        assert {name: one.state for name, one in watch.verdicts.items()} == model(watch.targets, watch.seen)
        states.update(one.state for one in watch.verdicts.values())
    assert min(states[one] for one in (V.UP, V.PARTIAL, V.DOWN, V.UNREACHABLE, V.UNKNOWN)) >= CASES // 10


@pytest.mark.parametrize("seed", range(5))
def test_what_is_unreachable_has_something_down_above_it(seed: int) -> None:
    """Nothing is lost in silence: whatever is not mailed itself lies behind what is, also in a ring."""
    rng = random.Random(seed)
    unreachable = 0
    for _ in range(CASES):
        targets = network(rng)
        if circle(targets, targets) is None:
            watch = Watch(targets)
            for one in said(rng):
                watch.sees(*one)
            watch.work()
            behind = [name for name, verdict in watch.verdicts.items() if verdict.state is V.UNREACHABLE]
            unreachable += len(behind)
            for name in behind:
                found = above([name], watch.in_the_way)
                assert any(watch.verdicts[one].state is V.DOWN for one in found), targets
    assert unreachable > CASES // 10
