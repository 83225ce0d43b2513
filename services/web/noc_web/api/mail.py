"""The mail server in Settings, and trying it: the alerter sends test mails and says what came of them."""

from __future__ import annotations

from typing import Final

from noc_bus.messages import MailTestResult
from noc_bus.presence import BUSY, NO_MAIL
from noc_web.api import answers
from noc_web.api.bodies import MailChanges, MailTestRequest
from noc_web.api.route import Ask, Route
from noc_web.catalog.catalog import Catalog
from noc_web.json import Row
from noc_web.live.mailtests import MailTests
from noc_web.live.picture import Picture, check_alerter
from noc_web.notifications import mail_server
from noc_web.notifications.kept import Notifications, Sealed
from noc_web.problem import ProblemCode, ProblemError
from noc_web.publisher import Publisher

_CODES: Final = {NO_MAIL: ProblemCode.NO_MAIL, BUSY: ProblemCode.BUSY}


def get_mail(ask: Ask, notifications: Notifications, sealed: Sealed) -> object:
    return _settings(notifications, sealed)


def change_mail(ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed) -> object:
    change = ask.read(MailChanges)
    given = {name: getattr(change, name) for name in mail_server.FIELDS}
    done = notifications.put_mail(lambda before: mail_server.changed(before, given))
    catalog.note(ask.actor.signature, "change mail server", "mail", done)
    return _settings(notifications, sealed)


def _settings(notifications: Notifications, sealed: Sealed) -> Row:
    kept, alerter = notifications.read(), sealed.alerter()
    shown = {name: getattr(kept, name) for name in mail_server.FIELDS if name != "mail_password"}
    return shown | {
        "has_password": bool(kept.mail_password),
        "environment": alerter.environment if alerter else {},
        "is_alerter_running": bool(alerter and alerter.online),
    }


def try_mail(
    ask: Ask,
    catalog: Catalog,
    publisher: Publisher,
    picture: Picture,
    mail_tests: MailTests,
    notifications: Notifications,
) -> object:
    body = ask.read(MailTestRequest) if ask.raw else MailTestRequest()
    contact = None if body.heartbeat else body.contact
    if contact is not None and all(one.id != contact for one in notifications.read().contacts):
        raise ProblemError(404, f"There is no contact {contact!r}.")
    check_alerter(picture, "sends the mails")
    request = mail_tests.asked()
    publisher.try_mail(request, contact, heartbeat=body.heartbeat)
    if body.heartbeat:
        catalog.note(ask.actor.signature, "test heartbeat", "heartbeat")
    else:
        catalog.note(ask.actor.signature, "send test mails", contact or "mail")
    found = mail_tests.wait(request)
    if found is None:
        raise ProblemError(503, "The alerter has not answered in time; its log may say why.")
    if found.error is not None:
        code = _CODES.get(found.code or "", ProblemCode.CONFLICT)
        what = "heartbeat" if body.heartbeat else "test mail"
        raise ProblemError(409, f"No {what} was sent: {found.error}.", code=code)
    return _described(found)


def get_mail_test(ask: Ask, picture: Picture, mail_tests: MailTests) -> object:
    found = mail_tests.result(ask["request"])
    if found is None:
        raise ProblemError(404, f"Nothing is known of test mails {ask['request'][:63]!r}; send new ones.")
    if not found.done:
        check_alerter(picture, "sends the mails")
    return _described(found)


def _described(found: MailTestResult) -> Row:
    return {"request": found.request, "at": found.at, "done": found.done, "mails": found.mails}


ROUTES = (
    Route(
        "GET",
        "/mail",
        "admin",
        "The mail server, sender and recipients in Settings, and which of them the alerter's environment sets instead.",
        get_mail,
        answer=answers.MailSettings,
    ),
    Route(
        "PATCH",
        "/mail",
        "admin",
        "Change some of them; they are in force at once. What is left out stays, the password too.",
        change_mail,
        body=MailChanges,
        answer=answers.MailSettings,
    ),
    Route(
        "POST",
        "/mail/tests",
        "admin",
        "Send test mails to a contact, or to whoever is told when nobody else is, and tell the mail server's own words. "
        "Or try the heartbeat so. What a slow server has not said within ten seconds is asked for again by the request's id.",
        try_mail,
        body=MailTestRequest,
        answer=answers.MailTest,
        work="mail",
    ),
    Route(
        "GET",
        "/mail/tests/{request}",
        "admin",
        "What has come of test mails so far.",
        get_mail_test,
        answer=answers.MailTest,
    ),
)
