"""Why a check is not measurable, and what evidence came with it: words for programs, open to new ones."""

from __future__ import annotations

from enum import StrEnum


class InvalidCode(StrEnum):
    """Why a check says nothing about its target."""

    LATE = "late"
    DROPPED = "dropped"
    ISOLATED = "isolated"
    OVERLOADED = "overloaded"
    RESOLVING = "resolving"
    NO_ADDRESS = "no-address"
    BAD_ADDRESS = "bad-address"
    NO_FAMILY = "no-family"
    NO_ROUTE = "no-route"
    NO_SOURCE = "no-source-address"
    LINK_DOWN = "link-down"
    NO_NEIGHBOUR = "no-neighbour"
    FILTERED = "filtered"
    NO_BUFFER = "no-buffer"
    TOO_LARGE = "too-large"
    NOT_SENT = "not-sent"


class ErrorCode(StrEnum):
    """What was said or seen besides the replies that count. Local send errors have their InvalidCode."""

    NET_UNREACHABLE = "net-unreachable"
    HOST_UNREACHABLE = "host-unreachable"
    PROTOCOL_UNREACHABLE = "protocol-unreachable"
    PORT_UNREACHABLE = "port-unreachable"
    PROHIBITED = "prohibited"
    TOO_LARGE = "too-large"
    TTL_EXCEEDED = "ttl-exceeded"
    REASSEMBLY = "reassembly-time-exceeded"
    PARAMETER_PROBLEM = "parameter-problem"
    OTHER_ERROR = "other-error"
    OTHER_SOURCE = "other-source"
    ALTERED = "altered"
    CUT = "cut"


class ReplyCode(StrEnum):
    """Why a command was not carried out."""

    UNKNOWN_COMMAND = "unknown-command"
    UNKNOWN_TARGET = "unknown-target"
    TOO_OLD = "too-old"
    PAUSED = "paused"
    BUSY = "busy"
    CANNOT_TRACE = "cannot-trace"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_JOURNALED = "not-journaled"


LOST_TO_OURSELVES = frozenset({InvalidCode.LATE, InvalidCode.DROPPED, InvalidCode.OVERLOADED})
"""Checks that this prober was too slow for: no fault of the target, the path or the settings."""
