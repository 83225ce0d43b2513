"""How much room a history takes, how fast it grows, and how long the disk will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

TIGHT: Final = 0.8
"""The share of a disk from which on somebody should look after it."""
_LONGEST_DAYS: Final = 3650


class Growth(NamedTuple):
    """What one kind of thing adds in a day, and for how many more days nothing of it is old enough to go."""

    bytes_a_day: float
    days_left: float = inf


@dataclass(frozen=True)
class Room:
    """`growth_bytes_a_day`: of what is added now, without what goes. `days_left`: until the disk is full.

    `days_left` None: not within ten years, for what is as old as it is kept makes room for what comes, or the oldest goes
    once there are `max_bytes`, for which the disk has room.
    """

    size_bytes: int
    growth_bytes_a_day: float
    disk_bytes: int
    free_bytes: int
    days_left: int | None
    max_bytes: int | None = None

    @property
    def used(self) -> float:
        """The share of the disk that is taken, by whatever."""
        return 1 - self.free_bytes / self.disk_bytes

    @property
    def is_tight(self) -> bool:
        return self.used >= TIGHT


def room(
    size_bytes: int, growths: Sequence[Growth], disk_bytes: int, free_bytes: int, max_bytes: int | None = None
) -> Room:
    growing = sum(one.bytes_a_day for one in growths if one.days_left > 0)
    is_bounded = max_bytes is not None and max_bytes < size_bytes + free_bytes
    days_left = None if is_bounded else _days_left(growths, free_bytes)
    return Room(size_bytes, growing, disk_bytes, free_bytes, days_left, max_bytes)


def _days_left(growths: Sequence[Growth], free_bytes: float) -> int | None:
    """Each kind grows until it is as old as it is kept."""
    day, left = 0.0, float(free_bytes)
    for end in sorted({min(max(0.0, one.days_left), _LONGEST_DAYS) for one in growths} | {float(_LONGEST_DAYS)}):
        bytes_a_day = sum(one.bytes_a_day for one in growths if one.days_left >= end and end > day)
        if bytes_a_day * (end - day) >= left and bytes_a_day > 0:
            return int(day + left / bytes_a_day)
        left -= bytes_a_day * (end - day)
        day = end
    return None
