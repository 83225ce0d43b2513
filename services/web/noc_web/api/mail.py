"""Trying the mail: the alerter, which has the mail server's settings, sends test mails and says what came of them."""

from __future__ import annotations

from typing import Final

from noc_bus.messages import MailTestResult
from noc_bus.presence import BUSY, NO_MAIL
from noc_web.api import answers
from noc_web.api.route import Ask, Route
from noc_web.catalog.catalog import Catalog
from noc_web.json import Row
from noc_web.live.mailtests import MailTests
from noc_web.live.picture import Picture
from noc_web.problem import ProblemCode, ProblemError
from noc_web.publisher import Publisher

_CODES: Final = {NO_MAIL: ProblemCode.NO_MAIL, BUSY: ProblemCode.BUSY}


def try_mail(ask: Ask, catalog: Catalog, publisher: Publisher, picture: Picture, mail_tests: MailTests) -> object:
    _check_running(picture)
    request = mail_tests.asked()
    publisher.try_mail(request)
    catalog.note(ask.actor.signature, "send test mails", "mail")
    found = mail_tests.wait(request)
    if found is None:
        raise ProblemError(503, "The alerter has not answered in time; its log may say why.")
    if found.error is not None:
        code = _CODES.get(found.code or "", ProblemCode.CONFLICT)
        raise ProblemError(409, f"No test mail was sent: {found.error}.", code=code)
    return _described(found)


def get_mail_test(ask: Ask, picture: Picture, mail_tests: MailTests) -> object:
    found = mail_tests.result(ask["request"])
    if found is None:
        raise ProblemError(404, f"Nothing is known of test mails {ask['request'][:63]!r}; send new ones.")
    if not found.done:
        _check_running(picture)
    return _described(found)


def _check_running(picture: Picture) -> None:
    if not picture.services().get("alerter"):
        raise ProblemError(
            409, "The alerter, which sends the mails, is not running; start it.", code=ProblemCode.OFFLINE
        )


def _described(found: MailTestResult) -> Row:
    return {"request": found.request, "at": found.at, "done": found.done, "mails": found.mails}


ROUTES = (
    Route(
        "POST",
        "/mail/tests",
        "admin",
        "Send test mails to NOC_MAIL_TO and tell the mail server's own words. "
        "What a slow server has not said within ten seconds is asked for again by the request's id.",
        try_mail,
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
