"""What people ask of this site: one cycle now, or the path to a target."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import REPLIES, TRACES
from noc_bus.messages import Command, ProbeResult, Reply, Target, Trace
from noc_bus.time import Time
from noc_frame import log
from noc_prober.addresses import BadAddress, Destination
from noc_prober.resolver import Resolver, Unresolved, destinations
from noc_prober.trace import CannotTrace, Path, trace
from noc_prober.watch import Watch

OLDEST_S: Final = 60
_TRACES_WAITING: Final = 20
_CHECKS_AT_ONCE: Final = 100

Follow = Callable[[Destination], Path]


class Refused(Exception):
    """A command is not carried out. The text says why."""


class Commands:
    """`carry_out` is called on the event loop; paths are followed on a thread of their own, one at a time."""

    def __init__(
        self, site: str, bus: Bus, watches: dict[str, Watch], resolver: Resolver, follow: Follow = trace
    ) -> None:
        self._site = site
        self._bus = bus
        self._watches = watches
        self._resolver = resolver
        self._follow = follow
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)
        self._traces: queue.Queue[tuple[Command, Target, Destination]] = queue.Queue(maxsize=_TRACES_WAITING)
        self._log = log.get("noc.prober")
        self._thread = threading.Thread(target=self._follow_paths, name="traces", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def carry_out(self, verb: str, command: Command) -> None:
        try:
            self._begin(verb, command)
        except Refused as refusal:
            self._reply(command, error=str(refusal))

    def _begin(self, verb: str, command: Command) -> None:
        watch = self._watch(command)
        if verb == "check":
            self._check(command, watch)
        elif verb == "trace":
            self._trace(command, watch.target)
        else:
            raise Refused(f"{verb} is not a command of a prober; it knows check and trace")

    def _watch(self, command: Command) -> Watch:
        age_s = (Time.now() - command.at) / 1000
        if age_s > OLDEST_S:
            raise Refused(f"the command is {age_s:.0f} s old; it is only carried out within {OLDEST_S} s")
        watch = self._watches.get(command.target)
        if watch is None:
            raise Refused(f"the site {self._site} does not ping a target {command.target}")
        return watch

    def _check(self, command: Command, watch: Watch) -> None:
        if watch.target.paused:
            raise Refused(f"{command.target} is paused: it is not pinged")
        if not self._checks.acquire(blocking=False):
            raise Refused("too many checks are running; ask again in a few seconds")

        def done(result: ProbeResult | None) -> None:
            self._checks.release()
            if result is None:
                self._reply(
                    command, error="the journal cannot be written, so nothing may be told; see the prober's log"
                )
            else:
                self._reply(command, result=result)

        watch.check_now(done)

    def _trace(self, command: Command, target: Target) -> None:
        try:
            to = destinations(target, self._resolver)[0]
            self._traces.put_nowait((command, target, to))
        except (BadAddress, Unresolved) as problem:
            raise Refused(str(problem)) from None
        except queue.Full:
            raise Refused(f"{_TRACES_WAITING} traces are waiting already; ask again in a minute") from None

    def _follow_paths(self) -> None:
        while True:
            command, target, to = self._traces.get()
            try:
                self._follow_path(command, target, to)
            except Exception:  # noqa: BLE001  # whatever one path did, the next one is followed
                self._log.exception(f"the path to {target.id} could not be followed")
                self._reply(command, error=f"the path to {target.id} could not be followed; the prober's log says why")

    def _follow_path(self, command: Command, target: Target, to: Destination) -> None:
        at = Time.now()
        try:
            path = self._follow(to)
        except CannotTrace as problem:
            self._reply(command, error=str(problem))
            return
        found = Trace(
            site=self._site, target=target.id, address=path.address, at=at, reached=path.is_reached, hops=path.hops
        )
        self._bus.publish(TRACES, found)
        self._reply(command, trace=found)

    def _reply(
        self,
        command: Command,
        *,
        error: str | None = None,
        result: ProbeResult | None = None,
        trace: Trace | None = None,
    ) -> None:
        self._bus.publish(
            REPLIES,
            Reply(
                request=command.request,
                site=self._site,
                target=command.target,
                at=Time.now(),
                error=error,
                result=result,
                trace=trace,
            ),
        )
