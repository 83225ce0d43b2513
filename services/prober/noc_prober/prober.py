"""The prober as a whole: what the bus says becomes watches, what the watches see goes to the journal."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, Final, Protocol

from noc_bus.bus import Bus
from noc_bus.channels import COMMANDS, MARKS, PROBERS, SITES, STATES, TARGETS
from noc_bus.codec import encode
from noc_bus.messages import Command, Mark, Site, SiteState, Target
from noc_bus.presence import PRESENCE_EVERY_S
from noc_bus.session import SessionDied
from noc_bus.time import Time
from noc_frame import log
from noc_prober.addresses import is_name
from noc_prober.anchors import ISOLATED_REASON, Anchors
from noc_prober.commands import Commands
from noc_prober.journal import Journal
from noc_prober.memory import Memory, encode_addresses
from noc_prober.packets import Family
from noc_prober.ping import Pinger
from noc_prober.presence import Presence
from noc_prober.resolver import Resolver
from noc_prober.schedule import Slots, first_check_delay
from noc_prober.sockets import IcmpSocket
from noc_prober.station import Station
from noc_prober.targets import Targets
from noc_prober.watch import Watch
from noc_prober.writer import Writer

_TICK_S: Final = 0.2
_AWAY_GRACE_S: Final = 5.0


class Line(Bus, Protocol):
    """A bus with a life of its own, as `noc_bus.session.Session` is."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def check(self) -> None: ...


class Prober:
    """Made on the event loop it runs on. Handlers of the bus run on its thread and only hand over."""

    def __init__(
        self,
        site: str,
        session: Line,
        sockets: dict[Family, IcmpSocket],
        journal: Journal,
        memory: Memory,
        resolver: Resolver | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = session
        self._memory = memory
        self._site = site
        self._log = log.get("noc.prober")
        self._was_alive_at = journal.alive_at
        writer = Writer(site, session, journal, memory)
        pinger = Pinger(sockets)
        resolver = resolver or Resolver(
            learnt=lambda name, addresses: writer.remember("address", name, encode_addresses(addresses))
        )
        resolver.recall(memory.addresses().items())
        anchors = Anchors(pinger, resolver, self._isolation_changed)
        self._station = Station(site, pinger, resolver, anchors, writer, Slots())
        self._watches: dict[str, Watch] = {}
        self._targets = Targets(site, memory.targets(), self._target_changed)
        self._commands = Commands(site, session, self._watches, resolver)
        self._presence = Presence(self._station, Time.now(), self._loop.time())
        self._names_changed = False
        self._second_s = self._presence_s = self._loop.time()

    async def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Raises SessionDied when a thread of the session has ended by itself."""
        station = self._station
        self._loop.set_exception_handler(self._told)
        self._begin()
        self._subscribe()
        station.writer.start()
        self._commands.start()
        self._session.start()
        # What has been made so far stays: the collector need not look at it every time.
        gc.collect()
        gc.freeze()
        try:
            while not stop.is_set():
                self._tick(self._loop.time())
                await asyncio.sleep(_TICK_S)
        finally:
            for watch in self._watches.values():
                watch.end()
            station.anchors.close()
            station.writer.stop()
            self._session.publish(PROBERS, self._presence.goodbye())
            self._session.stop()
            station.pinger.close()

    # -- the bus; all handlers are called on its thread

    def _subscribe(self) -> None:
        session, site = self._session, self._site
        session.subscribe(TARGETS, self._hand_over(self._hear_target))
        session.subscribe(SITES, self._hand_over(self._hear_site), site=site)
        session.subscribe(STATES, self._hand_over(self._hear_state), site=site)
        session.subscribe(COMMANDS, self._hand_over(self._hear_command), site=site)
        session.subscribe(MARKS, self._hear_mark, site=site)
        session.when_connected(self._hand_over_connected)

    def _hand_over(self, handler: Any) -> Any:
        def handle(message: Any, variables: dict[str, str]) -> None:
            self._loop.call_soon_threadsafe(handler, message, variables)

        return handle

    def _hand_over_connected(self) -> None:
        self._loop.call_soon_threadsafe(self._connected)

    def _hear_target(self, target: Target | None, variables: dict[str, str]) -> None:
        self._targets.hear(variables["target"], target, self._loop.time())

    def _hear_site(self, site: Site | None, variables: dict[str, str]) -> None:
        self._station.anchors.use(tuple(site.anchors) if site else ())
        self._station.writer.remember("site", self._site, encode(site) if site else None)
        self._want_names()

    def _hear_state(self, state: SiteState | None, variables: dict[str, str]) -> None:
        if state is not None:
            self._targets.hear_state(variables["target"], self._loop.time())

    def _hear_command(self, command: Command | None, variables: dict[str, str]) -> None:
        if command is not None:
            self._commands.carry_out(variables["verb"], command)

    def _hear_mark(self, mark: Mark | None, variables: dict[str, str]) -> None:
        if mark is not None:
            self._station.writer.marked(mark)

    def _connected(self) -> None:
        self._targets.connected(self._loop.time())
        self._station.writer.connected()
        self._say_presence()

    # -- targets

    def _begin(self) -> None:
        """Go on where the last process ended, without waiting for the broker."""
        if site := self._memory.site(self._site):
            self._station.anchors.use(tuple(site.anchors))
        states = self._memory.states()
        for name in set(states) - set(self._targets.now):
            self._station.writer.last_word(name)
        for name, target in self._targets.now.items():
            self._watch(name, target, states.get(name))
        self._want_names()

    def _watch(self, name: str, target: Target, last: SiteState | None) -> None:
        watch = self._watches[name] = Watch(self._station, target, last)
        if last and not target.paused and self._was_away(target):
            watch.blind_since(Time(self._was_alive_at or last.at), "the prober was not running")
        watch.begin(self._first_delay_s(target))

    def _was_away(self, target: Target) -> bool:
        """Whether more time passed without a prober than passes between two checks anyway."""
        if self._was_alive_at is None:
            return False
        away_s = (Time.now() - self._was_alive_at) / 1000
        return away_s > target.interval_s + target.timeout_ms / 1000 + _AWAY_GRACE_S

    def _target_changed(self, name: str, target: Target | None) -> None:
        self._station.writer.remember("target", name, encode(target) if target else None)
        watch = self._watches.get(name)
        if target is None:
            if watch:
                watch.remove()
                del self._watches[name]
        elif watch:
            watch.change(target, self._first_delay_s(target))
        else:
            self._watch(name, target, None)
        self._names_changed = True

    def _first_delay_s(self, target: Target) -> float:
        phase = self._station.slots.phase(target.id, target.interval_s)
        return first_check_delay(phase, target.interval_s, len(self._targets.now))

    def _want_names(self) -> None:
        self._names_changed = False
        self._station.resolver.want(
            [*(target.address for target in self._targets.now.values() if is_name(target.address)),
             *(address for address in self._station.anchors.addresses if is_name(address))]
        )  # fmt: skip
        self._station.resolver.tick()

    # -- time

    def _tick(self, now_s: float) -> None:
        self._station.anchors.tick()
        if self._names_changed:
            self._want_names()
        if not self._session.connected:
            self._targets.disconnected()
        elif (strangers := self._targets.tick(now_s)) is not None:
            for name in strangers:
                self._session.clear(STATES, site=self._site, target=name)
        if now_s - self._second_s >= 1.0:
            self._second_s = now_s
            self._each_second(now_s)
        if now_s - self._presence_s >= PRESENCE_EVERY_S:
            self._presence_s = now_s
            self._presence.count(now_s)
            self._say_presence()

    def _each_second(self, now_s: float) -> None:
        self._session.check()
        if not self._station.writer.is_alive:
            raise SessionDied("the thread that writes the journal has ended")
        self._station.pinger.tick()
        self._station.resolver.tick()
        for watch in self._watches.values():
            watch.tick(now_s)

    def _say_presence(self) -> None:
        targets = sum(not watch.target.paused for watch in self._watches.values())
        self._session.publish(PROBERS, self._presence.message(targets))

    def _isolation_changed(self, is_isolated: bool) -> None:
        now = Time.now()
        self._log.warning(ISOLATED_REASON if is_isolated else "an anchor answers again: the site is not isolated")
        for watch in self._watches.values():
            if watch.target.paused:
                continue
            if is_isolated:
                watch.blind_since(now, ISOLATED_REASON)
            else:
                watch.begin(self._first_delay_s(watch.target))
        self._say_presence()

    def _told(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in one target's callback: told in full; its watch begins anew by itself."""
        self._log.error(str(context.get("message")), exc_info=context.get("exception"))
