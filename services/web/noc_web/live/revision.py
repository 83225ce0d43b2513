"""Numbered changes: what a page missed can be sent again, and nothing is sent twice."""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from typing import Final

from noc_bus.messages import Incident, VerdictState
from noc_bus.time import Time
from noc_web.live.frames import Event
from noc_web.live.picture import Picture
from noc_web.live.rows import Delta, RecentChange, RunningMaintenance, SiteRow, Snapshot, TargetRow

# Enough for a minute at the highest rate; whoever was away longer gets a new snapshot.
RING: Final = 240
# A snapshot's time sets a page's clock right.
_SNAPSHOT_LIVES_MS: Final = 1000
_NEEDS_NOBODY: Final = frozenset((VerdictState.UP, VerdictState.PAUSED, VerdictState.MAINTENANCE))


class Revisions:
    """Turns the picture's changes into deltas, and keeps the rows as of the last one. Safe to use from any thread."""

    def __init__(self, picture: Picture) -> None:
        self.boot = secrets.token_hex(6)
        self.revision = 0
        self._picture = picture
        self._lock = threading.RLock()
        self._rows: dict[str, TargetRow] = {}
        self._counts: Counter[VerdictState] = Counter()
        self._sites: dict[str, SiteRow] = {}
        self._incidents: dict[str, Incident] = {}
        self._trouble: list[str] = []
        self._services: dict[str, bool] = {}
        self._maintenances: list[RunningMaintenance] = []
        self._changes: list[RecentChange] | None = None
        self._noted: dict[str, Time] = {}
        self._recent_version = -1
        self._all_well = False
        self._nobody_told = False
        self._ring: deque[tuple[int, Event]] = deque(maxlen=RING)
        self._snapshot: tuple[Snapshot, Event] | None = None

    def advance(self, now: Time) -> Delta | None:
        """The next delta, None where nothing that is shown has changed."""
        with self._lock:
            changes = self._picture.take_changes()
            targets, removed = self._look_at_targets(changes.targets)
            sites, removed_sites = self._look_at_sites(changes.sites)
            incidents, removed_incidents = self._look_at_incidents(changes.incidents)
            trouble, services = self._picture.trouble(), self._picture.services()
            maintenances = self._picture.maintenances()
            recent = self._look_at_recent(is_changed=bool(changes.incidents))
            noted = self._picture.recent.noted
            all_well, nobody_told = self._is_all_well(trouble), self._picture.nobody_told
            delta = Delta(
                revision=self.revision + 1,
                at=now,
                kpis=self._kpis(),
                all_well=all_well,
                nobody_told=nobody_told,
                targets=targets,
                removed=removed,
                sites=sites,
                removed_sites=removed_sites,
                incidents=incidents,
                removed_incidents=removed_incidents,
                trouble=trouble if trouble != self._trouble else None,
                services=services if services != self._services else None,
                maintenances=maintenances if maintenances != self._maintenances else None,
                changes=recent if recent != self._changes else None,
                noted=noted if noted != self._noted else None,
            )
            changed = (
                targets, removed, sites, removed_sites, incidents, removed_incidents, delta.trouble is not None,
                delta.services is not None, delta.maintenances is not None, delta.changes is not None, delta.noted is not None,
                all_well != self._all_well, nobody_told != self._nobody_told,
            )  # fmt: skip
            if not any(changed):
                return None
            self._trouble, self._services, self._maintenances = trouble, services, maintenances
            self._all_well, self._nobody_told, self._changes, self._noted = all_well, nobody_told, recent, noted
            self.revision = delta.revision
            self._ring.append((delta.revision, Event("delta", delta)))
            return delta

    def _look_at_targets(self, names: set[str]) -> tuple[list[TargetRow], list[str]]:
        changed, removed = [], []
        for name in sorted(names):
            before, row = self._rows.get(name), self._picture.target_row(name)
            if row == before:
                continue
            if before is not None:
                self._counts[before.state] -= 1
            if row is None:
                del self._rows[name]
                removed.append(name)
            else:
                self._counts[row.state] += 1
                self._rows[name] = row
                changed.append(row)
        return changed, removed

    def _look_at_sites(self, names: set[str]) -> tuple[list[SiteRow], list[str]]:
        changed, removed = [], []
        for name in sorted(names):
            before, row = self._sites.get(name), self._picture.site_row(name)
            if row == before:
                continue
            if row is None:
                del self._sites[name]
                removed.append(name)
            else:
                self._sites[name] = row
                changed.append(row)
        return changed, removed

    def _look_at_incidents(self, names: set[str]) -> tuple[list[Incident], list[str]]:
        changed, removed = [], []
        for name in sorted(names):
            before, incident = self._incidents.get(name), self._picture.incident(name)
            if incident == before:
                continue
            if incident is None:
                del self._incidents[name]
                removed.append(name)
            else:
                self._incidents[name] = incident
                changed.append(incident)
        return changed, removed

    def _look_at_recent(self, *, is_changed: bool) -> list[RecentChange] | None:
        recent, version = self._picture.recent, self._picture.recent.version
        if not is_changed and version == self._recent_version:
            return self._changes
        self._recent_version = version
        return recent.changes(self._incidents.values())

    def _kpis(self) -> dict[str, int]:
        """The tiles, counted from the very rows that are shown: they cannot disagree with them or each other."""
        return {"total": len(self._rows), **{str(state).lower(): self._counts[state] for state in VerdictState}}

    def _is_all_well(self, trouble: list[str]) -> bool:
        """Something is measured, nothing is wrong, and everything is known."""
        wrong = any(count for state, count in self._counts.items() if state not in _NEEDS_NOBODY)
        return (
            self._counts[VerdictState.UP] > 0
            and not (wrong or trouble or self._incidents)
            and all(map(_is_well, self._sites.values()))
            and self._picture.is_known
        )

    # -- what others ask for

    def current(self) -> Snapshot:
        """Everything as it is now, whether or not a page is open."""
        with self._lock:
            self.advance(Time.now())
            return self.snapshot(Time.now())

    def sites(self) -> list[SiteRow]:
        """Every site that is set up or whose prober was heard, as it is now."""
        return self.current().sites

    def incidents(self) -> list[Incident]:
        """Those that are open now, newest first."""
        return self.current().incidents

    def snapshot(self, now: Time) -> Snapshot:
        """Everything, as of the present revision."""
        with self._lock:
            return Snapshot(
                revision=self.revision,
                boot=self.boot,
                at=now,
                kpis=self._kpis(),
                all_well=self._all_well,
                nobody_told=self._nobody_told,
                complete=self._picture.is_known,
                targets=[self._rows[name] for name in sorted(self._rows)],
                sites=[self._sites[name] for name in sorted(self._sites)],
                incidents=sorted(self._incidents.values(), key=lambda one: one.opened_at, reverse=True),
                trouble=self._trouble,
                services=self._services,
                maintenances=self._maintenances,
                changes=self._changes,
                noted=self._noted,
            )

    def shared_snapshot(self, not_before: Time) -> tuple[int, Event]:
        """The revision and the snapshot of it, made and encoded once for all who wait for it."""
        with self._lock:
            now = Time.now()
            if self._snapshot:
                made, event = self._snapshot
                if made.revision == self.revision and made.at >= not_before and now - made.at < _SNAPSHOT_LIVES_MS:
                    return made.revision, event
            made = self.snapshot(now)
            self._snapshot = made, Event("snapshot", made)
            return made.revision, self._snapshot[1]

    def since(self, boot: object, revision: object, *, whatever_size: bool = False) -> list[tuple[int, Event]] | None:
        """The deltas after `revision`, None where a snapshot is needed instead, or is shorter."""
        with self._lock:
            if boot != self.boot or not isinstance(revision, int) or not 0 <= revision <= self.revision:
                return None
            missed = [(number, event) for number, event in self._ring if number > revision]
            if len(missed) != self.revision - revision:
                return None
            if not whatever_size and self._snapshot and sum(event.size for _, event in missed) > self._snapshot[1].size:
                return None
            return missed


def _is_well(site: SiteRow) -> bool:
    if site.disabled:
        # Somebody has decided that.
        return True
    if len(site.hosts) > 1 or site.clock_wrong:
        return False
    return not site.expected or (site.online and not site.isolated and not site.overloaded)
