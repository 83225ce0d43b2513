"""Timelines cover the period exactly, and uptime adds up to the second."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.messages import State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.timeline import InForce, Interval, overall, site_intervals
from noc_rules.uptime import PROFILES, account, coverage_pct, percent
from noc_rules.verdict import Vote, decide

START = Time.parse("2026-11-24T12:00:00Z")
TARGET = Target(id="t", name="T", address="192.0.2.1", interval_s=1, packets=1, packet_gap_ms=1, timeout_ms=10)
ALWAYS = InForce(TARGET)
LETTERS = {
    "U": State.UP, "g": State.DEGRADED, "D": State.DOWN, "?": State.UNKNOWN, "P": State.UNKNOWN,
}  # fmt: skip
SHOWN = {
    "UP": "U", "DEGRADED": "g", "DOWN": "D", "UNKNOWN": "?", "PAUSED": "P", "PARTIAL": "p", "UNREACHABLE": "n",
}  # fmt: skip
VERDICTS = {letter: VerdictState(name) for name, letter in SHOWN.items()}


@dataclass(frozen=True)
class Known:
    since: Time
    state: str
    reason: str
    code: str | None
    epoch: int
    seq: int


@dataclass(frozen=True)
class Hole:
    """No cycle between the two."""

    start: Time
    until: Time


@dataclass(frozen=True)
class Defined:
    since: Time
    target: Target | None


def second(number: float) -> Time:
    return Time(START + round(1000 * number))


def known(script: dict[int, str]) -> list[Known]:
    """Noted in the order written, whatever the clock said."""
    return [
        Known(second(at), LETTERS[one], "a sentence", "paused" if one == "P" else None, 1, seq)
        for seq, (at, one) in enumerate(script.items())
    ]


def drawn(intervals: list[Interval], length: int = 0) -> str:
    """A letter for every second, a space where there is nothing; two intervals never overlap."""
    line = ""
    for one in intervals:
        begin = (one.start - START) / 1000
        assert begin >= len(line)
        line += " " * round(begin - len(line)) + SHOWN[one.state] * round(one.seconds)
    for one, other in itertools.pairwise(intervals):
        assert one.end < other.start or one.state is not other.state
    return line.ljust(length)


def seen(script: dict[int, str], last_cycle: int | None = 20, holes: list[tuple[int, int]] | None = None) -> str:
    """What is known of the ten seconds of the period, checked once a second."""
    silences = [Hole(second(start), second(until)) for start, until in holes or []]
    last = None if last_cycle is None else second(last_cycle)
    return drawn(site_intervals(known(script), silences, last, START, second(10), ALWAYS), 10)


@pytest.mark.parametrize(
    ("script", "line"),
    [
        pytest.param({}, "          ", id="never asked"),
        pytest.param({0: "U"}, "UUUUUUUUUU", id="one state to the end"),
        pytest.param({-50: "U"}, "UUUUUUUUUU", id="the state that held when the period began"),
        pytest.param({-50: "D", -20: "U"}, "UUUUUUUUUU", id="only the last of those"),
        pytest.param({3: "U"}, "   UUUUUUU", id="before it was first asked there is nothing"),
        pytest.param({0: "U", 4: "D", 7: "U"}, "UUUUDDDUUU", id="an outage"),
        pytest.param({0: "U", 4: "P", 7: "U"}, "UUUUPPPUUU", id="a pause is no blindness"),
        pytest.param({0: "U", 15: "D"}, "UUUUUUUUUU", id="what came after the period"),
    ],
)
def test_a_site_s_states_cover_the_period_from_the_first_on(script: dict[int, str], line: str) -> None:
    assert seen(script) == line


@pytest.mark.parametrize(
    ("script", "last_cycle", "holes", "line"),
    [
        pytest.param({0: "U"}, 20, [(3, 6)], "UUUU??UUUU", id="from when a check was due to the first one after"),
        pytest.param({0: "D"}, 20, [(3, 6)], "DDDD??DDDD", id="whatever the state before"),
        pytest.param({0: "U", 6: "D"}, 20, [(3, 6)], "UUUU??DDDD", id="and after"),
        pytest.param({0: "U", 5: "D"}, 20, [(3, 6)], "UUUU??DDDD", id="and in it"),
        pytest.param({0: "U"}, 20, [(-9, 2), (4, 7)], "??UUU??UUU", id="two of them"),
        pytest.param({0: "U"}, 20, [(8, 12)], "UUUUUUUUU?", id="one that goes on after the period"),
        pytest.param({0: "U", 2: "P", 8: "U"}, 20, [(1, 9)], "UUPPPPPP?U", id="a pause needs nobody to confirm it"),
        pytest.param({0: "U"}, -9, [], "??????????", id="nothing since long before"),
        pytest.param({0: "U", 3: "P"}, -9, [], "???PPPPPPP", id="nothing since, but paused"),
        pytest.param({0: "U"}, 9, [], "UUUUUUUUUU", id="the newest cycle may still be on its way"),
    ],
)
def test_time_in_which_a_prober_or_the_whole_noc_did_not_run_is_unknown(
    script: dict[int, str], last_cycle: int, holes: list[tuple[int, int]], line: str
) -> None:
    assert seen(script, last_cycle, holes) == line


@pytest.mark.parametrize(
    ("script", "line"),
    [
        pytest.param({0: "U", 300: "D", 6: "U"}, "UUUUUDUUUU", id="a minute ahead, then put right: it keeps a length"),
        pytest.param({0: "U", 10**8: "g", 4: "D", 7: "U"}, "UUUgDDDUUU", id="years ahead"),
        pytest.param({0: "U", 90: "D", 80: "g", 7: "U"}, "UUUUUDgUUU", id="two of them, in their order"),
        pytest.param({300: "U", 2: "D", 5: "U"}, " UDDDUUUUU", id="ahead at its start"),
    ],
)
def test_a_wall_clock_that_was_wrong_and_then_put_right_hides_no_state_and_leaves_each_a_length(
    script: dict[int, str], line: str
) -> None:
    assert seen(script) == line


def test_a_longer_interval_in_force_then_makes_a_silence_of_what_was_one_cycle() -> None:
    """Every 5 s until second 5, every second from then on: a hole of 5 s is none where nothing was due."""
    in_force = InForce(TARGET, [Defined(second(-99), replace(TARGET, interval_s=5)), Defined(second(5), TARGET)])
    holes = [Hole(second(0), second(5)), Hole(second(6), second(9))]
    found = site_intervals(known({0: "U"}), holes, second(20), START, second(10), in_force)
    assert drawn(found) == "UUUUUUU??U"


@pytest.mark.parametrize(
    ("lines", "policy", "together"),
    [
        pytest.param(["UUUUDDUU"], "majority", "UUUUDDUU", id="one site is the verdict"),
        pytest.param(["UUDDDDUU", "UUUUDDDD"], "majority", "UUppDDpp", id="both must agree"),
        pytest.param(["UUDDDDUU", "UUUUDDDD"], "any", "UUDDDDDD", id="by the target's policy"),
        pytest.param(["DDDDUUUU", "????????"], "majority", "DDDDUUUU", id="a blind site leaves the count"),
        pytest.param(["DDDDUUUU", "    UUUU"], "all", "DDDDUUUU", id="and so does one that was not asked yet"),
        pytest.param(["????", "????"], "majority", "????", id="all blind"),
        pytest.param(["PPUU", "PPPP"], "majority", "PPUU", id="paused where all are"),
        pytest.param([], "majority", "", id="no site"),
    ],
)
def test_sites_are_merged_second_by_second(lines: list[str], policy: str, together: str) -> None:
    by_site = {f"s{n}": _parsed(line) for n, line in enumerate(lines)}
    assert drawn(overall(InForce(replace(TARGET, policy=policy)), by_site, {})) == together


@pytest.mark.parametrize(
    ("definitions", "lines", "parents", "together"),
    [
        pytest.param(
            {0: {"policy": "all"}, 4: {"policy": "any"}}, ["DDDDDDDD", "UUUUUUUU"], {}, "ppppDDDD", id="the policy"
        ),
        pytest.param(
            {0: {}, 2: {"parents": ["up"]}, 6: {"parents": ["down"]}},
            ["DDDDDDDD"],
            {"up": "UUUUUUUU", "down": "DDDDDDDD"},
            "DDDDDDnn",
            id="the parents",
        ),
        pytest.param({0: {"parents": ["a"]}}, ["UUDDDDUU"], {"a": "UUUDDUUU"}, "UUDnnDUU", id="how its parent was"),
        pytest.param({0: {"parents": ["a"]}}, ["DDDD"], {"a": "nn??"}, "nnDD", id="a parent unreachable itself"),
        pytest.param({0: {"sites": ["s0"]}, 4: {"sites": ["s1"]}}, ["DDDDDDDD", "UUUUUUUU"], {}, "DDDDUUUU", id="the sites"),
        pytest.param({0: {}, 3: {"paused": True}, 5: {}}, ["UUUUUUUU"], {}, "UUUPPUUU", id="a pause"),
        pytest.param({0: {}, 3: None, 6: {}}, ["UUUUUUUU"], {}, "UUU   UU", id="in no catalogue: not drawn"),
        pytest.param({5: {"policy": "any"}}, ["DDDD", "UUUU"], {}, "DDDD", id="before the first that is known, itself"),
    ],
)  # fmt: skip
def test_every_moment_is_judged_by_the_definitions_of_that_time(
    definitions: dict[int, dict[str, object] | None], lines: list[str], parents: dict[str, str], together: str
) -> None:
    past = [
        Defined(second(at), None if changes is None else replace(TARGET, **changes))
        for at, changes in definitions.items()
    ]
    by_site = {f"s{n}": _parsed(line) for n, line in enumerate(lines)}
    above = {name: _parsed(line) for name, line in parents.items()}
    in_force = InForce(replace(TARGET, policy="all"), past)
    assert drawn(overall(in_force, by_site, above)) == together
    assert drawn(overall(in_force, by_site, above, explained=False)) == together


def _parsed(line: str) -> list[Interval]:
    return [
        Interval(second(at), second(at + len(run)), VERDICTS[letter], "a sentence")
        for letter, group in itertools.groupby(enumerate(line), key=lambda one: one[1])
        for run in [list(group)]
        for at in [run[0][0]]
        if letter != " "
    ]


@given(st.lists(st.text("UgD?", min_size=12, max_size=12), min_size=1, max_size=4))
def test_merging_matches_judging_every_second_by_itself(lines: list[str]) -> None:
    by_site = {f"s{n}": _parsed(line) for n, line in enumerate(lines)}
    reference = "".join(
        SHOWN[decide(TARGET, {f"s{n}": Vote(LETTERS[line[at]], "") for n, line in enumerate(lines)}, {}).state]
        for at in range(12)
    )
    assert drawn(overall(ALWAYS, by_site, {})) == reference


def test_uptime_counts_measured_seconds_only() -> None:
    uptime = account(_parsed("UUUUggDD??PP"))
    assert uptime.uptime_pct == pytest.approx(75.0)
    assert uptime.seconds[VerdictState.UP] == 4
    assert uptime.seconds[VerdictState.UNKNOWN] == 2
    assert [(one.start, one.seconds) for one in uptime.outages] == [(second(6), 2.0)]


@pytest.mark.parametrize(
    ("profile", "uptime_pct", "outages"),
    [("standard", 75, 1), ("partial-is-down", 50, 2), ("unreachable-is-down", 60, 1), ("strict", 40, 2)],
)
def test_partial_and_unreachable_count_as_a_named_profile_says(profile: str, uptime_pct: float, outages: int) -> None:
    """Two seconds each of UP, PARTIAL, DOWN, UNREACHABLE and UNKNOWN, and two of DEGRADED."""
    uptime = account(_parsed("UUppggDDnn??"), PROFILES[profile])
    expected = {"standard": 6 / 8, "partial-is-down": 4 / 8, "unreachable-is-down": 6 / 10, "strict": 4 / 10}
    assert uptime.uptime_pct == pytest.approx(100 * expected[profile]) == pytest.approx(uptime_pct)
    assert len(uptime.outages) == outages


def test_time_behind_a_parent_that_is_down_is_no_outage_and_ends_one() -> None:
    uptime = account(_parsed("DDnnDUUUD"))
    assert [(one.start, one.seconds) for one in uptime.outages] == [(second(0), 2), (second(4), 1), (second(8), 1)]
    assert uptime.seconds[VerdictState.UNREACHABLE] == 2
    assert uptime.uptime_pct == pytest.approx(100 * 3 / 7)


def test_nothing_measured_has_no_uptime() -> None:
    assert account(_parsed("????")).uptime_pct is None


def test_a_millisecond_down_in_ten_years_is_not_100_percent() -> None:
    seconds = dict.fromkeys(VerdictState, 0.0) | {VerdictState.UP: 315_360_000.0, VerdictState.DOWN: 0.001}
    assert (percent(seconds) or 0) < 100
    assert percent(seconds | {VerdictState.DOWN: 0.0}) == 100


def test_coverage_is_how_much_of_the_period_was_measured() -> None:
    assert coverage_pct(account(_parsed("    UUDn??P")).seconds, 11) == pytest.approx(100 * 4 / 11)
    assert coverage_pct(account(_parsed("UUUU")).seconds, 4) == 100
    assert coverage_pct(account([]).seconds, 4) == 0


@given(st.text("UgD?P n", min_size=1, max_size=80))
def test_the_parts_always_add_up_to_the_time_there_was_something_to_see(line: str) -> None:
    uptime = account(_parsed(line))
    assert sum(uptime.seconds.values()) == pytest.approx(len(line) - line.count(" "))
    assert sum(one.seconds for one in uptime.outages) == pytest.approx(line.count("D"))


def test_a_long_timeline_is_added_up_second_by_second() -> None:
    """Uptime of many short outages is their seconds, whatever the number of checks was."""
    line = ("U" * 97 + "D" * 3) * 50
    uptime = account(_parsed(line))
    assert uptime.uptime_pct == pytest.approx(97.0)
    assert len(uptime.outages) == 50
