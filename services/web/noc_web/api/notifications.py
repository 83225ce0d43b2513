"""Contacts and routes: who is told of what, who would be, and what was sent to whom."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from noc_bus.messages import Contact, NotificationRoute, NotificationSettings
from noc_bus.time import Time
from noc_rules.incident import IncidentKind, Severity
from noc_rules.telling import Occasion, addresses, match, told
from noc_web.api import answers
from noc_web.api.bodies import ContactFields, HeartbeatFields, RouteFields
from noc_web.api.route import MOMENT, SLUG, Ask, Query, Route
from noc_web.auth.actor import Actor
from noc_web.catalog.catalog import Catalog
from noc_web.json import Row
from noc_web.live.incidentqueries import IncidentQueries
from noc_web.live.picture import Picture, check_alerter
from noc_web.notifications import book
from noc_web.notifications.kept import Notifications, Sealed
from noc_web.problem import ProblemError
from noc_web.publisher import Publisher
from noc_web.reportmails import ReportMails

_KINDS: Final = tuple(IncidentKind)
_SEVERITIES: Final = tuple(Severity)
_MOST_SENT: Final = 200
_LONGEST_MIN: Final = 10_080


def list_contacts(ask: Ask, notifications: Notifications) -> object:
    return {"contacts": [_shown(one, ask.actor) for one in notifications.read().contacts]}


def put_contact(ask: Ask, catalog: Catalog, notifications: Notifications, sealed: Sealed) -> object:
    body, secret = ask.body, dict[str, str]()
    alerter, known = sealed.alerter(), set[str]()

    def change(before: NotificationSettings) -> Contact:
        secret.update({one.id: one.webhook_secret for one in before.contacts})
        known.update(way.secret for one in before.contacts if one.id == ask["contact"] for way in one.channels)
        return book.contact(ask["contact"], body, before, alerter.apprise_schemes if alerter else ())

    saved = notifications.put_contact(change)
    detail = {"name": saved.name, "mails": saved.mails, "webhook": _host(saved)}
    detail["channels"] = [f"{one.name}: {book.masked(one)}" for one in saved.channels]
    catalog.note(ask.actor.signature, "change contact", saved.id, detail)
    is_new = saved.webhook_secret != secret.get(saved.id, "")
    return _shown(saved, ask.actor) | {
        "webhook_secret": saved.webhook_secret if is_new else "",
        "channel_secrets": {one.id: one.secret for one in saved.channels if one.secret and one.secret not in known},
    }


def _shown(contact: Contact, actor: Actor) -> Row:
    """Without the secret; where its webhook is, which may tell a secret too, is for administrators."""
    return {
        "id": contact.id,
        "name": contact.name,
        "mails": contact.mails,
        "zone": contact.zone,
        "quiet_hours": contact.quiet_hours,
        "webhook_url": contact.webhook_url if actor.may("admin") else "",
        "webhook_host": _host(contact),
        "channels": [
            {"id": one.id, "kind": one.kind, "name": one.name, "masked_url": book.masked(one)}
            for one in contact.channels
        ],
    }


def _host(contact: Contact) -> str:
    return urlsplit(contact.webhook_url).hostname or ""


def delete_contact(
    ask: Ask, catalog: Catalog, notifications: Notifications, publisher: Publisher, report_mails: ReportMails
) -> object:
    name = ask["contact"]
    targets = list(publisher.targets.values())

    def check(settings: NotificationSettings) -> None:
        book.check_unused(name, settings, targets, report_mails.naming(name))

    if not notifications.remove_contact(name, check):
        raise ProblemError(404, f"There is no contact {name[:80]!r}.")
    catalog.note(ask.actor.signature, "delete contact", name)
    return None


def list_routes(ask: Ask, notifications: Notifications) -> object:
    return {"routes": notifications.read().routes}


def put_route(ask: Ask, catalog: Catalog, notifications: Notifications) -> object:
    body = ask.body
    saved = notifications.put_route(lambda before: book.route(ask["route"], body, before))
    catalog.note(ask.actor.signature, "change route", saved.id, {"name": saved.name, "contacts": saved.contacts})
    return saved


def delete_route(ask: Ask, catalog: Catalog, notifications: Notifications) -> object:
    if not notifications.remove_route(ask["route"]):
        raise ProblemError(404, f"There is no route {ask['route'][:80]!r}.")
    catalog.note(ask.actor.signature, "delete route", ask["route"])
    return None


def who_would_be_told(ask: Ask, notifications: Notifications, sealed: Sealed, publisher: Publisher) -> object:
    """By the alerter's own function."""
    settings, alerter, at = notifications.read(), sealed.alerter(), ask.time("at", Time.now())
    name = ask.slug("target")
    target = publisher.targets.get(name) if name is not None else None
    if name is not None and target is None:
        raise ProblemError(404, f"There is no target {name!r}.")
    usual = Severity.CRITICAL if target and target.critical else Severity.MAJOR
    kind = ask.choice("kind", IncidentKind.TARGET_DOWN if target else IncidentKind.SITE_BLIND, _KINDS)
    severity = ask.choice("severity", usual, _SEVERITIES)
    waited_s = 60.0 * ask.int_param("after_min", 0, 0, _LONGEST_MIN)
    occasion = Occasion(kind, severity, (target,) if target else (), at, waited_s)
    pages = book.in_force(settings, alerter)
    found = told(occasion, pages)
    names = {to: one.name for one in settings.contacts for to in addresses(one.id, pages)}
    return {
        "at": at,
        "kind": kind,
        "severity": severity,
        "told": [
            {"to": to, "name": names.get(to, ""), "because": [_reason(one.code, one.name, str(one)) for one in reasons]}
            for to, reasons in found.recipients.items()
        ],
        "routes": [{"id": one.id, "name": one.name, "match": match(one, occasion)} for one in settings.routes],
        "unknown": found.unknown,
        "is_mail_set_up": book.is_mail_set_up(settings, alerter),
    }


def get_heartbeat(ask: Ask, notifications: Notifications) -> object:
    settings = notifications.read()
    return {"url": settings.heartbeat_url, "every_s": settings.heartbeat_s}


def put_heartbeat(ask: Ask, catalog: Catalog, notifications: Notifications) -> object:
    body = ask.read(HeartbeatFields)
    book.check_url("url", body.url)
    notifications.put_heartbeat(body.url, body.every_s)
    host = urlsplit(body.url).hostname or ""
    catalog.note(ask.actor.signature, "change heartbeat", host, {"every_s": body.every_s})
    return {"url": body.url, "every_s": body.every_s}


def get_means(_: Ask, sealed: Sealed) -> object:
    alerter = sealed.alerter()
    schemes = alerter.apprise_schemes if alerter else []
    return {
        "is_known": alerter is not None,
        "apprise_schemes": schemes,
        "template_faults": alerter.template_faults if alerter else [],
    }


def list_sent(ask: Ask, picture: Picture, incident_queries: IncidentQueries) -> object:
    check_alerter(picture, "keeps what was sent")
    offset = ask.int_param("offset", 0, 0, 1_000_000)
    answer = incident_queries.sent(offset, ask.int_param("limit", 50, 1, _MOST_SENT))
    if answer is None:
        raise ProblemError(503, "The alerter, which keeps what was sent, has not answered in time.")
    return {"mails": answer.mails, "total": answer.total}


def _reason(code: str, name: str, text: str) -> Row:
    return {"code": code, "name": name, "text": text}


ROUTES = (
    Route("GET", "/contacts", "viewer", "Who may be told of incidents.", list_contacts, answer=answers.Contacts),
    Route(
        "PUT",
        "/contacts/{contact}",
        "admin",
        "Add or replace a contact.",
        put_contact,
        body=ContactFields,
        answer=answers.SavedContact,
    ),
    Route(
        "DELETE",
        "/contacts/{contact}",
        "admin",
        "Delete a contact, unless a route or a target names it.",
        delete_contact,
        status=204,
    ),
    Route(
        "GET",
        "/notification-routes",
        "viewer",
        "Who is told of which incidents, beside the contacts of their targets.",
        list_routes,
        answer=answers.NotificationRoutes,
    ),
    Route(
        "PUT",
        "/notification-routes/{route}",
        "admin",
        "Add or replace a route.",
        put_route,
        body=RouteFields,
        answer=NotificationRoute,
    ),
    Route("DELETE", "/notification-routes/{route}", "admin", "Delete a route.", delete_route, status=204),
    Route(
        "GET",
        "/notifications/heartbeat",
        "admin",
        "Where the alerter gives a sign of life, and how often.",
        get_heartbeat,
        answer=answers.Heartbeat,
    ),
    Route(
        "PUT",
        "/notifications/heartbeat",
        "admin",
        "Have the alerter ask for an address every so often while it can notice an outage, so that whoever answers there "
        "can raise the alarm once it no longer does.",
        put_heartbeat,
        body=HeartbeatFields,
        answer=answers.Heartbeat,
    ),
    Route(
        "GET",
        "/notifications/who",
        "viewer",
        "Who would be told if a target went down at some moment, and why; which routes match, and what keeps the others off.",
        who_would_be_told,
        answer=answers.WouldBeTold,
        query=(
            Query("target", "the target; left out: an incident that is about none", SLUG),
            Query("at", "the moment, now where it is left out", MOMENT),
            Query("kind", "kind of the incident", {"type": "string", "enum": list(_KINDS)}),
            Query(
                "after_min",
                "for how many minutes it has been open, neither acknowledged nor muted",
                {"type": "integer", "minimum": 0, "maximum": _LONGEST_MIN},
            ),
            Query("severity", "left out: as the target is", {"type": "string", "enum": list(_SEVERITIES)}),
        ),
    ),
    Route(
        "GET",
        "/notifications/means",
        "viewer",
        "What the alerter has to tell people with: which URLs Apprise takes, and which mail templates of one's own it cannot use, and why.",
        get_means,
        answer=answers.Means,
    ),
    Route(
        "GET",
        "/notifications/sent",
        "viewer",
        "What was sent to whom and what became of it, the latest first.",
        list_sent,
        answer=answers.Sent,
        query=(
            Query("offset", "how many to leave out", {"type": "integer", "minimum": 0, "maximum": 1_000_000}),
            Query("limit", "how many", {"type": "integer", "minimum": 1, "maximum": _MOST_SENT}),
        ),
    ),
)
