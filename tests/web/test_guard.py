"""Who may do what: every route and page against a table; one that is not in it fails the run."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from noc_web.api import ROUTES
from noc_web.api.route import ROOT, Route
from tests.parts.figures import Figures
from tests.web.conftest import Service

EVERYBODY: Final = ("anonymous", "viewer", "operator", "token", "admin")
VIEWER, OPERATOR, ADMIN = EVERYBODY[1:], EVERYBODY[2:], EVERYBODY[4:]
"""The token of these tests has the role of an operator."""

MAY: Final = {
    "GET /status": VIEWER,
    "POST /targets/import": OPERATOR,
    "GET /targets/export": VIEWER,
    "GET /targets": VIEWER,
    "POST /targets": OPERATOR,
    "GET /targets/{target}": VIEWER,
    "PUT /targets/{target}": OPERATOR,
    "PATCH /targets/{target}": OPERATOR,
    "DELETE /targets/{target}": OPERATOR,
    "GET /targets/{target}/history": VIEWER,
    "GET /targets/{target}/states": VIEWER,
    "GET /history/days": VIEWER,
    "GET /history/top": VIEWER,
    "GET /history/groups": VIEWER,
    "GET /history/usual": VIEWER,
    "GET /history/room": VIEWER,
    "POST /targets/{target}/check": OPERATOR,
    "POST /targets/{target}/trace": OPERATOR,
    "GET /targets/{target}/traces": VIEWER,
    "GET /targets/{target}/routes": VIEWER,
    "GET /targets/{target}/suggested-parents": VIEWER,
    "GET /groups": VIEWER,
    "PUT /groups": OPERATOR,
    "DELETE /groups": OPERATOR,
    "GET /groups/{path}": VIEWER,
    "PUT /groups/{path}": OPERATOR,
    "DELETE /groups/{path}": OPERATOR,
    "GET /sites": VIEWER,
    "POST /sites": OPERATOR,
    "GET /sites/{site}": VIEWER,
    "PUT /sites/{site}": OPERATOR,
    "DELETE /sites/{site}": OPERATOR,
    "POST /sites/{site}/ping": OPERATOR,
    "POST /sites/{site}/trace": OPERATOR,
    "GET /site-keys": OPERATOR,
    "POST /site-keys/{site}": ADMIN,
    "PUT /site-keys/{site}": ADMIN,
    "PATCH /site-keys/{site}": ADMIN,
    "GET /incidents": VIEWER,
    "GET /incidents/{incident}": VIEWER,
    "GET /incidents/{incident}/members": VIEWER,
    "GET /incidents/{incident}/paths": VIEWER,
    "POST /incidents/{incident}/acknowledge": OPERATOR,
    "DELETE /incidents/{incident}/acknowledge": OPERATOR,
    "POST /incidents/{incident}/comments": OPERATOR,
    "PUT /incidents/{incident}/post-mortem": OPERATOR,
    "GET /maintenances": VIEWER,
    "POST /maintenances": OPERATOR,
    "GET /maintenances/windows": VIEWER,
    "GET /maintenances/{maintenance}": VIEWER,
    "PUT /maintenances/{maintenance}": OPERATOR,
    "POST /maintenances/{maintenance}/end": OPERATOR,
    "DELETE /maintenances/{maintenance}": OPERATOR,
    "GET /reports/uptime": VIEWER,
    "GET /reports/outages": VIEWER,
    "POST /rehearsals/targets/{target}": OPERATOR,
    "POST /rehearsals/groups": OPERATOR,
    "POST /rehearsals/groups/{path}": OPERATOR,
    "POST /rehearsals/notification-routes/{route}": ADMIN,
    "POST /rehearsals/contacts/{contact}": ADMIN,
    "GET /rehearsals/{rehearsal}": OPERATOR,
    "GET /contacts": VIEWER,
    "PUT /contacts/{contact}": ADMIN,
    "DELETE /contacts/{contact}": ADMIN,
    "GET /notification-routes": VIEWER,
    "PUT /notification-routes/{route}": ADMIN,
    "DELETE /notification-routes/{route}": ADMIN,
    "GET /notifications/heartbeat": ADMIN,
    "PUT /notifications/heartbeat": ADMIN,
    "GET /notifications/means": VIEWER,
    "GET /notifications/who": VIEWER,
    "GET /notifications/sent": VIEWER,
    "GET /report-mails": VIEWER,
    "PUT /report-mails/{report}": OPERATOR,
    "DELETE /report-mails/{report}": OPERATOR,
    "POST /report-mails/{report}/send": OPERATOR,
    "GET /calendars": VIEWER,
    "PUT /calendars/{calendar}": OPERATOR,
    "DELETE /calendars/{calendar}": OPERATOR,
    "GET /mail": ADMIN,
    "PATCH /mail": ADMIN,
    "POST /mail/tests": ADMIN,
    "GET /mail/tests/{request}": ADMIN,
    "GET /me": VIEWER,
    "PUT /me": VIEWER,
    "POST /me/password": VIEWER,
    "GET /users": ADMIN,
    "POST /users": ADMIN,
    "PUT /users/{name}": ADMIN,
    "DELETE /users/{name}": ADMIN,
    "GET /tokens": ADMIN,
    "POST /tokens": ADMIN,
    "DELETE /tokens/{name}": ADMIN,
    "GET /audit": ADMIN,
    "GET /openapi.json": VIEWER,
}

PAGES: Final[dict[str, tuple[int, int]]] = {
    # What is answered to nobody, and to anybody who is logged in.
    "GET /": (302, 200),
    "GET /targets/<id>": (302, 200),
    "GET /incidents": (302, 200),
    "GET /incidents/<id>": (302, 200),
    "GET /history": (302, 200),
    "GET /maintenance": (302, 200),
    "GET /reports": (302, 200),
    "GET /groups": (302, 200),
    "GET /notifications": (302, 200),
    "GET /settings": (302, 200),
    "GET /login": (200, 302),
    "POST /login": (400, 400),
    "POST /logout": (400, 302),
    "GET /password": (302, 200),
    "POST /password": (401, 403),
    "GET /healthz": (200, 200),
    "GET /readyz": (200, 200),
    "GET /metrics": (401, 200),
    # None is set.
    "GET /report-logo": (401, 404),
}
# Not tried with a token, which has no session to end.
FOR_PEOPLE: Final = ("POST /login", "POST /logout", "POST /password")


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


def concrete(path: str) -> str:
    """With something nobody has in place of each variable: what is allowed is then 404, and changes nothing."""
    return re.sub(r"\{\w+\}|<[\w:]+>", "nothing-of-that-name", path)


@pytest.mark.parametrize("route", ROUTES, ids=label)
@pytest.mark.parametrize("who", EVERYBODY)
def test_a_route_is_open_to_exactly_those_in_the_table(shared_service: Service, route: Route, who: str) -> None:
    allowed = who in MAY[label(route)]
    body = "not JSON" if route.method in ("POST", "PUT", "PATCH") else None
    path = f"{ROOT}{concrete(route.path)}"
    answer = shared_service.by(who).ask(route.method, path, data=body)
    if allowed:
        # No alerter is there to send mails.
        assert answer.status_code in (200, 404, 409, 422), answer.text
    else:
        assert answer.status_code == (401 if who == "anonymous" else 403), answer.text
        assert answer.content_type == "application/problem+json"
        assert answer.get_json()["status"] == answer.status_code


def test_the_table_has_every_route_and_no_other(figure: Figures) -> None:
    assert sorted(MAY) == sorted(map(label, ROUTES))
    figure.at_least("route_role_pairs", (len(MAY) + len(PAGES)) * len(EVERYBODY), len(ROUTES))


@pytest.mark.parametrize(
    ("page", "who"), [(page, who) for page in PAGES for who in EVERYBODY if who != "token" or page not in FOR_PEOPLE]
)
def test_a_page_is_open_to_exactly_those_in_the_table(shared_service: Service, page: str, who: str) -> None:
    method, path = page.split()
    browser = shared_service.by(who)
    if page == "POST /logout" and who != "anonymous":
        browser = shared_service.person(f"some-{who}")
    anonymous, known = PAGES[page]
    headers = {"X-CSRFToken": None} if page == "POST /login" else {}
    answer = browser.ask(method, concrete(path), headers=headers)
    assert answer.status_code == (anonymous if who == "anonymous" else known), answer.text
    if answer.status_code == 302 and who == "anonymous":
        assert answer.location.startswith("/login?next=/")


def test_the_tables_have_everything_the_application_serves(shared_service: Service) -> None:
    served = {
        f"{method} {rule.rule}"
        for rule in shared_service.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    rules = {f"{route.method} {ROOT}{route.path}".replace("{path}", "<path:path>") for route in ROUTES}
    api = {rule.replace("{target}", "<target:target>") for rule in rules}
    assert served == {*PAGES} | {one.replace("{", "<").replace("}", ">") for one in api}


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_the_page_says_who_is_logged_in_so_that_it_shows_only_what_they_may(shared_service: Service, role: str) -> None:
    page = shared_service.by(role).ask("GET", "/").text
    assert f'<meta name="user" content="some-{role}">' in page
    assert f'<meta name="role" content="{role}">' in page


# -- forged requests

CHANGING: Final = [route for route in ROUTES if route.method != "GET"]


@pytest.mark.parametrize("route", CHANGING, ids=label)
@pytest.mark.parametrize("sent", [None, "", "wrong"], ids=["none", "empty", "wrong"])
def test_a_change_without_the_page_s_own_token_is_refused(
    shared_service: Service, route: Route, sent: str | None
) -> None:
    path = f"{ROOT}{concrete(route.path)}"
    answer = shared_service.by("admin").ask(route.method, path, json={}, headers={"X-CSRFToken": sent})
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def test_the_token_of_one_person_s_page_is_not_another_s(shared_service: Service) -> None:
    theirs = shared_service.by("viewer")._headers["X-CSRFToken"]
    answer = shared_service.by("admin").ask(
        "POST", f"{ROOT}/targets", json={"address": "10.0.0.1"}, headers={"X-CSRFToken": theirs}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("page", ["/login", "/logout", "/password"])
def test_a_form_without_the_page_s_own_token_is_refused(shared_service: Service, page: str) -> None:
    answer = shared_service.by("admin").ask("POST", page, data={"username": "a"}, headers={"X-CSRFToken": None})
    assert answer.status_code == 400


def test_a_form_of_another_site_cannot_pass_for_json(shared_service: Service) -> None:
    body = '{"address": "10.0.0.1", "note": "="}'
    answer = shared_service.by("operator").ask(
        "POST", f"{ROOT}/targets", data=body, content_type="text/plain", headers={"X-CSRFToken": None}
    )
    assert answer.status_code == 400
    assert shared_service.by("viewer").get("targets")["targets"] == []


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=label)
def test_reading_never_changes_anything(shared_service: Service, route: Route) -> None:
    # Logging in is noted; here it is done.
    admin = shared_service.by("admin")
    before = stored(shared_service)
    admin.ask("GET", f"{ROOT}{concrete(route.path)}")
    assert stored(shared_service) == before


def stored(service: Service) -> Any:
    contents = service.catalog.contents()
    return contents, service.accounts.users(), service.catalog.audit(), len(service.hub.sent)
