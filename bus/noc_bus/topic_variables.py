"""A message names the same ids as its topic: one rule, for writing and for reading."""

from __future__ import annotations

import functools
from typing import Any, Final

from noc_bus.channels import Channel
from noc_bus.messages import Assignment, Incident, Maintenance, Message, Site, Target

_NAMED_BY_ID: Final[dict[str, type[Message] | tuple[type[Message], ...]]] = {
    "target": (Target, Assignment),
    "site": Site,
    "incident": Incident,
    "maintenance": Maintenance,
}


def of_message(channel: Channel[Any], message: Message, given: dict[str, str]) -> dict[str, str]:
    """All variables of the message's topic: those given, the others from its fields."""
    return {name: given.get(name) or _field(name, message) or "" for name in channel.variables}


def contradiction(message: Message, variables: dict[str, str]) -> str | None:
    """Where the payload names another site, target, … than its topic: a sentence. The topic is what the broker guards."""
    for name, value in variables.items():
        named = _field(name, message)
        if named is not None and named != value:
            return f"the topic says {name} {value}, the payload {named[:80]}"
    return None


def _field(name: str, message: Message) -> str | None:
    value = getattr(message, _attribute(name, type(message)), None)
    return value if isinstance(value, str) else None


@functools.cache
def _attribute(name: str, message: type[Message]) -> str:
    return "id" if issubclass(message, _NAMED_BY_ID.get(name, ())) else name
