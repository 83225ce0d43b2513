"""A site that was cut off for an hour comes back, as recorder, alerter and web service see it together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from noc_bus.channels import REPLAYS, RESULTS, STATES
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Covered, Incident, Maintenance, ProbeResult, Replay, SiteState, State
from noc_bus.time import Time
from tests.alerter.conftest import T0, part
from tests.alerter.conftest import Rig as Alerting
from tests.parts.waiting import wait_until
from tests.recorder.conftest import Rig as Recording
from tests.web.conftest import Service

SITES: Final = ("north", "south", "west")
MINUTES: Final = 85
CUT: Final = range(15, 75)
# When each site sees what down, in minutes. The branch and what is behind it, the shop and the depot are west's alone.
DOWN: Final = {
    "router": {"north": range(45, 51), "south": range(45, 51), "west": range(25, 51)},
    "branch": {"west": range(20, 40)},
    "till": {"west": range(20, 40)},
    "depot": {"west": range(50, 60)},
    "shop": {"west": range(30, 35)},
}
ONLY_WEST: Final[dict[str, Any]] = {"sites": ["west"], "interval_s": 60}


def seen(site: str) -> list[ProbeResult | SiteState]:
    """All that a site's journal has of that time: a cycle a minute, and what it called each target."""
    found: list[ProbeResult | SiteState] = []
    before: dict[str, State] = {}
    for minute in range(MINUTES):
        at = Time(T0 + minute * 60_000)
        for target, by_site in DOWN.items():
            if site not in by_site:
                continue
            is_down = minute in by_site[site]
            now = State.DOWN if is_down else State.UP
            if now is not before.get(target):
                reason = "5 checks unanswered" if is_down else "answers"
                found.append(
                    SiteState(
                        site=site, target=target, epoch=1, seq=len(found), state=now, since=at, reason=reason, at=at
                    )
                )
                before[target] = now
            rtts = [] if is_down else [1.0 + minute / 100]
            found.append(
                ProbeResult(site=site, target=target, epoch=1, seq=len(found), at=at, address="192.0.2.1", sent=1,
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
        self.recording = Recording(folder, hub, quiet_s=0)
        self.recording.start()
        self.web = Service(folder)
        for name in DOWN:
            options: dict[str, Any] = {} if name == "router" else {"sites": ["west"]}
            if name == "till":
                options["parents"] = ["branch"]
            self.web.catalog.add_target(
                {"id": name, "name": name.title(), "address": "192.0.2.1", "interval_s": 60, **options}, "test"
            )
        self.web.start()
        self.web.follow()

    def answers(self) -> list[Any]:
        """What charts, states and reports say of that time."""
        for site in SITES:
            self.recording.wait_for_mark(len(seen(site)) - 1, site)
        period = f"from={int(T0)}&to={int(T0) + MINUTES * 60_000}"
        viewer = self.web.by("viewer")
        targets = [f"targets/{name}/{what}" for name in DOWN for what in ("history", "states")]
        paths = (*targets, "reports/uptime", "reports/outages")
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


@pytest.mark.thorough
def test_the_hour_of_a_site_that_was_cut_off_is_as_if_it_had_been_live_and_one_mail_names_what_failed_in_it(
    worlds: tuple[Alerting, World, World],
) -> None:
    alerting, cut, live = worlds
    in_time = FakeBus(live.recording.hub)
    in_time.start()
    begin(alerting)
    by_minute = in_minutes()
    missed = [one for some in CUT for one in by_minute["west", some]]
    late = cut.recording.late
    for minute in range(MINUTES):
        if minute == CUT.start:
            alerting.cut("west")
            alerting.maintenance(works())
        if minute == CUT.stop:
            alerting.no_maintenance("works")
            assert alerting.words == [*["BLIND"] * 2, *["DOWN"] * 2, *["UP"] * 2]
            wait_until(lambda: len(cut.recording.store.cycles(site="west")) == CUT.start, 10, "what came before")
            alerting.back("west")
            # Twice, as a journal that has not heard of the mark yet.
            for _ in range(2):
                alerting.buses["west"].publish(REPLAYS, _replay(missed))
        for one in [one for site in SITES for one in by_minute[site, minute]]:
            say(alerting, in_time, one)
        cut.recording.recorder.announce()
        alerting.stays(60)
        if minute < CUT.stop:
            late.tick(alerting.now)
    assert cut.answers() == live.answers()
    assert len(alerting.mails) == 8
    for _ in range(3):
        late.tick(alerting.now)
        alerting.stays(10)
    # West's is the only one about it since it came back, and one names all that it saw.
    assert alerting.words == [*["BLIND"] * 2, *["DOWN"] * 2, *["UP"] * 2, *["RECOVERED"] * 2, *["NOC"] * 2]
    assert {str(mail["To"]) for mail in alerting.mails[-2:]} == {"ops@noc.test", "boss@noc.test"}
    assert alerting.subjects[-1] == "[NOC] 2 outages found in data that came late (west)"
    text = part(alerting.mails[-1], "plain")
    assert "2026-11-24 12:20:00 UTC: DOWN Branch and 1 more (west), for 20 min" in text
    assert "2026-11-24 12:50:00 UTC: DOWN Depot (west), for 10 min" in text
    assert "Shop" not in text, "it was in maintenance"
    assert alerting.open == []
    branch, shop, depot = [one for one in alerting.ended if one.found_at]
    assert [one.target for one in branch.members] == ["branch", "till"]
    assert (branch.members[1].behind, branch.evidence) == ("branch", ["west DOWN: 5 checks unanswered"])
    assert [one.target for one in [*shop.members, *depot.members]] == ["shop", "depot"]
    wait_until(lambda: is_kept(cut.recording, branch, shop, depot), 10, "they are among past incidents")
    # The same again, with whatever a journal may still have: nothing is told or kept twice.
    alerting.buses["west"].publish(REPLAYS, _replay(missed))
    late.note([one for one in missed if isinstance(one, SiteState) and one.state is State.DOWN])
    late.stored()
    for _ in range(3):
        late.tick(alerting.now)
        alerting.stays(10)
    assert len(alerting.mails) == 10
    assert len({one.id for one in alerting.ended if one.found_at}) == 3


def begin(alerting: Alerting) -> None:
    alerting.mail_to = ("ops@noc.test", "boss@noc.test")
    alerting.target(interval_s=60)
    for name in ("branch", "depot", "shop"):
        alerting.target(name, **ONLY_WEST)
    alerting.target("till", **ONLY_WEST, parents=["branch"])
    for site in SITES:
        alerting.site(site)
    alerting.prober(*SITES)
    alerting.start()


def say(alerting: Alerting, in_time: FakeBus, one: ProbeResult | SiteState) -> None:
    """On the bus of the world that is told everything in time; and of the other, where its site has a connection."""
    if isinstance(one, SiteState):
        in_time.publish(STATES, one)
        alerting.of(one.site).put(one)
        return
    in_time.publish(RESULTS, one)
    if alerting.buses[one.site].connected:
        alerting.others.publish(RESULTS, one)


def works() -> Maintenance:
    return Maintenance(
        id="works", title="Works at the shop", starts_at=Time(T0 + 25 * 60_000), ends_at=Time(T0 + 40 * 60_000),
        covers=[Covered(kind="target", name="shop")], at=T0,
    )  # fmt: skip


def is_kept(recording: Recording, *incidents: Incident) -> bool:
    kept = [replace(one, rev=None) for one in recording.store.incidents(T0, Time(T0 + 86_400_000))]
    return all(one in kept for one in incidents)


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
