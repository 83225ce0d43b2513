"""What people ask of this site: one cycle now, or the path to a target."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import REPLIES
from noc_bus.messages import Command, ProbeResult, Reply, Target, Trace
from noc_bus.time import Time
from noc_frame import log
from noc_prober.addresses import BadAddress, Destination
from noc_prober.codes import ReplyCode
from noc_prober.resolver import Resolver, Unresolved, destinations
from noc_prober.trace import CannotTrace, Path, trace
from noc_prober.watch import Watch
from noc_prober.writer import Writer
from noc_rules.site_state import Reason

OLDEST_S: Final = 60
_TRACES_WAITING: Final = 20
_CHECKS_AT_ONCE: Final = 100

Follow = Callable[[Destination, float], Path]
"""Takes the destination and the target's own timeout in seconds."""


class Refused(Exception):
    """A command is not carried out."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(code, text)


class Commands:
    """`carry_out` is called on the event loop; paths are followed on a thread of their own, one at a time."""

    def __init__(
        self,
        site: str,
        bus: Bus,
        watches: dict[str, Watch],
        resolver: Resolver,
        writer: Writer,
        follow: Follow = trace,
    ) -> None:
        self._site = site
        self._bus = bus
        self._watches = watches
        self._resolver = resolver
        self._writer = writer
        self._follow = follow
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)
        self._traces: queue.Queue[tuple[Command, Target, Destination]] = queue.Queue(maxsize=_TRACES_WAITING)
        self._log = log.get("noc.prober")
        self._thread = threading.Thread(target=self._follow_paths, name="traces", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nobody waits in vain: who asked for a path that is not followed any more is told."""
        while True:
            try:
                command, _, _ = self._traces.get_nowait()
            except queue.Empty:
                return
            self._reply(command, error=Reason(ReplyCode.CANCELLED, "the trace was cancelled: the prober is stopping"))

    def carry_out(self, verb: str, command: Command) -> None:
        try:
            self._carry_out(verb, command)
        except Refused as refusal:
            self._reply(command, error=refusal.reason)

    def _carry_out(self, verb: str, command: Command) -> None:
        watch = self._watch(command)
        if verb == "check":
            self._check(command, watch)
        elif verb == "trace":
            self._trace(command, watch.target)
        else:
            raise Refused(ReplyCode.UNKNOWN_COMMAND, f"{verb} is not a command of a prober; it knows check and trace")

    def _watch(self, command: Command) -> Watch:
        age_s = (Time.now() - command.at) / 1000
        if age_s > OLDEST_S:
            raise Refused(
                ReplyCode.TOO_OLD,
                f"the command is {age_s:.0f} s old by the clock of the site {self._site}; "
                f"it is only carried out within {OLDEST_S} s",
            )
        watch = self._watches.get(command.target)
        if watch is None:
            raise Refused(ReplyCode.UNKNOWN_TARGET, f"the site {self._site} does not ping a target {command.target}")
        return watch

    def _check(self, command: Command, watch: Watch) -> None:
        if watch.target.paused:
            raise Refused(ReplyCode.PAUSED, f"{command.target} is paused: it is not pinged")
        if not self._checks.acquire(blocking=False):
            raise Refused(ReplyCode.BUSY, "too many checks are running; ask again in a few seconds")

        def done(result: ProbeResult | Reason) -> None:
            self._checks.release()
            if isinstance(result, Reason):
                self._reply(command, error=result)
            else:
                self._reply(command, result=result)

        watch.check_now(done)

    def _trace(self, command: Command, target: Target) -> None:
        try:
            to = destinations(target, self._resolver)[0]
            self._traces.put_nowait((command, target, to))
        except (BadAddress, Unresolved) as problem:
            raise Refused(problem.reason.code, problem.reason.text) from None
        except queue.Full:
            raise Refused(
                ReplyCode.BUSY, f"{_TRACES_WAITING} traces are waiting already; ask again in a minute"
            ) from None

    def _follow_paths(self) -> None:
        while True:
            command, target, to = self._traces.get()
            try:
                self._follow_path(command, target, to)
            except Exception:  # noqa: BLE001  # whatever one path did, the next one is followed
                self._log.exception(f"the path to {target.id} could not be followed")
                text = f"the path to {target.id} could not be followed; the prober's log says why"
                self._reply(command, error=Reason(ReplyCode.FAILED, text))

    def _follow_path(self, command: Command, target: Target, to: Destination) -> None:
        at = Time.now()
        try:
            path = self._follow(to, target.timeout_ms / 1000)
        except CannotTrace as problem:
            self._reply(command, error=Reason(ReplyCode.CANNOT_TRACE, str(problem)))
            return
        if self._watches.get(target.id) is None:
            # Removed meanwhile: a path retained now would be nobody's.
            self._reply(command, error=Reason(ReplyCode.UNKNOWN_TARGET, f"{target.id} was removed meanwhile"))
            return
        found = Trace(
            site=self._site, target=target.id, address=path.address, at=at, reached=path.is_reached, hops=path.hops
        )
        self._reply(command, trace=self._writer.keep_trace(found))

    def _reply(
        self,
        command: Command,
        *,
        error: Reason | None = None,
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
                error=error.text[:500] if error else None,
                code=error.code if error else None,
                result=result,
                trace=trace,
            ),
        )
