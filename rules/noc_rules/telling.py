"""Who is told of an incident, and why: the contacts of its targets, the routes that match, and else everybody.

Each target that takes part is looked at by itself: its contacts are told, every route that matches adds to them, and
where that names nobody those are told who are told when nobody else is. A recipient, a mail address or a
channel of a contact, is told once, for all the reasons there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from noc_bus.messages import Channel, Contact, NotificationRoute, Target
from noc_bus.time import DAY_MS, Time
from noc_rules.calendar import Calendar, parsed_hours, zone_of
from noc_rules.inheritance import is_below
from noc_rules.mail_address import is_mail_address

WEBHOOK: Final = "webhook:"
APPRISE: Final = "apprise:"
NO_MAIL: Final = (WEBHOOK, APPRISE)
"""What a recipient begins with that is a channel of a contact: the contact's id follows, then a slash and the channel's
id; without these two it is the contact's webhook. All others are mail addresses."""


class Because(StrEnum):
    """Why somebody is told."""

    CONTACT = "contact"
    ROUTE = "route"
    EVERYBODY = "everybody"


class Match(StrEnum):
    """Whether a route matches an incident, or the first thing that keeps it from doing so."""

    MATCHES = "matches"
    OTHER_KIND = "other-kind"
    OTHER_SEVERITY = "other-severity"
    OTHER_HOURS = "other-hours"
    OTHER_GROUP = "other-group"
    OTHER_TAGS = "other-tags"
    LATER = "later"
    """It tells only of what has been open for longer."""


class Reason(NamedTuple):
    code: Because
    name: str = ""
    """The target whose contact they are, or the route."""

    def __str__(self) -> str:
        match self.code:
            case Because.CONTACT:
                return f"contact of {self.name}"
            case Because.ROUTE:
                return f"route {self.name}"
            case _:
                return "told when nobody else is"


@dataclass(frozen=True)
class Book:
    """Who there is, and which routes there are."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    routes: tuple[NotificationRoute, ...] = ()
    everybody: tuple[str, ...] = ()
    """Mail addresses of those who are told when nobody else is."""

    def channel(self, recipient: str) -> tuple[Contact, Channel] | None:
        """The channel that a recipient is, and whose; None: it is none, or there is none any more."""
        if is_mail(recipient):
            return None
        owner = self.contacts.get(recipient.partition(":")[2].partition("/")[0])
        if owner is None:
            return None
        return next(((owner, one) for one in channels(owner) if channel_recipient(owner, one) == recipient), None)

    def owner(self, recipient: str) -> Contact | None:
        """The contact that a recipient is of; None: it is nobody's."""
        if found := self.channel(recipient):
            return found[0]
        return next((one for one in self.contacts.values() if recipient in one.mails), None)


@dataclass(frozen=True)
class Occasion:
    """An incident, as far as it matters to who is told. `targets`: those that take part; none: it is about none."""

    kind: str
    severity: str
    targets: Sequence[Target]
    at: Time
    waited_s: float = 0.0
    """For how long it has been told, neither acknowledged nor muted."""


@dataclass(frozen=True)
class Told:
    recipients: Mapping[str, tuple[Reason, ...]]
    """By recipient, in the order in which they were named."""
    unknown: tuple[str, ...] = ()
    """Entries that are neither a mail address nor a contact."""


def told(occasion: Occasion, book: Book) -> Told:
    recipients: dict[str, dict[Reason, None]] = {}
    unknown: dict[str, None] = {}
    timely = [one for one in book.routes if _keeps_off(one, occasion) is None]
    # Thousands of targets are told apart by a few of their options.
    alike = {(one.group, tuple(one.tags), tuple(one.contacts)): one for one in reversed(occasion.targets)}
    for target in (*reversed(alike.values()),) if occasion.targets else (None,):
        entries = [(Reason(Because.CONTACT, target.id), one) for one in target.contacts] if target else []
        entries += [
            (Reason(Because.ROUTE, route.id), one)
            for route in timely
            if _matches_target(route, target) is Match.MATCHES
            for one in route.contacts
        ]
        found = [(reason, to) for reason, entry in entries for to in addresses(entry, book)]
        unknown |= dict.fromkeys(entry for _, entry in entries if not is_known(entry, book))
        for reason, to in found or [(Reason(Because.EVERYBODY), one) for one in book.everybody]:
            recipients.setdefault(to, {})[reason] = None
    return Told({to: tuple(reasons) for to, reasons in recipients.items()}, tuple(unknown))


class Reminder(NamedTuple):
    due_s: float
    """How old the incident is when it is due."""
    route: str
    number: int
    """Of that route's."""


def reminded(occasion: Occasion, book: Book) -> dict[str, Reminder]:
    """Who is told again that it is open: by recipient, the one that was due last of all routes that lead there."""
    found: dict[str, Reminder] = {}
    for route in book.routes:
        if route.remind_min and match(route, occasion) is Match.MATCHES:
            number = int((occasion.waited_s - route.after_min * 60) // (route.remind_min * 60))
            if number > 0:
                one = Reminder((route.after_min + number * route.remind_min) * 60.0, route.id, number)
                for to in [to for entry in route.contacts for to in addresses(entry, book)]:
                    found[to] = max(one, found.get(to, one))
    return found


def is_time(book: Book, before_s: float, after_s: float) -> bool:
    """Whether some route begins to tell of an incident, or tells of it again, between these two ages of it."""
    for route in book.routes:
        starts_s, each_s = route.after_min * 60, route.remind_min * 60
        if before_s < starts_s <= after_s:
            return True
        if each_s and after_s > starts_s and (after_s - starts_s) // each_s > max(0.0, before_s - starts_s) // each_s:
            return True
    return False


def quiet_until(recipient: str, book: Book, now: Time) -> Time | None:
    """When the quiet hours of the contact end that a recipient is of; None: it has none now."""
    owner = book.owner(recipient)
    calendar = _calendar(owner.quiet_hours, owner.zone) if owner is not None and owner.quiet_hours else None
    if calendar is None:
        return None
    # Hours that never end keep nobody from everything for ever.
    spans = calendar.spans(now, now + DAY_MS)
    return Time(spans[0].end) if spans and spans[0].start <= now else None


def match(route: NotificationRoute, occasion: Occasion) -> Match:
    """Whether a route adds to who is told."""
    if (kept_off := _keeps_off(route, occasion)) is not None:
        return kept_off
    matches = [_matches_target(route, one) for one in occasion.targets or (None,)]
    return Match.MATCHES if Match.MATCHES in matches else matches[0]


def is_known(entry: str, book: Book) -> bool:
    return entry in book.contacts or is_mail_address(entry)


def addresses(entry: str, book: Book) -> tuple[str, ...]:
    """By what an entry, a mail address or the id of a contact, is told."""
    if contact := book.contacts.get(entry):
        return (*contact.mails, *(channel_recipient(contact, one) for one in channels(contact)))
    return (entry,) if is_mail_address(entry) else ()


def is_mail(recipient: str) -> bool:
    return not recipient.startswith(NO_MAIL)


def channels(contact: Contact) -> tuple[Channel, ...]:
    """Those of kinds that are known here, its webhook first."""
    first = Channel(id="", kind="webhook", name="webhook", url=contact.webhook_url, secret=contact.webhook_secret)
    every = ([first] if contact.webhook_url else []) + contact.channels
    return tuple(one for one in every if f"{one.kind}:" in NO_MAIL)


def channel_recipient(contact: Contact, channel: Channel) -> str:
    return f"{channel.kind}:{contact.id}/{channel.id}".removesuffix("/")


def _keeps_off(route: NotificationRoute, occasion: Occasion) -> Match | None:
    """What keeps it off whatever the targets are."""
    if route.kinds and occasion.kind not in route.kinds:
        return Match.OTHER_KIND
    if route.severities and occasion.severity not in route.severities:
        return Match.OTHER_SEVERITY
    if occasion.waited_s < route.after_min * 60:
        return Match.LATER
    if route.hours and not within(route.hours, route.zone, occasion.at):
        return Match.OTHER_HOURS
    return None


def _matches_target(route: NotificationRoute, target: Target | None) -> Match:
    if route.groups and (target is None or not _is_in(target.group, route.groups)):
        return Match.OTHER_GROUP
    if route.tags and (target is None or not set(route.tags) & set(target.tags)):
        return Match.OTHER_TAGS
    return Match.MATCHES


def _is_in(group: str, paths: Iterable[str]) -> bool:
    return any(is_below(group, path) for path in paths)


def within(hours: str, zone: str, at: Time) -> bool:
    """Whether a moment is in these hours by the clock of that zone; in what cannot be read, it is: better told twice."""
    calendar = _calendar(hours, zone)
    return calendar is None or bool(calendar.spans(at, at + 1))


def _calendar(hours: str, zone: str) -> Calendar | None:
    """None: a newer version's hours, or a machine without that zone."""
    found = zone_of(zone)
    try:
        return Calendar(found, parsed_hours(hours)) if found else None
    except ValueError:
        return None
