"""What late data shows, judged as it was then, and what of it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest

from noc_bus.messages import Covered, Incident, Maintenance, Member, SiteState, State, Target, VerdictState
from noc_bus.time import HOUR_MS, Time
from noc_rules.incident import IncidentKind
from noc_rules.late import SOMEBODY, LateState, as_it_was, found, is_late_outage, overlap, without
from noc_rules.rehearsal import Said, Settings, play
from noc_rules.timeline import Interval

T0: Final = Time.parse("2026-11-24T12:00:00.000Z")
NOW: Final = Time(T0 + 3 * HOUR_MS)
U, D, B, X = State.UP, State.DOWN, State.DEGRADED, State.UNKNOWN


class Seen(NamedTuple):
    why: str
    states: Sequence[tuple[int, State]]
    told: bool | None
    """None: no incident."""
    options: Mapping[str, Any] = MappingProxyType({})
    late: str = "a"
    windows: tuple[tuple[int, int], ...] = ()


CASES: Final = [
    Seen("an outage that is over", [(600, D), (900, U)], told=True),
    Seen("shorter than others are waited for", [(600, D), (608, U)], told=True),
    Seen("one that nobody saw the end of until the site looked again", [(600, D), (900, X), (1800, U)], told=True),
    Seen("seen again as DOWN before it was over", [(600, D), (900, X), (1800, D), (2000, U)], told=True),
    Seen("a moment before the site saw nothing any more", [(600, D), (604, X), (1800, U)], told=None),
    Seen("it goes on", [(600, D)], told=None),
    Seen("only other targets' data came late", [(600, D), (900, U)], told=None, late="b"),
    Seen("in maintenance", [(600, D), (900, U)], told=False, windows=((300, 1200),)),
    Seen("longer than the maintenance", [(600, D), (1500, U)], told=True, windows=((300, 1200),)),
    Seen("only critical targets are mailed", [(600, D), (900, U)], told=False, options={"mail_only_critical": True}),
    Seen("degraded, which is no incident by itself", [(600, B), (900, U)], told=None),
    Seen("degraded where that is one", [(600, B), (900, U)], told=True, options={"mail_degraded": True}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.why)
def test_what_counts_is_over_would_have_been_an_incident_and_came_late(case: Seen) -> None:
    known = [(0, U), *case.states]
    said = [
        Said(T0 + at_s * 1000, Interval(Time(T0 + at_s * 1000), NOW, VerdictState(state), "as seen"))
        for at_s, state in known
    ]
    windows = {
        f"w{number}": [(0, Maintenance(id=f"w{number}", title="Works", covers=[Covered(kind="target", name="a")], at=T0,
                                       starts_at=Time(T0 + start * 1000), ends_at=Time(T0 + end * 1000)))]
        for number, (start, end) in enumerate(case.windows)
    }  # fmt: skip
    target = Target(id="a", name="a", address="192.0.2.1", **case.options)
    # A site confirms what it sees, so that a window that ends while it is bad is noticed.
    played = play(Settings({"a": target}, SOMEBODY), {"a": {"west": said}}, T0, NOW, maintenances=windows)
    late = [LateState(case.late, "west", Time(T0 + at_s * 1000)) for at_s, state in case.states if state in (D, B)]
    result = found(played, late, NOW)
    assert [one.found_at for one in result.incidents] == ([] if case.told is None else [NOW])
    assert [one.id not in result.quiet for one in result.incidents] == ([] if case.told is None else [case.told])


@pytest.mark.parametrize(
    ("state", "code", "age_s", "expected"),
    [
        (D, None, 61, True), (D, None, 60, False), (B, None, 61, True), (U, None, 3600, False), (X, None, 3600, False),
        (X, "no-address", 61, True),
    ],
)  # fmt: skip
def test_a_state_came_late_when_it_was_no_news_any_more(
    state: State, code: str | None, age_s: int, expected: bool
) -> None:
    since = Time(NOW - age_s * 1000)
    one = SiteState(site="w", target="a", epoch=1, seq=1, state=state, since=since, reason="", code=code, at=since)
    assert is_late_outage(one, NOW) is expected


class Defined(NamedTuple):
    since: Time
    target: Target | None


def named(name: str, policy: str) -> Target:
    return Target(id="a", name=name, address="192.0.2.1", policy=policy)


@pytest.mark.parametrize(
    ("now", "recorded", "expected"),
    [
        pytest.param(named("new", "all"), [], ("new", "all"), id="nothing is recorded: as it is"),
        pytest.param(named("new", "all"), [(2, "any")], ("new", "any"), id="as it was first, before that"),
        pytest.param(named("new", "all"), [(0, "any"), (2, "all")], ("new", "any"), id="edited since"),
        pytest.param(None, [(0, "any"), (2, None)], ("old", "any"), id="deleted since"),
        pytest.param(
            named("new", "all"), [(0, None), (2, "all")], None, id="made since, under a name there was before"
        ),
        pytest.param(None, [], None, id="in no catalogue"),
    ],
)
def test_a_target_is_judged_as_it_was_and_named_as_it_is(
    now: Target | None, recorded: list[tuple[int, str | None]], expected: tuple[str, str] | None
) -> None:
    definitions = [
        Defined(Time(T0 + hours * HOUR_MS), (policy and named("old", policy)) or None) for hours, policy in recorded
    ]
    target = as_it_was(now, definitions, Time(T0 + HOUR_MS))
    assert (target and (target.name, target.policy)) == expected


def member(start_s: int, end_s: int | None, name: str = "a") -> Member:
    left = None if end_s is None else Time(T0 + end_s * 1000)
    return Member(target=name, name=name, joined_at=Time(T0 + start_s * 1000), left_at=left)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param((600, 900), True, id="the same"),
        pytest.param((700, 800), True, id="noticed later, over sooner"),
        pytest.param((100, 301), True, id="over less than five minutes before"),
        pytest.param((100, 299), False, id="over long before"),
        pytest.param((1200, 1300), True, id="less than five minutes after"),
        pytest.param((1201, 1300), False, id="long after"),
        pytest.param((100, None), True, id="open since before"),
        pytest.param((2000, None), False, id="opened long after"),
    ],
)
def test_an_outage_is_known_where_an_incident_of_that_time_has_the_target(
    live: tuple[int, int | None], expected: bool
) -> None:
    one, other = member(600, 900), member(*live)
    assert overlap(one, other) is overlap(other, one) is expected


def test_what_is_left_of_an_incident_has_the_times_of_those_that_are_left() -> None:
    members = [member(0, 900), member(100, 500, "b"), member(200, 700, "c")]
    incident = Incident(
        id="i", kind=IncidentKind.TARGET_DOWN, targets=["a", "b", "c"], members=members, total_members=500,
        opened_at=T0, resolved_at=Time(T0 + 900_000), cause="DOWN",
    )  # fmt: skip
    left = without(incident, ["a"])
    assert left is not None
    assert (left.targets, left.total_members) == (["b", "c"], 499)
    assert (left.opened_at - T0, (left.resolved_at or 0) - T0) == (100_000, 700_000)
    assert without(incident, ["a", "b", "c"]) is None
