"""One incident with all its members, its timeline and its mails: what the alerter tells, and what is known without it."""

from __future__ import annotations

from msgspec.structs import replace

from noc_bus.channels import INCIDENT_ANSWERS, INCIDENT_QUERIES, INCIDENTS, SERVICES
from noc_bus.messages import IncidentAnswer, IncidentQuery, Member, SentMail, ServicePresence, TimelineEntry
from noc_bus.time import Time
from noc_history.store import Batch
from tests.web.conftest import Service
from tests.web.facts import incident, trace

NOW = Time.now()
MEMBERS = [Member(target=f"t{number}", name=f"T{number}", joined_at=NOW) for number in range(450)]


def alerter(service: Service, *, answers: bool = True) -> None:
    """It keeps one incident of 450 targets, and may be too busy to say so."""

    def tell(asked: IncidentQuery | None, variables: dict[str, str]) -> None:
        if asked is None or not answers:
            return
        known = IncidentAnswer(
            request=asked.request,
            at=NOW,
            incident=incident("i-1", "t0", total_members=450, resolved_at=NOW),
            members=MEMBERS[asked.offset : asked.offset + asked.limit],
            timeline=[TimelineEntry(at=NOW, code="target-went-down", target="t0", text="silent")],
            mails=[SentMail(to="ops@noc.test", about="opened", state="sent", queued_at=NOW, sent_at=NOW)],
        )
        unknown = IncidentAnswer(request=asked.request, at=NOW)
        service.others.publish(INCIDENT_ANSWERS, known if asked.incident == "i-1" else unknown)

    service.others.subscribe(INCIDENT_QUERIES, tell)
    service.others.publish(SERVICES, ServicePresence(service="alerter", online=True, at=Time.now()))


def test_all_members_of_an_incident_are_told_in_pages_and_its_timeline_and_mails(service: Service) -> None:
    alerter(service)
    viewer = service.by("viewer")
    found = viewer.get("incidents/i-1")
    assert (found["incident"]["id"], found["complete"]) == ("i-1", True)
    assert [one["code"] for one in found["timeline"]] == ["target-went-down"]
    assert [(one["to"], one["state"]) for one in found["mails"]] == [("ops@noc.test", "sent")]
    names: list[str] = []
    while True:
        page = viewer.get(f"incidents/i-1/members?offset={len(names)}")
        assert page["total"] == 450
        names += [one["target"] for one in page["members"]]
        if len(page["members"]) < 200:
            break
    assert names == [one.target for one in MEMBERS]
    for path in ("incidents/i-2", "incidents/i-2/members", "incidents/No%20slug"):
        assert viewer.get(path, status=404)["code"] == "not-found"
    assert viewer.get("incidents/i-1/members?limit=201", status=422)["errors"]


def test_the_paths_of_an_outage_are_beside_the_last_whole_one(service: Service) -> None:
    opened = incident("i-1", "a", opened_at=Time(NOW - 600_000), resolved_at=NOW)
    service.others.publish(INCIDENTS, replace(opened, resolved_at=None))
    traces = [
        trace("a", NOW - 9_000_000, "10.1.0.1"),
        trace("a", NOW - 500_000, "10.1.0.2", reached=False),
        trace("a", NOW - 9_000_000, "10.1.0.3", site="there"),
    ]
    service.store.write(Batch(traces=traces))
    service.follow()
    found = service.by("viewer").get("incidents/i-1/paths")
    assert found["target"] == "a"
    here, there = found["sites"]
    assert here["text"] == (
        "here: the path breaks off after hop 1, 10.1.0.2.example (10.1.0.2); hop 1 was 10.1.0.1.example (10.1.0.1)"
    )
    assert (here["broken"]["reached"], here["good"]["at"]) == (False, str(traces[0].at))
    assert (there["broken"], there["good"]["site"], there["text"]) == (None, "there", None)


def test_without_the_alerter_there_is_what_the_bus_says_of_an_open_one(service: Service) -> None:
    service.others.publish(INCIDENTS, incident("i-1", "t0", members=MEMBERS[:200], total_members=450))
    service.follow()
    viewer = service.by("viewer")
    found = viewer.get("incidents/i-1")
    assert (found["incident"]["id"], found["timeline"], found["complete"]) == ("i-1", [], False)
    page = viewer.get("incidents/i-1/members?offset=150")
    assert (len(page["members"]), page["total"], page["complete"]) == (50, 450, False)
    assert viewer.get("incidents/i-9", status=409)["code"] == "offline"
    alerter(service, answers=False)
    assert "not answered" in viewer.get("incidents/i-9", status=503)["detail"]
    assert viewer.get("incidents/i-1")["complete"] is False, "one that is too busy is not waited for long"
