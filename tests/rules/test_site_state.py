"""The site's state machine as scripts: checks in, states out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.messages import SiteState, State, Target
from noc_bus.time import Time
from noc_rules.site_state import (
    PAUSED,
    NextCheck,
    Outcome,
    Reason,
    SiteView,
    StateCode,
    blind,
    changed,
    judge,
    judged_by,
    next_check,
    resumed,
    unseen,
)

START = Time.parse("2026-11-24T12:00:00Z")
TARGET = Target(id="t", name="T", address="192.0.2.1", degraded_rtt_ms=100.0)
NO_ROUTE = Reason("no-route", "no route")
ISOLATED = Reason(StateCode.ISOLATED, "isolated")
UP, DEGRADED, DOWN, UNKNOWN = State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN


def check(letter: str, at: int) -> Outcome:
    """o answered cycle, x lost cycle, digits: so many of ten lost, s slow, j with jitter, r/n answered/lost re-check, ! invalid,
    l lost and invalid, - nothing sent."""
    match letter:
        case "o":
            return Outcome(at, 5, (10.0,) * 5, True)
        case "x":
            return Outcome(at, 5, (), True)
        case "s":
            return Outcome(at, 5, (200.0,) * 5, True)
        case "j":
            return Outcome(at, 5, (10.0, 10.0, 100.0, 10.0, 10.0), True)
        case "r":
            return Outcome(at, 1, (10.0,), False)
        case "n":
            return Outcome(at, 1, (), False)
        case "!":
            return Outcome(at, 0, (), True, NO_ROUTE)
        case "l":
            return Outcome(at, 5, (), True, Reason("late", "sent 900 ms late"))
        case "-":
            return Outcome(at, 0, (), True)
        case _:
            return Outcome(at, 10, (10.0,) * (10 - int(letter)), True)


def run(script: str, view: SiteView | None = None, target: Target = TARGET) -> SiteView:
    view = view or unseen(START)
    for number, letter in enumerate(script):
        view = judge(view, check(letter, Time(START + 1000 * number)), target)
    return view


@pytest.mark.parametrize(
    ("script", "state"),
    [
        pytest.param("", UNKNOWN, id="before the first check"),
        pytest.param("o", UP, id="one answer shows that it is there"),
        pytest.param("ox", UP, id="a lost cycle is no outage yet"),
        pytest.param("oxnnn", UP, id="four unanswered checks are not five"),
        pytest.param("oxnnnn", DOWN, id="five unanswered checks in a row are"),
        pytest.param("oxnnnrxnnnn", DOWN, id="an answer starts the count anew"),
        pytest.param("oxnnnrnnnn", UP, id="and four after it are not five"),
        pytest.param("oxnnnnr", DOWN, id="one answer does not end an outage"),
        pytest.param("oxnnnnrr", UP, id="two do"),
        pytest.param("oxnnnnrnr", DOWN, id="but only in a row"),
        pytest.param("oxnnnnro", UP, id="a cycle is a check like any other"),
        pytest.param("x" + "n" * 13, UNKNOWN, id="never seen: fourteen unanswered checks prove nothing"),
        pytest.param("x" + "n" * 14, DOWN, id="never seen: fifteen do"),
        pytest.param("o!!!!", UP, id="what was not measured is not lost"),
        pytest.param("o!!!!!", UNKNOWN, id="long not measured: unknown, not down"),
        pytest.param("o!!!!!o", UP, id="measured again"),
        pytest.param("oxnnn!n", DOWN, id="an invalid check in between neither counts nor clears"),
        pytest.param("oxnnnn!!!!!", UNKNOWN, id="a down target that cannot be measured any more is unknown"),
        pytest.param("o1111", UP, id="a little loss"),
        pytest.param("o22222", DEGRADED, id="20 % over five cycles is the limit"),
        pytest.param("2", UP, id="one lossy cycle after a start is not five"),
        pytest.param("5o5", DEGRADED, id="as much loss as five cycles at the limit"),
        pytest.param("22222ooooo", UP, id="five clean cycles later it is over"),
        pytest.param("ss", UP, id="two slow cycles are too few for a median"),
        pytest.param("sss", DEGRADED, id="the median over the last cycles is too slow"),
        pytest.param("ooss", UP, id="the median of two slow and two fast is between"),
        pytest.param("oxnnnnr2", UP, id="losses of the outage do not degrade what follows"),
        pytest.param("oxxxxxxxxoo", UP, id="nor do those of whole cycles in it"),
        pytest.param("9nr0", UP, id="a lost re-check is no loss: the cycles' own is below the limit"),
        pytest.param("olllll", UNKNOWN, id="invalid proves nothing, though all of its echoes are lost"),
        pytest.param("o-----", UNKNOWN, id="nothing sent proves nothing, whatever the reason"),
    ],
)
def test_a_script_of_checks_ends_in_its_state(script: str, state: State) -> None:
    target = Target(id="t", name="T", address="192.0.2.1", degraded_rtt_ms=150.0)
    assert run(script, target=target).state is state


@pytest.mark.parametrize(
    ("script", "limits", "state"),
    [
        ("o5555", {"degraded_loss_pct": None}, UP),
        ("ooooo", {"degraded_loss_pct": 0}, UP),
        ("o1", {"degraded_loss_pct": 0}, DEGRADED),
        ("sss", {"degraded_rtt_ms": None}, UP),
        ("xxxr", {"degraded_loss_pct": None, "degraded_rtt_ms": 1}, UP),
    ],
    ids=[
        "no limit for loss",
        "a limit of no loss, and none",
        "a limit of no loss, and a little",
        "no limit for the round-trip time",
        "a limit for the round-trip time, and only lost cycles",
    ],
)
def test_degraded_is_what_its_limits_say(script: str, limits: dict[str, float | None], state: State) -> None:
    assert run(script, target=replace(TARGET, **limits)).state is state


LOSS = {"degraded_loss_pct": 30}
RTT = {"degraded_rtt_ms": 150, "degraded_loss_pct": None}
JITTER = {"degraded_jitter_ms": 80, "degraded_loss_pct": None, "degraded_rtt_ms": None}


@pytest.mark.parametrize(
    ("script", "limits", "state", "code"),
    [
        pytest.param("o4444", LOSS, DEGRADED, "loss", id="loss above its limit"),
        pytest.param("o444400", LOSS, UP, "within-limits", id="loss below it"),
        pytest.param("o444400", {**LOSS, "degraded_loss_clear_pct": 20}, DEGRADED, "loss", id="loss between its limits"),
        pytest.param("o4444000", {**LOSS, "degraded_loss_clear_pct": 20}, UP, "within-limits", id="loss below both"),
        pytest.param("o4400", {**LOSS, "degraded_loss_clear_pct": 5}, UP, "answers", id="what was not degraded is not so by the lower limit"),
        pytest.param("o444400", {**LOSS, "degraded_loss_clear_pct": 90}, UP, "within-limits", id="a higher limit to end than to begin is none"),
        pytest.param("sssoo", RTT, DEGRADED, "rtt", id="RTT above its limit"),
        pytest.param("sssooo", RTT, UP, "within-limits", id="RTT below it"),
        pytest.param("sssooo", {**RTT, "degraded_rtt_clear_ms": 9}, DEGRADED, "rtt", id="RTT between its limits"),
        pytest.param("jjj", JITTER, DEGRADED, "jitter", id="jitter above its limit"),
        pytest.param("jj", JITTER, UP, "answers", id="jitter of two cycles says nothing"),
        pytest.param("jjj", {**JITTER, "degraded_jitter_ms": 91}, UP, "answers", id="jitter below its limit"),
        pytest.param("jjjooo", JITTER, DEGRADED, "jitter", id="jitter of two of five cycles"),
        pytest.param("jjjoooo", JITTER, UP, "within-limits", id="jitter of one of five cycles"),
        pytest.param("jjjoooo", {**JITTER, "degraded_jitter_clear_ms": 0}, DEGRADED, "jitter", id="jitter between its limits"),
        pytest.param("jjj44", {**JITTER, **LOSS, "degraded_jitter_clear_ms": 20}, DEGRADED, "jitter", id="it is degraded for the first that applies"),
    ],
)  # fmt: skip
def test_degraded_begins_and_ends_at_limits_of_their_own(
    script: str, limits: dict[str, float | None], state: State, code: str
) -> None:
    view = run(script, target=replace(TARGET, **limits))
    assert (view.state, view.reason.code) == (state, code)


@pytest.mark.parametrize(
    ("script", "figures"),
    [("oo", (None, None)), ("o44440", (None, 32.0)), ("sssss", (200.0, None)), ("oxnnnn", (None, None))],
    ids=["not degraded", "loss, though the last cycle had none", "round-trip time", "down"],
)
def test_a_degraded_view_says_the_figure_it_was_judged_by(
    script: str, figures: tuple[float | None, float | None]
) -> None:
    assert judged_by(run(script)) == figures


def test_an_answer_in_an_outage_moves_neither_its_begin_nor_its_reason() -> None:
    before, after = run("oxnnnn"), run("oxnnnnrnnnnnn")
    assert (after.state, after.since, after.reason) == (DOWN, before.since, before.reason)


def test_unknown_begins_with_the_first_check_that_could_not_be_made() -> None:
    assert run("o!!!!!").since == START + 1000


def test_another_reason_for_being_blind_is_told() -> None:
    isolated = blind(run("o"), Time(START + 1000), ISOLATED)
    paused = blind(isolated, Time(START + 2000), PAUSED)
    assert (paused.state, paused.reason, paused.since) == (UNKNOWN, PAUSED, START + 2000)


def test_an_outage_begins_with_its_first_unanswered_check() -> None:
    view = run("ooxnnnn")
    assert (view.state, view.since) == (DOWN, Time(START + 2000))
    assert view.reason == Reason(StateCode.UNANSWERED, "5 checks unanswered")


def test_an_outage_ends_with_the_first_answer_of_the_proof() -> None:
    view = run("oxnnnnnrr")
    assert (view.state, view.since) == (UP, Time(START + 7000))


def test_states_never_overlap_when_the_clock_steps_back() -> None:
    view = run("o", unseen(Time(START + 60_000)))
    assert view.since == START + 60_000


def test_a_failed_cycle_has_no_rtt_and_full_loss() -> None:
    """Never 0 ms, never 1000 ms."""
    view = run("oxnnnn")
    assert view.rtt_ms is None
    assert view.loss_pct == 100.0


@pytest.mark.parametrize("script", ["o3", "o3r"], ids=["a cycle", "a re-check after it changes nothing"])
def test_figures_are_those_of_the_last_cycle(script: str) -> None:
    view = run(script)
    assert (view.rtt_ms, view.loss_pct) == (10.0, 30.0)


def test_a_state_that_goes_on_holds_since_it_began_and_tells_its_present_reason() -> None:
    assert run("oooo").since == START
    first, last = run("sss"), run("sss555")
    assert first.state is last.state is DEGRADED
    assert first.since == last.since == START + 2000
    assert (first.reason.code, last.reason.code) == (StateCode.RTT, StateCode.LOSS)


@pytest.mark.parametrize(
    ("script", "following"),
    [
        pytest.param("o", NextCheck("cycle", 10), id="all well: the next cycle"),
        pytest.param("ox", NextCheck("recheck", 1), id="a doubt: look again in a second"),
        pytest.param("oxn", NextCheck("recheck", 1), id="until decided"),
        pytest.param("oxr", NextCheck("cycle", 10), id="the doubt is gone"),
        pytest.param("oxnnnn", NextCheck("recheck", 1), id="down: every second"),
        pytest.param("oxnnnnr", NextCheck("recheck", 1), id="an answer: look again in a second"),
        pytest.param("oxnnnnrr", NextCheck("cycle", 10), id="up again"),
        pytest.param("o!", NextCheck("cycle", 10), id="not measured: no hurry"),
    ],
)
def test_when_to_look_again(script: str, following: NextCheck) -> None:
    assert next_check(run(script), TARGET) == following


@pytest.mark.parametrize(("down_targets", "every_s"), [(1, 1), (200, 1), (1000, 5), (2200, 10)])
def test_many_down_targets_share_two_hundred_echoes_a_second(down_targets: int, every_s: float) -> None:
    wanted = next_check(run("oxnnnn"), TARGET, down_targets)
    assert wanted.after_s == every_s
    assert wanted.kind == ("recheck" if every_s < TARGET.interval_s else "cycle")


def at(second: int, letter: str) -> Outcome:
    return check(letter, Time(START + 1000 * second))


def test_checks_that_overlap_count_by_their_starts() -> None:
    """With a long timeout a check that was lost ends after later ones that were answered."""
    view = run("o")
    for outcome in (at(10, "x"), at(12, "r"), at(11, "n"), at(13, "r")):
        view = judge(view, outcome, TARGET)
    assert (view.state, view.unanswered) == (UP, 0), "the check of second 11 is older than the answer of 12"


def test_an_outage_ends_though_checks_from_before_its_end_are_still_lost() -> None:
    view = run("oxnnnn")
    for outcome in (at(20, "r"), at(18, "n"), at(21, "r"), at(19, "n")):
        view = judge(view, outcome, TARGET)
    assert (view.state, view.since) == (UP, START + 20_000)


def test_an_outage_begins_with_the_earliest_of_its_checks_whichever_ends_first() -> None:
    view = run("o")
    for outcome in (at(12, "n"), at(10, "x"), at(11, "n"), at(13, "n"), at(14, "n")):
        view = judge(view, outcome, TARGET)
    assert (view.state, view.since) == (DOWN, START + 10_000)


def test_no_sentence_holds_a_time() -> None:
    for script in ("", "o", "oxnnnn", "oxnnnnrr", "o22222", "sss", "22222ooooo", "!"):
        assert not re.search(r"\d\d:\d\d", run(script).reason.text)


def test_an_old_state_without_a_code_is_understood_by_its_state() -> None:
    message = SiteState(site="s", target="t", epoch=1, seq=9, state=UNKNOWN, since=START, reason="paused", at=START)
    view = resumed(message, START, START)
    assert view.reason.code != StateCode.PAUSED
    assert run("o", view).state is UP


def test_a_state_of_the_future_began_at_the_latest_now() -> None:
    message = SiteState(site="s", target="t", epoch=1, seq=9, state=UP, since=START, reason="answers", at=START)
    assert resumed(message, START + 1000, START).since == START


def test_a_fast_target_needs_no_extra_checks_while_down() -> None:
    fast = Target(id="t", name="T", address="192.0.2.1", interval_s=1)
    assert next_check(run("oxnnnn", target=fast), fast) == NextCheck("cycle", 1)


def test_a_blind_site_forgets_what_it_counted() -> None:
    gone = blind(run("oxnnn"), Time(START + 9000), ISOLATED)
    assert (gone.state, gone.since, gone.reason, gone.unanswered) == (UNKNOWN, START + 9000, ISOLATED, 0)
    assert blind(gone, Time(START + 10_000), ISOLATED) is gone
    assert not changed(gone, blind(gone, Time(START + 10_000), ISOLATED))
    assert run("x", gone).state is UNKNOWN


def test_why_a_target_cannot_be_measured_is_told_once() -> None:
    first = run("!")
    assert first.reason == Reason("no-route", "not measured: no route")
    assert not changed(first, run("!!", first))


def test_a_paused_target_stays_paused_when_a_late_check_comes_in() -> None:
    paused = blind(run("o"), START, PAUSED)
    assert run("!", paused).reason == PAUSED


def test_after_a_restart_a_down_target_needs_the_same_proof_to_come_up() -> None:
    message = SiteState(site="s", target="t", epoch=1, seq=9, state=DOWN, since=START, reason="no answer", at=START)
    view = resumed(message, START, START)
    assert run("r", view).state is DOWN
    assert run("rr", view).state is UP


def test_after_a_restart_an_up_target_is_known_to_have_been_seen() -> None:
    message = SiteState(site="s", target="t", epoch=1, seq=9, state=UP, since=START, reason="answers", at=START)
    assert run("xnnnn", resumed(message, START, START)).state is DOWN


@given(st.text("ox!rn2s", max_size=60))
def test_down_always_rests_on_five_unanswered_checks_in_a_row(script: str) -> None:
    view = unseen(START)
    valid: list[str] = []
    for number, letter in enumerate(script):
        before = view
        view = judge(view, check(letter, Time(START + 1000 * number)), TARGET)
        valid += [letter] if letter != "!" else []
        if view.state is DOWN and before.state is not DOWN:
            assert all(one in "xn" for one in valid[-5:])
            assert len(valid) >= 5
        if before.state is DOWN and view.state in (UP, DEGRADED):
            assert all(one not in "xn" for one in valid[-2:])
        assert view.since >= before.since


@given(st.text("ox!rn2s", max_size=60))
def test_invalid_checks_alone_never_say_down(script: str) -> None:
    assert run("o" + "!" * len(script)).state is not DOWN


def test_the_round_trip_time_is_the_median_of_the_last_cycle() -> None:
    """A mean would be dragged by one late echo."""
    assert judge(run("o"), Outcome(START + 1000, 5, (2.0, 3.0, 4.0, 5.0, 900.0), True), TARGET).rtt_ms == 4.0
