"""One outage, one incident, one mail: who is part of which incident, and when people are told.

A plant of targets and sites is judged and grouped as the alerter does it, by a clock that the test turns.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from noc_bus.messages import (
    Acknowledgement,
    Incident,
    Member,
    ProberPresence,
    SiteState,
    State,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.time import Time
from noc_rules import grouping
from noc_rules.cases import CHANGES_EVERY_S, MASS_TARGETS, SETTLES_S, Board, Case, Draft, Notice
from noc_rules.correlate import UNRESOLVABLE_AFTER_S, Why, of_acknowledgement
from noc_rules.grouping import AT_ONCE_S, Falls, World
from noc_rules.judge import Agenda, VerdictChange, Views, in_the_way, judge
from noc_rules.maintenance import Covers
from noc_rules.muting import Quiet
from noc_rules.verdict import NO_ADDRESS, Standing
from tests.parts.examples import up_to

LOUD = Quiet(Covers(()), lambda name: None, lambda name: (), lambda name, since: True)
"""Nothing is muted."""

T0 = Time.parse("2026-11-24T12:00:00.000Z")
WAIT_S = 15.0


class Mail(NamedTuple):
    """What was mailed of an incident, and whom it named as part of it then."""

    notice: Notice
    incident: Incident
    named: set[str]
    at_s: float
    is_urgent: bool


class Plant:
    def __init__(self, wait_s: float = WAIT_S, sites: Iterable[str] = ("north",)) -> None:
        self.wait_s = wait_s
        self.now_s = 1000.0
        self.targets: dict[str, Target] = {}
        self.states: dict[tuple[str, str], SiteState] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.standings = {one: Standing(ProberPresence(site=one, online=True), is_current=True) for one in sites}
        self.agenda = Agenda()
        self.falls = Falls()
        self.board = Board()
        self.mails: list[Mail] = []
        self.ended: list[Case] = []
        self.whys: list[Why] = []

    @property
    def now(self) -> Time:
        return Time(T0 + round((self.now_s - 1000) * 1000))

    def have(self, *names: str, **options: Any) -> None:
        """Targets that answer."""
        for name in names:
            self.targets[name] = Target(**{"id": name, "name": name, "address": "192.0.2.1", **options})
        self.agenda.arrange(self.targets)
        self.see(State.UP, *names)
        self.tick()

    def see(self, state: State, *names: str, sites: Iterable[str] = (), code: str | None = None) -> None:
        for name in names:
            for site in sites or self.standings:
                self.states[site, name] = SiteState(
                    site=site, target=name, epoch=0, seq=0, state=state, since=self.now, reason="5 checks unanswered",
                    code=code, at=self.now,
                )  # fmt: skip
        self.agenda.add(names)

    def passes(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += 1.0
            self.tick()

    def tick(self) -> None:
        draft = Draft(self.board)
        grouping.of_verdicts(draft, self._judged(), self.world, self.now, self.now_s)
        grouping.of_returning(draft, self.world, self.now, self.now_s)
        grouping.of_flapping(draft, self.now, self.now_s)
        grouping.tell_what_is_due(draft, self.now_s, LOUD, self.now)
        self._take(draft)
        self._check()

    def _take(self, draft: Draft) -> None:
        for case in draft.touched:
            case.incident = case.shown()
            self.whys += [entry.why for entry in case.entries]
            self.mails += [
                Mail(notice, case.incident, set(case.open), self.now_s, case.is_urgent) for notice in case.notices
            ]
            self.ended += [case] if case.is_over else []
        draft.settle()

    def _judged(self) -> list[VerdictChange]:
        changes = []
        while (name := self.agenda.take()) is not None:
            change = judge(name, self.views, self.now)
            if change.after is None:
                self.verdicts.pop(name, None)
            else:
                self.verdicts[name] = change.after
            self.agenda.add_behind(change)
            changes.append(change)
        return changes

    def say(self, name: str, state: VerdictState | None, *, since: Time | None = None) -> None:
        """A verdict as it comes, whatever the sites see; None: the target was removed."""
        verdict = (
            Verdict(target=name, state=state, since=since or self.now, reason="so", sites={}, at=self.now)
            if state
            else None
        )
        change = VerdictChange(name, self.targets[name] if state else None, None, verdict)
        draft = Draft(self.board)
        grouping.of_verdicts(draft, [change], self.world, self.now, self.now_s)
        self._take(draft)

    def acknowledge(self, **fields: Any) -> None:
        """Somebody takes on what is open, or takes that back; or it is looked at whether they still have it."""
        draft = Draft(self.board)
        for case in draft:
            said = Acknowledgement(**{"incident": case.id, "by": "ada", "at": T0, **fields})
            step = of_acknowledgement(case.incident, case.abouts, said, self.now)
            if step:
                draft.take(step, self.now_s)
        self._take(draft)

    @property
    def views(self) -> Views:
        return Views(
            target=self.targets.get, state=lambda site, name: self.states.get((site, name)), standings=self.standings,
            sites=tuple(self.standings), verdicts=self.verdicts,
        )  # fmt: skip

    @property
    def world(self) -> World:
        return World(
            self.falls, self._seen, self.agenda.children, lambda name: in_the_way(name, self.views), self.wait_s
        )

    def _seen(self, site: str) -> int:
        return sum(one == site and state.state is State.UP for (one, _), state in self.states.items())

    def _check(self) -> None:
        """What must hold at every moment."""
        parts = [(about, case.id) for case in self.board.cases.values() for about in case.abouts]
        assert dict(parts) == self.board.by_about
        assert len(parts) == len(dict(parts)), "nothing has two incidents"
        for case in self.board.cases.values():
            assert case.open, "an incident that nothing is part of is over"
            assert len(case.incident.members) <= 200
            assert (case.incident.total_members, case.incident.open_members) == (len(case.members), len(case.open))

    # -- what came of it

    @property
    def open(self) -> list[Incident]:
        return [case.incident for case in self.board.cases.values()]

    def told(self, notice: Notice = Notice.OPENED) -> list[Mail]:
        return [mail for mail in self.mails if mail.notice is notice]


V = VerdictState


@pytest.mark.parametrize(
    ("state", "while_closed", "while_open", "while_unresolvable"),
    [
        (V.UP, [], [Why.TARGET_RECOVERED], [Why.NAME_RESOLVED]),
        (V.DEGRADED, [], [Why.TARGET_RECOVERED], [Why.NAME_RESOLVED]),
        (V.PARTIAL, [], [Why.COMING_BACK], [Why.NAME_RESOLVED]),
        (V.DOWN, [Why.TARGET_WENT_DOWN], [], [Why.NAME_RESOLVED, Why.TARGET_WENT_DOWN]),
        (V.UNREACHABLE, [], [], [Why.NAME_RESOLVED]),
        (V.UNKNOWN, [], [], []),
        (V.MAINTENANCE, [], [], []),
        (V.PAUSED, [], [Why.TARGET_PAUSED], [Why.TARGET_PAUSED]),
        (None, [], [Why.TARGET_REMOVED], [Why.TARGET_REMOVED]),
    ],
)
def test_only_down_opens_and_only_what_proves_an_end_closes(
    state: VerdictState | None, while_closed: list[Why], while_open: list[Why], while_unresolvable: list[Why]
) -> None:
    for kind, expected in (
        (None, while_closed),
        ("target-down", while_open),
        ("from-a-newer-version", while_open),
        ("target-unresolvable", while_unresolvable),
    ):
        plant = Plant()
        plant.have("router")
        if kind:
            member = Member(target="router", name="Router", joined_at=T0)
            one = Incident(id="i", kind=kind, targets=["router"], opened_at=T0, cause="x")
            plant.board.put(Case(one, members={"router": member}, open={"router"}, told={"router"}, is_told=True))
        plant.say("router", state)
        assert plant.whys == expected, kind


def test_an_incident_keeps_what_it_was_about_when_it_opened() -> None:
    plant = Plant()
    plant.have("router", name="Router", group="core", critical=True)
    plant.say("router", V.DOWN)
    (opened,) = plant.open
    (member,) = opened.members
    assert (member.target, member.name, member.address, member.group, member.critical, member.state) == (
        "router", "Router", "192.0.2.1", "core", True, "DOWN",
    )  # fmt: skip
    assert (opened.code, opened.total_members, opened.severity) == ("down", 1, "critical")
    plant.say("router", None)
    (ended,) = plant.ended
    assert (ended.incident.members[0].name, ended.incident.resolved_at) == ("Router", plant.now)


@pytest.mark.parametrize(
    ("state", "since_s", "ended_s"), [(V.UP, 30, 30), (V.DEGRADED, 30, 30), (V.PARTIAL, 30, 30), (V.UP, -30, 0)]
)
def test_an_outage_ends_when_the_target_was_seen_to_answer_and_never_before_it_started(
    state: VerdictState, since_s: int, ended_s: int
) -> None:
    plant = Plant()
    plant.have("router")
    plant.say("router", V.DOWN)
    plant.now_s += 60
    plant.say("router", state, since=Time(T0 + since_s * 1000))
    plant.passes(WAIT_S)
    assert plant.ended[0].incident.resolved_at == T0 + ended_s * 1000


def behind(plant: Plant, children: int, **options: Any) -> list[str]:
    """A router, and so many targets behind it; and others, so that a site does not lose most of what it sees."""
    plant.have("router", group="core")
    names = [f"child-{number}" for number in range(children)]
    plant.have(*names, parents=["router"], **options)
    plant.have(*[f"other-{number}" for number in range(3 * children)], group="elsewhere")
    return names


@pytest.mark.parametrize("order", ["router first", "children first", "mixed", "one child a second"])
@pytest.mark.parametrize(
    ("group", "children"), [pytest.param("", 200, marks=pytest.mark.thorough), ("core", 30), ("each its own", 30)]
)
def test_a_router_and_its_children_are_one_mail_in_any_order(order: str, group: str, children: int) -> None:
    plant = Plant()
    names = behind(plant, children)
    for number, name in enumerate(names):
        plant.have(name, parents=["router"], group=f"rack-{number}" if group == "each its own" else group)
    if order == "router first":
        falling = ["router", *names]
    elif order == "children first":
        falling = [*names, "router"]
    else:
        falling = random.Random(7).sample(["router", *names], children + 1)
    for place, name in enumerate(falling):
        plant.see(State.DOWN, name)
        if order == "one child a second" and place < 10:
            plant.passes(1)
    plant.passes(60)
    (mail,) = plant.mails
    assert (mail.notice, mail.incident.open_members) == (Notice.OPENED, children + 1)
    assert len(mail.incident.members) == min(200, children + 1)
    assert mail.incident.members[0].target == "router"
    assert mail.incident.kind == "target-down"
    assert {one.behind for one in mail.incident.members[1:]} == {"router"}
    plant.see(State.UP, *falling)
    plant.passes(60)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED]
    assert plant.open == []


@settings(max_examples=up_to(30), deadline=None)
@given(st.permutations(["a", "b", "c", "d", "e", "f"]), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_a_chain_of_parents_is_exactly_one_mail_in_any_order(order: list[str], pauses_s: list[int]) -> None:
    """a is behind nothing, b behind a, c behind b, and d, e, f side by side behind c."""
    plant = Plant()
    for name, parents in (("a", []), ("b", ["a"]), ("c", ["b"]), ("d", ["c"]), ("e", ["c"]), ("f", ["c"])):
        plant.have(name, parents=parents, group=name)
    for name, pause_s in zip(order, pauses_s, strict=True):
        plant.see(State.DOWN, name)
        plant.passes(pause_s)
    plant.passes(60)
    (mail,) = plant.mails
    assert mail.named == set("abcdef")
    assert mail.incident.members[0].target == "a"
    assert len(plant.open) == 1


@st.composite
def trees(draw: st.DrawFn) -> dict[str, list[str]]:
    """The parents of each, the top first: one or two of those before it."""
    size = draw(st.integers(2, 12))
    found: dict[str, list[str]] = {"t0": []}
    for number in range(1, size):
        nearest = draw(st.booleans())
        above = (
            [number - 1] if nearest else draw(st.lists(st.integers(0, number - 1), min_size=1, max_size=2, unique=True))
        )
        found[f"t{number}"] = [f"t{one}" for one in above]
    return found


@settings(max_examples=up_to(60), deadline=None)
@example({f"t{number}": [f"t{number - 1}"] if number else [] for number in range(8)}, random.Random(2), False)
@given(trees(), st.randoms(use_true_random=False), st.booleans())
def test_whatever_lies_behind_whatever_is_one_mail_in_any_order_and_says_which_one_it_lies_behind(
    parents: dict[str, list[str]], draw: random.Random, one_at_a_time: bool
) -> None:
    """And so is what stays DOWN when the top is back."""
    plant = Plant()
    for name, above in parents.items():
        plant.have(name, parents=above, group=name)
    for name in draw.sample(list(parents), len(parents)):
        plant.see(State.DOWN, name)
        if one_at_a_time or draw.random() < 0.5:
            plant.passes(1)
    plant.passes(30)
    (mail,) = plant.mails
    assert mail.named == {*parents}
    (incident,) = plant.open
    assert {one.target: one.behind for one in incident.members} == {
        name: "t0" if name != "t0" else None for name in parents
    }
    plant.see(State.UP, "t0")
    plant.passes(60)
    (incident,) = plant.open
    for one in incident.members:
        if one.left_at is None:
            is_next = "t0" in parents[one.target]
            assert (one.state == V.DOWN, one.behind is None) == (is_next, is_next), one.target
            assert one.behind != "t0"
    plant.see(State.UP, *parents)
    plant.passes(60)
    assert plant.open == []
    assert len({one.incident.id for one in plant.mails}) == 1


TWO_SITES = ("north", "south")


def paths(rng: random.Random) -> dict[str, dict[str, Any]]:
    """Targets with some of those before them above, in every way of saying so."""
    found: dict[str, dict[str, Any]] = {"t0": {}}
    for number in range(1, rng.randrange(2, 10)):
        one, other, third = (
            "|".join(sorted({f"t{rng.randrange(max(0, number - 4), number)}" for _ in range(rng.choice([1, 2]))}))
            for _ in range(3)
        )
        ways: list[dict[str, Any]] = [
            {"parents": one.split("|")},
            {"parent_groups": [one, other]},
            {"parents": one.split("|"), "parent_groups": [other]},
            {"site_parents": [f"north:{one}", f"south:{other}"]},
            {"parents": one.split("|"), "site_parents": [f"south:{other}", f"south:{third}"]},
        ]
        found[f"t{number}"] = rng.choice(ways) | {"policy": rng.choice(["any", "majority", "all"])}
    return found


def test_whatever_lies_behind_whatever_from_whichever_site_is_one_mail_in_any_order(is_long: bool) -> None:
    """And says what each lies behind, also when the top is back and the rest is not."""
    for number in range(2000 if is_long else 60):
        rng = random.Random(number)
        plant, options = Plant(sites=TWO_SITES), paths(rng)
        for name, each in options.items():
            plant.have(name, group=name, **each)
        falls = [(site, name) for site in TWO_SITES for name in options]
        for site, name in rng.sample(falls, len(falls)):
            plant.see(State.DOWN, name, sites=[site])
            if rng.random() < 0.6:
                plant.passes(0.5)
        plant.passes(30)
        (mail,) = plant.mails
        assert mail.named == {*options}, number
        (incident,) = plant.open
        assert {one.behind for one in incident.members} == {None, "t0"}, number
        for site in rng.sample(TWO_SITES, 2):
            plant.see(State.UP, "t0", sites=[site])
            plant.passes(1)
        plant.passes(60)
        (incident,) = plant.open
        still = {one.target: one for one in incident.members if one.left_at is None}
        assert still.keys() == options.keys() - {"t0"}, number
        for one in still.values():
            assert one.state == plant.verdicts[one.target].state, number
            assert (one.behind is None) == (one.state == V.DOWN), number
            assert one.behind is None or still[one.behind].state == V.DOWN, number
        plant.see(State.UP, *options)
        plant.passes(60)
        assert plant.open == [], number
        assert len({one.incident.id for one in plant.mails}) == 1, number


def test_what_lies_behind_two_things_stays_with_the_one_that_is_still_down() -> None:
    plant = Plant()
    plant.have("core-1", "core-2", group="core")
    plant.have("firewall", group="security")
    plant.have("web", group="servers", parents=["core-1", "core-2"], parent_groups=["firewall"])
    plant.see(State.DOWN, "core-1")
    plant.passes(60)
    plant.see(State.DOWN, "firewall", "web")
    plant.passes(60)
    by_root = {case.incident.targets[0]: case.incident for case in plant.board.cases.values()}
    assert [one.target for one in by_root["firewall"].members] == ["firewall", "web"]
    assert [one.target for one in by_root["core-1"].members] == ["core-1"], "the other way is open"
    plant.see(State.DOWN, "core-2")
    plant.passes(60)
    assert "web" in plant.board.cases[by_root["firewall"].id].open, "it stays where it is"
    plant.see(State.UP, "firewall")
    plant.passes(60)
    web = {one.id: member for one in plant.open for member in one.members if member.target == "web"}
    assert [(one.state, one.behind) for one in web.values()] == [(V.UNREACHABLE, "core-1")]
    assert by_root["core-1"].id in web


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_ring_that_is_cut_in_the_middle_is_one_mail_that_names_both_ends(first: str) -> None:
    """north — a — b — south: each end is behind the other from the far side, and neither excuses the other."""
    plant = Plant(sites=TWO_SITES)
    plant.have("a", group="a", site_parents=["south:b"], policy="any")
    plant.have("b", group="b", site_parents=["north:a"], policy="any")
    plant.have("web", group="web", site_parents=["north:a", "south:b"], policy="all")
    lost = [("a", "south"), ("b", "north")]
    for name, site in lost if first == "a" else reversed(lost):
        plant.see(State.DOWN, name, sites=[site])
        plant.passes(2)
    plant.passes(60)
    (mail,) = plant.mails
    assert mail.named == {"a", "b"}
    assert {plant.verdicts[name].state for name in "ab"} == {V.DOWN}
    plant.see(State.DOWN, "a", "b", "web")
    plant.passes(60)
    (incident,) = plant.open
    assert {one.target: (one.state, one.behind) for one in incident.members} == {
        "a": (V.DOWN, None), "b": (V.DOWN, None), "web": (V.UNREACHABLE, "a"),
    }  # fmt: skip


def test_a_router_that_is_back_with_three_still_dead_is_one_mail_that_names_the_three() -> None:
    plant = Plant()
    names = behind(plant, 200)
    plant.see(State.DOWN, "router", *names)
    plant.passes(60)
    plant.see(State.UP, "router")
    plant.passes(1)
    for place, name in enumerate(names[3:]):
        plant.see(State.UP, name)
        if place % 20 == 0:
            plant.passes(1)
    plant.passes(SETTLES_S + 2)
    opened, changed = plant.mails
    assert (changed.notice, changed.named, changed.incident.id) == (Notice.CHANGED, set(names[:3]), opened.incident.id)
    assert [one.target for one in changed.incident.members[:3]] == sorted(names[:3])
    plant.passes(1000)
    assert len(plant.mails) == 2
    plant.see(State.UP, *names[:3])
    plant.passes(2)
    assert plant.mails[-1].notice is Notice.RESOLVED
    assert plant.open == []


def test_ten_targets_of_one_group_silenced_together_are_one_mail_and_one_more_when_they_are_back() -> None:
    plant = Plant()
    names = [f"t{number}" for number in range(10)]
    plant.have(*names, group="shop")
    for name in names:
        plant.see(State.DOWN, name)
        plant.passes(1)
    plant.passes(20)
    (mail,) = plant.mails
    assert mail.named == set(names)
    assert mail.at_s - 1001 == pytest.approx(WAIT_S, abs=1)
    for name in names:
        plant.see(State.UP, name)
        plant.passes(2)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED]


@pytest.mark.parametrize(
    ("first", "second", "apart_s", "incidents"),
    [
        pytest.param({"group": "a"}, {"group": "a"}, 10, 1, id="one group"),
        pytest.param({"group": "a"}, {"group": "b"}, 0, 2, id="two groups"),
        pytest.param({"group": "a", "parents": ["p"]}, {"group": "b", "parents": ["p"]}, 5, 1, id="one parent, which answers"),
        pytest.param({"group": "a"}, {"group": "a"}, 20, 2, id="the window is over"),
        pytest.param({}, {}, 5, 1, id="no group is a group"),
        pytest.param({"critical": True}, {}, 1, 1, id="with a critical one that is not mailed yet"),
        pytest.param({"critical": True}, {}, 5, 2, id="after a critical one, which does not wait"),
        pytest.param({}, {"critical": True}, 5, 1, id="a critical one takes with it what waits"),
        pytest.param({"critical": True}, {"critical": True}, 1, 1, id="two critical ones within two seconds"),
        pytest.param({"critical": True}, {"critical": True}, 4, 2, id="two critical ones further apart"),
    ],
)  # fmt: skip
def test_what_goes_down_together_and_has_something_in_common_is_one(
    first: dict[str, Any], second: dict[str, Any], apart_s: float, incidents: int
) -> None:
    plant = Plant()
    plant.have("p", group="parents")
    plant.have("one", **first)
    plant.have("two", **second)
    plant.see(State.DOWN, "one")
    plant.passes(apart_s)
    plant.see(State.DOWN, "two")
    plant.passes(40)
    assert (len(plant.open), len(plant.mails)) == (incidents, incidents)


@pytest.mark.parametrize("order", [("one", "two", "both"), ("both", "one", "two"), ("two", "both", "one")])
def test_two_that_turn_out_to_be_one_are_one(order: tuple[str, ...]) -> None:
    plant = Plant()
    plant.have("p", group="parents")
    plant.have("one", group="a", parents=["p"])
    plant.have("two", group="b")
    plant.have("both", group="b", parents=["p"])
    for name in order:
        plant.see(State.DOWN, name)
        plant.passes(1)
    plant.passes(40)
    (mail,) = plant.mails
    assert mail.named == {"one", "two", "both"}


@pytest.mark.parametrize(
    ("critical", "wait_s", "after_s"), [(False, 15, 15), (True, 15, 2), (False, 0, 0), (True, 0, 0)]
)
def test_a_mail_waits_for_the_window_and_a_critical_one_two_seconds_at_most(
    critical: bool, wait_s: float, after_s: float
) -> None:
    plant = Plant(wait_s)
    plant.have("one", critical=critical)
    plant.see(State.DOWN, "one")
    at_s = plant.now_s + 1
    plant.passes(30)
    (mail,) = plant.mails
    assert (mail.at_s - at_s, mail.is_urgent) == (after_s, critical)


def test_an_outage_that_is_over_before_anybody_was_told_is_one_mail() -> None:
    plant = Plant()
    plant.have("one")
    plant.see(State.DOWN, "one")
    plant.passes(5)
    plant.see(State.UP, "one")
    plant.passes(60)
    assert [one.notice for one in plant.mails] == [Notice.RESOLVED]


SITES = ("north", "south", "west")


@pytest.mark.parametrize(
    ("policy", "apart_s", "after_s", "state", "still_down"),
    [
        ("any", 1, 2, V.UP, ""),
        ("any", 5, 10, V.UP, ""),
        ("any", 20, 40, V.UP, ""),
        ("majority", 1, 2, V.UP, ""),
        ("majority", 5, 10, V.UP, ""),
        ("majority", 20, 20 + WAIT_S, V.PARTIAL, "west"),
        ("2", 14, 28, V.UP, ""),
        ("2", 16, 16 + WAIT_S, V.PARTIAL, "west"),
        ("all", 1, 2, V.UP, ""),
        ("all", 5, 10, V.UP, ""),
        ("all", 10, WAIT_S, V.PARTIAL, "west"),
        ("all", 20, WAIT_S, V.PARTIAL, "south, west"),
    ],
)
def test_the_mail_of_an_end_says_what_all_sites_see_a_moment_after_the_first_saw_it(
    policy: str, apart_s: int, after_s: float, state: VerdictState, still_down: str
) -> None:
    plant = Plant(sites=SITES)
    plant.have("one", policy=policy)
    plant.see(State.DOWN, "one")
    plant.passes(60)
    began_s = plant.now_s
    for number, site in enumerate(SITES):
        plant.see(State.UP, "one", sites=[site])
        plant.tick()
        plant.passes(apart_s if number < 2 else 60)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED]
    (ended,) = plant.ended
    assert (plant.mails[1].at_s - began_s, ended.state) == (after_s, state)
    if still_down:
        assert ended.text.startswith(f"PARTIAL: DOWN from {still_down}, not from ")
    # Until the last site reached it; where one still does not, until the first that made it PARTIAL did.
    over_s = (after_s - WAIT_S) if still_down else after_s
    assert ended.incident.resolved_at == T0 + (began_s - 1000 + over_s) * 1000


def reached_again_by_north(after_s: int, wait_s: float = WAIT_S, **options: Any) -> Plant:
    """DOWN from everywhere for so long; then it is seen by the first of three sites, of which all are to call it DOWN."""
    plant = Plant(wait_s=wait_s, sites=SITES)
    plant.have("one", policy="all", **options)
    plant.see(State.DOWN, "one")
    plant.passes(after_s)
    plant.see(State.UP, "one", sites=["north"])
    return plant


def test_where_nothing_is_gathered_no_site_is_waited_for() -> None:
    plant = reached_again_by_north(5, wait_s=0)
    plant.tick()
    assert [(one.state, one.why) for one in plant.ended] == [(V.PARTIAL, Why.TARGET_RECOVERED)]


def test_the_other_sites_are_waited_for_no_longer_than_fifteen_seconds_however_long_outages_are_gathered() -> None:
    plant = reached_again_by_north(400, wait_s=300)
    plant.tick()
    plant.passes(14)
    assert plant.told(Notice.RESOLVED) == []
    plant.passes(1)
    assert len(plant.told(Notice.RESOLVED)) == 1


@pytest.mark.parametrize("is_told", [True, False])
def test_what_is_down_again_before_all_sites_saw_it_was_not_over(is_told: bool) -> None:
    plant = reached_again_by_north(20 if is_told else 10, flap_after=None)
    plant.passes(10)
    # Nobody is mailed that it is DOWN while it comes back.
    assert [one.notice for one in plant.mails] == [Notice.OPENED] * is_told
    plant.see(State.DOWN, "one")
    plant.passes(60)
    assert [one.notice for one in plant.mails] == [Notice.OPENED]
    assert Why.COMING_BACK in plant.whys
    assert Why.MEMBER_AGAIN in plant.whys
    assert [one.open_members for one in plant.open] == [1]


def test_what_comes_back_before_anybody_was_told_is_one_mail_that_says_how_it_is() -> None:
    plant = reached_again_by_north(10)
    plant.passes(10)
    plant.see(State.UP, "one")
    plant.passes(60)
    assert [one.notice for one in plant.mails] == [Notice.RESOLVED]
    assert [one.state for one in plant.ended] == [V.UP]


@pytest.mark.parametrize(("after_s", "kinds"), [(10, ["target-down"]), (40, ["target-down", "target-partial"])])
def test_partial_is_an_incident_of_its_own_only_where_it_stays_so(after_s: int, kinds: list[str]) -> None:
    plant = Plant(sites=SITES)
    plant.have("one", mail_partial=True, flap_after=None)
    plant.see(State.DOWN, "one")
    plant.passes(60)
    plant.see(State.UP, "one", sites=["north", "south"])
    plant.passes(after_s)
    plant.see(State.UP, "one")
    plant.passes(60)
    assert [one.incident.kind for one in plant.ended] == kinds
    assert len(plant.mails) == 2 * len(kinds)


def test_a_target_that_is_removed_or_cannot_be_seen_is_not_waited_for() -> None:
    plant = Plant(sites=SITES)
    plant.have("gone", "unseen", policy="all")
    plant.see(State.DOWN, "gone", "unseen")
    plant.passes(20)
    plant.see(State.UP, "gone", "unseen", sites=["north"])
    plant.tick()
    plant.say("gone", None)
    plant.see(State.UNKNOWN, "unseen")
    plant.passes(60)
    assert plant.board.returning == {}
    assert [one.open_members for one in plant.open] == [1]


def test_a_child_that_was_mailed_before_its_parent_failed_joins_it_and_says_so() -> None:
    plant = Plant()
    plant.have("router", group="core")
    plant.have("child", parents=["router"], critical=True)
    plant.see(State.DOWN, "child")
    plant.passes(10)
    plant.see(State.DOWN, "router")
    plant.passes(30)
    opened, merged, home = plant.mails
    assert (opened.named, merged.notice, home.named) == ({"child"}, Notice.RESOLVED, {"router", "child"})
    (case,) = plant.ended
    assert (case.why, case.incident.merged_into, case.incident.open_members) == (Why.MERGED, home.incident.id, 0)
    assert home.incident.members[0].target == "child", "a critical one is named first"


def test_a_child_that_fails_later_is_listed_in_its_parents_incident_and_not_mailed() -> None:
    plant = Plant()
    plant.have("router")
    plant.have("child", parents=["router"])
    plant.see(State.DOWN, "router")
    plant.passes(60)
    plant.see(State.DOWN, "child")
    plant.passes(600)
    assert len(plant.mails) == 1
    (incident,) = plant.open
    assert [(one.target, one.state, one.behind) for one in incident.members] == [
        ("router", "DOWN", None), ("child", "UNREACHABLE", "router"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_taken_on", [False, True])
def test_a_critical_child_that_fails_behind_a_parent_people_know_of_is_mailed_at_once(is_taken_on: bool) -> None:
    plant = Plant()
    plant.have("router")
    plant.have("child", parents=["router"], critical=True)
    plant.see(State.DOWN, "router")
    plant.passes(60)
    if is_taken_on:
        plant.acknowledge()
    plant.see(State.DOWN, "child")
    plant.passes(4)
    assert (plant.mails[-1].notice, plant.mails[-1].is_urgent) == (Notice.CHANGED, True)


def test_what_changes_while_somebody_has_it_is_not_mailed_before_it_is_taken_back() -> None:
    plant = Plant()
    plant.have("a", "b", "c", group="g")
    plant.see(State.DOWN, "a", "b", "c")
    plant.passes(60)
    plant.acknowledge()
    plant.see(State.UP, "a")
    plant.passes(600)
    assert [mail.notice for mail in plant.mails] == [Notice.OPENED]
    assert plant.whys.count(Why.CHANGE_NOT_MAILED) == 1
    plant.acknowledge(withdrawn=True)
    plant.passes(60)
    assert [(mail.notice, mail.named) for mail in plant.mails[1:]] == [(Notice.CHANGED, {"b", "c"})]
    plant.acknowledge()
    plant.passes(600)
    plant.acknowledge(withdrawn=True)
    plant.passes(600)
    assert len(plant.mails) == 2, "where nothing has changed there is nothing to say"
    plant.acknowledge()
    plant.see(State.UP, "b", "c")
    plant.passes(60)
    assert [mail.notice for mail in plant.mails[2:]] == [Notice.RESOLVED]


@pytest.mark.parametrize(("is_taken_on", "mails"), [(False, 4), (True, 3)])
def test_of_one_that_flaps_nobody_is_mailed_while_somebody_has_it(is_taken_on: bool, mails: int) -> None:
    plant = Plant()
    plant.have("a")
    for state in (State.DOWN, State.UP, State.DOWN, State.UP):
        plant.see(state, "a")
        plant.passes(20)
    plant.see(State.DOWN, "a")
    plant.passes(300)
    assert (list(plant.board.flapping), len(plant.mails)) == (["a"], 3)
    if is_taken_on:
        plant.acknowledge()
    for state in (State.UP, State.DOWN):
        plant.see(state, "a")
        plant.passes(10)
    before = len(plant.whys)
    plant.passes(1700)
    assert (list(plant.board.flapping), len(plant.mails)) == (["a"], mails)
    assert len(plant.whys) - before <= 2, "not a line each second"
    plant.acknowledge(withdrawn=True)
    plant.passes(10)
    assert (len(plant.mails), plant.mails[-1].incident.members[0].state) == (4, "DOWN")


def test_one_that_is_still_open_when_nobody_has_it_any_more_is_mailed_once() -> None:
    plant = Plant()
    plant.have("a")
    plant.see(State.DOWN, "a")
    plant.passes(60)
    plant.acknowledge(until=Time(plant.now + 600_000))
    for _ in range(2):
        plant.passes(600)
        plant.acknowledge(until=Time(T0 + 660_000))
    plant.passes(60)
    assert [(mail.notice, mail.at_s) for mail in plant.mails[1:]] == [(Notice.CHANGED, 1661.0)]
    assert plant.whys.count(Why.ACKNOWLEDGEMENT_EXPIRED) == 1


@pytest.mark.parametrize(
    ("falling", "others", "apart_s", "is_mass"),
    [
        (MASS_TARGETS, 40, 0, True),
        (MASS_TARGETS - 1, 0, 0, False),
        (MASS_TARGETS, 60, 0, False),
        (MASS_TARGETS, 40, 1, True),
        (MASS_TARGETS, 40, AT_ONCE_S, False),
    ],
    ids=["many, and a third", "too few", "too small a share", "within the window", "one after another"],
)
def test_a_site_that_loses_sight_of_many_at_once_is_one_incident(
    falling: int, others: int, apart_s: float, is_mass: bool
) -> None:
    plant = Plant()
    names = [f"t{number}" for number in range(falling)]
    for name in names:
        plant.have(name, group=name)
    plant.have(*[f"o{number}" for number in range(others)], group="others")
    for name in names:
        plant.see(State.DOWN, name)
        plant.passes(apart_s)
    plant.tick()
    kinds = {one.kind for one in plant.open}
    assert ("mass-outage" in kinds) == is_mass
    if is_mass and not apart_s:
        (incident,) = plant.open
        assert (incident.site, incident.open_members) == ("north", falling)
        plant.passes(20)
        assert len(plant.mails) == 1


def test_what_a_site_loses_sight_of_later_joins_and_is_one_more_mail() -> None:
    plant = Plant()
    names = [f"t{number}" for number in range(300)]
    for name in names:
        plant.have(name, group=name)
    plant.see(State.DOWN, *names[:200])
    plant.passes(20)
    plant.see(State.DOWN, *names[200:])
    plant.passes(CHANGES_EVERY_S)
    (incident,) = plant.open
    assert incident.open_members == 300
    assert [(one.notice, len(one.named)) for one in plant.mails] == [(Notice.OPENED, 200), (Notice.CHANGED, 300)]


@pytest.mark.parametrize(("after", "mails"), [(State.UP, 0), (State.DOWN, 1)])
def test_a_prober_that_finds_itself_cut_off_has_no_outage_of_its_targets_mailed(after: State, mails: int) -> None:
    """It called them DOWN, and a moment later knew that it sees nothing."""
    plant = Plant()
    names = [f"t{number}" for number in range(30)]
    plant.have(*names)
    plant.see(State.DOWN, *names)
    plant.passes(5)
    plant.standings["north"] = Standing(ProberPresence(site="north", online=True, isolated=True), is_current=True)
    plant.agenda.add(names)
    plant.passes(120)
    assert plant.mails == []
    plant.standings["north"] = Standing(ProberPresence(site="north", online=True), is_current=True)
    plant.see(after, *names)
    plant.passes(20)
    assert (len(plant.mails), len(plant.open)) == (mails, mails)


def test_a_critical_target_that_falls_in_a_storm_has_a_mail_of_its_own_at_once() -> None:
    plant = Plant()
    names = [f"t{number}" for number in range(100)]
    plant.have(*names)
    plant.have("shop", critical=True)
    plant.see(State.DOWN, *names)
    plant.passes(20)
    plant.see(State.DOWN, "shop")
    plant.passes(4)
    assert (plant.mails[-1].named, plant.mails[-1].is_urgent) == ({"shop"}, True)


def test_sites_that_all_lose_sight_of_the_same_targets_are_one_incident_that_names_them() -> None:
    plant = Plant(sites=("north", "south", "west"))
    names = [f"t{number}" for number in range(30)]
    plant.have(*names)
    plant.see(State.DOWN, *names)
    plant.passes(20)
    (mail,) = plant.mails
    assert (mail.incident.kind, mail.incident.site) == ("mass-outage", None)
    assert mail.incident.cause == "sites north, south, west lost sight of 30 targets at once"


def test_a_member_that_leaves_and_comes_again_is_no_second_incident() -> None:
    plant = Plant()
    plant.have("one", "two")
    plant.see(State.DOWN, "one", "two")
    plant.passes(20)
    for state in (State.UP, State.DOWN):
        plant.see(state, "one")
        plant.passes(10)
    plant.passes(60)
    assert (len(plant.open), len(plant.mails)) == (1, 1), "it is as people were told"
    plant.now_s += 1800
    plant.see(State.UP, "one")
    plant.passes(SETTLES_S + 2)
    assert plant.mails[-1].named == {"two"}
    plant.see(State.DOWN, "one")
    plant.passes(60)
    assert len(plant.mails) == 2, "the next change waits"
    plant.passes(CHANGES_EVERY_S)
    assert (len(plant.mails), plant.mails[-1].named) == (3, {"one", "two"})


def changes_every(plant: Plant, name: str, pauses_s: Iterable[float], ends: State) -> list[Mail]:
    """It changes after each of these pauses, ends as told, and is left alone until it is calm: all that was mailed."""
    for pause_s in pauses_s:
        plant.passes(pause_s)
        plant.see(State.DOWN if plant.verdicts[name].state == V.UP else State.UP, name)
        plant.tick()
    plant.see(ends, name)
    plant.passes(3700)
    assert plant.board.flapping == {}
    return plant.mails


def checks_for(hours: float, draw: Callable[[], int]) -> list[float]:
    pauses_s: list[float] = []
    while sum(pauses_s) < hours * 3600:
        pauses_s.append(10.0 * draw())
    return pauses_s


def is_told_last(mails: list[Mail], ends: State) -> None:
    """The last mail says how it ended."""
    last = mails[-1]
    if ends is State.UP:
        assert last.notice is Notice.RESOLVED
    else:
        assert last.notice is not Notice.RESOLVED
        assert [one.state for one in last.incident.members] == ["DOWN"]


@pytest.mark.parametrize(
    ("checks", "ends"), [(1, State.UP), (4, State.DOWN), (20, State.UP), (None, State.UP), (None, State.DOWN)]
)
def test_whatever_goes_up_and_down_is_two_mails_in_half_an_hour_from_the_start_and_the_last_state_is_told(
    checks: int | None, ends: State, is_long: bool
) -> None:
    """`checks`: after so many it changes each time; None: at random, after 1 to 20."""
    for seed in range(40 if is_long else 1):
        plant = Plant()
        plant.have("shop", "other")
        draw = random.Random(seed)
        first, last = (checks, checks) if checks and seed == 0 else (1, 20)
        pauses_s = checks_for(2, functools.partial(draw.randint, first, last))
        mails = changes_every(plant, "shop", pauses_s, ends)
        # An end that lasts longer than any of its changes is no change any more, and told.
        times_s = [one.at_s for one in mails if one.at_s <= plant.now_s - 3700 + 200]
        assert all(later - one >= 1800 for one, later in zip(times_s, times_s[2:], strict=False)), (seed, times_s)
        is_told_last(mails, ends)
        assert Why.STARTED_FLAPPING in plant.whys
        assert [one.incident.members[0].flapping for one in plant.board.cases.values()] == [False] * (
            ends is State.DOWN
        )


@pytest.mark.thorough
@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([1, 5, 15, 40, 61, 90, 200, 215, 700, 1799, 2000]), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([State.UP, State.DOWN]),
)
def test_however_long_it_is_up_and_down_there_are_three_mails_in_half_an_hour_and_the_last_state_is_told(
    pauses_s: list[int], is_critical: bool, ends: State
) -> None:
    """Three, not two: an outage that lasts is told of, whatever came before it; so is each of a critical target."""
    plant = Plant()
    plant.have("shop", critical=is_critical)
    mails = changes_every(plant, "shop", pauses_s, ends)
    times_s = [one.at_s for one in mails if not one.is_urgent]
    assert all(later - one >= 1800 for one, later in zip(times_s, times_s[4:], strict=False)), times_s
    if mails:
        is_told_last(mails, ends)


def test_a_second_outage_within_half_an_hour_is_mailed_once_it_has_lasted_longer_than_twenty_checks() -> None:
    plant = Plant()
    plant.have("shop")
    plant.see(State.DOWN, "shop")
    plant.passes(60)
    plant.see(State.UP, "shop")
    plant.passes(60)
    plant.see(State.DOWN, "shop")
    at_s = plant.now_s + 1
    plant.passes(300)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED, Notice.OPENED]
    assert plant.mails[-1].at_s - at_s == 210
    assert plant.whys.count(Why.MAIL_HELD) == 1


def test_a_second_outage_within_half_an_hour_that_does_not_last_is_kept_with_the_reason_why_nobody_was_mailed() -> None:
    plant = Plant()
    plant.have("shop", flap_after=5)
    changes_every(plant, "shop", [1, 60, 60, 60], State.UP)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED]
    assert [Why.MAIL_HELD in plant.whys, Why.NOT_MAILED in plant.whys] == [True, True]


def test_one_that_flaps_and_stays_down_is_told_of_as_down_though_it_was_mailed_of_twice() -> None:
    plant = Plant()
    plant.have("shop")
    for state in (State.DOWN, State.UP, State.DOWN, State.UP):
        plant.see(state, "shop")
        plant.passes(20)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED]
    assert list(plant.board.flapping) == ["shop"]
    plant.see(State.DOWN, "shop")
    plant.passes(210)
    assert len(plant.mails) == 2
    plant.passes(2)
    last = plant.mails[-1].incident.members[0]
    assert (len(plant.mails), last.state, last.flapping) == (3, "DOWN", True)
    assert Why.FLAPPING_DOWN in plant.whys


def test_one_that_flaps_is_told_of_as_down_once_it_stays_so_for_a_minute() -> None:
    plant = Plant()
    plant.have("shop")
    for pause_s in [*[5] * 6, *[55] * 34]:
        plant.see(State.DOWN if plant.verdicts["shop"].state == V.UP else State.UP, "shop")
        plant.passes(pause_s)
    before = len(plant.mails)
    plant.see(State.DOWN, "shop")
    plant.passes(59)
    assert len(plant.mails) == before
    plant.passes(3)
    assert (len(plant.mails), plant.mails[-1].incident.members[0].state) == (before + 1, "DOWN")


@pytest.mark.parametrize("seed", range(3))
def test_a_critical_target_that_falls_while_all_else_falls_and_flaps_is_mailed_at_once(seed: int) -> None:
    """Within two seconds of its verdict: its site takes five for it, which is less than the ten that are promised."""
    plant = Plant()
    names = [f"t{number}" for number in range(60)]
    plant.have(*names, group="shops")
    plant.have("shop", group="shops", critical=True)
    draw = random.Random(seed)
    for _ in range(draw.randint(5, 40)):
        plant.see(draw.choice([State.UP, State.DOWN]), *draw.sample(names, draw.randint(1, 60)))
        plant.passes(draw.randint(1, 30))
    plant.see(State.DOWN, "shop")
    plant.tick()
    at_s = plant.now_s
    plant.passes(4)
    mail = next(one for one in plant.mails if one.at_s >= at_s and "shop" in one.named)
    assert (mail.is_urgent, mail.at_s - at_s <= 2) == (True, True)


def test_four_changes_in_more_than_half_an_hour_are_four_changes() -> None:
    plant = Plant()
    plant.have("shop")
    for state in (State.DOWN, State.UP, State.DOWN, State.UP):
        plant.see(state, "shop")
        plant.passes(601)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED] * 2


@pytest.mark.parametrize(("flap_after", "is_flapping"), [(None, False), (3, True), (5, False)])
def test_how_many_changes_are_flapping_is_an_option_of_the_target(flap_after: int | None, is_flapping: bool) -> None:
    plant = Plant()
    plant.have("shop", flap_after=flap_after)
    for state in (State.DOWN, State.UP, State.DOWN, State.UP):
        plant.see(state, "shop")
        plant.passes(20)
    assert (list(plant.board.flapping) == ["shop"]) == is_flapping
    assert len(plant.open) == is_flapping


@pytest.mark.parametrize(
    ("states", "options", "kind"),
    [
        ([State.DEGRADED] * 3, {}, None),
        ([State.DEGRADED] * 3, {"mail_degraded": True}, "target-degraded"),
        ([State.DOWN, State.UP, State.UP], {}, None),
        ([State.DOWN, State.UP, State.UP], {"mail_partial": True}, "target-partial"),
        ([State.DEGRADED] * 3, {"mail_partial": True}, None),
    ],
)
def test_a_state_less_than_down_is_a_minor_incident_where_its_options_ask_for_it(
    states: list[State], options: dict[str, bool], kind: str | None
) -> None:
    sites = ("north", "south", "west")
    plant = Plant(sites=sites)
    plant.have("one", "two", **options)
    for site, state in zip(sites, states, strict=True):
        plant.see(state, "one", "two", sites=[site])
    plant.passes(30)
    assert [(one.kind, one.severity) for one in plant.open] == [(kind, "minor")] * (kind is not None)
    plant.see(State.UP, "one", "two")
    plant.passes(30)
    assert [one.notice for one in plant.mails] == [Notice.OPENED, Notice.RESOLVED] * (kind is not None)
    assert plant.open == []


def test_what_gets_worse_or_better_has_one_incident_at_a_time_and_each_that_was_mailed_is_closed() -> None:
    plant = Plant(sites=("north", "south", "west"))
    plant.have("shop", mail_degraded=True, mail_partial=True, flap_after=None)
    kinds = []
    for north, others in ((State.DEGRADED, State.UP), (State.DOWN, State.UP), (State.DOWN, State.DOWN), (State.UP, State.DEGRADED), (State.UP, State.UP)):  # fmt: skip
        plant.see(north, "shop", sites=["north"])
        plant.see(others, "shop", sites=["south", "west"])
        plant.passes(30)
        kinds.append([(one.kind, one.severity) for one in plant.open])
    assert kinds == [
        [("target-degraded", "minor")], [("target-partial", "minor")], [("target-down", "major")],
        [("target-degraded", "minor")], [],
    ]  # fmt: skip
    assert [one.notice for one in plant.mails] == [Notice.OPENED] + [Notice.RESOLVED, Notice.OPENED] * 3 + [
        Notice.RESOLVED
    ]


def test_a_target_whose_flapping_is_not_mailed_is_mailed_only_where_it_stays_down() -> None:
    plant = Plant()
    plant.have("shop", mail_flapping=False)
    for pause_s in [20] * 4 + [100] * 30:
        plant.see(State.DOWN if plant.verdicts["shop"].state == V.UP else State.UP, "shop")
        plant.passes(pause_s)
    (incident,) = plant.open
    assert (incident.severity, incident.members[0].flapping) == ("minor", True)
    assert all(one.state == "DOWN" for mail in plant.mails[2:] for one in mail.incident.members)
    silent = Plant()
    silent.have("shop", mail_flapping=False)
    changes_every(silent, "shop", [1] * 10, State.UP)
    assert {one.notice for one in silent.mails} == {Notice.RESOLVED}
    assert len(silent.mails) == 1, "the first outage, and no more"


def test_names_that_nobody_can_resolve_any_more_are_one_incident() -> None:
    plant = Plant()
    names = ["a", "b", "c"]
    plant.have(*names, group="shops")
    plant.see(State.UNKNOWN, *names, code=NO_ADDRESS)
    changes = plant._judged()
    for for_s, incidents in ((UNRESOLVABLE_AFTER_S - 1, 0), (UNRESOLVABLE_AFTER_S, 1)):
        draft = Draft(plant.board)
        for change in changes:
            grouping.of_unresolvable(draft, change, for_s, plant.world, plant.now, plant.now_s)
        assert len(list(draft)) == incidents
    (case,) = draft
    assert (case.incident.kind, case.open) == ("target-unresolvable", set(names))


def test_a_target_that_is_paused_or_removed_leaves() -> None:
    plant = Plant()
    plant.have("one", "two")
    plant.see(State.DOWN, "one", "two")
    plant.passes(20)
    plant.targets["one"] = Target(id="one", name="one", address="192.0.2.1", paused=True)
    del plant.targets["two"]
    plant.agenda.add(["one", "two"])
    plant.tick()
    assert plant.open == []
    assert {Why.TARGET_PAUSED, Why.TARGET_REMOVED} <= set(plant.whys)


def test_what_is_not_kept_is_not_in_force() -> None:
    plant = Plant()
    plant.have("one", "two", "three")
    plant.see(State.DOWN, "one", "two")
    plant.tick()
    before = {number: (set(case.open), case.due_s) for number, case in plant.board.cases.items()}
    draft = Draft(plant.board)
    plant.see(State.UP, "one")
    plant.see(State.DOWN, "three")
    grouping.of_verdicts(draft, plant._judged(), plant.world, plant.now, plant.now_s)
    grouping.tell_what_is_due(draft, plant.now_s + 100, LOUD, plant.now)
    assert draft.touched[0].notices
    assert {number: (set(case.open), case.due_s) for number, case in plant.board.cases.items()} == before


@settings(max_examples=up_to(30), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.sampled_from([("north",), ("south",), ("north", "south"), ("north", "south")]),
            st.sampled_from([State.UP, State.DOWN, State.UNKNOWN]),
            st.integers(0, 40),
        ),
        max_size=40,
    )
)
def test_whatever_happens_whoever_was_told_of_a_start_is_told_of_the_end(
    events: list[tuple[str, tuple[str, ...], State, int]],
) -> None:
    plant = Plant(sites=("north", "south"))
    for name, parents in (("a", []), ("b", ["a"]), ("c", ["a", "b"]), ("d", []), ("e", []), ("f", ["e"])):
        plant.have(
            name, parents=parents, critical=name in "cd", group="ab" if name in "ab" else name,
            policy="any" if name in "ae" else "all",
        )  # fmt: skip
    for name, sites, state, pause_s in events:
        plant.see(state, name, sites=sites)
        plant.passes(pause_s)
    plant.see(State.UP, *"abcdef")
    plant.tick()
    # What flaps is over when it has been calm for long.
    plant.now_s += 1800
    plant.passes(60)
    assert plant.open == []
    opened = [one.incident.id for one in plant.told()]
    resolved = [one.incident.id for one in plant.told(Notice.RESOLVED)]
    assert len(set(opened)) == len(opened)
    assert len(set(resolved)) == len(resolved)
    assert set(opened) <= set(resolved)
    for case in plant.ended:
        # Nothing that was DOWN goes unmentioned, but what is told of in another incident, what nobody could see any more,
        # and what was over soon after the mails of the outage before.
        is_unmentioned = case.why is Why.MERGED or Why.NOT_MAILED in [one.why for one in case.entries]
        was_unseen = any(one.state == V.UNKNOWN for one in case.members.values())
        assert case.id in resolved or (not case.is_told and (is_unmentioned or was_unseen))
