"""The shapes of answers, for the OpenAPI document; a test holds the real answers against them."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from noc_bus.messages import (
    Incident,
    MailTestAnswer,
    Maintenance,
    Member,
    NotificationRoute,
    PostMortem,
    SentMail,
    Target,
    TimelineEntry,
    Trace,
    VerdictState,
)
from noc_rules.periods import Every
from noc_web.broker.accounts import SiteKey
from noc_web.broker.authority import CertificatesOfSites, ListenerCertificate
from noc_web.live.rows import SiteRow
from noc_web.reportmails import Recipient

At = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})]


class DefinedTarget(TypedDict):
    """The options set on the target itself; those it inherits are only in `resolved`."""

    id: str
    name: str
    address: str
    resolved: Annotated[Target, Meta(description="every option, those of its groups applied")]


class Targets(TypedDict):
    targets: list[DefinedTarget]


class Group(TypedDict):
    path: str
    options: dict[str, Any]
    targets: Annotated[int, Meta(description="targets in this group and those below")]


class Groups(TypedDict):
    groups: list[Group]


class Sites(TypedDict):
    sites: list[SiteRow]


class NextWindow(TypedDict):
    start: At
    end: At


class KeptMaintenance(TypedDict):
    maintenance: Maintenance
    state: Annotated[str, Meta(description="how it is now", extra_json_schema={"enum": ["running", "coming", "past"]})]
    runs_since: Annotated[At | None, Meta(description="start of the window that runs; null: none does")]
    runs_until: Annotated[At | None, Meta(description="its end; null: none runs, or it has no end")]
    next: Annotated[NextWindow | None, Meta(description="the next window; null: none within a hundred days")]


class Maintenances(TypedDict):
    maintenances: list[KeptMaintenance]


class MaintenanceWindow(TypedDict):
    maintenance: Annotated[str, Meta(description="its id")]
    start: At
    end: At


class MaintenanceWindows(TypedDict):
    windows: Annotated[list[MaintenanceWindow], Meta(description="the earliest first, cut to the period")]
    complete: Annotated[bool, Meta(description="false: there are more than these 5,000")]


_Rows = Annotated[
    list[list[float | None]],
    Meta(
        description="rows of: at_ms, rtt_min_ms, rtt_mean_ms, rtt_max_ms, loss_pct, cycles, invalid, rtt_p5_ms, rtt_p25_ms, "
        "rtt_p50_ms, rtt_p75_ms, rtt_p95_ms, blind_pct; percentiles are within 1 % of the true ones, and blind_pct is the "
        "share of the row's time in which nobody looked"
    ),
]
_WidthMs = Annotated[int, Meta(description="how long a row lasts; rows begin at multiples of it")]


class IntervalAnswer(TypedDict):
    start: At
    end: At
    seconds: float
    state: VerdictState
    reason: str
    code: Annotated[str | None, Meta(description="of `reason`; null: none was given")]


class CodeCounts(TypedDict):
    invalid: Annotated[
        dict[str, int], Meta(description="cycles by the code for which they are invalid; empty: none given")
    ]
    errors: Annotated[dict[str, int], Meta(description="errors by their code")]


class StateIntervals(TypedDict):
    overall: list[IntervalAnswer]
    sites: dict[str, list[IntervalAnswer]]


class MaintenanceInterval(TypedDict):
    start: At
    end: At
    maintenance: Annotated[str, Meta(description="its id, also where it was deleted since")]
    title: str


_Works = Annotated[
    list[MaintenanceInterval],
    Meta(description="when the target was in maintenance, by what was then in force; windows may overlap"),
]


class HopChangeAnswer(TypedDict):
    ttl: int
    before: Annotated[list[str], Meta(description="the addresses that answered; empty: none did")]
    after: list[str]


class RouteChangeAnswer(TypedDict):
    site: str
    address: Annotated[str, Meta(description="of the target; a name with several has a route for each")]
    before_at: Annotated[
        str, Meta(description="when the site first saw the route before", extra_json_schema={"format": "date-time"})
    ]
    at: Annotated[str, Meta(description="when it first saw this one", extra_json_schema={"format": "date-time"})]
    hops: Annotated[list[HopChangeAnswer], Meta(description="at which the two contradict each other")]
    text: Annotated[str, Meta(description="the same in words")]


_RouteChanges = Annotated[
    list[RouteChangeAnswer],
    Meta(
        description="where the path of a site became another one: at every hop at which both have answers, one route has a "
        "router in common with itself; silent hops and routers that share the load are no change"
    ),
]
# Written as calls, because `from` is a word of Python's.
History = TypedDict(
    "History",
    {
        "from": At,
        "to": At,
        "points": int,
        "width_ms": _WidthMs,
        "sites": dict[str, _Rows],
        "merged": _Rows,
        "states": NotRequired[StateIntervals],
        "maintenance": NotRequired[_Works],
        "incidents": NotRequired[list[Incident]],
        "routes": NotRequired[_RouteChanges],
        "codes": NotRequired[Annotated[dict[str, CodeCounts], Meta(description="by site")]],
    },
)


class UptimeAnswer(TypedDict):
    pct: Annotated[float | None, Meta(description="null: nothing was measured; 100 only where nothing was down")]
    coverage_pct: Annotated[float, Meta(description="how much of the period was measured")]
    seconds: Annotated[dict[str, float], Meta(description="by state; with `unmonitored_s` they add up to the period")]
    unmonitored_s: Annotated[float, Meta(description="no site was asked yet, or it was in no catalogue")]


States = TypedDict(
    "States",
    {
        "from": At,
        "to": At,
        "overall": list[IntervalAnswer],
        "sites": dict[str, list[IntervalAnswer]],
        "uptime": UptimeAnswer,
        "outages": list[IntervalAnswer],
        "maintenance": _Works,
    },
)


class Asked(TypedDict):
    request: Annotated[str, Meta(description="the reply, on MQTT and in the browser, carries it")]
    site: str


class Traces(TypedDict):
    traces: dict[str, Trace]


Routes = TypedDict(
    "Routes",
    {
        "from": At,
        "to": At,
        "changes": _RouteChanges,
        "paths": Annotated[
            list[Trace],
            Meta(
                description="those stored in the period, newest first, at most 200: each differs from the one before it"
            ),
        ],
        "before": Annotated[list[Trace], Meta(description="of each site the last one stored before the period")],
    },
)


class Incidents(TypedDict):
    incidents: list[Incident]


class RehearsedRecipient(TypedDict):
    to: Annotated[str, Meta(description="a mail address, or webhook: and the id of a contact")]
    name: Annotated[str, Meta(description="of the contact; empty: it is none's")]
    notices: int
    withdrawn: Annotated[int, Meta(description="of incidents that were over before their quiet hours were")]


class RehearsedSide(TypedDict):
    """What came of some settings."""

    group_wait_s: Annotated[float, Meta(description="for how long what goes down together was gathered")]
    incidents: int
    severities: Annotated[dict[str, int], Meta(description="incidents by severity")]
    untold: Annotated[int, Meta(description="incidents of which nobody was told")]
    notices: int
    recipients: Annotated[list[RehearsedRecipient], Meta(description="who got most first")]
    seconds: Annotated[dict[str, float], Meta(description="by state, of all targets together")]
    changed_seconds: Annotated[dict[str, float], Meta(description="the same of those whose options would change")]


class RehearsedIncident(TypedDict):
    kind: str
    severity: str
    opened_at: At
    resolved_at: Annotated[At | None, Meta(description="null: it was open at the end of the period")]
    cause: str
    code: str | None
    targets: Annotated[list[str], Meta(description="ten at most")]
    members: int
    notices: int
    recipients: Annotated[list[str], Meta(description="ten at most")]
    reasons: Annotated[list[str], Meta(description="codes of what happened to it, each once, in order")]


class RehearsedIncidents(TypedDict):
    count: int
    first: Annotated[list[RehearsedIncident], Meta(description="the newest, 100 at most")]


RehearsedEstimate = TypedDict(
    "RehearsedEstimate",
    {
        "target": str,
        "options": Annotated[
            list[str], Meta(description="its options that decide what its sites call it, and would change")
        ],
        "from": Annotated[At, Meta(description="of the first cycle that is kept; both columns begin then")],
        "cycles": Annotated[int, Meta(description="so many were judged once more")],
        "recorded": Annotated[int, Meta(description="how often its sites called it DOWN, all together")],
        "before": Annotated[int, Meta(description="how often they would have with today's options")],
        "after": Annotated[int, Meta(description="how often with those proposed, at most")],
        "assumed": Annotated[
            int, Meta(description="of `after`: hang on re-checks between two cycles, of which nothing is kept")
        ],
    },
)


class RehearsalResult(TypedDict):
    recorded_from: Annotated[At | None, Meta(description="the earliest that is known; null: nothing is")]
    targets: Annotated[int, Meta(description="so many were played")]
    is_of_all: Annotated[
        bool,
        Meta(description="false: only those that share a group or parents with what would change, of very many"),
    ]
    changed: Annotated[list[str], Meta(description="targets whose options would change, 100 at most")]
    changed_count: int
    not_played: Annotated[
        list[str],
        Meta(
            description="options that would change, decide what sites see, and were not estimated: recorded is what they saw without"
        ),
    ]
    not_measured: Annotated[
        list[str], Meta(description="those of `not_played` that cannot be estimated: nothing else was ever sent")
    ]
    estimable: Annotated[list[str], Meta(description="targets of which one at a time can be estimated, 100 at most")]
    estimate: Annotated[RehearsedEstimate | None, Meta(description="null: nothing was estimated, or no cycle is kept")]
    unasked: Annotated[
        list[str], Meta(description="sites that would ping a changed target and did not, so that nobody knows")
    ]
    is_mail_set_up: Annotated[bool, Meta(description="false: nobody is mailed at all now")]
    before: RehearsedSide
    after: RehearsedSide
    appear: RehearsedIncidents
    vanish: RehearsedIncidents


Rehearsed = TypedDict(
    "Rehearsed",
    {
        "id": str,
        "progress_pct": Annotated[int, Meta(description="100: it is there")],
        "from": Annotated[At | None, Meta(description="null: it is not there yet")],
        "to": At | None,
        "result": Annotated[RehearsalResult | None, Meta(description="null: it is not there yet")],
    },
)


_COMPLETE = Meta(description="false: the alerter has not answered; this is what the bus says")


class KeptIncident(TypedDict):
    incident: Incident
    timeline: list[TimelineEntry]
    post_mortem: Annotated[PostMortem | None, Meta(description="null: nobody has written it")]
    mails: list[SentMail]
    complete: Annotated[bool, _COMPLETE]


class Members(TypedDict):
    members: list[Member]
    total: Annotated[int, Meta(description="how many there are")]
    complete: Annotated[bool, _COMPLETE]


class SuggestedParent(TypedDict):
    parent: str
    name: str
    sites: Annotated[
        dict[str, int], Meta(description="from which it is the last target on the path, and at which hop it stands")
    ]
    changes: Annotated[
        dict[str, list[str]],
        Meta(
            description="options of the target that would make it one: `parents`, or `site_parents` where paths differ"
        ),
    ]


class SuggestedParents(TypedDict):
    suggested: Annotated[list[SuggestedParent], Meta(description="that of most sites first")]


class SitePaths(TypedDict):
    site: str
    broken: Annotated[Trace | None, Meta(description="the path of this outage that broke off; null: none is stored")]
    good: Annotated[Trace | None, Meta(description="the last whole one before that; null: none is stored")]
    text: Annotated[str | None, Meta(description="where it broke off, in words; null: it did not")]


class IncidentPaths(TypedDict):
    target: Annotated[str | None, Meta(description="the one that the incident is named after; null: it has none")]
    sites: Annotated[list[SitePaths], Meta(description="those whose path broke off first")]


class ReportTotal(TypedDict):
    uptime_pct: Annotated[float | None, Meta(description="null: nothing counts; 100 only where nothing was down")]
    coverage_pct: Annotated[float, Meta(description="how much of the hours was measured")]
    seconds: Annotated[
        dict[str, float],
        Meta(description="by state; with `unmonitored_s` and `off_hours_s` they add up to the period of every target"),
    ]
    unmonitored_s: Annotated[float, Meta(description="no site was asked yet, or it was in no catalogue")]
    off_hours_s: Annotated[float, Meta(description="outside of `hours`")]
    outages: int
    downtime_s: float
    longest_s: float
    mttr_s: Annotated[float | None, Meta(description="how long an outage lasts on average; null: there was none")]
    mtbf_s: Annotated[float | None, Meta(description="how long it is up for each outage; null: there was none")]
    change_pct: Annotated[
        float | None, Meta(description="percentage points against the period before; null: not asked for, or not known")
    ]
    goal_pct: Annotated[float | None, Meta(description="null: none, or not one and the same for all its targets")]
    budget_s: Annotated[float | None, Meta(description="so much downtime the goal allows")]
    budget_left_s: Annotated[float | None, Meta(description="of it; below 0: the goal is missed")]
    loss_pct: Annotated[float | None, Meta(description="of valid cycles; null: not asked for, or nothing was sent")]
    p50_ms: Annotated[float | None, Meta(description="within 1 %; null: not asked for, or nothing was answered")]
    p95_ms: float | None


class ReportRow(ReportTotal):
    target: Annotated[str | None, Meta(description="null: the row is of a group, a tag or a site")]
    name: str
    group: str
    targets: Annotated[int, Meta(description="how many it is of")]


class Bar(TypedDict):
    start: At
    end: At
    down_s: float


_Bars = Annotated[list[Bar], Meta(description="the period in stretches, with the downtime of all targets together")]
_Progress = Annotated[int, Meta(description="below 100: it is being calculated, and there are no rows yet; ask again")]
_Count = Annotated[int, Meta(description="rows there are, of which these are some")]
_ReportHead = TypedDict(
    "_ReportHead",
    {
        "from": At,
        "to": At,
        "group": str,
        "tag": str,
        "site": str,
        "profile": str,
        "hours": str,
        "calendar": str,
        "progress_pct": _Progress,
        "count": _Count,
        "offset": int,
    },
)


class Report(_ReportHead):
    by: str
    rows: list[ReportRow]
    total: ReportTotal | None
    bars: _Bars


class OutageRow(TypedDict):
    target: str
    name: str
    group: str
    start: At
    end: At
    seconds: Annotated[float, Meta(description="that count")]
    state: VerdictState
    is_ongoing: Annotated[bool, Meta(description="true: it had not ended when the period did")]


class Outages(_ReportHead):
    rows: list[OutageRow]


class CalendarAnswer(TypedDict):
    name: str
    zone: str
    hours: Annotated[str, Meta(description="empty: all")]
    holidays: list[str]
    goal_pct: Annotated[float | None, Meta(description="null: the goals of the targets")]


class Calendars(TypedDict):
    calendars: list[CalendarAnswer]


class ReportMailAnswer(TypedDict):
    name: str
    every: Every
    recipients: list[Recipient]
    title: str
    hour: int
    zone: str
    group: str
    tag: str
    profile: str
    calendar: str
    next_at: Annotated[At, Meta(description="when it is due next")]
    waiting: Annotated[int, Meta(description="mails that the alerter has not taken over yet")]


class ReportMails(TypedDict):
    report_mails: list[ReportMailAnswer]


class Figures(TypedDict):
    cycles: int
    invalid: int
    loss_pct: Annotated[float | None, Meta(description="null: no valid cycle")]
    rtt_p50_ms: Annotated[float | None, Meta(description="the median, within 1 %, as all percentiles")]
    rtt_p95_ms: float | None
    jitter_ms: Annotated[float | None, Meta(description="by how much the 95th percentile exceeds the median")]


class DaysRow(TypedDict):
    target: str
    name: str
    group: str
    days: Annotated[
        list[list[float | None] | None],
        Meta(description="one for each day: null, for nothing was measured, or loss_pct, cycles, invalid"),
    ]


class TopRow(Figures):
    target: str
    name: str
    group: str
    before: Annotated[Figures | None, Meta(description="the period before, of the same length")]


class GroupRow(Figures):
    group: str
    targets: int
    before: Figures | None


class UsualFigures(Figures):
    rtt_p5_ms: float | None


class UsualRow(TypedDict):
    target: str
    name: str
    group: str
    now: Figures
    usual: Annotated[UsualFigures | None, Meta(description="null: there is no such hour yet")]
    weeks: Annotated[int, Meta(description="how many of the four weeks before have such an hour")]


Days = TypedDict("Days", {"from": At, "to": At, "count": _Count, "offset": int, "rows": list[DaysRow]})
Top = TypedDict("Top", {"from": At, "to": At, "by": str, "order": str, "rows": list[TopRow]})
GroupSums = TypedDict("GroupSums", {"from": At, "to": At, "rows": list[GroupRow]})
Unusual = TypedDict("Unusual", {"from": At, "to": At, "rows": list[UsualRow]})


class Room(TypedDict):
    size_bytes: int
    growth_bytes_a_day: Annotated[int, Meta(description="what a day adds now, without what goes for its age")]
    disk_bytes: int
    free_bytes: int
    used_pct: Annotated[float, Meta(description="share of the disk that is taken, by whatever")]
    is_tight: Annotated[bool, Meta(description="four fifths of the disk are taken")]
    days_left: Annotated[int | None, Meta(description="until the disk is full; null: not within ten years")]


class HistoryRoom(TypedDict):
    room: Annotated[Room | None, Meta(description="null: the history is with a server, which alone knows its disk")]


class MailTest(TypedDict):
    request: Annotated[str, Meta(description="names these mails")]
    at: At
    done: Annotated[bool, Meta(description="true: nothing is under way any more")]
    mails: Annotated[list[MailTestAnswer], Meta(description="one for each recipient")]


class ShownChannel(TypedDict):
    id: str
    kind: str
    name: str
    masked_url: Annotated[str, Meta(description="of a webhook its host, of Apprise the service; the rest is not shown")]


class ShownContact(TypedDict):
    id: str
    name: str
    mails: list[str]
    zone: str
    quiet_hours: str
    webhook_url: Annotated[str, Meta(description="empty: none, or whoever asks is no administrator")]
    webhook_host: Annotated[str, Meta(description="where its webhook is; empty: it has none")]
    channels: list[ShownChannel]


class SavedContact(ShownContact):
    webhook_secret: Annotated[
        str,
        Meta(description="what signs, shown this once where it is new; empty: it stays as it was, or none is needed"),
    ]
    channel_secrets: Annotated[
        dict[str, str], Meta(description="by id of a further webhook, what signs, shown this once where it is new")
    ]


class Contacts(TypedDict):
    contacts: list[ShownContact]


class NotificationRoutes(TypedDict):
    routes: list[NotificationRoute]


class TellReason(TypedDict):
    code: Annotated[str, Meta(description="contact, route or everybody; new ones may come")]
    name: Annotated[str, Meta(description="the target whose contact they are, or the route")]
    text: str


class ToldRecipient(TypedDict):
    to: str
    name: Annotated[str, Meta(description="of the contact; empty: an address that is none's")]
    because: list[TellReason]


class RouteMatch(TypedDict):
    id: str
    name: str
    match: Annotated[
        str,
        Meta(
            description="matches, or what keeps it off: other-kind, other-severity, other-hours, other-group, other-tags, later"
        ),
    ]


class WouldBeTold(TypedDict):
    at: At
    kind: str
    severity: str
    told: list[ToldRecipient]
    routes: list[RouteMatch]
    unknown: Annotated[list[str], Meta(description="contacts of the target that there are not")]
    is_mail_set_up: Annotated[bool, Meta(description="false: nobody is mailed before there is a mail server")]


class Heartbeat(TypedDict):
    url: Annotated[str, Meta(description="empty: none is set")]
    every_s: int


class Means(TypedDict):
    is_known: Annotated[bool, Meta(description="false: no alerter has been seen yet")]
    apprise_schemes: Annotated[list[str], Meta(description="empty: Apprise is not installed where the alerter runs")]
    template_faults: Annotated[
        list[str], Meta(description="why mails are sent as they come with NOC, not by a template of one's own")
    ]


class Sent(TypedDict):
    mails: list[SentMail]
    total: int


class MailSettings(TypedDict):
    mail_server: Annotated[str, Meta(description="empty: none is set here")]
    mail_user: str
    mail_from: str
    mail_to: list[str]
    has_password: Annotated[bool, Meta(description="true: one is kept; it is never shown")]
    environment: Annotated[
        dict[str, str],
        Meta(description="by variable, what the alerter's environment sets: it wins over what is set here"),
    ]
    is_alerter_running: bool


class Me(TypedDict):
    name: str
    role: str
    theme: str


class User(TypedDict):
    name: str
    role: str
    created_at: At


class Users(TypedDict):
    users: list[User]


class TokenAnswer(TypedDict):
    name: str
    role: str
    begins_with: str
    created_at: At
    used_at: At | None
    expires_at: Annotated[At | None, Meta(description="null: it does not")]
    areas: Annotated[list[str], Meta(description="where it counts; empty: everywhere")]


class Tokens(TypedDict):
    tokens: list[TokenAnswer]


class NewToken(TypedDict):
    name: str
    token: Annotated[str, Meta(description="shown once; send it as Authorization: Bearer …")]


class Keys(TypedDict):
    site_keys: list[SiteKey]
    certificate: Annotated[
        ListenerCertificate | None,
        Meta(
            description="of the listener for sites; null: there is none, or the service started less than a minute ago"
        ),
    ]
    site_certificates: Annotated[
        CertificatesOfSites,
        Meta(description="issued: new tokens carry a certificate; required: the listener takes nobody without one"),
    ]


class NewKey(TypedDict):
    site: str
    join: Annotated[str, Meta(description="the token that starts the site's prober: noc prober --join …; shown once")]
    expires_at: Annotated[At, Meta(description="when it is worth nothing unless it was used before")]
    warning: Annotated[str | None, Meta(description="what to do before it is used")]


class AuditEntry(TypedDict):
    at: At
    who: str
    act: str
    subject: str
    origin: Annotated[str, Meta(description="the address it came from; empty: not known")]
    detail: dict[str, Any]
    before: Annotated[dict[str, Any], Meta(description="of what differs, how it was")]
    after: Annotated[dict[str, Any], Meta(description="of what differs, how it became")]


class Audit(TypedDict):
    audit: list[AuditEntry]
