"""What the bus says of everything, and which rows of the live table that changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from noc_bus.bus import Bus
from noc_bus.channels import INCIDENTS, PROBERS, RESULTS, SERVICES, STATES, TRACES, VERDICTS, Channel
from noc_bus.clocks import Clocks
from noc_bus.messages import (
    Incident,
    Maintenance,
    Presence,
    ProbeResult,
    ProberPresence,
    ServicePresence,
    Site,
    SiteState,
    State,
    Target,
    Trace,
    Verdict,
)
from noc_bus.mirror import Change, Mirror
from noc_bus.presence import NO_MAIL, SILENT_AFTER_S
from noc_bus.presences import Presences
from noc_bus.time import WRONG_CLOCK_MS, Time
from noc_rules.assignment import is_pinged_from
from noc_rules.maintenance import Covers, Schedule
from noc_rules.verdict import sites_of, vote
from noc_web.live import rows
from noc_web.live.recent import Recent
from noc_web.live.rows import Counted, RunningMaintenance, SiteRow, TargetRow
from noc_web.live.standings import Standings
from noc_web.problem import ProblemCode, ProblemError

OWN_SERVICE: Final = "web"
_OWN_VERSION: Final = version("noc-web")
JUDGE: Final = "alerter"
# Longer than a restart takes.
_JUDGE_AWAY_S: Final = 20.0
# A connection that is made anew within this time is no trouble worth a banner.
_BROKER_AWAY_S: Final = 3.0
# Whoever opens a page while everything still arrives waits no longer than this for all of it.
_READY_WITHIN_S: Final = 8.0
_BLIND_BROKER: Final = Counted(State.UNKNOWN, "nothing is heard of it: the broker cannot be reached", "broker-away")
_NO_JUDGE: Final = Counted(State.UNKNOWN, "not judged now: the alerter is not running", "alerter-silent")


@dataclass
class Changes:
    """What is to be looked at again; of those that are gone the rows are None."""

    targets: set[str] = field(default_factory=set)
    sites: set[str] = field(default_factory=set)
    incidents: set[str] = field(default_factory=set)


class Picture:
    """Fed by the bus from its thread. Its changes are taken, and its rows are asked for, by one reader at a time."""

    def __init__(
        self,
        bus: Bus,
        *,
        broker_trouble: Callable[[], str | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`broker_trouble`: why there is no connection, in a sentence."""
        self._bus = bus
        self._broker_trouble = broker_trouble
        self._clock = clock
        self._lock = threading.Lock()
        self._targets: Mapping[str, Target] = {}
        self._sites: Mapping[str, Site] = {}
        self._schedule = Schedule()
        self._covers = Covers(())
        self._running: list[RunningMaintenance] = []
        self._pending = Changes()
        self._probers = Presences(bus, PROBERS, clock=clock)
        self._services = Presences(bus, SERVICES, clock=clock)
        self._states: Mirror[tuple[str, str], SiteState] = Mirror(bus, STATES, wanted=self._names_target, clock=clock)
        self._traces: Mirror[tuple[str, str], Trace] = Mirror(bus, TRACES, wanted=self._names_target, clock=clock)
        self._verdicts: Mirror[str, Verdict] = Mirror(bus, VERDICTS, wanted=self.has_target, clock=clock)
        self._incidents: Mirror[str, Incident] = Mirror(bus, INCIDENTS, clock=clock)
        self.recent = Recent(bus, clock)
        self._mirrors: tuple[Mirror[Any, Any], ...] = (
            self._probers, self._services, self._states, self._traces, self._verdicts, self._incidents,
        )  # fmt: skip
        self._clocks = Clocks()
        self._seen_at: dict[str, Time] = {}
        self._standings = Standings(self._states.agrees_with, clock)
        self._results: dict[tuple[str, str], ProbeResult] = {}
        self._arrived: list[ProbeResult] = []
        self._watched: Collection[str] = ()
        self._follows_results = False
        self._incidents_of: dict[str, list[str]] = {}
        self._known_sites: Collection[str] = ()
        self._unreliable: Counted | None = None
        self._judge_gone_s: float | None = None
        self._is_known = False
        self._started_s = clock()
        self._away_s: float | None = None if bus.connected else self._started_s
        bus.subscribe(PROBERS, self._on_prober)
        bus.when_connected(self._on_connected)
        bus.when_disconnected(self._on_disconnected)

    # -- from the database, the bus and the pages

    def define(
        self,
        targets: Mapping[str, Target],
        sites: Mapping[str, Site],
        maintenances: Mapping[str, Maintenance] = MappingProxyType({}),
    ) -> None:
        """The targets, sites and maintenances that there are, from now on. Of others nothing is kept."""
        with self._lock:
            self._schedule.define(maintenances.values())
            before, before_sites = self._targets, self._sites
            self._targets, self._sites = targets, sites
            self._pending.targets |= {
                name for name in before.keys() | targets.keys() if before.get(name) != targets.get(name)
            }
            changed = {name for name in before_sites.keys() | sites.keys() if before_sites.get(name) != sites.get(name)}
            self._pending.sites |= changed
            for pair in [pair for pair in self._results if pair[1] not in targets]:
                del self._results[pair]
        for mirror in (self._states, self._verdicts, self._traces):
            mirror.reconsider()

    def follow_results(self, follows: bool) -> None:
        """Results are heard only while somebody looks; the retained states have the last figures all the same."""
        if follows == self._follows_results:
            return
        self._follows_results = follows
        if follows:
            self._bus.subscribe(RESULTS, self._on_result)
        else:
            self._bus.unsubscribe(RESULTS, self._on_result)
            with self._lock:
                self._pending.targets |= {target for _, target in self._results}
                self._results.clear()
                self._arrived.clear()

    def topics_of(self, site: str) -> list[tuple[Channel[Any], dict[str, str]]]:
        """Where something that a site has retained was seen, with the variables of each topic."""
        found: list[tuple[Channel[Any], dict[str, str]]] = []
        for channel, mirror in ((STATES, self._states), (TRACES, self._traces)):
            found += [(channel, {"site": site, "target": target}) for of, target in mirror.items() if of == site]
        if self._probers.get(site) is not None:
            found.append((PROBERS, {"site": site}))
        return found

    def is_seen(self, site: str) -> bool:
        """Whether its prober was heard, which nobody need have set up. From any thread."""
        return self._probers.get(site) is not None

    def has_target(self, name: str) -> bool:
        return name in self._targets

    def _names_target(self, key: tuple[str, str]) -> bool:
        return key[1] in self._targets

    def watch(self, targets: Collection[str]) -> None:
        """The targets of which every result is wanted."""
        self._watched = targets

    def _on_connected(self) -> None:
        self._away_s = None

    def _on_disconnected(self) -> None:
        self._is_known = False
        self._away_s = self._clock()

    def _on_prober(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        self._standings.hear(variables["site"], presence)
        if presence is None:
            self._seen_at.pop(variables["site"], None)
        elif presence.clock is not None and not presence.silenced:
            # The last will has none: it was written before.
            self._seen_at[presence.site] = presence.clock
        if presence is None or not presence.online:
            self._clocks.forget(variables["site"])
        elif presence.clock is not None and not presence.silenced:
            self._clocks.hear(presence.site, presence.clock, self._clock(), Time.now())

    def _on_result(self, result: ProbeResult | None, variables: dict[str, str]) -> None:
        if result is None or result.target not in self._targets:
            return
        with self._lock:
            if result.target in self._watched:
                self._arrived.append(result)
            if result.invalid is not None or not result.sent:
                return
            before = self._results.get((result.site, result.target))
            # By number: the prober's clock may have been put back.
            if before is None or (result.epoch, result.seq) >= (before.epoch, before.seq):
                self._results[result.site, result.target] = result
                self._pending.targets.add(result.target)

    def tick(self) -> None:
        """Once a second, also while nobody looks: ask again for what is missing, notice who is silent."""
        for mirror in self._mirrors:
            mirror.tick()
        self._look_at_sites()
        self._is_known = self._is_known or all(mirror.is_complete for mirror in self._mirrors)

    # -- what changed

    def take_changes(self) -> Changes:
        """Everything that may look different than when this was called last."""
        now_s = self._clock()
        self._look_at_sites()
        with self._lock:
            changes, self._pending = self._pending, Changes()
        changes.sites |= self._probers.take_changes().keys()
        for _, target in self._states.take_changes():
            changes.targets.add(target)
        changes.targets |= self._verdicts.take_changes().keys()
        self._traces.take_changes()
        self._notice_judge(self._services.take_changes().get(JUDGE), now_s)
        for name, told in self._incidents.take_changes().items():
            changes.incidents.add(name)
            changes.targets |= self._index(name, told.before, told.after)
        self._notice_what_is_old(changes, now_s)
        self._look_at_windows(changes)
        if changes.sites:
            known = self._sites.keys() | self._probers.items().keys()
            if known != self._known_sites:
                self._known_sites = known
                changes.targets |= {name for name, target in self._targets.items() if target.sites is None}
        return changes

    def _look_at_sites(self) -> None:
        disabled = {site.id for site in self._sites.values() if site.disabled}
        silent = disabled | {site for site, presence in self._probers.items().items() if not presence.online}
        for site in self._standings.take_in(silent):
            with self._lock:
                self._pending.sites.add(site)
                self._pending.targets |= self._targets_of(site)

    def _look_at_windows(self, changes: Changes) -> None:
        with self._lock:
            covers = self._schedule.running(Time.now())
        if covers is not self._covers:
            self._covers = covers
            found = sorted(covers.running, key=lambda one: (one.until is None, one.until or 0, one.maintenance.id))
            self._running = [rows.running_row(one) for one in found]
            changes.targets |= self._targets.keys()

    def take_results(self) -> list[ProbeResult]:
        """Of the watched targets, those that arrived since this was called last."""
        with self._lock:
            arrived, self._arrived = self._arrived, []
        return arrived

    def _targets_of(self, site: str) -> set[str]:
        return {name for name, target in self._targets.items() if is_pinged_from(target, site)}

    def _index(self, name: str, before: Incident | None, after: Incident | None) -> set[str]:
        """Keep which incidents a target is part of; the targets whose row that changes."""
        of_before = set(before.targets) if before and before.resolved_at is None else set()
        of_after = set(after.targets) if after and after.resolved_at is None else set()
        for target in of_before - of_after:
            left = [one for one in self._incidents_of.get(target, ()) if one != name]
            if left:
                self._incidents_of[target] = left
            else:
                self._incidents_of.pop(target, None)
        for target in of_after - of_before:
            self._incidents_of.setdefault(target, []).append(name)
        return of_before ^ of_after

    def _notice_judge(self, change: Change[ServicePresence] | None, now_s: float) -> None:
        """Where no alerter was ever seen there is nothing that could have become old."""
        if change is None:
            return
        if change.after is not None and change.after.online:
            self._judge_gone_s = None
        elif change.before is not None and change.before.online:
            self._judge_gone_s = now_s

    def _notice_what_is_old(self, changes: Changes, now_s: float) -> None:
        """What was said last holds for a while only, after its writer or the broker has gone."""
        unreliable = None
        if self._away_s is not None and now_s - self._away_s > SILENT_AFTER_S:
            unreliable = _BLIND_BROKER
        elif self._judge_gone_s is not None and now_s - self._judge_gone_s > _JUDGE_AWAY_S:
            unreliable = _NO_JUDGE
        if unreliable is not self._unreliable:
            self._unreliable = unreliable
            changes.targets |= self._targets.keys()
            changes.sites |= set(self._known_sites)

    # -- rows

    def target_row(self, name: str) -> TargetRow | None:
        """None where there is no such target."""
        target = self._targets.get(name)
        if target is None:
            return None
        cells = {}
        for site in sites_of(target, self._known_sites):
            state = self._states.get((site, name))
            cells[site] = rows.site_cell(self._counted(site, name), state, self._results.get((site, name)))
        verdict: Verdict | Counted | None = self._verdicts.get(name)
        verdict = self._unreliable or verdict
        incidents = self._incidents_of.get(name)
        works = self._covers.of(target, self._known_sites) if self._covers else None
        return rows.target_row(target, verdict, cells, incidents[-1] if incidents else None, works)

    def maintenances(self) -> list[RunningMaintenance]:
        """Those that run now, the first to end first."""
        return self._running

    def _counted(self, site: str, target: str) -> Counted:
        if self._unreliable is _BLIND_BROKER:
            return _BLIND_BROKER
        state = self._states.get((site, target))
        counted = vote(state, self._standings.of(site))
        return Counted(counted.state, counted.reason, counted.code)

    def site_row(self, name: str) -> SiteRow | None:
        """None where no such site is set up and no prober has said its name."""
        site, presence = self._sites.get(name), self._probers.get(name)
        if site is None and presence is None:
            return None
        disabled = site is not None and site.disabled
        # Who was cut off cannot say that it is gone, and a broker may drop its will with its rights.
        online = bool(presence and presence.online and not disabled and self._unreliable is not _BLIND_BROKER)
        ahead_ms = self._clocks.ahead_ms(name, self._clock()) if online else None
        return rows.site_row(
            name,
            site,
            presence,
            online=online,
            seen_at=None if online else self._seen_at.get(name),
            clock_ahead_ms=ahead_ms,
            clock_wrong=ahead_ms is not None and abs(ahead_ms) > WRONG_CLOCK_MS,
            own_version=_OWN_VERSION,
        )

    def incident(self, name: str) -> Incident | None:
        """None where it is not open."""
        incident = self._incidents.get(name)
        return incident if incident and incident.resolved_at is None else None

    def traces(self, target: str) -> dict[str, Trace]:
        """By site, the last path to a target."""
        return {site: trace for (site, name), trace in self._traces.items().items() if name == target}

    def traced_addresses(self) -> dict[str, str]:
        """The targets by the addresses to which their paths were followed."""
        return {trace.address: name for (_, name), trace in sorted(self._traces.items().items())}

    # -- the system itself

    @property
    def is_ready(self) -> bool:
        """Whether a page may be shown: all that is retained has arrived, or has had the time to."""
        return self._is_known or self._clock() - self._started_s > _READY_WITHIN_S

    @property
    def is_known(self) -> bool:
        """Whether all that was retained has arrived on this connection. From then on what changes is heard."""
        return self._is_known

    def services(self) -> dict[str, bool]:
        """By central service: is it there. This one is, whatever the broker has of it."""
        return {name: one.online or name == OWN_SERVICE for name, one in sorted(self._services.items().items())}

    @property
    def nobody_told(self) -> bool:
        """Whether the alerter has no mail server to tell anybody by."""
        return any(one.code == NO_MAIL for one in self._services.items().values())

    def trouble_of(self, service: str) -> str | None:
        """What keeps a central service from its work, as it says itself."""
        found = self._services.items().get(service)
        return found.trouble if found else None

    def trouble(self) -> list[str]:
        """What keeps the system itself from its work, in sentences."""
        if self._is_broker_away:
            # Of the others nothing is known: they may be well.
            return [f"broker: {self._broker_trouble() or 'it cannot be reached'}"]
        services = sorted(self._services.items().items())
        found = [f"{name}: {one.trouble}" for name, one in services if one.trouble]
        found += [f"{name} is not running" for name, one in services if not one.online and name != OWN_SERVICE]
        named: list[tuple[str, Presence]] = [(f"the {name} service", one) for name, one in services]
        named += [(f"the prober of {site}", one) for site, one in sorted(self._probers.items().items())]
        found += [
            f"{what} runs twice, on {one.host or 'one host'} and on {one.rival}; stop one of them"
            for what, one in named
            if one.online and one.rival
        ]
        return found

    @property
    def _is_broker_away(self) -> bool:
        return self._away_s is not None and self._clock() - self._away_s > _BROKER_AWAY_S


def check_alerter(picture: Picture, does: str) -> None:
    """Raises ProblemError 409."""
    if not picture.services().get("alerter"):
        raise ProblemError(409, f"The alerter, which {does}, is not running; start it.", code=ProblemCode.OFFLINE)
