"""Tries addresses that need be no targets: a few echo requests, told after each, or the path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from noc_bus.messages import AddressPing, AddressTrace
from noc_frame import log
from noc_prober.addresses import BadAddress, Destination
from noc_prober.check import CheckPlan, Tally, checked
from noc_prober.codes import ReplyCode
from noc_prober.lookup import aside, finding
from noc_prober.ping import Pinger
from noc_prober.resolver import LookUp
from noc_prober.trace import CannotTrace, trace
from noc_rules.site_state import Reason

ECHOES: Final = 5
AT_ONCE: Final = 4
"""Whoever may command a site can have it send to any address: a few packets at a time, whatever is asked."""
_GAP_S: Final = 0.5
_TIMEOUT_MS: Final = 2000

Say = Callable[[AddressPing | AddressTrace | Reason, bool], None]
"""Called on the event loop with what is known, or why nothing is, and whether that is all."""
Test = Callable[[Destination, Say], Coroutine[None, None, AddressPing | AddressTrace]]


class AddressTests:
    """All belongs to the event loop."""

    def __init__(self, pinger: Pinger, look_up: LookUp) -> None:
        self._pinger = pinger
        self._look_up = look_up
        self._running: dict[asyncio.Task[None], Say] = {}
        self._log = log.get("noc.prober")

    @property
    def is_busy(self) -> bool:
        return len(self._running) >= AT_ONCE

    def ping(self, address: str, say: Say) -> None:
        self._start(address, say, self._ping)

    def trace(self, address: str, say: Say) -> None:
        self._start(address, say, self._trace)

    def stop(self) -> None:
        """Nobody waits in vain: who asked for what is not done any more is told."""
        for task, say in self._running.items():
            task.cancel()
            say(Reason(ReplyCode.CANCELLED, "it was cancelled: the prober is stopping"), True)

    def _start(self, address: str, say: Say, test: Test) -> None:
        task = asyncio.get_running_loop().create_task(self._run(address, say, test))
        self._running[task] = say
        task.add_done_callback(self._running.pop)

    async def _run(self, address: str, say: Say, test: Test) -> None:
        found: AddressPing | AddressTrace | Reason
        try:
            to = await asyncio.wrap_future(finding(address, "auto", self._look_up))
            found = await test(to, say)
        except BadAddress as problem:
            found = problem.reason
        except CannotTrace as problem:
            found = Reason(ReplyCode.CANNOT_TRACE, str(problem))
        except Exception:  # noqa: BLE001  # whatever one address did, the prober goes on
            self._log.exception(f"{address} could not be tried")
            found = Reason(ReplyCode.FAILED, f"{address} could not be tried; the prober's log says why")
        say(found, True)

    async def _ping(self, to: Destination, say: Say) -> AddressPing:
        return await _ping_address(self._pinger, to, lambda so_far: say(so_far, False))

    async def _trace(self, to: Destination, say: Say) -> AddressTrace:
        path = await asyncio.wrap_future(aside(lambda: trace(to, _TIMEOUT_MS / 1000)))
        return AddressTrace(address=path.address, reached=path.is_reached, hops=path.hops)


async def _ping_address(pinger: Pinger, to: Destination, say: Callable[[AddressPing], None]) -> AddressPing:
    """All that was found; `say` gets what is known before that, after each echo but the last."""
    loop = asyncio.get_running_loop()
    sent, rtts_ms, errors = 0, list[float](), dict[str, str]()
    for number in range(1, ECHOES + 1):
        start_s = loop.time()
        plan = CheckPlan(
            start_s=start_s, destinations=(to,), timeout_ms=_TIMEOUT_MS, lateness_limit_s=_TIMEOUT_MS / 1000
        )
        found = await checked(pinger, plan, Tally())
        sent += found.sent
        rtts_ms += found.rtts_ms
        errors |= dict(zip(found.evidence.texts, found.evidence.codes, strict=True))
        known = AddressPing(
            address=to.address,
            planned=ECHOES,
            sent=sent,
            rtts_ms=list(rtts_ms),
            errors=list(errors)[:20],
            error_codes=list(errors.values())[:20],
            invalid=found.invalid.text if found.invalid else None,
            invalid_code=found.invalid.code if found.invalid else None,
        )
        if known.invalid or number == ECHOES:
            break
        say(known)
        await asyncio.sleep(max(0.0, start_s + _GAP_S - loop.time()))
    return known
