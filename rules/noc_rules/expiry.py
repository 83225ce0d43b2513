"""What is about to expire, and when people are told: 30, 7 and 1 days before. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from noc_bus.time import DAY_MS, Time


class ExpiryCode(StrEnum):
    IN_30_DAYS = "expires-in-30-days"
    IN_7_DAYS = "expires-in-7-days"
    IN_1_DAY = "expires-in-1-day"
    EXPIRED = "expired"


_STAGES: Final = (
    (1, ExpiryCode.IN_1_DAY, "expires within a day"),
    (7, ExpiryCode.IN_7_DAYS, "expires within 7 days"),
    (30, ExpiryCode.IN_30_DAYS, "expires within 30 days"),
)


@dataclass(frozen=True)
class Expiring:
    """`what`: how people call it. `life_days`: who is made for a week is not warned of a month before."""

    what: str
    at: Time
    cure: str
    life_days: float | None = None


def warning(found: Iterable[Expiring], now: Time) -> tuple[str, ExpiryCode] | None:
    """All that is due in one sentence, most urgent first, and the code of that one; None: nothing is."""
    due = []
    for one in found:
        left_days = (one.at - now) / DAY_MS
        if left_days <= 0:
            due.append((0, f"{one.what} has expired: {one.cure}", ExpiryCode.EXPIRED))
            continue
        for days, code, words in _STAGES:
            if left_days <= days and (one.life_days is None or one.life_days > days):
                due.append((days, f"{one.what} {words}: {one.cure}", code))
                break
    if not due:
        return None
    due.sort(key=lambda one: one[0])
    return "; ".join(sentence for _, sentence, _ in due)[:500], due[0][2]
