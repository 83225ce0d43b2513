"""What every answer has in common: headers, refusals as problem documents, and no way to what is not served."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from noc_web.api import ROUTES
from noc_web.api.route import ROOT
from noc_web.problem import ProblemCode
from tests.parts.examples import up_to
from tests.web.conftest import PASSWORD, Browser, Service, field

STATIC: Final = "js/main.js"


def is_problem(answer: TestResponse) -> bool:
    """A problem document that repeats the status and says it in a sentence."""
    assert answer.content_type == "application/problem+json", answer.text[:300]
    document = answer.get_json()
    assert document["status"] == answer.status_code
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["code"] in set(ProblemCode)
    assert document["detail"].strip().endswith((".", "?", "!")) or len(document["detail"]) > 10
    assert all(error.keys() == {"field", "detail", "code"} for error in document.get("errors", []))
    assert "Traceback" not in answer.text
    return True


# -- headers

KINDS: Final[dict[str, tuple[str, str, str, int]]] = {
    "the page": ("admin", "GET", "/", 200),
    "a redirect": ("anonymous", "GET", "/", 302),
    "the log-in form": ("anonymous", "GET", "/login", 200),
    "a page that is not there": ("anonymous", "GET", "/nowhere", 404),
    "a wrong method": ("anonymous", "DELETE", "/login", 405),
    "a script": ("anonymous", "GET", f"/static/{STATIC}", 200),
    "a file that is not there": ("anonymous", "GET", "/static/nothing", 404),
    "JSON": ("viewer", "GET", f"{ROOT}/status", 200),
    "CSV": ("viewer", "GET", f"{ROOT}/targets/export", 200),
    "no content": ("admin", "DELETE", f"{ROOT}/groups/some", 204),
    "nobody": ("anonymous", "GET", f"{ROOT}/status", 401),
    "forbidden": ("viewer", "GET", f"{ROOT}/users", 403),
    "an unknown route": ("viewer", "GET", f"{ROOT}/nothing", 404),
    "refused JSON": ("admin", "POST", f"{ROOT}/targets", 422),
    "health": ("anonymous", "GET", "/healthz", 200),
    "metrics": ("viewer", "GET", "/metrics", 200),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_forbids_foreign_scripts_frames_and_guessing_of_types(
    shared_service: Service, kind: str
) -> None:
    who, method, path, status = KINDS[kind]
    if kind == "no content":
        shared_service.by(who).api("PUT", "groups/some", {})
    answer = shared_service.by(who).ask(method, path)
    assert answer.status_code == status
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in str(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in answer.headers
    if not path.startswith("/static"):
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/targets", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/targets/import", "OPTIONS, POST"),
        ("DELETE", "/targets/import", "OPTIONS, POST"),
        ("POST", "/targets/export", "GET, HEAD, OPTIONS"),
        ("PATCH", "/targets/export", "GET, HEAD, OPTIONS"),
        ("POST", "/targets/important", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("POST", "/status", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_is_not_there_is_refused_with_those_that_are(
    shared_service: Service, method: str, path: str, allowed: str
) -> None:
    answer = shared_service.by("admin").ask(method, f"{ROOT}{path}")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert answer.get_json()["code"] == "method-not-allowed"


def test_a_refusal_says_what_would_be_accepted(shared_service: Service) -> None:
    assert shared_service.by("anonymous").ask("GET", f"{ROOT}/status").headers["WWW-Authenticate"] == "Bearer"


def test_an_empty_key_for_the_cookies_is_made_anew(new_service: Callable[..., Service], tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "web-cookie.key").touch()
    assert len(new_service().app.secret_key or "") == 32


def test_behind_https_the_cookie_is_for_https_only_and_browsers_are_told_to_stay_there(
    new_service: Callable[..., Service],
) -> None:
    service = new_service(settings={"NOC_PUBLIC_URL": "https://noc.example.org"})
    service.add_person("anna", "viewer")
    page = service.app.test_client().get("/login", base_url="https://noc.example.org")
    kept = page.headers["Set-Cookie"]
    assert kept.startswith("__Host-noc_session=")
    assert "; Secure;" in kept
    assert "Domain" not in kept
    assert "Path=/" in kept
    assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(service: Service) -> None:
    service.add_person("anna", "viewer")
    answer = service.anonymous().log_in("anna", PASSWORD)
    kept = answer.headers["Set-Cookie"]
    assert "; HttpOnly;" in kept
    assert "SameSite=Lax" in kept


# -- refusals


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/status", 405),
        ("POST", "/targets/x", 405),
        ("GET", "/targets/x/history", 404),
        ("GET", "/targets/known/history?from=abc", 422),
        ("GET", "/targets/known/history?from=99999999999999999999", 422),
        ("GET", "/targets/known/history?points=0", 422),
        ("GET", "/targets/known/history?points=00000000000005999999999", 422),
        ("GET", "/targets/known/history?points=5001", 422),
        ("GET", "/targets/known/history?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 422),
        ("GET", "/targets/known/states?from=2001-01-01T00:00:00Z", 422),
        ("GET", "/targets/export?format=xml", 422),
        ("GET", "/targets/export?format=", 422),
        ("GET", "/reports/uptime?format=", 422),
        ("GET", "/targets/known/history?points=", 422),
        ("GET", "/targets/known/history?site=", 422),
        ("GET", "/targets/known/history?site=A", 422),
        ("GET", "/targets/known/history?with=codes", 422),
        ("GET", "/targets/known/states?from=", 422),
        ("GET", "/incidents?open=", 422),
        ("GET", "/incidents?target=../x", 422),
        ("GET", "/audit?most=", 422),
        ("POST", "/targets/import?replace=", 422),
        ("GET", "/incidents?open=maybe", 422),
        ("GET", "/reports/uptime?format=pdf", 422),
        ("GET", "/history/days?days=367", 422),
        ("GET", "/history/top?by=colour", 422),
        ("GET", "/history/top?order=", 422),
        ("GET", "/history/usual?limit=0", 422),
        ("GET", "/history/groups?from=tomorrow", 422),
        ("GET", "/audit?most=-1", 422),
        ("POST", "/targets/import?replace=maybe", 422),
        ("PUT", "/me", 422),
        ("POST", "/me/password", 422),
        ("POST", "/incidents/nothing/acknowledge", 404),
        ("POST", "/targets/known/check", 409),
    ],
)
def test_every_refusal_of_the_api_is_a_problem_document(
    shared_service: Service, method: str, path: str, status: int
) -> None:
    if not shared_service.publisher.targets.get("known"):
        shared_service.catalog.add_target({"id": "known", "address": "10.0.0.1"}, "test")
    answer = shared_service.by("admin").ask(method, f"{ROOT}{path}")
    assert answer.status_code == status
    assert is_problem(answer)


HOSTILE: Final = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"nul",
    b"null",
    b"[]",
    b"1e999",
    b"9" * 5000,
    b'"\\ud800"',
    b'{"name": NaN}',
    b'{"address": "10.0.0.1", "address": 1}',
    b'{"id": {}, "address": []}',
    b'{"theme": 1, "name": 1, "role": 1, "password": 1, "new": 1, "site": 1, "comment": 1}',
    b'{"unknown": 1}',
]
WITH_BODY: Final = [route for route in ROUTES if route.method in ("POST", "PUT", "PATCH")]


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
def test_a_hostile_body_is_refused_as_a_problem_and_changes_nothing(shared_service: Service, route: Any) -> None:
    admin = shared_service.by("admin")
    path = f"{ROOT}{route.path.replace('{', '').replace('}', '')}"
    before = shared_service.catalog.contents()
    for body in HOSTILE:
        answer = admin.ask(route.method, path, data=body)
        if body == b"[]" and route.path == "/targets/import":
            assert answer.get_json() == {"added": 0, "changed": 0, "groups": 0, "sites": 0}
        else:
            assert answer.status_code in (403, 404, 409, 422), body[:40]
            assert is_problem(answer)
    assert shared_service.catalog.contents() == before


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["address", "id", "name", "sites", "note", "x"]), inner, max_size=4)))  # fmt: skip
@settings(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_at_all_makes_the_service_fail(shared_service: Service, body: Any) -> None:
    answer = shared_service.by("operator").ask(
        "POST", f"{ROOT}/targets", data=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (201, 409, 422), answer.text
    shared_service.follow()


def test_a_body_of_more_than_a_megabyte_is_refused_before_it_is_read(shared_service: Service) -> None:
    admin = shared_service.by("admin")
    body = json.dumps({"address": "10.0.0.1", "note": "x" * 1_000_000})
    for path, status in ((f"{ROOT}/targets", 413), (f"{ROOT}/me/password", 413), (f"{ROOT}/nothing", 404)):
        answer = admin.ask("POST", path, data=body)
        assert answer.status_code == status
        assert is_problem(answer)
    answer = shared_service.anonymous().ask("POST", "/login", data={"username": "x" * 1_000_001})
    assert answer.status_code == 413


@pytest.mark.thorough
def test_a_file_of_targets_may_be_larger_but_not_boundless(shared_service: Service) -> None:
    admin = shared_service.by("admin")
    answer = admin.ask("POST", f"{ROOT}/targets/import", data=b"address\n" + b"!\n" * 20_000 + b"\n" * 300_000)
    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) == 101
    assert answer.get_json()["errors"][-1]["detail"] == "19900 more rows are not accepted."
    answer = admin.ask("POST", f"{ROOT}/targets/import", data=b"x" * 16_000_001)
    assert answer.status_code == 413
    assert is_problem(answer)


def test_a_history_that_cannot_be_read_is_said_in_a_sentence(service: Service) -> None:
    (service.config.data / "history.sqlite").write_bytes(b"no database" * 1000)
    service.catalog.add_target({"id": "known", "address": "10.0.0.1"}, "test")
    service.follow()
    answer = service.by("viewer").ask("GET", f"{ROOT}/targets/known/history")
    assert answer.status_code == 503
    assert is_problem(answer)
    assert "History cannot be read now" in answer.get_json()["detail"]


def test_an_error_nobody_thought_of_has_a_name_in_the_log_and_no_details_outside(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise RuntimeError("the details of it")

    monkeypatch.setattr(service.catalog, "contents", fail)
    answer = service.by("viewer").ask("GET", f"{ROOT}/targets")
    assert answer.status_code == 500
    assert is_problem(answer)
    assert "the details of it" not in answer.text
    (name,) = re.findall(r"the log has it as error ([0-9a-f]{8})\.$", answer.get_json()["detail"])
    # Where log lines go depends on whether a service has begun in this process.
    logged = "".join(capsys.readouterr()) + caplog.text
    assert f"shown as error {name}" in logged
    assert "the details of it" in logged


# -- paths

CLIMBS: Final = [
    "..",
    "../web.sqlite",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/config.py",
    "..%5c..%5cconfig.py",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "js/../../config.py",
    "js/main.js%00",
    "js/main.js%00.css",
    "%c0%ae%c0%ae/config.py",
    "....//config.py",
    "~root",
    "C:%5cwindows",
]


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_path_leads_out_of_the_folder_of_static_files(shared_service: Service, climb: str) -> None:
    answer = shared_service.by("admin").ask("GET", f"/static/{climb}")
    assert answer.status_code in (308, 404)
    assert b"root:" not in answer.data
    assert b"from __future__" not in answer.data


@pytest.mark.parametrize(
    "path",
    ["targets/{}", "targets/{}/history", "targets/{}/states", "targets/{}/traces", "groups/{}", "sites/{}"],
)
@pytest.mark.parametrize("climb", CLIMBS)
def test_no_variable_of_a_path_names_a_file(shared_service: Service, path: str, climb: str) -> None:
    answer = shared_service.by("admin").ask("GET", f"{ROOT}/{path.format(climb)}")
    assert answer.status_code in (308, 404), answer.text
    assert b"root:" not in answer.data


@pytest.mark.parametrize("name", ["../x", "a/b", "a%0ab", "%00", "%2e%2e", "a%20b"])
def test_what_cannot_be_a_name_changes_nothing_anywhere(shared_service: Service, name: str) -> None:
    admin = shared_service.by("admin")
    for method, path in (("PUT", "sites/{}"), ("DELETE", "targets/{}"), ("DELETE", "users/{}")):
        answer = admin.ask(method, f"{ROOT}/{path.format(name)}", json={"label": "x"} if method == "PUT" else None)
        assert answer.status_code in (308, 404, 405, 422)


# -- where a log-in leads


@pytest.mark.parametrize(
    ("wanted", "landed"),
    [
        ("/incidents", "/incidents"),
        ("/targets/a?range=1d", "/targets/a?range=1d"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        (" //evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
    ],
)
def test_a_log_in_leads_to_a_page_of_ours_only(shared_service: Service, wanted: str, landed: str) -> None:
    if not any(user["name"] == "anna" for user in shared_service.accounts.users()):
        shared_service.add_person("anna", "viewer")
    assert shared_service.anonymous().log_in("anna", PASSWORD, next=wanted).location == landed


def test_the_log_in_form_keeps_only_where_to_go_within_this_site(shared_service: Service) -> None:
    page = shared_service.anonymous().ask("GET", "/login?next=//evil.example")
    assert field(page, "next") == "/"
    page = shared_service.anonymous().ask("GET", "/reports?group=a%26b")
    assert page.location == "/login?next=/reports%3Fgroup%3Da%2526b"


def test_what_somebody_typed_is_shown_as_text(shared_service: Service) -> None:
    hostile = '"><img src=x onerror=alert(1)>{{7*7}}'
    answer = Browser(shared_service, address="10.9.9.9").log_in(hostile, "wrong", next=f"/{hostile}")
    assert answer.status_code == 401
    assert "<img src=x" not in answer.text
    assert "{{7*7}}" in answer.text


def test_proxies_headers_are_not_believed(shared_service: Service) -> None:
    headers = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    browser = Browser(shared_service, address="10.9.9.8")
    answer = browser.ask("GET", "/reports", headers=headers)
    assert answer.location.startswith("/login")
    page = browser.ask("GET", "/login", headers=headers)
    form = {"csrf_token": field(page, "csrf_token"), "username": "proxied", "password": "wrong"}
    browser.ask("POST", "/login", data=form, headers=headers)
    noted = [row["subject"] for row in shared_service.by("admin").get("audit")["audit"] if row["who"] == "proxied"]
    assert noted == ["10.9.9.8"]


def test_the_logo_of_reports_is_served_to_who_is_logged_in(tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    service = Service(tmp_path / "web", {"NOC_REPORT_LOGO": str(logo), "NOC_REPORT_TITLE": "Acme <uptime>"})
    try:
        service.start()
        shown = service.by("viewer").ask("GET", "/report-logo")
        assert (shown.data, shown.mimetype) == (logo.read_bytes(), "image/svg+xml")
        assert service.by("anonymous").ask("GET", "/report-logo").status_code == 401
        assert 'content="Acme &lt;uptime&gt;"' in service.by("viewer").ask("GET", "/reports").text
    finally:
        service.close()
