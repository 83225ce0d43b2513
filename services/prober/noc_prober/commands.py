"""What people ask of this site: one cycle now, a few echo requests to any address, or the path to either."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from functools import partial
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import REPLIES
from noc_bus.messages import AddressPing, AddressTrace, Assignment, Command, ProbeResult, Reply, Trace
from noc_bus.time import Time
from noc_prober.address_tests import AT_ONCE, AddressTests
from noc_prober.addresses import BadAddress
from noc_prober.codes import ReplyCode
from noc_prober.resolver import Unresolved
from noc_prober.tracing import Tracer
from noc_prober.watch import Watch
from noc_rules.site_state import Reason

OLDEST_S: Final = 60
_CHECKS_AT_ONCE: Final = 100

Found = ProbeResult | Trace | AddressPing | AddressTrace | Reason


class Refused(Exception):
    """A command is not carried out."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(code, text)


class Commands:
    """`carry_out` is called on the event loop."""

    def __init__(
        self, site: str, bus: Bus, watches: Mapping[str, Watch], tracer: Tracer, addresses: AddressTests
    ) -> None:
        self._site = site
        self._bus = bus
        self._watches = watches
        self._tracer = tracer
        self._addresses = addresses
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)

    def stop(self) -> None:
        self._addresses.stop()

    def carry_out(self, verb: str, command: Command) -> None:
        try:
            self._carry_out(verb, command)
        except Refused as refusal:
            self._reply(command, refusal.reason)

    def _carry_out(self, verb: str, command: Command) -> None:
        age_s = (Time.now() - command.at) / 1000
        if age_s > OLDEST_S:
            raise Refused(
                ReplyCode.TOO_OLD,
                f"the command is {age_s:.0f} s old by the clock of the site {self._site}; "
                f"it is only carried out within {OLDEST_S} s",
            )
        match (verb, command.target, command.address):
            case ("check", str(target), None):
                self._check(command, self._watch(target))
            case ("trace", str(target), None):
                self._trace(command, self._watch(target).target)
            case ("ping" | "trace", None, str(address)):
                self._try_address(verb, command, address)
            case _:
                raise Refused(
                    ReplyCode.UNKNOWN_COMMAND,
                    f"{verb} is not a command of a prober; it knows check and trace for a target, "
                    "ping and trace for an address",
                )

    def _watch(self, target: str) -> Watch:
        watch = self._watches.get(target)
        if watch is None:
            raise Refused(ReplyCode.UNKNOWN_TARGET, f"the site {self._site} does not ping a target {target}")
        return watch

    def _try_address(self, verb: str, command: Command, address: str) -> None:
        if self._addresses.is_busy:
            raise Refused(ReplyCode.BUSY, f"{AT_ONCE} addresses are being tried already; ask again in a few seconds")
        start = self._addresses.ping if verb == "ping" else self._addresses.trace
        start(address, partial(self._reply, command))

    def _check(self, command: Command, watch: Watch) -> None:
        if watch.target.paused:
            raise Refused(ReplyCode.PAUSED, f"{command.target} is paused: it is not pinged")
        if not self._checks.acquire(blocking=False):
            raise Refused(ReplyCode.BUSY, "too many checks are running; ask again in a few seconds")

        def done(result: ProbeResult | Reason) -> None:
            self._checks.release()
            self._reply(command, result)

        watch.check_now(done)

    def _trace(self, command: Command, target: Assignment) -> None:
        try:
            self._tracer.ask(target, partial(self._reply, command))
        except (BadAddress, Unresolved) as problem:
            raise Refused(problem.reason.code, problem.reason.text) from None
        except queue.Full:
            raise Refused(ReplyCode.BUSY, "too many traces are waiting already; ask again in a minute") from None

    def _reply(self, command: Command, found: Found, done: bool = True) -> None:
        self._bus.publish(
            REPLIES,
            Reply(
                request=command.request,
                site=self._site,
                target=command.target,
                asked=command.address,
                at=Time.now(),
                error=found.text[:500] if isinstance(found, Reason) else None,
                code=found.code if isinstance(found, Reason) else None,
                result=found if isinstance(found, ProbeResult) else None,
                trace=found if isinstance(found, Trace) else None,
                ping=found if isinstance(found, AddressPing) else None,
                address_trace=found if isinstance(found, AddressTrace) else None,
                done=done,
            ),
        )
