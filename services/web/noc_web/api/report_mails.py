"""Reports by mail: what each is of, how often it comes, and who gets it."""

from __future__ import annotations

import msgspec

from noc_bus.time import Time
from noc_web.api import answers
from noc_web.api.bodies import ReportMailFields
from noc_web.api.route import Ask, Route
from noc_web.catalog.catalog import Catalog
from noc_web.reportmails import ReportMails, Schedule


def list_report_mails(ask: Ask, report_mails: ReportMails) -> object:
    return {"report_mails": report_mails.listed()}


def put_report_mail(ask: Ask, catalog: Catalog, report_mails: ReportMails) -> object:
    wanted = msgspec.convert(msgspec.to_builtins(ask.read(ReportMailFields)), Schedule)
    report_mails.put(ask["report"], wanted, Time.now())
    catalog.note(ask.actor.signature, "set report by mail", ask["report"], msgspec.to_builtins(wanted))
    return report_mails.get(ask["report"])


def delete_report_mail(ask: Ask, catalog: Catalog, report_mails: ReportMails) -> object:
    report_mails.delete(ask["report"])
    catalog.note(ask.actor.signature, "delete report by mail", ask["report"])
    return None


def send_report_mail(ask: Ask, catalog: Catalog, report_mails: ReportMails) -> object:
    report_mails.send_now(ask["report"], Time.now())
    catalog.note(ask.actor.signature, "send report", ask["report"])
    return None


ROUTES = (
    Route("GET", "/report-mails", "viewer", "All reports by mail.", list_report_mails, answer=answers.ReportMails),
    Route(
        "PUT",
        "/report-mails/{report}",
        "operator",
        "Set a report by mail: of the last whole day, week or month of the recipient's time zone.",
        put_report_mail,
        body=ReportMailFields,
        answer=answers.ReportMailAnswer,
    ),
    Route(
        "DELETE",
        "/report-mails/{report}",
        "operator",
        "Delete a report by mail, and what of it nobody has taken over yet.",
        delete_report_mail,
        status=204,
    ),
    Route(
        "POST",
        "/report-mails/{report}/send",
        "operator",
        "Send a report of the last whole period now, to everybody who gets it.",
        send_report_mail,
        status=204,
    ),
)
