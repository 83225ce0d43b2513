"""What the verdicts depend on, and which targets a change concerns."""

from __future__ import annotations

from typing import Any

import pytest

from noc_alerter.picture import Picture
from noc_bus.messages import ProberPresence, Site, SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.verdict import Decision
from tests.alerter.conftest import T0


@pytest.fixture
def picture() -> Picture:
    """Two targets, one behind the other, seen by two sites."""
    picture = Picture()
    put(picture, "router")
    put(picture, "server", parents=["router"])
    for site in ("north", "south"):
        picture.put_presence(ProberPresence(site=site, online=True), {"site": site})
    picture.take_dirty()
    return picture


def put(picture: Picture, name: str, **options: Any) -> None:
    picture.put_target(Target(id=name, name=name, address="192.0.2.1", **options), {"target": name})


def view(state: State, since_s: int, site: str = "north", target: str = "router") -> SiteState:
    since = Time(T0 + 1000 * since_s)
    return SiteState(site=site, target=target, epoch=1, seq=1, state=state, since=since, reason="seen", at=since)


def see(picture: Picture, state: State, since_s: int, site: str = "north", target: str = "router") -> None:
    picture.put_state(view(state, since_s, site, target), {"site": site, "target": target})


def test_a_view_concerns_its_target_only_once(picture: Picture) -> None:
    see(picture, State.UP, 1)
    see(picture, State.DOWN, 2)
    assert picture.take_dirty() == ["router"]
    assert picture.take_dirty() == []


def test_a_site_that_becomes_blind_or_sees_again_concerns_every_target(picture: Picture) -> None:
    picture.put_presence(ProberPresence(site="north", online=True, isolated=True), {"site": "north"})
    assert sorted(picture.take_dirty()) == ["router", "server"]
    picture.put_presence(ProberPresence(site="north", online=True, isolated=True, targets=7), {"site": "north"})
    assert picture.take_dirty() == []


def test_a_new_site_concerns_every_target_and_a_new_label_none(picture: Picture) -> None:
    picture.put_site(Site(id="east", label="East"), {"site": "east"})
    assert len(picture.take_dirty()) == 2
    picture.put_site(Site(id="east", label="Far East"), {"site": "east"})
    assert picture.take_dirty() == []
    picture.put_site(None, {"site": "east"})
    assert len(picture.take_dirty()) == 2


def test_parents_are_judged_before_what_is_behind_them(picture: Picture) -> None:
    see(picture, State.DOWN, 1, target="server")
    see(picture, State.DOWN, 1, target="router")
    assert picture.take_dirty() == ["router", "server"]


def test_a_parents_new_verdict_concerns_its_children(picture: Picture) -> None:
    picture.children_dirty("router")
    assert picture.take_dirty() == ["server"]


def test_what_is_behind_a_parent_that_is_down_is_unreachable(picture: Picture) -> None:
    for site in ("north", "south"):
        see(picture, State.DOWN, 1, site, "server")
    down = Verdict(target="router", state=VerdictState.DOWN, since=T0, reason="", sites={}, at=T0)
    picture.verdicts["router"] = down
    decision, _ = picture.decide(picture.targets["server"])
    assert decision.state is VerdictState.UNREACHABLE


def test_our_own_verdict_is_taken_from_the_broker_once(picture: Picture) -> None:
    first = Verdict(target="router", state=VerdictState.DOWN, since=T0, reason="old", sites={}, at=T0)
    picture.put_verdict(first, {"target": "router"})
    picture.put_verdict(
        Verdict(target="router", state=VerdictState.UP, since=T0, reason="", sites={}, at=T0), {"target": "router"}
    )
    assert picture.verdicts["router"] is first


@pytest.mark.parametrize(
    ("targets", "was_cleared", "all_heard", "is_removed"),
    [
        ([], False, True, False),
        (["other"], False, True, True),
        (["other"], False, False, False),
        ([], True, False, True),
        (["gone"], True, True, False),
    ],
    ids=[
        "a broker without any target has only forgotten",
        "there are others and it is not among them",
        "others are still coming in",
        "its topic was cleared",
        "it was put back",
    ],
)
def test_an_unknown_target_is_gone_only_where_that_is_sure(
    targets: list[str], was_cleared: bool, all_heard: bool, is_removed: bool
) -> None:
    picture = Picture()
    if was_cleared:
        picture.put_target(None, {"target": "gone"})
    for name in targets:
        put(picture, name)
    assert picture.is_removed("gone", all_heard=all_heard) is is_removed


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
        "nobody saw it begin",
        "it follows from the votes, not from one view",
    ],
)
def test_since_when_a_verdict_holds(
    picture: Picture, state: VerdictState, sites: dict[str, State], before_s: int, since_s: int
) -> None:
    see(picture, State.DOWN, 5, "north")
    see(picture, State.DOWN, 7, "south")
    before = Verdict(
        target="router", state=VerdictState.UP, since=Time(T0 + 1000 * before_s), reason="", sites={}, at=T0
    )
    since = picture.since("router", Decision(state, "", sites), before, Time(T0 + 20_000))
    assert since == T0 + 1000 * since_s


def test_a_verdict_never_holds_since_the_future(picture: Picture) -> None:
    see(picture, State.UP, 500)
    assert picture.since("router", Decision(VerdictState.UP, "", {"north": State.UP}), None, T0) == T0


def test_a_prober_not_heard_of_between_two_looks_is_offline(picture: Picture) -> None:
    picture.expire_presences()
    picture.put_presence(ProberPresence(site="south", online=True), {"site": "south"})
    picture.expire_presences()
    assert {site: one.online for site, one in picture.presences.items()} == {"north": False, "south": True}
    assert len(picture.take_dirty()) == 2
