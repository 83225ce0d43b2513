"""What contacts and routes may be set to: every mistake is one sentence about one field."""

from __future__ import annotations

import difflib
import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from noc_bus.messages import Channel, Contact, NotificationRoute, NotificationSettings, ServicePresence, Target
from noc_rules.apprise_url import URL_ACCEPTS as APPRISE_ACCEPTS
from noc_rules.apprise_url import parsed_scheme
from noc_rules.calendar import parsed_hours, zone_of
from noc_rules.incident import IncidentKind, Severity
from noc_rules.mail_server import parse_addresses
from noc_rules.telling import Book, is_known
from noc_rules.webhook import SIGNED_BY, URL_ACCEPTS, parsed_url, secret_bytes, secret_of
from noc_web.catalog import options
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

CONTACT: Final = {name: field for name, field in options.fields(Contact).items() if name != "channels"}
CHANNEL: Final = options.fields(Channel)
KINDS: Final = ("webhook", "apprise")
MOST_CHANNELS: Final = 10
ROUTE: Final = options.fields(NotificationRoute)
_MOST: Final = 1000
_SECRET_BYTES: Final = 24


def contact(name: str, body: object, before: NotificationSettings, schemes: Sequence[str] = ()) -> Contact:
    """A webhook's secret is the one that is kept where the body has none, and made where there is none.

    `schemes`: those that Apprise knows; none: it is not known. Raises ProblemError 422.
    """
    wanted: object = []
    if isinstance(body, dict):
        wanted, body = body.get("channels") or [], {key: value for key, value in body.items() if key != "channels"}
    given = options.checked(_with_id(body, name), CONTACT)
    kept_contact = next((one for one in before.contacts if one.id == name), None)
    found_channels = _channels(wanted, kept_contact, schemes)
    _raise_for(
        _missing(given, "name", CONTACT),
        _wrong_hours(given, "quiet_hours"),
        _wrong_zone(given),
        _wrong_url("webhook_url", given.get("webhook_url", "")),
        _wrong_secret(given),
        _too_many(name, before.contacts),
    )
    if not given.get("webhook_url"):
        given["webhook_secret"] = ""
    elif not given.get("webhook_secret"):
        given["webhook_secret"] = (kept_contact.webhook_secret if kept_contact else "") or _new_secret()
    return msgspec.convert(given | {"channels": found_channels}, Contact)


def _channels(wanted: object, kept: Contact | None, schemes: Sequence[str]) -> list[dict[str, Any]]:
    """Raises ProblemError 422."""
    if not isinstance(wanted, list) or len(wanted) > MOST_CHANNELS:
        raise invalid([FieldError("channels", f"channels: use a list of at most {MOST_CHANNELS}.")])
    before = {one.id: one for one in kept.channels} if kept else {}
    found: list[dict[str, Any]] = []
    for body in wanted:
        given = options.checked(body, CHANNEL)
        is_new = not given.get("id")
        if is_new:
            given["id"] = _free_id(options.slug(given.get("name", "")), {*before, *(one["id"] for one in found)})
        same = before.get(given["id"])
        if same is not None and same.kind == given.get("kind"):
            given = {"url": same.url, "secret": same.secret} | given
        _raise_for(
            _missing(given, "name", CHANNEL, "channels"),
            _wrong_channel(given, schemes),
            FieldError(
                "channels", f"channels: two are called {given['id']!r}; use another id.", ProblemCode.DOES_NOT_FIT
            )
            if any(one["id"] == given["id"] for one in found)
            else None,
        )
        if given["kind"] == "webhook":
            given["secret"] = given.get("secret") or _new_secret()
        else:
            given["secret"] = ""
        found.append(given)
    return found


def _wrong_channel(given: Mapping[str, Any], schemes: Sequence[str]) -> FieldError | None:
    """Nothing of the URL but its scheme is told: the rest may be secret."""
    kind, url = given.get("kind"), given.get("url", "")
    if kind not in KINDS:
        sentence = f"kind of {given.get('name', 'a channel')!r} is not accepted; use {' or '.join(KINDS)}."
        return FieldError("channels", f"channels: {sentence}", ProblemCode.DOES_NOT_FIT)
    accepts = URL_ACCEPTS if kind == "webhook" else APPRISE_ACCEPTS
    if why := _unfit_webhook(url, given.get("secret", "")) if kind == "webhook" else _unfit_apprise(url, schemes):
        sentence = f"channels: the URL or secret of {given.get('name', '')!r} is not accepted ({why}); use {accepts}."
        return FieldError("channels", sentence, ProblemCode.DOES_NOT_FIT)
    return None


def _unfit_webhook(url: str, secret: str) -> str:
    try:
        parsed_url(url)
        if secret:
            secret_bytes(secret)
    except ValueError as error:
        return str(error)
    return ""


def _unfit_apprise(url: str, schemes: Sequence[str]) -> str:
    try:
        scheme = parsed_scheme(url)
    except ValueError as error:
        return str(error)
    if not schemes or scheme in schemes:
        return ""
    near = difflib.get_close_matches(scheme, schemes, n=1)
    return f"Apprise knows no {scheme}://{f'; did you mean {near[0]}://?' if near else ''}"


def masked(channel: Channel) -> str:
    """What may be shown of where it leads: of a webhook its host, of Apprise the service."""
    if channel.kind == "webhook":
        return urlsplit(channel.url).hostname or ""
    return f"{channel.url.partition('://')[0].lower()}://…"


def _new_secret() -> str:
    return secret_of(secrets.token_bytes(_SECRET_BYTES))


def _free_id(name: str, taken: set[str]) -> str:
    name = name or "channel"
    ids = itertools.chain([name], (f"{name[:60]}-{number}" for number in itertools.count(2)))
    return next(one for one in ids if one not in taken)


def route(name: str, body: object, before: NotificationSettings) -> NotificationRoute:
    """Raises ProblemError 422, also where it names a contact that there is not."""
    given = options.checked(_with_id(body, name), ROUTE)
    book = Book({one.id: one for one in before.contacts})
    unknown = [one for one in given.get("contacts", ()) if not is_known(one, book)]
    _raise_for(
        _missing(given, "name", ROUTE),
        _missing(given, "contacts", ROUTE),
        *(
            FieldError(
                "contacts",
                f"contacts: {one[:80]!r} is no contact; add it first, or use a mail address.",
                ProblemCode.DOES_NOT_FIT,
            )
            for one in unknown[:5]
        ),
        _not_of(given, "severities", tuple(Severity)),
        _not_of(given, "kinds", tuple(IncidentKind)),
        _wrong_hours(given, "hours"),
        _wrong_zone(given),
        _too_many(name, before.routes),
    )
    return msgspec.convert(given, NotificationRoute)


def in_force(settings: NotificationSettings, alerter: ServicePresence | None) -> Book:
    """What the alerter goes by: where its environment names somebody, that counts."""
    given = parse_addresses(alerter.environment.get("NOC_MAIL_TO", "")) if alerter else ()
    contacts = {one.id: one for one in settings.contacts}
    return Book(contacts, tuple(settings.routes), given or tuple(settings.mail_to))


def is_mail_set_up(settings: NotificationSettings, alerter: ServicePresence | None) -> bool:
    given = alerter.environment if alerter else {}
    return bool((settings.mail_server or "NOC_SMTP_URL" in given) and (settings.mail_from or "NOC_MAIL_FROM" in given))


def warnings_about(target: Target, settings: NotificationSettings) -> list[str]:
    """What of its contacts is accepted and tells nobody: a contact may be added after the target that names it."""
    book = Book({one.id: one for one in settings.contacts})
    unknown = [one for one in target.contacts if not is_known(one, book)]
    return [f"contacts: there is no contact {', '.join(unknown[:5])}; nobody is told by it."] if unknown else []


def check_unused(
    name: str, settings: NotificationSettings, targets: Iterable[Target], reports: Iterable[str] = ()
) -> None:
    """Raises ProblemError 409 while a route, a target or one of the reports by mail names the contact."""
    users = [f"the route {one.id}" for one in settings.routes if name in one.contacts]
    users += [f"the target {one.id}" for one in targets if name in one.contacts]
    users += [f"the report {one}" for one in reports]
    if users:
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        sentence = f"{name} is told by {', '.join(users[:5])}{more}; change those first."
        raise ProblemError(409, sentence, code=ProblemCode.IN_USE)


def _with_id(body: object, name: str) -> object:
    return body | {"id": name} if isinstance(body, dict) else body


def _raise_for(*errors: FieldError | None) -> None:
    if found := [one for one in errors if one is not None]:
        raise invalid(found)


def _missing(
    given: Mapping[str, Any], name: str, fields: Mapping[str, options.Field], part: str = ""
) -> FieldError | None:
    """`part`: of which part of the whole it is a field."""
    if given.get(name):
        return None
    return FieldError(part or name, f"{f'{part}: ' if part else ''}{name} is missing; use {fields[name].accepts}.")


def _not_of(given: Mapping[str, Any], name: str, known: tuple[str, ...]) -> FieldError | None:
    wrong = next((one for one in given.get(name, ()) if one not in known), None)
    if wrong is None:
        return None
    sentence = f"{name}: {wrong[:80]!r} is not accepted; use {', '.join(known[:-1])} or {known[-1]}."
    # Kinds and severities are open to new ones: the description of a message names none.
    return FieldError(name, sentence, ProblemCode.DOES_NOT_FIT)


def _wrong_zone(given: Mapping[str, Any]) -> FieldError | None:
    zone = given.get("zone")
    if zone is None or zone_of(zone):
        return None
    sentence = (
        f"zone: {zone[:80]!r} is not accepted; use the name of a time zone that is known here, like Europe/Paris."
    )
    return FieldError("zone", sentence, ProblemCode.DOES_NOT_FIT)


def check_url(name: str, url: str) -> None:
    """Raises ProblemError 422 for what is no address to connect to; none at all is one."""
    _raise_for(_wrong_url(name, url))


def _wrong_url(name: str, url: str) -> FieldError | None:
    try:
        if url:
            parsed_url(url)
    except ValueError as error:
        sentence = f"{name}: {url[:80]!r} is not accepted ({error}); use {URL_ACCEPTS}."
        return FieldError(name, sentence, ProblemCode.DOES_NOT_FIT)
    return None


def _wrong_secret(given: Mapping[str, Any]) -> FieldError | None:
    try:
        if given.get("webhook_secret"):
            secret_bytes(given["webhook_secret"])
    except ValueError as error:
        sentence = f"webhook_secret: it is not accepted ({error}); use {SIGNED_BY}."
        return FieldError("webhook_secret", sentence, ProblemCode.DOES_NOT_FIT)
    return None


def _wrong_hours(given: Mapping[str, Any], name: str) -> FieldError | None:
    try:
        if given.get(name):
            parsed_hours(given[name])
    except ValueError as error:
        # What they may be is more than the pattern of a text can say.
        return FieldError(name, f"{name}: {error}.", ProblemCode.DOES_NOT_FIT)
    return None


def _too_many(name: str, others: Iterable[Contact | NotificationRoute]) -> FieldError | None:
    count = sum(one.id != name for one in others)
    return FieldError("", f"There are {count} already; at most {_MOST} are kept.") if count >= _MOST else None
