"""What Settings has of mail server, contacts and routes, as the alerter takes it: sealed, at once, kept, below the environment."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from noc_alerter.notify.smtp import NotDelivered
from noc_bus.channels import ACKNOWLEDGEMENTS, SEALED, SENT_ANSWERS, SENT_QUERIES, SERVICES
from noc_bus.codec import encode
from noc_bus.messages import (
    Acknowledgement,
    Contact,
    Covered,
    Maintenance,
    NotificationRoute,
    NotificationSettings,
    SealedSettings,
    SentQuery,
    ServicePresence,
    State,
)
from noc_bus.sealed import seal
from noc_bus.time import Time
from tests.alerter.conftest import FROM, OPS, Rig

ALL = ("north", "south", "west")
MAIL: dict[str, Any] = {"mail_server": "smtp://mail.test", "mail_from": FROM, "mail_to": [OPS]}


@pytest.fixture
def bare(rig: Rig) -> Rig:
    """Its environment says nothing of mails."""
    rig.die()
    rig.start(mailing=False)
    return rig


def put(rig: Rig, key: str = "", **settings: Any) -> None:
    """The web service retains these."""
    content = seal(encode(NotificationSettings(**settings)), key or str(rig.presence().sealing_key))
    rig.others.publish(SEALED, SealedSettings(reader="alerter", content=content))
    rig.passes(1)


def test_what_is_set_is_in_force_at_once_and_over_a_restart_without_a_broker(bare: Rig) -> None:
    assert (bare.presence().code, bare.presence().trouble) == ("no-mail", None)
    put(bare, **MAIL, mail_user="ada", mail_password="s3cret")
    assert bare.presence().code is None
    bare.sees(State.DOWN, *ALL)
    bare.passes(3)
    assert bare.words == ["DOWN"]
    bare.die()
    bare.hub.retained.clear()
    bare.start(mailing=False)
    smtp = bare.settings.means.smtp
    assert smtp is not None
    assert (smtp.user, smtp.password, bare.settings.means.mail_to) == ("ada", "s3cret", (OPS,))


def test_no_file_of_it_has_a_secret_in_the_clear_or_is_for_others_to_read(bare: Rig) -> None:
    put(bare, **MAIL, mail_user="ada", mail_password="s3cret")
    for file in bare.folder.glob("alerter*[dy]"):
        assert b"s3cret" not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(b"s3cret" in payload for _, payload in bare.hub.sent)


def test_the_environment_wins_where_it_is_set_and_says_so(rig: Rig) -> None:
    put(rig, mail_server="smtps://elsewhere.test", mail_from="else@noc.test", mail_to=["else@noc.test"])
    means = rig.settings.means
    assert means.smtp is not None
    assert (means.smtp.host, means.sender, means.mail_to) == ("mail.test", FROM, (OPS,))
    assert rig.presence().environment == {
        "NOC_SMTP_URL": "mail.test:587",
        "NOC_MAIL_FROM": FROM,
        "NOC_MAIL_TO": OPS,
    }


@pytest.mark.parametrize(
    ("settings", "code", "sentence"),
    [
        ({"mail_server": "smtp://mail.test"}, "no-mail", "the mails have no sender: enter one in Settings"),
        ({"mail_from": FROM, "mail_to": [OPS]}, "no-mail", "no mail server is set: enter one in Settings"),
        ({"mail_server": "smtp://mail.test", "mail_from": FROM}, "no-recipients", "enter recipients in Settings"),
    ],
)
def test_what_is_set_by_halves_is_said(bare: Rig, settings: dict[str, Any], code: str, sentence: str) -> None:
    put(bare, **settings)
    assert bare.presence().code == code
    assert sentence in (bare.presence().trouble or "")


def test_what_was_sealed_for_another_key_changes_nothing(bare: Rig, tmp_path: Path) -> None:
    from noc_bus.sealed import SealingKey

    put(bare, **MAIL)
    put(bare, SealingKey(tmp_path / "other.key").public, **{**MAIL, "mail_to": ["eve@noc.test"]})
    bare.others.publish(SEALED, SealedSettings(reader="alerter", content="rubbish"))
    bare.passes(1)
    assert bare.settings.means.mail_to == (OPS,)


def test_another_sender_breaks_no_thread(bare: Rig) -> None:
    """What names a mail stays as it was with the first sender, over a restart too."""
    put(bare, **MAIL)
    bare.sees(State.DOWN, *ALL)
    bare.passes(3)
    put(bare, **{**MAIL, "mail_from": "noc@another.test"})
    bare.die()
    bare.start(mailing=False)
    bare.sees(State.UP, *ALL)
    bare.passes(3)
    opened, resolved = bare.mails
    assert (opened["From"], resolved["From"]) == (FROM, "noc@another.test")
    assert resolved["References"] == opened["Message-ID"]
    assert str(resolved["Message-ID"]).endswith("@noc.test>")


def test_what_was_refused_is_tried_at_once_when_the_settings_are_mended(bare: Rig) -> None:
    put(bare, **MAIL)
    bare.server_trouble = NotDelivered("user name or password refused", can_retry=True, is_for_all=True)
    bare.sees(State.DOWN, *ALL)
    bare.stays(600)
    assert bare.mails == []
    bare.server_trouble = None
    put(bare, **MAIL, mail_user="ada", mail_password="right")
    assert bare.words == ["DOWN"]


# -- contacts and routes

NIGHTS = Contact(id="nights", name="Night shift", mails=["nights@noc.test"])
TO_NIGHTS = NotificationRoute(id="r", name="R", contacts=["nights"])


def recipients(rig: Rig) -> list[tuple[str, str]]:
    """To whom each mail went, and the state that its subject tells."""
    return [(str(mail["To"]), word) for mail, word in zip(rig.mails, rig.words, strict=True)]


def test_a_route_tells_its_contacts_and_the_incident_says_why(rig: Rig) -> None:
    put(rig, contacts=[NIGHTS], routes=[TO_NIGHTS])
    rig.sees(State.DOWN, *ALL)
    rig.passes(3)
    rig.sees(State.UP, *ALL)
    rig.passes(3)
    assert recipients(rig) == [("nights@noc.test", "DOWN"), ("nights@noc.test", "UP")]
    kept = rig.asks(rig.ended[0].id)
    assert [(one.to, one.because, one.incident) for one in kept.mails] == [
        ("nights@noc.test", "route r", rig.ended[0].id)
    ] * 2


def test_a_contact_of_the_target_is_told_by_its_id_and_an_unknown_one_keeps_nobody_from_being_told(rig: Rig) -> None:
    put(rig, contacts=[NIGHTS])
    rig.target(contacts=["nights"])
    rig.target("switch", contacts=["gone"])
    rig.sees(State.UP, *ALL, target="switch")
    rig.passes(3)
    rig.sees(State.DOWN, *ALL)
    rig.passes(3)
    rig.sees(State.DOWN, *ALL, target="switch")
    rig.passes(3)
    assert [to for to, _ in recipients(rig)] == ["nights@noc.test", OPS]


def test_who_was_added_meanwhile_is_told_of_what_is_open_once_and_of_its_end(rig: Rig) -> None:
    rig.sees(State.DOWN, *ALL)
    rig.passes(3)
    put(rig, contacts=[NIGHTS], routes=[TO_NIGHTS])
    rig.target(note="touched")
    rig.passes(3)
    rig.target(contacts=["bob@noc.test"])
    rig.passes(3)
    rig.restart()
    rig.passes(3)
    down = [(OPS, "DOWN"), ("nights@noc.test", "DOWN"), ("bob@noc.test", "DOWN")]
    assert recipients(rig) == down
    put(rig, contacts=[], routes=[])
    rig.prober(*ALL)
    rig.sees(State.UP, *ALL)
    rig.passes(3)
    told = [(to, "UP") for to, _ in down]
    assert recipients(rig)[3:] == told, "whoever was told of the start is told of the end"


def test_what_happened_is_on_the_timeline_once_whoever_is_told_later(rig: Rig) -> None:
    rig.sees(State.DOWN, *ALL)
    rig.passes(3)
    before = [entry.code for entry in rig.asks(rig.open[0].id).timeline]
    rig.target(contacts=["bob@noc.test"])
    rig.passes(3)
    assert recipients(rig)[1:] == [("bob@noc.test", "DOWN")]
    assert [entry.code for entry in rig.asks(rig.open[0].id).timeline] == [*before, "told-added"]


def test_an_incident_says_when_nobody_was_told_and_they_are_once_somebody_is_named(bare: Rig) -> None:
    bare.sees(State.DOWN, *ALL)
    bare.passes(3)
    (one,) = bare.open
    (entry,) = [entry for entry in bare.asks(one.id).timeline if entry.code == "nobody-told"]
    assert entry.text.startswith("no mail server is set")
    assert bare.asks(one.id).mails == []
    put(bare, **MAIL)
    assert recipients(bare) == [(OPS, "DOWN")]


def test_with_a_server_and_nobody_to_tell_the_incident_says_that(bare: Rig) -> None:
    put(bare, mail_server="smtp://mail.test", mail_from=FROM)
    bare.sees(State.DOWN, *ALL)
    bare.passes(3)
    (entry,) = [entry for entry in bare.asks(bare.open[0].id).timeline if entry.code == "nobody-told"]
    assert "no route matches" in entry.text


def test_what_was_sent_to_whom_is_told_in_pages_the_latest_first(rig: Rig) -> None:
    put(rig, contacts=[NIGHTS], routes=[TO_NIGHTS])
    rig.sees(State.DOWN, *ALL)
    rig.passes(3)
    rig.sees(State.UP, *ALL)
    rig.passes(3)
    for offset, about in ((0, "resolved"), (1, "opened")):
        rig.others.publish(SENT_QUERIES, SentQuery(request="q", at=rig.now, offset=offset, limit=1))
        rig.queries.tick()
        answer = rig.hub.messages(SENT_ANSWERS)[-1]
        assert [(one.about, one.to, one.state) for one in answer.mails] == [(about, "nights@noc.test", "sent")]
        assert answer.total == 2


# -- escalation, reminders, quiet hours

BOSS = Contact(id="boss", name="Boss", mails=["boss@noc.test"])


@pytest.mark.thorough
def test_who_is_told_only_later_is_told_when_nobody_acknowledged_and_reminded_until_somebody_does(rig: Rig) -> None:
    steps = [TO_NIGHTS, NotificationRoute(id="up", name="Up", contacts=["boss"], after_min=10, remind_min=5)]
    put(rig, contacts=[NIGHTS, BOSS], routes=steps)
    rig.sees(State.DOWN, *ALL)
    rig.stays(580)
    assert recipients(rig) == [("nights@noc.test", "DOWN")]
    rig.stays(30)
    assert recipients(rig)[1:] == [("boss@noc.test", "DOWN")]
    rig.restart()
    rig.stays(300)
    reminders = [one for one in rig.asks(rig.open[0].id).mails if one.about == "reminded"]
    assert [(one.to, one.state) for one in reminders] == [("boss@noc.test", "sent")]
    codes = [entry.code for entry in rig.asks(rig.open[0].id).timeline]
    assert (codes.count("escalated"), codes.count("reminded")) == (1, 1)
    taken = Acknowledgement(incident=rig.open[0].id, by="ada", at=rig.now)
    rig.others.publish(ACKNOWLEDGEMENTS, taken)
    before = len(rig.mails)
    rig.stays(900)
    assert len(rig.mails) == before
    rig.sees(State.UP, *ALL)
    rig.passes(3)
    assert [to for to, word in recipients(rig) if word == "UP"] == ["nights@noc.test", "boss@noc.test"]


def test_an_acknowledged_incident_does_not_escalate(rig: Rig) -> None:
    put(rig, contacts=[BOSS], routes=[NotificationRoute(id="up", name="Up", contacts=["boss"], after_min=1)])
    rig.sees(State.DOWN, *ALL)
    rig.stays(30)
    rig.others.publish(ACKNOWLEDGEMENTS, Acknowledgement(incident=rig.open[0].id, by="ada", at=rig.now))
    rig.stays(600)
    assert recipients(rig) == [(OPS, "DOWN")]


@pytest.mark.thorough
def test_in_quiet_hours_only_what_is_critical_is_told_and_the_rest_at_their_end(rig: Rig) -> None:
    # It is noon, a Tuesday.
    sleeper = Contact(id="s", name="S", mails=["s@noc.test"], quiet_hours="Tue 11:00-12:10")
    put(rig, contacts=[sleeper], routes=[NotificationRoute(id="r", name="R", contacts=["s"])])
    rig.target("switch", critical=True)
    rig.sees(State.UP, *ALL, target="switch")
    rig.passes(3)
    rig.sees(State.DOWN, *ALL)
    rig.stays(60)
    assert rig.mails == []
    rig.sees(State.DOWN, *ALL, target="switch")
    rig.stays(60)
    assert [str(one["To"]) for one in rig.mails] == ["s@noc.test"]
    assert "Switch" in rig.subjects[0]
    rig.stays(600)
    assert len(rig.mails) == 2
    assert "Router" in rig.subjects[1]


@pytest.mark.thorough
def test_a_database_that_takes_nothing_for_a_while_loses_no_escalation_and_no_change_of_settings(rig: Rig) -> None:
    put(rig, contacts=[NIGHTS], routes=[TO_NIGHTS])
    rig.sees(State.DOWN, *ALL)
    rig.stays(500)
    connection = rig.ledger.database.connection()
    connection.execute("PRAGMA query_only = 1")
    up = NotificationRoute(id="up", name="Up", contacts=["boss"], after_min=10)
    put(rig, contacts=[NIGHTS, BOSS], routes=[TO_NIGHTS, up])
    rig.stays(130)
    assert not rig.alerter.is_well
    connection.execute("PRAGMA query_only = 0")
    rig.stays(200)
    assert recipients(rig) == [("nights@noc.test", "DOWN"), ("boss@noc.test", "DOWN")]
    connection.execute("PRAGMA query_only = 1")
    later = NotificationRoute(id="later", name="Later", contacts=["ada@noc.test"], after_min=15)
    put(rig, contacts=[NIGHTS, BOSS], routes=[TO_NIGHTS, up, later])
    rig.stays(60)
    connection.execute("PRAGMA query_only = 0")
    rig.stays(300)
    assert recipients(rig)[2:] == [("ada@noc.test", "DOWN")]


@pytest.mark.thorough
def test_the_timeline_names_of_reminded_people_only_those_who_were(rig: Rig) -> None:
    often = NotificationRoute(id="often", name="Often", contacts=["nights"], remind_min=5)
    seldom = NotificationRoute(id="seldom", name="Seldom", contacts=["boss"], remind_min=8)
    put(rig, contacts=[NIGHTS, BOSS], routes=[often, seldom])
    rig.sees(State.DOWN, *ALL)
    rig.stays(11 * 60)
    asked = rig.asks(rig.open[0].id)
    told = [entry.text for entry in asked.timeline if entry.code == "reminded"]
    assert told == ["nights@noc.test", "boss@noc.test", "nights@noc.test"]
    assert sorted(one.to for one in asked.mails if one.about == "reminded") == sorted(told)


@pytest.mark.thorough
def test_the_clock_of_an_escalation_stands_still_while_it_is_muted(rig: Rig) -> None:
    put(rig, contacts=[BOSS], routes=[NotificationRoute(id="up", name="Up", contacts=["boss"], after_min=10)])
    rig.sees(State.DOWN, *ALL)
    rig.stays(300)
    works = Maintenance(
        id="works",
        title="Works",
        covers=[Covered(kind="everything")],
        starts_at=rig.now,
        ends_at=Time(rig.now + 3_600_000),
        at=rig.now,
    )
    rig.maintenance(works)
    rig.stays(1200)
    assert recipients(rig) == [(OPS, "DOWN")]
    rig.no_maintenance("works")
    rig.stays(10)
    rig.sees(State.DOWN, *ALL)
    rig.stays(200)
    assert "boss@noc.test" not in [to for to, _ in recipients(rig)]
    rig.stays(200)
    assert "boss@noc.test" in [to for to, _ in recipients(rig)]


# -- the NOC's own troubles


def test_a_store_that_stays_away_is_an_incident_of_its_own_kind_that_a_route_can_tell_somebody_of(rig: Rig) -> None:
    route = NotificationRoute(id="noc", name="NOC", contacts=["nights"], kinds=["service-trouble"])
    put(rig, contacts=[NIGHTS], routes=[route])

    def says(trouble: str | None) -> None:
        at = Time(rig.now)
        one = ServicePresence(service="recorder", online=True, since=rig.now, instance="r", at=at, trouble=trouble)
        rig.others.publish(SERVICES, one)

    for _ in range(15):
        says("the store refuses: no space left")
        rig.stays(10)
    (one,) = rig.open
    assert (one.kind, one.code) == ("service-trouble", "service-trouble")
    assert recipients(rig) == [("nights@noc.test", "NOC PROBLEM")]
    rig.restart()
    says(None)
    rig.stays(10)
    assert rig.open == []
    assert recipients(rig)[1:] == [("nights@noc.test", "RECOVERED")]
