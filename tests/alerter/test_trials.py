"""Test mails that the web service asks for: each recipient's answer as soon as it is there, and nobody held up."""

from __future__ import annotations

import threading

from noc_alerter.notify.smtp import NotDelivered
from noc_bus.channels import MAIL_TEST_RESULTS, MAIL_TESTS, SERVICES
from noc_bus.messages import MailTest, MailTestResult, ServicePresence
from noc_bus.time import Time
from tests.alerter.conftest import T0, Rig
from tests.parts.waiting import wait_until


def asked(rig: Rig, request: str = "m-1") -> list[MailTestResult]:
    """What has been said of it so far."""
    rig.others.publish(MAIL_TESTS, MailTest(request=request, at=rig.now))
    return said(rig, request)


def said(rig: Rig, request: str = "m-1") -> list[MailTestResult]:
    return [one for one in rig.hub.messages(MAIL_TEST_RESULTS) if one.request == request]


def outcome(tried: MailTestResult) -> dict[str, str | None]:
    return {mail.to: mail.answer or mail.error for mail in tried.mails}


def test_each_recipient_s_answer_is_said_as_soon_as_it_is_there(rig: Rig) -> None:
    slow, go_on = "slow@noc.test", threading.Event()

    def deliver(to: str) -> str:
        if to == slow:
            go_on.wait(30)
        if to == "x@noc.test":
            raise NotDelivered("x@noc.test refused: 550 5.1.1 no such user", can_retry=False)
        return f"250 queued for {to}"

    rig.mail_to, rig.try_one = ("ops@noc.test", "x@noc.test", slow, "ops@noc.test"), deliver
    rig.restart()
    first = asked(rig)[0]
    assert (first.done, list(outcome(first))) == (False, ["ops@noc.test", "x@noc.test", slow])
    quick = {"ops@noc.test": "250 queued for ops@noc.test", "x@noc.test": "x@noc.test refused: 550 5.1.1 no such user"}
    wait_until(lambda: outcome(said(rig)[-1]) == quick | {slow: None}, 10, "the quick answers")
    rig.passes(5)
    assert rig.presence().online, "the alerter goes on meanwhile"
    assert [(one.code, one.done) for one in asked(rig, "m-2")] == [("busy", True)]
    go_on.set()
    wait_until(lambda: said(rig)[-1].done, 10, "the slow answer")
    assert outcome(said(rig)[-1]) == quick | {slow: f"250 queued for {slow}"}
    asked(rig, "m-3")
    wait_until(lambda: said(rig, "m-3")[-1].done, 10, "the next one")


def test_a_fault_of_ours_is_an_answer_too(rig: Rig) -> None:
    def deliver(to: str) -> str:
        raise RuntimeError("broken")

    rig.try_one = deliver
    rig.restart()
    asked(rig)
    wait_until(lambda: said(rig)[-1].done, 10, "an answer")
    assert outcome(said(rig)[-1]) == {"ops@noc.test": "it could not be sent; the alerter's log says why"}


def test_where_no_mail_is_set_up_the_answer_says_what_to_set(rig: Rig) -> None:
    rig.die()
    rig.start(mailing=False)
    (answer,) = asked(rig)
    assert (answer.code, answer.done, answer.mails) == ("no-mail", True, [])
    assert "NOC_SMTP_URL" in (answer.error or "")


def test_a_heartbeat_is_tried_where_no_mail_is_set_up(rig: Rig) -> None:
    rig.die()
    rig.start(mailing=False)
    rig.others.publish(MAIL_TESTS, MailTest(request="m-1", at=rig.now, heartbeat=True))
    wait_until(lambda: said(rig)[-1].done, 10, "an answer")
    assert outcome(said(rig)[-1]) == {"heartbeat": "250 queued for heartbeat"}


def test_of_two_alerters_only_the_one_that_speaks_sends_test_mails(rig: Rig) -> None:
    for second in (1, 2):
        at = Time(rig.now + second)
        other = ServicePresence(service="alerter", online=True, instance="first", since=T0, at=at)
        rig.others.publish(SERVICES, other)
    assert rig.alerter.is_silenced
    assert asked(rig) == []
    rig.passes(60)
    asked(rig, "m-2")
    wait_until(lambda: said(rig, "m-2")[-1].done, 10, "an answer of the one that is left")
