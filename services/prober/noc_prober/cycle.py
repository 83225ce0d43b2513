"""One check of one target: its echo requests at their times, folded into what they prove."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from noc_bus.messages import Target
from noc_bus.time import Time
from noc_prober.addresses import Destination
from noc_prober.outstanding import Echo, add_error
from noc_prober.ping import NotSent, Pinger
from noc_prober.schedule import lateness_limit_s


@dataclass(frozen=True)
class Plan:
    """What to send, to whom, and when the first request is due on the loop's clock."""

    start_s: float
    at: Time
    destinations: tuple[Destination, ...]
    packets: int
    gap_s: float
    timeout_ms: float
    size_bytes: int
    ttl: int | None
    lateness_limit_s: float


def cycle_of(target: Target, destinations: tuple[Destination, ...], start_s: float, at: Time) -> Plan:
    return Plan(
        start_s, at, destinations, target.packets, target.packet_gap_ms / 1000, target.timeout_ms, target.size_bytes,
        target.ttl, lateness_limit_s(target.interval_s, target.timeout_ms / 1000),
    )  # fmt: skip


def recheck_of(target: Target, destinations: tuple[Destination, ...], start_s: float, at: Time) -> Plan:
    """A single echo; one to each address where a target has two."""
    return Plan(
        start_s, at, destinations, 1, 0.0, target.timeout_ms, target.size_bytes, target.ttl, target.timeout_ms / 1000
    )


@dataclass
class Outcome:
    """What a check gave. `invalid` says why it proves nothing."""

    at: Time
    sent: int = 0
    rtts_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    invalid: str | None = None
    last_sent_s: float = 0.0


class Tally:
    """What came outside any cycle's time: told with the next result of the target."""

    def __init__(self) -> None:
        self.late = 0
        self.duplicates = 0

    def take(self) -> tuple[int, int]:
        taken = self.late, self.duplicates
        self.late = self.duplicates = 0
        return taken


class Cycle:
    """Runs on the event loop from `start` until `done` is called with its outcome, once."""

    def __init__(self, pinger: Pinger, plan: Plan, tally: Tally, done: Callable[[Outcome], None]) -> None:
        self._pinger = pinger
        self._plan = plan
        self._tally = tally
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._outcome = Outcome(plan.at, last_sent_s=plan.start_s)
        self._echoes: list[Echo] = []
        self._steps = 0
        self._answered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._drops_before = pinger.drops()

    def start(self) -> None:
        self._step()

    def cancel(self) -> None:
        """Stop without an outcome."""
        self._is_over = True
        if self._timer:
            self._timer.cancel()

    # -- what the echoes tell

    def heard(self, echo: Echo) -> None:
        self._answered += 1
        if self._steps == self._plan.packets and self._answered == len(self._echoes) and not self._is_over:
            self._finish()

    def late(self) -> None:
        self._tally.late += 1

    def duplicate(self) -> None:
        self._tally.duplicates += 1

    def error(self, text: str) -> None:
        add_error(self._outcome.errors, text)

    # -- the course of a cycle

    def _step(self) -> None:
        """Send the requests that are due now: one to each address."""
        plan, now_s = self._plan, self._loop.time()
        lateness_s = now_s - (plan.start_s + self._steps * plan.gap_s)
        self._pinger.late_by(lateness_s)
        if lateness_s > plan.lateness_limit_s:
            self._fail(f"sent {lateness_s * 1000:.0f} ms late")
            if not self._echoes:
                self._finish()
                return
        self._steps += 1
        for destination in plan.destinations:
            self._send(destination)
        self._outcome.last_sent_s = now_s
        if self._steps < plan.packets:
            self._timer = self._loop.call_at(plan.start_s + self._steps * plan.gap_s, self._step)
        elif not self._echoes:
            self._finish()
        else:
            # A little more than the timeout: a reply in its last millisecond must have been read.
            self._timer = self._loop.call_later(plan.timeout_ms / 1000 + 0.002, self._time_is_up)

    def _send(self, to: Destination) -> None:
        plan = self._plan
        try:
            echo = self._pinger.send(to, self, timeout_ms=plan.timeout_ms, size_bytes=plan.size_bytes, ttl=plan.ttl)
        except NotSent as error:
            self._fail(str(error))
            add_error(self._outcome.errors, str(error)[:200])
            return
        self._echoes.append(echo)

    def _time_is_up(self) -> None:
        # What waits in the socket has arrived in time or not by the kernel's stamp, not by ours.
        self._pinger.read_now()
        self._finish()

    def _finish(self) -> None:
        if self._is_over:  # reading found the missing replies and has finished the cycle
            return
        self.cancel()
        outcome = self._outcome
        outcome.sent = len(self._echoes)
        outcome.rtts_ms = [echo.rtt_ms for echo in self._echoes if echo.rtt_ms is not None]
        if len(outcome.rtts_ms) < outcome.sent and (drops := self._pinger.drops() - self._drops_before) > 0:
            self._fail(f"the kernel dropped {drops} ICMP packets unread")
        self._done(outcome)

    def _fail(self, reason: str) -> None:
        if self._outcome.invalid is None:
            self._outcome.invalid = reason[:200]


def addresses_of(destinations: Sequence[Destination]) -> str:
    return ",".join(destination.address for destination in destinations)
