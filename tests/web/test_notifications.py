"""Contacts and routes by the API: what is accepted, what the alerter gets of it, and who would be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from noc_bus.channels import SEALED, SERVICES
from noc_bus.codec import decode
from noc_bus.messages import Channel, Contact, NotificationSettings, ServicePresence
from noc_bus.sealed import SealingKey
from noc_rules.webhook import secret_bytes
from tests.web.conftest import Service

ANNA = {"name": "Anna", "mails": ["anna@noc.test"], "zone": "Europe/Paris"}


@pytest.fixture
def furnished(service: Service) -> Service:
    """Anna, whom a route tells of the core at night, and two targets."""
    admin = service.by("admin")
    admin.api("PUT", "contacts/anna", ANNA)
    hours = {"hours": "Mon-Sun 00:00-08:00", "zone": "Europe/Paris"}
    admin.api(
        "PUT", "notification-routes/nights", {"name": "Nights", "contacts": ["anna"], "groups": ["core"], **hours}
    )
    admin.api("POST", "targets", {"id": "core-sw-1", "address": "10.0.0.1", "group": "core/switches"})
    admin.api("POST", "targets", {"id": "lab", "address": "10.0.0.2", "contacts": ["anna", "gone", "bob@noc.test"]})
    admin.api("PATCH", "mail", {"mail_to": ["ops@noc.test"]})
    return service


def test_who_would_be_told_if_a_target_went_down_at_night_and_why(furnished: Service) -> None:
    ask = furnished.by("viewer").get
    night = ask("notifications/who?target=core-sw-1&at=2026-11-24T03:00:00%2B01:00")
    assert [(one["to"], one["name"], one["because"][0]["text"]) for one in night["told"]] == [
        ("anna@noc.test", "Anna", "route nights")
    ]
    assert night["routes"] == [{"id": "nights", "name": "Nights", "match": "matches"}]
    assert (night["severity"], night["kind"], night["is_mail_set_up"]) == ("major", "target-down", False)
    noon = ask("notifications/who?target=core-sw-1&at=2026-11-24T12:00:00Z")
    assert [(one["to"], one["because"][0]["code"]) for one in noon["told"]] == [("ops@noc.test", "everybody")]
    assert noon["routes"][0]["match"] == "other-hours"
    lab = ask("notifications/who?target=lab&at=2026-11-24T03:00:00%2B01:00")
    assert [one["to"] for one in lab["told"]] == ["anna@noc.test", "bob@noc.test"]
    assert (lab["unknown"], lab["routes"][0]["match"]) == (["gone"], "other-group")
    assert ask("notifications/who")["kind"] == "site-blind"
    ask("notifications/who?target=nothing", status=404)


def test_a_recipient_of_the_alerter_s_environment_counts_before_that_of_settings(furnished: Service) -> None:
    given = {"NOC_MAIL_TO": "env@noc.test, two@noc.test", "NOC_SMTP_URL": "mail.test:25", "NOC_MAIL_FROM": "x@noc.test"}
    furnished.others.publish(SERVICES, ServicePresence(service="alerter", online=True, environment=given))
    furnished.let_pass(1)
    found = furnished.by("viewer").get("notifications/who")
    assert [one["to"] for one in found["told"]] == ["env@noc.test", "two@noc.test"]
    assert found["is_mail_set_up"]


def test_a_mail_template_that_cannot_be_used_is_told_on_the_page(furnished: Service) -> None:
    ask = furnished.by("viewer").get
    assert ask("notifications/means") == {"is_known": False, "apprise_schemes": [], "template_faults": []}
    fault = "opened.html, line 2: this letter has no 'nmae'; did you mean name?"
    furnished.others.publish(SERVICES, ServicePresence(service="alerter", online=True, template_faults=[fault]))
    furnished.let_pass(1)
    assert ask("notifications/means") == {"is_known": True, "apprise_schemes": [], "template_faults": [fault]}


def test_the_alerter_gets_contacts_and_routes_sealed_and_the_audit_has_every_change(
    furnished: Service, tmp_path: Path
) -> None:
    key = SealingKey(tmp_path / "alerter.key")
    furnished.others.publish(SERVICES, ServicePresence(service="alerter", online=True, sealing_key=key.public))
    furnished.let_pass(1)
    admin = furnished.by("admin")

    def taken() -> NotificationSettings:
        (sealed,) = furnished.hub.now(SEALED)
        return decode(key.opened(sealed.content), NotificationSettings)

    assert [(one.id, one.zone) for one in taken().contacts] == [("anna", "Europe/Paris")]
    assert [(one.id, one.groups) for one in taken().routes] == [("nights", ["core"])]
    admin.api("DELETE", "notification-routes/nights")
    assert taken().routes == []
    acts = [one["act"] for one in admin.get("audit")["audit"]]
    assert {"change contact", "change route", "delete route"} <= set(acts)
    assert not any(b"anna@noc.test" in payload for _, payload in furnished.hub.sent)


def test_a_contact_that_somebody_names_is_not_deleted(furnished: Service) -> None:
    admin = furnished.by("admin")
    refused = admin.api("DELETE", "contacts/anna", status=409)
    assert refused["code"] == "in-use"
    assert refused["detail"] == "anna is told by the route nights, the target lab; change those first."
    admin.api("DELETE", "notification-routes/nights")
    admin.api("PATCH", "targets/lab", {"contacts": None})
    admin.api("DELETE", "contacts/anna")
    assert admin.get("contacts") == {"contacts": []}
    admin.api("DELETE", "contacts/anna", status=404)
    admin.api("DELETE", "notification-routes/nights", status=404)


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("contacts/x", {"mails": []}, "name", "name is missing; use"),
        ("contacts/x", {"name": "X", "mails": ["bob"]}, "mails", 'use a list of at most 20, each a mail address'),
        ("contacts/x", {"name": "X", "zone": "Mars/Crater"}, "zone", "use the name of a time zone that is known here"),
        ("contacts/x", {"name": "X", "webhook_url": "ftp://x.test"}, "webhook_url", "not http or https"),
        ("contacts/x", {"name": "X", "webhook_url": "https://x.test", "webhook_secret": "x"}, "webhook_secret", "whsec_"),
        ("contacts/x", {"name": "X", "channels": "x"}, "channels", "use a list of at most 10"),
        ("contacts/x", {"name": "X", "channels": [{"kind": "fax", "name": "F", "url": "x"}]}, "channels", "use webhook or apprise"),
        ("contacts/x", {"name": "X", "channels": [{"kind": "webhook", "url": "https://x.test"}]}, "channels", "channels: name is missing"),
        ("contacts/x", {"name": "X", "channels": [{"kind": "webhook", "name": "W"}]}, "channels", "not http or https"),
        ("contacts/x", {"name": "X", "channels": [{"kind": "apprise", "name": "A", "url": "syslog://x"}]}, "channels", "reaches nothing but the alerter's own machine"),
        ("contacts/x", {"name": "X", "channels": [{"kind": "apprise", "name": "A", "url": "s3cret"}]}, "channels", "use an Apprise URL like slack://"),
        ("contacts/x", {"name": "X", "channels": [{"id": "a", "kind": "apprise", "name": "A", "url": "json://x"}] * 2}, "channels", "two are called 'a'"),
        ("contacts/X", {"name": "X"}, "id", "lower-case letters"),
        ("contacts/x", {"name": "X", "colour": "red"}, "colour", "is not an option"),
        ("notification-routes/x", {"name": "X", "contacts": []}, "contacts", "contacts: [] is not accepted"),
        ("notification-routes/x", {"name": "X", "contacts": ["gone"]}, "contacts", "'gone' is no contact; add it first"),
        ("notification-routes/x", {"name": "X", "contacts": ["a@b"], "hours": "at dusk"}, "hours", "use days and hours like"),
        ("notification-routes/x", {"name": "X", "contacts": ["a@b"], "zone": "../x"}, "zone", "the name of a time zone"),
        ("notification-routes/x", {"name": "X", "contacts": ["a@b"], "severities": ["bad"]}, "severities", "critical, major or minor"),
        ("notification-routes/x", {"name": "X", "contacts": ["a@b"], "kinds": ["x"]}, "kinds", "target-down"),
        ("notification-routes/x", {"name": "X", "contacts": ["a@b"], "groups": ["/"]}, "groups", "empty name"),
    ],
)  # fmt: skip
def test_what_is_not_accepted_is_one_sentence_about_its_field(
    service: Service, path: str, body: dict[str, Any], field: str, words: str
) -> None:
    errors = service.by("admin").api("PUT", path, body, status=422)["errors"]
    assert [one["field"] for one in errors] == [field]
    assert words in errors[0]["detail"]


def test_what_was_sent_cannot_be_told_without_the_alerter(service: Service) -> None:
    assert "alerter" in service.by("viewer").get("notifications/sent", status=409)["detail"]
    assert service.by("admin").api("POST", "mail/tests", {"contact": "nobody"}, status=404)


def test_a_webhook_s_secret_is_made_and_shown_once_and_its_address_is_for_administrators(
    service: Service, tmp_path: Path
) -> None:
    key = SealingKey(tmp_path / "alerter.key")
    service.others.publish(SERVICES, ServicePresence(service="alerter", online=True, sealing_key=key.public))
    service.let_pass(1)
    admin, url = service.by("admin"), "https://hooks.test/in?token=t0ken"

    def taken() -> Contact:
        (sealed,) = service.hub.now(SEALED)
        (contact,) = decode(key.opened(sealed.content), NotificationSettings).contacts
        return contact

    made = admin.api("PUT", "contacts/desk", {"name": "Desk", "webhook_url": url})
    secret_bytes(made["webhook_secret"])
    assert taken().webhook_secret == made["webhook_secret"]
    again = admin.api("PUT", "contacts/desk", {"name": "Service desk", "webhook_url": url})
    assert (again["webhook_secret"], taken().webhook_secret) == ("", made["webhook_secret"])
    (shown,) = service.by("viewer").get("contacts")["contacts"]
    assert (shown["webhook_url"], shown["webhook_host"]) == ("", "hooks.test")
    (shown,) = admin.get("contacts")["contacts"]
    assert shown["webhook_url"] == url
    assert "t0ken" not in str(admin.get("audit"))
    assert made["webhook_secret"] not in str(admin.get("contacts")) + str(admin.get("audit"))
    admin.api("PUT", "contacts/desk", {"name": "Desk", "mails": ["desk@noc.test"]})
    assert (taken().webhook_url, taken().webhook_secret) == ("", "")


def test_channels_keep_what_is_not_entered_again_and_show_no_url(service: Service, tmp_path: Path) -> None:
    key = SealingKey(tmp_path / "alerter.key")
    presence = ServicePresence(
        service="alerter", online=True, sealing_key=key.public, apprise_schemes=["json", "slack"]
    )
    service.others.publish(SERVICES, presence)
    service.let_pass(1)
    admin = service.by("admin")

    def taken() -> list[Channel]:
        (sealed,) = service.hub.now(SEALED)
        return decode(key.opened(sealed.content), NotificationSettings).contacts[0].channels

    hook = {"kind": "webhook", "name": "Pager 1", "url": "https://hooks.test/t0ken"}
    chat = {"kind": "apprise", "name": "Chat", "url": "slack://t0ken/B/C/#noc"}
    made = admin.api("PUT", "contacts/desk", {"name": "Desk", "channels": [hook, chat]})
    shown = [
        {"id": "pager-1", "kind": "webhook", "name": "Pager 1", "masked_url": "hooks.test"},
        {"id": "chat", "kind": "apprise", "name": "Chat", "masked_url": "slack://…"},
    ]
    assert made["channels"] == service.by("viewer").get("contacts")["contacts"][0]["channels"] == shown
    before = taken()
    assert [(one.url, one.secret) for one in before] == [
        (hook["url"], made["channel_secrets"]["pager-1"]),
        (chat["url"], ""),
    ]
    kept = [{key: one[key] for key in ("id", "kind", "name")} for one in shown]
    more = {"kind": "webhook", "name": "Pager 1", "url": "https://two.test/"}
    again = admin.api("PUT", "contacts/desk", {"name": "Desk", "channels": [*kept, more]})
    assert taken()[:2] == before
    assert list(again["channel_secrets"]) == ["pager-1-2"]
    # What is another kind keeps no URL of the one before.
    admin.api("PUT", "contacts/desk", {"name": "Desk", "channels": [kept[0] | {"kind": "apprise"}]}, status=422)
    wrong = {"kind": "apprise", "name": "Chat", "url": "slak://t0ken"}
    refused = admin.api("PUT", "contacts/desk", {"name": "Desk", "channels": [wrong]}, status=422)
    assert "Apprise knows no slak://; did you mean slack://?" in refused["errors"][0]["detail"]
    everything = str(admin.get("audit")) + str(admin.get("contacts")) + str(refused)
    assert "t0ken" not in everything
    assert before[0].secret not in everything


def test_the_alerter_gets_the_heartbeat_sealed_beside_all_the_rest(furnished: Service, tmp_path: Path) -> None:
    key = SealingKey(tmp_path / "alerter.key")
    furnished.others.publish(SERVICES, ServicePresence(service="alerter", online=True, sealing_key=key.public))
    furnished.let_pass(1)
    admin = furnished.by("admin")
    admin.api("PUT", "notifications/heartbeat", {"url": "https://ping.test/t0ken", "every_s": 30})
    (sealed,) = furnished.hub.now(SEALED)
    found = decode(key.opened(sealed.content), NotificationSettings)
    assert (found.heartbeat_url, found.heartbeat_s, found.mail_to) == ("https://ping.test/t0ken", 30, ["ops@noc.test"])
    assert admin.get("notifications/heartbeat") == {"url": "https://ping.test/t0ken", "every_s": 30}
    assert "t0ken" not in str(admin.get("audit"))
    refused = admin.api("PUT", "notifications/heartbeat", {"url": "ping.test"}, status=422)
    assert [one["field"] for one in refused["errors"]] == ["url"]
    admin.api("PUT", "notifications/heartbeat", {"url": "x", "every_s": 1}, status=422)


def test_a_target_that_names_a_contact_there_is_not_is_saved_with_a_warning(furnished: Service) -> None:
    saved = furnished.by("operator").api("PATCH", "targets/core-sw-1", {"contacts": ["anna", "nobody", "x@noc.test"]})
    assert saved["warnings"] == ["contacts: there is no contact nobody; nobody is told by it."]
    saved = furnished.by("operator").api("PATCH", "targets/core-sw-1", {"contacts": ["anna"]})
    assert saved["warnings"] == []
