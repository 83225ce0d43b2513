"""What every store promises, whatever keeps the bytes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.messages import Mark, ProbeResult, State, Target
from noc_bus.time import DAY_MS, HOUR_MS, Time
from noc_history.inspection import check
from noc_history.packing import unpack
from noc_history.rollups import unpack_rollups
from noc_history.sketch import ERROR, Sketch
from noc_history.sqlite import SqliteStore
from noc_history.store import (
    PERCENTS,
    Batch,
    Bucket,
    Codes,
    Day,
    Definition,
    Point,
    Silence,
    StateRecord,
    Store,
    Written,
)
from noc_history.sums import UNIT_MS
from noc_rules.estimate import Assumed, estimated
from noc_rules.timeline import InForce, noted
from tests.history.conftest import open_store
from tests.history.files import TARGETS, charts, days_ago, drawn, some_cycles, write
from tests.history.records import T0, at, cycle, incident, state, trace
from tests.parts.examples import up_to
from tests.parts.site import T0 as BEGINS
from tests.parts.site import Path as Between
from tests.parts.site import outages

_each_example_has_names_of_its_own = settings(
    max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_numbers = count()


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.marks() == {}
    assert store.series("router", at(0), at(100), 10) == {}
    assert store.states(None, at(0), at(100)) == {}
    assert list(store.incidents(at(0), at(100))) == []


def test_with_enough_points_each_cycle_is_its_own_at_its_own_millisecond(store: Store) -> None:
    assert store.write(Batch(results=[cycle(0, [1.5, 2.5]), cycle(10.001, [])])) == Written(2)
    assert store.series("router", at(0), at(60), 100) == {
        "here": [Point(at(0), 1, 0, 5, 2, 1.5, 2.0, 2.5), Point(at(10.001), 1, 0, 5, 0, None, None, None)]
    }


def test_the_period_takes_its_start_and_leaves_its_end(store: Store) -> None:
    store.write(Batch(results=[cycle(second) for second in (9.999, 10, 19.999, 20)]))
    assert [point.at for point in store.series("router", at(10), at(20), 100)["here"]] == [at(10), at(19.999)]


def test_what_was_stored_is_there_for_the_next_to_open_it(url: str, store: Store) -> None:
    store.write(Batch(results=[cycle(0)], states=[state(0, State.UP)], marks=[mark(7)]))
    store.close()
    again = open_store(url)
    assert len(again.series("router", at(0), at(60), 100)["here"]) == 1
    assert again.marks() == {"here": mark(7)}
    again.close()


def test_a_batch_written_three_times_is_stored_once(store: Store) -> None:
    batch = Batch(
        results=[cycle(second, seq=second) for second in range(50)],
        states=[state(second, State.UP, seq=100 + second) for second in range(5)],
        incidents=[incident("one", 1)],
        marks=[mark(104)],
    )
    for _ in range(3):
        assert not store.write(batch).rejected
    (point,) = store.series("router", at(0), at(50), 1)["here"]
    assert (point.cycles, point.sent, point.received) == (50, 250, 150)
    assert len(store.states(["router"], at(0), at(50))["router"]["here"].states) == 5
    assert len(store.incidents(at(0), at(50))) == 1


def summed_up(store: Store) -> Store:
    """What a store does beside writing, until nothing is left of it."""
    while store.maintain(Time(0), 5.0).backlog_rows:
        pass
    return store


def test_a_period_of_many_targets_is_summed_up_over_all_sites_by_whole_hours(store: Store) -> None:
    hour_s, some = 3600, [1.0, 2.0, 3.0, 4.0]
    written = [
        *(cycle(second, some, site=site, target=target) for second in range(0, 3 * hour_s, 600)
          for site in ("here", "there") for target in ("router", "switch")),
        cycle(5, [], invalid="late", target="router"),
        cycle(hour_s * 30, [9.0], target="switch"),
    ]  # fmt: skip
    store.write(Batch(results=written))
    summed_up(store)
    start = at(-7 * 60)
    found = store.totals(None, start, at(2 * hour_s))
    first, last = start // HOUR_MS * HOUR_MS, at(2 * hour_s) // HOUR_MS * HOUR_MS
    for target in ("router", "switch"):
        of_period = [one for one in written if one.target == target and first <= one.at < last]
        valid = [one for one in of_period if one.invalid is None]
        rtts_us = [round(rtt * 1000) for one in valid for rtt in one.rtts_ms]
        total = found[target]
        assert (total.start, total.cycles, total.invalid) == (first, len(of_period), len(of_period) - len(valid))
        assert (total.sent, total.received) == (5 * len(valid), len(rtts_us))
        assert (total.sum_us, total.low_us, total.high_us) == (sum(rtts_us), min(rtts_us), max(rtts_us))
        assert Sketch.decode(total.sketch) == Sketch.of(rtts_us)
    assert store.totals(["switch", "nothing"], start, at(2 * hour_s)) == {"switch": found["switch"]}
    # Of a period with whole days in it, the same as of its hours.
    of_days = store.totals(["switch"], Time(T0 - 50 * HOUR_MS), Time(T0 + 50 * HOUR_MS))["switch"]
    assert (of_days.cycles, of_days.high_us) == (37, 9000)
    assert store.totals([], start, at(2 * hour_s)) == {}


def test_codes_are_counted_by_site_whether_their_hour_is_over_or_not(store: Store) -> None:
    late = replace(cycle(0, invalid="late schedule"), invalid_code="late-schedule")
    no_route = replace(cycle(0, []), errors=["no route", "no route"], error_codes=["no-route", "no-route"])
    both = replace(late, errors=["no route"], error_codes=["no-route"])
    written = [
        replace(one, at=at(second), seq=second)
        for second, one in enumerate([late, late, both, no_route, cycle(0), cycle(0, invalid="of an older version")])
    ]
    elsewhere = [
        replace(both, site="there", at=Time(Time.now() - 5000)),
        cycle(0, site="quiet"),
        cycle(9999, target="x"),
    ]
    for _ in range(2):
        store.write(Batch(results=[*written, *elsewhere]))
    here = Codes({"late-schedule": 3, "": 1}, {"no-route": 3})
    there = Codes({"late-schedule": 1}, {"no-route": 1})
    assert store.codes("router", None, at(0), Time.now()) == {"here": here, "there": there}
    assert store.codes("router", ["there"], at(0), Time.now()) == {"there": there}
    assert store.codes("router", None, at(0), at(2)) == {"here": Codes({"late-schedule": 2}, {})}
    assert store.codes("nothing", None, at(0), Time.now()) == {}


def test_every_raw_cycle_can_be_read_again(store: Store) -> None:
    day_s = 86_400
    late = replace(cycle(7), invalid="late-schedule", invalid_code="late-schedule")
    written = [
        *(cycle(n * day_s / 2 - day_s, [n + 0.125, 2.5], seq=n) for n in range(4)),
        replace(late, errors=["no-route"], error_codes=["no-route"], seq=9),
        cycle(3, [], site="there", seq=1),
    ]
    store.write(Batch(results=[*written, cycle(0, target="other")]))
    summed_up(store)
    expected = [replace(one, epoch=0, address="") for one in sorted(written, key=lambda one: (one.site, one.at))]
    assert list(store.raw_cycles("router", at(-3 * day_s), at(2 * day_s))) == expected
    assert list(store.raw_cycles("router", at(5), at(8))) == [one for one in expected if one.seq == 9]
    assert list(store.raw_cycles("nothing", at(-3 * day_s), at(2 * day_s))) == []


def test_days_of_many_targets_are_counted_apart(store: Store) -> None:
    day_s = 86_400
    cycles = [cycle(day * day_s + second, [1.0], site=site) for day in (0, 2) for second in (0, 7200) for site in "ab"]
    store.write(Batch(results=[*cycles, cycle(2 * day_s + 1, [], target="switch", invalid="late")]))
    summed_up(store)
    midnight = T0 // DAY_MS * DAY_MS
    day, later = Day(Time(midnight), 4, 0, 20, 4), Time(midnight + 2 * DAY_MS)
    expected = {"router": [day, day._replace(at=later)], "switch": [Day(later, 1, 1, 0, 0)]}
    assert store.daily(None, at(0), at(3 * day_s)) == expected
    assert store.daily(["switch", "none"], at(0), at(3 * day_s)) == {"switch": expected["switch"]}
    assert store.daily(None, at(day_s), at(2 * day_s - 12 * 3600)) == {}


def test_states_and_incidents_that_are_there_are_not_counted_where_the_store_can_tell(store: Store) -> None:
    batch = Batch(states=[state(0, State.UP, seq=2)], incidents=[incident("one", 1)])
    assert store.write(batch) == Written(2)
    assert store.write(batch).stored == (0 if isinstance(store, SqliteStore) else 2)


def test_late_cycles_fall_into_their_place(store: Store) -> None:
    store.write(Batch(results=[cycle(second, [second]) for second in (30, 10)]))
    store.write(Batch(results=[cycle(second, [second]) for second in (20, 0)]))
    points = store.series("router", at(0), at(60), 100)["here"]
    assert [(point.at, point.rtt_mean_ms) for point in points] == [(at(second), second) for second in (0, 10, 20, 30)]


def test_an_invalid_cycle_is_counted_and_proves_nothing(store: Store) -> None:
    store.write(Batch(results=[cycle(0, [5.0]), cycle(10, [99.0], invalid="late schedule")]))
    (point,) = store.series("router", at(0), at(60), 1)["here"]
    assert point == Point(at(0), 2, 1, 5, 1, 5.0, 5.0, 5.0)


def test_sites_are_told_apart_and_can_be_asked_for(store: Store) -> None:
    store.write(Batch(results=[cycle(0, site="here"), cycle(0, site="there"), cycle(1, site="there", target="other")]))
    assert {site: len(points) for site, points in store.series("router", at(0), at(9), 9).items()} == {
        "here": 1,
        "there": 1,
    }
    assert list(store.series("router", at(0), at(9), 9, site="there")) == ["there"]


def test_a_thousand_records_in_one_batch_all_arrive(store: Store) -> None:
    store.write(Batch(results=[cycle(n, target=f"host-{n % 10}", site=f"site-{n % 3}") for n in range(1000)]))
    found = [store.series(f"host-{n}", at(0), at(1000), 1) for n in range(10)]
    assert sum(points[0].cycles for sites in found for points in sites.values()) == 1000


@_each_example_has_names_of_its_own
@given(
    cycles=st.dictionaries(
        st.integers(0, 59_999),
        st.tuples(st.lists(st.integers(1, 4_000_000), max_size=5), st.booleans()),
        min_size=1,
        max_size=30,
    ),
    start_ms=st.integers(0, 30_000),
    length_ms=st.integers(1, 40_000),
    points=st.integers(1, 40),
)
def test_downsampling_equals_the_plain_sums(
    store: Store, cycles: dict[int, tuple[list[int], bool]], start_ms: int, length_ms: int, points: int
) -> None:
    target = f"sampled-{next(_numbers)}"
    results = [
        cycle(ms / 1000, [us / 1000 for us in rtts_us], target=target, invalid=None if is_valid else "late")
        for ms, (rtts_us, is_valid) in cycles.items()
    ]
    store.write(Batch(results=results))
    start, end = Time(T0 + start_ms), Time(T0 + start_ms + length_ms)
    found = store.series(target, start, end, points).get("here", [])
    expected = plain_sums(results, start, end, points)
    assert len(found) == len(expected) <= points
    for one, other in zip(found, expected, strict=True):
        assert (one.at, one.cycles, one.invalid, one.sent, one.received) == (
            other.at,
            other.cycles,
            other.invalid,
            other.sent,
            other.received,
        )
        for rtt_ms, other_ms in (
            (one.rtt_min_ms, other.rtt_min_ms),
            (one.rtt_mean_ms, other.rtt_mean_ms),
            (one.rtt_max_ms, other.rtt_max_ms),
        ):
            assert rtt_ms == (None if other_ms is None else pytest.approx(other_ms))


def plain_sums(results: Sequence[ProbeResult], start: Time, end: Time, points: int) -> list[Point]:
    """The same in the most obvious words."""
    chosen = sorted((one for one in results if start <= one.at < end), key=lambda one: one.at)
    width = 1 if len(chosen) <= points else -(-(end - start) // points)
    slices: dict[int, list[ProbeResult]] = {}
    for one in chosen:
        slices.setdefault((one.at - start) // width, []).append(one)
    sums = []
    for number, members in slices.items():
        valid = [one for one in members if one.invalid is None]
        rtts_ms = [rtt for one in valid for rtt in one.rtts_ms]
        sums.append(
            Point(
                Time(start + number * width),
                len(members),
                len(members) - len(valid),
                sum(one.sent for one in valid),
                sum(one.received for one in valid),
                min(rtts_ms, default=None),
                sum(rtts_ms) / len(rtts_ms) if rtts_ms else None,
                max(rtts_ms, default=None),
            )
        )
    return sums


def test_the_state_that_held_when_the_period_began_comes_first(store: Store) -> None:
    changes = [state(n, kind, seq=n) for n, kind in ((0, State.UP), (50, State.DOWN), (150, State.UP), (250, State.UP))]
    store.write(Batch(states=[*reversed(changes)]))
    found = store.states(["router"], at(100), at(200))["router"]["here"]
    assert [(one.since, one.state) for one in found.states] == [(at(50), "DOWN"), (at(150), "UP"), (at(250), "UP")]


def test_a_state_that_began_with_the_period_is_the_only_one_at_its_begin(store: Store) -> None:
    store.write(Batch(states=[state(0, State.UP, seq=1), state(100, State.DOWN, seq=2), state(200, State.UP, seq=3)]))
    found = store.states(["router"], at(100), at(200))["router"]["here"]
    assert found.states[0] == StateRecord(at(100), "DOWN", "because", None, 1, 2)


def test_a_state_s_code_epoch_and_number_come_back_with_it(store: Store) -> None:
    store.write(Batch(states=[state(1, State.UNKNOWN, reason="not pinged now", code="paused", seq=7)]))
    found = store.states(["router"], at(0), at(9))["router"]["here"]
    assert list(found.states) == [StateRecord(at(1), "UNKNOWN", "not pinged now", "paused", 1, 7)]


def test_two_changes_in_one_millisecond_keep_their_order(store: Store) -> None:
    store.write(Batch(states=[state(50, State.DOWN, seq=8), state(50, State.UNKNOWN, seq=7)]))
    found = store.states(["router"], at(0), at(100))["router"]["here"]
    assert [one.state for one in found.states] == ["UNKNOWN", "DOWN"]


def test_a_refreshed_state_is_one_record(store: Store) -> None:
    store.write(Batch(states=[state(50, State.DOWN, seq=8)]))
    store.write(Batch(states=[state(50, State.DOWN, seq=8)]))
    assert len(store.states(["router"], at(0), at(100))["router"]["here"].states) == 1


def test_the_last_cycle_is_the_newest_inside_the_period_or_not(store: Store) -> None:
    store.write(
        Batch(
            results=[cycle(300), cycle(20)],
            states=[state(10, State.UP, seq=1), state(9000, State.DOWN, seq=2, site="there")],
        )
    )
    found = store.states(["router"], at(0), at(100))["router"]
    assert found["here"].last_cycle == at(300)
    assert store.last_cycles() == {("router", "here"): at(300)}


def test_a_clock_that_ran_ahead_hides_no_silence(store: Store) -> None:
    """One cycle dated years ahead, from a site whose clock was wrong, is not its newest sign of life."""
    years_s = 4 * 365 * 86_400
    store.write(Batch(results=[cycle(0, seq=1), cycle(years_s, seq=2)], states=[state(0, State.UP, seq=3)]))
    assert store.states(["router"], at(0), at(100))["router"]["here"].last_cycle == at(0)
    assert store.last_cycles() == {("router", "here"): at(0)}


def test_two_cycles_that_a_clock_put_back_gave_one_start_are_both_kept(store: Store) -> None:
    first, second = cycle(0, [1.0], seq=10), cycle(0, [3.0, 5.0], seq=70)
    for _ in range(2):
        store.write(Batch(results=[first, second]))
    for points in (1, 100):
        (point,) = store.series("router", at(0), at(9), points)["here"]
        assert (point.cycles, point.sent, point.received) == (2, 10, 3)
        assert (point.rtt_min_ms, point.rtt_max_ms) == (1.0, 5.0)
        assert point.rtt_mean_ms == pytest.approx(3.0)


def test_a_cycle_said_again_under_a_new_epoch_is_the_same_cycle(store: Store) -> None:
    store.write(Batch(results=[cycle(0, seq=3)]))
    store.write(Batch(results=[replace(cycle(0, seq=3), epoch=2)]))
    (point,) = store.series("router", at(0), at(9), 9)["here"]
    assert point.cycles == 1


def test_states_that_a_wrong_clock_dated_ahead_are_given_with_those_that_followed_them(store: Store) -> None:
    years_s = 4 * 365 * 86_400
    states = [state(0, State.UP, seq=1), state(years_s, State.DOWN, seq=2), state(50, State.UP, seq=3)]
    store.write(Batch(states=[*states, state(110, State.DOWN, seq=4)]))
    found = store.states(["router"], at(0), at(100))["router"]["here"].states
    assert sorted(one.seq for one in found) == [1, 2, 3, 4]


def test_silences_of_a_period_are_given_and_one_that_was_taken_back_is_not(store: Store) -> None:
    store.write(
        Batch(
            results=[cycle(0)],
            silences=[Silence("router", "here", at(n), at(n + 50)) for n in (0, 100, 200)],
        )
    )
    store.write(Batch(silences=[Silence("router", "here", at(100), at(160)), Silence("router", "here", at(0), at(0))]))
    found = store.states(["router"], at(20), at(190))["router"]["here"].silences
    assert list(found) == [Silence("router", "here", at(100), at(160))]
    assert sorted(one.start for one in store.silences(at(10))) == [at(100), at(200)]
    assert [one.start for one in store.silences(at(160))] == [at(200)]


def test_definitions_are_kept_as_they_were_from_when_on(store: Store) -> None:
    target = Target(id="router", name="Router 'ä'", address="192.0.2.1", policy="all", parents=["core"])
    kept = [
        Definition("router", at(0), target),
        Definition("router", at(50), replace(target, policy="any")),
        Definition("router", at(90), None),
    ]
    for _ in range(2):
        store.write(Batch(definitions=[*kept, Definition("other", at(1), replace(target, id="other"))]))
    assert list(store.definitions(["router"])["router"]) == kept
    assert sorted(store.definitions(None)) == ["other", "router"]
    assert store.definitions([]) == {}
    assert store.definitions(["unheard-of"]) == {}


def test_states_are_asked_for_by_target_or_for_all(store: Store) -> None:
    names = [f"host-{n}" for n in range(60)]
    store.write(Batch(states=[state(1, State.UP, target=name, seq=n) for n, name in enumerate(names)]))
    assert sorted(store.states(None, at(0), at(9))) == sorted(names)
    assert sorted(store.states(names[:2], at(0), at(9))) == sorted(names[:2])
    assert sorted(store.states(names[:55], at(0), at(9))) == sorted(names[:55])
    assert store.states([], at(0), at(9)) == {}
    assert store.states(["unheard-of"], at(0), at(9)) == {}


@_each_example_has_names_of_its_own
@given(reason=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_any_reason_comes_back_as_it_was(store: Store, reason: str) -> None:
    target = f"reasoned-{next(_numbers)}"
    assert store.write(Batch(states=[state(1, State.DOWN, target=target, reason=reason)])) == Written(1)
    assert store.states([target], at(0), at(9))[target]["here"].states[0].reason == reason


# Ids on the bus are slugs, so no store ever sees such a name; one that does must still not mix two up.
@_each_example_has_names_of_its_own
@given(
    name=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\"), min_size=1)
    | st.sampled_from(["a b", "a,b", "a=b", "a'b", 'a"b', "é=, ü", "#a", "a'; DROP SERIES FROM cycle", "名前"])
)
def test_odd_names_are_told_apart(store: Store, name: str) -> None:
    number = next(_numbers)
    name = f"{name}{number}"
    other = f"other{number}"
    store.write(Batch(results=[cycle(1, target=name, site=name), cycle(2, target=other, site=name)]))
    assert [point.at for point in store.series(name, at(0), at(9), 9)[name]] == [at(1)]
    assert store.states([name], at(0), at(9))[name][name].last_cycle == at(1)


def test_an_incident_is_stored_once_with_its_last_word(store: Store) -> None:
    store.write(Batch(incidents=[incident("one", 10)]))
    store.write(Batch(incidents=[incident("one", 10, cause="no answer at two sites")]))
    assert list(store.incidents(at(0), at(100))) == [incident("one", 10, cause="no answer at two sites")]
    store.write(Batch(incidents=[incident("one", 10, 60)]))
    assert list(store.incidents(at(0), at(100))) == [incident("one", 10, 60)]


def test_a_late_word_of_its_opening_does_not_open_an_incident_again(store: Store) -> None:
    store.write(Batch(incidents=[incident("one", 10, 60)]))
    store.write(Batch(incidents=[incident("one", 10)]))
    assert list(store.incidents(at(0), at(100))) == [incident("one", 10, 60)]


def test_incidents_of_a_period_are_those_open_at_some_moment_of_it(store: Store) -> None:
    store.write(
        Batch(
            incidents=[
                incident("over-before", 0, 50),
                incident("still-open", 10),
                incident("inside", 110, 120),
                incident("later", 200, 210),
            ]
        )
    )
    assert [one.id for one in store.incidents(at(100), at(200))] == ["inside", "still-open"]


def test_what_is_forgotten_is_as_if_it_had_never_been_and_may_begin_anew(
    url: str, store: Store, tmp_path: Path
) -> None:
    """A target, then one site of all others: beside it, nothing changes."""
    cycles, start = days_ago(some_cycles(random.Random(23), 26, every_s=1800), 3)
    target = Target(id="router", name="Router", address="192.0.2.1")

    def batch(*kept: ProbeResult) -> Batch:
        names = sorted({(one.target, one.site) for one in kept})
        return Batch(
            results=kept,
            states=[state(n, State.DOWN, target=of, site=site) for of, site in names for n in range(3)],
            silences=[Silence(of, site, at(0), at(60)) for of, site in names],
            traces=[trace(0, "10.0.0.1", target=of, site=site) for of, site in names],
            definitions=[Definition(of, at(0), replace(target, id=of)) for of in sorted({one for one, _ in names})],
        )

    def look(one: Store) -> list[object]:
        end = Time(start + 5 * DAY_MS)
        return [
            drawn(one), charts(one, start, end, 300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS), one.totals(None, start, end),
            one.daily(None, start, end), one.traces(None, at(0), at(9)), one.last_cycles(), one.targets(),
            {of: list(found) for of, found in one.definitions(None).items()},
            {(of, site): list(found.states) for of, sites in one.states(None, at(0), at(9)).items() for site, found in sites.items()},
            sorted(one.silences(at(0)), key=str),
            [found._replace(rollup=found.rollup._replace(series=0)) for of in TARGETS for found in one.sums(of, start, end)],
        ]  # fmt: skip

    def worked(one: Store) -> Store:
        # Who is there already waits for more that comes late.
        other = SqliteStore(one.path) if isinstance(one, SqliteStore) else open_store(url)
        while other.maintain(Time(0), 5.0).backlog_rows:
            pass
        other.close()
        return one

    store.write(batch(*cycles[: len(cycles) // 2]))
    worked(store)
    store.write(batch(*cycles))
    store.forget("router", None)
    store.forget(None, "there")
    store.forget("never", None)
    left = [one for one in cycles if one.target != "router" and one.site != "there"]
    again = [one for one in cycles if one.target == "router" and one.site == "here"][-20:]
    plain = SqliteStore(tmp_path / "plain.sqlite")
    plain.write(batch(*left))
    assert drawn(store) == drawn(plain)
    assert look(worked(store)) == look(worked(plain))
    for one in (store, plain):
        one.write(batch(*again))
    assert look(worked(store)) == look(worked(plain))
    if isinstance(store, SqliteStore):
        assert store.inspected(lambda file: check(file, lambda share: None)) == []
        ((waiting,),) = store.inspected(lambda file: file.read("read", "SELECT COUNT(*) FROM gone WHERE is_swept = 0"))
        assert waiting == 0
        gone = {number for (number,) in store.inspected(lambda file: file.read("read", "SELECT series FROM gone"))}
        blocks = store.inspected(lambda file: file.read("read", "SELECT data FROM block"))
        assert gone
        assert not gone & {row[0] for (data,) in blocks for row in unpack(data)}
        for table in UNIT_MS:
            sums = store.inspected(lambda file, table=table: file.read("read", f"SELECT data FROM {table}"))  # type: ignore[misc]  # our own names
            assert not gone & {one.series for (data,) in sums for one in unpack_rollups(data)}, table
    plain.close()


def test_traces_are_kept_for_good_by_target_and_time(store: Store) -> None:
    kept = [trace(0, "10.0.0.1"), trace(0, "10.0.0.2", site="there"), trace(60, "10.0.0.1", reached=False)]
    for _ in range(2):
        store.write(Batch(traces=[*reversed(kept), trace(5, target="other")]))
    while store.maintain(at(3600 * 24 * 400), 1.0).backlog_rows:
        pass
    assert list(store.traces(["router"], at(0), at(61))["router"]) == kept
    assert store.traces(["router"], at(1), at(60)) == {}
    assert sorted(store.traces(None, at(0), at(60))) == ["other", "router"]
    assert store.traces([], at(0), at(60)) == {}


def test_the_newest_mark_of_each_site_holds(store: Store) -> None:
    store.write(Batch(marks=[mark(5), mark(9, site="there")]))
    store.write(Batch(marks=[mark(6, seconds=1)]))
    store.write(Batch(marks=[mark(-1, epoch=2, seconds=90_000)]))
    assert store.marks() == {"here": mark(-1, epoch=2, seconds=90_000), "there": mark(9, site="there")}


def test_forgetting_cycles_keeps_those_of_newer_hours_states_and_incidents(store: Store) -> None:
    hour_s = 3600 - 0.007  # T0 is 7 ms after an hour
    store.write(
        Batch(
            results=[cycle(second) for second in (0, hour_s - 0.001, hour_s, hour_s + 200)],
            states=[state(0, State.UP)],
            incidents=[incident("one", 0, 10)],
            marks=[mark(3)],
        )
    )
    forget_cycles(store, at(hour_s + 100))
    found = store.series("router", at(0), at(9999), 99)["here"]
    assert [point.at for point in found] == [at(hour_s), at(hour_s + 200)]
    assert len(store.states(["router"], at(0), at(999))["router"]["here"].states) == 1
    assert len(store.incidents(at(0), at(999))) == 1
    assert store.marks() == {"here": mark(3)}


def forget_cycles(store: Store, before: Time) -> None:
    # One step at a time: wherever it is cut off, what is left is said to be.
    while store.maintain(before, 0.0).backlog_rows:
        pass


def mark(seq: int, *, epoch: int = 1, site: str = "here", seconds: float = 0) -> Mark:
    return Mark(site=site, epoch=epoch, seq=seq, at=at(seconds))


@pytest.mark.thorough
@_each_example_has_names_of_its_own
@given(
    cycles=st.dictionaries(
        st.integers(0, 3 * 3_600_000),
        st.tuples(st.lists(st.integers(0, 4_000_000), max_size=5), st.booleans(), st.sampled_from(["here", "there"])),
        min_size=1,
        max_size=30,
    ),
    start_ms=st.integers(0, 3_600_000),
    length_ms=st.integers(1, 4 * 3_600_000),
    points=st.integers(1, 700),
)
def test_a_chart_equals_the_plain_sums_of_its_buckets(
    store: Store, cycles: dict[int, tuple[list[int], bool, str]], start_ms: int, length_ms: int, points: int
) -> None:
    target = f"charted-{next(_numbers)}"
    results = [
        cycle(ms / 1000, [us / 1000 for us in us_], target=target, site=site, invalid=None if is_valid else "late")
        for ms, (us_, is_valid, site) in cycles.items()
    ]
    store.write(Batch(results=results))
    start, end = Time(T0 + start_ms), Time(T0 + start_ms + length_ms)
    chart = store.chart([target], None, start, end, points)[target]
    assert chart.width_ms * points >= length_ms
    for site, buckets in (("here", chart.sites.get("here", ())), ("there", chart.sites.get("there", ()))):
        assert_charted(buckets, [one for one in results if one.site == site], start, end, chart.width_ms)
    assert_charted(chart.merged, results, start, end, chart.width_ms)
    alone = store.chart([target], ["there"], start, end, points)[target]
    assert list(alone.sites) == [site for site in chart.sites if site == "there"]


def assert_charted(
    buckets: Sequence[Bucket], results: Sequence[ProbeResult], start: Time, end: Time, width_ms: int
) -> None:
    first, last = start // width_ms * width_ms, -(-end // width_ms) * width_ms
    expected: dict[int, list[ProbeResult]] = {}
    for one in sorted(results, key=lambda one: one.at):
        if first <= one.at < last:
            expected.setdefault(one.at // width_ms * width_ms, []).append(one)
    assert [bucket.at for bucket in buckets] == list(expected)
    for bucket, members in zip(buckets, expected.values(), strict=True):
        (point,) = plain_sums(members, Time(bucket.at), Time(bucket.at + width_ms), 1)
        assert (bucket.cycles, bucket.invalid, bucket.sent, bucket.received) == (
            point.cycles,
            point.invalid,
            point.sent,
            point.received,
        )
        rtts_ms = sorted(rtt for one in members if one.invalid is None for rtt in one.rtts_ms)
        if not rtts_ms:
            assert (bucket.rtt_min_ms, bucket.rtt_max_ms, bucket.percentiles_ms) == (None, None, None)
            continue
        assert bucket.rtt_min_ms == pytest.approx(rtts_ms[0])
        assert bucket.rtt_max_ms == pytest.approx(rtts_ms[-1])
        assert bucket.rtt_mean_ms == pytest.approx(sum(rtts_ms) / len(rtts_ms))
        assert bucket.percentiles_ms is not None
        for percent, value in zip(PERCENTS, bucket.percentiles_ms, strict=True):
            true_ms = rtts_ms[int(percent * (len(rtts_ms) - 1) / 100)]
            assert value == pytest.approx(true_ms, rel=ERROR * 1.000001, abs=1e-9)


def test_a_chart_says_how_much_of_each_bucket_nobody_looked(store: Store) -> None:
    store.write(
        Batch(
            results=[cycle(0), cycle(0, site="there"), cycle(300), cycle(610)],
            silences=[Silence("router", "here", at(30), at(300)), Silence("router", "here", at(310), at(610))],
        )
    )
    chart = store.chart(["router"], None, at(0), at(660), 11)["router"]
    assert chart.width_ms == 60_000
    blind = {(bucket.at - T0 + 7) // 60_000: round(bucket.blind, 3) for bucket in chart.sites["here"]}
    assert blind == {0: 0.5, 1: 1, 2: 1, 3: 1, 4: 1, 5: 0.833, 6: 1, 7: 1, 8: 1, 9: 1, 10: 0.167}
    assert [bucket.blind for bucket in chart.sites["there"]] == [0]
    assert [round(bucket.blind, 3) for bucket in chart.merged][:2] == [0.25, 0.5]
    assert store.chart(["router", "unheard-of"], None, at(0), at(60), 9)["unheard-of"].sites == {}


def summed_up_by_another(url: str, before: Time = Time(0)) -> None:
    """A recorder that starts does at once what one that runs lets wait for more that comes late."""
    another = open_store(url)
    forget_cycles(another, before)
    another.maintain(before, 5.0)
    another.close()


def test_an_estimate_of_the_cycles_that_are_kept_is_that_of_those_that_were_made(store: Store) -> None:
    target = Target(id="switch", name="Switch", address="192.0.2.1", degraded_rtt_ms=9)
    end = T0 + 600_000
    seen = Between(outages((60, 63), (200, 230)), BEGINS + 600_000).live(target)
    results, states = seen.records("here", "switch", T0)
    store.write(Batch(results=results, states=states))
    recorded = {"here": list(noted(states, Time(T0), Time(end)))}
    wanted = [(replace(target, down_after=2), assumed) for assumed in Assumed]
    expected = estimated(results, recorded, InForce(target), wanted, Time(end))
    assert len(expected[0]["here"]) < len(expected[1]["here"])
    kept = store.raw_cycles("switch", Time(T0), Time(end))
    assert estimated(kept, recorded, InForce(target), wanted, Time(end)) == expected


@pytest.mark.thorough
def test_a_chart_is_the_same_from_raw_cycles_and_from_their_sums(url: str, store: Store) -> None:
    cycles, start = days_ago(some_cycles(random.Random(11), 30, every_s=600), 6)
    end = Time(start + 2 * DAY_MS)
    widths = (300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS)
    write(store, cycles)
    fresh = charts(store, start, end, 120_000, *widths)
    assert sum(one.cycles for chart in fresh[1].values() for one in chart.merged) == len(cycles)
    summed_up_by_another(url)
    assert charts(store, start, end, 120_000, *widths) == fresh
    totals, days = store.totals(None, start, end), store.daily(None, start, end)
    assert sum(one.cycles for one in totals.values()) == len(cycles)
    # Raw cycles go; what is summed up of them stays.
    summed_up_by_another(url, end)
    assert drawn(store) == {}
    assert charts(store, start, end, *widths) == fresh[1:]
    assert (store.totals(None, start, end), store.daily(None, start, end)) == (totals, days)
    coarse = store.chart(["router"], ["here"], start, end, 10_000)["router"].sites["here"]
    assert sum(one.cycles for one in coarse) == len(cycles) // 6


@pytest.mark.thorough
def test_what_comes_late_or_again_is_summed_up_as_if_it_had_been_in_time(
    url: str, store: Store, tmp_path: Path
) -> None:
    """A site that was cut off for hours comes back, even after the day was summed up."""
    cycles, start = days_ago(some_cycles(random.Random(12), 30, every_s=600), 5)
    end, widths = Time(start + 2 * DAY_MS), (300_000, HOUR_MS, DAY_MS)
    late = [one for one in cycles if one.site == "there" and 4 * HOUR_MS < one.at - start < 26 * HOUR_MS]
    in_time = SqliteStore(tmp_path / "in-time.sqlite")
    write(in_time, cycles)
    summed_up(in_time)
    write(store, [one for one in cycles if one not in late])
    summed_up_by_another(url)
    assert charts(store, start, end, *widths) != charts(in_time, start, end, *widths)
    write(store, [*late, *cycles[::9]])
    assert charts(store, start, end, *widths) == charts(in_time, start, end, *widths)
    summed_up_by_another(url)
    assert charts(store, start, end, *widths) == charts(in_time, start, end, *widths)
    for answer in ("totals", "daily"):
        assert getattr(store, answer)(None, start, end) == getattr(in_time, answer)(None, start, end)
    summed_up_by_another(url, end)
    assert charts(store, start, end, *widths) == charts(in_time, start, end, *widths)
    # Sums of which the cycles are gone are not replaced by what is said again of them.
    write(store, cycles[::3])
    summed_up_by_another(url, end)
    assert charts(store, start, end, *widths) == charts(in_time, start, end, *widths)
    in_time.close()


def test_sums_of_one_store_are_taken_by_another_and_replace_none_of_its_own(
    url: str, store: Store, tmp_path: Path
) -> None:
    cycles, start = days_ago(some_cycles(random.Random(14), 30, every_s=1200), 40)
    end, widths = Time(start + 2 * DAY_MS), (300_000, HOUR_MS, 6 * HOUR_MS, DAY_MS)
    other = SqliteStore(tmp_path / "other.sqlite")
    write(other, cycles)
    summed_up(other)
    found = [one for target in other.targets() for one in other.sums(target, start, end)]
    assert {one.width_ms for one in found} == {300_000, HOUR_MS, DAY_MS}
    own, site = cycles[0], cycles[0].site
    store.prepare()
    store.write(Batch(results=[own]))
    summed_up_by_another(url, end)
    mine = list(store.sums(own.target, start, Time(start + 300_000)))
    assert [(one.site, one.rollup.cycles) for one in mine] == [(site, 1)] * 3
    for _ in range(2):
        store.write_sums(found)
    assert store.targets() == other.targets()
    kept = [one for target in store.targets() for one in store.sums(target, start, end)]
    known = {(own.target, site, one.width_ms, start) for one in mine}
    for one, theirs in zip(kept, found, strict=True):
        if (one.target, one.site, one.width_ms, one.rollup.start) in known:
            assert one.rollup.cycles == 1
        else:
            assert one[:3] == theirs[:3]
            assert one.rollup[1:] == theirs.rollup[1:]
    for drawn_here, drawn_there in zip(
        charts(store, start, end, *widths), charts(other, start, end, *widths), strict=True
    ):
        assert drawn_here["switch"] == drawn_there["switch"]
    other.close()
