"""When an incident opens and when it is over: one row for each rule."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from noc_alerter.incidents import BLIND_AFTER_MS, Open, Resolve, evidence, incident_id, of_site, of_target
from noc_bus.messages import SLUG_PATTERN, ProberPresence, SiteState, State, Verdict, VerdictState
from noc_bus.time import Time
from tests.alerter.conftest import T0

ONLINE = ProberPresence(site="north", online=True)
ISOLATED = ProberPresence(site="north", online=True, isolated=True)
OFFLINE = ProberPresence(site="north", online=False)
LONG_AGO = Time(T0 - BLIND_AFTER_MS)
JUST_NOW = Time(T0 - BLIND_AFTER_MS + 1)


def verdict(state: VerdictState) -> Verdict:
    return Verdict(target="router", state=state, since=T0, reason="so it is", sites={}, at=T0)


@pytest.mark.parametrize(
    ("state", "while_closed", "while_open"),
    [
        (VerdictState.UP, None, Resolve("it is UP again: so it is")),
        (VerdictState.DEGRADED, None, Resolve("it is DEGRADED again: so it is")),
        (VerdictState.PARTIAL, None, Resolve("it is PARTIAL again: so it is")),
        (VerdictState.DOWN, Open("so it is"), None),
        (VerdictState.UNREACHABLE, None, None),
        (VerdictState.UNKNOWN, None, None),
        (VerdictState.MAINTENANCE, None, None),
        (VerdictState.PAUSED, None, Resolve("the target was paused")),
    ],
)
def test_only_down_opens_and_only_what_proves_an_end_closes(
    state: VerdictState, while_closed: Open | None, while_open: Resolve | None
) -> None:
    assert of_target(False, verdict(state)) == while_closed
    assert of_target(True, verdict(state)) == while_open


def test_a_removed_target_has_no_incident_any_more() -> None:
    assert of_target(True, None) == Resolve("the target was removed")
    assert of_target(False, None) is None


BLIND = "what only this site pings is UNKNOWN, not DOWN"


@pytest.mark.parametrize(
    ("is_open", "is_expected", "presence", "blind_since", "change"),
    [
        (False, True, ONLINE, None, None),
        (False, True, OFFLINE, JUST_NOW, None),
        (False, True, OFFLINE, LONG_AGO, Open(f"its prober is offline; {BLIND}")),
        (False, True, None, LONG_AGO, Open(f"its prober is offline; {BLIND}")),
        (False, True, ISOLATED, LONG_AGO, Open(f"its prober is isolated: none of its anchors answers; {BLIND}")),
        (False, False, OFFLINE, LONG_AGO, None),
        (True, True, OFFLINE, LONG_AGO, None),
        (True, True, ONLINE, None, Resolve("the site sees again")),
        (True, False, OFFLINE, LONG_AGO, Resolve("the site is no longer expected")),
    ],
    ids=[
        "it sees",
        "perhaps only restarted",
        "offline for a minute",
        "never seen",
        "isolated for a minute",
        "not expected",
        "already told",
        "it is back",
        "given up by its owners",
    ],
)
def test_a_site_is_an_incident_when_it_should_see_and_does_not(
    is_open: bool,
    is_expected: bool,
    presence: ProberPresence | None,
    blind_since: Time | None,
    change: Open | Resolve | None,
) -> None:
    assert of_site(is_open, is_expected, presence, blind_since, T0) == change


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


def test_evidence_says_what_each_site_saw_and_since_when() -> None:
    state = SiteState(
        site="north", target="router", epoch=1, seq=1, state=State.DOWN, since=T0, reason="no answer", at=T0
    )
    down = Verdict(
        target="router",
        state=VerdictState.DOWN,
        since=T0,
        reason="",
        sites={"north": State.DOWN, "south": State.UNKNOWN},
        at=T0,
    )
    assert evidence(down, {"north": state}) == ["north DOWN: no answer, since 12:00:00Z", "south UNKNOWN"]
    told = replace(state, reason="no answer to 5 checks since 12:00:00Z")
    assert evidence(down, {"north": told})[0] == "north DOWN: no answer to 5 checks since 12:00:00Z"
