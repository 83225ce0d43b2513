"""What is posted to a webhook about an incident: the same facts as its message on the bus has."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import msgspec

from noc_alerter.ledger import Letter
from noc_alerter.notify import letter as letters
from noc_alerter.notify.webhook import Message
from noc_bus.codec import encode
from noc_bus.time import Time


def written(one: Letter, queued_at: Time, public_url: str) -> bytes:
    """The same bytes for every try: its id, and below it the body."""
    about = one.transition.partition("-")[0]
    digest = hashlib.sha256(one.recipient.encode()).hexdigest()[:12]
    if about == letters.FOUND:
        found = letters.decode_found(one.facts)
        said = {
            "type": "incidents.found",
            "timestamp": str(queued_at),
            "data": {
                "incidents": [msgspec.Raw(encode(incident)) for incident in found.first],
                "total": found.total,
                "sites": found.sites,
                "because": one.because,
                "link": f"{public_url}/incidents?show=all" if public_url else "",
            },
        }
        return _joined(f"{one.incident}.{one.transition}.{digest}", said)
    facts = letters.decode_facts(one.facts)
    number = facts.incident.id
    body = {
        "type": f"incident.{about}",
        "timestamp": str(queued_at),
        "data": {
            "incident": msgspec.Raw(encode(facts.incident)),
            "why": facts.why,
            "text": facts.text,
            "note": facts.note,
            "because": one.because,
            "link": f"{public_url}/incidents/{number}" if public_url else "",
        },
    }
    return _joined(f"{number}.{one.transition}.{digest}", body)


def test(now: Time) -> Message:
    """One that says it is a test."""
    text = "This message was sent to try it. Messages about incidents take the same way."
    return read(
        _joined(f"test.{secrets.token_hex(8)}", {"type": "test", "timestamp": str(now), "data": {"text": text}})
    )


def read(content: bytes) -> Message:
    number, _, body = content.partition(b"\n")
    return Message(number.decode(), body)


def _joined(number: str, body: dict[str, Any]) -> bytes:
    return number.encode() + b"\n" + msgspec.json.encode(body)
