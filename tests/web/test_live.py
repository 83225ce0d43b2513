"""The live picture: rows, tiles that cannot disagree with them, and numbered changes that miss nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noc_bus.channels import INCIDENTS, PROBERS, RESULTS, SERVICES, STATES, VERDICTS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import ServicePresence, Site, State, Target, VerdictState
from noc_bus.presence import SILENT_AFTER_S
from noc_bus.time import Time
from noc_web.json import plain
from noc_web.live.revision import _RING, Revisions
from noc_web.live.view import LiveView
from tests.web.facts import incident, presence, result, state, verdict
from tests.web.page import applied, check_tiles, shown

NOW = Time.now()


class Rig:
    """A view fed from a bus, and one browser that only ever saw the first snapshot and the deltas."""

    def __init__(self) -> None:
        self.hub = Hub()
        bus = self.bus = FakeBus(self.hub)
        self.others = FakeBus(self.hub)
        self.others.start()
        self.view = LiveView(bus)
        self.revisions = Revisions(self.view)
        bus.start()
        self.page = self.snapshot()

    def define(self, *targets: Target, sites: tuple[str, ...] = ("here",)) -> None:
        self.view.define({one.id: one for one in targets}, {name: Site(id=name, label=name) for name in sites})

    def snapshot(self, now: Time = NOW) -> dict[str, Any]:
        found: dict[str, Any] = plain(self.revisions.snapshot(now))
        return found

    def advance(self, now: Time = NOW, trouble: tuple[str, ...] = ()) -> dict[str, Any] | None:
        delta: dict[str, Any] | None = plain(self.revisions.advance(now, list(trouble)))
        if delta:
            self.page = applied(self.page, delta)
        return delta

    def row(self, name: str = "a") -> dict[str, Any]:
        self.advance()
        found: dict[str, Any] = next(row for row in self.snapshot()["targets"] if row["id"] == name)
        return found


@pytest.fixture
def rig() -> Rig:
    return Rig()


def target(name: str = "a", **more: Any) -> Target:
    return Target(id=name, name=name.upper(), address="10.0.0.1", **more)


# -- rows


def test_a_target_nobody_has_judged_is_unknown_and_says_so(rig: Rig) -> None:
    rig.define(target())
    row = rig.row()
    assert (row["state"], row["since"], row["reason"]) == ("UNKNOWN", None, "not judged yet")
    assert row["sites"]["here"]["reason"] == "no prober has been seen there"


def test_a_row_has_the_verdict_and_every_site_s_view_with_its_figures(rig: Rig) -> None:
    rig.define(target(), sites=("here", "there"))
    for site in ("here", "there"):
        rig.others.publish(PROBERS, presence(site))
        rig.others.publish(STATES, state(site=site, at=NOW))
    rig.others.publish(RESULTS, result(at=NOW))
    rig.others.publish(RESULTS, result(site="there", at=NOW, received=1, rtts_ms=[6.0]))
    rig.others.publish(VERDICTS, verdict(kind=VerdictState.DEGRADED, reason="loss"))
    row = rig.row()
    assert (row["state"], row["reason"], row["rtt_ms"], row["loss_pct"]) == ("DEGRADED", "loss", 4.0, 25.0)
    assert (row["sites"]["here"]["rtt_ms"], row["sites"]["there"]["loss_pct"]) == (2.0, 50.0)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (presence(online=False), "its prober is offline"),
        (presence(isolated=True), "it is isolated: no anchor answers"),
    ],
)
def test_what_a_blind_site_saw_last_is_not_shown_as_if_it_were_so_now(rig: Rig, said: Any, reason: str) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW, rtt_ms=2.0, loss_pct=0.0))
    rig.others.publish(RESULTS, result(at=NOW))
    assert rig.row()["rtt_ms"] == 2.0
    rig.others.publish(PROBERS, said)
    cell = rig.row()["sites"]["here"]
    assert (cell["state"], cell["reason"], cell["rtt_ms"], cell["loss_pct"]) == ("UNKNOWN", reason, None, None)


@pytest.mark.parametrize(
    ("result_age_ms", "state_age_ms", "rtt_ms"),
    [(0, 0, 2.0), (30_999, 0, 2.0), (31_000, 0, 7.0), (31_000, 89_999, 7.0), (31_000, 90_000, None)],
    ids=["both fresh", "three cycles old", "only the state is fresh", "a refresh is due", "both old"],
)
def test_figures_leave_the_row_once_they_are_old(
    rig: Rig, result_age_ms: int, state_age_ms: int, rtt_ms: float | None
) -> None:
    rig.define(target(interval_s=10, timeout_ms=1000))
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW - state_age_ms, rtt_ms=7.0, loss_pct=0.0))
    rig.others.publish(RESULTS, result(at=NOW - result_age_ms))
    assert rig.row()["rtt_ms"] == rtt_ms


def test_a_refresh_takes_old_figures_off_the_page_though_nothing_new_arrived(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(RESULTS, result(at=NOW))
    rig.advance()
    later = Time(NOW + 120_000)
    assert rig.advance(later) is None
    rig.revisions.refresh()
    delta = rig.advance(later)
    assert delta is not None
    assert delta["targets"][0]["rtt_ms"] is None
    assert shown(rig.page) == shown(rig.snapshot(later))


def test_an_older_result_that_comes_late_does_not_replace_a_newer_one(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(RESULTS, result(at=NOW, seq=8))
    rig.others.publish(RESULTS, result(at=NOW - 5000, seq=7, rtts_ms=[99.0, 99.0]))
    assert rig.row()["rtt_ms"] == 2.0


def test_a_result_after_the_prober_s_clock_was_put_back_is_newer_all_the_same(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(RESULTS, result(at=NOW + 3_600_000, seq=7))
    rig.others.publish(RESULTS, result(at=NOW, seq=8, rtts_ms=[6.0, 8.0]))
    assert rig.row()["rtt_ms"] == 7.0


def test_a_cycle_that_proves_nothing_shows_no_figures(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(RESULTS, result(at=NOW, invalid="late schedule"))
    assert (rig.row()["rtt_ms"], rig.row()["loss_pct"]) == (None, None)


def test_a_paused_target_is_paused_at_once_and_unknown_until_it_is_judged_again(rig: Rig) -> None:
    rig.define(target(paused=True))
    rig.others.publish(VERDICTS, verdict(kind=VerdictState.UP))
    assert rig.row()["state"] == "PAUSED"
    rig.others.publish(VERDICTS, verdict(kind=VerdictState.PAUSED))
    rig.define(target())
    assert rig.row()["state"] == "UNKNOWN"


def test_only_the_sites_a_target_names_are_in_its_row(rig: Rig) -> None:
    rig.define(target(sites=["there"]), sites=("here", "there"))
    assert list(rig.row()["sites"]) == ["there"]


def test_a_target_that_is_deleted_leaves_the_page_and_what_is_said_of_it_later_does_not_bring_it_back(rig: Rig) -> None:
    rig.define(target(), target("b"))
    rig.advance()
    rig.define(target("b"))
    delta = rig.advance()
    assert delta is not None
    assert (delta["removed"], delta["kpis"]["total"]) == (["a"], 1)
    rig.others.publish(VERDICTS, verdict("a"))
    rig.others.publish(RESULTS, result("a"))
    assert rig.advance() is None


def test_an_incident_is_on_its_targets_rows_while_it_is_open(rig: Rig) -> None:
    rig.define(target(), target("b"))
    rig.others.publish(INCIDENTS, incident("i-1", "a"))
    assert (rig.row("a")["incident"], rig.row("b")["incident"]) == ("i-1", None)
    assert [one["id"] for one in rig.page["incidents"]] == ["i-1"]
    rig.others.publish_once(INCIDENTS, incident("i-1", "a", resolved_at=Time.now()))
    assert rig.row("a")["incident"] is None
    rig.others.clear(INCIDENTS, incident="i-1")
    rig.advance()
    assert rig.page["incidents"] == []


def test_an_incident_that_ended_while_the_broker_was_out_of_reach_is_not_shown_for_ever(rig: Rig) -> None:
    rig.define(target(), target("b"))
    rig.others.publish(INCIDENTS, incident("i-1", "a"))
    rig.others.publish(INCIDENTS, incident("i-2", "b"))
    assert rig.row("a")["incident"] == "i-1"
    rig.bus.stop()
    rig.others.clear(INCIDENTS, incident="i-1")
    rig.view.expire(time.monotonic() + 1000)
    assert rig.row("a")["incident"] == "i-1", "a lost broker ends nothing"
    rig.bus.start()
    rig.view.expire(time.monotonic() + SILENT_AFTER_S - 1)
    assert rig.row("a")["incident"] == "i-1", "the alerter has the time to come back too"
    rig.view.expire(time.monotonic() + SILENT_AFTER_S + 1)
    assert (rig.row("a")["incident"], rig.row("b")["incident"]) == (None, "i-2")
    assert [one["id"] for one in rig.page["incidents"]] == ["i-2"]


def test_a_site_that_is_not_set_up_is_shown_once_its_prober_speaks_and_goes_when_it_is_cleared(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence("mars", targets=3, lateness_ms=1.5))
    rig.advance()
    site = next(row for row in rig.page["sites"] if row["id"] == "mars")
    assert (site["label"], site["configured"], site["online"], site["lateness_ms"]) == ("mars", False, True, 1.5)
    rig.others.clear(PROBERS, site="mars")
    rig.advance()
    assert [row["id"] for row in rig.page["sites"]] == ["here"]
    assert shown(rig.page) == shown(rig.snapshot())


# -- revisions


def test_what_changes_nothing_that_is_shown_makes_no_revision(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(RESULTS, result(at=NOW))
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True))
    assert rig.advance() is not None
    rig.others.publish(RESULTS, result(at=NOW))
    rig.others.publish(PROBERS, presence())
    rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True, figures={"judged_total": 1}))
    assert rig.advance() is None


def test_many_facts_between_two_looks_are_one_delta(rig: Rig) -> None:
    rig.define(target(), target("b"))
    for number in range(100):
        rig.others.publish(VERDICTS, verdict("a", reason=f"reason {number}"))
    before = rig.revisions.revision
    delta = rig.advance()
    assert delta is not None
    assert (delta["revision"], len(delta["targets"])) == (before + 1, 2)


def test_trouble_is_told_when_it_begins_and_when_it_ends(rig: Rig) -> None:
    rig.advance()
    delta = rig.advance(trouble=("alerter is not running",))
    assert delta is not None
    assert delta["trouble"] == ["alerter is not running"]
    assert rig.advance(trouble=("alerter is not running",)) is None
    assert rig.advance() is not None
    assert rig.page["trouble"] == []


def test_a_service_that_comes_or_goes_is_told_to_pages_already_open(rig: Rig) -> None:
    for is_online in (True, False, True):
        rig.others.publish(SERVICES, ServicePresence(service="alerter", online=is_online))
        rig.advance()
        assert rig.page["services"] == {"alerter": is_online}
    assert rig.advance() is None


def test_whoever_missed_a_few_deltas_gets_exactly_those(rig: Rig) -> None:
    rig.define(target())
    deltas = []
    for number in range(10):
        rig.others.publish(VERDICTS, verdict(reason=str(number)))
        deltas.append(rig.advance())
    assert plain(rig.revisions.since(rig.revisions.boot, 6)) == deltas[6:]
    assert rig.revisions.since(rig.revisions.boot, 10) == []


@pytest.mark.parametrize("revision", [None, "3", -1, 11, 2**70, 3.0, [], {}])
def test_whoever_names_no_revision_of_ours_gets_a_snapshot_instead(rig: Rig, revision: object) -> None:
    rig.define(target())
    for number in range(10):
        rig.others.publish(VERDICTS, verdict(reason=str(number)))
        rig.advance()
    assert rig.revisions.since(rig.revisions.boot, revision) is None
    assert rig.revisions.since("another start", 9) is None
    assert rig.revisions.since(None, 9) is None


def test_whoever_missed_more_than_is_kept_gets_a_snapshot_instead(rig: Rig) -> None:
    rig.define(target())
    for number in range(_RING + 5):
        rig.others.publish(VERDICTS, verdict(reason=str(number)))
        rig.advance()
    boot, newest = rig.revisions.boot, rig.revisions.revision
    assert newest == _RING + 5
    assert len(rig.revisions.since(boot, newest - _RING) or ()) == _RING
    assert rig.revisions.since(boot, newest - _RING - 1) is None


def test_another_start_of_the_service_has_another_name(rig: Rig) -> None:
    assert Revisions(rig.view).boot != rig.revisions.boot


NAMES = st.sampled_from(["a", "b", "c"])
SITES = st.sampled_from(["here", "there"])
EVENTS = st.one_of(
    st.tuples(st.just("define"), st.lists(NAMES, unique=True), st.lists(SITES, unique=True), st.booleans()),
    st.tuples(st.just("verdict"), NAMES, st.sampled_from(VerdictState), st.text(max_size=3)),
    st.tuples(st.just("clear verdict"), NAMES),
    st.tuples(st.just("state"), NAMES, SITES, st.sampled_from(State)),
    st.tuples(st.just("clear state"), NAMES, SITES),
    st.tuples(st.just("result"), NAMES, SITES, st.integers(0, 2), st.integers(0, 200_000)),
    st.tuples(st.just("presence"), SITES, st.booleans(), st.booleans()),
    st.tuples(st.just("clear presence"), SITES),
    st.tuples(st.just("incident"), NAMES, st.booleans()),
    st.tuples(st.just("clear incident"), NAMES),
    st.tuples(st.just("refresh")),
    st.tuples(st.just("pass"), st.integers(0, 100_000)),
    st.tuples(st.just("look")),
)


def play(rig: Rig, event: tuple[Any, ...], now: Time) -> None:
    kind, *rest = event
    PLAYS[kind](rig, now, *rest)


PLAYS: dict[str, Callable[..., object]] = {
    "define": lambda rig, now, names, sites, paused: rig.define(
        *(target(name, paused=paused) for name in names), sites=tuple(sites)
    ),
    "verdict": lambda rig, now, name, kind, reason: rig.others.publish(VERDICTS, verdict(name, kind, reason=reason)),
    "clear verdict": lambda rig, now, name: rig.others.clear(VERDICTS, target=name),
    "state": lambda rig, now, name, site, kind: rig.others.publish(STATES, state(name, site, kind, at=now, rtt_ms=5.0)),
    "clear state": lambda rig, now, name, site: rig.others.clear(STATES, target=name, site=site),
    "result": lambda rig, now, name, site, received, age_ms: rig.others.publish(
        RESULTS, result(name, site, at=now - age_ms, received=received, rtts_ms=[1.0] * received)
    ),
    "presence": lambda rig, now, site, online, isolated: rig.others.publish(
        PROBERS, presence(site, online=online, isolated=isolated)
    ),
    "clear presence": lambda rig, now, site: rig.others.clear(PROBERS, site=site),
    "incident": lambda rig, now, name, over: rig.others.publish(
        INCIDENTS, incident(f"i-{name}", name, opened_at=NOW, resolved_at=Time.now() if over else None)
    ),
    "clear incident": lambda rig, now, name: rig.others.clear(INCIDENTS, incident=f"i-{name}"),
    "refresh": lambda rig, now: rig.revisions.refresh(),
    "pass": lambda rig, now, passed_ms: None,
    "look": lambda rig, now: None,
}


@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_a_page_fed_by_deltas_is_the_snapshot_and_its_tiles_are_its_rows(
    events: list[tuple[Any, ...]],
) -> None:
    rig, now = Rig(), NOW
    for event in events:
        if event[0] == "pass":
            now = Time(now + event[1])
        play(rig, event, now)
        if event[0] == "look":
            rig.advance(now)
            assert shown(rig.page) == shown(rig.snapshot(now))
            check_tiles(rig.page)
    rig.revisions.refresh()
    rig.advance(now)
    assert shown(rig.page) == shown(rig.snapshot(now))
    check_tiles(rig.page)
    fresh = {name: plain(rig.view.row(name, now)) for name in rig.view.targets}
    assert {row["id"]: row for row in rig.page["targets"]} == fresh
