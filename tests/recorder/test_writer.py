"""The writer on a real store: what is marked is stored, whatever the store does in between."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.channels import TARGETS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Mark, Target
from noc_bus.time import Time
from noc_history.store import Batch, Rejected, StoreError, Written
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import Intake
from noc_recorder.late import Late
from noc_recorder.rejected import RejectedFile
from noc_recorder.strangers import Strangers
from noc_recorder.writer import Writer
from tests.parts.waiting import wait_until
from tests.recorder.conftest import Rig, Store
from tests.recorder.records import cycle, incident, numbers, state

FULL = StoreError("cannot write history.sqlite: database or disk is full", can_retry=True)


def test_records_are_stored_and_then_marked(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0), state(1), cycle(2))
    rig.wait_for_mark(2)
    assert rig.store.cycles() == [cycle(0).at, cycle(2).at]
    assert rig.store.marks()["here"].seq == 2
    assert rig.writer.stored == 3


class Pauses(threading.Event):
    """Stops the writer after some of its pauses, in each of which something arrives."""

    def __init__(self, *arrivals: Callable[[], object]) -> None:
        super().__init__()
        self.asked_s: list[float | None] = []
        self._arrivals = iter(arrivals)

    def wait(self, timeout: float | None = None) -> bool:
        self.asked_s.append(timeout)
        arrival = next(self._arrivals, self.set)
        arrival()
        return self.is_set()


def test_it_writes_twice_as_often_while_a_site_waits_for_the_mark_to_send_more(rig: Rig) -> None:
    intake = rig.intake

    def replay() -> None:
        intake.put(cycle(0))
        intake.put_oldest("here", 1, 0)

    pauses = Pauses(
        lambda: intake.put(cycle(1)),
        lambda: intake.put(cycle(2)),
        replay,
        lambda: intake.put(cycle(3)),
    )
    writer = Writer(rig.store, intake, rig.rejected, rig.definitions, rig.deletions, rig.late)
    marked: list[int] = []
    writer.run(pauses, lambda marks: marked.extend(mark.seq for mark in marks))
    assert pauses.asked_s == [0.5, 1.0, 1.0, 0.5, 1.0]
    assert marked[-2:] == [2, 3]


def test_where_nothing_has_arrived_nothing_is_written_or_told(rig: Rig) -> None:
    writer = Writer(rig.store, rig.intake, rig.rejected, rig.definitions, rig.deletions, rig.late)
    told: list[list[int]] = []
    writer.run(
        Pauses(lambda: None, lambda: rig.intake.put(cycle(0)), lambda: None),
        lambda marks: told.append([mark.seq for mark in marks]),
    )
    # The first are those that hold at the start.
    assert (rig.store.tries, told) == (1, [[], [0]])


def test_at_the_moment_a_mark_is_told_everything_up_to_it_is_in_the_store(tmp_path: Path) -> None:
    """Any order, some twice, in batches of any size: each published mark is checked against the file."""
    order = [*range(60), *random.Random(7).sample(range(60), 20)]
    random.Random(3).shuffle(order)
    store, intake = Store(tmp_path / "history.sqlite"), Intake()
    bus = FakeBus(Hub())
    definitions = Definitions(bus)
    late = Late(bus, tmp_path, store, definitions.now)
    writer = Writer(store, intake, RejectedFile(tmp_path), definitions, Deletions(bus, tmp_path), late)
    reader = Store(tmp_path / "history.sqlite")
    highest = -1
    while order:
        taken, order = order[:7], order[7:]
        intake.put(*(cycle(seq) for seq in taken))
        batch = writer.batch_of(intake.take())
        store.write(batch)
        stored = set(reader.cycles())
        for mark in batch.marks:
            assert mark.seq > highest or mark.seq == -1
            highest = mark.seq
            assert all(cycle(seq).at in stored for seq in range(mark.seq + 1))
    assert highest == 59
    assert sorted(reader.cycles()) == [cycle(seq).at for seq in range(60)]
    assert writer.duplicates == 20
    store.close()
    reader.close()


def test_a_store_that_fails_and_recovers_loses_nothing_and_no_mark_is_told_meanwhile(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0))
    rig.wait_for_mark(0)
    rig.store.failing = FULL
    rig.intake.put(*(cycle(seq) for seq in range(1, 40)))
    wait_until(lambda: rig.store.tries >= 3, 10, "a second try")
    rig.intake.put(*(cycle(seq) for seq in range(40, 60)))
    assert numbers(rig.published)[-1] == ("here", 1, 0)
    assert rig.writer.trouble == str(FULL)
    rig.store.failing = None
    rig.wait_for_mark(59)
    assert rig.store.cycles() == [cycle(seq).at for seq in range(60)]
    assert rig.writer.trouble is None


def test_a_store_that_is_not_there_yet_is_waited_for(rig: Rig) -> None:
    rig.store.failing = FULL
    rig.start()
    rig.intake.put(cycle(0))
    wait_until(lambda: rig.writer.trouble == str(FULL), 10, "the trouble to be told")
    rig.store.failing = None
    rig.wait_for_mark(0)


def test_a_store_that_is_broken_for_good_ends_the_writer_with_its_sentence(rig: Rig) -> None:
    rig.start()
    rig.store.failing = StoreError("history.sqlite is not a database", can_retry=False)
    rig.intake.put(cycle(0))
    wait_until(lambda: rig.died_of, 10, "the end of the writer")
    assert str(rig.died_of) == "history.sqlite is not a database"
    assert not rig.published


def test_what_arrived_before_the_stop_is_still_written(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0))
    rig.wait_for_mark(0)
    rig.intake.put(cycle(1))
    rig.stop()
    assert rig.store.cycles() == [cycle(0).at, cycle(1).at]


def test_a_stop_is_obeyed_while_the_store_fails_and_the_site_keeps_what_is_not_marked(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    rig.intake.put(cycle(0))
    rig.wait_for_mark(0)
    rig.store.failing = FULL
    rig.intake.put(cycle(1))
    wait_until(lambda: rig.store.tries >= 2, 10, "a failed try")
    rig.stop()
    assert rig.store.tries >= 2
    again = Rig(tmp_path, Hub())
    again.start()
    again.wait_for_mark(0)
    again.intake.put(cycle(1))
    again.wait_for_mark(1)
    assert again.store.cycles() == [cycle(0).at, cycle(1).at]
    again.stop()
    again.store.close()


def test_a_stop_during_a_failure_marks_nothing_that_came_after_what_was_not_stored(tmp_path: Path) -> None:
    """The store works again just as the recorder is stopped: the batch it gave up is not passed over."""
    stop, intake = threading.Event(), Intake()

    class FailsOnce(Store):
        def write(self, batch: Batch) -> Written:
            if not stop.is_set():
                intake.put(cycle(1))
                stop.set()
                raise FULL
            return super().write(batch)

    store = FailsOnce(tmp_path / "history.sqlite")
    bus = FakeBus(Hub())
    definitions = Definitions(bus)
    late = Late(bus, tmp_path, store, definitions.now)
    writer = Writer(
        store, intake, RejectedFile(tmp_path), definitions, Deletions(bus, tmp_path), late, write_every_s=0.01
    )
    told: list[Mark] = []
    intake.put(cycle(0))
    writer.run(stop, told.extend)
    assert store.cycles() == []
    assert not told
    assert store.marks() == {}
    store.close()


def test_old_cycles_that_cannot_be_deleted_do_not_keep_new_ones_from_being_stored(rig: Rig) -> None:
    rig.store.cannot_maintain = StoreError("cannot delete bucket noc: 404 no such route", can_retry=True)
    rig.start()
    rig.intake.put(cycle(0))
    rig.wait_for_mark(0)
    wait_until(lambda: rig.store.maintained, 10, "a try to delete")
    rig.intake.put(cycle(1))
    rig.wait_for_mark(1)
    assert rig.writer.trouble is None


def test_after_a_restart_a_replay_of_everything_stores_each_cycle_once(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    rig.intake.put(*(cycle(seq) for seq in range(5)), cycle(7))
    rig.wait_for_mark(4)
    rig.stop()
    again = Rig(tmp_path, Hub())
    again.start()
    again.wait_for_mark(4)
    again.intake.put(*(cycle(seq) for seq in range(10)))
    again.wait_for_mark(9)
    assert again.store.cycles() == [cycle(seq).at for seq in range(10)]
    # The store finds the sixth, which is beyond its mark, when it packs.
    assert again.writer.duplicates == 5
    again.stop()
    again.store.close()


def test_the_same_cycles_under_a_new_epoch_are_stored_once_and_marked_by_the_new_name(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0), cycle(1))
    rig.wait_for_mark(1)
    rig.intake.put(cycle(0, epoch=2), cycle(1, epoch=2), cycle(1))
    rig.wait_for_mark(1, epoch=2)
    assert rig.store.cycles() == [cycle(0).at, cycle(1).at]


def test_records_of_an_older_epoch_are_stored_and_move_no_mark(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0, epoch=5))
    rig.wait_for_mark(0, epoch=5)
    rig.intake.put(cycle(3, epoch=4), cycle(1, epoch=5))
    rig.wait_for_mark(1, epoch=5)
    assert rig.store.cycles() == [cycle(0).at, cycle(1).at, cycle(3).at]


def test_what_a_journal_no_longer_has_is_declared_gone_and_the_mark_goes_on(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0), cycle(10))
    rig.intake.put_oldest("here", 1, 10)
    rig.wait_for_mark(10)
    assert rig.writer.ledger.declared_gone == 9


def test_refused_records_are_named_with_their_reason_and_the_others_are_stored(rig: Rig, tmp_path: Path) -> None:
    rig.store.refuses = lambda target: target == "odd"
    rig.start()
    rig.intake.put(cycle(0), cycle(1, target="odd"), cycle(2))
    rig.wait_for_mark(2)
    assert rig.store.cycles() == [cycle(0).at, cycle(2).at]
    (line,) = (tmp_path / "rejected.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["reason"] == "it is too strange"
    assert (kept["record"]["target"], kept["record"]["seq"]) == ("odd", 1)
    assert (rig.rejected.total, rig.writer.stored) == (1, 2)


def test_no_mark_passes_what_a_store_would_take_once_it_is_set_right(rig: Rig) -> None:
    rig.store.refuses = lambda target: target == "odd"
    rig.store.can_mend = True
    rig.start()
    rig.intake.put(cycle(0), cycle(1, target="odd"), cycle(2))
    rig.wait_for_mark(0)
    wait_until(lambda: rig.writer.trouble, 10, "the trouble")
    assert rig.writer.trouble == "the store refuses 1 records, which their sites keep: it is too strange"
    rig.intake.put(cycle(3), cycle(1, target="odd"))
    wait_until(lambda: rig.writer.stored == 3, 10, "what can be stored to be stored")
    assert rig.store.marks()["here"].seq == 0
    assert rig.rejected.total == 0
    rig.store.refuses = lambda target: False
    rig.intake.put(cycle(1, target="odd"), cycle(2))
    rig.wait_for_mark(3)
    wait_until(lambda: rig.writer.trouble is None, 10, "the end of the trouble")
    assert rig.store.cycles("odd") == [cycle(1).at]
    assert (rig.writer.stored, rig.store.marks()["here"].seq) == (4, 3)


def test_what_lies_impossibly_far_ahead_is_refused_aloud_and_counted(rig: Rig, tmp_path: Path) -> None:
    ahead = replace(cycle(1), at=Time(Time.now() + 86_400_000 + 60_000))
    still_possible = replace(cycle(2), at=Time(Time.now() + 3_600_000))
    never = replace(state(3), since=Time.parse("2190-01-01T00:00:00Z"))
    rig.start()
    rig.intake.put(cycle(0), ahead, still_possible, never)
    rig.wait_for_mark(3)
    assert rig.store.cycles() == [cycle(0).at, still_possible.at]
    assert (rig.writer.ahead, rig.writer.stored) == (2, 2)
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert all("more than a day ahead of" in reason for reason in reasons)
    assert len(reasons) == 2


def test_a_recorder_whose_own_clock_is_wrong_refuses_nothing_for_it(tmp_path: Path) -> None:
    """A machine that wakes up years ago: what it wrote before shows that it is not the sites that are wrong."""
    later = Time(Time.now() + 10 * 86_400_000)
    store = Store(tmp_path / "history.sqlite")
    store.write(Batch(marks=[Mark(site="here", epoch=1, seq=0, at=later)]))
    store.close()
    rig = Rig(tmp_path, Hub())
    rig.start()
    rig.intake.put(replace(cycle(1), at=later))
    rig.wait_for_mark(1)
    assert rig.store.cycles() == [later]
    rig.stop()
    rig.store.close()


def test_two_cycles_to_which_a_clock_gave_one_start_are_both_stored_and_counted(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0), replace(cycle(0), seq=1), state(2), replace(cycle(0), seq=1))
    rig.wait_for_mark(2)
    assert rig.store.cycles() == [cycle(0).at, cycle(0).at]
    assert (rig.writer.stored, rig.writer.duplicates) == (3, 1)


def test_what_the_store_has_already_is_counted_as_repeated_once_it_is_packed(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    rig.intake.put(cycle(0), cycle(5), cycle(6))
    rig.wait_for_mark(0)
    rig.stop()
    again = Rig(tmp_path, Hub())
    again.start()
    again.intake.put(*(cycle(seq) for seq in range(7)))
    again.wait_for_mark(6)
    assert (again.writer.stored, again.writer.duplicates) == (6, 1)
    again.stop()
    packer = Store(tmp_path / "history.sqlite")
    # The recorder's own thread may have been there before.
    assert again.maintenance.repeated_rows + packer.maintain(Time(0), 5.0).repeated_rows == 2
    assert packer.cycles() == [cycle(seq).at for seq in range(7)]
    packer.close()
    again.store.close()


ROUTER = Target(id="router", name="Router", address="192.0.2.1", interval_s=1)


def catalog(rig: Rig) -> FakeBus:
    """The other end: the web service."""
    bus = FakeBus(rig.hub)
    bus.start()
    return bus


def silences(rig: Rig) -> list[tuple[Time, Time]]:
    return [(one.start, one.until) for one in rig.store.silences(Time(0))]


def test_holes_in_the_stored_cycles_are_noticed_and_forgotten_when_they_are_filled(rig: Rig) -> None:
    """Every second a cycle; cycles 4 to 8 are missing until a replay brings them in two parts."""
    catalog(rig).publish(TARGETS, ROUTER)
    rig.start()
    wait_until(lambda: rig.definitions.interval_s("router") == 1, 10, "the definition")
    rig.intake.put(*(cycle(seq) for seq in (0, 1, 2, 3, 9, 10)))
    wait_until(lambda: silences(rig) == [(cycle(3).at, cycle(9).at)], 10, "the hole", seen=lambda: silences(rig))
    rig.intake.put(cycle(6))
    both = [(cycle(3).at, cycle(6).at), (cycle(6).at, cycle(9).at)]
    wait_until(lambda: silences(rig) == both, 10, "two holes", seen=lambda: silences(rig))
    rig.intake.put(cycle(7), cycle(8), cycle(4), cycle(5))
    rig.wait_for_mark(10)
    assert silences(rig) == []


def test_a_hole_over_a_restart_of_everything_is_noticed(rig: Rig, tmp_path: Path) -> None:
    catalog(rig).publish(TARGETS, ROUTER)
    rig.start()
    wait_until(lambda: rig.definitions.interval_s("router") == 1, 10, "the definition")
    rig.intake.put(cycle(0))
    rig.wait_for_mark(0)
    rig.stop()
    # Nobody has published the catalogue yet when the first cycle comes.
    again = Rig(tmp_path, Hub())
    again.start()
    again.intake.put(replace(cycle(100), seq=1))
    again.wait_for_mark(1)
    assert silences(again) == [(cycle(0).at, cycle(100).at)]
    again.stop()
    again.store.close()


def test_of_a_target_that_is_in_no_catalogue_nothing_is_expected(rig: Rig) -> None:
    rig.start()
    rig.intake.put(cycle(0), replace(cycle(100), seq=1))
    rig.wait_for_mark(1)
    assert silences(rig) == []


def defined(rig: Rig) -> list[tuple[str, float] | None]:
    kept = rig.store.definitions(["router"]).get("router", ())
    return [None if one.target is None else (one.target.policy, one.target.interval_s) for one in kept]


def test_definitions_are_kept_with_the_time_from_which_they_were_in_force(rig: Rig, tmp_path: Path) -> None:
    web = catalog(rig)
    web.publish(TARGETS, ROUTER)
    rig.start()
    begun = Time.now()
    wait_until(lambda: defined(rig) == [("majority", 1)], 10, "the first definition")
    web.publish(TARGETS, replace(ROUTER, note="edited", contacts=["ops@noc.test"]))
    web.publish(TARGETS, replace(ROUTER, policy="any", interval_s=5))
    wait_until(lambda: defined(rig) == [("majority", 1), ("any", 5)], 10, "the second", seen=lambda: defined(rig))
    web.clear(TARGETS, target="router")
    wait_until(lambda: defined(rig)[2:] == [None], 10, "its end", seen=lambda: defined(rig))
    times = [one.since for one in rig.store.definitions(["router"])["router"]]
    assert times == sorted(times)
    assert begun - 5000 < times[0] <= times[-1] <= Time.now()
    rig.stop()
    again = Rig(tmp_path, rig.hub)
    again.start()
    web.publish(TARGETS, replace(ROUTER, policy="all"))
    wait_until(lambda: defined(again)[3:] == [("all", 1)], 10, "its return", seen=lambda: defined(again))
    again.stop()
    again.store.close()


def test_a_site_that_makes_up_targets_fills_no_store(rig: Rig) -> None:
    rig.writer.strangers = Strangers(rig.definitions.is_known, max_ids=10)
    catalog(rig).publish(TARGETS, ROUTER)
    rig.start()
    wait_until(lambda: rig.definitions.is_known("router"), 10, "the definition")
    made_up = [cycle(seq, target=f"made-up-{seq % 30}") for seq in range(60)]
    rig.intake.put(*made_up, cycle(60), cycle(61, target="made-up-3"), cycle(0, target="new", site="there"))
    rig.wait_for_mark(61)
    rig.wait_for_mark(0, site="there")
    series = rig.store.last_cycles()
    assert len([target for target, site in series if site == "here" and target.startswith("made-up")]) == 10
    assert {("router", "here"), ("new", "there")} <= series.keys()
    assert rig.writer.strangers.refused == 40


def test_the_file_of_refused_records_is_changed_before_it_grows_without_end(tmp_path: Path) -> None:
    rejected = RejectedFile(tmp_path)
    (tmp_path / "rejected.jsonl").write_text("x" * 5_000_001)
    rejected.add([Rejected(cycle(0), "odd")])
    assert (tmp_path / "rejected.1.jsonl").stat().st_size == 5_000_001
    assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 1


def test_refused_records_are_counted_where_they_cannot_be_kept(tmp_path: Path) -> None:
    rejected = RejectedFile(tmp_path / "missing")
    rejected.add([Rejected(cycle(0), "odd")])
    assert rejected.total == 1


@pytest.mark.parametrize("order", [(False, True), (True, False)], ids=["begin, end", "end, begin"])
def test_an_incident_that_is_over_stays_over_in_whatever_order_its_words_come(
    rig: Rig, order: tuple[bool, bool]
) -> None:
    rig.start()
    for resolved in order:
        rig.intake.put_incident(incident("one", resolved=resolved))
    wait_until(lambda: rig.writer.stored == 2, 10, "both words stored")
    (found,) = rig.store.incidents(cycle(0).at, cycle(100).at)
    assert found == incident("one", resolved=True)


def test_only_cycles_older_than_the_time_kept_are_forgotten(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Hub(), keep_days=1)
    new = replace(cycle(1), at=Time.now())
    old = replace(cycle(0), at=Time(new.at - 2 * 86_400_000))
    rig.store.write(Batch(results=[old, new]))
    rig.start()
    wait_until(lambda: rig.store.cycles() == [new.at], 10, "the old cycle to be forgotten")
    wait_until(lambda: rig.maintenance.deleted_rows == 1, 10, "the figure")
    wait_until(lambda: rig.maintenance.backlog_rows == 0, 10, "the end of its work")
    rig.stop()
    rig.store.close()
