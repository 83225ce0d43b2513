"""Effective options of a target: its own, else its group's, else those of the groups above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# What a group can set for its members. What names or describes one target is its own affair.
OPTIONS: Final = (
    "family",
    "interval_s",
    "packets",
    "packet_gap_ms",
    "timeout_ms",
    "size_bytes",
    "ttl",
    "down_after",
    "up_after",
    "degraded_loss_pct",
    "degraded_rtt_ms",
    "sites",
    "policy",
    "tags",
    "critical",
    "contacts",
    "paused",
)


def chain(group: str) -> list[str]:
    """A group path and all paths above it, nearest first; the root group is the empty path."""
    parts = [part for part in group.split("/") if part]
    return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]


def resolve(own: Mapping[str, object], group: str, groups: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """The options in force, those nobody sets left out. An option is set where its key is present."""
    effective: dict[str, object] = {}
    for path in reversed(chain(group)):
        effective |= {name: value for name, value in groups.get(path, {}).items() if name in OPTIONS}
    return effective | dict(own)
