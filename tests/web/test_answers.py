"""The API as it is documented: every answer has its declared type, and the document is the one that is committed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

import noc_web
from noc_bus.channels import (
    INCIDENT_ANSWERS,
    INCIDENT_NOTES,
    INCIDENT_QUERIES,
    INCIDENTS,
    MAIL_TEST_RESULTS,
    MAIL_TESTS,
    PROBERS,
    RESULTS,
    SENT_ANSWERS,
    SENT_QUERIES,
    SERVICES,
    STATES,
    TRACES,
    VERDICTS,
)
from noc_bus.messages import (
    Acknowledgement,
    Hop,
    IncidentAnswer,
    IncidentNote,
    IncidentQuery,
    MailTest,
    MailTestAnswer,
    MailTestResult,
    Member,
    PostMortem,
    SentAnswer,
    SentMail,
    SentQuery,
    ServicePresence,
    State,
    TimelineEntry,
    Trace,
    VerdictState,
)
from noc_bus.time import Time
from noc_history.store import Batch
from noc_web.api import ROUTES, openapi
from noc_web.api.route import ROOT, Route, Text
from noc_web.broker.accounts import Arrangement, Hashes
from noc_web.calendars import Calendars, StoredCalendar
from noc_web.json import plain
from tests.web.conftest import Service
from tests.web.facts import incident, presence, result, state, verdict

COMMITTED: Final = Path(noc_web.__file__).parents[1] / "openapi.json"

CALLS: Final[dict[str, tuple[str, Any]]] = {
    "GET /status": ("status", None),
    "POST /targets/import": ("targets/import?replace=true", [{"id": "imported", "address": "10.0.0.3"}]),
    "GET /targets/export": ("targets/export?format=json", None),
    "GET /targets": ("targets", None),
    "POST /targets": ("targets", {"address": "10.0.0.9", "group": "core/x", "ttl": 9}),
    "GET /targets/{target}": ("targets/a", None),
    "PUT /targets/{target}": ("targets/a", {"address": "10.0.0.1", "tags": ["x"], "parents": ["b"]}),
    "PATCH /targets/{target}": ("targets/a", {"degraded_rtt_ms": 5, "sites": ["here"]}),
    "DELETE /targets/{target}": ("targets/c?history=delete", None),
    "GET /targets/{target}/history": ("targets/a/history?points=3&with=all", None),
    "GET /targets/{target}/states": ("targets/a/states", None),
    "GET /history/days": ("history/days?days=3", None),
    "GET /history/top": ("history/top?by=jitter&order=change", None),
    "GET /history/groups": ("history/groups?group=core", None),
    "GET /history/usual": ("history/usual", None),
    "GET /history/room": ("history/room", None),
    "POST /targets/{target}/check": ("targets/a/check", {}),
    "POST /targets/{target}/trace": ("targets/a/trace", {"site": "here"}),
    "GET /targets/{target}/traces": ("targets/a/traces", None),
    "POST /sites/{site}/ping": ("sites/here/ping", {"address": "192.0.2.1"}),
    "POST /sites/{site}/trace": ("sites/here/trace", {"address": "192.0.2.1"}),
    "GET /targets/{target}/routes": ("targets/a/routes", None),
    "GET /targets/{target}/suggested-parents": ("targets/a/suggested-parents", None),
    "GET /groups": ("groups", None),
    "PUT /groups": ("groups", {"up_after": 2}),
    "DELETE /groups": ("groups", None),
    "GET /groups/{path}": ("groups/core/routers", None),
    "PUT /groups/{path}": ("groups/core", {"packets": 2}),
    "DELETE /groups/{path}": ("groups/old", None),
    "GET /sites": ("sites", None),
    "POST /sites": ("sites", {"id": "mars", "anchors": ["10.0.0.1"]}),
    "GET /sites/{site}": ("sites/here", None),
    "PUT /sites/{site}": ("sites/here", {"label": "Here", "expected": False}),
    "DELETE /sites/{site}": ("sites/old?history=delete", None),
    "GET /site-keys": ("site-keys", None),
    "POST /site-keys/{site}": ("site-keys/paris", {"addresses": ["noc.example", "192.0.2.1:443"]}),
    "PUT /site-keys/{site}": ("site-keys/here", {}),
    "PATCH /site-keys/{site}": ("site-keys/here", {"disabled": False}),
    "GET /incidents": ("incidents", None),
    "GET /incidents/{incident}": ("incidents/i-1", None),
    "GET /incidents/{incident}/members": ("incidents/i-1/members?limit=5", None),
    "GET /incidents/{incident}/paths": ("incidents/i-1/paths", None),
    "POST /incidents/{incident}/acknowledge": ("incidents/i-1/acknowledge", {"comment": "x"}),
    "DELETE /incidents/{incident}/acknowledge": ("incidents/i-1/acknowledge", None),
    "POST /incidents/{incident}/comments": ("incidents/i-1/comments", {"comment": "x"}),
    "PUT /incidents/{incident}/post-mortem": ("incidents/i-1/post-mortem", {"text": "x"}),
    "GET /maintenances": ("maintenances", None),
    "POST /maintenances": (
        "maintenances",
        {
            "title": "Backup",
            "covers": [{"kind": "group", "name": "core"}],
            "repeats": "monthly",
            "from_time": "23:00",
            "to_time": "01:00",
            "weekdays": ["sun"],
            "weeks": [-1],
        },
    ),
    "GET /maintenances/windows": ("maintenances/windows", None),
    "GET /maintenances/{maintenance}": ("maintenances/{works}", None),
    "PUT /maintenances/{maintenance}": (
        "maintenances/{works}",
        {"title": "Works", "covers": [{"kind": "site", "name": "here"}], "minutes": 30},
    ),
    "POST /maintenances/{maintenance}/end": ("maintenances/{works}/end", None),
    "DELETE /maintenances/{maintenance}": ("maintenances/{cancelled}", None),
    "GET /reports/uptime": ("reports/uptime?group=core&compare=true", None),
    "GET /reports/outages": ("reports/outages", None),
    "POST /rehearsals/targets/{target}": ("rehearsals/targets/b?days=1", {"policy": "any", "down_after": 3}),
    "POST /rehearsals/groups": ("rehearsals/groups", {"mail_partial": True}),
    "POST /rehearsals/groups/{path}": ("rehearsals/groups/core?group_wait_s=60", {"critical": True}),
    "POST /rehearsals/notification-routes/{route}": (
        "rehearsals/notification-routes/nights",
        {"name": "Nights", "contacts": ["night"], "groups": ["core"]},
    ),
    "POST /rehearsals/contacts/{contact}": (
        "rehearsals/contacts/anna",
        {"name": "Anna", "mails": ["anna@noc.test"], "quiet_hours": "Mon-Sun 22:00-06:00"},
    ),
    "GET /rehearsals/{rehearsal}": ("rehearsals/{rehearsal}", None),
    "GET /contacts": ("contacts", None),
    "PUT /contacts/{contact}": ("contacts/anna", {"name": "Anna", "mails": ["anna@noc.test"], "zone": "Europe/Paris"}),
    "DELETE /contacts/{contact}": ("contacts/old", None),
    "GET /notification-routes": ("notification-routes", None),
    "PUT /notification-routes/{route}": (
        "notification-routes/nights",
        {"name": "Nights", "contacts": ["night"], "hours": "Mon-Sun 00:00-08:00", "kinds": ["target-down"]},
    ),
    "DELETE /notification-routes/{route}": ("notification-routes/old", None),
    "GET /notifications/heartbeat": ("notifications/heartbeat", None),
    "PUT /notifications/heartbeat": ("notifications/heartbeat", {"url": "https://ping.test/x", "every_s": 30}),
    "GET /notifications/means": ("notifications/means", None),
    "GET /notifications/who": ("notifications/who?target=a&at=2026-11-24T03:00:00Z", None),
    "GET /notifications/sent": ("notifications/sent?limit=5", None),
    "GET /report-mails": ("report-mails", None),
    "PUT /report-mails/{report}": (
        "report-mails/board",
        {"every": "month", "recipients": [{"address": "board@noc.test", "zone": "Europe/Berlin"}]},
    ),
    "DELETE /report-mails/{report}": ("report-mails/old", None),
    "POST /report-mails/{report}/send": ("report-mails/kept/send", None),
    "GET /calendars": ("calendars", None),
    "PUT /calendars/{calendar}": ("calendars/office", {"hours": "Mon-Fri 08:00-18:00", "goal_pct": 99.9}),
    "DELETE /calendars/{calendar}": ("calendars/old", None),
    "GET /mail": ("mail", None),
    "PATCH /mail": ("mail", {"mail_server": "smtp://mail.test", "mail_to": ["ops@noc.test"]}),
    "POST /mail/tests": ("mail/tests", None),
    "GET /mail/tests/{request}": ("mail/tests/m-1", None),
    "GET /me": ("me", None),
    "PUT /me": ("me", {"theme": "dark"}),
    "POST /me/password": ("me/password", {"current": "correct horse battery", "new": "another battery"}),
    "GET /users": ("users", None),
    "POST /users": ("users", {"name": "new", "role": "viewer", "password": "a long one indeed"}),
    "PUT /users/{name}": ("users/bert", {"role": "operator"}),
    "DELETE /users/{name}": ("users/carl", None),
    "GET /tokens": ("tokens", None),
    "POST /tokens": ("tokens", {"name": "grafana", "role": "viewer"}),
    "DELETE /tokens/{name}": ("tokens/old", None),
    "GET /audit": ("audit", None),
    "GET /openapi.json": ("openapi.json", None),
}


IDS: Final[dict[str, str]] = {}
"""Of what gets its id from the service."""


def answer_as_alerter(service: Service, now: Time) -> None:
    """It keeps whatever is asked for, and whatever it is given."""
    say = service.others.publish

    def tell(asked: IncidentQuery | None, variables: dict[str, str]) -> None:
        mail = SentMail(to="ops@noc.test", about="opened", state="sent", queued_at=now, sent_at=now)
        entry = TimelineEntry(at=now, code="commented", by="anna", text="x")
        member = Member(target="a", name="A", joined_at=now)
        one = incident(asked.incident if asked else "", "a")
        answer = IncidentAnswer(
            request=variables["request"],
            at=now,
            incident=one,
            members=[member],
            timeline=[entry],
            post_mortem=PostMortem(by="anna", at=now, text="x"),
            mails=[mail],
        )
        say(INCIDENT_ANSWERS, answer)

    def keep(note: IncidentNote | None, variables: dict[str, str]) -> None:
        assert note is not None
        kept = PostMortem(by=note.by, at=note.at, text=note.text)
        one = incident(note.incident, "a")
        say(INCIDENT_ANSWERS, IncidentAnswer(request=note.request, at=now, incident=one, post_mortem=kept))

    def tell_sent(asked: SentQuery | None, variables: dict[str, str]) -> None:
        mail = SentMail(
            to="ops@noc.test",
            about="opened",
            because="route x",
            incident="i-1",
            state="given-up",
            queued_at=now,
            error="x",
        )
        say(SENT_ANSWERS, SentAnswer(request=variables["request"], at=now, mails=[mail], total=1))

    service.others.subscribe(INCIDENT_QUERIES, tell)
    service.others.subscribe(INCIDENT_NOTES, keep)
    service.others.subscribe(SENT_QUERIES, tell_sent)


@pytest.fixture(scope="module")
def furnished(shared_service: Service) -> Service:
    """A service with something of everything."""
    service, now = shared_service, Time.now()
    catalog = service.catalog
    service.broker_accounts.arrange(Arrangement(urls=("wss://192.0.2.9:8883",)), {"local": Hashes("a", "b")})
    service.broker_accounts.new_site_key("here")
    catalog.put_group("core", {"tags": ["core"]}, "test")
    catalog.put_group("old", {}, "test")
    catalog.put_group("", {"down_after": 5}, "test")
    for name in ("a", "b", "c"):
        catalog.add_target({"id": name, "address": "10.0.0.1", "group": "core/routers"}, "test")
    catalog.add_target({"id": "elsewhere", "address": "10.0.0.2", "paused": True}, "test")
    for site in ("here", "old"):
        catalog.put_site(site, {"anchors": ["10.0.0.254"]}, "test")
    for name in ("bert", "carl", "dora"):
        service.add_person(name, "viewer")
    service.accounts.create_token("old", "viewer")
    for name in ("night", "old"):
        service.by("admin").api("PUT", f"contacts/{name}", {"name": name, "mails": [f"{name}@noc.test"]})
        service.by("admin").api("PUT", f"notification-routes/{name}", {"name": name, "contacts": ["night"]})
    Calendars(service.database).put(StoredCalendar("old"))
    for name in ("kept", "old"):
        weekly = {"every": "week", "recipients": [{"address": "ops@noc.test"}]}
        service.by("admin").api("PUT", f"report-mails/{name}", weekly)
    for title in ("works", "cancelled"):
        window = {"title": title, "covers": [{"kind": "target", "name": "a"}], "minutes": 60}
        IDS[title] = catalog.add_maintenance(window, "test").id
    say = service.others.publish
    say(PROBERS, presence(since=now, targets=3, clock=now, echoes_per_s=2.5, version="1"))
    say(PROBERS, presence("unconfigured", online=False))
    say(STATES, state(rtt_ms=2.0, loss_pct=0.0))
    say(RESULTS, result())
    say(VERDICTS, verdict("a", VerdictState.PARTIAL, sites={"here": State.UP}))
    taken = Acknowledgement(incident="i-1", by="anna", at=now)
    say(INCIDENTS, incident("i-1", "a", acknowledged=taken, evidence=["x"]))
    hop = Hop(ttl=1, address=None, rtts_ms=[1.0])
    say(TRACES, Trace(site="here", target="a", address="10.0.0.1", at=now, reached=True, hops=[hop]))
    say(SERVICES, ServicePresence(service="alerter", online=True, at=now))
    mails = [
        MailTestAnswer(to="ops@noc.test", answer="250 taken"),
        MailTestAnswer(to="x@noc.test", error="550 no"),
        MailTestAnswer(to="y@noc.test"),
    ]

    def try_mail(asked: MailTest | None, variables: dict[str, str]) -> None:
        say(MAIL_TEST_RESULTS, MailTestResult(request=variables["request"], at=now, mails=mails, done=False))
        say(MAIL_TEST_RESULTS, MailTestResult(request=variables["request"], at=now, mails=mails[:2], done=True))

    answer_as_alerter(service, now)
    service.others.subscribe(MAIL_TESTS, try_mail)
    say(MAIL_TEST_RESULTS, MailTestResult(request="m-1", at=now, mails=mails))
    past = now - 600_000
    service.store.write(
        Batch(
            results=[result(at=past + number * 10_000, seq=number) for number in range(30)],
            states=[state(at=past), state(kind=State.DOWN, at=past + 200_000, seq=1)],
            incidents=[incident("i-0", "b", opened_at=Time(past), resolved_at=now, site="here", kind="site-blind")],
        )
    )
    service.follow()
    IDS["rehearsal"] = service.by("admin").api("POST", "rehearsals/targets/a", {"policy": "any"})["id"]
    return service


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_the_table_of_calls_has_every_route() -> None:
    assert sorted(CALLS) == sorted(map(label, ROUTES))


@pytest.mark.parametrize("route", ROUTES, ids=label)
def test_an_answer_has_the_type_and_status_that_are_declared(furnished: Service, route: Route) -> None:
    path, body = CALLS[label(route)]
    path = path.format_map(IDS)
    # Changing a password ends the other log-ins of that person.
    browser = furnished.person("dora") if route.path == "/me/password" else furnished.by("admin")
    answer = browser.ask(route.method, f"{ROOT}/{path}", **({} if body is None else {"json": body}))
    assert answer.status_code == route.status, answer.text
    declared = [part for part in openapi._parts(route.answer) if not isinstance(part, Text)]
    if not declared:
        assert route.answer is None or answer.mimetype in route.answer.media_types
        return
    found = answer.get_json()
    read = msgspec.convert(found, declared[0], dec_hook=lambda kind, value: kind.parse(value))
    if "resolved" not in str(found):
        # Nothing that is not declared; a target also has its own options, which are many.
        assert plain(read) == found
    if route.status == 201 and "Location" in answer.headers:
        assert furnished.by("admin").ask("GET", answer.headers["Location"]).status_code == 200


def test_the_other_form_of_each_answer_is_of_the_declared_media_type(furnished: Service) -> None:
    viewer = furnished.by("viewer")
    assert viewer.ask("GET", f"{ROOT}/targets/export").mimetype == "text/csv"
    assert viewer.ask("GET", f"{ROOT}/targets/a/history?format=csv").mimetype == "text/csv"
    report = viewer.ask("GET", f"{ROOT}/reports/uptime?format=csv")
    assert report.mimetype == "text/csv"
    assert report.headers["Content-Disposition"].startswith('attachment; filename="noc-uptime-')


def test_what_was_just_made_is_there_for_the_next_question(furnished: Service) -> None:
    admin = furnished.by("admin")
    admin.api("POST", "targets", {"id": "fresh", "address": "10.0.0.1"}, status=201)
    for path in ("targets/fresh", "targets/fresh/history", "targets/fresh/states", "targets/fresh/traces"):
        admin.get(path)
    admin.api("PUT", "sites/venus", {"label": "Venus"})
    assert admin.get("sites/venus")["label"] == "Venus"


# -- the document


def test_the_committed_document_is_the_one_that_is_rendered() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "noc_web.api.openapi"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == COMMITTED.read_text(encoding="utf-8"), (
        "render it again: python -m noc_web.api.openapi > services/web/openapi.json"
    )


def test_the_served_document_is_the_committed_one(furnished: Service) -> None:
    assert furnished.by("viewer").get("openapi.json") == json.loads(COMMITTED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.render(ROUTES)


def test_every_route_is_in_the_document_with_its_variables_and_queries(document: dict[str, Any]) -> None:
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations.keys() == {label(route) for route in ROUTES}
    for route in ROUTES:
        operation = operations[label(route)]
        declared = {(one["in"], one["name"]) for one in operation.get("parameters", [])}
        variables = {("path", part[1:-1]) for part in route.path.split("/") if part.startswith("{")}
        assert declared == variables | {("query", query.name) for query in route.query}
        assert operation["summary"].endswith(".")
        assert f"role {route.role}" in operation["description"]
        assert str(route.status) in operation["responses"]
        assert ("requestBody" in operation) == (route.body is not None)
    identifiers = [operation["operationId"] for operation in operations.values()]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.thorough
def test_every_schema_of_the_document_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"]
    assert document["info"]["version"]


LIMITED: Final = {
    ("NewUser", "name"): {"pattern"},
    ("NewUser", "role"): {"enum"},
    ("NewUser", "password"): {"minLength", "maxLength"},
    ("TokenRequest", "name"): {"pattern"},
    ("TokenRequest", "role"): {"enum"},
    ("MyChanges", "theme"): {"enum"},
    ("PasswordChange", "new"): {"minLength", "maxLength"},
    ("Acknowledging", "comment"): {"maxLength"},
    ("NewTarget", "address"): {"anyOf", "minLength", "maxLength"},
    ("NewTarget", "name"): {"pattern", "minLength", "maxLength"},
    ("NewTarget", "group"): {"pattern", "maxLength"},
    ("NewTarget", "note"): {"pattern", "maxLength"},
    ("NewTarget", "interval_s"): {"minimum", "maximum"},
    ("GroupOptions", "contacts"): {"maxItems", "items"},
    ("NewSite", "label"): {"pattern", "minLength", "maxLength"},
    ("NewSite", "anchors"): {"maxItems", "items"},
}


@pytest.mark.parametrize(("body", "field"), LIMITED)
def test_the_document_has_the_patterns_minima_and_enums_that_the_api_holds_to(
    document: dict[str, Any], body: str, field: str
) -> None:
    schema = document["components"]["schemas"][body]["properties"][field]
    found = [schema, *schema.get("anyOf", [])]
    assert any(LIMITED[body, field] <= one.keys() for one in found), schema


def test_every_variable_of_a_path_and_every_query_has_its_form(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                limits = {"pattern", "enum", "minimum", "anyOf"} & parameter["schema"].keys()
                assert limits, f"{parameter['name']} of {path}"


def test_the_export_is_described_as_the_object_that_it_is(furnished: Service, document: dict[str, Any]) -> None:
    content = document["paths"]["/targets/export"]["get"]["responses"]["200"]["content"]
    whole = {**document, **content["application/json"]["schema"]}
    exported = furnished.by("viewer").get("targets/export?format=json")
    jsonschema.Draft202012Validator(whole).validate(exported)
    assert exported.keys() == {"targets", "groups", "sites"}
    assert content["text/csv"]["schema"] == {"type": "string"}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("path", ["status", "targets", "incidents", "reports/uptime", "targets/a/states", "sites"])
def test_a_client_that_knows_only_the_document_can_check_an_answer(
    furnished: Service, document: dict[str, Any], path: str
) -> None:
    template = path.replace("/a/", "/{target}/")
    content = document["paths"][f"/{template}"]["get"]["responses"]["200"]["content"]["application/json"]
    whole = {**document, **content["schema"]}
    jsonschema.Draft202012Validator(whole).validate(furnished.by("viewer").get(path))


# -- figures and health


def test_the_metrics_are_the_page_s_figures_in_prometheus_form(furnished: Service) -> None:
    # The tests before this one may have taken longer than one believes a prober that is silent.
    furnished.others.publish(PROBERS, presence(since=Time.now(), targets=3, clock=Time.now()))
    furnished.others.publish(STATES, state(rtt_ms=2.0, loss_pct=0.0))
    furnished.follow()
    answer = furnished.by("viewer").ask("GET", "/metrics")
    families = {family.name: family.samples for family in text_string_to_metric_families(answer.text)}
    status = furnished.by("viewer").get("status")
    counted = {sample.labels["state"]: sample.value for sample in families["noc_targets"]}
    assert counted == {name: count for name, count in status["kpis"].items() if name != "total"}
    assert {sample.labels["target"]: sample.labels["state"] for sample in families["noc_target_state"]} == {
        row["id"]: row["state"].lower() for row in status["targets"]
    }
    online = {sample.labels["site"]: sample.value for sample in families["noc_prober_online"]}
    assert online == {row["id"]: float(row["online"]) for row in status["sites"]}
    assert {sample.value for sample in families["noc_target_rtt_seconds"]} == {0.002}


def test_health_says_nothing_to_strangers_but_that_it_is_there(
    furnished: Service, new_service: Callable[..., Service]
) -> None:
    stranger = furnished.anonymous()
    assert stranger.ask("GET", "/healthz").get_json() == {"alive": True}
    assert stranger.ask("GET", "/readyz").get_json() == {"ready": True, "detail": "connected to the broker"}
    unconnected = new_service().anonymous().ask("GET", "/readyz")
    assert (unconnected.status_code, unconnected.get_json()["ready"]) == (503, False)


def test_a_store_that_refuses_makes_it_not_ready_and_says_the_cure(furnished: Service) -> None:
    cure = "the store refuses 3 records, which their sites keep: give NOC a bucket of its own in NOC_HISTORY_URL"
    told = ServicePresence(service="recorder", online=True, at=Time.now(), trouble=cure)
    furnished.others.publish(SERVICES, told)
    furnished.advance()
    answer = furnished.anonymous().ask("GET", "/readyz")
    assert (answer.status_code, answer.get_json()) == (503, {"ready": False, "detail": f"recorder: {cure}"})
    assert f"recorder: {cure}" in furnished.by("viewer").get("status")["trouble"]
    furnished.others.publish(SERVICES, replace(told, trouble=None))
    assert furnished.anonymous().ask("GET", "/readyz").status_code == 200
