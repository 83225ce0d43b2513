"""What came late is looked through once nothing more comes, and handed over until the alerter has it, over restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from noc_bus.channels import LATE_OUTAGE_ANSWERS, LATE_OUTAGES, SERVICES
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import LateOutages, LateOutagesAnswer, ServicePresence, SiteState, State, Target
from noc_bus.time import HOUR_MS, Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition
from noc_recorder.late import AT_THE_LATEST_S, QUIET_S, Late
from tests.parts.waiting import wait_until

NOW: Final = Time.parse("2026-11-24T12:00:00.000Z")
MINUTE_MS: Final = 60_000


class Kept:
    """What a recorder has, which may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock_s = 1000.0
        self.targets = {name: Target(id=name, name=name.title(), address="192.0.2.1") for name in ("a", "b")}
        self.store = SqliteStore(folder / "history.sqlite")
        self.hub = Hub()
        self.alerter = FakeBus(self.hub)
        self.alerter.start()
        self._seq = 0
        self.begin()

    def begin(self) -> None:
        self.bus = FakeBus(self.hub)
        self.late = Late(self.bus, self.folder, self.store, self.targets.get, clock=lambda: self.clock_s)
        self.bus.start()

    def die(self) -> None:
        self.bus.stop()
        self.late.close()

    def close(self) -> None:
        self.die()
        self.store.close()

    def states(self, target: str, *known: tuple[float, State, str | None]) -> list[SiteState]:
        """States from so many minutes before now on."""
        found = []
        for minutes, state, code in known:
            self._seq += 1
            since = Time(NOW - round(minutes * MINUTE_MS))
            found.append(
                SiteState(site="west", target=target, epoch=1, seq=self._seq, state=state, since=since,
                          reason=f"it is {state}", code=code, at=since)
            )  # fmt: skip
        return found

    def comes_late(self, states: list[SiteState]) -> None:
        self.late.note([one for one in states if one.state is State.DOWN])
        self.store.write(Batch(states=states))
        self.late.stored()

    def passes(self, seconds: float) -> None:
        self.clock_s += seconds
        self.late.tick(NOW)

    def answers(self, one: LateOutages) -> None:
        self.alerter.publish(LATE_OUTAGE_ANSWERS, LateOutagesAnswer(finding=one.finding, part=one.part, at=NOW))
        self.late.tick(NOW)

    @property
    def said(self) -> list[LateOutages]:
        return self.hub.messages(LATE_OUTAGES)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    kept = Kept(tmp_path)
    yield kept
    kept.close()


def outage(kept: Kept, target: str = "a", start: float = 60, end: int = 30) -> list[SiteState]:
    return kept.states(target, (90, State.UP, None), (start, State.DOWN, None), (end, State.UP, None))


def test_it_is_judged_once_nothing_more_has_come_for_a_minute(kept: Kept) -> None:
    kept.comes_late(outage(kept))
    kept.passes(QUIET_S - 1)
    kept.comes_late(outage(kept, "b", 50))
    kept.passes(QUIET_S - 1)
    assert kept.said == []
    kept.passes(1)
    kept.passes(0)
    (one,) = kept.said
    assert [incident.targets for incident in one.incidents] == [["a"], ["b"]]
    assert (one.part, one.parts, one.sites, one.quiet) == (1, 1, ["west"], [])


def test_what_never_ends_to_come_is_judged_after_some_minutes(kept: Kept) -> None:
    kept.comes_late(outage(kept))
    for _ in range(round(AT_THE_LATEST_S / 10)):
        kept.comes_late(kept.states("b", (20, State.DOWN, None)))
        kept.passes(10)
    kept.passes(0)
    assert len(kept.said) == 1


def test_nothing_is_judged_before_it_is_stored(kept: Kept) -> None:
    kept.late.note(states := outage(kept))
    kept.passes(2 * QUIET_S)
    assert kept.said == []
    kept.store.write(Batch(states=states))
    kept.late.stored()
    kept.passes(QUIET_S)
    kept.passes(0)
    assert len(kept.said) == 1


@pytest.mark.parametrize("when", ["before it is judged", "before it is said", "before it is answered"])
def test_a_kill_in_between_loses_nothing(kept: Kept, when: str) -> None:
    kept.comes_late(outage(kept))
    if when != "before it is judged":
        kept.passes(QUIET_S)
    if when == "before it is answered":
        kept.passes(0)
    kept.die()
    kept.begin()
    for _ in range(3):
        kept.passes(QUIET_S)
    assert {one.finding for one in kept.said} == {f"late-{int(NOW)}"}
    kept.answers(kept.said[-1])
    before = len(kept.said)
    kept.passes(3600)
    assert len(kept.said) == before, "it is answered"


def test_parts_go_one_after_the_other_and_each_until_it_is_answered(kept: Kept) -> None:
    for number in range(150):
        name = f"t{number}"
        # Each in a group of its own, so that each is an incident of its own.
        kept.targets[name] = Target(id=name, name=name, address="192.0.2.1", group=name)
        kept.comes_late(outage(kept, name, 80 - number % 60, 10))
    kept.passes(QUIET_S)
    kept.passes(0)
    kept.passes(9)
    assert [(one.part, one.parts, len(one.incidents)) for one in kept.said] == [(1, 2, 100)]
    kept.passes(1)
    assert [one.part for one in kept.said] == [1, 1]
    kept.answers(kept.said[0])
    assert [one.part for one in kept.said] == [1, 1, 2]
    assert sum(len(one.incidents) for one in kept.said[1:]) == 150
    kept.answers(kept.said[-1])
    kept.passes(3600)
    assert len(kept.said) == 3


@pytest.mark.parametrize(
    ("definitions", "states", "found"),
    [
        pytest.param([], [(60, State.DOWN, None), (30, State.UP, None)], True, id="as it is now"),
        pytest.param([(300, True), (10, False)], [(60, State.DOWN, None), (30, State.UP, None)], True, id="deleted since"),
        pytest.param([(300, False), (10, True)], [(60, State.DOWN, None), (30, State.UP, None)], False, id="not there yet"),
        pytest.param(
            [], [(60, State.DOWN, None), (58, State.UNKNOWN, "paused")], True, id="a pause ends it"
        ),
    ],
)  # fmt: skip
def test_it_is_judged_as_it_was_then(
    kept: Kept, definitions: list[tuple[int, bool]], states: list[tuple[int, State, str | None]], found: bool
) -> None:
    target = kept.targets["a"]
    kept.store.write(
        Batch(
            definitions=[
                Definition("a", Time(NOW - minutes * MINUTE_MS), target if is_there else None)
                for minutes, is_there in definitions
            ]
        )
    )
    if definitions and not definitions[-1][1]:
        del kept.targets["a"]
    kept.comes_late(kept.states("a", (90, State.UP, None), *states))
    kept.passes(QUIET_S)
    kept.passes(0)
    assert [one.targets for message in kept.said for one in message.incidents] == ([["a"]] if found else [])


@pytest.mark.parametrize(("wait_s", "incidents"), [(None, [["a", "b"]]), (1.0, [["a"], ["b"]]), (300.0, [["a", "b"]])])
def test_what_went_down_together_is_gathered_for_as_long_as_the_alerter_does(
    kept: Kept, wait_s: float | None, incidents: list[list[str]]
) -> None:
    kept.targets = {name: replace(one, group="core") for name, one in kept.targets.items()}
    said = {} if wait_s is None else {"group_wait_s": wait_s}
    for online, figures in ((True, said), (False, {})):
        kept.alerter.publish(SERVICES, ServicePresence(service="alerter", online=online, at=NOW, figures=figures))
    kept.comes_late(outage(kept, "a", 60))
    kept.comes_late(outage(kept, "b", 60 - 5 / 60))
    kept.passes(QUIET_S)
    kept.passes(0)
    assert [sorted(incident.targets) for one in kept.said for incident in one.incidents] == incidents


def test_what_of_the_late_data_is_no_outage_is_nothing_to_say(kept: Kept) -> None:
    kept.comes_late(kept.states("a", (90, State.UP, None), (2, State.DOWN, None)))
    kept.passes(QUIET_S)
    kept.passes(0)
    assert kept.said == [], "it goes on, and the alerter sees it"
    kept.passes(HOUR_MS / 1000)
    assert kept.said == []


def test_what_goes_wrong_with_the_past_keeps_the_recorder_from_nothing(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, and tries again."""
    kept.comes_late(outage(kept))
    with kept.late._database.transaction("spoil") as connection:
        connection.execute("INSERT INTO maintenance (name, since, message) VALUES ('works', 0, x'7b')")
    kept.clock_s += QUIET_S
    stop = threading.Event()
    thread = threading.Thread(target=kept.late.run, args=[stop])
    thread.start()
    wait_until(lambda: "outages in late data are not looked for now" in caplog.text, 30, "a sentence")
    assert thread.is_alive()
    stop.set()
    thread.join()


def test_while_something_is_written_the_past_is_judged_slowly_and_comes_to_the_same(kept: Kept) -> None:
    """At every target it gives way for as long as the write takes, and at most for a moment."""
    began: list[float] = []

    def defined(name: str) -> Target | None:
        if not began:
            kept.late.note([])
        began.append(time.monotonic())
        return kept.targets[name]

    kept.die()
    kept.late = Late(kept.bus, kept.folder, kept.store, defined, clock=lambda: kept.clock_s)
    kept.bus.start()
    kept.comes_late(outage(kept))
    kept.comes_late(outage(kept, "b", 50))
    kept.passes(QUIET_S)
    first_s, second_s = began
    assert second_s - first_s > 0.045
    kept.late.stored()
    kept.passes(0)
    assert [incident.targets for one in kept.said for incident in one.incidents] == [["a"], ["b"]]
