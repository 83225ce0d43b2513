"""Timelines cover the period exactly, and uptime adds up to the second."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.messages import State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.calendar import Span
from noc_rules.timeline import InForce, Interval, overall, site_intervals
from noc_rules.uptime import PROFILES, STANDARD, Profile, Uptime, account, together
from noc_rules.verdict import Vote, decide
from tests.rules.records import Defined, Hole, Known

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
        pytest.param(
            {0: {"parent_groups": ["a|b", "c"]}, 4: {"parent_groups": ["a|b"]}},
            ["DDDDDDDD"],
            {"a": "DDDDDDDD", "b": "UUDUUDDU", "c": "DUUUDDUU"},
            "nDnDDnnD",
            id="groups of parents",
        ),
        pytest.param(
            {0: {"site_parents": ["s0:a", "s1:b"]}, 6: {"parents": ["a"]}},
            ["UDDDDDDD", "UUDDDDDD"],
            {"a": "DDDDDUDD", "b": "UDUDDDUU"},
            "UpDnnDnn",
            id="parents by site",
        ),
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
    # Of each parent every site sees what the verdict says.
    seen = {name: dict.fromkeys(by_site, _parsed(line.replace("n", "D"))) for name, line in parents.items()}
    assert drawn(overall(in_force, by_site, above, seen)) == together
    assert drawn(overall(in_force, by_site, above, seen, explained=False)) == together


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


def counted(line: str, profile: Profile = STANDARD, hours: str | None = None, windows: str = "") -> Uptime:
    """A letter for each second of the period; in `hours` and `windows` a mark where they are."""
    spans = None if hours is None else marked(hours)
    period = Span(second(0), second(len(line)))
    return account(_parsed(line), period, profile, hours=spans, maintenance=marked(windows))


def marked(line: str) -> list[Span]:
    runs = itertools.groupby(enumerate(line), key=lambda one: one[1] != " ")
    found = [list(run) for is_marked, run in runs if is_marked]
    return [Span(second(run[0][0]), second(run[-1][0] + 1)) for run in found]


def test_uptime_counts_measured_seconds_only() -> None:
    uptime = counted("UUUUggDD??PP")
    assert uptime.uptime_pct == pytest.approx(75.0)
    assert uptime.ms[VerdictState.UP] == 4000
    assert uptime.ms[VerdictState.UNKNOWN] == 2000
    assert [(one.start, one.ms) for one in uptime.outages] == [(second(6), 2000)]


@pytest.mark.parametrize(
    ("profile", "up_s", "down_s", "outages"),
    [
        ("standard", 6, 2, 1),
        ("partial-is-down", 4, 4, 2),
        ("unreachable-is-down", 6, 4, 1),
        ("strict", 4, 6, 2),
        ("maintenance-counts", 8, 3, 2),
        ("unknown-is-up", 8, 2, 1),
        ("unknown-is-down", 6, 4, 2),
        ("worst-case", 6, 9, 3),
    ],
)
def test_partial_unreachable_maintenance_and_blind_time_count_as_a_named_profile_says(
    profile: str, up_s: int, down_s: int, outages: int
) -> None:
    """Two seconds each of UP, PARTIAL, DEGRADED, DOWN, UNREACHABLE and UNKNOWN; then a window over UP and DOWN."""
    uptime = counted("UUppggDDnn??UUD", PROFILES[profile], windows=" " * 12 + "xxx")
    assert (uptime.up_ms, uptime.down_ms) == (1000 * up_s, 1000 * down_s)
    assert uptime.uptime_pct == pytest.approx(100 * up_s / (up_s + down_s))
    assert len(uptime.outages) == outages


@pytest.mark.parametrize(
    ("line", "windows", "maintenance_s", "outages"),
    [
        pytest.param("UUDDDDUU", "   x", 1, [(2, 1), (4, 2)], id="a window in an outage makes two of it"),
        pytest.param("UUDDDDUU", "  xxxx", 4, [], id="an outage all in one"),
        pytest.param("UUPPPPUU", " xxx", 1, [], id="a pause is a pause, also in a window"),
        pytest.param("  UUUU", "xxx", 1, [], id="before it was first asked there is nothing to maintain"),
        pytest.param("UU????UU", "   xx", 2, [], id="what nobody saw, in a window"),
    ],
)
def test_a_maintenance_window_covers_what_was_measured(
    line: str, windows: str, maintenance_s: int, outages: list[tuple[int, int]]
) -> None:
    uptime = counted(line, windows=windows)
    assert uptime.ms[VerdictState.MAINTENANCE] == 1000 * maintenance_s
    assert [((one.start - START) / 1000, one.seconds) for one in uptime.outages] == outages
    assert uptime.measured_ms == counted(line).measured_ms, "in a window somebody looked as before"


def test_windows_may_overlap_and_reach_out_of_the_period() -> None:
    windows = [
        Span(second(-9), second(3)),
        Span(second(2), second(4)),
        Span(second(2), second(3)),
        Span(second(7), second(99)),
    ]
    uptime = account(_parsed("UUUUUUUU"), Span(second(0), second(8)), maintenance=windows)
    assert uptime.ms[VerdictState.MAINTENANCE] == 5000


def test_outside_of_the_hours_nothing_counts_and_an_outage_goes_on_over_the_night() -> None:
    uptime = counted("UUDDDDDDUUDU  ", hours=" xxx  xxx  xxx")
    assert (uptime.up_ms, uptime.down_ms) == (3000, 4000)
    assert [((one.start - START) / 1000, (one.end - START) / 1000, one.seconds) for one in uptime.outages] == [
        (2, 8, 4)
    ]
    assert (uptime.unmonitored_ms, uptime.off_hours_ms) == (2000, 5000)


def test_time_behind_a_parent_that_is_down_is_no_outage_and_ends_one() -> None:
    uptime = counted("DDnnDUUUD")
    assert [(one.start, one.seconds) for one in uptime.outages] == [(second(0), 2), (second(4), 1), (second(8), 1)]
    assert uptime.ms[VerdictState.UNREACHABLE] == 2000
    assert uptime.uptime_pct == pytest.approx(100 * 3 / 7)


def test_nothing_measured_has_no_uptime() -> None:
    assert counted("????").uptime_pct is None


def test_a_millisecond_down_in_ten_years_is_not_100_percent() -> None:
    ten_years_ms = 315_360_000_000
    line = [
        Interval(Time(0), Time(1), VerdictState.DOWN, ""),
        Interval(Time(1), Time(ten_years_ms), VerdictState.UP, ""),
    ]
    assert (account(line, Span(0, ten_years_ms)).uptime_pct or 0) < 100
    assert account(line[1:], Span(0, ten_years_ms)).uptime_pct == 100


def test_coverage_is_how_much_of_the_period_was_measured() -> None:
    assert counted("    UUDn??P").coverage_pct == pytest.approx(100 * 4 / 11)
    assert counted("UUUU").coverage_pct == 100
    assert counted("    ").coverage_pct == 0
    assert counted("UU??", hours="xx").coverage_pct == 100, "of the hours"


def test_repair_failure_and_budget_figures_are_of_the_time_that_counts() -> None:
    uptime = counted("UUUUDUUUUUDDDUU??")
    assert (uptime.mttr_ms, uptime.mtbf_ms, uptime.longest_ms) == (2000, 5500, 3000)
    assert counted("UU").mttr_ms is None
    budget = uptime.budget(80)
    assert [budget.allowed_ms, budget.left_ms] == pytest.approx([3000, -1000])


def test_several_targets_together_are_the_sums_of_their_time() -> None:
    found = together([counted("UUUD"), counted("??UU"), counted("  UU")])
    assert (found.up_ms, found.down_ms, found.unmonitored_ms, found.measured_ms) == (7000, 1000, 2000, 8000)
    assert found.coverage_pct == pytest.approx(100 * 8 / 12)
    assert len(found.outages) == 1


@given(
    st.text("UgD?P n", min_size=1, max_size=80),
    st.text("x ", max_size=80),
    st.text("x ", max_size=80),
    st.sampled_from(sorted(PROFILES)),
)
def test_the_parts_always_add_up_to_the_period(line: str, hours: str, windows: str, profile: str) -> None:
    uptime = counted(line, PROFILES[profile], hours[: len(line)], windows)
    assert sum(uptime.ms.values()) + uptime.unmonitored_ms + uptime.off_hours_ms == 1000 * len(line)
    assert sum(one.ms for one in uptime.outages) == uptime.down_ms
    assert counted(line).unmonitored_ms == 1000 * line.count(" ")


def test_a_long_timeline_is_added_up_second_by_second() -> None:
    """Uptime of many short outages is their seconds, whatever the number of checks was."""
    uptime = counted(("U" * 97 + "D" * 3) * 50)
    assert uptime.uptime_pct == pytest.approx(97.0)
    assert len(uptime.outages) == 50
