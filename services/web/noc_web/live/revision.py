"""Numbered changes: what a browser missed can be sent again, and nothing is sent twice."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any, Final

from noc_bus.time import Time
from noc_web.live.view import LiveView, Row, kpis

# Enough for a minute at the highest rate; whoever was away longer gets a new snapshot.
_RING: Final = 240


class Revisions:
    """Turns the view into a snapshot and deltas. Used by one greenlet, or under the view's lock."""

    def __init__(self, view: LiveView) -> None:
        self.boot = secrets.token_hex(6)
        self.revision = 0
        self._view = view
        self._rows: dict[str, Row] = {}
        self._sites: list[Row] = []
        self._trouble: list[str] = []
        self._services: dict[str, bool] = {}
        self._ring: deque[dict[str, Any]] = deque(maxlen=_RING)

    def advance(self, now: Time, trouble: list[str]) -> dict[str, Any] | None:
        """The next delta, None where nothing that is shown has changed."""
        with self._view.lock:
            delta = self._changed_targets(now) | self._changed_sites()
            if self._view.dirty_incidents:
                self._view.dirty_incidents = False
                delta["incidents"] = self._view.open_incidents()
            if trouble != self._trouble:
                self._trouble = delta["trouble"] = trouble
            services = {name: one.online for name, one in self._view.services.items()}
            if services != self._services:
                self._services = delta["services"] = services
            if not delta:
                return None
            self.revision += 1
            delta = {"targets": [], "removed": [], "sites": []} | delta
            delta |= {"revision": self.revision, "at": str(now), "kpis": kpis(self._rows)}
            self._ring.append(delta)
            return delta

    def _changed_targets(self, now: Time) -> dict[str, Any]:
        dirty, self._view.dirty = self._view.dirty, set()
        changed: list[Row] = []
        removed: list[str] = []
        for name in dirty:
            row = self._view.row(name, now)
            if row is None:
                if self._rows.pop(name, None) is not None:
                    removed.append(name)
            elif self._rows.get(name) != row:
                self._rows[name] = row
                changed.append(row)
        return {"targets": changed, "removed": removed} if changed or removed else {}

    def _changed_sites(self) -> dict[str, Any]:
        if not self._view.dirty_sites:
            return {}
        self._view.dirty_sites = False
        before = {row["id"]: row for row in self._sites}
        self._sites = self._view.site_rows()
        changed = [row for row in self._sites if before.get(row["id"]) != row]
        if before.keys() - {row["id"] for row in self._sites}:
            # A delta has no word for a site that is gone: all that are left say it.
            return {"all_sites": self._sites}
        return {"sites": changed} if changed else {}

    def snapshot(self, now: Time) -> dict[str, Any]:
        """Everything, as of the present revision."""
        with self._view.lock:
            return {
                "revision": self.revision,
                "boot": self.boot,
                "at": str(now),
                "kpis": kpis(self._rows),
                "targets": list(self._rows.values()),
                "sites": self._sites,
                "incidents": self._view.open_incidents(),
                "trouble": self._trouble,
                "services": self._services,
            }

    def since(self, boot: object, revision: object) -> list[dict[str, Any]] | None:
        """The deltas after `revision`, None where a snapshot is needed instead."""
        with self._view.lock:
            if boot != self.boot or not isinstance(revision, int) or not 0 <= revision <= self.revision:
                return None
            missed = [delta for delta in self._ring if delta["revision"] > revision]
            return missed if len(missed) == self.revision - revision else None

    def refresh(self) -> None:
        """Look at every target anew at the next advance: figures that have become old leave the rows."""
        with self._view.lock:
            self._view.dirty |= {*self._view.targets, *self._rows}
            self._view.dirty_sites = self._view.dirty_incidents = True
