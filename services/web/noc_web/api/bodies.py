"""What requests carry. Targets, groups and sites are checked field by field by the catalogue; these types document them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, json

from noc_bus.messages import (
    GROUP_PATTERN,
    LONGEST_COMMENT,
    LONGEST_POST_MORTEM,
    MAIL_PATTERN,
    SLUG,
    Address,
    Channel,
    Contact,
    MailAddress,
    Maintenance,
    Message,
    NotificationRoute,
    Slug,
    Target,
    fields_of,
)
from noc_bus.time import Time
from noc_rules.periods import Every
from noc_rules.uptime import PROFILES
from noc_web.api.route import Body
from noc_web.auth.accounts import NAME_PATTERN, THEMES
from noc_web.auth.actor import ROLES
from noc_web.calendars import HOLIDAY, HOURS, MOST_HOLIDAYS, ZONE
from noc_web.catalog.maintenances import ACCEPTED, MOST_MINUTES
from noc_web.catalog.options import GROUP, SITE, TARGET
from noc_web.config import LONGEST_PASSWORD, SHORTEST_PASSWORD
from noc_web.notifications.book import CONTACT, MOST_CHANNELS
from noc_web.reportmails import Recipient

# What people's documents say; `noc_web.notifications` says what is wrong with what they send.
_ASCII: Final = r"^[ -~]*$"
_MAIL_SERVER: Final = (
    r"^$|^smtps?://(?:[\w.~+-]+(?::[\w.~+-]+)?@)?[A-Za-z0-9.-]+(?::[1-9][0-9]{0,3})?(?:\?starttls=[01])?$"
)


def _types(of: type[Message], fields: Iterable[str]) -> dict[str, Any]:
    types = get_type_hints(of, include_extras=True)
    return {field: types[field] for field in fields}


def _optional(name: str, types: Mapping[str, Any], required: tuple[str, ...] = ()) -> type[Struct]:
    """A struct of those fields, each of which may be left out or null unless it is required."""
    needed: list[Any] = [(field, types[field]) for field in required]
    others: list[Any] = [
        (field, kind | None | UnsetType, UNSET) for field, kind in types.items() if field not in required
    ]
    return defstruct(name, [*needed, *others], kw_only=True, forbid_unknown_fields=True)


_OPTIONS: Final = {name: option.own_type for name, option in TARGET.items()}
_SITE: Final = {name: field.own_type for name, field in SITE.items()}
NewTarget: Final = _optional("NewTarget", _OPTIONS, ("address",))
TargetChanges: Final = _optional("TargetChanges", _OPTIONS)
GroupOptions: Final = _optional("GroupOptions", {name: _OPTIONS[name] for name in GROUP})
NewSite: Final = _optional("NewSite", _SITE, ("id",))
SiteFields: Final = _optional("SiteFields", _SITE)
_Maintenance: Final[Any] = _optional(
    "NewMaintenance",
    _types(Maintenance, (name for name in ACCEPTED if name != "minutes")),
    ("title", "covers"),
)
NewMaintenance: Final = defstruct(
    "NewMaintenance",
    [
        (
            "minutes",
            Annotated[
                Annotated[int, Meta(ge=1, le=MOST_MINUTES)] | None,
                Meta(description="how long it lasts, in place of `ends_at`"),
            ]
            | UnsetType,
            UNSET,
        )
    ],
    bases=(_Maintenance,),
    kw_only=True,
    forbid_unknown_fields=True,
)
ChannelFields: Final = _optional("ChannelFields", _types(Channel, fields_of(Channel)), ("kind", "name"))
_Contact: Final[Any] = _optional("ContactFields", _types(Contact, CONTACT), ("name",))
ContactFields: Final = defstruct(
    "ContactFields",
    [
        (
            "channels",
            Annotated[
                list[ChannelFields],  # type: ignore[valid-type]  # made above
                Meta(
                    max_length=MOST_CHANNELS,
                    description="an `url` or `secret` that is left out stays as it is kept under that `id`",
                ),
            ]
            | None
            | UnsetType,
            UNSET,
        )
    ],
    bases=(_Contact,),
    kw_only=True,
    forbid_unknown_fields=True,
)
RouteFields: Final = _optional(
    "RouteFields", _types(NotificationRoute, fields_of(NotificationRoute)), ("name", "contacts")
)
SavedTarget: Final = defstruct(
    "SavedTarget",
    [("warnings", Annotated[list[str], Meta(description="what was accepted, and deserves a second look")])],
    bases=(Target,),
    kw_only=True,
)

_SlugOrNone = Annotated[str, Meta(extra_json_schema={"pattern": f"^({SLUG})?$"})]
_Comment = Annotated[str, Meta(max_length=LONGEST_COMMENT)]
# What is wrong with these is said by those who use them, in sentences; the types document them.
_Name = Annotated[str, Meta(extra_json_schema={"pattern": NAME_PATTERN})]
_Path = Annotated[str, Meta(extra_json_schema={"maxLength": 250, "pattern": GROUP_PATTERN})]
_Address = Annotated[str, Meta(max_length=260, description="a host name or an address, with :PORT where it differs")]
_Role = Annotated[str, Meta(extra_json_schema={"enum": list(ROLES)})]
_Theme = Annotated[str, Meta(extra_json_schema={"enum": list(THEMES)})]
_Password = Annotated[
    str,
    Meta(
        description="none that is easy to guess",
        extra_json_schema={"minLength": SHORTEST_PASSWORD, "maxLength": LONGEST_PASSWORD, "format": "password"},
    ),
]


class At(Body):
    """Which site is to act; left out: one that is online."""

    site: Slug | None = None


class AddressRequest(Body):
    address: Address


class Acknowledging(Body):
    comment: _Comment = ""
    minutes: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_MINUTES)] | None,
        Meta(description="for how long; null: until the incident is over"),
    ] = None


class Commenting(Body):
    comment: Annotated[_Comment, Meta(min_length=1)]


class PostMortemChange(Body):
    text: Annotated[str, Meta(max_length=LONGEST_POST_MORTEM)]
    replaces: Annotated[
        Time | None,
        Meta(description="the `at` of the note that was read and changed; null: there was none"),
    ] = None


class MyChanges(Body):
    theme: _Theme


class PasswordChange(Body):
    new: _Password
    current: str | None = None


class NewUser(Body):
    name: _Name
    role: _Role
    password: _Password


class UserChange(Body):
    role: _Role | None = None
    password: _Password | None = None


class TokenRequest(Body):
    name: _Name
    role: _Role
    days: Annotated[
        Annotated[int, Meta(ge=1, le=3650)] | None,
        Meta(description="so long it is worth something; null: until it is deleted"),
    ] = None
    areas: Annotated[
        tuple[Annotated[str, Meta(max_length=40)], ...],
        Meta(
            max_length=40,
            description="where it may do what its role may, by the first word of the path below /api/v1, such as "
            "reports or targets, and metrics; empty: everywhere",
        ),
    ] = ()


class CalendarFields(Body):
    zone: Annotated[str, Meta(extra_json_schema={"pattern": f"^{ZONE}$"}, description="like Europe/Berlin")] = "UTC"
    hours: Annotated[
        str, Meta(extra_json_schema={"pattern": f"^({HOURS})?$"}, description="which hours count; empty: all")
    ] = ""
    holidays: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"pattern": f"^{HOLIDAY}$"})], ...],
        Meta(max_length=MOST_HOLIDAYS, description="days that do not count"),
    ] = ()
    goal_pct: Annotated[float, Meta(ge=0, le=100, description="so much of the hours is to be uptime")] | None = None


class ReportMailFields(Body):
    every: Every
    recipients: Annotated[tuple[Recipient, ...], Meta(min_length=1, max_length=50)]
    title: Annotated[str, Meta(max_length=120, description="empty: NOC_REPORT_TITLE")] = ""
    hour: Annotated[int, Meta(ge=0, le=23, description="of the recipient's clock, on the day after the period")] = 7
    zone: Annotated[
        str, Meta(extra_json_schema={"pattern": f"^{ZONE}$"}, description="of recipients that have none of their own")
    ] = "UTC"
    group: Annotated[_Path, Meta(description="only targets in this group and below; empty: all")] = ""
    tag: Annotated[_SlugOrNone, Meta(description="only targets with this tag; empty: all")] = ""
    profile: Annotated[str, Meta(extra_json_schema={"enum": list(PROFILES)}, description="what counts as downtime")] = (
        "standard"
    )
    calendar: Annotated[_SlugOrNone, Meta(description="whose hours and goal count; empty: none")] = ""


class KeyRequest(Body):
    addresses: Annotated[
        tuple[_Address, ...],
        Meta(
            max_length=8,
            description="where the site reaches the broker, before the addresses that this machine knows of",
        ),
    ] = ()
    through: Annotated[
        str,
        Meta(
            max_length=300,
            description="the address of a proxy by which alone the site reaches the broker; empty: none. https:// where "
            "it passes WebSockets on to the path /mqtt of the listener for sites; mqtts:// where the broker is a "
            "Mosquitto, and it passes on what is inside TLS",
        ),
    ] = ""


class KeyChange(Body):
    disabled: bool


class MailChanges(Body):
    mail_server: (
        Annotated[
            str,
            Meta(
                max_length=500,
                description="smtp://host:587 or smtps://host:465, as NOC_SMTP_URL; a user and password in it are kept apart",
                extra_json_schema={"pattern": _MAIL_SERVER},
            ),
        ]
        | None
    ) = None
    mail_user: Annotated[str, Meta(max_length=200, extra_json_schema={"pattern": _ASCII})] | None = None
    mail_password: (
        Annotated[
            str,
            Meta(
                max_length=500,
                description="never shown again",
                extra_json_schema={"format": "password", "pattern": _ASCII},
            ),
        ]
        | None
    ) = None
    mail_from: Annotated[str, Meta(max_length=254, extra_json_schema={"pattern": rf"^$|{MAIL_PATTERN}"})] | None = None
    mail_to: Annotated[list[MailAddress], Meta(max_length=100)] | None = None


class HeartbeatFields(Body):
    url: Annotated[str, Meta(max_length=1000, description="https://host/path; empty: none")]
    every_s: Annotated[int, Meta(ge=10, le=3600)] = 60


class MailTestRequest(Body):
    """Left out: to whoever is told when nobody else is."""

    contact: Slug | None = None
    heartbeat: Annotated[
        bool, Meta(description="true: no mail to anybody, ask for the address of the heartbeat once")
    ] = False


class TargetsFile(Struct):
    """The JSON file of the export, which the import takes: options by group, sites, and targets with their own options."""

    targets: list[NewTarget]  # type: ignore[valid-type]  # made from the message at run time
    groups: dict[_Path, GroupOptions] = {}  # type: ignore[valid-type]
    sites: list[NewSite] = []  # type: ignore[valid-type]


TargetsBody: Final[Any] = list[NewTarget] | TargetsFile  # type: ignore[valid-type]

for _kind in Body.__subclasses__():
    # Before there are threads: two that use a class first at once crash the process.
    json.Decoder(_kind)
