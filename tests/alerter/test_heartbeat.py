"""The sign of life to somebody outside: given while outages can be noticed and kept, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from noc_alerter.notify.heartbeat import HEARTBEAT, Heartbeat
from noc_alerter.notify.smtp import NotDelivered
from tests.alerter.conftest import Rig
from tests.alerter.test_settings import put
from tests.parts.webhook import WebhookSink


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def heart(rig: Rig, sink: WebhookSink) -> Heartbeat:
    heart = Heartbeat(lambda: rig.settings.means, lambda: rig.alerter.is_well)
    rig.alerter.heartbeat = heart
    put(rig, heartbeat_url=sink.url, heartbeat_s=60)
    return heart


def beats_over(rig: Rig, heart: Heartbeat, sink: WebhookSink, seconds: int) -> int:
    """How many were heard while so much passed."""
    before = len(sink.posted)
    for _ in range(seconds):
        rig.passes(1)
        heart.tick(rig.clock_s)
    return len(sink.posted) - before


def test_it_beats_as_often_as_is_set_and_not_at_all_where_none_is(
    rig: Rig, heart: Heartbeat, sink: WebhookSink
) -> None:
    assert beats_over(rig, heart, sink, 150) == 3
    put(rig, heartbeat_url=sink.url, heartbeat_s=10)
    assert beats_over(rig, heart, sink, 60) == 6
    put(rig)
    assert beats_over(rig, heart, sink, 60) == 0
    assert heart.beats == 9


def test_without_a_broker_it_falls_silent_and_beats_at_once_when_all_is_well(
    rig: Rig, heart: Heartbeat, sink: WebhookSink
) -> None:
    assert beats_over(rig, heart, sink, 1) == 1
    rig.bus.stop()
    assert beats_over(rig, heart, sink, 200) == 0
    rig.bus.start()
    rig.web()
    assert beats_over(rig, heart, sink, 40) == 1


def test_a_test_asks_once_and_says_the_other_side_s_own_words(rig: Rig, heart: Heartbeat, sink: WebhookSink) -> None:
    assert rig.channels.try_one(HEARTBEAT) == "200 OK thank you"
    assert len(sink.posted) == 1
    sink.mode = "fail"
    with pytest.raises(NotDelivered, match="500 Internal Server Error <p>no, thank you</p>"):
        rig.channels.try_one(HEARTBEAT)
    put(rig)
    with pytest.raises(NotDelivered, match="save one first"):
        rig.channels.try_one(HEARTBEAT)


def test_an_alerter_that_stands_by_or_stands_still_gives_none(rig: Rig, heart: Heartbeat, sink: WebhookSink) -> None:
    rig.passes(1)
    rig.clock_s += 31
    heart.tick(rig.clock_s)
    assert sink.posted == []


def test_a_beat_that_is_not_taken_is_said_and_the_next_one_ends_that(
    rig: Rig, heart: Heartbeat, sink: WebhookSink
) -> None:
    sink.mode = "fail"
    beats_over(rig, heart, sink, 1)
    assert rig.presence().code == "heartbeat-refused"
    assert "500 Internal Server Error" in (rig.presence().trouble or "")
    sink.mode = "ok"
    beats_over(rig, heart, sink, 61)
    assert rig.presence().code is None
