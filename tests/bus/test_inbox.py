"""The inbox is bounded, and of a retained topic the newest is never lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from noc_bus.inbox import Arrived, Inbox


def put(inbox: Inbox, topic: str, payload: str, *, is_kept: bool) -> None:
    inbox.put(Arrived(topic, payload.encode(), retained=False), "channel", is_kept=is_kept)


def take(inbox: Inbox) -> list[tuple[str, str]]:
    taken = []
    while len(inbox):
        item = inbox.get()
        assert isinstance(item, Arrived)
        taken.append((item.topic, item.payload.decode()))
    return taken


def test_what_fits_comes_out_as_it_came_in() -> None:
    inbox = Inbox(limit=10)
    for number in range(5):
        put(inbox, "a", str(number), is_kept=True)
        put(inbox, "b", str(number), is_kept=False)
    assert take(inbox) == [(topic, str(number)) for number in range(5) for topic in "ab"]


def test_past_the_limit_what_happened_is_dropped_and_counted() -> None:
    inbox = Inbox(limit=3)
    for number in range(10):
        put(inbox, "results", str(number), is_kept=False)
    assert take(inbox) == [("results", str(number)) for number in range(3)]
    assert inbox.dropped == 7


def test_past_the_limit_the_newest_of_each_retained_topic_is_kept() -> None:
    inbox = Inbox(limit=3)
    for number in range(10):
        for topic in ("a", "b"):
            put(inbox, topic, str(number), is_kept=True)
    taken = take(inbox)
    assert sorted(taken[-2:]) == [("a", "9"), ("b", "9")]
    assert len(taken) == 5
    assert not inbox.lost


def test_more_topics_than_there_is_room_for_are_counted_as_lost() -> None:
    inbox = Inbox(limit=1, topics=2)
    for number in range(10):
        put(inbox, f"t{number}", "x", is_kept=True)
    assert inbox.lost["channel"] == 7
    assert len(take(inbox)) == 3


@given(st.lists(st.one_of(st.tuples(st.sampled_from("abc"), st.integers()), st.none()), max_size=60))
def test_no_topic_ever_goes_back_to_an_older_message(steps: list[tuple[str, int] | None]) -> None:
    """None takes one out; each topic's last word comes out last."""
    inbox = Inbox(limit=2)
    sent: dict[str, list[int]] = {}
    got: dict[str, list[int]] = {}

    def out() -> None:
        item = inbox.get()
        assert isinstance(item, Arrived)
        got.setdefault(item.topic, []).append(int(item.payload))

    for number, step in enumerate(steps):
        if step is None:
            if len(inbox):
                out()
        else:
            put(inbox, step[0], str(number), is_kept=True)
            sent.setdefault(step[0], []).append(number)
    while len(inbox):
        out()
    for topic, numbers in sent.items():
        assert got[topic] == sorted(got[topic])
        assert got[topic][-1] == numbers[-1]
