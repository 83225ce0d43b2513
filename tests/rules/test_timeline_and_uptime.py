"""Timelines cover the period exactly, and uptime adds up to the second."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_bus.messages import State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.timeline import Interval, overall, site_intervals
from noc_rules.uptime import account
from noc_rules.verdict import Vote, decide

START = Time.parse("2026-11-24T12:00:00Z")
TARGET = Target(id="t", name="T", address="192.0.2.1")
LETTERS = {"U": State.UP, "g": State.DEGRADED, "D": State.DOWN, "?": State.UNKNOWN, "P": State.UNKNOWN}
SHOWN = {"UP": "U", "DEGRADED": "g", "DOWN": "D", "UNKNOWN": "?", "PAUSED": "P", "PARTIAL": "p"}


@dataclass(frozen=True)
class Known:
    since: Time
    state: str
    reason: str


def second(number: int) -> Time:
    return Time(START + 1000 * number)


def known(script: dict[int, str]) -> list[Known]:
    return [Known(second(at), LETTERS[one], "paused" if one == "P" else "") for at, one in script.items()]


def drawn(intervals: list[Interval]) -> str:
    """A letter for every second, after checking that there is neither gap nor overlap."""
    for one, other in itertools.pairwise(intervals):
        assert one.end == other.start
        assert one.state is not other.state
    return "".join(SHOWN[one.state] * round(one.seconds) for one in intervals)


@pytest.mark.parametrize(
    ("script", "last_heard", "grace_s", "line"),
    [
        pytest.param({}, None, 5, "??????????", id="nothing known"),
        pytest.param({0: "U"}, 20, 5, "UUUUUUUUUU", id="one state to the end"),
        pytest.param({-50: "U"}, 20, 5, "UUUUUUUUUU", id="the state that held when the period began"),
        pytest.param({-50: "D", -20: "U"}, 20, 5, "UUUUUUUUUU", id="only the last of those"),
        pytest.param({3: "U"}, 20, 5, "???UUUUUUU", id="before the first record nothing is known"),
        pytest.param({0: "U", 4: "D", 7: "U"}, 20, 5, "UUUUDDDUUU", id="an outage"),
        pytest.param({0: "U", 4: "P", 7: "U"}, 20, 5, "UUUUPPPUUU", id="a pause is no blindness"),
        pytest.param(
            {0: "U", 3: "P"}, 3, 2, "UUUPPPPPPP", id="a paused target is not heard of, and paused all the same"
        ),
        pytest.param({0: "U"}, 4, 2, "UUUUUU????", id="beyond the last word nothing is known"),
        pytest.param({0: "U"}, 4, 60, "UUUUUUUUUU", id="unless the next word is not due yet"),
        pytest.param({-50: "U"}, -40, 5, "??????????", id="last heard long before"),
        pytest.param({0: "U", 15: "D"}, 20, 5, "UUUUUUUUUU", id="what came after the period"),
    ],
)
def test_a_site_s_states_cover_the_period(
    script: dict[int, str], last_heard: int | None, grace_s: int, line: str
) -> None:
    heard = None if last_heard is None else second(last_heard)
    assert drawn(site_intervals(known(script), heard, START, second(10), grace_s * 1000)) == line


@pytest.mark.parametrize(
    ("lines", "policy", "together"),
    [
        pytest.param(["UUUUDDUU"], "majority", "UUUUDDUU", id="one site is the verdict"),
        pytest.param(["UUDDDDUU", "UUUUDDDD"], "majority", "UUppDDpp", id="both must agree"),
        pytest.param(["UUDDDDUU", "UUUUDDDD"], "any", "UUDDDDDD", id="by the target's policy"),
        pytest.param(["DDDDUUUU", "????????"], "majority", "DDDDUUUU", id="a blind site leaves the count"),
        pytest.param(["????", "????"], "majority", "????", id="all blind"),
        pytest.param(["PPUU", "PPPP"], "majority", "PPUU", id="paused where all are"),
        pytest.param([], "majority", "????????", id="no site"),
    ],
)
def test_sites_are_merged_second_by_second(lines: list[str], policy: str, together: str) -> None:
    target = Target(id="t", name="T", address="192.0.2.1", policy=policy)
    end = second(len(together))
    by_site = {f"s{n}": _parsed(line) for n, line in enumerate(lines)}
    assert drawn(overall(target, by_site, START, end)) == together


def _parsed(line: str) -> list[Interval]:
    states = known(dict(enumerate(line)))
    return site_intervals(states, second(len(line)), START, second(len(line)), 0)


@given(st.lists(st.text("UgD?", min_size=12, max_size=12), min_size=1, max_size=4))
def test_merging_matches_judging_every_second_by_itself(lines: list[str]) -> None:
    by_site = {f"s{n}": _parsed(line) for n, line in enumerate(lines)}
    reference = "".join(
        SHOWN[decide(TARGET, {f"s{n}": Vote(LETTERS[line[at]], "") for n, line in enumerate(lines)}, {}).state]
        for at in range(12)
    )
    assert drawn(overall(TARGET, by_site, START, second(12))) == reference


def test_uptime_counts_measured_seconds_only() -> None:
    uptime = account(_parsed("UUUUggDD??PP"))
    assert uptime.uptime_pct == pytest.approx(75.0)
    assert uptime.seconds[VerdictState.UP] == 4
    assert uptime.seconds[VerdictState.UNKNOWN] == 2
    assert [(one.start, one.seconds) for one in uptime.outages] == [(second(6), 2.0)]


def test_an_outage_is_one_whether_the_target_or_its_parent_is_down_and_two_with_an_answer_between() -> None:
    down, unreachable, up = VerdictState.DOWN, VerdictState.UNREACHABLE, VerdictState.UP
    line = [down, unreachable, down, up, down]
    uptime = account(Interval(second(at), second(at + 1), state, f"second {at}") for at, state in enumerate(line))
    assert uptime.outages == [
        Interval(second(0), second(3), down, "second 0"),
        Interval(second(4), second(5), down, "second 4"),
    ]
    assert uptime.uptime_pct == 20


def test_nothing_measured_has_no_uptime() -> None:
    assert account(_parsed("????")).uptime_pct is None


@given(st.text("UgD?P", min_size=1, max_size=80))
def test_the_parts_always_add_up_to_the_period(line: str) -> None:
    uptime = account(_parsed(line))
    assert sum(uptime.seconds.values()) == pytest.approx(len(line))
    assert sum(one.seconds for one in uptime.outages) == pytest.approx(line.count("D"))


def test_a_long_timeline_is_added_up_second_by_second() -> None:
    """Uptime of many short outages is their seconds, whatever the number of checks was."""
    line = ("U" * 97 + "D" * 3) * 50
    uptime = account(_parsed(line))
    assert uptime.uptime_pct == pytest.approx(97.0)
    assert len(uptime.outages) == 50
