"""The prober as a whole: what the bus says becomes watches, what the watches see goes to the journal."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterable
from typing import Any, Final, Protocol

from noc_bus.bus import Bus
from noc_bus.channels import COMMANDS, MARKS, PROBERS, SITES
from noc_bus.codec import encode
from noc_bus.messages import Assignment, Command, Mark, Site, SiteState
from noc_bus.presence import PRESENCE_EVERY_S, Announcer
from noc_bus.session import SessionDied
from noc_bus.time import Time
from noc_frame import log
from noc_prober.address_tests import AddressTests
from noc_prober.addresses import is_name
from noc_prober.anchors import Anchors
from noc_prober.clock import Clock, boot_ms, boot_number
from noc_prober.commands import Commands
from noc_prober.instruments import Instruments
from noc_prober.journal import Journal
from noc_prober.link import Link
from noc_prober.load import OVERLOADED, Load
from noc_prober.memory import Memory, encode_addresses
from noc_prober.packets import Family
from noc_prober.ping import Pinger
from noc_prober.presence import Figures
from noc_prober.resolver import Resolver
from noc_prober.schedule import first_check_delay
from noc_prober.sockets import IcmpSocket
from noc_prober.targets import Targets
from noc_prober.tracing import Tracer, Tracing
from noc_prober.watch import NOT_RUNNING, Watch
from noc_prober.writer import Writer

_SETTLED_S: Final = 5.0
_TICK_S: Final = 0.2
_AWAY_GRACE_S: Final = 5.0
# A mass of states that became due for a refresh together is spread over so many seconds.
_REFRESHED_WITHIN_S: Final = 50


class BusSession(Bus, Protocol):
    """A bus with a life of its own, as `noc_bus.session.Session` is."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def check(self) -> None: ...


class Prober:
    """Made on the event loop it runs on. Handlers of the bus run on its thread and only hand over."""

    def __init__(
        self,
        site: str,
        session: BusSession,
        sockets: dict[Family, IcmpSocket],
        journal: Journal,
        memory: Memory,
        resolver: Resolver | None = None,
        clock: Clock | None = None,
        load: Load | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = session
        self._memory = memory
        self._site = site
        self._log = log.get("noc.prober")
        self._alive = journal.sign_of_life
        self._clock = clock = clock or Clock()
        writer = Writer(site, session, journal, memory)
        pinger = Pinger(sockets)
        resolver = resolver or Resolver(
            learnt=lambda name, addresses: writer.remember("address", name, encode_addresses(addresses))
        )
        resolver.recall(memory.addresses().items())
        link = Link()
        self._with = Instruments(
            site=site,
            clock=clock,
            look=self._look_at_clock,
            doubt=self._doubt,
            pinger=pinger,
            resolver=resolver,
            anchors=Anchors(pinger, resolver, link, self._isolation_changed),
            link=link,
            writer=writer,
            load=load or Load(),
        )
        self._watches: dict[str, Watch] = {}
        self._targets = Targets(site, session, memory.targets(), self._target_changed)
        self._tracer = Tracer(self._with, self._watches)
        self._tracing = Tracing(self._with, self._watches, self._tracer)
        self._commands = Commands(site, session, self._watches, self._tracer, AddressTests(pinger, resolver.look_up))
        self._figures = Figures(self._with, Time.now(), self._loop.time())
        self._announcer = Announcer(session, PROBERS, self._figures.presence, writer.published, site=site)
        self._is_silenced = False
        self._names_changed = False
        self._second_s = self._counted_s = self._loop.time()
        self._changed_s: float | None = None

    async def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Raises SessionDied when a thread of the session has ended by itself."""
        self._loop.set_exception_handler(self._log_failure)
        self._resume()
        self._subscribe()
        self._with.writer.start()
        self._tracer.start()
        self._session.start()
        gc.collect()
        gc.freeze()
        try:
            while not stop.is_set():
                self._tick(self._loop.time())
                await asyncio.sleep(_TICK_S)
        finally:
            for watch in self._watches.values():
                watch.stop()
            self._commands.stop()
            self._tracer.stop()
            self._with.anchors.close()
            self._with.writer.stop()
            self._announcer.say_goodbye(self._figures.goodbye())
            self._session.stop()
            self._with.pinger.close()

    # -- the bus; all handlers are called on its thread

    def _subscribe(self) -> None:
        session, site = self._session, self._site
        session.subscribe(SITES, self._hand_over(self._on_site), site=site)
        session.subscribe(COMMANDS, self._hand_over(self._on_command), site=site)
        session.subscribe(MARKS, self._on_mark, site=site)
        session.when_connected(self._with.writer.connected)

    def _hand_over(self, handler: Any) -> Any:
        def handle(message: Any, variables: dict[str, str]) -> None:
            self._loop.call_soon_threadsafe(handler, message, variables)

        return handle

    def _on_site(self, site: Site | None, variables: dict[str, str]) -> None:
        self._with.anchors.use(tuple(site.anchors) if site else ())
        self._with.writer.remember("site", self._site, encode(site) if site else None)
        self._want_names()

    def _on_command(self, command: Command | None, variables: dict[str, str]) -> None:
        if command is not None and not self._is_silenced:
            self._commands.carry_out(variables["verb"], command)

    def _on_mark(self, mark: Mark | None, variables: dict[str, str]) -> None:
        if mark is not None and not self._is_silenced:
            self._with.writer.marked(mark)

    # -- targets

    def _resume(self) -> None:
        """Go on where the last process ended, without waiting for the broker."""
        if site := self._memory.site(self._site):
            self._with.anchors.use(tuple(site.anchors))
        states = self._memory.states()
        for name in set(states) - set(self._targets.now):
            self._with.writer.retire(name)
        away_from, error_ms = self._last_alive()
        for name, target in self._targets.now.items():
            self._watch(name, target, states.get(name), away_from, error_ms)
        self._tracing.resume()
        self._want_names()

    def _last_alive(self) -> tuple[int, int]:
        """The moment the last process was alive, and how many ms its wall clock was ahead of what is known now."""
        clock, alive = self._clock, self._alive
        now = clock.now()
        if alive is None:
            return now, 0
        if alive.boot_number == boot_number() != 0:
            # The machine has counted the time itself, whatever was done to the wall clock.
            moment = now - max(0, boot_ms() - alive.boot_ms)
            return moment, alive.at - clock.wall(moment)
        return min(clock.moment_of(alive.at), now), 0

    def _watch(
        self, name: str, target: Assignment, last: SiteState | None = None, away_from: int = 0, error_ms: int = 0
    ) -> None:
        clock = self._clock
        last_since = min(clock.moment_of(Time(last.since - error_ms)), away_from) if last else 0
        watch = self._watches[name] = Watch(self._with, target, last, last_since)
        self._tracing.add(name)
        away_s = (clock.now() - away_from) / 1000
        if last and not target.paused and away_s > target.interval_s + target.timeout_ms / 1000 + _AWAY_GRACE_S:
            watch.blind_since(away_from, NOT_RUNNING)
        if not self._is_silenced:
            watch.start(self._first_delay_s(target))

    def _target_changed(self, name: str, target: Assignment | None) -> None:
        self._with.writer.remember("target", name, encode(target) if target else None)
        watch = self._watches.get(name)
        if target is None:
            if watch:
                watch.remove()
                del self._watches[name]
        elif watch:
            if (watch.target.address, watch.target.family) != (target.address, target.family):
                self._tracing.moved(name)
            watch.change(target, self._first_delay_s(target), is_running=not self._is_silenced)
        else:
            self._watch(name, target)
        self._names_changed = True
        self._changed_s = self._loop.time()

    def _first_delay_s(self, target: Assignment) -> float:
        phase = self._with.slots.phase(target.id, target.interval_s)
        return first_check_delay(phase, target.interval_s, len(self._targets.now))

    def _want_names(self) -> None:
        self._names_changed = False
        self._with.resolver.want(
            [*(target.address for target in self._targets.now.values() if is_name(target.address)),
             *self._with.anchors.names]
        )  # fmt: skip
        self._with.resolver.tick()

    # -- time

    def _tick(self, now_s: float) -> None:
        self._look_at_clock()
        self._with.anchors.tick()
        self._targets.tick()
        if self._names_changed:
            self._want_names()
        if now_s - self._counted_s >= PRESENCE_EVERY_S:
            self._counted_s = now_s
            self._figures.count(now_s)
        self._announcer.tick()
        if self._announcer.is_silenced != self._is_silenced:
            self._silence_changed()
        if now_s - self._second_s >= 1.0:
            self._second_s = now_s
            self._each_second(now_s)

    def _each_second(self, now_s: float) -> None:
        self._session.check()
        if not self._with.writer.is_alive:
            raise SessionDied("the thread that writes the journal has ended")
        self._with.pinger.tick()
        self._with.resolver.tick()
        self._spare_collector(now_s)
        self._figures.targets = sum(not watch.target.paused for watch in self._watches.values())
        if self._is_silenced:
            return
        if self._with.load.tick(now_s):
            self._load_changed()
        refreshes = len(self._watches) // _REFRESHED_WITHIN_S + 1
        for watch in self._watches.values():
            refreshes -= watch.tick(now_s, may_refresh=refreshes > 0)
        self._tracing.tick()

    def _spare_collector(self, now_s: float) -> None:
        """Targets stay: walking through thousands of them again and again would keep checks waiting."""
        if self._changed_s is not None and now_s - self._changed_s > _SETTLED_S:
            self._changed_s = None
            gc.freeze()

    def _silence_changed(self) -> None:
        """Another prober of this site was there first, or is gone: two would tell and journal everything twice."""
        self._is_silenced = self._announcer.is_silenced
        for watch in self._watches.values():
            if self._is_silenced:
                watch.stop("another prober of this site is there")
                continue
            if not watch.target.paused:
                watch.blind_since(self._clock.now(), NOT_RUNNING)
            watch.start(self._first_delay_s(watch.target))

    def _look_at_clock(self) -> bool:
        """Whether time was lost; then every watch has a new schedule."""
        lost = self._clock.look()
        if lost is None:
            return False
        self._with.load.start_over()
        if not self._is_silenced:
            for watch in self._watches.values():
                watch.lost_time(lost, self._first_delay_s(watch.target))
        return True

    def _doubt(self, names: Iterable[str]) -> None:
        for name in names:
            if watch := self._watches.get(name):
                watch.doubt()

    def _isolation_changed(self, is_isolated: bool) -> None:
        isolation = self._with.anchors.isolation
        self._log.warning(isolation.text if isolation else "the site is not isolated any more")
        self._blindness_changed(is_blind=is_isolated)

    def _load_changed(self) -> None:
        load = self._with.load
        self._log.warning(
            f"{OVERLOADED.text}; {load.coverage_pct} % could be measured in the last minute"
            if load.is_overloaded
            else "the site is not overloaded any more"
        )
        self._blindness_changed(is_blind=load.is_overloaded)

    def _blindness_changed(self, *, is_blind: bool) -> None:
        now, blindness = self._clock.now(), self._with.blindness
        for watch in self._watches.values():
            if watch.target.paused or self._is_silenced:
                continue
            if blindness:
                watch.blind_since(now, blindness)
            elif not is_blind:
                watch.start(self._first_delay_s(watch.target))
        self._announcer.announce()

    def _log_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in one target's callback: logged in full; its watch starts again by itself."""
        self._log.error(str(context.get("message")), exc_info=context.get("exception"))
