"""Publishes what this service owns on the bus: targets, sites, maintenances, acknowledgements, deletions, commands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from noc_bus.bus import Bus, Handler
from noc_bus.channels import (
    ACKNOWLEDGEMENTS,
    ASSIGNMENT_SUMMARIES,
    ASSIGNMENTS,
    COMMANDS,
    FORGOTTEN,
    INCIDENTS,
    MAIL_TESTS,
    MAINTENANCES,
    MARKS,
    PROBERS,
    SITES,
    STATES,
    TARGETS,
    TRACES,
    Channel,
)
from noc_bus.messages import (
    Acknowledgement,
    Command,
    Forgotten,
    Incident,
    MailTest,
    Maintenance,
    Message,
    ProberPresence,
    Site,
    Target,
)
from noc_bus.mirror import Mirror
from noc_bus.presence import Kept
from noc_bus.presences import Presences
from noc_bus.retained import Published, RevCounter
from noc_bus.time import DAY_MS, Time
from noc_rules.maintenance import is_over
from noc_web.assignments import Assignments
from noc_web.catalog.catalog import Catalog
from noc_web.catalog.rows import FORGOTTEN_MS
from noc_web.problem import ProblemCode, ProblemError

Topics = Iterable[tuple[Channel[Any], Mapping[str, str]]]


class Publisher:
    """The database is the truth, the broker a copy that is put right. Safe to use from any thread."""

    def __init__(
        self,
        bus: Bus,
        *,
        may_speak: Callable[[str], bool] = lambda site: True,
        topics_of: Callable[[str], Topics] = lambda site: (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`may_speak`: whether the broker lets a site in, as far as that is known here.

        `topics_of`: where something that a site has retained was seen.
        """
        self._bus = bus
        self._lock = threading.RLock()
        self._targets: dict[str, Target] = {}
        self._sites: dict[str, Site] = {}
        revs = RevCounter()
        self._published_targets: Published[str, Target] = Published(bus, TARGETS, revs, clock=clock)
        self._assignments = Assignments(bus, revs, clock=clock)
        self._published_sites: Published[str, Site] = Published(bus, SITES, revs, clock=clock)
        self._acknowledgements: Published[str, Acknowledgement] = Published(bus, ACKNOWLEDGEMENTS, revs, clock=clock)
        self._maintenances: dict[str, Maintenance] = {}
        self._published_maintenances: Published[str, Maintenance] = Published(bus, MAINTENANCES, revs, clock=clock)
        self._forgotten: list[Forgotten] = []
        self._published_forgotten: Published[tuple[str, str], Forgotten] = Published(bus, FORGOTTEN, revs, clock=clock)
        self._incidents: Mirror[str, Incident] = Mirror(bus, INCIDENTS, clock=clock)
        self._former = FormerSites(bus, may_speak, topics_of, clock=clock)
        self.published: tuple[Kept, ...] = (
            self._published_targets, self._assignments, self._published_sites, self._published_maintenances,
            self._acknowledgements, self._published_forgotten,
        )  # fmt: skip
        """For this process's presence, which says how much is retained, and looks after it."""
        bus.subscribe(SITES, self._on_site)
        bus.subscribe(ACKNOWLEDGEMENTS, self._on_acknowledgement)

    @property
    def targets(self) -> dict[str, Target]:
        """The resolved targets in force. Not to be changed."""
        return self._targets

    @property
    def sites(self) -> dict[str, Site]:
        return self._sites

    @property
    def maintenances(self) -> dict[str, Maintenance]:
        """All that are kept, also those that are over."""
        return self._maintenances

    def sync(self, catalog: Catalog) -> None:
        """Bring the broker to what the database says now."""
        with self._lock:
            contents = catalog.contents()
            targets, sites = dict(contents.resolved), dict(contents.sites)
            gone_targets, gone_sites = self._targets.keys() - targets.keys(), self._sites.keys() - sites.keys()
            changed = [target for target in targets.values() if self._targets.get(target.id) is not target]
            changed_sites = [site for site in sites.values() if self._sites.get(site.id) is not site]
            self._targets, self._sites = targets, sites
            for site in changed_sites:
                self._former.returns(site.id)
                self._published_sites.put(site)
            for target in changed:
                self._published_targets.put(target)
            self._maintenances = dict(contents.maintenances)
            self._publish_maintenances()
            self._forgotten = catalog.forgotten()
            self._publish_forgotten()
            for name in gone_targets:
                self._published_targets.remove(name)
            for name in gone_sites:
                self._published_sites.remove(name)
                self._former.leaves(name)
            self._former.follow(catalog)
            self._assignments.define(targets, {target.id for target in changed} | gone_targets)
            self._serve_sites()

    def tick(self) -> None:
        """Once a second: what belongs to something that is over or gone is cleared."""
        self._incidents.tick()
        self._former.tick()
        with self._lock:
            self._serve_sites()
            self._publish_maintenances()
            self._publish_forgotten()
        over = {name for name, change in self._incidents.take_changes().items() if _is_over(change.after)}
        if self._incidents.is_complete:
            over |= {name for name in self._acknowledgements.now if _is_over(self._incidents.get(name))}
        for name in over & self._acknowledgements.now.keys():
            self._acknowledgements.remove(name)

    def _serve_sites(self) -> None:
        """Those that are set up, and those whose probers just came by themselves."""
        self._assignments.serve(self._sites.keys() | self._former.others())

    def _publish_maintenances(self) -> None:
        """Those that are over are told for a day more, to whoever was away."""
        now = Time.now()
        wanted = {name: one for name, one in self._maintenances.items() if not is_over(one, now - DAY_MS)}
        for name in self._published_maintenances.now.keys() - wanted.keys():
            self._published_maintenances.remove(name)
        for one in wanted.values():
            self._published_maintenances.put(one)

    def _publish_forgotten(self) -> None:
        now = Time.now()
        wanted = {(one.kind, one.name): one for one in self._forgotten if one.at > now - FORGOTTEN_MS}
        for name in self._published_forgotten.now.keys() - wanted.keys():
            self._published_forgotten.remove(name)
        for one in wanted.values():
            self._published_forgotten.put(one)

    def acknowledge(
        self, incident: str, who: str, comment: str = "", minutes: int | None = None, *, withdrawn: bool = False
    ) -> None:
        """`minutes`: for how long; None: until it is over. `withdrawn`: `who` takes it back.

        Raises ProblemError 503 where the broker cannot be told.
        """
        self._check_connected()
        now = Time.now()
        until = Time(now + minutes * 60_000) if minutes is not None else None
        self._acknowledgements.put(
            Acknowledgement(incident=incident, by=who, at=now, comment=comment, withdrawn=withdrawn, until=until)
        )

    def forget_site(self, site: str) -> None:
        """Clear what a site left that was never set up."""
        self._former.leaves(site)

    def command(
        self, verb: str, site: str, request: str, *, target: str | None = None, address: str | None = None
    ) -> None:
        """Ask a site about a target or an address; the reply carries `request`. Raises ProblemError 503."""
        command = Command(request=request, target=target, address=address, at=Time.now())
        if not self._bus.publish(COMMANDS, command, site=site, verb=verb):
            raise _unreachable()

    def try_mail(self, request: str, contact: str | None = None, *, heartbeat: bool = False) -> None:
        """Ask the alerter for test mails, or a heartbeat; what comes of them carries `request`. Raises ProblemError 503."""
        asked = MailTest(request=request, at=Time.now(), contact=contact, heartbeat=heartbeat)
        if not self._bus.publish(MAIL_TESTS, asked):
            raise _unreachable()

    def _check_connected(self) -> None:
        if not self._bus.connected:
            raise _unreachable()

    def _on_site(self, site: Site | None, variables: dict[str, str]) -> None:
        """A site that the broker still has and the database has not was deleted while this service was away."""
        if site is not None and site.id not in self._sites:
            self._former.leaves(site.id)

    def _on_acknowledgement(self, acknowledgement: Acknowledgement | None, variables: dict[str, str]) -> None:
        """What an earlier start published is ours to look after."""
        if acknowledgement is not None and acknowledgement.incident not in self._acknowledgements.now:
            self._acknowledgements.put(acknowledgement)


def _is_over(incident: Incident | None) -> bool:
    return incident is None or incident.resolved_at is not None


# The presence of its prober is known by then, also after a connection.
_LEAVE_AFTER_S: Final = 2.0
# What is retained comes in a burst; whoever still says something so long after it is there again.
_SWEEP_S: Final = 20.0
_LEFT_BEHIND: Final[tuple[Channel[Any], ...]] = (
    STATES, TRACES, MARKS, PROBERS, ASSIGNMENTS, ASSIGNMENT_SUMMARIES,
)  # fmt: skip


class FormerSites:
    """Clears what deleted sites left on the broker. One whose prober still runs is a new site, and keeps its own."""

    def __init__(
        self,
        bus: Bus,
        may_speak: Callable[[str], bool],
        topics_of: Callable[[str], Topics],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._may_speak = may_speak
        self._topics_of = topics_of
        self._clock = clock
        self._lock = threading.Lock()
        self._probers = Presences(bus, PROBERS, clock=clock)
        # Deleted, and not heard of since. A broker that was killed may have all of them again.
        self._former: set[str] = set()
        self._catalog: Catalog | None = None
        self._since_s: dict[str, float] = {}
        self._sweeping: dict[str, dict[Channel[Any], Handler[Any]]] = {}
        bus.when_connected(self._on_connected)

    def follow(self, catalog: Catalog) -> None:
        """The catalogue remembers them over a restart of ours."""
        if self._catalog is None:
            self._catalog = catalog
            with self._lock:
                self._former |= set(catalog.former_sites())

    def leaves(self, site: str) -> None:
        """It was deleted."""
        with self._lock:
            self._former.add(site)
            self._since_s.setdefault(site, self._clock())

    def returns(self, site: str) -> None:
        """It is set up, again perhaps."""
        with self._lock:
            self._former.discard(site)
            self._end(site)

    def others(self) -> set[str]:
        """Sites that have spoken, but for deleted ones that have not since."""
        found = self._probers.items()
        with self._lock:
            return {site for site, one in found.items() if site not in self._former or self._is_there(site, one)}

    def _on_connected(self) -> None:
        with self._lock:
            for site in self._former:
                self._since_s[site] = self._clock()

    def tick(self) -> None:
        """Once a second."""
        self._probers.tick()
        now_s = self._clock()
        with self._lock:
            for site in [site for site in self._former - self._since_s.keys() if self._is_online(site)]:
                self._speaks_again(site)
            for site, since_s in list(self._since_s.items()):
                if self._is_online(site):
                    self._speaks_again(site)
                elif now_s - since_s > _SWEEP_S:
                    self._end(site)
                elif site not in self._sweeping and now_s - since_s > _LEAVE_AFTER_S and self._bus.connected:
                    # Brokers drop unsaid what was retained by who is no longer let in; those who have it must hear it.
                    for channel, variables in self._topics_of(site):
                        self._bus.clear(channel, **variables)
                    self._sweeping[site] = {channel: self._clearing(channel) for channel in _LEFT_BEHIND}
                    for channel, handler in self._sweeping[site].items():
                        self._bus.subscribe(channel, handler, site=site)

    def _clearing(self, channel: Channel[Any]) -> Handler[Any]:
        def clear(message: Message | None, variables: dict[str, str]) -> None:
            site = variables["site"]
            presence = message if isinstance(message, ProberPresence) else self._probers.get(site)
            if message is not None and not self._is_there(site, presence):
                self._bus.clear(channel, **variables)

        return clear

    def _is_online(self, site: str) -> bool:
        return self._is_there(site, self._probers.get(site))

    def _is_there(self, site: str, presence: ProberPresence | None) -> bool:
        # Who was cut off cannot say that it is gone.
        return presence is not None and presence.online and self._may_speak(site)

    def _speaks_again(self, site: str) -> None:
        self._end(site)
        self._former.discard(site)
        if self._catalog is not None:
            self._catalog.site_speaks_again(site)

    def _end(self, site: str) -> None:
        self._since_s.pop(site, None)
        for channel, handler in self._sweeping.pop(site, {}).items():
            self._bus.unsubscribe(channel, handler, site=site)


def _unreachable() -> ProblemError:
    sentence = "The broker cannot be reached now; try again in a moment."
    return ProblemError(503, sentence, code=ProblemCode.BROKER_UNREACHABLE)
