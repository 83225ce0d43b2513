"""Publishes what this service owns on the bus: targets, sites, acknowledgements, commands."""

from __future__ import annotations

import threading
import time
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import ACKNOWLEDGEMENTS, COMMANDS, INCIDENTS, SITES, TARGETS
from noc_bus.messages import Acknowledgement, Command, Incident, Site, Target
from noc_bus.time import Time
from noc_web.catalog.catalog import Catalog
from noc_web.problem import ProblemError

# What is retained comes in a burst after a connection; only after it is it known what is there too much.
_SETTLED_S: Final = 3.0
_AUDIT_S: Final = 60.0


class Publisher:
    """The database is the truth, the broker a copy that is put right. Safe to use from any thread."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = threading.RLock()
        self._targets: dict[str, Target] = {}
        self._sites: dict[str, Site] = {}
        self._retained_targets: dict[str, Target] = {}
        self._retained_sites: dict[str, Site] = {}
        self._tidy_at_s: float | None = None
        bus.subscribe(TARGETS, self._on_target)
        bus.subscribe(SITES, self._on_site)
        bus.subscribe(INCIDENTS, self._on_incident)
        bus.when_connected(self._on_connected)

    @property
    def targets(self) -> dict[str, Target]:
        """The resolved targets in force. Not to be changed."""
        return self._targets

    @property
    def sites(self) -> dict[str, Site]:
        return self._sites

    def sync(self, catalog: Catalog) -> None:
        """Bring the broker to what the database says now."""
        with self._lock:
            contents = catalog.contents()
            targets = dict(contents.resolved)
            gone_targets, gone_sites = self._targets.keys() - targets.keys(), self._sites.keys() - contents.sites.keys()
            news = [target for target in targets.values() if self._targets.get(target.id) is not target]
            new_sites = [site for site in contents.sites.values() if self._sites.get(site.id) is not site]
            self._targets, self._sites = targets, dict(contents.sites)
            for target in news:
                self._bus.publish(TARGETS, target)
            for site in new_sites:
                self._bus.publish(SITES, site)
            for name in gone_targets:
                self._bus.clear(TARGETS, target=name)
            for name in gone_sites:
                self._bus.clear(SITES, site=name)

    def tick(self, now_s: float) -> None:
        """Often: now and then it puts right what the broker has too much, too little or wrong."""
        with self._lock:
            if self._tidy_at_s is None or now_s < self._tidy_at_s or not self._bus.connected:
                return
            self._tidy_at_s = now_s + _AUDIT_S
            for name in self._retained_targets.keys() - self._targets.keys():
                self._bus.clear(TARGETS, target=name)
            for name in self._retained_sites.keys() - self._sites.keys():
                self._bus.clear(SITES, site=name)
            for target in self._targets.values():
                if self._retained_targets.get(target.id) != target:
                    self._bus.publish(TARGETS, target)
            for site in self._sites.values():
                if self._retained_sites.get(site.id) != site:
                    self._bus.publish(SITES, site)

    def acknowledge(self, incident: str, who: str, comment: str) -> None:
        """Raises ProblemError 503 where the broker cannot be told."""
        self._told(
            self._bus.publish(
                ACKNOWLEDGEMENTS, Acknowledgement(incident=incident, by=who, at=Time.now(), comment=comment)
            )
        )

    def command(self, verb: str, site: str, target: str, request: str) -> None:
        """Ask a site for a check or a trace; the reply carries `request`. Raises ProblemError 503."""
        command = Command(request=request, target=target, at=Time.now())
        self._told(self._bus.publish(COMMANDS, command, site=site, verb=verb))

    def _told(self, handed_over: bool) -> None:
        if not handed_over:
            raise ProblemError(503, "The broker cannot be reached now; try again in a moment.")

    def _on_connected(self) -> None:
        with self._lock:
            for target in self._targets.values():
                self._bus.publish(TARGETS, target)
            for site in self._sites.values():
                self._bus.publish(SITES, site)
            self._tidy_at_s = time.monotonic() + _SETTLED_S

    def _on_target(self, target: Target | None, variables: dict[str, str]) -> None:
        with self._lock:
            if target is None:
                self._retained_targets.pop(variables["target"], None)
            else:
                self._retained_targets[target.id] = target

    def _on_site(self, site: Site | None, variables: dict[str, str]) -> None:
        with self._lock:
            if site is None:
                self._retained_sites.pop(variables["site"], None)
            else:
                self._retained_sites[site.id] = site

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        """An incident that is over needs no acknowledgement any more."""
        if incident is not None and incident.resolved_at is not None:
            self._bus.clear(ACKNOWLEDGEMENTS, incident=incident.id)
