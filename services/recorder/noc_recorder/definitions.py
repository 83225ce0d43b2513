"""What the catalogue said of each target, and since when: the past is judged by what was then in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from noc_bus.bus import Bus
from noc_bus.channels import TARGETS
from noc_bus.messages import Target
from noc_bus.mirror import Mirror
from noc_bus.time import Time
from noc_history.store import Definition
from noc_rules.late import JUDGED


class Definitions:
    """`tick` belongs to the thread that looks after the bus, the rest to the one that writes."""

    def __init__(self, bus: Bus) -> None:
        self._mirror: Mirror[str, Target] = Mirror(bus, TARGETS)
        # None: it was defined once.
        self._last: dict[str, Target | None] = {}
        self._is_compared = False

    def restore(self, stored: Mapping[str, Sequence[Definition]]) -> None:
        """Go on from what is stored."""
        self._last = {name: definitions[-1].target for name, definitions in stored.items()}
        self._is_compared = False

    def forget(self, target: str, kept: Sequence[Definition]) -> None:
        """What is stored of it is gone but what is `kept`: there is nothing to say of it before it is defined anew."""
        self._last[target] = kept[-1].target if kept else None

    def is_known(self, target: str) -> bool:
        """Whether it is or ever was in the catalogue."""
        return target in self._last

    def now(self, target: str) -> Target | None:
        """As the catalogue has it now. From any thread."""
        return self._mirror.get(target)

    def interval_s(self, target: str) -> float | None:
        """How often it is pinged; None where it is in no catalogue."""
        found = self._last.get(target)
        return None if found is None else found.interval_s

    def changed(self, now: Time) -> list[Definition]:
        """What is in force from now on and was not before, to be stored."""
        found = {name: change.after for name, change in self._mirror.take_changes().items()}
        if not self._is_compared and self._mirror.is_complete:
            # What went while no recorder ran is missing in silence.
            self._is_compared = True
            found = {**dict.fromkeys(self._last), **self._mirror.items()}
        changed = [
            Definition(name, now, None if target is None else replace(target, rev=None))
            for name, target in found.items()
            if name not in self._last or _judged(self._last[name]) != _judged(target)
        ]
        self._last |= {one.id: one.target for one in changed}
        return changed

    def tick(self) -> None:
        self._mirror.tick()


def _judged(target: Target | None) -> tuple[object, ...] | None:
    return None if target is None else tuple(getattr(target, name) for name in JUDGED)
