"""Rehearsals by the API: today's settings and proposed ones over what was recorded, and nothing of it is stored."""

from __future__ import annotations

import threading
from typing import Any, Final, cast

import pytest

from noc_bus.messages import State, Target
from noc_bus.time import Time
from noc_history.store import Batch, Store
from noc_rules.rehearsal import Settings
from noc_web.problem import ProblemError
from noc_web.rehearsal import MOST_TARGETS, Proposal, Rehearsals
from tests.parts.site import T0, Path, outages
from tests.web.conftest import Browser, Service
from tests.web.facts import result, state

HOUR_MS: Final = 3_600_000
BEGIN: Final = Time((Time.now() // HOUR_MS - 30) * HOUR_MS)


def at(minute: float) -> int:
    return int(BEGIN + minute * 60_000)


def saw(
    service: Service, target: str, *outages: tuple[float, float], site: str = "here", kind: State = State.DOWN
) -> None:
    """UP from the beginning, but for these minutes; looked at until now."""
    records = [state(target, site, at=at(0), seq=1)]
    for number, (start, end) in enumerate(outages):
        records.append(
            state(target, site, kind, at=at(start), seq=2 * number + 2, reason="no answer", code="unanswered")
        )
        records.append(state(target, site, at=at(end), seq=2 * number + 3))
    # After the end of the period, a whole five minutes: a cycle before it would be one to estimate from.
    last = result(target, site, at=int(Time.now()) + 300_000, seq=99)
    service.store.write(Batch(states=records, results=[last]))


@pytest.fixture
def recorded(service: Service) -> Service:
    """A router and what is behind it, which nobody said, failed together for an hour; a switch failed by itself from one site."""
    for name, more in (("router", {"group": "core"}), ("behind", {"group": "lan"}), ("switch", {"group": "lan"})):
        service.catalog.add_target({"id": name, "address": "10.0.0.1", "contacts": ["ops@noc.test"], **more}, "test")
    for site in ("here", "there"):
        service.catalog.put_site(site, {}, "test")
    service.follow()
    for site in ("here", "there"):
        saw(service, "router", (60, 120), site=site)
        saw(service, "behind", (60.2, 120), site=site)
    saw(service, "switch", (300, 320))
    saw(service, "switch", site="there")
    return service


def rehearsed(operator: Browser, path: str, body: dict[str, Any], query: str = "") -> dict[str, Any]:
    answer = operator.api("POST", f"rehearsals/{path}?days=3{query}", body)
    assert answer["progress_pct"] == 100
    return cast("dict[str, Any]", answer["result"])


def counts(found: dict[str, Any]) -> list[tuple[int, int]]:
    return [(found[side]["incidents"], found[side]["notices"]) for side in ("before", "after")]


def test_a_parent_makes_one_incident_of_two_and_its_child_unreachable(recorded: Service) -> None:
    operator = recorded.by("operator")
    found = rehearsed(operator, "targets/behind", {"parents": ["router"]})
    assert counts(found) == [(2, 4), (1, 2)]
    assert [found[side]["changed_seconds"]["DOWN"] for side in ("before", "after")] == [3588, 0]
    # From when its sites had said so: a cycle and four more checks, and the full second after them.
    assert found["after"]["changed_seconds"]["UNREACHABLE"] == 3582
    assert found["after"]["recipients"] == [{"to": "ops@noc.test", "name": "", "notices": 2, "withdrawn": 0}]
    # It is part of the other one now, and people would still hear of it.
    assert (found["appear"]["count"], found["vanish"]["count"]) == (0, 0)
    assert (found["changed"], found["targets"], found["is_of_all"]) == (["behind"], 3, True)


def test_an_incident_that_would_appear_is_listed_with_when_why_and_whom(recorded: Service) -> None:
    found = rehearsed(recorded.by("operator"), "targets/switch", {"policy": "any"})
    assert counts(found) == [(2, 4), (3, 6)]
    (one,) = found["appear"]["first"]
    assert (one["targets"], one["opened_at"], one["kind"]) == (["switch"], str(Time(at(300))), "target-down")
    assert one["resolved_at"] == str(Time(at(320)))
    assert (one["notices"], one["recipients"]) == (2, ["ops@noc.test"])
    assert one["reasons"][0] == "target-went-down"
    assert "mailed-opening" in one["reasons"]
    assert rehearsed(recorded.by("operator"), "targets/switch", {"mail_partial": True})["appear"]["first"][0][
        "kind"
    ] == ("target-partial")


def test_what_a_group_or_all_would_have_done(recorded: Service) -> None:
    operator = recorded.by("operator")
    quiet = rehearsed(operator, "groups/lan", {"mail_only_critical": True})
    assert counts(quiet) == [(2, 4), (2, 2)]
    assert (quiet["after"]["untold"], quiet["changed"]) == (1, ["behind", "switch"])
    everything = rehearsed(operator, "groups", {"critical": True})
    assert (everything["changed_count"], everything["after"]["severities"]) == (3, {"critical": 2})
    # Nobody set another group of their own for what fails together: a longer wait changes nothing here.
    longer = rehearsed(operator, "groups", {}, "&group_wait_s=120")
    assert counts(longer) == [(2, 4), (2, 4)]
    assert [longer[side]["group_wait_s"] for side in ("before", "after")] == [15, 120]


def test_what_a_route_would_have_done(recorded: Service) -> None:
    admin = recorded.by("admin")
    admin.api("PUT", "contacts/night", {"name": "Night", "mails": ["night@noc.test"]})
    body = {"name": "Nights", "contacts": ["night"], "groups": ["core"]}
    found = rehearsed(admin, "notification-routes/nights", body)
    assert counts(found) == [(2, 4), (2, 6)]
    assert {(one["to"], one["name"], one["notices"]) for one in found["after"]["recipients"]} == {
        ("ops@noc.test", "", 4),
        ("night@noc.test", "Night", 2),
    }
    assert admin.get("notification-routes")["routes"] == []


def test_what_a_contact_would_have_been_told(recorded: Service) -> None:
    """Another address, and hours in which only what is critical is told: what was over by their end is told to nobody."""
    admin = recorded.by("admin")
    night = {"name": "Night", "mails": ["night@noc.test"]}
    admin.api("PUT", "contacts/night", night)
    admin.api("PUT", "notification-routes/core", {"name": "Core", "contacts": ["night"], "groups": ["core"]})
    moved = rehearsed(admin, "contacts/night", night | {"mails": ["day@noc.test"]})
    told = [
        {(one["to"], one["name"], one["notices"]) for one in moved[side]["recipients"]} for side in ("before", "after")
    ]
    assert told == [
        {("ops@noc.test", "", 4), ("night@noc.test", "Night", 2)},
        {("ops@noc.test", "", 4), ("day@noc.test", "Night", 2)},
    ]
    start, end = (Time(at(minute)).datetime() for minute in (30, 150))
    quiet = rehearsed(admin, "contacts/night", night | {"quiet_hours": f"Mon-Sun {start:%H:%M}-{end:%H:%M}"})
    assert [one["withdrawn"] for one in quiet["after"]["recipients"] if one["name"] == "Night"] == [1]
    assert admin.get("contacts")["contacts"][0]["quiet_hours"] == ""
    problem = admin.api("POST", "rehearsals/contacts/night", night | {"zone": "Nowhere"}, status=422)
    assert [one["field"] for one in problem["errors"]] == ["zone"]


def test_nothing_of_it_is_stored(recorded: Service) -> None:
    operator, admin = recorded.by("operator"), recorded.by("admin")
    before = (operator.get("targets"), operator.get("groups"), len(admin.get("audit")["audit"]))
    rehearsed(operator, "targets/switch", {"policy": "any", "name": "Another"})
    rehearsed(operator, "groups/lan", {"critical": True})
    assert (operator.get("targets"), operator.get("groups"), len(admin.get("audit")["audit"])) == before


def test_what_cannot_be_known_from_recorded_states_is_said(recorded: Service) -> None:
    recorded.catalog.put_site("new", {}, "test")
    found = rehearsed(
        recorded.by("operator"), "targets/switch", {"down_after": 3, "sites": ["here", "new"], "policy": "any"}
    )
    assert (found["not_played"], found["unasked"]) == (["down_after"], ["new"])
    assert found["recorded_from"] == str(BEGIN)
    assert found["is_mail_set_up"] is False


@pytest.fixture
def measured(service: Service) -> Service:
    """A target of two sites that was silent for 8 s in one hour and for 30 in the next, and its neighbour, of which no cycle is kept."""
    for name in ("switch", "other"):
        service.catalog.add_target(
            {"id": name, "address": "10.0.0.1", "group": "lan", "contacts": ["ops@noc.test"]}, "test"
        )
    measure(service, "switch")
    saw(service, "other", (30, 31))
    return service


def measure(service: Service, name: str) -> None:
    path = Path(outages((3600, 3608), (7200, 7230)), T0 + 9_000_000)
    for site in ("here", "there"):
        service.catalog.put_site(site, {}, "test")
        results, states = path.live(service.catalog.contents().resolved[name]).records(site, name, BEGIN)
        service.store.write(Batch(results=results, states=states))
    service.follow()


def test_other_limits_are_estimated_from_the_cycles_that_are_kept(measured: Service) -> None:
    operator = measured.by("operator")
    found = rehearsed(operator, "targets/switch", {"down_after": 12, "degraded_rtt_ms": 5, "timeout_ms": 500})
    assert found["estimate"] == {
        "target": "switch",
        "options": ["down_after", "degraded_rtt_ms"],
        "from": str(BEGIN),
        "cycles": 2 * 900,
        "recorded": 4,
        "before": 4,
        "after": 2,
        "assumed": 0,
    }
    assert (found["not_played"], found["not_measured"]) == (["timeout_ms"], ["timeout_ms"])
    # That of the other target is there with either; the short one was over before people were told, and is told once.
    assert counts(found) == [(3, 5), (2, 4)]
    assert found["before"]["changed_seconds"]["DOWN"] == pytest.approx(8 + 30, abs=2)
    assert found["after"]["changed_seconds"]["DEGRADED"] == pytest.approx(9000 - 60, abs=120)
    (gone,) = found["vanish"]["first"]
    assert gone["opened_at"] == str(Time(BEGIN + 3_600_000))


def test_an_estimate_that_hangs_on_what_nobody_kept_says_how_much_of_it_does(measured: Service) -> None:
    measured.catalog.add_target({"id": "slow", "address": "10.0.0.2", "down_after": 12}, "test")
    measure(measured, "slow")
    found = rehearsed(measured.by("operator"), "targets/slow", {"down_after": 2})["estimate"]
    assert [found[one] for one in ("recorded", "before", "after", "assumed")] == [2, 2, 4, 2]


def test_of_a_group_one_target_at_a_time_is_estimated(measured: Service) -> None:
    operator, body = measured.by("operator"), {"down_after": 12}
    found = rehearsed(operator, "groups/lan", body)
    assert (found["estimable"], found["estimate"], found["not_played"]) == (["other", "switch"], None, ["down_after"])
    found = rehearsed(operator, "groups/lan", body, "&estimate=switch")
    assert (found["estimate"]["before"], found["estimate"]["after"]) == (4, 2)
    # Of the other one there is still but what was recorded.
    assert (found["not_played"], found["not_measured"]) == (["down_after"], [])
    assert rehearsed(operator, "groups", body, "&estimate=other")["estimate"] is None
    refused = operator.api("POST", "rehearsals/groups/lan?estimate=nobody", body, status=422)
    assert "estimate: 'nobody' is not accepted; use the id of a target." in str(refused)


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("targets/nothing", {}, 404, "There is no target 'nothing'."),
        ("targets/switch", {"policy": "some"}, 422, 'policy: "some" is not accepted'),
        ("targets/router", {"parents": ["router"]}, 422, "circular dependency: router → router"),
        ("targets/switch?days=31", {}, 422, "days: '31' is not accepted; use a whole number from 1 to 30."),
        ("groups/lan?group_wait_s=301", {}, 422, "use a whole number from 0 to 300"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_in_a_sentence(
    recorded: Service, path: str, body: dict[str, Any], status: int, sentence: str
) -> None:
    assert sentence in str(recorded.by("operator").api("POST", f"rehearsals/{path}", body, status=status))


def test_a_rehearsal_that_is_not_kept_is_not_found(recorded: Service) -> None:
    assert "There is no rehearsal 'x'" in str(recorded.by("operator").api("GET", "rehearsals/x", status=404))


def test_one_that_takes_long_says_how_far_it_is_and_too_many_are_refused(recorded: Service) -> None:
    entered, go_on = threading.Event(), threading.Event()
    store = recorded.store

    class Slow:
        definitions = staticmethod(store.definitions)

        def states(self, *asked: Any) -> Any:
            entered.set()
            assert go_on.wait(60)
            return store.states(*asked)

    rehearsals = Rehearsals(cast("Store", Slow()), dict)
    settings = Settings(recorded.publisher.targets)
    proposal = Proposal(settings, settings, 3)
    first = rehearsals.start(proposal)
    job = rehearsals.job(first)
    assert entered.wait(20)
    assert (job.awaited(0), job.future.done()) == ((0, None), False)
    waiting = [rehearsals.start(proposal) for _ in range(3)]
    for _ in range(8):
        with pytest.raises(ProblemError, match="Too many rehearsals") as refused:
            rehearsals.start(proposal)
        assert refused.value.status == 503
    go_on.set()
    # Those that wait lose nothing by those that were refused.
    for name in (first, *waiting):
        found = rehearsals.job(name).future.result(20)
        assert found.before == found.after
    rehearsals.close()


@pytest.mark.thorough
def test_of_very_many_those_are_played_that_have_to_do_with_the_change(recorded: Service) -> None:
    rehearsals = Rehearsals(recorded.store, dict)
    targets = {f"t{number}": _target(number) for number in range(3000)}

    def names(**changed: Target) -> int:
        proposal = Proposal(Settings(targets), Settings(targets | changed), 1)
        return len(rehearsals.job(rehearsals.start(proposal)).future.result(60).settings.targets)

    # Its group of ten, and all that is above and below of these.
    assert names(t11=Target(id="t11", name="x", address="192.0.2.1", group="g1", parents=["t10"], critical=True)) == 10
    everything = {name: Target(id=name, name="x", address="192.0.2.1", critical=True) for name in targets}
    with pytest.raises(ProblemError, match=f"a rehearsal is of {MOST_TARGETS:,} at most"):
        names(**everything)
    rehearsals.close()


def _target(number: int) -> Target:
    parents = [f"t{number - number % 10}"] if number % 10 else []
    return Target(id=f"t{number}", name="x", address="192.0.2.1", group=f"g{number // 10}", parents=parents)
