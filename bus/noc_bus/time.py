"""Points in time as they travel on the bus: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

import functools
import re
import time
from datetime import UTC, datetime
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WRONG_CLOCK_MS: Final = 2000
"""By more than this a clock that is wrong differs from the others."""

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EARLIEST_S = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_LATEST_S = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())


class Time(int):
    """Milliseconds since 1970 UTC. An `int` in code, an RFC 3339 string on the wire.

    Arithmetic with it gives plain integers of milliseconds.
    """

    __slots__ = ()

    @classmethod
    def now(cls) -> Time:
        return cls(time.time_ns() // 1_000_000)

    @classmethod
    def parse(cls, text: str) -> Time:
        """Read an RFC 3339 date and time with a zone, between the years 2000 and 2200.

        Raises ValueError with a sentence that names the text.
        """
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:60]!r} is not a time; write RFC 3339 with a zone, like 2026-11-24T12:00:00.000Z")
        day, clock, fraction, zone = match.groups()
        try:
            seconds = _from_the_second(day, clock, zone)
        except ValueError as error:
            raise ValueError(f"{text[:60]!r} is not a time: {error}") from None
        if not _EARLIEST_S <= seconds < _LATEST_S:
            raise ValueError(f"{text[:60]!r} lies outside the years 2000 to 2199")
        return cls(seconds * 1000 + int((fraction or "0").ljust(3, "0")[:3]))

    @classmethod
    def from_seconds(cls, seconds: float) -> Time:
        """`seconds` since 1970, as `time.time()` gives them."""
        return cls(round(seconds * 1000))

    def datetime(self) -> datetime:
        return datetime.fromtimestamp(self / 1000, UTC)

    def __str__(self) -> str:
        seconds, ms = divmod(int(self), 1000)
        return f"{_to_the_second(seconds)}.{ms:03d}Z"

    def __repr__(self) -> str:
        return f"Time({self!s})"


@functools.lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    """What thousands of messages of one moment have in common."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


@functools.lru_cache(maxsize=1024)
def _from_the_second(day: str, clock: str, zone: str) -> int:
    """The other way round. Raises ValueError."""
    return int(datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}").timestamp())
