"""When an incident opens, when it changes and when it is over: one row for each rule, each with its reason."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_bus.messages import (
    SLUG_PATTERN,
    Acknowledgement,
    Incident,
    Member,
    ProberPresence,
    SiteState,
    State,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.time import Time
from noc_rules import correlate
from noc_rules.correlate import (
    BEHIND_AFTER_S,
    BLIND_AFTER_S,
    BROKER_LOST_AFTER_S,
    IncidentChange,
    SiteFacts,
    Why,
    of_acknowledgement,
    of_broker,
    of_duplicates,
    of_site_facts,
)
from noc_rules.incident import (
    About,
    abouts,
    evidence,
    first_unanswered,
    incident_id,
    of_duplicate,
    of_site,
    of_target,
)
from noc_rules.judge import VerdictChange
from noc_rules.verdict import Standing

T0 = Time.parse("2026-11-24T12:00:00.000Z")
LATER = Time(T0 + 300_000)
ROUTER = Target(id="router", name="Router", address="192.0.2.1", group="core", critical=True)
V = VerdictState


def verdict(state: VerdictState, name: str = "router", code: str | None = None) -> Verdict:
    return Verdict(target=name, state=state, since=T0, reason="so it is", code=code, sites={}, at=T0)


def change(state: VerdictState | None, name: str = "router", code: str | None = None) -> VerdictChange:
    """To this state; None: removed."""
    definition = None if state is None else replace(ROUTER, id=name)
    return VerdictChange(name, definition, None, verdict(state, name, code) if state else None)


def incident(kind: str = "target-down", *targets: str, **fields: Any) -> Incident:
    names = list(targets or ("router",))
    members = [Member(target=one, name=one.title(), joined_at=T0) for one in names]
    return Incident(
        **{"id": "i", "kind": kind, "targets": names, "members": members, "opened_at": T0, "cause": "x", **fields}
    )


def opened_about(one: Incident, *about: About) -> dict[About, Incident]:
    return dict.fromkeys(about or abouts(one), one)


def whys(steps: list[IncidentChange]) -> list[Why]:
    return [step.why for step in steps]


ONLINE = ProberPresence(site="north", online=True)
LONG, SHORT = BLIND_AFTER_S, BLIND_AFTER_S - 1
BLIND = incident("site-blind", targets=[], members=[], site="north")


def facts(presence: ProberPresence | None, for_s: float | None, **fields: Any) -> SiteFacts:
    """`for_s` None: it can see."""
    standing = Standing(presence, is_current=fields.pop("is_current", True))
    blind_since = None if for_s is None else T0
    return SiteFacts(
        **{"site": "north", "standing": standing, "is_known": True, "is_expected": True, "blind_since": blind_since,
           "blind_for_s": for_s or 0.0, **fields}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("is_open", "about", "why", "code"),
    [
        pytest.param(False, facts(ONLINE, None), None, None, id="it sees"),
        pytest.param(False, facts(replace(ONLINE, online=False), SHORT), None, None, id="perhaps only restarted"),
        pytest.param(False, facts(replace(ONLINE, online=False), LONG), Why.SITE_WENT_BLIND, "offline", id="offline"),
        pytest.param(False, facts(None, LONG), Why.SITE_WENT_BLIND, "no-prober", id="never seen"),
        pytest.param(
            False, facts(replace(ONLINE, isolated=True), LONG), Why.SITE_WENT_BLIND, "isolated", id="isolated"
        ),
        pytest.param(
            False, facts(replace(ONLINE, overloaded=True), 0.0), Why.SITE_WENT_BLIND, "overloaded", id="overloaded"
        ),
        pytest.param(
            False, facts(ONLINE, BEHIND_AFTER_S - 1, is_current=False), None, None, id="perhaps only we lack something"
        ),
        pytest.param(
            False,
            facts(ONLINE, BEHIND_AFTER_S, is_current=False),
            Why.SITE_WENT_BLIND,
            "catching-up",
            id="never catches up",
        ),
        pytest.param(False, facts(None, LONG, is_expected=False), None, None, id="not expected"),
        pytest.param(False, facts(None, LONG, is_known=False), None, None, id="deleted"),
        pytest.param(True, facts(replace(ONLINE, online=False), LONG), None, None, id="already told"),
        pytest.param(True, facts(ONLINE, None), Why.SITE_RECOVERED, "x", id="it is back"),
        pytest.param(
            True, facts(None, LONG, is_expected=False), Why.SITE_NOT_EXPECTED, "x", id="given up by its owners"
        ),
        pytest.param(True, facts(None, LONG, is_known=False), Why.SITE_REMOVED, "x", id="deleted while blind"),
    ],
)
def test_a_site_is_an_incident_when_it_should_see_and_does_not(
    is_open: bool, about: SiteFacts, why: Why | None, code: str | None
) -> None:
    step = of_site_facts(about, replace(BLIND, code="x") if is_open else None, LATER)
    assert (step.why if step else None, step.incident.code if step else None) == (why, code)


def test_nobody_is_mailed_about_a_site_that_was_deleted() -> None:
    step = of_site_facts(facts(None, LONG, is_known=False), BLIND, LATER)
    assert step is not None
    assert (step.is_mailed, step.incident.resolved_at) == (False, LATER)


@pytest.mark.parametrize(("role", "code"), [("prober", "duplicate-site"), ("service", "duplicate-service")])
def test_two_of_one_name_are_one_incident_that_names_both_hosts(role: str, code: str) -> None:
    step = of_duplicates(role, "north", ("one.example", "two.example"), None, LATER)
    assert step is not None
    assert (step.incident.kind, step.incident.code) == ("duplicate", code)
    assert "one.example and two.example" in step.incident.cause
    about = of_duplicate(role, "north")
    assert of_duplicates(role, "north", ("one.example", "two.example"), step.incident, LATER) is None
    end = of_duplicates(role, "north", (), step.incident, LATER)
    assert end is not None
    assert (end.why, end.about) == (Why.DUPLICATE_GONE, (about,))


def test_a_site_may_be_blind_and_double_at_once() -> None:
    double = of_duplicates("prober", "north", ("one", "two"), None, LATER)
    assert double is not None
    assert set(double.about) & {of_site("north")} == set()


@pytest.mark.parametrize(
    ("lost_for_s", "is_open", "why"),
    [
        (None, False, None),
        (BROKER_LOST_AFTER_S - 1, False, None),
        (BROKER_LOST_AFTER_S, False, Why.BROKER_WENT_AWAY),
        (BROKER_LOST_AFTER_S, True, None),
        (None, True, Why.BROKER_CAME_BACK),
    ],
)
def test_a_broker_that_stays_away_is_one_incident(lost_for_s: float | None, is_open: bool, why: Why | None) -> None:
    found = incident("broker-lost", targets=[], members=[]) if is_open else None
    since = None if lost_for_s is None else T0
    step = of_broker("mqtt://broker.test", since, lost_for_s or 0.0, found, LATER)
    assert (step.why if step else None) == why
    if step and not is_open:
        assert (step.incident.code, step.incident.opened_at) == ("no-broker", T0)
        assert "mqtt://broker.test" in step.incident.cause


def test_an_acknowledgement_is_taken_once_whatever_its_number() -> None:
    given = Acknowledgement(incident="i", by="ada", at=T0, comment="mine", rev=5)
    step = of_acknowledgement(incident(), (), given, LATER)
    assert step is not None
    assert (step.why, step.is_mailed) == (Why.ACKNOWLEDGED, False)
    assert of_acknowledgement(step.incident, (), replace(given, rev=9), LATER) is None
    assert of_acknowledgement(step.incident, (), None, LATER) is None
    assert of_acknowledgement(step.incident, (), replace(given, comment="yours"), LATER) is not None


def test_an_acknowledgement_that_is_taken_back_is_in_force_no_more() -> None:
    given = Acknowledgement(incident=incident().id, by="ada", at=T0)
    taken = of_acknowledgement(incident(), (), given, LATER)
    assert taken is not None
    back = of_acknowledgement(taken.incident, (), replace(given, by="bob", withdrawn=True), LATER)
    assert back is not None
    assert back.incident.acknowledged is None
    assert of_acknowledgement(back.incident, (), replace(given, by="bob", withdrawn=True), LATER) is None


@pytest.mark.parametrize("is_still_said", [True, False])
def test_an_acknowledgement_with_an_end_is_in_force_until_then_and_said_to_have_expired_once(
    is_still_said: bool,
) -> None:
    until = Time(LATER + 1000)
    given = Acknowledgement(incident=incident().id, by="ada", at=T0, until=until)
    taken = of_acknowledgement(incident(), (), given, LATER)
    assert taken is not None
    assert taken.incident.acknowledged == given
    said = given if is_still_said else None
    assert of_acknowledgement(taken.incident, (), said, Time(until - 1)) is None
    expired = of_acknowledgement(taken.incident, (), said, until)
    assert expired is not None
    assert (expired.why, expired.incident.acknowledged) == (Why.ACKNOWLEDGEMENT_EXPIRED, None)
    assert of_acknowledgement(expired.incident, (), said, Time(until + 1)) is None


@pytest.mark.parametrize(
    ("one", "about"),
    [
        (incident("from-a-newer-version", "a", "b"), (of_target("a"), of_target("b"))),
        (incident("from-a-newer-version", targets=[], members=[], site="north"), (of_site("north"),)),
        (incident("from-a-newer-version", targets=[], members=[]), (About("other", "i"),)),
        (incident("duplicate", targets=[], members=[], site="north"), (of_duplicate("prober", "north"),)),
        (incident("target-down", "a", members=[]), (of_target("a"),)),
    ],
    ids=["its targets", "its site", "nothing known", "a double site", "an older version's, without members"],
)
def test_an_incident_of_an_unknown_kind_is_about_what_is_known_of_it(one: Incident, about: tuple[About, ...]) -> None:
    assert abouts(one) == about


def test_an_incident_of_an_unknown_kind_that_is_about_nothing_known_is_let_go() -> None:
    nothing = incident("from-a-newer-version", targets=[], members=[])
    gone = correlate.of_unknown(nothing, abouts(nothing), LATER)
    assert (gone.is_mailed, gone.incident.resolved_at) == (False, LATER)


def test_an_incident_is_named_by_its_moment_and_whom_it_is_about() -> None:
    assert incident_id("router", Time(T0 + 7)) == "20261124-120000-007-router"


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
@example("a")
@example("a" * 43)
@example("a" * 44)
@example("a" * 63)
def test_an_incidents_name_can_stand_in_a_topic(subject: str) -> None:
    assert re.fullmatch(SLUG_PATTERN, incident_id(subject, T0))


def test_two_targets_that_differ_only_at_the_end_of_a_long_name_have_two_incidents() -> None:
    long = "frankfurt-hall-2-row-17-rack-12-access-switch-number-"
    assert incident_id(f"{long}1", T0) != incident_id(f"{long}2", T0)


def test_evidence_says_what_each_site_saw_and_leaves_times_to_fields() -> None:
    state = SiteState(
        site="north", target="router", epoch=1, seq=1, state=State.DOWN, since=T0, reason="5 checks unanswered", at=T0
    )
    down = replace(verdict(V.DOWN), sites={"north": State.DOWN, "south": State.UNKNOWN})
    assert evidence(down, {"north": state}) == ["north DOWN: 5 checks unanswered", "south UNKNOWN"]


def test_the_first_bad_check_is_told_of_sites_that_call_it_down_and_of_no_other() -> None:
    def seen(site: str, state: State, at: int) -> SiteState:
        return SiteState(
            site=site, target="router", epoch=1, seq=1, state=state, since=Time(at), reason="as it is", at=T0
        )

    counted = {
        "north": State.DOWN,
        "south": State.DOWN,
        "west": State.DEGRADED,
        "east": State.DOWN,
        "blind": State.UNKNOWN,
    }
    states = {
        "north": seen("north", State.DOWN, T0 - 5000),
        "south": seen("south", State.DOWN, T0 - 7000),
        "west": seen("west", State.DEGRADED, T0 - 9000),
        "blind": seen("blind", State.DOWN, T0 - 1000),
    }
    found = first_unanswered(replace(verdict(V.DOWN), sites=counted), states)
    assert found == {"north": T0 - 5000, "south": T0 - 7000}, "not of one that is blind now, nor where it is not known"
