"""One check of one target, a cycle or a re-check: its echo requests at their times, and what they found."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from noc_bus.messages import Assignment
from noc_prober.addresses import Destination
from noc_prober.codes import ErrorCode, InvalidCode
from noc_prober.outstanding import Echo
from noc_prober.packets import IcmpError
from noc_prober.ping import NotSent, Pinger
from noc_prober.schedule import lateness_limit_s
from noc_rules.site_state import Reason

_MAX_ERRORS: Final = 20
# A buffer that is full now has room in a moment.
_RETRY_AFTER_S: Final = 0.05
_RETRIES: Final = 3
_PASSING: Final = frozenset({InvalidCode.NO_BUFFER, InvalidCode.TOO_LARGE})


@dataclass(frozen=True, kw_only=True)
class CheckPlan:
    """What to send, to whom, and when the first request is due on the loop's clock."""

    start_s: float
    destinations: tuple[Destination, ...]
    packets: int = 1
    gap_s: float = 0.0
    timeout_ms: float = 1000.0
    size_bytes: int = 56
    ttl: int | None = None
    lateness_limit_s: float = 1.0


def plan_cycle(target: Assignment, destinations: tuple[Destination, ...], start_s: float) -> CheckPlan:
    return CheckPlan(
        start_s=start_s,
        destinations=destinations,
        packets=target.packets,
        gap_s=target.packet_gap_ms / 1000,
        timeout_ms=target.timeout_ms,
        size_bytes=target.size_bytes,
        ttl=target.ttl,
        lateness_limit_s=lateness_limit_s(target.interval_s, target.timeout_ms / 1000),
    )


def plan_recheck(target: Assignment, destinations: tuple[Destination, ...], start_s: float) -> CheckPlan:
    """A single echo; one to each address where a target has two."""
    return CheckPlan(
        start_s=start_s,
        destinations=destinations,
        timeout_ms=target.timeout_ms,
        size_bytes=target.size_bytes,
        ttl=target.ttl,
        lateness_limit_s=target.timeout_ms / 1000,
    )


class Evidence:
    """What was said and seen besides the replies that count: each kind once, with its number where that tells something."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, code: str, text: str) -> None:
        """`text` is a sentence; or, for a reply that was not as it should be, the address it came from."""
        if (code, text) in self._counts or len(self._counts) < _MAX_ERRORS:
            self._counts[code, text] += 1

    @property
    def codes(self) -> list[str]:
        return [str(code) for code, _ in self._counts]

    @property
    def texts(self) -> list[str]:
        return [_sentence(code, text, count)[:200] for (code, text), count in self._counts.items()]


@dataclass
class Findings:
    """What a check found. `invalid` says why it is not measurable."""

    start_s: float
    sent: int = 0
    rtts_ms: list[float] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    invalid: Reason | None = None


class Tally:
    """What came outside any check's time: published with the next result of the target."""

    def __init__(self) -> None:
        self.late = 0
        self.duplicates = 0

    def drain(self) -> tuple[int, int]:
        counted = self.late, self.duplicates
        self.late = self.duplicates = 0
        return counted


class Check:
    """Runs on the event loop from `start` until `done` is called with its findings, once."""

    def __init__(self, pinger: Pinger, plan: CheckPlan, tally: Tally, done: Callable[[Findings], None]) -> None:
        self._pinger = pinger
        self._plan = plan
        self._tally = tally
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._findings = Findings(plan.start_s)
        self._echoes: list[Echo] = []
        self._steps = 0
        self._answered = 0
        self._not_sent: Reason | None = None
        self._retries = 0
        self._retry_timers: list[asyncio.TimerHandle] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._drops_before = pinger.drops()

    def start(self) -> None:
        self._step()

    def cancel(self) -> None:
        """Stop without findings."""
        self._is_over = True
        self._done = _ignore
        for timer in (self._timer, *self._retry_timers):
            if timer:
                timer.cancel()

    # -- what the echoes tell

    def answered(self, echo: Echo) -> None:
        self._answered += 1
        self._finish_early()

    def late(self) -> None:
        self._tally.late += 1

    def duplicate(self) -> None:
        self._tally.duplicates += 1

    def odd_reply(self, code: ErrorCode, source: str) -> None:
        self._findings.evidence.add(code, source)

    def error(self, echo: Echo, error: IcmpError, source: str) -> None:
        self._findings.evidence.add(error.code, f"{error.text}, says {source}")
        # The path takes no packet of that size: the system has learnt the size now and cuts the next one.
        if error.code is ErrorCode.TOO_LARGE and echo in self._echoes and not echo.answered and not self._is_over:
            self._echoes.remove(echo)
            self._not_sent = Reason(InvalidCode.TOO_LARGE, f"{error.text}, says {source}")
            self._retry(echo.to)
            self._finish_early()

    # -- the course of a check

    def _step(self) -> None:
        """Send the requests that are due now: one to each address."""
        plan, now_s = self._plan, self._loop.time()
        lateness_s = now_s - (plan.start_s + self._steps * plan.gap_s)
        self._pinger.late_by(lateness_s)
        if lateness_s > plan.lateness_limit_s:
            self._fail(Reason(InvalidCode.LATE, f"sent {lateness_s * 1000:.0f} ms late"))
            if not self._echoes:
                self._finish()
                return
        self._steps += 1
        for destination in plan.destinations:
            self._send(destination)
        if self._steps < plan.packets:
            self._timer = self._loop.call_at(plan.start_s + self._steps * plan.gap_s, self._step)
        elif not self._echoes and not self._retry_timers:
            self._finish()
        else:
            self._await_replies()

    def _send(self, to: Destination) -> None:
        plan = self._plan
        try:
            echo = self._pinger.send(to, self, timeout_ms=plan.timeout_ms, size_bytes=plan.size_bytes, ttl=plan.ttl)
        except NotSent as error:
            self._not_sent = error.reason
            self._findings.evidence.add(error.reason.code, error.reason.text)
            if error.reason.code in _PASSING:
                self._retry(to)
            return
        self._echoes.append(echo)

    def _retry(self, to: Destination) -> None:
        """Send a request again that got lost on this machine or was too large for the path; not for ever."""
        if self._retries >= _RETRIES * len(self._plan.destinations):
            return
        self._retries += 1
        self._retry_timers.append(self._loop.call_later(_RETRY_AFTER_S, self._send_again, to))

    def _send_again(self, to: Destination) -> None:
        self._retry_timers.pop(0)  # all wait equally long, so that the first one is due first
        self._send(to)
        if self._steps == self._plan.packets:
            self._await_replies()

    def _await_replies(self) -> None:
        # A little more than the timeout: a reply in its last millisecond must have been read.
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._plan.timeout_ms / 1000 + 0.002, self._time_is_up)

    def _time_is_up(self) -> None:
        # What waits in the socket has arrived in time or not by the kernel's stamp, not by ours.
        self._pinger.read_now()
        self._finish()

    def _finish_early(self) -> None:
        is_sent = self._steps == self._plan.packets and not self._retry_timers
        if is_sent and self._answered == len(self._echoes) and not self._is_over:
            self._finish()

    def _finish(self) -> None:
        if self._is_over:  # reading found the missing replies and has finished the check
            return
        done = self._done
        self.cancel()
        findings = self._findings
        findings.sent = len(self._echoes)
        findings.rtts_ms = [echo.rtt_ms for echo in self._echoes if echo.rtt_ms is not None]
        if len(findings.rtts_ms) < findings.sent and (drops := self._pinger.drops() - self._drops_before) > 0:
            self._fail(Reason(InvalidCode.DROPPED, f"the kernel dropped {drops} ICMP packets unread"))
        if not findings.sent and self._not_sent:
            self._fail(self._not_sent)
        done(findings)
        # Echoes know their check for a while yet; without this circle it goes by itself and leaves the collector nothing.
        self._echoes = []

    def _fail(self, reason: Reason) -> None:
        if self._findings.invalid is None:
            self._findings.invalid = Reason(reason.code, reason.text[:200])


async def checked(pinger: Pinger, plan: CheckPlan, tally: Tally) -> Findings:
    """A check for whoever waits for its findings; it ends with the wait."""
    over: asyncio.Future[Findings] = asyncio.get_running_loop().create_future()
    check = Check(pinger, plan, tally, over.set_result)
    check.start()
    try:
        return await over
    finally:
        check.cancel()


def _ignore(_: Findings) -> None:
    """For a check that has told its findings, or is not to."""


def addresses_of(destinations: Sequence[Destination]) -> str:
    return ",".join(destination.address for destination in destinations)


def _sentence(code: str, text: str, count: int) -> str:
    replies = "1 reply" if count == 1 else f"{count} replies"
    match code:
        case ErrorCode.OTHER_SOURCE:
            return f"{replies} came from {text}"
        case ErrorCode.ALTERED:
            return f"{replies} came back altered"
        case ErrorCode.CUT:
            return f"{replies} came back cut"
        case _:
            return text
