"""What a mail tells, kept in the outbox until it is written: its incident as it was at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from noc_alerter.ledger import Letter
from noc_bus import codec
from noc_bus.codec import decode_other
from noc_bus.messages import Incident, ReportMail, VerdictState
from noc_bus.time import Time
from noc_rules.cases import Case, Notice
from noc_rules.incident import IncidentKind
from noc_rules.notices import Telling


class Facts(msgspec.Struct, kw_only=True, frozen=True):
    """Of one change of one incident; the same for all its recipients."""

    incident: Incident
    why: str
    text: str = ""
    state: VerdictState | None = None
    note: str = ""
    stem: str = ""
    """Empty: an earlier version's, which called it after its first target."""
    back: int = 0
    """How many have left since the mail before."""


class HeldBack(msgspec.Struct, kw_only=True, frozen=True):
    """Of the mail that says which mails a recipient does not get yet."""

    per_hour: int
    total: int
    first: list[Incident]
    """At most MAX_NAMED of them, critical ones first."""
    until: Time


class Late(msgspec.Struct, kw_only=True, frozen=True):
    """One of the mails that a digest stands for."""

    at: Time
    """When it was queued."""
    transition: str
    facts: Facts


class Digest(msgspec.Struct, kw_only=True, frozen=True):
    """Of the mail that stands for all that a mail server did not take while it was away."""

    total: int
    first: list[Late]
    """At most MAX_DIGESTED of them, the oldest first."""
    until: Time
    """When the latest of them was queued."""


class FoundLate(msgspec.Struct, kw_only=True, frozen=True):
    """Of the mail that names outages which data that came late showed, when they were over."""

    total: int
    sites: list[str]
    """Whose data came late."""
    first: list[Incident]
    """At most MAX_DIGESTED of them, the most severe first, then the oldest; each with its first member."""


_MAX_EVIDENCE: Final = 100
MAX_DIGESTED: Final = 50
DIGEST: Final = "digest"
MAX_NAMED: Final = 20
OPENED: Final = Notice.OPENED.value
CHANGED: Final = Notice.CHANGED.value
HELD_BACK: Final = "held-back"
FOUND: Final = "found"
"""Of a letter about incidents that late data showed: one for each recipient and finding."""
REPORT: Final = "report"
"""Of a letter about no incident: its facts are the report's own message."""


def letters(case: Case, telling: Telling, note: str, now: Time, paths: Sequence[str] = ()) -> list[Letter]:
    """One for each recipient, with why they are told. `note`: of the target it is named after; `paths`: to it, that broke off."""
    facts = encode(
        Facts(
            incident=replace(case.incident, evidence=[*case.incident.evidence, *paths][:_MAX_EVIDENCE]),
            why=case.why or "",
            text=case.text,
            state=case.state,
            note=note,
            stem=case.stem,
            back=case.back,
        )
    )
    is_urgent = case.is_urgent and telling.notice is not Notice.RESOLVED
    return [
        Letter(case.id, telling.transition(to, now), to, facts, is_urgent, because)
        for to, because in telling.recipients.items()
    ]


def stem(incident: Incident) -> str:
    """How an incident is named in its mails from the first to the last, so that they are one thread."""
    name, _ = named(incident)
    more = max(incident.total_members, len(incident.members)) - 1
    return f"{name} and {more:,} more" if more > 0 else name


def named(incident: Incident) -> tuple[str, str]:
    """Name and address of what it is named after, as they were when it opened."""
    if incident.kind == IncidentKind.BROKER_LOST:
        return "the MQTT broker", ""
    if incident.members:
        return plain(incident.members[0].name), plain(incident.members[0].address)
    if incident.site:
        return f"site {incident.site}", ""
    return (plain(incident.targets[0]) if incident.targets else plain(incident.cause)), ""


def plain(text: str) -> str:
    """For a header: no control or direction characters, and not endless."""
    return "".join(one for one in text if one.isprintable())[:120]


def encode(facts: Facts | HeldBack | Digest | FoundLate) -> bytes:
    return _encoder.encode(facts)


def decode_facts(content: bytes) -> Facts:
    return _facts.decode(content)


def decode_digest(content: bytes) -> Digest:
    return _digest.decode(content)


def decode_held_back(content: bytes) -> HeldBack:
    return _held_back.decode(content)


def decode_found(content: bytes) -> FoundLate:
    return _found.decode(content)


def encode_report(report: ReportMail) -> bytes:
    return codec.encode(report)


def decode_report(content: bytes) -> ReportMail:
    return codec.decode(content, ReportMail)


def _as_text(value: object) -> str:
    if isinstance(value, Time):
        return str(value)
    raise NotImplementedError(type(value).__name__)


_encoder: Final = msgspec.json.Encoder(enc_hook=_as_text)
_facts: Final = msgspec.json.Decoder(Facts, dec_hook=decode_other)
_digest: Final = msgspec.json.Decoder(Digest, dec_hook=decode_other)
_found: Final = msgspec.json.Decoder(FoundLate, dec_hook=decode_other)
_held_back: Final = msgspec.json.Decoder(HeldBack, dec_hook=decode_other)
