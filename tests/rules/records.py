"""What a store tells of a target, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from noc_bus.messages import Target
from noc_bus.time import Time


@dataclass(frozen=True)
class Known:
    since: Time
    state: str
    reason: str
    code: str | None
    epoch: int
    seq: int


@dataclass(frozen=True)
class Hole:
    """No cycle between the two."""

    start: Time
    until: Time


@dataclass(frozen=True)
class Defined:
    since: Time
    target: Target | None
