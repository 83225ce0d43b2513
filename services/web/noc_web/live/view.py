"""The present picture of everything, rebuilt from the bus, as the rows that people see."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from noc_bus.bus import Bus
from noc_bus.channels import INCIDENTS, PROBERS, RESULTS, SERVICES, STATES, TRACES, VERDICTS
from noc_bus.messages import (
    Incident,
    ProbeResult,
    ProberPresence,
    ServicePresence,
    Site,
    SiteState,
    State,
    Target,
    Trace,
    Verdict,
    VerdictState,
)
from noc_bus.presence import SILENT_AFTER_S
from noc_bus.time import Time
from noc_rules.verdict import Standing, sites_of, vote

Row = dict[str, Any]
_FRESH_CYCLES: Final = 3


class LiveView:
    """Fed by the bus from its thread, read from any other under `lock`."""

    def __init__(self, bus: Bus) -> None:
        self.lock = threading.RLock()
        self.targets: Mapping[str, Target] = {}
        self.sites: Mapping[str, Site] = {}
        self.presences: dict[str, ProberPresence] = {}
        self.states: dict[str, dict[str, SiteState]] = defaultdict(dict)
        self.verdicts: dict[str, Verdict] = {}
        self.incidents: dict[str, Incident] = {}
        self.services: dict[str, ServicePresence] = {}
        self.traces: dict[str, dict[str, Trace]] = defaultdict(dict)
        self.results: dict[str, dict[str, ProbeResult]] = defaultdict(dict)
        self.new_results: list[ProbeResult] = []
        self._heard_s: dict[tuple[str, str], float] = {}
        self._connected_s: float | None = None
        self._untold_incidents: set[str] = set()
        self.dirty: set[str] = set()
        self.dirty_sites = True
        self.dirty_incidents = True
        bus.subscribe(PROBERS, self._on_presence)
        bus.subscribe(STATES, self._on_state)
        bus.subscribe(VERDICTS, self._on_verdict)
        bus.subscribe(INCIDENTS, self._on_incident)
        bus.subscribe(RESULTS, self._on_result)
        bus.subscribe(SERVICES, self._on_service)
        bus.subscribe(TRACES, self._on_trace)
        bus.when_connected(self._on_connected)
        bus.when_disconnected(self._on_disconnected)

    # -- from the database and the bus

    def define(self, targets: Mapping[str, Target], sites: Mapping[str, Site]) -> None:
        """The targets and sites that there are, from now on."""
        with self.lock:
            self.dirty |= {
                name for name in self.targets.keys() | targets.keys() if self.targets.get(name) != targets.get(name)
            }
            self.dirty_sites = True
            self.targets, self.sites = targets, sites

    def _on_connected(self) -> None:
        with self.lock:
            self._connected_s = time.monotonic()

    def _on_disconnected(self) -> None:
        """An incident that ends from now on will not be told: it is only missing among those told anew."""
        with self.lock:
            self._connected_s = None
            self._untold_incidents = set(self.incidents)

    def _on_presence(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        with self.lock:
            before = self.presences.get(variables["site"])
            _keep(self.presences, variables["site"], presence)
            self._heard_s["prober", variables["site"]] = time.monotonic()
            self.dirty_sites = True
            if (before and (before.online, before.isolated)) != (presence and (presence.online, presence.isolated)):
                self.dirty |= set(self.targets)

    def _on_state(self, state: SiteState | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.states[variables["target"]], variables["site"], state)
            self.dirty.add(variables["target"])

    def _on_verdict(self, verdict: Verdict | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.verdicts, variables["target"], verdict)
            self.dirty.add(variables["target"])

    def _on_incident(self, incident: Incident | None, variables: dict[str, str]) -> None:
        with self.lock:
            is_open = incident is not None and incident.resolved_at is None
            self._untold_incidents.discard(variables["incident"])
            affected = incident or self.incidents.get(variables["incident"])
            _keep(self.incidents, variables["incident"], incident if is_open else None)
            self.dirty_incidents = True
            self.dirty |= set(affected.targets if affected else ())

    def _on_result(self, result: ProbeResult | None, variables: dict[str, str]) -> None:
        if result is None:
            return
        with self.lock:
            before = self.results[result.target].get(result.site)
            # By number: the prober's clock may have been put back.
            if before is None or (result.epoch, result.seq) >= (before.epoch, before.seq):
                self.results[result.target][result.site] = result
                self.dirty.add(result.target)
            self.new_results.append(result)

    def _on_service(self, service: ServicePresence | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.services, variables["service"], service)
            self._heard_s["service", variables["service"]] = time.monotonic()

    def _on_trace(self, trace: Trace | None, variables: dict[str, str]) -> None:
        with self.lock:
            _keep(self.traces[variables["target"]], variables["site"], trace)

    def expire(self, now_s: float) -> None:
        """Who has been silent for too long is offline, whatever is retained. `now_s`: of time.monotonic().

        What was an incident before the connection was lost, and was told by nobody since it is back, is over.
        """
        with self.lock:
            # The alerter, which tells all that are open, may take as long to find the broker again.
            if self._connected_s is not None and now_s - self._connected_s > SILENT_AFTER_S:
                for incident in list(self._untold_incidents):
                    self._on_incident(None, {"incident": incident})
            for (kind, name), heard_s in list(self._heard_s.items()):
                known: dict[str, Any] = self.presences if kind == "prober" else self.services
                if now_s - heard_s > SILENT_AFTER_S and name in known and known[name].online:
                    known[name] = msgspec.structs.replace(known[name], online=False)
                    self.dirty_sites = True
                    self.dirty |= set(self.targets)

    # -- what people see

    def row(self, name: str, now: Time) -> Row | None:
        """One target as a row of the status table; None where there is no such target."""
        with self.lock:
            target = self.targets.get(name)
            if target is None:
                return None
            verdict = self.verdicts.get(name)
            sites = {site: self._site_cell(target, site, now) for site in self._sites_of(target)}
            rtts = [cell["rtt_ms"] for cell in sites.values() if cell["rtt_ms"] is not None]
            losses = [cell["loss_pct"] for cell in sites.values() if cell["loss_pct"] is not None]
            if target.paused:
                state, since, reason = VerdictState.PAUSED, verdict.since if verdict else None, "paused"
            elif verdict is None or verdict.state is VerdictState.PAUSED:
                state, since, reason = VerdictState.UNKNOWN, None, "not judged yet"
            else:
                state, since, reason = verdict.state, verdict.since, verdict.reason
            return {
                "id": name,
                "name": target.name,
                "address": target.address,
                "group": target.group,
                "tags": target.tags,
                "critical": target.critical,
                "paused": target.paused,
                "state": str(state),
                "since": None if since is None else str(since),
                "reason": reason,
                "sites": sites,
                "rtt_ms": round(statistics.fmean(rtts), 3) if rtts else None,
                "loss_pct": round(statistics.fmean(losses), 2) if losses else None,
                "incident": next((one.id for one in self.incidents.values() if name in one.targets), None),
            }

    def site_rows(self) -> list[Row]:
        """Every site that is set up or whose prober was seen."""
        with self.lock:
            return [self._site_row(site) for site in sorted(self.sites.keys() | self.presences.keys())]

    def open_incidents(self) -> list[Incident]:
        with self.lock:
            return sorted(self.incidents.values(), key=lambda incident: incident.opened_at, reverse=True)

    def _sites_of(self, target: Target) -> list[str]:
        return sites_of(target, self.sites.keys() | self.presences.keys())

    def _site_cell(self, target: Target, site: str, now: Time) -> Row:
        """What one site sees; its figures only while they are fresh: an old RTT is no RTT."""
        state = self.states[target.id].get(site)
        counted = vote(state, Standing(self.presences.get(site), is_current=True))
        result = self.results[target.id].get(site)
        fresh_ms = _FRESH_CYCLES * target.interval_s * 1000 + target.timeout_ms
        rtt_ms = loss_pct = None
        at = state.at if state else None
        if result is not None and now - result.at < fresh_ms and counted.state is not State.UNKNOWN:
            at = result.at
            if result.invalid is None and result.sent:
                rtt_ms = round(statistics.fmean(result.rtts_ms), 3) if result.rtts_ms else None
                loss_pct = round(100 * (result.sent - result.received) / result.sent, 2)
        elif state is not None and counted.state is not State.UNKNOWN and now - state.at < max(fresh_ms, 90_000):
            rtt_ms, loss_pct = state.rtt_ms, state.loss_pct
        return {
            "state": str(counted.state),
            "since": str(state.since) if state else None,
            "reason": counted.reason,
            "rtt_ms": rtt_ms,
            "loss_pct": loss_pct,
            "at": None if at is None else str(at),
        }

    def _site_row(self, name: str) -> Row:
        site, presence = self.sites.get(name), self.presences.get(name)
        return {
            "id": name,
            "label": site.label if site else name,
            "location": site.location if site else "",
            "anchors": site.anchors if site else [],
            "expected": site.expected if site else True,
            "configured": site is not None,
            "online": bool(presence and presence.online),
            "isolated": bool(presence and presence.isolated),
            "since": str(presence.since) if presence and presence.since is not None else None,
            "targets": presence.targets if presence else 0,
            "echoes_per_s": presence.echoes_per_s if presence else 0,
            "lateness_ms": presence.lateness_ms if presence else 0,
            "drops": presence.drops if presence else 0,
            "journal_depth": presence.journal_depth if presence else 0,
            "version": presence.version if presence else "",
        }


def kpis(rows: Mapping[str, Row]) -> dict[str, int]:
    """The tiles, counted from the very rows that are shown: they cannot disagree with them or each other."""
    counted = Counter(row["state"] for row in rows.values())
    return {"total": len(rows), **{str(state).lower(): counted[str(state)] for state in VerdictState}}


def _keep(kept: dict[str, Any], key: str, value: object) -> None:
    if value is None:
        kept.pop(key, None)
    else:
        kept[key] = value
