"""The recorder on the bus: what it takes from whom, what it tells, and how it says how it is."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from msgspec.structs import replace

from noc_bus.channels import FORGOTTEN, INCIDENTS, MARKS, REPLAYS, RESULTS, SERVICES, STATES, TARGETS, TRACES
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Forgotten, Mark, ServicePresence, State, Target
from noc_bus.time import Time
from noc_history.store import Batch, StoreError
from noc_recorder.intake import Intake
from tests.parts.waiting import wait_until
from tests.recorder.conftest import FOREVER, Rig
from tests.recorder.records import T0, cycle, incident, replay, state, trace


@pytest.fixture
def site(rig: Rig) -> FakeBus:
    """The other end: probers and the alerter."""
    bus = FakeBus(rig.hub)
    bus.start()
    return bus


def retained_mark(rig: Rig, site: str = "here") -> Mark | None:
    return next((mark for mark in rig.hub.now(MARKS) if mark.site == site), None)


def wait_for_retained(rig: Rig, seq: int, epoch: int = 1) -> None:
    def is_there() -> bool:
        mark = retained_mark(rig)
        return mark is not None and (mark.epoch, mark.seq) == (epoch, seq)

    wait_until(is_there, 10, f"the retained mark {seq}", seen=lambda: retained_mark(rig))


def presence(rig: Rig) -> ServicePresence:
    rig.recorder.announce()
    (found,) = rig.hub.now(SERVICES)
    return found


def test_results_states_and_replays_share_one_count_and_their_mark_is_retained(rig: Rig, site: FakeBus) -> None:
    rig.start()
    site.publish(RESULTS, cycle(0))
    site.publish(STATES, state(1))
    site.publish(RESULTS, cycle(4))
    site.publish(REPLAYS, replay(cycle(2), state(3, now=State.DOWN)))
    wait_for_retained(rig, 4)
    assert rig.store.cycles() == [cycle(0).at, cycle(2).at, cycle(4).at]
    states = rig.store.states(None, T0, FOREVER)["router"]["here"].states
    assert [one.state for one in states] == ["UP", "DOWN"]


def test_live_and_replayed_records_may_overlap_in_any_way(rig: Rig, site: FakeBus) -> None:
    rig.start()
    for seq in (5, 3, 9, 3):
        site.publish(RESULTS, cycle(seq))
    site.publish(REPLAYS, replay(*(cycle(seq) for seq in range(7))))
    site.publish(REPLAYS, replay(*(cycle(seq) for seq in range(5, 10))))
    wait_for_retained(rig, 9)
    assert rig.store.cycles() == [cycle(seq).at for seq in range(10)]


def test_whenever_the_writer_takes_it_is_told_what_came_late_together_with_it(rig: Rig, site: FakeBus) -> None:
    rig.bus.start()
    an_hour_ago = Time(Time.now() - 3_600_000)
    down = [replace(state(seq, now=State.DOWN), since=an_hour_ago) for seq in range(600)]
    journal = threading.Thread(target=lambda: [site.publish(REPLAYS, replay(one)) for one in down])
    pause_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        journal.start()
        taken = [rig.intake.take()]
        while journal.is_alive():
            taken.append(rig.intake.take())
    finally:
        sys.setswitchinterval(pause_s)
    taken.append(rig.intake.take())
    for arrived in taken:
        assert arrived.late == {(one.site, one.epoch, one.seq) for one in arrived.records}
    assert sum(len(arrived.late) for arrived in taken) == len(down)


def test_a_refreshed_state_is_stored_once(rig: Rig, site: FakeBus) -> None:
    rig.start()
    for _ in range(3):
        site.publish(STATES, state(0))
    wait_for_retained(rig, 0)
    wait_until(lambda: rig.writer.duplicates == 2, 10, "two duplicates")
    assert rig.writer.stored == 1


def test_a_state_that_was_told_before_the_recorder_came_is_stored(rig: Rig, site: FakeBus) -> None:
    site.publish(STATES, state(0))
    rig.start()
    wait_for_retained(rig, 0)


def test_a_replay_that_begins_after_the_mark_declares_the_hole_gone(rig: Rig, site: FakeBus) -> None:
    rig.start()
    site.publish(RESULTS, cycle(0))
    wait_for_retained(rig, 0)
    site.publish(REPLAYS, replay(cycle(8), cycle(9), oldest=8))
    wait_for_retained(rig, 9)
    assert presence(rig).figures["declared_gone_total"] == 7


@pytest.mark.parametrize(
    "strange", [{"site": "there"}, {"epoch": 2}], ids=["records of another site", "records of another epoch"]
)
def test_a_replay_whose_records_are_not_its_own_is_dropped_as_a_whole(
    rig: Rig, site: FakeBus, strange: dict[str, Any]
) -> None:
    rig.start()
    site.publish(REPLAYS, replay(cycle(0), cycle(1, **strange)))
    site.publish(REPLAYS, replay(cycle(0)))
    wait_for_retained(rig, 0)
    assert rig.store.cycles() == [cycle(0).at]
    assert rig.store.cycles(site="there") == []


def test_a_replay_that_does_not_fit_moves_no_mark_and_is_taken_when_it_comes_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hub(), max_records=4)
    site = FakeBus(rig.hub)
    site.start()
    rig.bus.start()
    batch = replay(*(cycle(seq) for seq in range(5, 8)), oldest=5)
    site.publish(RESULTS, cycle(0))
    site.publish(RESULTS, cycle(1))
    site.publish(REPLAYS, batch)
    arrived = rig.intake.take()
    assert ([record.seq for record in arrived.records], arrived.oldest) == ([0, 1], {})
    assert presence(rig).figures["dropped_total"] == 3
    site.publish(REPLAYS, batch)
    assert rig.intake.take().oldest == {("here", 1): 5}
    rig.store.close()


def test_incidents_are_stored_when_they_open_and_when_they_end(rig: Rig, site: FakeBus) -> None:
    site.publish(INCIDENTS, incident("one"))
    rig.start()
    wait_until(lambda: rig.store.incidents(T0, FOREVER) == [incident("one")], 10, "the open incident")
    site.publish_once(INCIDENTS, incident("one", resolved=True))
    site.clear(INCIDENTS, incident="one")
    wait_until(lambda: rig.store.incidents(T0, FOREVER) == [incident("one", resolved=True)], 10, "its end")


def test_after_the_broker_has_forgotten_everything_the_marks_are_told_again(rig: Rig, site: FakeBus) -> None:
    rig.start()
    site.publish(RESULTS, cycle(0))
    site.publish(RESULTS, cycle(0, site="there"))
    wait_until(lambda: len(rig.hub.now(MARKS)) == 2, 10, "both marks")
    rig.bus.stop()
    rig.hub.retained.clear()
    rig.bus.start()

    def told() -> set[tuple[str, int]]:
        rig.recorder.tick()
        return {(mark.site, mark.seq) for mark in rig.hub.now(MARKS)}

    wait_until(lambda: told() == {("here", 0), ("there", 0)}, 10, "both marks again", seen=told)
    assert [one.online for one in rig.hub.now(SERVICES)] == [True]


def test_the_mark_of_a_site_that_was_deleted_is_not_published_again_until_its_prober_speaks(
    rig: Rig, site: FakeBus
) -> None:
    rig.start()
    site.publish(RESULTS, cycle(0))
    site.publish(RESULTS, cycle(0, site="there"))
    wait_until(lambda: len(rig.hub.now(MARKS)) == 2, 10, "both marks")
    site.clear(MARKS, site="here")
    # What was on its way when the site was deleted.
    rig.intake.put(cycle(1))
    rig.wait_for_mark(1)
    for _ in range(3):
        rig.recorder.tick()
        assert [mark.site for mark in rig.hub.now(MARKS)] == ["there"]
    summary = (presence(rig).retained or {})["marks"]
    assert summary.count == 1
    site.publish(RESULTS, cycle(2))
    wait_for_retained(rig, 2)


def test_the_mark_of_a_site_that_was_deleted_while_the_recorder_was_away_is_not_published_at_its_start(
    rig: Rig, site: FakeBus
) -> None:
    for name in ("here", "there"):
        rig.store.write(Batch(results=[cycle(0, site=name)], marks=[Mark(site=name, epoch=1, seq=0, at=T0)]))
    site.publish(MARKS, Mark(site="there", epoch=1, seq=0, at=T0))
    rig.start()
    for _ in range(3):
        rig.recorder.tick()
        assert [mark.site for mark in rig.hub.now(MARKS)] == ["there"]
    site.publish(RESULTS, cycle(1))
    wait_for_retained(rig, 1)


def test_a_mark_made_without_a_connection_is_told_with_the_next_one(rig: Rig, site: FakeBus) -> None:
    rig.start()
    site.publish(RESULTS, cycle(0))
    wait_for_retained(rig, 0)
    rig.bus.stop()
    rig.intake.put(cycle(1))
    rig.wait_for_mark(1)
    assert retained_mark(rig) == replace(rig.published[0], rev=ANY)
    rig.bus.start()

    def is_there() -> bool:
        rig.recorder.tick()
        mark = retained_mark(rig)
        return mark is not None and mark.seq == 1

    wait_until(is_there, 10, "the retained mark")


def test_its_presence_tells_what_keeps_it_from_storing_and_that_nothing_does_any_more(rig: Rig, site: FakeBus) -> None:
    rig.store.failing = StoreError("cannot write history.sqlite: disk is full; free disk space", can_retry=True)
    rig.start()
    site.publish(RESULTS, cycle(0))
    wait_until(lambda: "disk is full" in (presence(rig).trouble or ""), 10, "the trouble in its presence")
    assert presence(rig).figures["buffered"] == 1
    rig.store.failing = None
    wait_until(lambda: presence(rig).trouble is None, 10, "the end of the trouble")
    wait_until(lambda: presence(rig).figures["stored_total"] == 1, 10, "the record stored")


def test_its_last_word_says_that_it_is_gone(rig: Rig) -> None:
    rig.start()
    assert presence(rig).online
    rig.recorder.say_goodbye()
    assert [one.online for one in rig.hub.now(SERVICES)] == [False]


def test_what_was_cleared_or_is_empty_is_no_record(rig: Rig, site: FakeBus) -> None:
    site.publish(STATES, state(0))
    rig.bus.start()
    rig.intake.take()
    site.clear(STATES, site="here", target="router")
    site.clear(INCIDENTS, incident="one")
    assert not rig.intake.take()


def test_an_intake_of_any_size_takes_the_largest_replay_there_can_be() -> None:
    """The contract allows 5,000 results and 5,000 states in one message: refused whole, it would come for ever."""
    most = [cycle(seq) for seq in range(10_000)]
    assert Intake().put(*most)


def test_a_trace_is_stored_where_its_path_is_another_than_the_last_one_stored(rig: Rig, site: FakeBus) -> None:
    rig.start()
    days = [
        trace(0, "10.0.0.1"),
        trace(86_400, "10.0.0.1"),
        trace(2 * 86_400, "10.0.0.2"),
        trace(3 * 86_400, "10.0.0.2"),
    ]
    for number, one in enumerate(days):
        site.publish(TRACES, one)
        # What is in one batch with it is stored with it.
        site.publish(RESULTS, cycle(number))
        rig.wait_for_mark(number)
    site.publish(TRACES, trace(86_400, "10.0.0.1", site="elsewhere"))
    site.publish(RESULTS, cycle(4))
    rig.wait_for_mark(4)
    assert rig.store.traces(["router"], T0, FOREVER)["router"] == [
        days[0],
        trace(86_400, "10.0.0.1", site="elsewhere"),
        days[2],
    ]


def test_the_history_of_what_was_deleted_goes_once_and_does_not_come_back_with_late_records(
    rig: Rig, site: FakeBus, tmp_path: Path
) -> None:
    router = Target(id="router", name="Router", address="192.0.2.1")
    site.publish(TARGETS, router)
    rig.start()
    there = [replace(cycle(seq, site="there"), target=of) for seq, of in enumerate(("router", "switch"))]
    for one in (cycle(0), cycle(1, target="switch"), *there):
        site.publish(RESULTS, one)
    site.publish(STATES, state(2))
    site.publish(TRACES, trace(0, "10.0.0.1"))
    wait_for_retained(rig, 2)
    wait_until(lambda: rig.store.traces(None, T0, FOREVER) and rig.store.definitions(["router"]), 10, "all of it")

    site.clear(TARGETS, target="router")
    wait_until(lambda: rig.store.definitions(["router"])["router"][-1].target is None, 10, "that it is deleted")
    gone = Forgotten(kind="target", name="router", at=Time.now())
    site.publish(FORGOTTEN, gone)
    wait_until(lambda: rig.store.targets() == ["switch"], 10, "nothing kept of it")
    site.publish(REPLAYS, replay(cycle(3), state(4, now=State.DOWN)))
    site.publish(TRACES, trace(1, "10.0.0.2"))
    # Its prober has not heard of it yet.
    site.publish(RESULTS, replace(cycle(5), at=Time(gone.at + 1)))
    wait_for_retained(rig, 5)
    assert rig.store.targets() == ["switch"]
    assert not rig.store.definitions(["router"])
    assert not rig.store.traces(None, T0, FOREVER)

    site.publish(TARGETS, router)
    wait_until(lambda: rig.definitions.interval_s("router"), 10, "the new definition")
    new, new_state = replace(cycle(6), at=Time.now()), replace(state(7), since=Time.now(), at=Time.now())
    site.publish(REPLAYS, replay(cycle(8), new, new_state))
    wait_for_retained(rig, 8)
    site.publish(FORGOTTEN, Forgotten(kind="site", name="there", at=gone.at))
    wait_until(lambda: {of for _, of in rig.store.last_cycles()} == {"here"}, 10, "nothing kept of the site")

    def kept(rig: Rig) -> tuple[list[Time], list[str], list[Target | None], list[Time]]:
        ((_, found),) = rig.store.states(["router"], T0, FOREVER)["router"].items()
        definitions = [one.target for one in rig.store.definitions(["router"])["router"]]
        return rig.store.cycles(), [one.state for one in found.states], definitions, rig.store.cycles("switch")

    assert kept(rig) == ([new.at], ["UP"], [router], [cycle(1).at])
    rig.stop()
    for epoch, is_noted in ((2, True), (3, False)):
        if not is_noted:
            (tmp_path / "forgotten.json").write_text("torn")
        again = Rig(tmp_path, rig.hub)
        again.start()
        site.publish(RESULTS, replace(cycle(0, epoch=epoch), at=Time.now(), target="switch"))
        again.wait_for_mark(0, epoch=epoch)
        cycles, states, definitions, _ = kept(again)
        assert (cycles, states, definitions) == ([new.at], ["UP"], [router])
        again.stop()
        again.store.close()
    # New records are stored before the recorder hears that the old ones go.
    late = Rig(tmp_path, rig.hub)
    late.start()
    site.publish(FORGOTTEN, Forgotten(kind="target", name="switch", at=cycle(9).at))
    wait_until(lambda: len(late.store.cycles("switch")) == 2, 10, "that the old one goes")
    assert all(at > gone.at for at in late.store.cycles("switch"))
    late.stop()
    late.store.close()
