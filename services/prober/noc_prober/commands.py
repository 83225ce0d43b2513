"""What people ask of this site: one cycle now, or the path to a target."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import REPLIES
from noc_bus.messages import Command, ProbeResult, Reply, Target, Trace
from noc_bus.time import Time
from noc_prober.addresses import BadAddress
from noc_prober.codes import ReplyCode
from noc_prober.resolver import Unresolved
from noc_prober.tracing import Tracer
from noc_prober.watch import Watch
from noc_rules.site_state import Reason

OLDEST_S: Final = 60
_CHECKS_AT_ONCE: Final = 100


class Refused(Exception):
    """A command is not carried out."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(code, text)


class Commands:
    """`carry_out` is called on the event loop."""

    def __init__(self, site: str, bus: Bus, watches: Mapping[str, Watch], tracer: Tracer) -> None:
        self._site = site
        self._bus = bus
        self._watches = watches
        self._tracer = tracer
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)

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
        def done(found: Trace | Reason) -> None:
            if isinstance(found, Reason):
                self._reply(command, error=found)
            else:
                self._reply(command, trace=found)

        try:
            self._tracer.ask(target, done)
        except (BadAddress, Unresolved) as problem:
            raise Refused(problem.reason.code, problem.reason.text) from None
        except queue.Full:
            raise Refused(ReplyCode.BUSY, "too many traces are waiting already; ask again in a minute") from None

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
