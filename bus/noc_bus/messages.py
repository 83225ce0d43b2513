"""The facts and requests that travel on the bus, each declared once.

Every field carries its meaning and its unit. Times are `Time`: RFC 3339 UTC with
milliseconds on the wire. Readers ignore fields they do not know; adding an optional
field is free, renaming one makes a new version of the root topic.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct, json

from noc_bus.time import Time

LONGEST_COMMENT = 500
LONGEST_POST_MORTEM = 10_000
SLUG = r"[a-z0-9][a-z0-9-]{0,62}"
# `(?!\n)$` and not `$`: Python lets `$` match before a trailing newline.
SLUG_PATTERN = rf"^{SLUG}(?!\n)$"

# What misleads whoever reads a text: controls, line separators, and what turns the direction of writing around.
# Joiners, no-break spaces and direction marks are in texts that people really have.
MISLEADING = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
LINE_PATTERN = rf"^[^{MISLEADING}]*(?!\n)$"
LINES_PATTERN = rf"^(?:[^{MISLEADING}]|[\t\n\r])*$"
_VISIBLE = rf"[^{MISLEADING}\s\u200b-\u200f\u2060\ufeff]"
# Paths of groups are parts of addresses, where browsers and proxies take . and .. away.
_GROUP_NAME = rf"(?!\.{{1,2}}(?:/|$))[^\s/{MISLEADING}](?:[^/{MISLEADING}]{{0,61}}[^\s/{MISLEADING}])?"
GROUP_PATTERN = rf"^(?:{_GROUP_NAME}(?:/{_GROUP_NAME})*)?(?!\n)$"
MAIL_PATTERN = r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?!\n)$"
_HOST_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_PATTERN = rf"^(?:{_HOST_LABEL}\.)*[A-Za-z_](?:[A-Za-z0-9_-]{{0,61}}[A-Za-z0-9_])?\.?$"

Slug = Annotated[
    str,
    Meta(
        pattern=SLUG_PATTERN,
        description="lower-case letters, digits and hyphens, at most 63",
        extra_json_schema={"x-accepts": "lower-case letters, digits and hyphens, at most 63"},
    ),
]
_ALTERNATIVES = rf"{SLUG}(?:\|{SLUG}){{0,9}}"
Alternatives = Annotated[
    str,
    Meta(
        pattern=rf"^{_ALTERNATIVES}(?!\n)$",
        extra_json_schema={"x-accepts": "the id of a target, or up to 10 with | between"},
    ),
]
SiteAlternatives = Annotated[
    str,
    Meta(
        pattern=rf"^{SLUG}:(?:-|{_ALTERNATIVES})(?!\n)$",
        extra_json_schema={
            "x-accepts": "a site, a colon, and the id of a target, up to 10 with | between, or - for none"
        },
    ),
]
Text = Annotated[str, Meta(max_length=500)]
Person = Annotated[str, Meta(min_length=1, max_length=120)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Percent = Annotated[float, Meta(ge=0, le=100)]
RttMs = Annotated[float, Meta(ge=0, le=600_000)]


def _form(pattern: str, accepts: str | None = None) -> Meta:
    """What whoever sets a text is held to, and documents say; readers take what an older version let through."""
    return Meta(extra_json_schema={"pattern": pattern} | ({"x-accepts": accepts} if accepts else {}))


_ZONE_NAME = _form(r"^[A-Za-z0-9_+/-]+(?!\n)$", "the name of a time zone, like Europe/Paris")
Address = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=253,
        extra_json_schema={
            "x-accepts": "an IPv4 address, an IPv6 address or a host name",
            "anyOf": [
                {"type": "string", "format": "ipv4"},
                {"type": "string", "format": "ipv6"},
                {"type": "string", "pattern": _HOST_PATTERN},
            ],
        },
    ),
]
MailAddress = Annotated[str, Meta(max_length=254), _form(MAIL_PATTERN, "a mail address")]
Recipient = Annotated[
    str,
    Meta(max_length=254),
    _form(rf"{MAIL_PATTERN}|{SLUG_PATTERN}", "a mail address or the id of a contact"),
]
GroupPath = Annotated[
    str,
    Meta(max_length=250),
    _form(GROUP_PATTERN, "a path of names with slashes between, like core/routers, at most 250 characters"),
]
Line = Annotated[str, Meta(min_length=1), _form(rf"^[^{MISLEADING}]*{_VISIBLE}[^{MISLEADING}]*(?!\n)$")]
Code = Annotated[
    str,
    Meta(
        pattern=SLUG_PATTERN,
        description="names the reason for programs; new ones may come: who does not know one goes by the state",
    ),
]
Kind = Annotated[
    str, Meta(pattern=SLUG_PATTERN, description="new kinds may come: who does not know one shows the text")
]


class State(StrEnum):
    """How a target is, as seen from one site."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


class VerdictState(StrEnum):
    """How a target is, all sites taken together."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    PARTIAL = "PARTIAL"
    DOWN = "DOWN"
    UNREACHABLE = "UNREACHABLE"
    UNKNOWN = "UNKNOWN"
    MAINTENANCE = "MAINTENANCE"
    PAUSED = "PAUSED"


class Message(Struct, kw_only=True, omit_defaults=False, frozen=True):
    """What all messages have in common: immutable, and unknown fields are ignored."""


class Retained(Message, kw_only=True, frozen=True):
    """What is retained says how things are, until its writer replaces or clears it."""

    rev: Annotated[
        Count | None, Meta(description="rises with every retained message of its writer; null: an older writer's")
    ] = None


def fields_of(message: type[Message]) -> tuple[str, ...]:
    """What a message says, in the order declared, without the `rev` that its writer adds."""
    return tuple(name for name in message.__struct_fields__ if name not in Retained.__struct_fields__)


class Summary(Message, kw_only=True, frozen=True):
    """What a writer has retained on one channel, so that a reader knows whether it has it all."""

    count: Count
    rev_sum: Annotated[Count, Meta(description="the sum of their `rev`, modulo 2**53")]


Summaries = Annotated[
    dict[str, Summary] | None,
    Meta(description="by channel, what its writer has retained; null: an older writer, which does not tell"),
]


class Presence(Message, kw_only=True, frozen=True):
    """What prober and service say alike about being there."""

    online: bool
    version: Annotated[str, Meta(max_length=40)] = ""
    since: Annotated[Time | None, Meta(description="when this process started")] = None
    instance: Annotated[
        Annotated[str, Meta(max_length=40)] | None, Meta(description="names this start of the process, at random")
    ] = None
    host: Annotated[str, Meta(max_length=253, description="name of the machine it runs on")] = ""
    address: Annotated[
        str, Meta(max_length=64, description="of that machine, as its own end of the connection to the broker has it")
    ] = ""
    rival: Annotated[
        Annotated[str, Meta(max_length=300)] | None,
        Meta(description="the machine where another one with this name was started, and keeps silent; null: none"),
    ] = None
    silenced: Annotated[
        bool,
        Meta(description="true: another one with this name was there first; this one publishes nothing but this"),
    ] = False
    retained: Summaries = None


def _option(section: str, inherited: Literal["nearest", "added", "level"] | None = None) -> Meta:
    """Where forms show an option of a target, and how groups hand it down; None: it is the target's own affair.

    nearest: the nearest that sets it wins; added: all that is set from the root down adds up, where no `replace_` of the
    same name cuts it off; level: it holds where it is set and is not handed down.
    """
    return Meta(extra_json_schema={"x-section": section} | ({"x-inherited": inherited} if inherited else {}))


_WHAT, _PINGED, _JUDGED, _TOLD = "What", "How it is pinged", "How it is judged", "Who is told"


# What a site is told of a target, too: declared once for both.
_Id = Annotated[Slug, Meta(title="Id", description="names it in topics and addresses, for good"), _option(_WHAT)]
_Address = Annotated[
    Address, Meta(title="Address", description="IPv4 address, IPv6 address or host name"), _option(_WHAT)
]
_Family = Annotated[
    Literal["auto", "4", "6", "both"],
    Meta(title="Family", description="which addresses of a name are pinged; auto takes the first the resolver gives"),
    _option(_PINGED, "nearest"),
]
_IntervalS = Annotated[
    float,
    Meta(ge=1, le=3600, title="Interval", description="seconds between the starts of two cycles"),
    _option(_PINGED, "nearest"),
]
_Packets = Annotated[
    int,
    Meta(ge=1, le=100, title="Packets", description="echo requests in a cycle, per address"),
    _option(_PINGED, "nearest"),
]
_PacketGapMs = Annotated[
    float,
    Meta(ge=1, le=60_000, title="Packet gap", description="between two echo requests of a cycle"),
    _option(_PINGED, "nearest"),
]
_TimeoutMs = Annotated[
    float,
    Meta(ge=10, le=60_000, title="Timeout", description="an echo reply later than this is lost"),
    _option(_PINGED, "nearest"),
]
_SizeBytes = Annotated[int, Meta(ge=24, le=1472, title="Size", description="ICMP payload"), _option(_PINGED, "nearest")]
_Ttl = Annotated[
    Annotated[int, Meta(ge=1, le=255)] | None,
    Meta(title="TTL", description="IP time to live or hop limit; null: the system's"),
    _option(_PINGED, "nearest"),
]
_DownAfter = Annotated[
    int,
    Meta(ge=1, le=100, title="Down after", description="unanswered checks in a row until DOWN"),
    _option(_JUDGED, "nearest"),
]
_UpAfter = Annotated[
    int,
    Meta(ge=1, le=100, title="Up after", description="answered checks in a row until DOWN ends"),
    _option(_JUDGED, "nearest"),
]
_DegradedLossPct = Annotated[
    Percent | None,
    Meta(
        title="Degraded from loss",
        description="loss over the last five cycles from which the target is DEGRADED; null: never",
    ),
    _option(_JUDGED, "nearest"),
]
_DegradedLossClearPct = Annotated[
    Percent | None,
    Meta(
        title="Degraded until loss",
        description="one that is DEGRADED for its loss is so until that is below this; null: below what it began at",
    ),
    _option(_JUDGED, "nearest"),
]
_DegradedRttMs = Annotated[
    RttMs | None,
    Meta(
        title="Degraded from RTT",
        description="median RTT over the last five cycles from which it is DEGRADED; null: never",
    ),
    _option(_JUDGED, "nearest"),
]
_DegradedRttClearMs = Annotated[
    RttMs | None,
    Meta(
        title="Degraded until RTT",
        description="one that is DEGRADED for its RTT is so until that is below this; null: below what it began at",
    ),
    _option(_JUDGED, "nearest"),
]
_DegradedJitterMs = Annotated[
    RttMs | None,
    Meta(
        title="Degraded from jitter",
        description="jitter over the last five cycles (by how much the 95th percentile of the RTT exceeds its median) "
        "from which it is DEGRADED; null: never",
    ),
    _option(_JUDGED, "nearest"),
]
_DegradedJitterClearMs = Annotated[
    RttMs | None,
    Meta(
        title="Degraded until jitter",
        description="one that is DEGRADED for its jitter is so until that is below this; null: below what it began at",
    ),
    _option(_JUDGED, "nearest"),
]
_Paused = Annotated[bool, Meta(title="Paused", description="true: not pinged, not judged"), _option(_WHAT, "nearest")]


class Target(Retained, kw_only=True, frozen=True):
    """A thing to ping, with every option resolved: what its groups set is already applied.

    An option is declared here and nowhere else: title, unit (the end of its name), limits, and how groups hand it down.
    """

    id: _Id
    name: Annotated[Line, Meta(max_length=120, title="Name", description="what people call it"), _option(_WHAT)]
    address: _Address
    family: _Family = "auto"
    interval_s: _IntervalS = 10
    packets: _Packets = 5
    packet_gap_ms: _PacketGapMs = 200
    timeout_ms: _TimeoutMs = 1000
    size_bytes: _SizeBytes = 56
    ttl: _Ttl = None
    down_after: _DownAfter = 5
    up_after: _UpAfter = 2
    flap_after: Annotated[
        Annotated[int, Meta(ge=3, le=100)] | None,
        Meta(
            title="Flapping after",
            description="changes between DOWN and UP within half an hour from which it is flapping, and not each of them "
            "is mailed; null: never",
        ),
        _option(_JUDGED, "nearest"),
    ] = 4
    degraded_loss_pct: _DegradedLossPct = 20
    degraded_loss_clear_pct: _DegradedLossClearPct = None
    degraded_rtt_ms: _DegradedRttMs = None
    degraded_rtt_clear_ms: _DegradedRttClearMs = None
    degraded_jitter_ms: _DegradedJitterMs = None
    degraded_jitter_clear_ms: _DegradedJitterClearMs = None
    uptime_goal_pct: Annotated[
        Percent | None,
        Meta(
            title="Uptime goal",
            description="how much of the time that counts is to be uptime, shown with what is left of it in reports; null: no goal",
        ),
        _option(_JUDGED, "nearest"),
    ] = None
    sites: Annotated[
        Annotated[list[Slug], Meta(max_length=1000)] | None,
        Meta(title="Sites", description="the sites that ping it; null: all sites"),
        _option(_PINGED, "nearest"),
    ] = None
    policy: Annotated[
        str,
        Meta(
            pattern=r"^(majority|any|all|[1-9][0-9]{0,2})(?!\n)$",
            title="Policy",
            description="how many of the seeing sites must say DOWN: majority, any, all, or a number",
            examples=["majority", "any", "all", "1", "2"],
            extra_json_schema={"x-accepts": "majority, any, all or a number of sites"},
        ),
        _option(_JUDGED, "nearest"),
    ] = "majority"
    parents: Annotated[
        list[Slug],
        Meta(
            max_length=100,
            title="Parents",
            description="targets on the path; all of them DOWN makes this UNREACHABLE",
        ),
        _option(_JUDGED),
    ] = []
    parent_groups: Annotated[
        list[Alternatives],
        Meta(
            max_length=20,
            title="More parents",
            description="further targets on every path, like firewall, or alternatives, like core-1|core-2; "
            "all of one entry DOWN makes this UNREACHABLE too",
        ),
        _option(_JUDGED),
    ] = []
    site_parents: Annotated[
        list[SiteAlternatives],
        Meta(
            max_length=200,
            title="Parents by site",
            description="where the path differs: from that site only these count, like paris:router-p or "
            "lyon:core-1|core-2; lyon:- for none",
        ),
        _option(_JUDGED),
    ] = []
    group: Annotated[
        str,
        Meta(
            max_length=250,
            title="Group",
            description="path in the group tree, like core/routers; empty: none",
        ),
        _form(GROUP_PATTERN, "a path of names with slashes between, like core/routers, at most 250 characters"),
        _option(_WHAT),
    ] = ""
    tags: Annotated[
        list[Slug],
        Meta(max_length=100, title="Tags", description="words to find it by; those of its groups are added"),
        _option(_WHAT, "added"),
    ] = []
    replace_tags: Annotated[
        bool,
        Meta(title="Replace tags", description="true: without the tags of the groups above"),
        _option(_WHAT, "level"),
    ] = False
    critical: Annotated[
        bool, Meta(title="Critical", description="mailed at once, whatever grouping says"), _option(_TOLD, "nearest")
    ] = False
    mail_only_critical: Annotated[
        bool,
        Meta(title="Mail only critical", description="true: nobody is mailed about it unless it is critical"),
        _option(_TOLD, "nearest"),
    ] = False
    mail_partial: Annotated[
        bool,
        Meta(title="Mail PARTIAL", description="true: PARTIAL, too, opens an incident and is mailed"),
        _option(_TOLD, "nearest"),
    ] = False
    mail_degraded: Annotated[
        bool,
        Meta(title="Mail DEGRADED", description="true: DEGRADED, too, opens an incident and is mailed"),
        _option(_TOLD, "nearest"),
    ] = False
    mail_flapping: Annotated[
        bool,
        Meta(
            title="Mail flapping",
            description="false: that it starts and stops flapping is kept and shown, but not mailed; that it stays DOWN is",
        ),
        _option(_TOLD, "nearest"),
    ] = True
    contacts: Annotated[
        list[Recipient],
        Meta(
            max_length=100,
            title="Contacts",
            description="who is told of its incidents, mail addresses or ids of contacts, those of its groups added; "
            "routes add to them; where nobody is told: those of NOC_MAIL_TO",
        ),
        _option(_TOLD, "added"),
    ] = []
    replace_contacts: Annotated[
        bool,
        Meta(title="Replace contacts", description="true: without the contacts of the groups above"),
        _option(_TOLD, "level"),
    ] = False
    paused: _Paused = False
    note: Annotated[
        str,
        Meta(max_length=2000, title="Note", description="several lines for people"),
        _form(LINES_PATTERN),
        _option(_TOLD),
    ] = ""


class Assignment(Retained, kw_only=True, frozen=True):
    """A target as one site is to ping and judge it: what its prober needs, and nothing that is for people."""

    id: _Id
    address: _Address
    family: _Family
    interval_s: _IntervalS
    packets: _Packets
    packet_gap_ms: _PacketGapMs
    timeout_ms: _TimeoutMs
    size_bytes: _SizeBytes
    ttl: _Ttl = None
    down_after: _DownAfter
    up_after: _UpAfter
    degraded_loss_pct: _DegradedLossPct
    degraded_loss_clear_pct: _DegradedLossClearPct = None
    degraded_rtt_ms: _DegradedRttMs = None
    degraded_rtt_clear_ms: _DegradedRttClearMs = None
    degraded_jitter_ms: _DegradedJitterMs = None
    degraded_jitter_clear_ms: _DegradedJitterClearMs = None
    parents: Annotated[
        list[Slug],
        Meta(max_length=1000, description="those of its parents that the site pings: looked at when it falls silent"),
    ] = []
    paused: _Paused = False


class AssignmentSummary(Message, kw_only=True, frozen=True):
    """What is assigned to one site, so that its prober knows whether it has it all. Every 10 s."""

    site: Slug
    assigned: Annotated[Summary, Meta(description="of the messages below `assignments/{site}`")]
    at: Annotated[Time, Meta(description="when this was sent, by the clock of the web service")]


class Site(Retained, kw_only=True, frozen=True):
    """A place from which targets are pinged."""

    id: Slug
    label: Annotated[Line, Meta(max_length=120)]
    location: Annotated[str, Meta(max_length=120), _form(LINE_PATTERN)] = ""
    anchors: Annotated[
        list[Address],
        Meta(max_length=20, description="addresses that answer whenever this site has a network; all silent: isolated"),
    ] = []
    expected: Annotated[bool, Meta(description="true: an incident opens when this site goes silent")] = True
    disabled: Annotated[
        bool, Meta(description="true: its key lets nobody in; it is offline, whatever its prober said last")
    ] = False


class ProberPresence(Presence, kw_only=True, frozen=True):
    """Whether a site's prober is there and fit to vote. Also its last will, with online false."""

    site: Slug
    epoch: Annotated[Count | None, Meta(description="names the journal; a new journal has a higher one")] = None
    next_seq: Annotated[Count | None, Meta(description="the sequence number the next record will get")] = None
    targets: Annotated[Count, Meta(description="targets on its schedule, paused ones not counted")] = 0
    echoes_per_s: Annotated[float, Meta(ge=0, le=1e9, description="echo requests sent, mean of the last 10 s")] = 0
    lateness_ms: Annotated[
        float, Meta(ge=0, le=1e12, description="worst delay of a scheduled send in the last 10 s")
    ] = 0
    drops: Annotated[Count, Meta(description="packets the kernel dropped from the ICMP sockets since the start")] = 0
    isolated: Annotated[bool, Meta(description="true: none of its anchors answers, so it casts no vote")] = False
    journal_depth: Annotated[Count, Meta(description="records the recorder's mark has not reached")] = 0
    lost_records: Annotated[
        Count,
        Meta(description="records lost since the start: the journal was full, or could not be written fast enough"),
    ] = 0
    clock: Annotated[
        Time | None, Meta(description="the site's wall clock as this was sent, to compare with your own")
    ] = None
    coverage_pct: Annotated[
        Percent | None, Meta(description="share of the last minute's cycles that could be measured; null: none was due")
    ] = None
    overloaded: Annotated[
        bool, Meta(description="true: it loses cycles to its own lateness or drops, so it casts no vote")
    ] = False


class ProbeResult(Message, kw_only=True, frozen=True):
    """What one cycle of echo requests to one target from one site gave."""

    site: Slug
    target: Slug
    epoch: Count
    seq: Annotated[Count, Meta(description="number of the record in the site's journal, without gaps in an epoch")]
    at: Annotated[Time, Meta(description="the cycle's scheduled start; with site and target it names the cycle")]
    address: Annotated[
        str,
        Meta(
            max_length=520,
            description="what was pinged; two addresses, comma between, where family is both; empty: none known",
        ),
    ]
    sent: Annotated[int, Meta(ge=0, le=200, description="echo requests that left this machine")]
    received: Annotated[int, Meta(ge=0, le=200, description="of those, answered in time")]
    rtts_ms: Annotated[list[RttMs], Meta(max_length=200, description="of the answered ones, in the order sent")]
    late: Annotated[Count, Meta(description="replies that came after the timeout")] = 0
    duplicates: Annotated[Count, Meta(description="second and further replies to one request")] = 0
    errors: Annotated[
        list[Annotated[str, Meta(max_length=200)]],
        Meta(max_length=20, description="ICMP errors and local send errors, each once: evidence, not loss"),
    ] = []
    error_codes: Annotated[list[Code], Meta(max_length=20, description="one for each of `errors`, in their order")] = []
    invalid: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(
            description="why this cycle is not measurable (late schedule, dropped packets, no route, no address); null: it is",
        ),
    ] = None
    invalid_code: Code | None = None


class SiteState(Retained, kw_only=True, frozen=True):
    """How one site sees one target."""

    site: Slug
    target: Slug
    epoch: Count
    seq: Annotated[Count, Meta(description="journal number of the change; a refresh repeats it")]
    state: State
    since: Annotated[Time, Meta(description="start of the first check that showed this state")]
    reason: Text
    code: Annotated[Code | None, Meta(description="of `reason`")] = None
    rtt_ms: Annotated[RttMs | None, Meta(description="median of the last answered cycle; null: none was")] = None
    loss_pct: Annotated[Percent | None, Meta(description="of the last valid cycle; null: none was")] = None
    judged_rtt_ms: Annotated[
        RttMs | None, Meta(description="median of the last five cycles, where it is DEGRADED for it; null: it is not")
    ] = None
    judged_loss_pct: Annotated[
        Percent | None, Meta(description="of the last five cycles, where it is DEGRADED for it; null: it is not")
    ] = None
    at: Annotated[Time, Meta(description="when this was last confirmed; refreshed at least every 60 s while pinged")]


class Replay(Message, kw_only=True, frozen=True):
    """A run of journal records that the recorder's mark has not reached, without holes."""

    site: Slug
    epoch: Count
    oldest_seq: Annotated[Count, Meta(description="first record the journal still has; older ones are gone for good")]
    first_seq: Count
    last_seq: Count
    results: Annotated[list[ProbeResult], Meta(max_length=5000)] = []
    states: Annotated[list[SiteState], Meta(max_length=5000)] = []


class Mark(Retained, kw_only=True, frozen=True):
    """Everything of this site's journal up to and including `seq` is stored durably."""

    site: Slug
    epoch: Count
    seq: Annotated[int, Meta(ge=-1, le=2**53, description="-1: nothing of this epoch yet")]
    at: Time


class Verdict(Retained, kw_only=True, frozen=True):
    """How a target is, all its sites taken together."""

    target: Slug
    state: VerdictState
    since: Time
    reason: Text
    code: Annotated[Code | None, Meta(description="of `reason`")] = None
    sites: Annotated[dict[Slug, State], Meta(description="each site that was asked, as it counted; blind ones UNKNOWN")]
    at: Time


class Acknowledgement(Retained, kw_only=True, frozen=True):
    """A person has taken an incident on."""

    incident: Slug
    by: Person
    at: Time
    comment: Text = ""
    withdrawn: Annotated[bool, Meta(description="true: it is taken back, and nobody has the incident")] = False
    until: Annotated[
        Time | None, Meta(description="from when on nobody has it any more; null: not before it is over")
    ] = None


Minute = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](?!\n)$",
        description="a time of the day by the wall clock, like 02:00",
        extra_json_schema={"x-accepts": "a time of the day like 02:00"},
    ),
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Covered(Message, kw_only=True, frozen=True):
    """What a maintenance window is about."""

    kind: Annotated[
        Literal["target", "group", "tag", "site", "incident", "everything"],
        Meta(
            description="a group with all groups below; a site: what only it sees, and its own silence; an incident: it is "
            "snoozed; everything: with no name"
        ),
    ]
    name: Annotated[str, Meta(max_length=250, description="an id, a path of groups, or a tag")] = ""


class Maintenance(Retained, kw_only=True, frozen=True):
    """Planned work: while one of its windows runs, what it covers is measured and judged, and nobody is mailed of it.

    A weekly or monthly window runs wherever the wall clock of its zone shows a time from `from_time` up to `to_time`: of a
    night whose clocks go forward the hour that is skipped is missing, and one that comes twice counts twice.
    """

    id: Slug
    title: Annotated[Line, Meta(max_length=120, description="what is done, or why")]
    covers: Annotated[list[Covered], Meta(min_length=1, max_length=200)]
    repeats: Literal["once", "weekly", "monthly"] = "once"
    starts_at: Annotated[Time, Meta(description="start of the window; of one that repeats: none starts before")]
    ends_at: Annotated[
        Time | None, Meta(description="end of the window; of one that repeats: none lasts longer; null: it has no end")
    ] = None
    zone: Annotated[
        str, Meta(min_length=1, max_length=64, description="a time zone of the IANA list, like Europe/Berlin")
    ] = "UTC"
    from_time: Annotated[Minute | None, Meta(description="null: it does not repeat")] = None
    to_time: Annotated[
        Minute | None,
        Meta(description="not after `from_time`: on the next day; null: it does not repeat"),
    ] = None
    weekdays: Annotated[
        list[Weekday],
        Meta(
            max_length=7,
            description="on which it starts: weekly, or monthly in `weeks`",
            extra_json_schema={"uniqueItems": True},
        ),
    ] = []
    days: Annotated[
        list[Annotated[int, Meta(ge=-1, le=31, extra_json_schema={"not": {"const": 0}})]],
        Meta(
            max_length=32,
            description="of the month, on which it starts; -1: the last; a day that a month lacks: not in that month",
            extra_json_schema={"uniqueItems": True},
        ),
    ] = []
    weeks: Annotated[
        list[Annotated[int, Meta(ge=-1, le=5, extra_json_schema={"not": {"const": 0}})]],
        Meta(
            max_length=6,
            description="of the month, for `weekdays`: 1 is the first such weekday, -1 the last",
            extra_json_schema={"uniqueItems": True},
        ),
    ] = []
    skipped_from: Annotated[
        Time | None,
        Meta(description="from here to `skipped_until` it does not run: it was ended early; null: it was not"),
    ] = None
    skipped_until: Time | None = None
    by: Annotated[str, Meta(max_length=120, description="who set it up, or changed it last")] = ""
    at: Annotated[Time, Meta(description="when it was set up, or changed last")]


class Muting(Message, kw_only=True, frozen=True):
    """Why nobody is mailed."""

    code: Annotated[
        Code,
        Meta(
            description="maintenance, site-maintenance (only sites in maintenance see it DOWN), parent-maintenance (it lies "
            "behind one in maintenance), snoozed, or confirming (the window is over; a fresh check is waited for); new ones may come"
        ),
    ]
    maintenance: Annotated[Slug, Meta(description="the id of the maintenance")]
    title: Annotated[str, Meta(max_length=120, description="that of the maintenance")] = ""
    since: Time
    until: Annotated[Time | None, Meta(description="the end of the window; null: it has none, or is over")] = None


class Member(Message, kw_only=True, frozen=True):
    """A target that is part of an incident, named as it was when it joined."""

    target: Slug
    name: Annotated[str, Meta(max_length=120)]
    address: Annotated[str, Meta(max_length=253)] = ""
    group: Annotated[str, Meta(max_length=250)] = ""
    critical: bool = False
    joined_at: Time
    left_at: Annotated[Time | None, Meta(description="null: it is still part of it")] = None
    state: Annotated[
        VerdictState | None,
        Meta(
            description="its verdict while it was part of it: DOWN, UNREACHABLE, or any while it flaps; null: not told"
        ),
    ] = None
    behind: Annotated[Slug | None, Meta(description="the DOWN target on every path to it; null: none is")] = None
    flapping: Annotated[
        bool, Meta(description="true: it changes so often that not every change is told; it stays part of the incident")
    ] = False
    muted: Annotated[Muting | None, Meta(description="why nobody is mailed of it; null: people are")] = None


class Comment(Message, kw_only=True, frozen=True):
    """What a person said of an incident."""

    by: Person
    at: Time
    text: Text


class Incident(Retained, kw_only=True, frozen=True):
    """Something is wrong, from the moment it was decided until it was over."""

    id: Slug
    kind: Annotated[
        Kind,
        Meta(
            description="target-down, mass-outage (a site lost sight of many targets at once), target-unresolvable, "
            "target-partial, target-degraded, "
            "site-blind, duplicate, broker-lost, service-trouble, service-away, notices-refused, clock-wrong or expiring; "
            "new kinds may come"
        ),
    ]
    severity: Annotated[Code | None, Meta(description="critical, major or minor; null: an older alerter's")] = None
    targets: Annotated[list[Slug], Meta(description="those of `members`")]
    members: Annotated[
        list[Member], Meta(max_length=200, description="its targets as they were, critical ones first; not all of many")
    ] = []
    total_members: Annotated[Count, Meta(description="how many targets are or were part of it")] = 0
    open_members: Annotated[
        Count | None, Meta(description="how many targets are part of it; null: an older alerter's")
    ] = None
    merged_into: Annotated[
        Slug | None, Meta(description="the incident that it turned out to be part of; null: it is one of its own")
    ] = None
    site: Annotated[Slug | None, Meta(description="the site that is blind, where that is the incident")] = None
    sites: Annotated[
        list[Slug], Meta(max_length=1000, description="from which its targets were DOWN, as people were first told")
    ] = []
    opened_at: Time
    acknowledged: Acknowledgement | None = None
    resolved_at: Annotated[Time | None, Meta(description="null while it is open")] = None
    cause: Text
    code: Annotated[Code | None, Meta(description="of `cause`")] = None
    evidence: Annotated[list[Text], Meta(max_length=100)] = []
    first_unanswered: Annotated[
        dict[Slug, Time],
        Meta(
            max_length=100,
            description="of the target of `cause`, by site that called it DOWN: when the first check began to which "
            "nothing came back, by the site's clock; empty: an older alerter's, or of no target",
        ),
    ] = {}
    muted: Annotated[Muting | None, Meta(description="why nobody is mailed of any of it now; null: people are")] = None
    found_at: Annotated[
        Time | None,
        Meta(description="when data that came late showed it, after it was over; null: it was noticed while it lasted"),
    ] = None
    noted_at: Annotated[
        Time | None,
        Meta(
            description="when somebody last commented on it or wrote its post-mortem; null: nobody has. Of one that is "
            "over, its message comes again"
        ),
    ] = None
    comments: Annotated[
        list[Comment],
        Meta(
            max_length=10,
            description="the latest of what people said of it, the oldest of that first; its timeline has all",
        ),
    ] = []


class LateOutages(Message, kw_only=True, frozen=True):
    """Incidents that only data that came late showed, each of them over.

    A part is sent again until the alerter answers that it has it, which takes each once; then comes the next.
    An incident with more members than it has room for is in several parts, each time with others of them.
    """

    finding: Annotated[Slug, Meta(description="names what was found at one moment; the answers carry it")]
    part: Annotated[int, Meta(ge=1, le=2**53)]
    parts: Annotated[int, Meta(ge=1, le=2**53, description="of so many; with the last people are told")]
    at: Annotated[Time, Meta(description="when it was found")]
    sites: Annotated[list[Slug], Meta(max_length=1000, description="whose data came late")] = []
    incidents: Annotated[list[Incident], Meta(min_length=1, max_length=200)]
    quiet: Annotated[
        list[Slug], Meta(max_length=200, description="those of them of which nobody would have been told in time")
    ] = []


class LateOutagesAnswer(Message, kw_only=True, frozen=True):
    """The alerter keeps these incidents: from now on it sees to them."""

    finding: Slug
    part: Annotated[int, Meta(ge=1, le=2**53)]
    at: Time


class Forgotten(Retained, kw_only=True, frozen=True):
    """A target or a site was deleted, and its history with it: nothing of the time until then is to be kept.

    What is dated later belongs to one that was made anew under the name.
    """

    kind: Literal["target", "site"]
    name: Annotated[Slug, Meta(description="the id of the target or site")]
    at: Annotated[Time, Meta(description="when it was deleted")]


class Event(Message, kw_only=True, frozen=True):
    """Something just happened. A hint to look: what counts is retained elsewhere."""

    kind: Annotated[
        Kind,
        Meta(
            description="target-went-down, target-came-up, target-changed, incident-opened, incident-resolved, "
            "incident-acknowledged, incident-noted (somebody commented on it or wrote its post-mortem) "
            "or incident-found (in data that came late, after it was over); new kinds may come"
        ),
    ]
    at: Time
    target: Slug | None = None
    incident: Slug | None = None
    site: Slug | None = None
    state: Annotated[VerdictState | None, Meta(description="the verdict from now on")] = None
    before: Annotated[VerdictState | None, Meta(description="the verdict until now")] = None
    text: Text


class Command(Message, kw_only=True, frozen=True):
    """Do this once, now: `check` runs a target's cycle, `ping` sends a few echo requests to an address that need be
    no target, `trace` follows the path to either. The verb is in the topic.
    """

    request: Annotated[Slug, Meta(description="chosen by the sender; the reply carries it")]
    target: Annotated[Slug | None, Meta(description="null: `address` instead")] = None
    address: Annotated[Address | None, Meta(description="null: `target` instead")] = None
    at: Annotated[Time, Meta(description="a command older than 60 s is not carried out")]


class Router(Message, kw_only=True, frozen=True):
    """One of those who answered at a step of the way."""

    address: Annotated[str, Meta(max_length=64)]
    name: Annotated[
        Annotated[str, Meta(max_length=253)] | None, Meta(description="reverse name of the address, where known")
    ] = None
    rtts_ms: Annotated[list[RttMs], Meta(max_length=10)] = []
    code: Annotated[
        Code | None, Meta(description="why it let the packet go no further, where that was not its time to live")
    ] = None
    reason: Annotated[Text | None, Meta(description="the same in words")] = None


class Hop(Message, kw_only=True, frozen=True):
    """One step on the way to a target. Address, name and times are those of the first that answered."""

    ttl: Annotated[int, Meta(ge=1, le=64)]
    address: Annotated[Annotated[str, Meta(max_length=64)] | None, Meta(description="null: nobody answered")] = None
    name: Annotated[
        Annotated[str, Meta(max_length=253)] | None, Meta(description="reverse name of the address, where known")
    ] = None
    rtts_ms: Annotated[list[RttMs], Meta(max_length=10)] = []
    routers: Annotated[
        Annotated[list[Router], Meta(max_length=10)] | None,
        Meta(description="all that answered, in the order heard; null: an older prober's"),
    ] = None


class GoodPath(Message, kw_only=True, frozen=True):
    """A path on which the target itself answered."""

    at: Time
    address: Annotated[str, Meta(max_length=64)]
    hops: Annotated[list[Hop], Meta(max_length=64)]


class Trace(Retained, kw_only=True, frozen=True):
    """The path from a site to a target: followed once a day, when the site calls it DOWN, and on request."""

    site: Slug
    target: Slug
    address: Annotated[str, Meta(max_length=64)]
    at: Time
    reached: Annotated[bool, Meta(description="true: the target itself answered")]
    hops: Annotated[list[Hop], Meta(max_length=64)]
    last_good: Annotated[
        GoodPath | None,
        Meta(description="the last path on which it did, where this one broke off; null: none is known"),
    ] = None


class AddressPing(Message, kw_only=True, frozen=True):
    """What echo requests to an address that need be no target gave so far."""

    address: Annotated[str, Meta(max_length=64, description="what was pinged; empty: none known")]
    planned: Annotated[int, Meta(ge=0, le=200, description="echo requests when it is done")]
    sent: Annotated[int, Meta(ge=0, le=200, description="echo requests that left this machine")]
    rtts_ms: Annotated[list[RttMs], Meta(max_length=200, description="of the answered ones, in the order sent")] = []
    errors: Annotated[
        list[Annotated[str, Meta(max_length=200)]],
        Meta(max_length=20, description="ICMP errors and local send errors, each once: evidence, not loss"),
    ] = []
    error_codes: Annotated[list[Code], Meta(max_length=20, description="one for each of `errors`, in their order")] = []
    invalid: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(description="why the figures say nothing about the address; null: they do"),
    ] = None
    invalid_code: Code | None = None


class AddressTrace(Message, kw_only=True, frozen=True):
    """The path from a site to an address that need be no target."""

    address: Annotated[str, Meta(max_length=64)]
    reached: Annotated[bool, Meta(description="true: the address itself answered")]
    hops: Annotated[list[Hop], Meta(max_length=64)]


class Reply(Message, kw_only=True, frozen=True):
    """The answer to a command: an error, or what was asked for. That of `ping` comes in parts."""

    request: Slug
    site: Slug
    target: Annotated[Slug | None, Meta(description="null: `asked` instead")] = None
    asked: Annotated[Address | None, Meta(description="the address of the command; null: it named a target")] = None
    at: Time
    error: Annotated[Annotated[str, Meta(max_length=500)] | None, Meta(description="null: it was carried out")] = None
    code: Annotated[Code | None, Meta(description="of `error`")] = None
    result: Annotated[ProbeResult | None, Meta(description="of `check`")] = None
    trace: Annotated[Trace | None, Meta(description="of `trace`, to a target")] = None
    ping: Annotated[AddressPing | None, Meta(description="of `ping`, and all of it so far")] = None
    address_trace: Annotated[AddressTrace | None, Meta(description="of `trace`, to an address")] = None
    done: Annotated[bool, Meta(description="false: more will follow")] = True


class MailTest(Message, kw_only=True, frozen=True):
    """Send a test mail now to everybody who is told of an incident when nobody else is."""

    request: Annotated[Slug, Meta(description="chosen by the sender; what comes of it carries it")]
    at: Time
    contact: Annotated[Slug | None, Meta(description="send it to this contact instead; null: to everybody")] = None
    heartbeat: Annotated[bool, Meta(description="true: no mail, ask for the address of the heartbeat once")] = False


class MailTestAnswer(Message, kw_only=True, frozen=True):
    """One of the test mails. With neither `answer` nor `error` it is still under way."""

    to: Annotated[str, Meta(max_length=320)]
    answer: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="the mail server's own words on taking it")
    ] = None
    error: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="why it was not taken, with the cure")
    ] = None


class MailTestResult(Message, kw_only=True, frozen=True):
    """What has come of test mails so far: sent at once, and again whenever a mail server has answered."""

    request: Slug
    at: Time
    mails: Annotated[list[MailTestAnswer], Meta(max_length=100)] = []
    done: Annotated[bool, Meta(description="true: nothing is under way any more")] = False
    error: Annotated[Annotated[str, Meta(max_length=500)] | None, Meta(description="null: they were sent")] = None
    code: Annotated[Code | None, Meta(description="of `error`: no-mail or busy; new ones may come")] = None


class ReportMail(Message, kw_only=True, frozen=True):
    """Mail a report to these people. It is sent again until the alerter answers that it is in its outbox, which takes each report once."""

    report: Annotated[Slug, Meta(description="names this report of this period; the answer carries it")]
    at: Time
    to: Annotated[list[Annotated[str, Meta(max_length=320)]], Meta(min_length=1, max_length=50)]
    subject: Annotated[str, Meta(max_length=200)]
    text: Annotated[str, Meta(max_length=100_000)]
    html: Annotated[str, Meta(max_length=200_000)]


class ReportMailAnswer(Message, kw_only=True, frozen=True):
    """A report is in the outbox: from now on the alerter sees to it."""

    report: Slug
    at: Time


class IncidentQuery(Message, kw_only=True, frozen=True):
    """Tell all that is kept of an incident, open or over."""

    request: Annotated[Slug, Meta(description="chosen by the sender; the answer carries it")]
    incident: Slug
    at: Time
    offset: Annotated[Count, Meta(description="how many of its members to leave out")] = 0
    limit: Annotated[int, Meta(ge=0, le=200, description="how many of its members to tell")] = 200


class TimelineEntry(Message, kw_only=True, frozen=True):
    """Something that happened to an incident, and why."""

    at: Time
    code: Annotated[Code, Meta(description="why; new ones may come")]
    target: Annotated[Slug | None, Meta(description="the member it happened to; null: to all of it, or to many")] = None
    by: Annotated[Person | None, Meta(description="who did it; null: it is no person's")] = None
    text: Text = ""


class PostMortem(Message, kw_only=True, frozen=True):
    """What people have learnt from an incident."""

    by: Annotated[Person, Meta(description="who wrote it, or changed it last")]
    at: Annotated[Time, Meta(description="when it was written, or changed last")]
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_POST_MORTEM)]


class IncidentNote(Message, kw_only=True, frozen=True):
    """Keep what a person writes of an incident, open or over. Answered once it is kept; the same one twice is kept once."""

    request: Annotated[Slug, Meta(description="chosen by the sender; the answer carries it")]
    incident: Slug
    at: Time
    by: Person
    kind: Annotated[
        Literal["comment", "post-mortem"],
        Meta(description="a comment is added to its timeline; the post-mortem, of which it has one, is replaced"),
    ]
    text: Annotated[
        str,
        Meta(
            max_length=LONGEST_POST_MORTEM,
            description="of a comment 500 characters at most; an empty post-mortem removes it",
        ),
    ]
    replaces: Annotated[
        Time | None,
        Meta(
            description="the `at` of the post-mortem that it is to replace, null: there is none; where there is another "
            "it is not kept, and the answer has that one"
        ),
    ] = None


class SentMail(Message, kw_only=True, frozen=True):
    """A mail about an incident to one recipient, and what became of it."""

    to: Annotated[str, Meta(max_length=320)]
    about: Annotated[Code, Meta(description="opened, changed or resolved; new ones may come")]
    because: Annotated[Text, Meta(description="why this recipient; empty: an older alerter's")] = ""
    incident: Annotated[Slug | None, Meta(description="null: an older alerter's, or of no single incident")] = None
    state: Annotated[
        Code,
        Meta(
            description="queued, sent, given-up, withdrawn (it was over before it could be sent), digested (part of the one "
            "mail that told of all after the mail server was away) or told-before (by an "
            "alerter whose database was lost); new ones may come"
        ),
    ]
    queued_at: Time
    sent_at: Time | None = None
    error: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="the last refusal; null: there was none")
    ] = None


class IncidentAnswer(Message, kw_only=True, frozen=True):
    """What is kept of an incident: a page of its members, what happened to it, and who was mailed.

    The answer to a note has the incident and its post-mortem only.
    """

    request: Slug
    at: Time
    incident: Annotated[Incident | None, Meta(description="null: none of this id is kept")] = None
    members: Annotated[list[Member], Meta(max_length=200, description="critical ones first")] = []
    timeline: Annotated[
        list[TimelineEntry],
        Meta(max_length=200, description="the latest, comments before all else, told oldest first"),
    ] = []
    post_mortem: Annotated[PostMortem | None, Meta(description="null: nobody has written it")] = None
    mails: Annotated[list[SentMail], Meta(max_length=200, description="the latest, oldest first")] = []


class SealedSettings(Retained, kw_only=True, frozen=True):
    """Settings for one service that only this service can read, for there are secrets in them."""

    reader: Annotated[Slug, Meta(description="the service")]
    content: Annotated[
        str,
        Meta(
            max_length=900_000,
            description="base64 of an X25519 public key and what is sealed with it for the service's `sealing_key`; "
            "for the alerter a NotificationSettings",
        ),
    ]


class Channel(Message, kw_only=True, frozen=True):
    """A way by which a contact is told, beside mail."""

    id: Annotated[Slug, Meta(description="names it among the channels of its contact")]
    kind: Annotated[
        Code,
        Meta(description="webhook, a signed POST, or apprise, whatever Apprise reaches; new ones may come"),
    ]
    name: Annotated[Line, Meta(max_length=60, description="what people call it")]
    url: Annotated[str, Meta(max_length=1000, description="where it leads; may hold secrets"), _form(LINE_PATTERN)]
    secret: Annotated[
        str,
        Meta(max_length=100, description="signs what is posted to a webhook: whsec_ and base64; of others empty"),
        _form(LINE_PATTERN),
    ] = ""


class Contact(Message, kw_only=True, frozen=True):
    """Somebody who is told of incidents: a person or a team."""

    id: Annotated[Slug, Meta(description="names it in targets and routes")]
    name: Annotated[Line, Meta(max_length=120, description="what people call them")]
    mails: Annotated[list[MailAddress], Meta(max_length=20, description="each gets every mail")] = []
    zone: Annotated[
        str,
        Meta(max_length=60, description="time zone, like Europe/Paris"),
        _ZONE_NAME,
    ] = "UTC"
    webhook_url: Annotated[
        str, Meta(max_length=1000, description="gets every notice as a signed POST; empty: none"), _form(LINE_PATTERN)
    ] = ""
    webhook_secret: Annotated[
        str,
        Meta(max_length=100, description="signs what is posted: whsec_ and base64, as Standard Webhooks says"),
        _form(LINE_PATTERN),
    ] = ""
    quiet_hours: Annotated[
        str,
        Meta(
            max_length=300,
            description="days and hours by the clock of `zone`, like Mon-Sun 22:00-06:00 (into the next day), in which only critical incidents "
            "are told at once, all others at their end; empty: none",
        ),
        _form(LINE_PATTERN),
    ] = ""
    channels: Annotated[
        list[Channel], Meta(max_length=10, description="what gets every notice too, beside mails and webhook")
    ] = []


class NotificationRoute(Message, kw_only=True, frozen=True):
    """Who is told of which incidents, beside the contacts of their targets. What is empty matches all."""

    id: Slug
    name: Annotated[Line, Meta(max_length=120, description="what it is for")]
    contacts: Annotated[list[Recipient], Meta(min_length=1, max_length=100, description="who is told")]
    groups: Annotated[
        list[GroupPath], Meta(max_length=100, description="of targets in one of these groups or below them")
    ] = []
    tags: Annotated[list[Slug], Meta(max_length=100, description="of targets with one of these tags")] = []
    severities: Annotated[list[Code], Meta(max_length=10, description="critical, major, minor")] = []
    kinds: Annotated[list[Kind], Meta(max_length=20, description="kinds of incidents")] = []
    hours: Annotated[
        str,
        Meta(
            max_length=300,
            description="days and hours by the clock of `zone`, like Mon-Fri 08:00-18:00, Sat 22:00-06:00 (into Sunday); empty: always",
        ),
        _form(LINE_PATTERN),
    ] = ""
    zone: Annotated[
        str,
        Meta(max_length=60, description="time zone of `hours`, like Europe/Paris"),
        _ZONE_NAME,
    ] = "UTC"
    after_min: Annotated[
        int,
        Meta(
            ge=0,
            le=10_080,
            description="how many minutes it is open and told before this route tells of it, those not counted in which it "
            "is acknowledged or muted; 0: at once",
        ),
    ] = 0
    remind_min: Annotated[
        int,
        Meta(
            ge=0,
            le=10_080,
            description="every so many minutes of the same clock it is told again while it is open; 0: never",
        ),
    ] = 0


class NotificationSettings(Message, kw_only=True, frozen=True):
    """By what mail server people are told, and who. Never on the bus but sealed."""

    mail_server: Annotated[
        str, Meta(max_length=500, description="smtp://host:587 or smtps://host:465, as NOC_SMTP_URL; empty: none")
    ] = ""
    mail_user: Annotated[str, Meta(max_length=200, description="empty: no log-in")] = ""
    mail_password: Annotated[str, Meta(max_length=500)] = ""
    mail_from: Annotated[str, Meta(max_length=254, description="the sender; empty: none is set")] = ""
    mail_to: Annotated[
        list[MailAddress], Meta(max_length=100, description="who is told of an incident when nobody else is")
    ] = []
    heartbeat_url: Annotated[
        str, Meta(max_length=1000, description="is asked for while the alerter can notice an outage; empty: none is")
    ] = ""
    heartbeat_s: Annotated[int, Meta(ge=10, le=3600, description="seconds between two heartbeats")] = 60
    contacts: Annotated[list[Contact], Meta(max_length=1000)] = []
    routes: Annotated[list[NotificationRoute], Meta(max_length=1000)] = []


class SentQuery(Message, kw_only=True, frozen=True):
    """Tell what was sent to whom."""

    request: Annotated[Slug, Meta(description="chosen by the sender; the answer carries it")]
    at: Time
    offset: Annotated[Count, Meta(description="how many of the latest to leave out")] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = 100


class SentAnswer(Message, kw_only=True, frozen=True):
    """What was sent to whom, and what became of it; the latest first."""

    request: Slug
    at: Time
    mails: Annotated[list[SentMail], Meta(max_length=200)] = []
    total: Annotated[Count, Meta(description="how many are kept")] = 0


class ServicePresence(Presence, kw_only=True, frozen=True):
    """Whether a central service is there, and how it is. Also its last will, with online false."""

    service: Slug
    at: Annotated[Time | None, Meta(description="when this was sent; every 10 s")] = None
    figures: Annotated[
        dict[str, float], Meta(max_length=100, description="health figures of the service, units in their names")
    ] = {}
    trouble: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="what keeps it from its work now; null: nothing")
    ] = None
    code: Annotated[Code | None, Meta(description="of `trouble`; no-mail also without one: nobody will be told")] = None
    sealing_key: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="X25519 public key, base64, with which its settings are sealed; null: it takes none"),
    ] = None
    environment: Annotated[
        dict[str, Annotated[str, Meta(max_length=2000)]],
        Meta(
            max_length=20,
            description="those of its sealed settings that its environment sets, by variable, without secrets: these win",
        ),
    ] = {}
    template_faults: Annotated[
        list[Annotated[str, Meta(max_length=500)]],
        Meta(max_length=20, description="which mail templates of one's own are not used, and why"),
    ] = []
    apprise_schemes: Annotated[
        list[Annotated[str, Meta(max_length=40)]],
        Meta(
            max_length=1000,
            description="the URLs that Apprise takes here begin with one of these; empty: it is not installed",
        ),
    ] = []


for _kind in list(vars().values()):
    # msgspec learns a class when it is first used, and crashes the process where two threads do so at once; nobody
    # imports in two threads at once.
    if isinstance(_kind, type) and issubclass(_kind, Struct):
        json.Decoder(_kind)
del _kind
