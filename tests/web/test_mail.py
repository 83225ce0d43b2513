"""Test mails from Settings: what the alerter says of them, and what an administrator is told where it says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from noc_bus.channels import MAIL_TEST_RESULTS, MAIL_TESTS, SERVICES
from noc_bus.messages import MailTest, MailTestAnswer, MailTestResult, ServicePresence
from noc_bus.time import Time
from noc_web.live.mailtests import MOST, WINDOW_S
from tests.web.conftest import Service

TAKEN = {"to": "ops@noc.test", "answer": "250 2.0.0 Ok: queued as 4F1C2", "error": None}
REFUSED = {"to": "x@noc.test", "answer": None, "error": "x@noc.test refused: 550 5.1.1 no such user"}
UNDER_WAY = {"to": "slow@noc.test", "answer": None, "error": None}


class Alerter:
    """Says of test mails what the test has it say."""

    def __init__(self, service: Service) -> None:
        self._bus = service.others
        self.asked: list[str] = []
        self.says: list[dict[str, Any]] = []
        self._bus.subscribe(MAIL_TESTS, self._on_request)
        self.is_online(True)

    def is_online(self, online: bool) -> None:
        self._bus.publish(SERVICES, ServicePresence(service="alerter", online=online, at=Time.now()))

    def tell(self, request: str, *, mails: tuple[dict[str, Any], ...] = (), **more: Any) -> None:
        tried = [MailTestAnswer(**mail) for mail in mails]
        self._bus.publish(MAIL_TEST_RESULTS, MailTestResult(request=request, at=Time.now(), mails=tried, **more))

    def _on_request(self, asked: MailTest | None, variables: dict[str, str]) -> None:
        assert asked
        self.asked.append(asked.request)
        for said in self.says:
            self.tell(asked.request, **said)


@pytest.fixture
def alerter(service: Service) -> Alerter:
    return Alerter(service)


def test_test_mails_are_answered_with_the_mail_server_s_own_words_and_stand_in_the_audit(
    service: Service, alerter: Alerter
) -> None:
    alerter.says = [{"mails": (UNDER_WAY,)}, {"mails": (TAKEN, REFUSED), "done": True}]
    admin = service.by("admin")
    found = admin.api("POST", "mail/tests", status=200)
    assert (found["request"], found["done"], found["mails"]) == (alerter.asked[0], True, [TAKEN, REFUSED])
    newest = admin.get("audit")["audit"][0]
    assert (newest["who"], newest["act"]) == ("some-admin", "send test mails")


def test_what_a_slow_mail_server_says_later_is_told_to_whoever_asks_again(service: Service, alerter: Alerter) -> None:
    alerter.says = [{"mails": (TAKEN, UNDER_WAY)}]
    admin = service.by("admin")
    found = admin.api("POST", "mail/tests", status=200)
    assert (found["done"], found["mails"]) == (False, [TAKEN, UNDER_WAY])
    later = f"mail/tests/{found['request']}"
    assert admin.get(later) == found
    alerter.tell(found["request"], mails=(TAKEN, UNDER_WAY | {"answer": "250 at last"}), done=True)
    assert admin.get(later)["mails"][1]["answer"] == "250 at last"
    assert admin.get("mail/tests/m-unknown", status=404)["code"] == "not-found"


def test_an_alerter_that_ends_meanwhile_is_named(service: Service, alerter: Alerter) -> None:
    alerter.says = [{"mails": (UNDER_WAY,)}]
    admin = service.by("admin")
    found = admin.api("POST", "mail/tests", status=200)
    alerter.is_online(False)
    assert "not running" in admin.get(f"mail/tests/{found['request']}", status=409)["detail"]


def test_where_no_mail_is_set_up_the_sentence_says_how_to(service: Service, alerter: Alerter) -> None:
    alerter.says = [{"done": True, "error": "no mail is set up: set NOC_SMTP_URL", "code": "no-mail"}]
    refused = service.by("admin").api("POST", "mail/tests", status=409)
    assert (refused["code"], refused["detail"]) == (
        "no-mail",
        "No test mail was sent: no mail is set up: set NOC_SMTP_URL.",
    )


def test_an_alerter_that_is_not_there_does_not_answer_or_cannot_be_reached_is_told_in_a_sentence(
    service: Service,
) -> None:
    admin = service.by("admin")
    refused = admin.api("POST", "mail/tests", status=409)
    assert (refused["code"], "not running" in refused["detail"]) == ("offline", True)
    Alerter(service)
    assert "has not answered" in admin.api("POST", "mail/tests", status=503)["detail"]
    service.bus.stop()
    assert admin.api("POST", "mail/tests", status=503)["code"] == "broker-unreachable"


def test_test_mails_are_so_many_in_ten_minutes(service: Service, alerter: Alerter) -> None:
    alerter.says = [{"mails": (TAKEN,), "done": True}]
    admin = service.by("admin")
    for _ in range(MOST):
        admin.api("POST", "mail/tests", status=200)
    refused = admin.api("POST", "mail/tests", status=429)
    assert (refused["code"], "try again in 10 minutes" in refused["detail"]) == ("too-many", True)
    assert len(alerter.asked) == MOST
    service.passed_s += WINDOW_S
    admin.api("POST", "mail/tests", status=200)
