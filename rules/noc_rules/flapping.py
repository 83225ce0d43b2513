"""Which targets change so often that people are told of that, and not of each change; and how many mails are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

WITHIN_S: Final = 1800.0
"""As many changes within so long as its option says are flapping, which is over after as long without one."""
STAYS_DOWN_S: Final = 60.0
"""One that flaps is told of as DOWN once it has stayed so for so long."""
MAX_MAILS: Final = 2
"""To be mailed about one target within that time."""
STEADY_CHECKS: Final = 20
"""Whoever stays DOWN for longer than so many checks is not going up and down: one more mail may tell of it."""
MAX_STEADY_MAILS: Final = MAX_MAILS + 1
STARTS_PCT: Final = 30.0
STOPS_PCT: Final = 25.0
"""Weighted state changes among the last checks: above the one it flaps, from the other on it does no more."""
_CHECKS: Final = 20
_MAX_CHANGES: Final = 100


@dataclass(frozen=True)
class Flap:
    """How often a target went down or came back lately, and was mailed about. Seconds are of a steady clock."""

    changes_s: tuple[float, ...] = ()
    mails_s: tuple[float, ...] = ()
    interval_s: float = 10.0
    """Between its checks."""
    is_limited: bool = True
    """False: each of its changes is mailed, as its option says."""
    is_mailed: bool = True
    """False: that it flaps is not mailed, as its option says; that it is DOWN is."""
    is_flapping: bool = False
    is_told: bool = False
    """Whether people were mailed that it flaps."""
    is_told_down: bool = False
    """Whether people were mailed that it is DOWN, since it last changed."""

    @property
    def changed_s(self) -> float | None:
        """When it last changed."""
        return self.changes_s[-1] if self.changes_s else None


NEVER: Final = Flap()


def changed(flap: Flap, flap_after: int | None, interval_s: float, now_s: float, *, is_mailed: bool = True) -> Flap:
    """It went down or came back. `flap_after`: so many changes are flapping; None: it never flaps."""
    changes_s = (*flap.changes_s, now_s)[-_MAX_CHANGES:]
    flap = replace(
        flap,
        changes_s=changes_s,
        interval_s=interval_s,
        is_limited=flap_after is not None,
        is_mailed=is_mailed,
        is_told_down=False,
    )
    if flap.is_flapping or flap_after is None:
        return flap
    is_often = len(changes_s) >= flap_after and now_s - changes_s[-flap_after] <= WITHIN_S
    return replace(flap, is_flapping=is_often or change_pct(changes_s, interval_s, now_s) > STARTS_PCT)


def change_pct(changes_s: Sequence[float], interval_s: float, now_s: float) -> float:
    """Icinga's figure: the share of the last 20 checks that changed the state, where late ones count more.

    A check for each interval, the last one `now_s`.
    """
    ages = {int((now_s - at_s) / interval_s + 0.5) for at_s in changes_s}
    return 100 * sum(0.8 + 0.02 * (_CHECKS - 1 - age) for age in ages if 0 <= age < _CHECKS) / _CHECKS


def is_calm(flap: Flap, now_s: float) -> bool:
    """Whether one that flaps has not changed for so long that it does no more."""
    if flap.changed_s is None:
        return True
    is_quiet = now_s - flap.changed_s >= WITHIN_S
    return is_quiet and change_pct(flap.changes_s, flap.interval_s, now_s) <= STOPS_PCT


def may_mail_s(flap: Flap, now_s: float) -> float:
    """From when on one more mail about it is not too many."""
    return _room_s(flap, MAX_MAILS, now_s)


def steady_s(interval_s: float) -> float:
    """So long DOWN is longer than what goes up and down stays so."""
    return max(STAYS_DOWN_S, (STEADY_CHECKS + 1) * interval_s)


def tells_down_s(flap: Flap, down_s: float) -> float:
    """Of one that flaps and is DOWN since `down_s`: from when on people are to be told so."""
    usual_s = max(down_s + STAYS_DOWN_S, may_mail_s(flap, down_s))
    return min(usual_s, _steadily_s(flap, down_s))


def is_held(flap: Flap, now_s: float) -> bool:
    """Whether it was mailed about so lately that one more outage is only told of once it lasts."""
    return flap.is_limited and bool(flap.mails_s) and now_s - flap.mails_s[-1] < WITHIN_S


def opens_s(flap: Flap, now_s: float) -> float:
    """From when on people are to be told that it is DOWN again, of one that does not flap and is held."""
    return min(flap.mails_s[-1] + WITHIN_S, _steadily_s(flap, now_s))


def mailed(flap: Flap, now_s: float, *, is_down: bool = False) -> Flap:
    """`is_down`: the mail says that it is DOWN."""
    mails_s = (*flap.mails_s, now_s)[-MAX_STEADY_MAILS:]
    return replace(flap, mails_s=mails_s, is_told=flap.is_flapping, is_told_down=flap.is_told_down or is_down)


def unlimited(flap: Flap) -> Flap:
    """Its option says that each of its changes is mailed."""
    return replace(flap, is_limited=False)


def calmed(flap: Flap) -> Flap:
    """It flaps no more."""
    return replace(flap, is_flapping=False, is_told=False)


def is_past(flap: Flap, now_s: float) -> bool:
    """Whether nothing of it matters any more."""
    return not flap.is_flapping and now_s > past_s(flap)


def past_s(flap: Flap) -> float:
    """After when nothing of it matters any more, where it does not flap."""
    return max((*flap.changes_s[-1:], *flap.mails_s[-1:]), default=float("-inf")) + WITHIN_S


def _steadily_s(flap: Flap, from_s: float) -> float:
    """From when on it has been DOWN for longer than what goes up and down stays so."""
    return max(from_s + steady_s(flap.interval_s), _room_s(flap, MAX_STEADY_MAILS, from_s))


def _room_s(flap: Flap, most: int, now_s: float) -> float:
    is_full = flap.is_limited and len(flap.mails_s) >= most
    return max(now_s, flap.mails_s[-most] + WITHIN_S) if is_full else now_s
