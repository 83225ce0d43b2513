"""The buffer between the bus and the writer: bounded, and nothing in it is taken twice."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from noc_recorder.intake import Intake
from tests.recorder.records import cycle, incident, state


def test_what_is_taken_is_what_was_put_in_the_order_it_came() -> None:
    intake = Intake()
    assert intake.put(cycle(1), cycle(0))
    assert intake.put(cycle(2))
    assert [record.seq for record in intake.take().records] == [1, 0, 2]
    assert not intake.take()


def test_records_that_do_not_fit_are_all_refused_and_counted() -> None:
    intake = Intake(max_records=3)
    assert intake.put(cycle(0), cycle(1))
    assert not intake.put(cycle(2), cycle(3))
    assert intake.put(cycle(2))
    assert (len(intake), intake.dropped) == (3, 2)


def test_what_came_late_is_taken_with_its_records_or_not_at_all() -> None:
    intake = Intake(max_records=2)
    assert not intake.put(cycle(0), cycle(1), state(2), late=[state(2)])
    assert intake.put(cycle(1), state(2), late=[state(2)])
    assert intake.take().late == {("here", 1, 2)}
    assert not intake.put(cycle(0), cycle(1), state(2), late=[state(2)])
    assert intake.take().late == set()


def test_there_is_room_again_once_the_writer_has_taken() -> None:
    intake = Intake(max_records=1)
    intake.put(cycle(0))
    assert not intake.put(cycle(1))
    intake.take()
    assert intake.put(cycle(1))


@given(st.lists(st.integers(0, 4), max_size=20))
def test_it_never_holds_more_than_its_bound_and_every_record_is_taken_or_counted(sizes: list[int]) -> None:
    intake = Intake(max_records=7)
    for size in sizes:
        intake.put(*(cycle(seq) for seq in range(size)))
        assert len(intake) <= 7
    assert len(intake.take().records) + intake.dropped == sum(sizes)


def test_of_several_words_on_where_a_journal_begins_the_latest_beginning_holds() -> None:
    intake = Intake()
    for oldest in (4, 9, 7):
        intake.put_oldest("here", 1, oldest)
    intake.put_oldest("here", 2, 0)
    assert intake.take().oldest == {("here", 1): 9, ("here", 2): 0}


def test_a_late_word_of_an_incidents_begin_does_not_displace_its_end() -> None:
    intake = Intake()
    intake.put_incident(incident("one", resolved=True))
    intake.put_incident(incident("one"))
    assert {one.resolved_at is None for one in intake.take().incidents.values()} == {True, False}


def test_many_threads_lose_nothing_between_them() -> None:
    intake = Intake()
    threads = [threading.Thread(target=lambda: [intake.put(cycle(seq)) for seq in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += len(intake.take().records)
    assert taken + len(intake.take().records) == 800
