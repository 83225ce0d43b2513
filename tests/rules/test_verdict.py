"""All sites' views become one verdict: a row for each rule."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus.codec import decode, encode
from noc_bus.messages import ProberPresence, SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules.verdict import Vote, decide, sites_of, vote

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
    assert decide(target(), votes("UUD"), {}).reason == "down from s2, not from s0, s1"


def test_a_single_witness_is_named_as_such() -> None:
    assert decide(target(), votes("D?"), {}).reason == "says D, from s0, the only site that sees"


def test_a_down_verdict_of_several_sites_counts_and_names_them_and_quotes_the_first() -> None:
    assert decide(target(), votes("UDD"), {}).reason == "down from 2 of 3 sites (s1, s2): says D"


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
    assert decide(target(parents=["a", "b"]), votes("D"), parents).state is state


def test_a_target_that_answers_is_up_whatever_its_parents_are() -> None:
    assert decide(target(parents=["a"]), votes("U"), {"a": V.DOWN}).state is V.UP


PRESENT = ProberPresence(site="s", online=True)
SEEN = SiteState(site="s", target="t", epoch=1, seq=1, state=State.DOWN, since=AT, reason="no answer", at=AT)


@pytest.mark.parametrize(
    ("state", "presence", "expected"),
    [
        pytest.param(SEEN, PRESENT, State.DOWN, id="a fit site votes"),
        pytest.param(SEEN, None, State.UNKNOWN, id="no presence, no vote"),
        pytest.param(SEEN, ProberPresence(site="s", online=False), State.UNKNOWN, id="offline, no vote"),
        pytest.param(SEEN, ProberPresence(site="s", online=True, isolated=True), State.UNKNOWN, id="isolated, no vote"),
        pytest.param(None, PRESENT, State.UNKNOWN, id="nothing seen yet"),
    ],
)
def test_only_sites_that_can_see_vote(
    state: SiteState | None, presence: ProberPresence | None, expected: State
) -> None:
    assert vote(state, presence).state is expected


def test_a_target_is_pinged_by_all_sites_or_by_those_it_names() -> None:
    assert sites_of(target(), ["b", "a"]) == ["a", "b"]
    assert sites_of(target(sites=["c", "a"]), ["b", "a"]) == ["a", "c"]


@given(st.text("UgD?", max_size=6), st.sampled_from(["majority", "any", "all", "2"]))
def test_a_blind_site_never_changes_a_verdict(seen: str, policy: str) -> None:
    assert decide(target(policy), votes(seen), {}).state is decide(target(policy), votes(seen + "?"), {}).state
