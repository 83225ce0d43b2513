"""Notices, as cycles are stored, when a site did not look at a target for longer than it should have."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from noc_bus.time import Time
from noc_history.store import Silence

_Name = tuple[str, str]
# A cycle late by half an interval was not left out; a second is for intervals of a second.
_TOLERANCE_MS: Final = 1000
_MAX_KNOWN: Final = 1000


def longest_pause_ms(interval_s: float) -> int:
    """Two neighbouring cycles further apart than this have a silence between them."""
    return round(1500 * interval_s) + _TOLERANCE_MS


class Silences:
    """`interval_s` gives a target's interval, or None where it is in no catalogue: then nothing is expected of it.

    Cycles may come in any order: one that was missing shortens or splits the silence it falls into.
    """

    def __init__(self, interval_s: Callable[[str], float | None]) -> None:
        self._interval_s = interval_s
        self._last: dict[_Name, Time] = {}
        # Their starts and ends, in order; few, and most of the time none.
        self._known: dict[_Name, list[tuple[Time, Time]]] = {}

    def restore(self, last_cycles: Mapping[_Name, Time], silences: Iterable[Silence]) -> None:
        """Go on from what is stored."""
        self._last = dict(last_cycles)
        self._known = {}
        for one in silences:
            insort(self._known.setdefault((one.target, one.site), []), (one.start, one.until))

    def forget(self, target: str | None, site: str | None) -> None:
        """Begin anew with a target (`site` None: seen from everywhere) or a site (`target` None: with all it looks at)."""
        for name in [one for one in self._last if target in (None, one[0]) and site in (None, one[1])]:
            del self._last[name]
            self._known.pop(name, None)

    def see(self, target: str, site: str, at: Time) -> list[Silence]:
        """A cycle is stored: what that changes."""
        name = target, site
        last = self._last.get(name)
        if last is None or at > last:
            self._last[name] = at
            return [] if last is None else self._between(name, last, at)
        known = self._known.get(name)
        if not known:
            return []
        place = bisect_left(known, (at, at)) - 1
        if place < 0 or not known[place][0] < at < known[place][1]:
            return []
        start, until = known.pop(place)
        changed = {one.start: one for one in (Silence(target, site, start, start), *self._between(name, start, at))}
        return [*changed.values(), *self._between(name, at, until)]

    def _between(self, name: _Name, start: Time, until: Time) -> list[Silence]:
        interval_s = self._interval_s(name[0])
        if interval_s is None or until - start <= longest_pause_ms(interval_s):
            return []
        known = self._known.setdefault(name, [])
        insort(known, (start, until))
        # What came so long ago is in no journal any more.
        del known[:-_MAX_KNOWN]
        return [Silence(*name, start, until)]
