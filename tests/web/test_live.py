"""The live picture: rows, tiles that cannot disagree with them, and numbered changes that miss nothing."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noc_bus.channels import INCIDENTS, PROBERS, RESULTS, SERVICES, STATES, VERDICTS
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import (
    Acknowledgement,
    Member,
    ProbeResult,
    ServicePresence,
    Site,
    SiteState,
    State,
    Summary,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.presence import SILENT_AFTER_S
from noc_bus.time import Time
from noc_web.json import plain
from noc_web.live import render
from noc_web.live.picture import Picture
from noc_web.live.revision import RING, Revisions
from noc_web.live.rows import versions_behind
from tests.parts.browser_store import applied
from tests.parts.examples import up_to
from tests.web.facts import incident, presence, result, state, verdict
from tests.web.page import check_tiles, shown

NOW = Time.now()
SETTLED_S = 5.0


class Rig:
    """A view fed from a bus, and one browser that only ever saw the first snapshot and the deltas."""

    def __init__(self) -> None:
        self.hub = Hub()
        bus = self.bus = FakeBus(self.hub)
        self.others = FakeBus(self.hub)
        self.others.start()
        self.now_s = 1000.0
        self.picture = Picture(bus, clock=lambda: self.now_s)
        self.picture.follow_results(True)
        self.revisions = Revisions(self.picture)
        bus.start()
        self.pass_s(SETTLED_S)
        self.page = self.snapshot()

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.picture.tick()

    def define(self, *targets: Target, sites: tuple[str, ...] = ("here",)) -> None:
        self.picture.define({one.id: one for one in targets}, {name: Site(id=name, label=name) for name in sites})

    def snapshot(self, now: Time = NOW) -> dict[str, Any]:
        found: dict[str, Any] = plain(self.revisions.snapshot(now))
        return found

    def advance(self, now: Time = NOW) -> dict[str, Any] | None:
        delta: dict[str, Any] | None = plain(self.revisions.advance(now))
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
    assert (row["state"], row["reason"]) == ("DEGRADED", "loss")
    assert (row["sites"]["here"]["rtt_ms"], row["sites"]["there"]["loss_pct"]) == (2.0, 50.0)


def test_a_row_s_figures_are_what_a_site_saw_and_never_a_mean_that_none_did(rig: Rig) -> None:
    """Means that no site ever saw: three sites with 2, 30 and 169 ms, the last with one late echo."""
    rig.define(target(), sites=("far", "mid", "near"))
    seen = {"near": [2.0, 2.0, 2.0], "mid": [30.0, 30.0, 31.0], "far": [169.0, 168.0, 2000.0]}
    for site, rtts_ms in seen.items():
        rig.others.publish(PROBERS, presence(site))
        rig.others.publish(STATES, state(site=site, at=NOW))
        rig.others.publish(RESULTS, result(site=site, at=NOW, sent=3, received=3, rtts_ms=rtts_ms))
    rig.others.publish(RESULTS, result(site="mid", at=NOW, seq=1, sent=4, received=3, rtts_ms=seen["mid"]))
    row = rig.row()
    assert (row["rtt_ms"], row["rtt_site"]) == (169.0, "far")
    assert (row["rtt_min_ms"], row["rtt_max_ms"]) == (2.0, 169.0)
    assert (row["loss_pct"], row["loss_site"]) == (25.0, "mid")


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


def test_a_degraded_row_has_the_figures_it_was_judged_by(rig: Rig) -> None:
    """DEGRADED with 0 % loss: the last cycle was good, the last five were not."""
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(kind=State.DEGRADED, at=NOW, loss_pct=0.0, judged_loss_pct=24.0))
    rig.others.publish(RESULTS, result(at=NOW))
    rig.others.publish(VERDICTS, verdict(kind=VerdictState.DEGRADED))
    row = rig.row()
    assert (row["loss_pct"], row["loss_site"], row["rtt_ms"]) == (24.0, "here", 2.0)
    rig.others.publish(STATES, state(kind=State.DEGRADED, at=NOW, seq=1, judged_rtt_ms=310.0))
    assert (rig.row()["rtt_ms"], rig.row()["loss_pct"]) == (310.0, 0.0)
    rig.others.publish(STATES, state(at=NOW, seq=2))
    assert (rig.row()["rtt_ms"], rig.row()["loss_pct"]) == (2.0, 0.0)


def test_the_last_valid_figures_stay_and_say_how_old_they_are(rig: Rig) -> None:
    """Figures that vanish: an UP row whose last cycles were not measurable, or that nobody has pinged for long."""
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(RESULTS, result(at=NOW))
    for number in range(1, 4):
        rig.others.publish(RESULTS, result(at=NOW + 10_000 * number, seq=number, invalid="late schedule"))
    cell = rig.row()["sites"]["here"]
    assert (cell["rtt_ms"], cell["loss_pct"], cell["at"]) == (2.0, 0.0, str(NOW))
    rig.others.publish(RESULTS, result(at=NOW + 50_000, seq=5, received=0, rtts_ms=[]))
    assert (rig.row()["rtt_ms"], rig.row()["loss_pct"]) == (None, 100.0)


def test_a_page_opened_after_a_time_without_any_has_the_figures_of_the_retained_states_at_once(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(STATES, state(at=NOW, rtt_ms=7.0, loss_pct=0.0))
    rig.others.publish(RESULTS, result(at=NOW))
    assert rig.row()["rtt_ms"] == 2.0
    rig.picture.follow_results(False)
    rig.others.publish(STATES, state(at=NOW + 60_000, rtt_ms=8.0, loss_pct=0.0))
    rig.others.publish(RESULTS, result(at=NOW + 60_000, seq=9, rtts_ms=[99.0, 99.0]))
    assert rig.row()["rtt_ms"] == 8.0
    rig.picture.follow_results(True)
    rig.others.publish(RESULTS, result(at=NOW + 70_000, seq=10))
    assert rig.row()["rtt_ms"] == 2.0


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
    rig.pass_s(1000)
    assert rig.row("a")["incident"] == "i-1", "a lost broker ends nothing"
    rig.bus.start()
    assert rig.row("a")["incident"] == "i-1", "the alerter has the time to come back too"
    told = {"incidents": Summary(count=1, rev_sum=0)}
    rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True, retained=told))
    assert (rig.row("a")["incident"], rig.row("b")["incident"]) == (None, "i-2")
    assert [one["id"] for one in rig.page["incidents"]] == ["i-2"]


def test_an_incident_of_many_targets_carries_its_members_and_one_change_of_it_is_told_alone(rig: Rig) -> None:
    rig.define(target(), target("b"))
    members = [Member(target=name, name=name.upper(), joined_at=NOW) for name in ("a", "b")]
    rig.others.publish(INCIDENTS, incident("i-1", "a", "b", members=members, total_members=2))
    rig.others.publish(INCIDENTS, incident("i-2", "a"))
    rig.advance()
    assert (rig.row("a")["incident"], rig.row("b")["incident"]) == ("i-2", "i-1")
    assert [one["name"] for one in rig.page["incidents"][-1]["members"]] in (["A", "B"], [])
    taken = Acknowledgement(incident="i-1", by="anna", at=NOW)
    rig.others.publish(INCIDENTS, incident("i-1", "a", "b", members=members, total_members=2, acknowledged=taken))
    delta = rig.advance()
    assert delta is not None
    assert ([one["id"] for one in delta["incidents"]], delta["targets"]) == (["i-1"], [])
    rig.others.clear(INCIDENTS, incident="i-2")
    delta = rig.advance()
    assert delta is not None
    assert (delta["incidents"], delta["removed_incidents"]) == ([], ["i-2"])
    assert rig.row("a")["incident"] == "i-1"


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
    for sentence in ("the disk is full", None):
        rig.others.publish(SERVICES, ServicePresence(service="recorder", online=True, trouble=sentence))
        delta = rig.advance()
        assert delta is not None
        assert delta["trouble"] == ([f"recorder: {sentence}"] if sentence else [])
        assert rig.advance() is None
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
    missed = rig.revisions.since(rig.revisions.boot, 6)
    assert missed is not None
    assert [json.loads(event.text[2:]) for _, event in missed] == [["delta", delta] for delta in deltas[6:]]
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
    for number in range(RING + 5):
        rig.others.publish(VERDICTS, verdict(reason=str(number)))
        rig.advance()
    boot, newest = rig.revisions.boot, rig.revisions.revision
    assert newest == RING + 5
    assert len(rig.revisions.since(boot, newest - RING) or ()) == RING
    assert rig.revisions.since(boot, newest - RING - 1) is None


def test_another_start_of_the_service_has_another_name(rig: Rig) -> None:
    assert Revisions(rig.picture).boot != rig.revisions.boot


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
    st.tuples(st.just("look away"), st.booleans()),
    st.tuples(st.just("pass"), st.integers(0, 100)),
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
    "look away": lambda rig, now, away: rig.picture.follow_results(not away),
    "pass": lambda rig, now, passed_s: rig.pass_s(passed_s),
    "look": lambda rig, now: None,
}


@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=up_to(150), deadline=None)
def test_whatever_happens_a_page_fed_by_deltas_is_the_snapshot_and_its_tiles_are_its_rows(
    events: list[tuple[Any, ...]],
) -> None:
    rig, now = Rig(), NOW
    for event in events:
        if event[0] == "pass":
            now = Time(now + 1000 * event[1])
        play(rig, event, now)
        if event[0] == "look":
            rig.advance(now)
            assert shown(rig.page) == shown(rig.snapshot(now))
            check_tiles(rig.page)
    rig.advance(now)
    assert shown(rig.page) == shown(rig.snapshot(now))
    check_tiles(rig.page)
    fresh = {row["id"]: plain(rig.picture.target_row(row["id"])) for row in rig.page["targets"]}
    assert {row["id"]: row for row in rig.page["targets"]} == fresh


# -- who is there, and is all well


def well(rig: Rig) -> None:
    """One target that answers one site, and an alerter that says so."""
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True))
    rig.others.publish(STATES, state(at=NOW))
    rig.others.publish(VERDICTS, verdict())
    rig.pass_s(SETTLED_S)
    rig.advance()


def test_every_page_knows_where_nobody_will_be_told(rig: Rig) -> None:
    well(rig)
    assert rig.snapshot()["nobody_told"] is False
    rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True, code="no-mail"))
    rig.advance()
    assert rig.page["nobody_told"] is True
    assert rig.snapshot()["nobody_told"] is True


def test_all_is_well_where_something_is_measured_nothing_is_wrong_and_everything_is_known(rig: Rig) -> None:
    assert rig.page["all_well"] is False, "nothing is measured"
    rig.define(target())
    rig.others.publish(PROBERS, presence())
    rig.pass_s(SETTLED_S)
    rig.advance()
    assert rig.page["all_well"] is False, "its only target is UNKNOWN"
    well(rig)
    assert rig.page["all_well"] is True


WRONG: dict[str, Callable[[Rig], object]] = {
    "a target is down": lambda rig: rig.others.publish(VERDICTS, verdict(kind=VerdictState.DOWN)),
    "a target is degraded": lambda rig: rig.others.publish(VERDICTS, verdict(kind=VerdictState.DEGRADED)),
    "nobody can see a target": lambda rig: rig.others.publish(VERDICTS, verdict(kind=VerdictState.UNKNOWN)),
    "an incident is open": lambda rig: rig.others.publish(INCIDENTS, incident("i-1", site="here", kind="site-blind")),
    "a service has a problem": lambda rig: rig.others.publish(
        SERVICES, ServicePresence(service="recorder", online=True, trouble="the disk is full")
    ),
    "a service is not running": lambda rig: rig.others.publish(
        SERVICES, ServicePresence(service="recorder", online=False)
    ),
    "a site is offline": lambda rig: rig.others.publish(PROBERS, presence(online=False)),
    "a site is isolated": lambda rig: rig.others.publish(PROBERS, presence(isolated=True)),
    "a site is overloaded": lambda rig: rig.others.publish(PROBERS, presence(overloaded=True, coverage_pct=12.0)),
    "an expected site never came": lambda rig: rig.define(target(sites=["here"]), sites=("here", "there")),
    "the broker is gone": lambda rig: rig.bus.stop(),
}


@pytest.mark.parametrize("what", WRONG)
def test_all_is_not_well_while_anything_is_wrong(rig: Rig, what: str) -> None:
    well(rig)
    assert rig.page["all_well"] is True
    WRONG[what](rig)
    rig.pass_s(SETTLED_S)
    rig.advance()
    assert rig.page["all_well"] is False


def test_a_site_that_runs_but_cannot_measure_is_named_with_its_coverage(rig: Rig) -> None:
    well(rig)
    rig.others.publish(PROBERS, presence(overloaded=True, coverage_pct=12.5))
    rig.advance()
    (site,) = rig.page["sites"]
    assert (site["online"], site["overloaded"], site["coverage_pct"]) == (True, True, 12.5)


def test_rows_become_unknown_as_their_word_gets_old_and_the_broker_is_named(rig: Rig) -> None:
    """The middle loses its broker: 200 UP for 300 s though some were down, and the services were blamed."""
    well(rig)
    rig.bus.stop()
    rig.pass_s(5)
    rig.advance()
    assert rig.page["trouble"] == ["broker: it cannot be reached"]
    assert rig.row()["state"] == "UP", "what was said a moment ago still holds"
    rig.pass_s(SILENT_AFTER_S)
    row = rig.row()
    assert (row["state"], row["code"], row["sites"]["here"]["code"]) == ("UNKNOWN", "broker-away", "broker-away")
    assert rig.page["services"] == {"alerter": True}, "of the others nothing is known"
    assert rig.page["sites"][0]["online"] is False
    rig.bus.start()
    rig.pass_s(SETTLED_S)
    assert (rig.row()["state"], rig.page["trouble"], rig.page["all_well"]) == ("UP", [], True)


def test_what_a_silent_alerter_said_last_does_not_hold_for_ever(rig: Rig) -> None:
    well(rig)
    for _ in range(4):
        rig.pass_s(10)
        rig.others.publish(PROBERS, presence())
    assert rig.row()["state"] == "UP", "it may be restarting"
    assert rig.page["trouble"] == ["alerter is not running"]
    for _ in range(3):
        rig.pass_s(10)
        rig.others.publish(PROBERS, presence())
    row = rig.row()
    assert (row["state"], row["code"], row["sites"]["here"]["state"]) == ("UNKNOWN", "alerter-silent", "UP")
    rig.others.publish(SERVICES, ServicePresence(service="alerter", online=True))
    assert rig.row()["state"] == "UP"


def test_the_service_never_calls_itself_not_running(rig: Rig) -> None:
    rig.others.publish(SERVICES, ServicePresence(service="web", online=False))
    rig.pass_s(1000)
    rig.advance()
    assert (rig.page["services"], rig.page["trouble"]) == ({"web": True}, [])


@pytest.mark.parametrize(
    ("ahead_ms", "shown_ms", "is_wrong"),
    [(0, 0, False), (1900, 1900, False), (-1900, -1900, False), (2600, 2600, True), (-180_000, -180_000, True)],
)
def test_a_site_whose_clock_differs_by_more_than_2_s_is_named(
    rig: Rig, ahead_ms: int, shown_ms: float, is_wrong: bool
) -> None:
    rig.define(target())
    # The first was retained, nobody knows for how long; one was late.
    for late_ms in (8000, 700, 0):
        rig.others.publish(PROBERS, presence(clock=Time(Time.now() + ahead_ms - late_ms)))
        rig.pass_s(10)
    rig.advance()
    (site,) = rig.page["sites"]
    assert site["clock_ahead_ms"] == pytest.approx(shown_ms, abs=100)
    assert site["clock_wrong"] is is_wrong


def test_a_single_presence_which_may_be_old_says_nothing_of_the_clock(rig: Rig) -> None:
    rig.define(target())
    rig.others.publish(PROBERS, presence(clock=Time(Time.now() - 9000)))
    rig.advance()
    assert (rig.page["sites"][0]["clock_ahead_ms"], rig.page["sites"][0]["clock_wrong"]) == (None, False)


def test_two_probers_of_one_site_are_both_named(rig: Rig) -> None:
    well(rig)
    rig.others.publish(PROBERS, presence(instance="one", host="alpha", rival="beta"))
    rig.others.publish(PROBERS, presence(instance="two", host="beta", silenced=True, isolated=True))
    rig.advance()
    (site,) = rig.page["sites"]
    assert (site["hosts"], site["isolated"]) == (["alpha", "beta"], False), "who keeps silent is not believed"
    assert rig.page["trouble"] == ["the prober of here runs twice, on alpha and on beta; stop one of them"]
    assert rig.page["all_well"] is False
    rig.others.publish(PROBERS, presence(instance="one", host="alpha"))
    rig.advance()
    assert (rig.page["sites"][0]["hosts"], rig.page["trouble"]) == (["alpha"], [])


def test_what_a_site_said_before_it_was_away_does_not_count_as_now(rig: Rig) -> None:
    """Old words counted as new: what is retained from before the cut is shown until the site has said all anew."""
    rig.define(target())
    told = {"states": Summary(count=1, rev_sum=9)}
    rig.others.publish(STATES, state(at=NOW, rev=7))
    rig.others.publish(PROBERS, presence(instance="one", retained=told))
    row = rig.row()
    assert (row["sites"]["here"]["state"], row["sites"]["here"]["code"]) == ("UNKNOWN", "catching-up")
    rig.others.publish(STATES, state(kind=State.DOWN, at=NOW, rev=9))
    assert rig.row()["sites"]["here"]["state"] == "DOWN"


def test_of_ids_that_are_no_targets_nothing_is_kept(rig: Rig) -> None:
    well(rig)
    rig.picture.watch({"stray-1"})
    for number in range(500):
        rig.others.publish(STATES, state(f"stray-{number}", at=NOW))
        rig.others.publish(VERDICTS, verdict(f"stray-{number}"))
        rig.others.publish(RESULTS, result(f"stray-{number}"))
    assert rig.advance() is None
    kept = gc.get_objects()
    assert not [
        one for one in kept if isinstance(one, SiteState | Verdict | ProbeResult) and one.target.startswith("s")
    ]


def test_what_was_kept_of_a_deleted_target_or_site_is_let_go(rig: Rig) -> None:
    rig.define(target(), target("gone"), sites=("here", "closed"))
    for site in ("here", "closed"):
        rig.others.publish(PROBERS, presence(site))
        rig.others.publish(STATES, state("gone", site, at=NOW))
        rig.others.publish(STATES, state("a", site, at=NOW))
    rig.others.publish(RESULTS, result("gone", at=NOW))
    assert list(rig.row("gone")["sites"]) == ["closed", "here"]
    rig.define(target())
    rig.others.clear(PROBERS, site="closed")
    delta = rig.advance()
    assert delta is not None
    assert (delta["removed"], delta["removed_sites"]) == (["gone"], ["closed"])
    assert list(rig.row("a")["sites"]) == ["here"]
    rig.define(target(), target("gone"))
    assert rig.row("gone")["sites"]["here"]["reason"] == "not checked yet"


def test_the_browser_s_types_are_rendered_from_the_rows() -> None:
    assert render.FILE.read_text(encoding="utf-8") == render.rendered(), "run python -m noc_web.live.render"


@pytest.mark.parametrize(
    ("version", "own", "behind"),
    [
        ("0.1.0", "0.1.9", 0),
        ("0.1.9", "0.2.0", 1),
        ("0.12.0rc1", "0.9.0", -3),
        ("1.0.0", "2.0.0", None),
        ("", "0.1.0", None),
        ("0.x", "0.1.0", None),
    ],
)
def test_a_release_is_counted_by_its_second_number(version: str, own: str, behind: int | None) -> None:
    assert versions_behind(version, own) == behind
