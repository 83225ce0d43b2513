"""When two traces show one route, and what changed where they do not."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from noc_bus.messages import GoodPath, Hop, Router, Trace
from noc_bus.time import DAY_MS, Time
from noc_rules.routes import (
    Evidence,
    HopChange,
    broken_off,
    changed_hops,
    described,
    evidence,
    is_news,
    merged,
    route_changes,
    routers_at,
    same_route,
)

T0 = Time.parse("2026-11-24T12:00:00.000Z")
TARGET = "192.0.2.1"


def hops(path: str) -> list[Hop]:
    """`a b|c * T`: hop after hop, routers that answered at one hop with | between, * where none did, T the target."""
    found = []
    for ttl, word in enumerate(path.split(), 1):
        names = [] if word == "*" else [TARGET if one == "T" else one for one in word.split("|")]
        routers = [Router(address=one, rtts_ms=[1.0]) for one in names]
        found.append(Hop(ttl=ttl, address=names[0] if names else None, routers=routers))
    return found


def trace(path: str, day: float = 0, address: str = TARGET, site: str = "here") -> Trace:
    at = Time(T0 + round(day * DAY_MS))
    return Trace(site=site, target="web", address=address, at=at, reached="T" in path.split()[-1], hops=hops(path))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("a b T", "a b T", True, id="the same"),
        pytest.param("a b T", "a c T", False, id="another router at a hop"),
        pytest.param("a b T", "a * T", True, id="a router that did not answer this time"),
        pytest.param("* * T", "a b T", True, id="routers that did not answer before"),
        pytest.param("a b|c T", "a c T", True, id="one of those that share the load"),
        pytest.param("a b|c T", "a c|d T", True, id="they have one in common"),
        pytest.param("a b|c T", "a d|e T", True, id="the hop flutters in both"),
        pytest.param("a b|c T", "a d T", False, id="none of those that shared the load"),
        pytest.param("a b T", "a b x T", False, id="a hop more"),
        pytest.param("a * T", "a T", False, id="a hop less that was silent"),
        pytest.param("a b|T T", "a c T", False, id="two lengths, and another router"),
        pytest.param("a b T|c T", "a b T", True, id="two lengths, one of them the same"),
        pytest.param("a b T|c T", "a b c T", True, id="two lengths, the other one the same"),
        pytest.param("a b T", "a b", False, id="it broke off"),
        pytest.param("a b", "a b", True, id="it broke off at the same hop"),
        pytest.param("a b", "a", False, id="it broke off earlier"),
        pytest.param("a b * *", "a b", True, id="silence after the end is nothing"),
        pytest.param("* *", "*", True, id="nobody answered at all"),
    ],
)  # fmt: skip
def test_paths_are_one_route_by_hop_overlap(one: str, other: str, same: bool) -> None:
    assert same_route(trace(one), trace(other)) is same
    assert same_route(trace(other), trace(one)) is same


def test_a_path_to_another_address_of_a_name_is_no_change() -> None:
    other = trace("x y T", 1, address="192.0.2.1")
    elsewhere = Trace(
        site="here", target="web", address="198.51.100.7", at=T0, reached=True,
        hops=[Hop(ttl=1, address="x"), Hop(ttl=2, address="198.51.100.7")],
    )  # fmt: skip
    assert not same_route(elsewhere, other)
    stored = [trace("a b T"), elsewhere]
    assert not is_news(stored, trace("a b T", 2))
    assert is_news(stored, trace("a c T", 2))
    assert route_changes([*stored, trace("a b T", 2)]) == []


@pytest.mark.parametrize(
    ("stored", "found", "news"),
    [
        pytest.param([], trace("a T"), True, id="the first"),
        pytest.param([trace("a T")], trace("a T", 1), False, id="the same"),
        pytest.param([trace("a T")], trace("a T"), False, id="said again"),
        pytest.param([trace("a T"), trace("b T", 2)], trace("a T", 3), True, id="back again"),
        pytest.param([trace("a T"), trace("b T", 2)], trace("a T", 1), False, id="late, before a change"),
        pytest.param([trace("a T"), trace("a", 1)], trace("a T", 2), True, id="whole again"),
    ],
)  # fmt: skip
def test_what_is_to_be_stored(stored: list[Trace], found: Trace, news: bool) -> None:
    assert is_news(stored, found) is news


def test_changes_are_those_between_whole_paths_of_one_site() -> None:
    traces = [
        trace("a b T", 0), trace("a", 1), trace("a c T", 2), trace("a b T", 0.5, site="there"), trace("* * x T", 3),
    ]  # fmt: skip
    first, second = route_changes(reversed(traces))
    assert (first.site, first.before_at, first.at) == ("here", T0, T0 + 2 * DAY_MS)
    assert first.hops == (HopChange(2, ("b",), ("c",)),)
    assert described(first) == "here: hop 2 is c (was b)"
    assert described(first, {"c": "core.example"}) == "here: hop 2 is core.example (was b)"
    assert second.hops == (HopChange(3, (TARGET,), ("x",)),)
    (longer,) = route_changes([trace("a * T"), trace("a T", 1)])
    assert longer.hops == (HopChange(2, (), (TARGET,)),)
    assert described(longer) == "here: hop 2 is 192.0.2.1 (was silent)"


@pytest.mark.parametrize(
    ("path", "good", "sentence"),
    [
        pytest.param("a b", None, "here: the path breaks off after hop 2, b", id="nothing known before"),
        pytest.param("a b *", "a b c T", "here: the path breaks off after hop 2, b; hop 3 was c", id="the next hop"),
        pytest.param("a x", "a b c T", "here: the path breaks off after hop 2, x; hop 2 was b", id="elsewhere"),
        pytest.param("a x c", "a b c T", "here: the path breaks off after hop 3, c; hop 2 is x and was b", id="before that"),
        pytest.param("* *", "a T", "here: the path breaks off at once; hop 1 was a", id="at our own door"),
        pytest.param("a", "b|a c|d T", "here: the path breaks off after hop 1, a; hop 2 was c, d", id="load is shared"),
    ],
)  # fmt: skip
def test_where_a_path_broke_off_is_said(path: str, good: str | None, sentence: str) -> None:
    last = None if good is None else GoodPath(at=T0, address=TARGET, hops=hops(good))
    assert broken_off(replace(trace(path, 1), last_good=last)) == sentence


def test_what_traces_say_of_an_outage() -> None:
    old, whole, elsewhere = trace("a b T", 0), trace("a c T", 1), trace("x T", 1, site="there")
    broken = trace("a", 2)
    former, later = trace("a", 0.5), trace("a b T", 3)
    stored = [later, old, whole, broken, elsewhere, former]
    assert evidence(stored, broken.at - 60_000, broken.at + 60_000) == [
        Evidence("here", broken, whole),
        Evidence("there", None, elsewhere),
    ]
    assert evidence(stored, later.at - 60_000, later.at + 60_000)[0] == Evidence("here", None, later)


def test_traces_put_together_have_all_routers_and_the_bus_takes_them() -> None:
    together = merged([hops("a b T"), hops("a c * T"), hops("a b T"), hops("a *")])
    assert routers_at(together) == {
        1: frozenset("a"), 2: frozenset("bc"), 3: frozenset({TARGET}), 4: frozenset({TARGET}),
    }  # fmt: skip
    assert [hop.ttl for hop in together] == [1, 2, 3, 4]
    assert together[1].routers is not None
    assert [len(one.rtts_ms) for one in together[1].routers] == [2, 1]
    many = merged([hops("a " + "|".join(f"r{number}" for number in range(12)) + " T") for _ in range(12)])
    assert many[1].routers is not None
    assert len(many[1].routers) == 10
    assert max(len(one.rtts_ms) for one in many[1].routers) == 10


def test_of_a_path_by_routers_that_share_the_load_three_traces_are_stored_in_a_year_at_most() -> None:
    """Two hops of four routers each that answer three of four times, by chance, looked at as a site does."""
    chance = random.Random(6)

    def looked() -> list[Hop]:
        path = ["a"]
        for hop in ("b", "c"):
            answered = {f"{hop}{chance.randrange(4)}" for _ in range(3) if chance.random() < 0.75}
            path.append("|".join(sorted(answered)) or "*")
        return hops(" ".join([*path, "T"]))

    stored: list[Trace] = []
    for day in range(365):
        path = looked()
        if stored and changed_hops(stored[-1].hops, path):
            # What a site does before it believes in a change.
            path = merged([path, *(looked() for _ in range(4))])
        found = Trace(site="here", target="web", address=TARGET, at=Time(T0 + day * DAY_MS), reached=True, hops=path)
        if is_news(stored, found):
            stored.append(found)
    assert len(stored) <= 3
    assert same_route(GoodPath(at=T0, address=TARGET, hops=stored[-1].hops), stored[-1])
