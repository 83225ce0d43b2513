"""The NOC's own troubles, as people are told of them."""

from __future__ import annotations

from typing import Any

import pytest

from noc_alerter.notify.smtp import NotDelivered
from noc_bus.channels import SERVICES
from noc_bus.messages import Contact, Covered, Maintenance, NotificationRoute, ServicePresence, State
from noc_bus.time import Time
from tests.alerter.conftest import OPS, Rig
from tests.alerter.test_settings import put
from tests.alerter.test_webhook import SECRET
from tests.parts.webhook import WebhookSink

ALL = ("north", "south", "west")


def says(rig: Rig, seconds: int, service: str = "recorder", **fields: Any) -> None:
    """A service is there, or says that it is not, for so long."""
    for _ in range(0, seconds, 10):
        one = ServicePresence(
            **{"service": service, "online": True, "since": rig.now, "instance": "x", "at": Time(rig.now), **fields}
        )
        rig.others.publish(SERVICES, one)
        rig.stays(10)


def test_a_service_that_is_away_is_an_incident_and_its_return_ends_it(rig: Rig) -> None:
    says(rig, 20)
    says(rig, 100, online=False)
    assert rig.open == []
    says(rig, 40, online=False)
    (one,) = rig.open
    assert (one.kind, one.code, one.severity) == ("service-away", "away", "major")
    assert rig.told("incident-opened")[-1].text.startswith("the recorder is away: nothing is stored")
    rig.restart()
    says(rig, 20, online=False)
    says(rig, 10)
    assert (rig.words, rig.open) == (["SERVICE AWAY", "RECOVERED"], [])
    assert rig.told("incident-resolved")[-1].incident == one.id


def test_a_service_that_died_without_a_word_is_away_too(rig: Rig) -> None:
    says(rig, 20)
    rig.stays(200)
    assert rig.words == ["SERVICE AWAY"]


@pytest.mark.parametrize(
    ("wrong", "subject"),
    [(["south"], "site south"), ([*ALL], "the clock of this server is 5 min behind those of all 3 sites")],
    ids=["of one site", "of the middle, which all sites contradict"],
)
def test_a_wrong_clock_is_an_incident_about_whose_it_is(rig: Rig, wrong: list[str], subject: str) -> None:
    rig.ahead_ms = dict.fromkeys(wrong, 300_000)
    rig.stays(200)
    (one,) = rig.open
    assert (one.kind, one.code) == ("clock-wrong", "clock-wrong")
    assert f"[CLOCK WRONG] {subject}" in rig.subjects[0]
    rig.ahead_ms = {}
    rig.stays(90)
    assert (rig.words, rig.open) == (["CLOCK WRONG", "RECOVERED"], [])


@pytest.mark.thorough
def test_what_expires_is_mailed_thirty_days_ahead_seven_and_one_and_its_end_once(rig: Rig) -> None:
    for stage in ("expires-in-30-days", "expires-in-7-days", "expires-in-1-day"):
        rig.web_says = {"trouble": f"the certificate for sites {stage}", "code": stage}
        rig.stays(300)
        (one,) = rig.open
        assert (one.kind, one.code) == ("expiring", stage)
    rig.web_says = {}
    rig.stays(20)
    assert rig.words == ["EXPIRES", "EXPIRES", "EXPIRES", "RECOVERED"]
    assert [one.severity for one in rig.ended] == ["minor", "minor", "major"]


@pytest.mark.thorough
def test_mails_that_nobody_takes_are_told_by_webhook_and_shown(rig: Rig) -> None:
    with WebhookSink() as sink:
        desk = Contact(id="desk", name="Service desk", webhook_url=sink.url, webhook_secret=SECRET)
        put(rig, contacts=[desk], routes=[NotificationRoute(id="r", name="R", contacts=["desk", OPS])])
        rig.server_trouble = NotDelivered("no greeting", can_retry=True, is_for_all=True)
        rig.sees(State.DOWN, *ALL)
        rig.stays(580)
        assert [one.kind for one in rig.open] == ["target-down"]
        rig.stays(60)
        (one,) = [found for found in rig.open if found.kind == "notices-refused"]
        assert (one.code, one.cause) == ("mail-refused", "1 mail not taken: no greeting")
        assert [mail.to for mail in rig.asks(one.id).mails] == ["webhook:desk"]
        rig.server_trouble = None
        rig.stays(900)
        assert [found.kind for found in rig.open] == ["target-down"]
        assert [mail.about for mail in rig.asks(one.id).mails] == ["opened", "resolved"]
        assert rig.words == ["DOWN"], "by mail nobody is told that mails were not taken"


@pytest.mark.thorough
def test_a_mail_that_waits_for_the_end_of_a_window_is_refused_by_nobody(rig: Rig) -> None:
    """The mail server came back in the window, and takes it after that."""
    rig.server_trouble = NotDelivered("no greeting", can_retry=True, is_for_all=True)
    rig.sees(State.DOWN, *ALL)
    rig.stays(60)
    router = Covered(kind="target", name="router")
    rig.maintenance(
        Maintenance(
            id="works", title="Works", covers=[router], starts_at=rig.now, ends_at=Time(rig.now + 3_600_000), at=rig.now
        )
    )
    rig.stays(20)
    rig.server_trouble = None
    rig.stays(900)
    assert ([one.kind for one in rig.open], rig.mails) == (["target-down"], [])


@pytest.mark.thorough
def test_a_webhook_that_nobody_answers_is_told_by_mail(rig: Rig) -> None:
    with WebhookSink() as sink:
        sink.mode = "fail"
        desk = Contact(id="desk", name="Service desk", webhook_url=sink.url, webhook_secret=SECRET)
        put(rig, contacts=[desk], routes=[NotificationRoute(id="r", name="R", contacts=["desk", OPS])])
        rig.sees(State.DOWN, *ALL)
        rig.stays(640)
        assert rig.words == ["DOWN", "NOT TAKEN"]


def test_where_mails_are_the_only_way_the_incident_says_that_nobody_was_told(rig: Rig) -> None:
    rig.server_trouble = NotDelivered("no greeting", can_retry=True, is_for_all=True)
    rig.sees(State.DOWN, *ALL)
    rig.stays(640)
    (one,) = [found for found in rig.open if found.kind == "notices-refused"]
    assert "nobody is told of it by another way than the one that is not taken" in [
        line.text for line in rig.asks(one.id).timeline
    ]
