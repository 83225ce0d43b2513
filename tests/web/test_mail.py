"""The mail server in Settings, and test mails: what the alerter says of them, and what is said where it says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from noc_bus.channels import MAIL_TEST_RESULTS, MAIL_TESTS, SEALED, SERVICES
from noc_bus.codec import decode
from noc_bus.messages import MailTest, MailTestAnswer, MailTestResult, NotificationSettings, ServicePresence
from noc_bus.sealed import SealingKey
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
        self.heartbeats: list[str] = []
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
        self.heartbeats += [asked.request] if asked.heartbeat else []
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


def test_the_heartbeat_is_tried_alike_and_is_no_mail_to_anybody(service: Service, alerter: Alerter) -> None:
    alerter.says = [{"mails": ({"to": "heartbeat", "answer": "200 OK thank you"},), "done": True}]
    admin = service.by("admin")
    found = admin.api("POST", "mail/tests", {"heartbeat": True, "contact": "nobody"}, status=200)
    assert [one["answer"] for one in found["mails"]] == ["200 OK thank you"]
    assert alerter.heartbeats == [found["request"]]
    assert admin.get("audit")["audit"][0]["act"] == "test heartbeat"
    admin.api("POST", "mail/tests", status=200)
    assert len(alerter.heartbeats) == 1
    alerter.says = [{"done": True, "error": "the earlier test is not over", "code": "busy"}]
    refused = admin.api("POST", "mail/tests", {"heartbeat": True}, status=409)
    assert (refused["code"], refused["detail"]) == ("busy", "No heartbeat was sent: the earlier test is not over.")


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


# -- the mail server in Settings


@pytest.fixture
def key(service: Service, tmp_path: Path) -> SealingKey:
    """Of an alerter that is there."""
    key = SealingKey(tmp_path / "alerter.key")
    presence = ServicePresence(
        service="alerter", online=True, sealing_key=key.public, environment={"NOC_MAIL_FROM": "noc@noc.test"}
    )
    service.others.publish(SERVICES, presence)
    service.let_pass(1)
    return key


def taken(service: Service, key: SealingKey) -> NotificationSettings:
    (sealed,) = service.hub.now(SEALED)
    return decode(key.opened(sealed.content), NotificationSettings)


def test_what_is_saved_is_sealed_for_the_alerter_and_shown_to_nobody(service: Service, key: SealingKey) -> None:
    admin = service.by("admin")
    body = {"mail_server": "smtp://ada:s3cret@mail.test:25", "mail_to": ["ops@noc.test", "ops@noc.test"]}
    shown = admin.api("PATCH", "mail", body)
    assert shown == {
        "mail_server": "smtp://mail.test:25",
        "mail_user": "ada",
        "has_password": True,
        "mail_from": "",
        "mail_to": ["ops@noc.test"],
        "environment": {"NOC_MAIL_FROM": "noc@noc.test"},
        "is_alerter_running": True,
    }
    assert admin.get("mail") == shown
    found = taken(service, key)
    assert (found.mail_user, found.mail_password, found.mail_to) == ("ada", "s3cret", ["ops@noc.test"])
    newest = admin.get("audit")["audit"][0]
    assert (newest["act"], newest["detail"]["mail_password"]) == ("change mail server", "changed")
    assert not any(b"s3cret" in payload for _, payload in service.hub.sent)
    assert "s3cret" not in str(admin.get("audit"))


def test_what_is_left_out_stays_but_no_password_goes_to_another_server(service: Service, key: SealingKey) -> None:
    admin = service.by("admin")
    admin.api("PATCH", "mail", {"mail_server": "smtp://ada:s3cret@mail.test", "mail_from": "noc@noc.test"})
    admin.api("PATCH", "mail", {"mail_server": "smtp://mail.test?starttls=0"})
    assert taken(service, key).mail_password == "s3cret"
    refused = admin.api("PATCH", "mail", {"mail_server": "smtp://evil.test"}, status=422)
    assert [one["field"] for one in refused["errors"]] == ["mail_password"]
    admin.api("PATCH", "mail", {"mail_server": "smtp://evil.test", "mail_password": "new"})
    admin.api("PATCH", "mail", {"mail_user": "", "mail_password": ""})
    found = taken(service, key)
    assert (found.mail_server, found.mail_user, found.mail_password) == ("smtp://evil.test", "", "")


def test_an_alerter_with_another_key_gets_it_anew_and_nothing_is_sealed_twice(
    service: Service, key: SealingKey, tmp_path: Path
) -> None:
    service.by("admin").api("PATCH", "mail", {"mail_from": "noc@noc.test"})
    before = len(service.hub.messages(SEALED))
    service.let_pass(3)
    assert len(service.hub.messages(SEALED)) == before
    other = SealingKey(tmp_path / "other.key")
    service.others.publish(SERVICES, ServicePresence(service="alerter", online=True, sealing_key=other.public))
    service.let_pass(1)
    assert taken(service, other).mail_from == "noc@noc.test"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"mail_server": "http://mail.test"}, "mail_server", "not smtp or smtps"),
        ({"mail_server": "smtp://mail.test:99999"}, "mail_server", "Port out of range"),
        ({"mail_server": "smtp://mail.test?x=1"}, "mail_server", "unknown option"),
        ({"mail_server": "smtp://[mail.test"}, "mail_server", "not accepted"),
        ({"mail_user": "grün"}, "mail_user", "use ASCII"),
        ({"mail_from": "me"}, "mail_from", "'me' is not accepted; use one mail address"),
        ({"mail_to": ["a@b.test", "bob"]}, "mail_to", "'bob' is not accepted"),
        ({"mail_to": [f"a{number}@b.test" for number in range(101)]}, "mail_to", "length <= 100"),
    ],
)
def test_what_is_not_accepted_is_one_sentence_and_changes_nothing(
    service: Service, body: dict[str, Any], field: str, words: str
) -> None:
    admin = service.by("admin")
    before = admin.get("mail")
    (error,) = admin.api("PATCH", "mail", body, status=422)["errors"]
    assert error["field"] == field
    assert words in error["detail"]
    assert admin.get("mail") == before
