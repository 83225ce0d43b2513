"""What the recorder stores and what a report then says of it, on every store: one story for each kind of wrong time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from noc_bus.channels import LATE_OUTAGES, TARGETS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Incident, LateOutages, ProbeResult, SiteState, State, Target
from noc_bus.time import Time
from noc_history.store import Store
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import Intake
from noc_recorder.late import Late
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer
from noc_rules.late import is_late_outage
from noc_web.uptime import Timeline, timelines
from tests.history.records import at, cycle, state
from tests.parts.waiting import wait_until

TARGET = Target(id="router", name="Router", address="192.0.2.1", interval_s=10)


class Recording:
    """A recorder's writer on a store; `stop` and `start` are its restarts."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self._folder = folder
        self._hub = Hub()
        self._web = FakeBus(self._hub)
        self._web.start()
        self._seq = 0
        self.define(TARGET)
        self.start()

    def define(self, target: Target) -> None:
        self._web.publish(TARGETS, target)

    def start(self) -> None:
        bus = FakeBus(self._hub)
        self.intake, self._stop = Intake(), threading.Event()
        self._definitions = Definitions(bus)
        rejected, deletions = RejectedFile(self._folder), Deletions(bus, self._folder)
        self._late = Late(bus, self._folder, self.store, self._definitions.now, quiet_s=0)
        self.writer = Writer(
            self.store, self.intake, rejected, self._definitions, deletions, self._late, write_every_s=0.02
        )
        self._thread = threading.Thread(target=self.writer.run, args=[self._stop, lambda marks: None], daemon=True)
        self._thread.start()
        bus.start()
        wait_until(lambda: self._definitions.interval_s("router"), 10, "the definition")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=20)

    def hear(self, *records: ProbeResult | SiteState) -> None:
        """Records as a site numbers them, one after the other; all are stored when this returns."""
        for record in records:
            record = replace(record, seq=self._seq)
            is_late = isinstance(record, SiteState) and is_late_outage(record, Time.now())
            self.intake.put(record, late=[record] if is_late else [])  # type: ignore[list-item]  # a state
            self._seq += 1
        wait_until(self._is_stored, 20, "everything stored", seen=lambda: (self._seq, self.writer.trouble))

    def _is_stored(self) -> bool:
        mark = self.store.marks().get("here")
        return mark is not None and mark.seq == self._seq - 1

    def found_late(self, now_s: float) -> list[Incident]:
        """What it tells the alerter then of outages in what came late, once it has looked."""

        def said() -> list[LateOutages]:
            self._late.tick(at(now_s))
            return self._hub.messages(LATE_OUTAGES)

        return [incident for one in wait_until(said, 20, "what came late") for incident in one.incidents]

    def past(self, start_s: float, end_s: float) -> Timeline:
        ((_, timeline),) = timelines(self.store, [TARGET], at(start_s), at(end_s))
        return timeline

    def drawn(self, start_s: float, end_s: float) -> list[tuple[str, float]]:
        return [(str(one.state), one.seconds) for one in self.past(start_s, end_s).overall]


@pytest.fixture
def recording(store: Store, tmp_path: Path) -> Iterator[Recording]:
    recording = Recording(store, tmp_path)
    yield recording
    recording.stop()


def cycles(start_s: float, end_s: float, every_s: float = 10) -> list[ProbeResult]:
    return [cycle(start_s + n * every_s) for n in range(round((end_s - start_s) / every_s))]


def prober_stands(recording: Recording) -> None:
    recording.hear(state(0, State.UP), *cycles(0, 100), *cycles(200, 300))


def everything_stands(recording: Recording) -> None:
    recording.hear(state(0, State.UP), *cycles(0, 100))
    recording.stop()
    recording.start()
    recording.hear(*cycles(200, 300))


@pytest.mark.parametrize("stand", [prober_stands, everything_stands])
def test_time_in_which_a_prober_or_the_whole_noc_did_not_run(
    recording: Recording, stand: Callable[[Recording], None]
) -> None:
    """The last cycle began at 90, so that one was due at 100; the first one after began at 200."""
    stand(recording)
    assert recording.drawn(0, 290) == [("UP", 100), ("UNKNOWN", 100), ("UP", 90)]
    past = recording.past(0, 290)
    assert past.uptime.uptime_pct == 100
    assert past.uptime.coverage_pct == pytest.approx(100 * 190 / 290)


def test_time_for_which_a_site_was_only_cut_off_is_known_once_its_journal_came(recording: Recording) -> None:
    recording.hear(state(0, State.UP), *cycles(0, 100))
    recording.hear(*cycles(200, 250), *cycles(100, 200), state(120, State.DOWN), state(150, State.UP))
    assert recording.drawn(0, 240) == [("UP", 120), ("DOWN", 30), ("UP", 90)]


def test_an_outage_in_what_came_late_is_an_incident_for_the_alerter(recording: Recording) -> None:
    recording.hear(state(0, State.UP), *cycles(0, 100))
    recording.hear(*cycles(200, 250), *cycles(100, 200), state(120, State.DOWN), state(150, State.UP))
    (found,) = recording.found_late(1000)
    assert (found.targets, found.opened_at, found.resolved_at) == (["router"], at(120), at(150))


def test_time_before_a_target_existed_or_was_first_asked(recording: Recording) -> None:
    recording.hear(state(1000, State.UP), *cycles(1000, 1100))
    past = recording.past(0, 1090)
    assert [(str(one.state), one.start, one.end) for one in past.overall] == [("UP", at(1000), at(1090))]
    assert past.uptime.coverage_pct == pytest.approx(100 * 90 / 1090)


def test_a_wall_clock_that_was_ahead_and_then_put_right_hides_no_later_outage(recording: Recording) -> None:
    """For 20 s it is 180 s ahead; what looks like the future is the past. Then there is an outage of 26 s."""
    recording.hear(state(-100, State.UP), *cycles(-100, 0), *cycles(180, 200), state(190, State.DEGRADED))
    recording.hear(*cycles(20, 60), state(60, State.DOWN), *cycles(60, 90), state(86, State.UP), *cycles(90, 180))
    drawn = recording.drawn(0, 170)
    assert ("DOWN", 26) in drawn
    assert "DEGRADED" in [name for name, _ in drawn]
    assert drawn[-1][0] == "UP"


def test_one_cycle_of_years_ahead_hides_no_silence(recording: Recording) -> None:
    years_s = 3600 * 20
    recording.hear(state(0, State.UP), *cycles(0, 50), cycle((Time.now() - at(0)) / 1000 + years_s))
    assert recording.drawn(0, 1000) == [("UP", 50), ("UNKNOWN", 950)]


def test_a_clock_that_steps_back_loses_no_cycle_and_counts_what_is_stored(recording: Recording) -> None:
    recording.hear(state(0, State.UP), *cycles(0, 120, every_s=1))
    recording.hear(*cycles(60, 180, every_s=1))
    (point,) = recording.store.series("router", at(0), at(200), 1)["here"]
    assert point.cycles == 240
    wait_until(lambda: recording.writer.stored == 241, 10, "the count", seen=lambda: recording.writer.stored)
    assert recording.drawn(0, 170) == [("UP", 170)]


def test_a_pause_is_no_silence(recording: Recording) -> None:
    paused = state(100, State.UNKNOWN, reason="not pinged", code="paused")
    recording.hear(state(0, State.UP), *cycles(0, 100), paused, state(200, State.UP), *cycles(200, 300))
    assert recording.drawn(0, 290) == [("UP", 100), ("PAUSED", 100), ("UP", 90)]
