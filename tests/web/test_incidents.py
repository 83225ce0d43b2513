"""One incident with all its members, its timeline and its mails: what the alerter tells, and what is known without it."""

from __future__ import annotations

from msgspec.structs import replace

from noc_bus.channels import INCIDENT_ANSWERS, INCIDENT_NOTES, INCIDENT_QUERIES, INCIDENTS, SERVICES
from noc_bus.messages import (
    IncidentAnswer,
    IncidentNote,
    IncidentQuery,
    Member,
    PostMortem,
    SentMail,
    ServicePresence,
    TimelineEntry,
)
from noc_bus.time import Time
from noc_history.store import Batch
from tests.web.conftest import Service
from tests.web.facts import incident, trace

NOW = Time.now()
MEMBERS = [Member(target=f"t{number}", name=f"T{number}", joined_at=NOW) for number in range(450)]


def alerter(service: Service, *, answers: bool = True) -> list[IncidentNote]:
    """It keeps one incident of 450 targets, and may be too busy to say so. What people write of incidents."""
    written: list[IncidentNote] = []
    kept: PostMortem | None = None

    def tell(asked: IncidentQuery | None, variables: dict[str, str]) -> None:
        if asked is None or not answers:
            return
        known = IncidentAnswer(
            request=asked.request,
            at=NOW,
            incident=incident("i-1", "t0", total_members=450, resolved_at=NOW),
            members=MEMBERS[asked.offset : asked.offset + asked.limit],
            timeline=[TimelineEntry(at=NOW, code="target-went-down", target="t0", text="silent")],
            post_mortem=kept,
            mails=[SentMail(to="ops@noc.test", about="opened", state="sent", queued_at=NOW, sent_at=NOW)],
        )
        unknown = IncidentAnswer(request=asked.request, at=NOW)
        service.others.publish(INCIDENT_ANSWERS, known if asked.incident == "i-1" else unknown)

    def keep(note: IncidentNote | None, variables: dict[str, str]) -> None:
        if note is None or not answers:
            return
        nonlocal kept
        written.append(note)
        if note.kind == "post-mortem" and note.replaces == (kept.at if kept else None):
            kept = PostMortem(by=note.by, at=note.at, text=note.text) if note.text else None
        found = incident("i-1") if note.incident == "i-1" else None
        answer = IncidentAnswer(request=note.request, at=NOW, incident=found, post_mortem=kept)
        service.others.publish(INCIDENT_ANSWERS, answer)

    service.others.subscribe(INCIDENT_QUERIES, tell)
    service.others.subscribe(INCIDENT_NOTES, keep)
    service.others.publish(SERVICES, ServicePresence(service="alerter", online=True, at=Time.now()))
    return written


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


def test_a_comment_goes_to_the_alerter_which_keeps_it_and_into_the_audit(service: Service) -> None:
    written = alerter(service)
    operator = service.by("operator")
    operator.api("POST", "incidents/i-1/comments", {"comment": "  on my way\n"}, status=204)
    assert [(one.incident, one.kind, one.by, one.text) for one in written] == [
        ("i-1", "comment", "some-operator", "on my way")
    ]

    def noted() -> list[tuple[str, str]]:
        rows = service.by("admin").get("audit")["audit"]
        return [(one["who"], one["detail"]["comment"]) for one in rows if one["act"] == "comment on incident"]

    assert noted() == [("some-operator", "on my way")]
    for wrong in ({"comment": ""}, {"comment": " \n"}, {"comment": "x" * 501}, {}):
        assert operator.api("POST", "incidents/i-1/comments", wrong, status=422)["errors"]
    for path in ("incidents/i-2/comments", "incidents/No%20slug/comments"):
        operator.api("POST", path, {"comment": "x"}, status=404)
    assert len(written) == 2, "what is refused here does not go out"
    assert len(noted()) == 1, "nor is it an act"


def test_a_post_mortem_is_not_written_over_what_somebody_else_wrote_meanwhile(service: Service) -> None:
    alerter(service)
    operator = service.by("operator")
    path = "incidents/i-1/post-mortem"
    operator.api("PUT", path, {"text": "one power supply"}, status=204)
    first = operator.get("incidents/i-1")["post_mortem"]
    assert (first["by"], first["text"]) == ("some-operator", "one power supply")
    refused = service.by("admin").api("PUT", path, {"text": "mine"}, status=409)
    assert "some-operator has changed it" in refused["detail"]
    service.by("admin").api("PUT", path, {"text": "two, one plug", "replaces": first["at"]}, status=204)
    second = operator.get("incidents/i-1")["post_mortem"]
    assert (second["by"], second["text"]) == ("some-admin", "two, one plug")
    for stale in (first["at"], None):
        operator.api("PUT", path, {"text": "", "replaces": stale}, status=409)
    operator.api("PUT", path, {"text": " ", "replaces": second["at"]}, status=204)
    assert operator.get("incidents/i-1")["post_mortem"] is None
    assert "removed" in operator.api("PUT", path, {"text": "x", "replaces": second["at"]}, status=409)["detail"]
    operator.api("PUT", path, {"text": "x", "replaces": "yesterday"}, status=422)
    operator.api("PUT", path, {"text": "x" * 10_001}, status=422)
    acts = [one["who"] for one in service.by("admin").get("audit")["audit"] if "post-mortem" in one["act"]]
    assert acts == ["some-operator", "some-admin", "some-operator"], "what was refused is no act"


def test_what_nobody_can_keep_is_refused(service: Service) -> None:
    operator = service.by("operator")
    for method, path, body in (
        ("POST", "incidents/i-1/comments", {"comment": "x"}),
        ("PUT", "incidents/i-1/post-mortem", {"text": "x"}),
    ):
        assert operator.api(method, path, body, status=409)["code"] == "offline"
    alerter(service, answers=False)
    for method, path, body in (
        ("POST", "incidents/i-1/comments", {"comment": "x"}),
        ("PUT", "incidents/i-1/post-mortem", {"text": "x"}),
    ):
        assert "not answered" in operator.api(method, path, body, status=503)["detail"]
