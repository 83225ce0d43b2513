"""Flow control towards the mark, told second by second."""

from __future__ import annotations

import itertools

from noc_prober.replay import FlowControl


def send_all(flow: FlowControl, now_s: float, per_batch: int = 10, oldest_seq: int = 0) -> list[int]:
    firsts = []
    while (first := flow.next_first_seq(oldest_seq)) is not None:
        firsts.append(first)
        flow.sent(first + per_batch - 1, now_s)
    return firsts


def test_what_was_just_sent_live_is_given_time_to_be_marked() -> None:
    flow = FlowControl(0.0, next_seq=0)
    flow.tick(0.2, next_seq=50)
    assert send_all(flow, 0.2) == []
    flow.tick(4.0, next_seq=60)
    assert send_all(flow, 4.0) == []
    flow.tick(5.3, next_seq=70)
    assert send_all(flow, 5.3) == [0]


def test_what_the_mark_reaches_is_never_sent_again() -> None:
    flow = FlowControl(0.0, next_seq=0)
    for second in range(60):
        flow.tick(float(second), next_seq=second * 100)
        flow.marked(second * 100 - 150, float(second))
        assert send_all(flow, float(second)) == []


def test_after_a_restart_everything_in_the_journal_is_due_at_once() -> None:
    flow = FlowControl(0.0, next_seq=100)
    flow.tick(0.2, next_seq=100)
    assert send_all(flow, 0.2, oldest_seq=40) == [40]


def test_a_single_record_is_sent_like_many() -> None:
    flow = FlowControl(0.0, next_seq=1)
    assert send_all(flow, 0.0, per_batch=1) == [0]


def test_the_window_opens_as_the_mark_moves_and_is_bounded() -> None:
    flow = FlowControl(0.0, next_seq=10_000)
    sent = send_all(flow, 0.0)
    windows = [len(sent)]
    for step in range(1, 6):
        flow.marked(sent[-1] + 9, step * 0.1)
        flow.tick(step * 0.1, next_seq=10_000)
        new = send_all(flow, step * 0.1)
        assert new[0] == sent[-1] + 10, "without holes"
        sent += new
        windows.append(len(new))
    assert windows == [1, 2, 8, 8, 8, 8]


def test_a_mark_that_stands_still_makes_it_wait_longer_each_time_and_send_one_batch() -> None:
    flow = FlowControl(0.0, next_seq=1000)
    sent_at = []
    for tenth in range(2000):
        now_s = tenth / 10
        flow.tick(now_s, next_seq=1000)
        for first in send_all(flow, now_s):
            assert first == 0
            sent_at.append(now_s)
    pauses = [round(b - a) for a, b in itertools.pairwise(sent_at)]
    assert pauses[:4] == [2, 4, 8, 16]
    assert set(pauses[4:]) == {30}


def test_it_goes_on_at_full_speed_when_the_mark_moves_again() -> None:
    flow = FlowControl(0.0, next_seq=1000)
    for tenth in range(1000):
        flow.tick(tenth / 10, next_seq=1000)
        send_all(flow, tenth / 10)
    flow.marked(9, 100.0)
    assert send_all(flow, 100.0) == [10, 20]


def test_a_new_connection_begins_again_at_the_mark() -> None:
    flow = FlowControl(0.0, next_seq=1000)
    flow.marked(99, 0.0)
    assert send_all(flow, 0.0) == [100]
    flow.restart(1.0)
    assert send_all(flow, 1.0) == [100]


def test_records_dropped_for_want_of_room_are_not_waited_for() -> None:
    flow = FlowControl(0.0, next_seq=1000)
    flow.marked(99, 0.0)
    assert send_all(flow, 0.0, oldest_seq=500) == [500]


def test_a_mark_told_again_or_late_is_no_progress() -> None:
    """The recorder tells its marks again after every connection, and an older one may come last."""
    flow = FlowControl(0.0, next_seq=1000)
    flow.marked(99, 0.0)
    assert send_all(flow, 0.0) == [100]
    for mark in (99, 50):
        flow.marked(mark, 1.5)
    flow.tick(2.0, next_seq=1000)
    assert send_all(flow, 2.0) == [100], "sent anew two seconds after the first time, and from the newest mark on"


def test_a_mark_in_the_middle_opens_the_window_by_the_batches_it_covers() -> None:
    flow = FlowControl(0.0, next_seq=10_000)
    flow.marked(send_all(flow, 0.0)[-1] + 9, 0.1)
    assert send_all(flow, 0.1) == [10, 20]
    flow.marked(19, 0.2)
    assert send_all(flow, 0.2) == [30, 40, 50]


def test_a_batch_sent_after_a_long_silence_has_its_full_time_to_be_marked() -> None:
    flow = FlowControl(0.0, next_seq=0)
    flow.tick(100.0, next_seq=10)
    flow.tick(105.0, next_seq=10)
    assert send_all(flow, 105.0) == [0]
    flow.tick(106.9, next_seq=10)
    assert send_all(flow, 106.9) == []
    flow.tick(107.1, next_seq=10)
    assert send_all(flow, 107.1) == [0]
