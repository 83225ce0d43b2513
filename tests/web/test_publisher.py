"""What the web service owns on the bus: the database is the truth, and whatever differs is put right."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from noc_bus.channels import (
    ACKNOWLEDGEMENTS,
    ASSIGNMENT_SUMMARIES,
    ASSIGNMENTS,
    COMMANDS,
    FORGOTTEN,
    INCIDENTS,
    MARKS,
    PROBERS,
    REPLIES,
    SERVICES,
    SITES,
    STATES,
    TARGETS,
    TRACES,
)
from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Acknowledgement, Assignment, Command, Mark, Reply, ServicePresence, Site, Target, Trace
from noc_bus.mirror import Mirror
from noc_bus.time import DAY_MS, Time
from noc_frame.process import RestartNeeded
from noc_web import inventory
from noc_web.live.requests import _MOST, ADDRESSES_A_MINUTE, Requests
from tests.web.conftest import Service
from tests.web.facts import incident, presence, state

SETTLED_S = 5
A_MINUTE_S = 70


def on_the_bus(service: Service) -> dict[str, Target]:
    """What is retained, whatever its numbers."""
    return {target.id: replace(target, rev=None) for target in service.hub.now(TARGETS)}


def foreign(name: str, address: str = "10.9.9.9") -> Target:
    return Target(id=name, name=name, address=address)


def test_what_is_in_the_database_at_the_start_is_published(new_service: Callable[..., Service]) -> None:
    service = new_service()
    service.catalog.put_group("core", {"packets": 3}, "test")
    service.catalog.add_target({"id": "a", "address": "10.0.0.1", "group": "core"}, "test")
    service.catalog.put_site("here", {"label": "Here"}, "test")
    service.start()
    service.let_pass(SETTLED_S)
    assert on_the_bus(service) == service.catalog.contents().resolved
    assert on_the_bus(service)["a"].packets == 3
    assert [site.label for site in service.hub.now(SITES)] == ["Here"]


def test_every_change_reaches_the_bus_and_only_what_changed_is_sent(service: Service) -> None:
    operator = service.by("operator")
    for name in ("a", "b"):
        operator.api("POST", "targets", {"id": name, "address": "10.0.0.1", "group": f"core/{name}"})
    service.follow()
    assert on_the_bus(service).keys() == {"a", "b"}
    sent = len(service.hub.sent)
    operator.api("PATCH", "targets/a", {"note": "x"})
    service.follow()
    assert [target.id for target in messages_since(service, sent)] == ["a"]
    operator.api("PUT", "groups/core", {"interval_s": 60})
    service.follow()
    assert {target.interval_s for target in on_the_bus(service).values()} == {60}
    operator.api("DELETE", "targets/a")
    operator.api("PUT", "sites/here", {})
    service.follow()
    operator.api("DELETE", "sites/here")
    service.follow()
    assert on_the_bus(service).keys() == {"b"}
    assert service.hub.now(SITES) == []
    # The last change is said once more.
    service.let_pass(SETTLED_S)
    sent = len(service.hub.sent)
    service.follow()
    service.let_pass(SETTLED_S)
    assert len(service.hub.sent) == sent


def messages_since(service: Service, sent: int) -> list[Target]:
    hub = Hub()
    hub.sent = service.hub.sent[sent:]
    return hub.messages(TARGETS)


def test_what_a_stranger_left_on_the_bus_is_cleared_and_what_it_changed_is_put_right(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.catalog.put_site("here", {"label": "Here"}, "test")
    service.others.publish(TARGETS, foreign("left-before"))
    service.others.publish(TARGETS, foreign("a"))
    service.others.publish(SITES, Site(id="mars", label="Mars"))
    service.start()
    service.others.publish(TARGETS, foreign("left-after"))
    service.others.publish(SITES, Site(id="here", label="elsewhere"))
    service.let_pass(SETTLED_S)
    assert on_the_bus(service) == service.catalog.contents().resolved
    assert [site.label for site in service.hub.now(SITES)] == ["Here"]


def test_what_the_broker_forgot_is_published_again(service: Service) -> None:
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.catalog.put_site("here", {}, "test")
    service.follow()
    service.let_pass(SETTLED_S)
    service.others.clear(TARGETS, target="a")
    service.others.clear(SITES, site="here")
    service.let_pass(1)
    assert on_the_bus(service).keys() == {"a"}
    assert len(service.hub.now(SITES)) == 1


def test_a_broker_that_lost_everything_has_everything_after_the_next_connection(service: Service) -> None:
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.follow()
    service.bus.stop()
    service.hub.retained.clear()
    service.catalog.add_target({"id": "b", "address": "10.0.0.2"}, "test")
    service.follow()
    assert on_the_bus(service) == {}
    service.bus.start()
    service.let_pass(SETTLED_S)
    assert on_the_bus(service).keys() == {"a", "b"}


def test_what_was_deleted_while_the_broker_was_away_is_cleared_once_it_is_back(service: Service) -> None:
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.follow()
    service.bus.stop()
    service.catalog.delete_target("a", "test")
    service.follow()
    service.bus.start()
    assert on_the_bus(service).keys() == {"a"}
    service.let_pass(SETTLED_S)
    assert on_the_bus(service) == {}


def test_nothing_is_cleared_before_the_burst_of_retained_messages_is_over(service: Service) -> None:
    service.others.publish(TARGETS, foreign("left"))
    service.let_pass(0)
    assert on_the_bus(service).keys() == {"left"}


def test_what_a_command_changes_beside_the_service_is_published_and_shown(service: Service) -> None:
    assert inventory.add_first_targets(service.config.data, [{"id": "a", "address": "10.0.0.1"}], "noc up") == 1
    service.follow()
    assert on_the_bus(service).keys() == {"a"}
    status = service.by("viewer").get("status")
    assert [row["id"] for row in status["targets"]] == ["a"]
    assert inventory.add_first_targets(service.config.data, [{"id": "b", "address": "10.0.0.1"}], "noc up") == 0


# -- acknowledgements


def test_an_acknowledgement_is_retained_while_the_incident_is_open_and_cleared_when_it_is_over(
    service: Service,
) -> None:
    service.others.publish(INCIDENTS, incident("i-1"))
    service.by("operator").api("POST", "incidents/i-1/acknowledge", {"comment": "on it"}, status=204)
    (told,) = service.hub.now(ACKNOWLEDGEMENTS)
    assert (told.incident, told.by, told.comment) == ("i-1", "some-operator", "on it")
    service.let_pass(1)
    service.others.publish_once(INCIDENTS, incident("i-1", resolved_at=Time.now()))
    service.others.clear(INCIDENTS, incident="i-1")
    service.let_pass(1)
    assert service.hub.now(ACKNOWLEDGEMENTS) == []


def test_an_acknowledgement_may_be_for_some_time(service: Service) -> None:
    service.others.publish(INCIDENTS, incident("i-1"))
    operator = service.by("operator")
    operator.api("POST", "incidents/i-1/acknowledge", {"comment": "on it", "minutes": 30}, status=204)
    (told,) = service.hub.now(ACKNOWLEDGEMENTS)
    assert (told.comment, told.until) == ("on it", Time(told.at + 1_800_000))
    operator.api("POST", "incidents/i-1/acknowledge", {"minutes": 0}, status=422)
    operator.api("POST", "incidents/i-1/acknowledge", {"comment": "for good"}, status=204)
    (told,) = service.hub.now(ACKNOWLEDGEMENTS)
    assert (told.comment, told.until) == ("for good", None)


def test_who_takes_an_acknowledgement_back_says_so_on_the_bus(service: Service) -> None:
    service.others.publish(INCIDENTS, incident("i-1"))
    service.by("operator").api("POST", "incidents/i-1/acknowledge", {"comment": "on it"}, status=204)
    service.by("operator").api("DELETE", "incidents/i-1/acknowledge", status=204)
    (told,) = service.hub.now(ACKNOWLEDGEMENTS)
    assert (told.incident, told.by, told.withdrawn) == ("i-1", "some-operator", True)
    service.by("operator").api("DELETE", "incidents/i-2/acknowledge", status=404)


def test_an_acknowledgement_survives_a_restart_and_goes_with_an_incident_that_ended_meanwhile(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    for name in ("i-1", "i-2"):
        service.others.publish(INCIDENTS, incident(name))
        service.others.publish(ACKNOWLEDGEMENTS, Acknowledgement(incident=name, by="anna", at=Time.now()))
    service.others.clear(INCIDENTS, incident="i-2")
    service.start()
    service.let_pass(SETTLED_S)
    assert {one.incident for one in service.hub.now(ACKNOWLEDGEMENTS)} == {"i-1", "i-2"}, "the alerter may be away"
    service.others.publish(SERVICES, ServicePresence(service="alerter", online=True))
    service.let_pass(A_MINUTE_S)
    assert {one.incident for one in service.hub.now(ACKNOWLEDGEMENTS)} == {"i-1"}


# -- what a deleted site leaves


def furnish(service: Service, site: str, **more: Any) -> None:
    """What a site's prober and the recorder retain."""
    say = service.others.publish
    say(PROBERS, presence(site, **more))
    say(STATES, state("a", site))
    say(STATES, state("not-a-target", site))
    say(TRACES, Trace(site=site, target="a", address="10.0.0.1", at=Time.now(), reached=True, hops=[]))
    say(MARKS, Mark(site=site, epoch=1, seq=7, at=Time.now()))


def left_of(service: Service, site: str) -> list[str]:
    return [topic.removeprefix("noc/v1/") for topic in sorted(service.hub.retained) if site in topic.split("/")]


def test_a_site_that_was_closed_and_is_deleted_leaves_nothing_on_the_broker(service: Service) -> None:
    operator = service.by("operator")
    operator.api("POST", "targets", {"id": "a", "address": "10.0.0.1"})
    for site in ("closed", "here"):
        operator.api("PUT", f"sites/{site}", {})
        furnish(service, site, online=site == "here")
    service.let_pass(SETTLED_S)
    assert len(left_of(service, "closed")) == 8, "also what is assigned to it"
    operator.api("DELETE", "sites/closed", status=204)
    service.let_pass(10)
    assert left_of(service, "closed") == []
    assert len(left_of(service, "here")) == 8
    status = service.by("viewer").get("status")
    assert ([row["id"] for row in status["sites"]], list(status["targets"][0]["sites"])) == (["here"], ["here"])
    furnish(service, "closed")
    service.let_pass(30)
    assert len(left_of(service, "closed")) == 7, "whoever speaks again is a new site"
    assert [row["configured"] for row in operator.get("sites")["sites"]] == [False, True]


def test_a_site_that_nobody_set_up_can_be_deleted_once_its_prober_is_gone(service: Service) -> None:
    operator = service.by("operator")
    operator.api("POST", "targets", {"id": "a", "address": "10.0.0.1"})
    furnish(service, "seen")
    service.let_pass(2)
    refused = operator.api("DELETE", "sites/seen", status=409)
    assert "stop it first" in refused["detail"]
    furnish(service, "seen", online=False)
    service.let_pass(2)
    operator.api("DELETE", "sites/seen", status=204)
    service.let_pass(10)
    assert left_of(service, "seen") == []
    assert operator.get("sites")["sites"] == []


def test_what_a_killed_broker_has_again_of_a_deleted_site_is_cleared_again_also_by_a_later_start(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.start()
    operator = service.by("operator")
    operator.api("PUT", "sites/closed", {})
    furnish(service, "closed", online=False)
    kept = dict(service.hub.retained)
    operator.api("DELETE", "sites/closed", status=204)
    service.let_pass(30)
    assert left_of(service, "closed") == []
    service.bus.stop()
    service.hub.retained.update(kept)
    service.bus.start()
    service.let_pass(30)
    assert left_of(service, "closed") == []
    furnish(service, "closed")
    service.let_pass(30)
    assert len(left_of(service, "closed")) == 6, "whoever speaks again is a new site"
    assert service.catalog.former_sites() == []


def test_a_site_that_was_deleted_while_its_prober_runs_keeps_what_it_says(service: Service) -> None:
    operator = service.by("operator")
    operator.api("PUT", "sites/here", {})
    furnish(service, "here")
    operator.api("DELETE", "sites/here", status=204)
    service.let_pass(30)
    assert left_of(service, "here") == [
        "assignment-summaries/here", "marks/here", "probers/here", "states/here/a", "states/here/not-a-target",
        "traces/here/a",
    ]  # fmt: skip


def test_a_site_that_was_deleted_while_the_service_was_away_leaves_nothing_either(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.others.publish(SITES, Site(id="closed", label="Closed"))
    furnish(service, "closed", online=False)
    service.start()
    service.let_pass(10)
    assert left_of(service, "closed") == []


def test_what_is_deleted_with_its_history_is_told_for_a_month_also_by_a_later_start(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.start()
    operator = service.by("operator")
    for name in ("a", "b"):
        operator.api("POST", "targets", {"id": name, "address": "10.0.0.1"})
    for name in ("closed", "here"):
        operator.api("PUT", f"sites/{name}", {})
    furnish(service, "seen", online=False)
    furnish(service, "here")
    service.let_pass(2)
    refused = operator.api("DELETE", "targets/a?history=all", status=422)
    assert refused["errors"][0]["detail"] == "history: 'all' is not accepted; use keep or delete."
    assert "stop it first" in operator.api("DELETE", "sites/here?history=delete", status=409)["detail"]
    begun = Time.now()
    for path in ("targets/a?history=delete", "sites/closed?history=delete", "sites/seen?history=delete"):
        operator.api("DELETE", path, status=204)
    operator.api("DELETE", "targets/b?history=keep", status=204)
    operator.api("DELETE", "sites/here", status=204)
    told = {("target", "a"), ("site", "closed"), ("site", "seen")}
    found = service.hub.now(FORGOTTEN)
    assert {(one.kind, one.name) for one in found} == told
    assert all(begun <= one.at <= Time.now() for one in found)
    audit = service.by("admin").get("audit")["audit"]
    deleted = {(one["act"], one["subject"], one["detail"].get("history")) for one in audit if "delete" in one["act"]}
    assert deleted == {
        ("delete target", "a", "deleted"), ("delete site", "closed", "deleted"), ("delete site", "seen", "deleted"),
        ("delete target", "b", None), ("delete site", "here", None),
    }  # fmt: skip
    operator.api("POST", "targets", {"id": "a", "address": "10.0.0.1"})
    service.close()
    with service.database.begin() as connection:
        connection.execute("UPDATE forgotten SET at = at - ? WHERE name = 'closed'", (31 * DAY_MS,))
    later = new_service()
    later.start()
    later.let_pass(SETTLED_S)
    assert {(one.kind, one.name) for one in later.hub.now(FORGOTTEN)} == told - {("site", "closed")}


def test_a_site_that_was_never_set_up_and_is_offline_now_is_kept(service: Service) -> None:
    furnish(service, "new", online=False)
    service.let_pass(60)
    assert len(left_of(service, "new")) == 6


def test_only_an_open_incident_can_be_acknowledged(service: Service) -> None:
    service.by("operator").api("POST", "incidents/i-1/acknowledge", status=404)
    service.others.publish(INCIDENTS, incident("i-1"))
    service.by("operator").api("POST", "incidents/i-1/acknowledge", {"comment": "x" * 501}, status=422)
    service.by("operator").api("POST", "incidents/i-1/acknowledge", status=204)
    assert len(service.hub.now(ACKNOWLEDGEMENTS)) == 1


def test_without_a_broker_an_acknowledgement_or_command_is_refused_and_not_lost_silently(service: Service) -> None:
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.others.publish(INCIDENTS, incident("i-1"))
    service.others.publish(PROBERS, presence())
    service.follow()
    service.bus.stop()
    operator = service.by("operator")
    for path in ("incidents/i-1/acknowledge", "targets/a/check", "targets/a/trace"):
        assert "broker cannot be reached" in operator.api("POST", path, status=503)["detail"]
    assert service.hub.messages(COMMANDS) == []
    assert service.anonymous().ask("GET", "/readyz").status_code == 503
    assert service.anonymous().ask("GET", "/healthz").status_code == 200


# -- what is assigned to sites


def assigned_to(service: Service, site: str) -> dict[str, Assignment]:
    """As a site that reads nothing else knows it, where it has all of it."""
    bus = FakeBus(service.hub)
    mirror: Mirror[tuple[str, str], Assignment] = Mirror(bus, ASSIGNMENTS, site=site)
    bus.start()
    assert mirror.is_complete_from(site), site
    bus.stop()
    return {name: one for (_, name), one in mirror.items().items()}


def test_each_site_is_told_of_what_it_pings_and_nothing_that_is_for_people(service: Service) -> None:
    operator = service.by("operator")
    for site in ("paris", "rome"):
        operator.api("PUT", f"sites/{site}", {})
    everywhere = {"id": "a", "address": "10.0.0.1", "contacts": ["a@b.example"], "note": "Rack 7", "tags": ["secret"]}
    operator.api("POST", "targets", everywhere)
    operator.api("POST", "targets", {"id": "router", "address": "10.0.0.2", "sites": ["rome"]})
    operator.api("POST", "targets", {"id": "b", "address": "10.0.0.3", "parents": ["a", "router"], "interval_s": 30})
    service.let_pass(SETTLED_S)
    assert assigned_to(service, "paris").keys() == {"a", "b"}
    assert assigned_to(service, "rome").keys() == {"a", "b", "router"}
    assert [assigned_to(service, site)["b"].parents for site in ("paris", "rome")] == [["a"], ["a", "router"]]
    assert assigned_to(service, "paris")["b"].interval_s == 30
    told = b"".join(payload for topic, payload in service.hub.sent if "/assignment" in topic)
    assert not [word for word in (b"b.example", b"Rack", b"secret") if word in told]
    # A target that comes to a site, one that leaves it, one that is gone.
    operator.api("PATCH", "targets/router", {"sites": ["paris"]})
    service.let_pass(SETTLED_S)
    assert assigned_to(service, "rome").keys() == {"a", "b"}
    assert [assigned_to(service, site)["b"].parents for site in ("paris", "rome")] == [["a", "router"], ["a"]]
    operator.api("DELETE", "targets/b", status=204)
    service.let_pass(SETTLED_S)
    assert assigned_to(service, "paris").keys() == {"a", "router"}
    assert assigned_to(service, "rome").keys() == {"a"}


def test_an_edit_is_told_to_the_sites_that_it_concerns_and_costs_nothing_for_other_targets(service: Service) -> None:
    operator = service.by("operator")
    for site in ("paris", "rome"):
        operator.api("PUT", f"sites/{site}", {})
    for name in ("a", "b", "c"):
        operator.api("POST", "targets", {"id": name, "address": "10.0.0.1", "sites": ["rome"] if name == "c" else None})
    service.let_pass(A_MINUTE_S)

    def told(change: Callable[[], object]) -> list[str]:
        sent = len(service.hub.sent)
        change()
        topics = [topic.removeprefix("noc/v1/") for topic, _ in service.hub.sent[sent:]]
        return [topic for topic in topics if topic.startswith("assignments/")]

    assert told(lambda: operator.api("PATCH", "targets/a", {"note": "for people"})) == []
    assert sorted(told(lambda: operator.api("PATCH", "targets/a", {"packets": 9}))) == [
        "assignments/paris/a", "assignments/rome/a",
    ]  # fmt: skip
    assert told(lambda: operator.api("PATCH", "targets/c", {"packets": 9})) == ["assignments/rome/c"]
    assert sorted(told(lambda: operator.api("PUT", "sites/oslo", {}))) == ["assignments/oslo/a", "assignments/oslo/b"]


def test_a_site_that_nobody_set_up_is_told_as_soon_as_it_speaks_and_keeps_it_over_a_restart_of_the_service(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.start()
    service.by("operator").api("POST", "targets", {"id": "a", "address": "10.0.0.1"})
    assert not service.hub.now(ASSIGNMENTS)
    service.others.publish(PROBERS, presence("alone"))
    service.let_pass(1)
    assert [one.id for one in service.hub.now(ASSIGNMENTS)] == ["a"]
    service.let_pass(SETTLED_S)
    assert assigned_to(service, "alone").keys() == {"a"}
    service.close()
    told = dict(service.hub.retained)
    assigned = service.hub.now(ASSIGNMENTS)
    later = new_service()
    # Its presence comes late, behind all else: what it was told must not be taken from it meanwhile.
    later.hub.retained.update(told)
    said = later.hub.retained.pop("noc/v1/probers/alone")
    later.start()
    later.let_pass(A_MINUTE_S)
    later.hub.put("noc/v1/probers/alone", said, retain=True)
    later.let_pass(SETTLED_S)
    assert [replace(one, rev=None) for one in later.hub.now(ASSIGNMENTS)] == [
        replace(one, rev=None) for one in assigned
    ]
    assert ("noc/v1/assignments/alone/a", b"") not in later.hub.sent


@pytest.mark.thorough
def test_a_mass_of_targets_goes_out_spread_in_time_and_is_summed_up_when_it_is_all_out(service: Service) -> None:
    for site in ("paris", "rome"):
        service.by("operator").api("PUT", f"sites/{site}", {})
    service.let_pass(A_MINUTE_S)
    targets = [{"id": f"t-{number}", "address": "10.0.0.1"} for number in range(1500)]
    service.by("operator").api("POST", "targets/import", targets)
    first = len(service.hub.now(ASSIGNMENTS))
    assert 0 < first <= 200
    seen = [first]
    while seen[-1] < 3000:
        for summary in service.hub.now(ASSIGNMENT_SUMMARIES):
            assert summary.assigned.count == 0, "nobody is to look for what is on its way"
        service.let_pass(1)
        seen.append(len(service.hub.now(ASSIGNMENTS)))
        assert len(seen) < 8, seen
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 2000
    service.let_pass(SETTLED_S)
    for site in ("paris", "rome"):
        assert len(assigned_to(service, site)) == 1500


# -- commands and their replies


def asked_of(service: Service, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = service.by("operator").api("POST", f"targets/a/{verb}", body, status=202)
    return answer


def test_a_command_goes_to_the_site_asked_for_or_to_one_that_is_online(service: Service) -> None:
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.follow()
    operator = service.by("operator")
    assert operator.api("POST", "targets/a/check", status=409)["detail"] == "No site has a prober online now."
    service.others.publish(PROBERS, presence("dark", online=False))
    service.others.publish(PROBERS, presence("here"))
    assert asked_of(service, "check")["site"] == "here"
    assert asked_of(service, "trace", {"site": "here"})["site"] == "here"
    assert "not online" in operator.api("POST", "targets/a/check", {"site": "dark"}, status=409)["detail"]
    assert "use one of dark, here" in operator.api("POST", "targets/a/check", {"site": "mars"}, status=422)["detail"]
    operator.api("POST", "targets/b/check", status=404)
    topics = [topic for topic, _ in service.hub.sent if "/commands/" in topic]
    assert topics == ["noc/v1/commands/here/check", "noc/v1/commands/here/trace"]
    assert [command.target for command in service.hub.messages(COMMANDS)] == ["a", "a"]


def test_a_reply_is_for_whoever_asked_and_told_once(service: Service) -> None:
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.others.publish(PROBERS, presence())
    service.follow()
    request = asked_of(service, "check")["request"]
    reply = Reply(request=request, site="here", target="a", at=Time.now())
    service.others.publish(REPLIES, reply)
    service.others.publish(REPLIES, reply)
    service.others.publish(REPLIES, Reply(request="r-strange", site="here", target="a", at=Time.now()))
    assert service.requests.arrived() == [("some-operator", reply)]
    assert service.requests.arrived() == []


def test_commands_nobody_answers_do_not_fill_the_memory() -> None:
    hub = Hub()
    bus, other = FakeBus(hub), FakeBus(hub)
    requests = Requests(bus)
    bus.start()
    other.start()
    asked = [requests.asked("anna") for _ in range(_MOST + 1)]
    for number in (0, 1, _MOST):
        other.publish(REPLIES, Reply(request=asked[number], site="here", target="a", at=Time.now()))
    assert [reply.request for _, reply in requests.arrived()] == [asked[1], asked[_MOST]]


def test_a_reply_that_is_there_before_the_sending_has_returned_is_told(service: Service) -> None:
    prober = FakeBus(service.hub)

    def answer(command: Command | None, variables: dict[str, str]) -> None:
        assert command is not None
        said = Reply(request=command.request, site=variables["site"], target=command.target, at=Time.now())
        prober.publish(REPLIES, said)

    prober.subscribe(COMMANDS, answer)
    prober.start()
    service.catalog.add_target({"id": "a", "address": "10.0.0.1"}, "test")
    service.others.publish(PROBERS, presence())
    service.follow()
    request = asked_of(service, "check")["request"]
    assert [reply.request for _, reply in service.requests.arrived()] == [request]


def test_a_database_that_is_removed_while_it_is_used_ends_the_service_so_that_it_begins_anew(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.start()
    service.database.path.unlink()
    with pytest.raises(RestartNeeded, match="removed or replaced while it was in use"):
        service.keeper.follow_database()


def test_any_address_is_tried_from_the_site_asked_for_and_the_audit_says_who_had_it_tried(service: Service) -> None:
    service.others.publish(PROBERS, presence("dark", online=False))
    service.others.publish(PROBERS, presence("here"))
    service.follow()
    operator = service.by("operator")
    assert operator.api("POST", "sites/here/ping", {"address": "Host.Example."}, status=202)["site"] == "here"
    operator.api("POST", "sites/here/trace", {"address": "2001:DB8::1"}, status=202)
    assert "not online" in operator.api("POST", "sites/dark/ping", {"address": "192.0.2.1"}, status=409)["detail"]
    assert operator.api("POST", "sites/mars/ping", {"address": "192.0.2.1"}, status=404)["code"] == "not-found"
    topics = [topic for topic, _ in service.hub.sent if "/commands/" in topic]
    assert topics == ["noc/v1/commands/here/ping", "noc/v1/commands/here/trace"]
    assert [(one.target, one.address) for one in service.hub.messages(COMMANDS)] == [
        (None, "host.example"),
        (None, "2001:db8::1"),
    ]
    audit = service.by("admin").api("GET", "audit")["audit"]
    acts = [one for one in audit if one["act"].endswith("from site")]
    assert [(one["act"], one["subject"]) for one in acts] == [("trace from site", "here"), ("ping from site", "here")]


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ({"address": "224.0.0.1"}, "does-not-fit", "is a multicast address"),
        ({"address": "0.0.0.0"}, "does-not-fit", "is no host's address"),
        ({"address": "2130706433"}, "not-accepted", "looks like a number"),
        ({"address": "-rf"}, "not-accepted", "is no address and no host name"),
        ({"address": "10.0.0.0/8"}, "not-accepted", "is not one address"),
        ({}, "not-accepted", "address"),
    ],
)
def test_what_may_be_no_target_may_not_be_tried_either(
    service: Service, body: dict[str, Any], code: str, sentence: str
) -> None:
    service.others.publish(PROBERS, presence("here"))
    service.follow()
    refused = service.by("operator").api("POST", "sites/here/ping", body, status=422)
    assert (refused["code"], sentence in refused["detail"]) == (code, True)
    assert not service.hub.messages(COMMANDS)


def test_one_person_tries_so_many_addresses_a_minute(service: Service) -> None:
    service.others.publish(PROBERS, presence("here"))
    service.follow()
    operator, admin, body = service.by("operator"), service.by("admin"), {"address": "192.0.2.1"}
    for _ in range(ADDRESSES_A_MINUTE):
        operator.api("POST", "sites/here/ping", body, status=202)
    refused = operator.api("POST", "sites/here/trace", body, status=429)
    assert (refused["code"], "try again in" in refused["detail"]) == ("too-many", True)
    admin.api("POST", "sites/here/ping", body, status=202)
    service.passed_s += 60
    operator.api("POST", "sites/here/trace", body, status=202)


def test_the_parts_of_a_reply_all_find_who_asked_and_nothing_after_the_last(service: Service) -> None:
    request = service.requests.asked("anna")
    for done in (False, False, True, True):
        service.others.publish(REPLIES, Reply(request=request, site="here", asked="x", at=Time.now(), done=done))
    assert [(name, reply.done) for name, reply in service.requests.arrived()] == [
        ("anna", False),
        ("anna", False),
        ("anna", True),
    ]
