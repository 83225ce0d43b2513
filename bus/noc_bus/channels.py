"""The table of topics: who writes each, who reads it, and what is kept.

Topic strings appear here and nowhere else. The AsyncAPI document, the brokers'
permissions and the browser's types are rendered from this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, Literal, TypeVar

from noc_bus import messages as m

DEFAULT_ROOT: Final = "noc/v1"
# What a connection loses is asked for again by whoever counts on it (mirrors, journals). A broker's own care would
# cost both sides most of their work, and does harm: nats-server sends again after 30 s what was replaced long ago.
READ_AT_QOS: Final = 0

Role = Literal["web", "prober", "recorder", "alerter"]
_SLUG: Final = re.compile(m.SLUG)

ROLES: Final[tuple[Role, ...]] = ("web", "prober", "recorder", "alerter")
# A site's name is its broker user, so it must not be able to pass for a service.
RESERVED_SITES: Final = frozenset({"web", "recorder", "alerter", "reader"})


def parse_site(text: str) -> str:
    """A site's name. Raises ValueError with the reason for what cannot be one."""
    if text in RESERVED_SITES:
        raise ValueError("that name belongs to a service")
    if not _SLUG.fullmatch(text):
        raise ValueError("not a slug")
    return text


M = TypeVar("M", bound=m.Message)


@dataclass(frozen=True)
class Channel(Generic[M]):
    """One kind of topic.

    `topic` is a template below the root, its variables in braces. `writers` has one role,
    or all where each service writes the topic with its own name. `{site}` in a topic that a
    prober writes is always that prober's own site, `{service}` always the writer's name.
    `clearers` do not write it, but remove what names something that they have removed.
    `former_readers` read it in the version before: their accounts of that time still may.
    """

    name: str
    topic: str
    message: type[M]
    writers: tuple[Role, ...]
    readers: tuple[Role, ...]
    retained: bool
    qos: Literal[0, 1]
    summary: str
    clearers: tuple[Role, ...] = ()
    former_readers: tuple[Role, ...] = ()

    @cached_property
    def variables(self) -> tuple[str, ...]:
        return tuple(re.findall(r"\{(\w+)\}", self.topic))

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.variables)

    def address(self, root: str, **variables: str) -> str:
        """The topic with every variable filled in. Raises ValueError for a value that is not a slug."""
        if variables.keys() != self._names:
            raise ValueError(f"the topic {self.topic} needs {', '.join(self.variables)}, not {', '.join(variables)}")
        for name, value in variables.items():
            if not _SLUG.fullmatch(value):
                raise ValueError(
                    f"{name} {value[:80]!r} cannot stand in a topic: use lower-case letters, digits, hyphens"
                )
        return f"{root}/{self.topic.format(**variables)}"

    def filter(self, root: str, **variables: str) -> str:
        """The subscription filter: given variables filled in, `+` for the others."""
        return f"{root}/{self.topic.format(**{name: variables.get(name, '+') for name in self.variables})}"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", rf"(?P<\1>{m.SLUG})", self.topic))

    def match(self, root: str, topic: str) -> dict[str, str] | None:
        """The variables of `topic`, or None where it is not one of this channel's."""
        if not topic.startswith(f"{root}/"):
            return None
        found = self._pattern.fullmatch(topic, len(root) + 1)
        return found.groupdict() if found else None


TARGETS: Final = Channel(
    "targets", "targets/{target}", m.Target, ("web",), ("recorder", "alerter", "web"), True, 1,
    "The full definition of a target, group defaults applied.",
    former_readers=("prober",),
)  # fmt: skip
ASSIGNMENTS: Final = Channel(
    "assignments", "assignments/{site}/{target}", m.Assignment, ("web",), ("prober", "web"), True, 1,
    "A target as one site is to ping it.",
)  # fmt: skip
ASSIGNMENT_SUMMARIES: Final = Channel(
    "assignment-summaries", "assignment-summaries/{site}", m.AssignmentSummary, ("web",), ("prober", "web"), True, 1,
    "How much is assigned to a site, every 10 s.",
)  # fmt: skip
SITES: Final = Channel(
    "sites", "sites/{site}", m.Site, ("web",), ("prober", "alerter", "web"), True, 1,
    "A site: its label, place and anchors.",
)  # fmt: skip
PROBERS: Final = Channel(
    "probers", "probers/{site}", m.ProberPresence, ("prober",), ("prober", "alerter", "web"), True, 1,
    "A prober's presence and health, every 10 s, and its last will.",
    clearers=("web",),
)  # fmt: skip
RESULTS: Final = Channel(
    "results", "results/{site}/{target}", m.ProbeResult, ("prober",), ("recorder", "web"), False, 0,
    "One cycle of echo requests, as it ends.",
)  # fmt: skip
REPLAYS: Final = Channel(
    # Not to be sent again by a client library: what the mark does not reach is sent again from the journal.
    "replays", "replays/{site}", m.Replay, ("prober",), ("recorder",), False, 0,
    "A batch of journal records the mark has not reached.",
)  # fmt: skip
MARKS: Final = Channel(
    "marks", "marks/{site}", m.Mark, ("recorder",), ("prober", "recorder", "web"), True, 1,
    "How far a site's journal is stored durably.",
    clearers=("web",),
)  # fmt: skip
STATES: Final = Channel(
    "states", "states/{site}/{target}", m.SiteState, ("prober",), ("prober", "recorder", "alerter", "web"), True, 1,
    "How one site sees one target.",
    clearers=("web",),
)  # fmt: skip
VERDICTS: Final = Channel(
    "verdicts", "verdicts/{target}", m.Verdict, ("alerter",), ("alerter", "web"), True, 1,
    "How a target is, all sites taken together.",
)  # fmt: skip
INCIDENTS: Final = Channel(
    "incidents", "incidents/{incident}", m.Incident, ("alerter",), ("alerter", "recorder", "web"), True, 1,
    "An incident, retained while it is open; its last message has resolved_at and is then cleared.",
)  # fmt: skip
ACKNOWLEDGEMENTS: Final = Channel(
    "acknowledgements", "acknowledgements/{incident}", m.Acknowledgement, ("web",), ("alerter", "web"), True, 1,
    "Who has taken an open incident on; cleared when it is over.",
)  # fmt: skip
MAINTENANCES: Final = Channel(
    "maintenances", "maintenances/{maintenance}", m.Maintenance, ("web",), ("recorder", "alerter", "web"), True, 1,
    "Planned work and its windows, until they are over: nobody is mailed of what they cover.",
)  # fmt: skip
FORGOTTEN: Final = Channel(
    "forgotten", "forgotten/{kind}/{name}", m.Forgotten, ("web",), ("recorder", "web"), True, 1,
    "A target or site whose history was deleted with it: what is dated no later is not kept; cleared after 30 days.",
)  # fmt: skip
EVENTS: Final = Channel(
    "events", "events/{kind}", m.Event, ("alerter",), (), False, 1,
    "Something just happened, for other systems.",
)  # fmt: skip
COMMANDS: Final = Channel(
    "commands", "commands/{site}/{verb}", m.Command, ("web",), ("prober",), False, 1,
    "A request to one site: the verb is check, ping or trace.",
)  # fmt: skip
REPLIES: Final = Channel(
    "replies", "replies/{site}/{request}", m.Reply, ("prober",), ("web",), False, 1,
    "The answer to a command.",
)  # fmt: skip
MAIL_TESTS: Final = Channel(
    "mail-tests", "mail-tests/{request}", m.MailTest, ("web",), ("alerter",), False, 1,
    "A request for test mails.",
)  # fmt: skip
MAIL_TEST_RESULTS: Final = Channel(
    "mail-test-results", "mail-test-results/{request}", m.MailTestResult, ("alerter",), ("web",), False, 1,
    "What has come of test mails so far.",
)  # fmt: skip
REPORT_MAILS: Final = Channel(
    "report-mails", "report-mails/{report}", m.ReportMail, ("web",), ("alerter",), False, 1,
    "A report to be mailed, again and again until it is answered.",
)  # fmt: skip
REPORT_MAIL_ANSWERS: Final = Channel(
    "report-mail-answers", "report-mail-answers/{report}", m.ReportMailAnswer, ("alerter",), ("web",), False, 1,
    "A report is in the outbox.",
)  # fmt: skip
LATE_OUTAGES: Final = Channel(
    "late-outages", "late-outages/{finding}", m.LateOutages, ("recorder",), ("alerter",), False, 1,
    "Incidents that only late data showed, again and again until they are answered.",
)  # fmt: skip
LATE_OUTAGE_ANSWERS: Final = Channel(
    "late-outage-answers", "late-outage-answers/{finding}", m.LateOutagesAnswer, ("alerter",), ("recorder",), False, 1,
    "Incidents that late data showed are kept.",
)  # fmt: skip
INCIDENT_QUERIES: Final = Channel(
    "incident-queries", "incident-queries/{request}", m.IncidentQuery, ("web",), ("alerter",), False, 1,
    "A request for all that is kept of an incident.",
)  # fmt: skip
INCIDENT_ANSWERS: Final = Channel(
    "incident-answers", "incident-answers/{request}", m.IncidentAnswer, ("alerter",), ("web",), False, 1,
    "What is kept of an incident.",
)  # fmt: skip
INCIDENT_NOTES: Final = Channel(
    "incident-notes", "incident-notes/{request}", m.IncidentNote, ("web",), ("alerter",), False, 1,
    "A comment on an incident, or its post-mortem, to be kept; answered below `incident-answers`.",
)  # fmt: skip
SENT_QUERIES: Final = Channel(
    "sent-queries", "sent-queries/{request}", m.SentQuery, ("web",), ("alerter",), False, 1,
    "A request for what was sent to whom.",
)  # fmt: skip
SENT_ANSWERS: Final = Channel(
    "sent-answers", "sent-answers/{request}", m.SentAnswer, ("alerter",), ("web",), False, 1,
    "What was sent to whom.",
)  # fmt: skip
SEALED: Final = Channel(
    "sealed", "sealed/{reader}", m.SealedSettings, ("web",), ("alerter", "web"), True, 1,
    "Settings for one service, sealed with a key that it alone has.",
)  # fmt: skip
TRACES: Final = Channel(
    "traces", "traces/{site}/{target}", m.Trace, ("prober",), ("prober", "recorder", "alerter", "web"), True, 1,
    "The last path found from a site to a target.",
    clearers=("web",),
)  # fmt: skip
SERVICES: Final = Channel(
    "services", "services/{service}", m.ServicePresence, ("recorder", "alerter", "web"),
    ("recorder", "alerter", "web"), True, 1,
    "A central service's presence and health, every 10 s, and its last will.",
    former_readers=("prober",),
)  # fmt: skip

CHANNELS: Final[tuple[Channel[m.Message], ...]] = (
    TARGETS, ASSIGNMENTS, ASSIGNMENT_SUMMARIES, SITES, PROBERS, RESULTS, REPLAYS, MARKS, STATES, VERDICTS, INCIDENTS,
    ACKNOWLEDGEMENTS, MAINTENANCES, FORGOTTEN, EVENTS, COMMANDS, REPLIES, MAIL_TESTS, MAIL_TEST_RESULTS, REPORT_MAILS, REPORT_MAIL_ANSWERS, LATE_OUTAGES, LATE_OUTAGE_ANSWERS, INCIDENT_QUERIES,
    INCIDENT_ANSWERS, INCIDENT_NOTES, SENT_QUERIES, SENT_ANSWERS, SEALED, TRACES, SERVICES,
)  # type: ignore[assignment]  # fmt: skip  # Channel is invariant; the table is only read
