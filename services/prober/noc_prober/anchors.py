"""Whether this site sees anything at all: its anchors, pinged beside the targets.

While none of them answers the site is isolated, and what it does not see proves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from noc_bus.messages import Target
from noc_bus.time import Time
from noc_frame import log
from noc_prober.addresses import BadAddress, NoInterface, check_name, is_name, literal
from noc_prober.cycle import Cycle, Outcome, Plan, Tally
from noc_prober.ping import Pinger
from noc_prober.resolver import Resolver, Unresolved, destinations

EVERY_S: Final = 10.0
EVERY_ISOLATED_S: Final = 2.0
_SOONEST_S: Final = 1.0
_ECHOES: Final = 2
_TIMEOUT_MS: Final = 1000.0
_GAP_S: Final = 0.1
ISOLATED_AFTER: Final = 2
CONNECTED_AFTER: Final = 3

ISOLATED_REASON: Final = "site is isolated: no anchor answers"


class Isolation:
    """Isolated after two checks in a row without any answer, connected after three with one. Pure."""

    def __init__(self) -> None:
        self.is_isolated = False
        self._failed = 0
        self._good = 0

    def judge(self, *, answered: bool) -> bool:
        """Take a check; whether it changed `is_isolated`."""
        self._failed, self._good = (0, self._good + 1) if answered else (self._failed + 1, 0)
        before = self.is_isolated
        self.is_isolated = self._good < CONNECTED_AFTER if before else self._failed >= ISOLATED_AFTER
        return self.is_isolated != before


class Anchors:
    """Runs on the event loop. `changed` is called when the site becomes isolated or connected again."""

    def __init__(self, pinger: Pinger, resolver: Resolver, changed: Callable[[bool], None]) -> None:
        self._pinger = pinger
        self._resolver = resolver
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._isolation = Isolation()
        self._addresses: tuple[str, ...] = ()
        self._running: list[Cycle] = []
        self._waiting = 0
        self._answered = False
        self._started_s = -EVERY_S
        self._good_s = float("-inf")
        self._soon = False
        self._log = log.get("noc.prober")

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._addresses

    @property
    def is_isolated(self) -> bool:
        return self._isolation.is_isolated

    def use(self, addresses: tuple[str, ...]) -> None:
        """Have these anchors from now on; none of them can be used or none given: never isolated."""
        addresses = tuple(address for address in addresses if self._is_usable(address))
        if addresses == self._addresses:
            return
        self._addresses = addresses
        if not addresses and self._isolation.is_isolated:
            self._isolation = Isolation()
            self._changed(False)

    def vouch_for(self, since_s: float) -> bool:
        """Whether this site certainly saw something after `since_s`. Where it has no anchors nobody can tell: True."""
        return not self._addresses or self._good_s >= since_s

    def check_soon(self) -> None:
        """Someone does not answer: is it them, or us?"""
        self._soon = True
        self.tick()

    def tick(self) -> None:
        """Start a check where one is due, several times a second."""
        now_s = self._loop.time()
        every_s = EVERY_ISOLATED_S if self._isolation.is_isolated else EVERY_S
        wait_s = _SOONEST_S if self._soon else every_s
        if self._waiting or not self._addresses or now_s - self._started_s < wait_s:
            return
        if any(self._is_awaited(address) for address in self._addresses):
            return
        self._soon = False
        self._started_s = now_s
        self._answered = False
        self._waiting = len(self._addresses)
        for address in self._addresses:
            self._check(address, now_s)

    def close(self) -> None:
        for cycle in self._running:
            cycle.cancel()

    def _is_usable(self, address: str) -> bool:
        try:
            if literal(address) is None:
                check_name(address)
        except NoInterface:
            return True  # silent until the interface comes, which is what an anchor is to tell
        except BadAddress as error:
            self._log.warning(f"an anchor of this site cannot be used: {error}")
            return False
        return True

    def _is_awaited(self, address: str) -> bool:
        return is_name(address) and self._resolver.answer(address) is None

    def _check(self, address: str, now_s: float) -> None:
        anchor = Target(id="anchor", name=address, address=address)
        try:
            found = destinations(anchor, self._resolver)
        except (BadAddress, Unresolved) as error:
            self._over(Outcome(Time.now(), invalid=str(error)))
            return
        plan = Plan(now_s, Time.now(), found, _ECHOES, _GAP_S, _TIMEOUT_MS, 56, None, _TIMEOUT_MS / 1000)
        cycle = Cycle(self._pinger, plan, Tally(), self._over)
        self._running.append(cycle)
        cycle.start()

    def _over(self, outcome: Outcome) -> None:
        self._waiting -= 1
        if outcome.rtts_ms:
            self._answered = True
            self._good_s = max(self._good_s, self._started_s)
        if self._waiting:
            return
        self._running.clear()
        if self._isolation.judge(answered=self._answered):
            self._changed(self._isolation.is_isolated)
        elif not self._answered:
            self._soon = True
