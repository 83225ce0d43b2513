"""What has changed last, also of what is over: when incidents opened, grew, shrank and ended.

Open incidents are on the bus. Those that have ended are heard once, as they end; what ended while this service was
away is in the history.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import INCIDENTS
from noc_bus.messages import Incident, Member
from noc_bus.time import DAY_MS, Time
from noc_history.store import Store
from noc_web.live.rows import Happened, RecentChange

MOST: Final = 20
LOOKED_BACK_MS: Final = 7 * DAY_MS
# Of one large incident, so that it leaves room for others.
_MEMBERS_OF_ONE: Final = 4
# What goes down or comes back together with its incident is told with it.
_APART_MS: Final = 60_000
# By then the recorder has stored what ended while neither of us heard it.
_LOOK_AGAIN_S: Final = 30.0


class Recent:
    """Fed by the bus from its thread; safe to use from any."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: dict[str, tuple[Time, list[RecentChange]]] = {}
        # Of many that are open few are others than a moment ago.
        self._open: dict[str, tuple[Incident, list[RecentChange]]] = {}
        self._noted: dict[str, Time] = {}
        self._looks_at_s = [clock()]
        self._has_looked = False
        self.version = 0
        """Another number when `changes` and `noted` may be others, though the open incidents are as before."""
        bus.subscribe(INCIDENTS, self._on_incident)
        bus.when_connected(self._on_connected)

    def _on_connected(self) -> None:
        now_s = self._clock()
        with self._lock:
            self._looks_at_s += [now_s, now_s + _LOOK_AGAIN_S]

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        if incident is not None and incident.resolved_at is not None:
            self._remember([incident])

    def _remember(self, incidents: Iterable[Incident]) -> None:
        earliest = Time.now() - LOOKED_BACK_MS
        with self._lock:
            for one in incidents:
                # Of one that was over long ago it may be told that somebody wrote of it.
                if one.resolved_at is not None and one.resolved_at >= earliest:
                    self._ended[one.id] = one.resolved_at, changes_of(one)
                if one.noted_at is not None:
                    self._noted[one.id] = max(one.noted_at, self._noted.get(one.id, one.noted_at))
            for _, name in heapq.nsmallest(
                len(self._ended) - MOST, ((at, name) for name, (at, _) in self._ended.items())
            ):
                del self._ended[name]
            for _, name in heapq.nsmallest(len(self._noted) - MOST, ((at, name) for name, at in self._noted.items())):
                del self._noted[name]
            self.version += 1

    @property
    def noted(self) -> dict[str, Time]:
        """By incident that is over: when somebody last wrote of it, so that who looks at it asks again."""
        with self._lock:
            return dict(self._noted)

    @property
    def is_due(self) -> bool:
        """Whether something may have ended unheard: at the start, and after a connection."""
        with self._lock:
            return any(at_s <= self._clock() for at_s in self._looks_at_s)

    def look_back(self, store: Store) -> None:
        """Raises StoreError: then it is still due."""
        now_s, now = self._clock(), Time.now()
        found = [one for one in store.incidents(Time(now - LOOKED_BACK_MS), now) if one.resolved_at is not None]
        newest = heapq.nlargest(MOST, found, key=lambda one: (one.resolved_at or 0, one.id))
        with self._lock:
            self._has_looked = True
            self._looks_at_s = [at_s for at_s in self._looks_at_s if at_s > now_s]
        self._remember(newest)

    def changes(self, incidents: Iterable[Incident]) -> list[RecentChange] | None:
        """The last of these that are open, and of those that have ended, newest first; None: that is not known yet."""
        with self._lock:
            told = [changes for _, changes in self._ended.values()]
            before, self._open = self._open, {}
            for one in incidents:
                known = before.get(one.id)
                self._open[one.id] = known if known and known[0] is one else (one, changes_of(one))
            told += [changes for name, (_, changes) in self._open.items() if name not in self._ended]
            has_looked = self._has_looked
        found = heapq.nlargest(MOST, (change for changes in told for change in changes), key=_order)
        return found if found or has_looked else None


_RANKS: Final = {what: rank for rank, what in enumerate(Happened)}


def _order(one: RecentChange) -> tuple[object, ...]:
    return one.at, _RANKS[one.what], one.incident, one.target or ""


def changes_of(incident: Incident) -> list[RecentChange]:
    """What became of an incident; nothing of one that turned out to be part of another, which tells it."""
    if incident.merged_into is not None:
        return []
    total = max(incident.total_members, len(incident.targets))
    first = incident.targets[0] if incident.targets else None
    known = {one.target: one for one in incident.members}
    name = (known[first].name if first in known else first) if first else incident.site
    end = incident.resolved_at

    def change(what: Happened, at: Time, since: Time | None = None, member: Member | None = None) -> RecentChange:
        return RecentChange(
            at=at,
            what=what,
            incident=incident.id,
            kind=incident.kind,
            cause=incident.cause,
            target=member.target if member else first,
            name=member.name if member else name,
            total=1 if member else total,
            state=member.state if member else None,
            lasted_s=max(0, at - since) / 1000 if since is not None else None,
        )

    found = [change(Happened.OPENED, incident.opened_at)]
    if end is not None:
        found.append(change(Happened.ENDED, end, incident.opened_at))
    if total > 1:
        members = [
            change(Happened.JOINED, one.joined_at, member=one)
            for one in incident.members
            if one.joined_at - incident.opened_at > _APART_MS
        ]
        members += [
            change(Happened.LEFT, one.left_at, one.joined_at, one)
            for one in incident.members
            if one.left_at is not None and (end is None or end - one.left_at > _APART_MS)
        ]
        found += heapq.nlargest(_MEMBERS_OF_ONE, members, key=_order)
    return found
