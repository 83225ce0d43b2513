"""All sites' views become one verdict: a row for each rule."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.channels import PROBERS, STATES, Channel
from noc_bus.codec import decode, encode
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import ProberPresence, SiteState, State, Summary, Target, Verdict, VerdictState
from noc_bus.mirror import Mirror
from noc_bus.time import Time
from noc_rules.verdict import (
    Parent,
    Standing,
    VerdictCode,
    Vote,
    VoteCode,
    caught_up,
    decide,
    heard,
    sites_of,
    vote,
)

AT = Time.parse("2026-11-24T12:00:00Z")
LETTERS = {"U": State.UP, "g": State.DEGRADED, "D": State.DOWN, "?": State.UNKNOWN}
V = VerdictState


def target(policy: str = "majority", **options: object) -> Target:
    return Target(id="t", name="T", address="192.0.2.1", policy=policy, **options)  # type: ignore[arg-type]


def votes(pattern: str) -> dict[str, Vote]:
    return {f"s{number}": Vote(LETTERS[letter], f"says {letter}") for number, letter in enumerate(pattern)}


# One row per rule: policy, what the sites see, the verdict.
@pytest.mark.parametrize(
    ("policy", "seen", "state"),
    [
        pytest.param("majority", "", V.UNKNOWN, id="no site: unknown"),
        pytest.param("majority", "???", V.UNKNOWN, id="all blind: unknown, not down"),
        pytest.param("majority", "U", V.UP, id="one witness up"),
        pytest.param("majority", "D", V.DOWN, id="one witness down"),
        pytest.param("majority", "UD", V.PARTIAL, id="one of two is no majority"),
        pytest.param("majority", "DD", V.DOWN, id="both of two"),
        pytest.param("majority", "UUD", V.PARTIAL, id="one of three"),
        pytest.param("majority", "UDD", V.DOWN, id="two of three"),
        pytest.param("majority", "UUDD", V.PARTIAL, id="half is no majority"),
        pytest.param("majority", "U?D", V.PARTIAL, id="a blind site leaves the count"),
        pytest.param("majority", "??D", V.DOWN, id="the only site that sees decides"),
        pytest.param("majority", "D?D?", V.DOWN, id="all that see"),
        pytest.param("any", "UUD", V.DOWN, id="any: one is enough"),
        pytest.param("any", "UU?", V.UP, id="any: a blind site is not one"),
        pytest.param("all", "DDU", V.PARTIAL, id="all: one still reaches it"),
        pytest.param("all", "DD?", V.DOWN, id="all: of those that see"),
        pytest.param("2", "DDUUU", V.DOWN, id="k of n reached"),
        pytest.param("2", "DUUUU", V.PARTIAL, id="k of n not reached"),
        pytest.param("2", "D??", V.DOWN, id="k larger than the seeing sites: all of them"),
        pytest.param("majority", "Ug", V.DEGRADED, id="one degraded site shows"),
        pytest.param("majority", "gD", V.PARTIAL, id="partly down is worse than degraded"),
        pytest.param("majority", "g?", V.DEGRADED, id="degraded where seen"),
    ],
)
def test_the_verdict_follows_the_policy(policy: str, seen: str, state: VerdictState) -> None:
    assert decide(target(policy), votes(seen), {}).state is state


@pytest.mark.parametrize("policy", ["majority", "any", "all", "1", "2", "3"])
@pytest.mark.parametrize("seen", ["".join(one) for one in itertools.product("UD?", repeat=3)])
def test_three_sites_in_every_combination_under_every_policy(policy: str, seen: str) -> None:
    """Against the rule said in other words: count, compare, never let a blind site speak."""
    down, up = seen.count("D"), seen.count("U")
    seeing = down + up
    words = {"majority": seeing / 2 + 0.5, "any": 1, "all": seeing}
    needed = words[policy] if policy in words else min(int(policy), seeing)
    expected = V.UNKNOWN if not seeing else V.UP if not down else V.DOWN if down >= needed else V.PARTIAL
    assert decide(target(policy), votes(seen), {}).state is expected


def test_a_partial_verdict_names_the_sites() -> None:
    assert decide(target(), votes("UUD"), {}).reason == "DOWN from s2, not from s0, s1"


def test_a_single_witness_is_named_as_such() -> None:
    assert decide(target(), votes("D?"), {}).reason == "says D (only s0 could see it)"


def test_a_down_verdict_of_several_sites_counts_and_names_them_and_quotes_the_first() -> None:
    assert decide(target(), votes("UDD"), {}).reason == "DOWN from 2 of 3 sites (s1, s2): says D"


def test_of_many_sites_five_are_named_and_the_others_counted() -> None:
    assert decide(target(), votes("U" * 5), {}).reason == "answers from s0, s1, s2, s3, s4"
    assert decide(target(), votes("U" * 7), {}).reason == "answers from s0, s1, s2, s3, s4 and 2 more"


def test_an_unknown_verdict_says_why_each_site_is_blind() -> None:
    assert decide(target(), votes("??"), {}).reason == "s0: says ?; s1: says ?"
    assert decide(target(), {}, {}).reason == "no site pings it"


@pytest.mark.parametrize("seen", ["D", "DD", "gg", "??"])
def test_a_verdict_of_sites_with_much_to_say_still_fits_into_its_message(seen: str) -> None:
    talkative = {site: Vote(one.state, "x" * 500) for site, one in votes(seen).items()}
    decision = decide(target(), talkative, {})
    verdict = Verdict(target="t", state=decision.state, since=AT, reason=decision.reason, sites=decision.sites, at=AT)
    assert decode(encode(verdict), Verdict) == verdict


def test_a_paused_target_is_paused_whatever_is_seen() -> None:
    assert decide(target(paused=True), votes("DDD"), {}).state is V.PAUSED


@pytest.mark.parametrize(
    ("parents", "state"),
    [
        pytest.param({"a": V.DOWN, "b": V.DOWN}, V.UNREACHABLE, id="every path is cut"),
        pytest.param({"a": V.DOWN, "b": V.UNREACHABLE}, V.UNREACHABLE, id="a parent behind a cut counts as cut"),
        pytest.param({"a": V.DOWN, "b": V.UP}, V.DOWN, id="one path is left"),
        pytest.param({"a": V.DOWN, "b": V.UNKNOWN}, V.DOWN, id="an unknown parent excuses nothing"),
        pytest.param({"a": V.DOWN}, V.DOWN, id="a parent not judged yet excuses nothing"),
    ],
)
def test_a_target_behind_down_parents_is_unreachable(parents: dict[str, VerdictState], state: VerdictState) -> None:
    judged = {name: Parent(state) for name, state in parents.items()}
    assert decide(target(parents=["a", "b"]), votes("D"), judged).state is state


def test_a_target_that_answers_is_up_whatever_its_parents_are() -> None:
    assert decide(target(parents=["a"]), votes("U"), {"a": Parent(V.DOWN)}).state is V.UP


PRESENT = ProberPresence(site="s", online=True)
SEEN = SiteState(site="s", target="t", epoch=1, seq=1, state=State.DOWN, since=AT, reason="no answer", code="x", at=AT)


@pytest.mark.parametrize(
    ("state", "presence", "expected", "code"),
    [
        pytest.param(SEEN, PRESENT, State.DOWN, "x", id="a fit site votes"),
        pytest.param(SEEN, None, State.UNKNOWN, VoteCode.NO_PROBER, id="no presence, no vote"),
        pytest.param(SEEN, replace(PRESENT, online=False), State.UNKNOWN, VoteCode.OFFLINE, id="offline, no vote"),
        pytest.param(SEEN, replace(PRESENT, isolated=True), State.UNKNOWN, VoteCode.ISOLATED, id="isolated, no vote"),
        pytest.param(
            SEEN, replace(PRESENT, overloaded=True), State.UNKNOWN, VoteCode.OVERLOADED, id="overloaded, no vote"
        ),
        pytest.param(
            SEEN, replace(PRESENT, epoch=2), State.UNKNOWN, VoteCode.CATCHING_UP, id="from a journal of before, no vote"
        ),
        pytest.param(None, PRESENT, State.UNKNOWN, VoteCode.NOT_CHECKED, id="nothing seen yet"),
    ],
)
def test_only_sites_that_can_see_vote(
    state: SiteState | None, presence: ProberPresence | None, expected: State, code: str
) -> None:
    counted = vote(state, caught_up(heard(Standing(), presence)))
    assert (counted.state, counted.code) == (expected, code)


TELLING = replace(PRESENT, retained={"states": Summary(count=1, rev_sum=1)}, instance="one")
OFFLINE = replace(PRESENT, online=False)


def after(*presences: ProberPresence | None) -> Standing:
    standing = Standing()
    for one in presences:
        standing = heard(standing, one)
    return standing


@pytest.mark.parametrize(
    ("standing", "counts"),
    [
        pytest.param(after(TELLING), False, id="nobody knows yet whether all of it has come"),
        pytest.param(caught_up(after(TELLING)), True, id="all of it has come"),
        pytest.param(heard(caught_up(after(TELLING)), replace(TELLING, drops=5)), True, id="its next sign of life"),
        pytest.param(heard(caught_up(after(TELLING)), replace(TELLING, instance="two")), False, id="another process"),
        pytest.param(heard(heard(caught_up(after(TELLING)), OFFLINE), TELLING), False, id="back after a cut"),
        pytest.param(caught_up(after(TELLING, OFFLINE, TELLING)), True, id="back, and all of it has come again"),
        pytest.param(heard(heard(caught_up(after(TELLING)), None), TELLING), False, id="deleted, and there again"),
        pytest.param(after(PRESENT), True, id="an older prober, first heard of"),
        pytest.param(
            after(PRESENT, OFFLINE, replace(PRESENT, clock=Time(AT + 1))), False, id="an older prober, not said since"
        ),
        pytest.param(after(PRESENT, OFFLINE, replace(PRESENT, clock=AT)), True, id="an older prober, said since"),
    ],
)
def test_a_site_votes_only_with_what_it_has_said_since_it_came_back(standing: Standing, counts: bool) -> None:
    assert (vote(SEEN, standing).state is State.DOWN) is counts


SITES = ("a", "b", "c")
EVENTS = [f"{site} {what}" for site in SITES for what in ("presence", "presence", "moved", "moved")]


class Listener:
    """What the alerter or a page does with what three sites say, on a bus whose order the test decides."""

    def __init__(self) -> None:
        hub = Hub()
        self.others, bus = FakeBus(hub, "others"), FakeBus(hub, "listener")
        self.states: Mirror[tuple[str, str], SiteState] = Mirror(bus, STATES)
        self.standings = dict.fromkeys(SITES, Standing())
        bus.subscribe(PROBERS, self._on_presence)
        self.others.start()
        bus.start()

    def _on_presence(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        self.standings[variables["site"]] = heard(self.standings[variables["site"]], presence)

    def hears(self, channel: Channel[Any], message: Any) -> None:
        self.others.publish(channel, message)
        for site in SITES:
            if self.states.agrees_with(site):
                self.standings[site] = caught_up(self.standings[site])

    def vote(self, site: str) -> Vote:
        return vote(self.states.get((site, "moved")), self.standings[site])

    def verdict(self, policy: str) -> VerdictState:
        return decide(target(policy), {site: self.vote(site) for site in SITES}, {}).state


def state_of(site: str, of: str, rev: int, state: State) -> SiteState:
    return replace(SEEN, site=site, target=of, rev=rev, state=state, seq=rev)


def presence_of(site: str, moved: int) -> ProberPresence:
    """It has retained two states: the one that moved has this rev, the other 1."""
    return replace(TELLING, site=site, retained={"states": Summary(count=2, rev_sum=1 + moved)})


@given(st.permutations(EVENTS), st.sampled_from(["majority", "any", "all", "1", "2", "3"]), st.booleans())
def test_old_words_are_never_counted_as_new_in_whatever_order_they_come_under_any_policy(
    order: list[str], policy: str, recovers: bool
) -> None:
    """Three sites see a target change while they are cut off; one more state of each stays as it was.

    Each topic keeps its order, as MQTT promises; nothing is promised between topics.
    """
    old, new = (State.DOWN, State.UP) if recovers else (State.UP, State.DOWN)
    listener = Listener()
    streams: dict[str, list[tuple[Channel[Any], Any]]] = {}
    for site in SITES:
        listener.hears(STATES, state_of(site, "steady", 1, State.UP))
        listener.hears(STATES, state_of(site, "moved", 2, old))
        listener.hears(PROBERS, presence_of(site, 2))
        # What it said last before the cut may still be under way when it is told to be offline.
        streams[f"{site} moved"] = [
            (STATES, state_of(site, "moved", 3, old)),
            (STATES, state_of(site, "moved", 4, new)),
        ]
        streams[f"{site} presence"] = [(PROBERS, replace(OFFLINE, site=site)), (PROBERS, presence_of(site, 4))]
    before, now = VerdictState(old), VerdictState(new)
    assert listener.verdict(policy) is before
    gone: set[str] = set()
    for event in order:
        listener.hears(*streams[event].pop(0))
        if event.endswith("presence"):
            gone.add(event.split()[0])
        assert all(listener.vote(site).state in (State.UNKNOWN, new) for site in gone)
        if len(gone) == len(SITES):
            assert listener.verdict(policy) in (V.UNKNOWN, now)
    assert listener.verdict(policy) is now


def test_a_name_that_no_site_can_resolve_is_told_by_its_code_alone() -> None:
    lost = Vote(State.UNKNOWN, "x", "no-address")
    absent = Vote(State.UNKNOWN, "x", VoteCode.OFFLINE)
    unchecked = Vote(State.UNKNOWN, "x", VoteCode.NOT_CHECKED)
    assert decide(target(), {"a": lost, "b": lost}, {}).code is VerdictCode.NO_ADDRESS
    assert decide(target(), {"a": lost, "b": absent}, {}).code is VerdictCode.NO_ADDRESS
    assert decide(target(), {"a": lost, "b": unchecked}, {}).code is VerdictCode.NOT_SEEN
    assert decide(target(), {"a": absent}, {}).code is VerdictCode.NOT_SEEN
    assert decide(target(), {"a": lost, "b": Vote(State.DOWN, "x")}, {}).code is VerdictCode.DOWN


@given(st.text("UgD?", max_size=6), st.sampled_from(["majority", "any", "all", "2"]))
def test_every_verdict_has_a_code_and_no_decision_looks_into_a_sentence(seen: str, policy: str) -> None:
    named = {site: Vote(one.state, "x", one.code) for site, one in votes(seen).items()}
    one, other = decide(target(policy), votes(seen), {}), decide(target(policy), named, {})
    assert (one.state, one.code, one.sites) == (other.state, other.code, other.sites)
    assert isinstance(one.code, VerdictCode)


def test_a_target_is_pinged_by_all_sites_or_by_those_it_names() -> None:
    assert sites_of(target(), ["b", "a"]) == ["a", "b"]
    assert sites_of(target(sites=["c", "a"]), ["b", "a"]) == ["a", "c"]


@given(st.text("UgD?", max_size=6), st.sampled_from(["majority", "any", "all", "2"]))
def test_a_blind_site_never_changes_a_verdict(seen: str, policy: str) -> None:
    assert decide(target(policy), votes(seen), {}).state is decide(target(policy), votes(seen + "?"), {}).state
