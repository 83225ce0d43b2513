"""Flow control towards the mark, told second by second."""

from __future__ import annotations

import itertools

from noc_prober.replay import BATCH_BYTES, MIN_BATCH_BYTES, FlowControl


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
    flow.restart(1.0, next_seq=1000)
    assert send_all(flow, 1.0) == [100]


def test_what_was_sent_live_on_a_connection_that_is_lost_is_due_on_the_next_at_once() -> None:
    flow = FlowControl(0.0, next_seq=0)
    for tenth in range(20):
        flow.tick(tenth / 10, next_seq=10)
    assert send_all(flow, 2.0) == [], "on its way"
    flow.restart(2.0, next_seq=12)
    flow.tick(2.0, next_seq=15)
    assert send_all(flow, 2.0, per_batch=12) == [0]
    flow.marked(11, 2.1)
    assert send_all(flow, 2.1) == [], "what is sent live on the new one is on its way"


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


class Broker:
    """Takes what is not too large without a word, and drops the rest without one; the recorder marks what comes."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.flow = FlowControl(0.0, next_seq=100_000)
        self.sizes: list[int] = []
        self.marked = -1

    def run(self, from_s: float, seconds: float, most: int = 99_000) -> None:
        for tenth in range(int(from_s * 10), int((from_s + seconds) * 10)):
            now_s = tenth / 10
            self.flow.tick(now_s, next_seq=max(100_000, most))
            while (first := self.flow.next_first_seq(0)) is not None:
                size = self.flow.batch_bytes
                self.sizes.append(size)
                last = first + max(1, size // 300) - 1
                self.flow.sent(last, now_s)
                if size <= self.limit_bytes and first == self.marked + 1:
                    self.marked = last
                    self.flow.marked(last, now_s)
                if self.marked >= most:
                    return


def test_batches_shrink_until_the_broker_takes_them_and_stay_so_for_a_time() -> None:
    broker = Broker(limit_bytes=100_000)
    broker.run(0, 120)
    assert broker.sizes[0] == BATCH_BYTES
    assert broker.marked >= 99_000
    assert broker.sizes.count(BATCH_BYTES) <= 3, "what did not pass is not tried again and again"
    assert broker.sizes[-1] <= 100_000


def test_a_recorder_that_is_away_again_and_again_leaves_batches_as_large_as_they_were() -> None:
    """Each time a node of a cluster dies: what is not marked then is no sign of a size that does not pass."""
    broker = Broker(limit_bytes=BATCH_BYTES)
    for outage in range(8):
        broker.flow = broker.flow if outage else FlowControl(0.0, next_seq=10_000_000)
        broker.limit_bytes = BATCH_BYTES
        broker.run(outage * 45, 35, most=(outage + 1) * 50_000)
        assert broker.sizes[-1] == BATCH_BYTES
        broker.limit_bytes = 0
        broker.run(outage * 45 + 35, 10, most=10_000_000)


def test_a_size_that_passed_and_passes_no_more_is_not_tried_again_and_again() -> None:
    broker = Broker(limit_bytes=BATCH_BYTES)
    broker.run(0, 10, most=50_000)
    assert broker.sizes[-1] == BATCH_BYTES
    broker.sizes.clear()
    broker.limit_bytes = 100_000
    broker.run(10, 120)
    assert broker.marked >= 99_000
    assert broker.sizes.count(BATCH_BYTES) <= 3 + 8, "with those that were on their way"


def test_where_not_even_a_single_record_passes_it_says_so() -> None:
    broker = Broker(limit_bytes=0)
    is_stuck = []
    for from_s, seconds, limit_bytes in ((0, 100, 0), (100, 200, 0), (300, 300, BATCH_BYTES)):
        broker.limit_bytes = limit_bytes
        broker.run(from_s, seconds)
        is_stuck.append(broker.flow.is_stuck)
    assert is_stuck == [False, True, False]
    assert MIN_BATCH_BYTES in broker.sizes
    assert broker.marked >= 99_000


def test_a_connection_that_ends_with_a_batch_on_its_way_makes_the_next_one_smaller() -> None:
    """A nats-server ends the connection of who sends too much at once."""
    flow = FlowControl(0.0, next_seq=1000)
    send_all(flow, 0.0)
    flow.restart(0.1, next_seq=1000)
    assert flow.batch_bytes == BATCH_BYTES // 2
    flow.restart(10.0, next_seq=1000)
    assert flow.batch_bytes == BATCH_BYTES // 2, "nothing was on its way"
