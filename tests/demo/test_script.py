"""The ten minutes of the demonstration: what happens when, and what a person calls early."""

from __future__ import annotations

import pytest

from noc_demo.network import HOSTS, SITES
from noc_demo.script import BY_ID, EVENTS, PERIOD_S, Event, Script
from noc_demo.weather import condition

START_S = 1_800_000_000.0


def run(script: Script, from_s: float, until_s: float, step_s: float = 0.25) -> list[tuple[float, str, str]]:
    """What began and ended, with the second in which it did."""
    seen, at_s = [], from_s
    while at_s <= until_s:
        began, ended = script.tick(START_S + at_s)
        seen += [(at_s, "ended", one.name) for one in ended] + [(at_s, "began", one.name) for one in began]
        at_s += step_s
    return seen


def test_every_event_happens_once_in_ten_minutes_and_again_in_the_next_ten() -> None:
    seen = run(Script(START_S), 0, 2 * PERIOD_S)
    for event in EVENTS:
        began = [at_s for at_s, what, name in seen if (what, name) == ("began", event.id)]
        ended = [at_s for at_s, what, name in seen if (what, name) == ("ended", event.id)]
        assert began == [pytest.approx(event.at_s + turn * PERIOD_S, abs=0.5) for turn in (0, 1)]
        assert ended == [pytest.approx(at_s + event.lasts_s, abs=0.5) for at_s in began]


def test_one_is_over_before_the_next_begins_and_all_before_the_script_begins_again() -> None:
    for event, following in zip(EVENTS, [*(one.at_s for one in EVENTS[1:]), PERIOD_S], strict=True):
        assert event.at_s + event.lasts_s < following


def test_an_event_that_is_called_happens_at_once_and_still_at_its_own_time() -> None:
    script = Script(START_S)
    run(script, 0, 5)
    assert script.call("shop-flaps", START_S + 6)
    began, _ = script.tick(START_S + 6)
    assert [one.name for one in began] == ["shop-flaps"]
    assert not script.call("shop-flaps", START_S + 7)
    later = run(script, 7, PERIOD_S)
    assert [name for _, what, name in later if what == "began"].count("shop-flaps") == 1


def test_what_is_announced_is_what_comes() -> None:
    script = Script(START_S)
    coming = {event.id: script.in_s(event, START_S + 100) for event in EVENTS}
    assert min(coming, key=lambda name: coming[name]) == "vienna-loses-bank"
    assert coming["vienna-loses-bank"] == BY_ID["vienna-loses-bank"].at_s - 100
    assert coming["intranet-fails"] == PERIOD_S + BY_ID["intranet-fails"].at_s - 100


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.id)
def test_an_event_touches_its_targets_and_no_other(event: Event) -> None:
    trouble = event.trouble(START_S)
    changed = {
        (site.id, host.id)
        for site in SITES
        for host in HOSTS
        if condition(site.id, host.id, START_S + 1, [trouble]) != condition(site.id, host.id, START_S + 1)
    }
    if event.cut_site:
        assert changed == {(event.cut_site, host.id) for host in HOSTS}
    elif event.id != "route-changes":
        assert {target for _, target in changed} == set(event.targets)
    assert changed
    assert not [
        one
        for one in changed
        if condition(*one, START_S + event.lasts_s, [trouble]) != condition(*one, START_S + event.lasts_s)
    ]
