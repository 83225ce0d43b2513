"""What a mail tells, kept in the outbox until it is written: its incident as it was at that moment."""

from __future__ import annotations

from typing import Final

import msgspec

from noc_alerter.ledger import Letter
from noc_bus.codec import decode_other
from noc_bus.messages import Incident, VerdictState
from noc_bus.time import Time
from noc_rules.correlate import IncidentChange
from noc_rules.incident import IncidentKind


class Facts(msgspec.Struct, kw_only=True, frozen=True):
    """Of one change of one incident; the same for all its recipients."""

    incident: Incident
    why: str
    text: str = ""
    state: VerdictState | None = None
    note: str = ""


class HeldBack(msgspec.Struct, kw_only=True, frozen=True):
    """Of the mail that says which mails a recipient does not get yet."""

    per_hour: int
    total: int
    first: list[Incident]
    """At most MAX_NAMED of them, critical ones first."""
    until: Time


MAX_NAMED: Final = 50
OPENED: Final = "opened"
RESOLVED: Final = "resolved"
HELD_BACK: Final = "held-back"


def letters(change: IncidentChange, recipients: tuple[str, ...]) -> tuple[Letter, ...]:
    """One for each recipient."""
    facts = encode(
        Facts(
            incident=change.incident,
            why=change.why,
            text=change.text,
            state=change.state,
            note=change.definition.note if change.definition and change.opens else "",
        )
    )
    transition = OPENED if change.opens else RESOLVED if change.resolves else change.why.value
    return tuple(
        Letter(change.incident.id, transition, recipient, facts, is_critical(change.incident))
        for recipient in recipients
    )


def is_critical(incident: Incident) -> bool:
    """Whether a mail about it may not wait: a critical target, or the NOC itself cannot see."""
    return incident.kind == IncidentKind.BROKER_LOST or any(one.critical for one in incident.members)


def encode(facts: Facts | HeldBack) -> bytes:
    return _encoder.encode(facts)


def decode_facts(content: bytes) -> Facts:
    return _facts.decode(content)


def decode_held_back(content: bytes) -> HeldBack:
    return _held_back.decode(content)


def _as_text(value: object) -> str:
    if isinstance(value, Time):
        return str(value)
    raise NotImplementedError(type(value).__name__)


_encoder: Final = msgspec.json.Encoder(enc_hook=_as_text)
_facts: Final = msgspec.json.Decoder(Facts, dec_hook=decode_other)
_held_back: Final = msgspec.json.Decoder(HeldBack, dec_hook=decode_other)
