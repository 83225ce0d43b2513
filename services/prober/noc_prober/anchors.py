"""Whether this site sees anything at all: its anchors, pinged beside the targets, and its own link.

While none of them answers the site is isolated, and what it does not see says nothing about its targets.
A site that was given no anchors takes the gateways of its machine, as far as they answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from noc_bus.messages import Target
from noc_frame import log
from noc_prober.addresses import BadAddress, Destination, NoInterface, check_name, is_name, literal
from noc_prober.check import Check, CheckPlan, Findings, Tally
from noc_prober.codes import InvalidCode
from noc_prober.link import Link
from noc_prober.ping import Pinger
from noc_prober.resolver import Resolver, Unresolved, destinations
from noc_rules.assignment import assignment
from noc_rules.site_state import Reason

EVERY_S: Final = 10.0
EVERY_ISOLATED_S: Final = 2.0
_SOONEST_S: Final = 1.0
_LINK_EVERY_S: Final = 1.0
_ECHOES: Final = 2
_GAP_S: Final = 0.1
ISOLATED_AFTER: Final = 2
CONNECTED_AFTER: Final = 3
# By then the kernel has asked the gateway for its link address again, and would know that it has gone.
_GATEWAY_DOUBTED_S: Final = 40.0

ISOLATED: Final = Reason(InvalidCode.ISOLATED, "site is isolated: no anchor answers")


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

    def __init__(self, pinger: Pinger, resolver: Resolver, link: Link, changed: Callable[[bool], None]) -> None:
        self._pinger = pinger
        self._resolver = resolver
        self._link = link
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._isolation = Isolation()
        self._link_trouble: Reason | None = None
        self._link_looked_s = float("-inf")
        self._given: tuple[str, ...] = ()
        self._gateways: tuple[str, ...] = ()
        # Many a gateway answers no echo requests: only one that did is missed when it does not.
        self._proven: set[str] = set()
        self._running: list[Check] = []
        self._waiting = 0
        self._answered = False
        self._started_s = -EVERY_S
        self._good_s = self._answered_s = self._answered_beyond_s = float("-inf")
        self._soon = False
        self._was_isolated = False
        self._log = log.get("noc.prober")

    @property
    def names(self) -> tuple[str, ...]:
        """Those to be resolved."""
        return tuple(address for address in self._given if is_name(address))

    @property
    def is_isolated(self) -> bool:
        return self._isolation.is_isolated or self._link_trouble is not None

    @property
    def isolation(self) -> Reason | None:
        """Why this site is isolated; None: it is not."""
        if self._link_trouble:
            return Reason(InvalidCode.ISOLATED, f"site is isolated: {self._link_trouble.text}")
        return ISOLATED if self._isolation.is_isolated else None

    def use(self, addresses: tuple[str, ...]) -> None:
        """Have these anchors from now on; none of them can be used or none given: the gateways."""
        addresses = tuple(address for address in addresses if self._is_usable(address))
        if addresses == self._given:
            return
        self._given = addresses
        if not addresses:
            self._isolation = Isolation()
            self._notify()

    def target_answered(self, found: tuple[Destination, ...], since_s: float) -> None:
        """A target answered a check that started at `since_s`."""
        self._answered_s = max(self._answered_s, since_s)
        if self._proven and not self._given and any(self._link.is_beyond_gateway(to) for to in found):
            self._answered_beyond_s = max(self._answered_beyond_s, since_s)

    def vouch_for(self, found: tuple[Destination, ...], since_s: float) -> bool:
        """Whether this site certainly saw something after `since_s`. Where nobody can tell: True."""
        self._look_at_link()
        if self._link_trouble:
            return False
        if self._given:
            return self._good_s >= since_s
        if not self._proven or not any(self._link.is_beyond_gateway(to) for to in found):
            return True
        is_old = self._loop.time() - since_s > _GATEWAY_DOUBTED_S
        return is_old or max(self._good_s, self._answered_beyond_s) >= since_s

    def check_soon(self) -> None:
        """Someone does not answer: is it them, or us?"""
        self._soon = True
        self.tick()

    def tick(self) -> None:
        """Start a check where one is due, several times a second."""
        now_s = self._loop.time()
        if now_s - self._link_looked_s >= _LINK_EVERY_S:
            self._look_at_link()
        addresses = self._given or self._gateways
        every_s = EVERY_ISOLATED_S if self._isolation.is_isolated else EVERY_S
        wait_s = _SOONEST_S if self._soon else every_s
        if self._waiting or not addresses or now_s - self._started_s < wait_s:
            return
        if any(self._is_awaited(address) for address in addresses):
            return
        self._soon = False
        self._started_s = now_s
        self._answered = False
        self._waiting = len(addresses)
        for address in addresses:
            self._check(address, now_s)

    def close(self) -> None:
        for check in self._running:
            check.cancel()

    def _look_at_link(self) -> None:
        self._link_looked_s = self._loop.time()
        self._link_trouble = self._link.trouble()
        if not self._link_trouble and (gateways := self._link.gateways()) != self._gateways:
            self._gateways = gateways
            self._proven &= set(gateways)
            if not self._given:
                self._isolation = Isolation()
        self._notify()

    def _notify(self) -> None:
        if self.is_isolated != self._was_isolated:
            self._was_isolated = self.is_isolated
            self._changed(self.is_isolated)

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
        anchor = assignment(Target(id="anchor", name=address, address=address), ())
        try:
            found = destinations(anchor, self._resolver)
        except (BadAddress, Unresolved) as problem:
            self._over(address, Findings(now_s, invalid=problem.reason))
            return
        plan = CheckPlan(start_s=now_s, destinations=found, packets=_ECHOES, gap_s=_GAP_S)
        check = Check(self._pinger, plan, Tally(), lambda findings: self._over(address, findings))
        self._running.append(check)
        check.start()

    def _over(self, address: str, findings: Findings) -> None:
        self._waiting -= 1
        if findings.rtts_ms:
            self._answered = True
            self._good_s = max(self._good_s, self._started_s)
            if not self._given:
                self._proven.add(address)
        if self._waiting:
            return
        self._running.clear()
        if not self._given:
            if not self._proven:
                return
            # A gateway may be too busy to answer: as long as targets are seen, this site is not isolated.
            self._answered = self._answered or self._answered_s >= self._started_s - EVERY_S
        self._isolation.judge(answered=self._answered)
        self._notify()
        if not self._answered and not self._isolation.is_isolated:
            self._soon = True
