"""A site that was cut off for an hour comes back, as recorder, alerter and web service see it together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from noc_bus.channels import REPLAYS, RESULTS, STATES
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import ProbeResult, Replay, SiteState, State
from noc_bus.time import Time
from tests.alerter.conftest import T0
from tests.alerter.conftest import Rig as Alerting
from tests.parts.waiting import wait_until
from tests.recorder.conftest import Rig as Recording
from tests.web.conftest import Service

SITES: Final = ("north", "south", "west")
MINUTES: Final = 85
CUT: Final = range(15, 75)
# When each site sees the router down, in minutes.
DOWN: Final = {"north": range(45, 51), "south": range(45, 51), "west": range(25, 51)}


def seen(site: str) -> list[ProbeResult | SiteState]:
    """All that a site's journal has of that time: a cycle a minute, and what it called the router."""
    found: list[ProbeResult | SiteState] = []
    before: State | None = None
    for minute in range(MINUTES):
        is_down = minute in DOWN[site]
        at = Time(T0 + minute * 60_000)
        now = State.DOWN if is_down else State.UP
        if now is not before:
            reason = "5 checks unanswered" if is_down else "answers"
            found.append(
                SiteState(
                    site=site, target="router", epoch=1, seq=len(found), state=now, since=at, reason=reason, at=at
                )
            )
            before = now
        rtts = [] if is_down else [1.0 + minute / 100]
        found.append(
            ProbeResult(site=site, target="router", epoch=1, seq=len(found), at=at, address="192.0.2.1", sent=1,
                        received=len(rtts), rtts_ms=rtts)
        )  # fmt: skip
    return found


def in_minutes() -> dict[tuple[str, int], list[ProbeResult | SiteState]]:
    """The same by site and minute."""
    found: dict[tuple[str, int], list[ProbeResult | SiteState]] = {}
    for site in SITES:
        for one in seen(site):
            found.setdefault((site, (one.at - T0) // 60_000), []).append(one)
    return found


class World:
    """A recorder and a web service on one folder."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        folder.mkdir()
        self.recording = Recording(folder, hub)
        self.recording.start()
        self.web = Service(folder)
        router = {"id": "router", "name": "Router", "address": "192.0.2.1", "interval_s": 60}
        self.web.catalog.add_target(router, "test")
        self.web.start()
        self.web.follow()

    def answers(self) -> list[Any]:
        """What charts, states and reports say of that time."""
        for site in SITES:
            self.recording.wait_for_mark(len(seen(site)) - 1, site)
        period = f"from={int(T0)}&to={int(T0) + MINUTES * 60_000}"
        viewer = self.web.by("viewer")
        paths = ("targets/router/history", "targets/router/states", "reports/uptime", "reports/outages")
        return [viewer.get(f"{path}?{period}") for path in paths] + [
            viewer.get(f"reports/uptime?{period}&by=site&compare=true&profile=strict")
        ]

    def close(self) -> None:
        self.recording.stop()
        self.recording.store.close()
        self.web.close()


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[tuple[Alerting, World, World]]:
    """An alerter on the bus of the first; the second is told everything in time."""
    (tmp_path / "alerter").mkdir()
    alerting = Alerting(tmp_path / "alerter")
    cut, live = World(tmp_path / "cut", alerting.hub), World(tmp_path / "live", Hub())
    yield alerting, cut, live
    alerting.die()
    cut.close()
    live.close()


def test_the_hour_of_a_site_that_was_cut_off_is_as_if_it_had_been_live_and_no_mail_tells_of_it(
    worlds: tuple[Alerting, World, World],
) -> None:
    alerting, cut, live = worlds
    in_time = FakeBus(live.recording.hub)
    in_time.start()
    alerting.target(interval_s=60)
    for site in SITES:
        alerting.site(site)
    alerting.prober(*SITES)
    alerting.start()
    by_minute = in_minutes()
    for minute in range(MINUTES):
        if minute == CUT.start:
            alerting.cut("west")
        if minute == CUT.stop:
            assert alerting.words == ["BLIND", "DOWN", "UP"]
            wait_until(lambda: len(cut.recording.store.cycles(site="west")) == CUT.start, 10, "what came before")
            alerting.back("west")
            missed = [one for some in CUT for one in by_minute["west", some]]
            alerting.buses["west"].publish(REPLAYS, _replay(missed))
        for site in SITES:
            for one in by_minute[site, minute]:
                if isinstance(one, SiteState):
                    in_time.publish(STATES, one)
                    alerting.of(site).put(one)
                    continue
                in_time.publish(RESULTS, one)
                if alerting.buses[site].connected:
                    alerting.others.publish(RESULTS, one)
        cut.recording.recorder.announce()
        alerting.stays(60)
    assert cut.answers() == live.answers()
    # The last is the only one since it came back: what it alone saw DOWN is past.
    assert alerting.words == ["BLIND", "DOWN", "UP", "RECOVERED"]
    assert alerting.subjects[-1].endswith("site west since 12:15")
    assert alerting.open == []


def _replay(records: list[ProbeResult | SiteState]) -> Replay:
    return Replay(
        site="west",
        epoch=1,
        oldest_seq=0,
        first_seq=records[0].seq,
        last_seq=records[-1].seq,
        results=[one for one in records if isinstance(one, ProbeResult)],
        states=[one for one in records if isinstance(one, SiteState)],
    )
