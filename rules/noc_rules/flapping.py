"""Which targets change so often that people are told of that, and not of each change."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

WITHIN_S: Final = 1800.0
"""As many changes within so long as its option says are flapping, which is over after as long without one."""
_MAX_CHANGES: Final = 100
STAYS_DOWN_S: Final = 60.0
"""One that flaps is told of as DOWN once it has stayed so for so long."""
MAX_MAILS: Final = 2
"""To be mailed about one target within that time, while it flaps."""


@dataclass
class _Changes:
    lately: deque[float] = field(default_factory=lambda: deque(maxlen=_MAX_CHANGES))
    mails: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_MAILS))
    is_told_down: bool = False


class Flaps:
    """The changes of all targets, by a steady clock. After a restart everything counts from the start."""

    def __init__(self) -> None:
        self._of: dict[str, _Changes] = {}
        self._flapping: dict[str, None] = {}

    @property
    def flapping(self) -> list[str]:
        return list(self._flapping)

    def is_flapping(self, target: str) -> bool:
        return target in self._flapping

    def changed(self, target: str, flap_after: int | None, now_s: float) -> bool:
        """It went down or came back. Whether it flaps from now on: after so many changes; None: it never does."""
        one = self._of.setdefault(target, _Changes())
        one.lately.append(now_s)
        one.is_told_down = False
        if target in self._flapping or flap_after is None or len(one.lately) < flap_after:
            return False
        if now_s - one.lately[-flap_after] > WITHIN_S:
            return False
        self._flapping[target] = None
        return True

    def is_calm(self, target: str, now_s: float) -> bool:
        """Whether it has not changed for so long that it flaps no more."""
        return now_s - self._of[target].lately[-1] >= WITHIN_S

    def is_to_tell_down(self, target: str, now_s: float) -> bool:
        """Of one that flaps and is DOWN: whether people are to be told so now."""
        one = self._of[target]
        return not one.is_told_down and now_s - one.lately[-1] >= STAYS_DOWN_S and self._may_mail(one, now_s)

    def told_down(self, target: str) -> None:
        self._of[target].is_told_down = True

    def is_told_down(self, target: str) -> bool:
        return self._of[target].is_told_down

    def mailed(self, target: str, now_s: float) -> None:
        self._of[target].mails.append(now_s)

    def over(self, target: str) -> None:
        """It flaps no more, or is gone."""
        self._flapping.pop(target, None)
        self._of.pop(target, None)

    def forget(self, now_s: float) -> None:
        """What has not changed for long; to be called now and then."""
        for target in [one for one, changes in self._of.items() if now_s - changes.lately[-1] > WITHIN_S]:
            if target not in self._flapping:
                del self._of[target]

    def _may_mail(self, one: _Changes, now_s: float) -> bool:
        return len(one.mails) < MAX_MAILS or now_s - one.mails[0] >= WITHIN_S
