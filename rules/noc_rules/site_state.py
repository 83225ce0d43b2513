"""How one site comes to call a target UP, DEGRADED, DOWN or UNKNOWN: a state machine over checks.

A check is a cycle of echo requests or a single re-check echo. It is unanswered when nothing came
back, and invalid when it is not measurable (it could not be sent, or not on time). Invalid checks never
count against a target: what nobody could see is UNKNOWN, not DOWN.

Times are milliseconds of one steady clock of the caller's choice, which never goes back: what
happened first comes first, whatever was done to the wall clock meanwhile.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from noc_bus.messages import Assignment, SiteState, State, Target
from noc_rules.share import pct

RECHECK_S: Final = 1.0
DOWN_RECHECKS_PER_S: Final = 200
WINDOW_CYCLES: Final = 5
# A target never seen to answer may simply not exist yet: it gets more chances before it is an outage.
UNSEEN_FACTOR: Final = 3
# With fewer cycles a median says more about chance than about the path.
RTT_CYCLES: Final = 3

Pinged = Target | Assignment
"""A target as everybody may read it, or as a site is told of it: what judges is the same in both."""


class StateCode(StrEnum):
    """Why a state is what it is, for programs. A state that is not measurable has the code of its checks."""

    NOT_CHECKED = "not-checked"
    NEW_ADDRESS = "new-address"
    PAUSED = "paused"
    REMOVED = "removed"
    ISOLATED = "isolated"
    OVERLOADED = "overloaded"
    NOT_RUNNING = "not-running"
    NOT_MEASURED = "not-measured"
    UNANSWERED = "unanswered"
    ANSWERS = "answers"
    ANSWERS_AGAIN = "answers-again"
    LOSS = "loss"
    RTT = "rtt"
    JITTER = "jitter"
    WITHIN_LIMITS = "within-limits"


@dataclass(frozen=True)
class Reason:
    """A code that decides, and the sentence that explains it to people."""

    code: str
    text: str


PAUSED: Final = Reason(StateCode.PAUSED, "paused")


@dataclass(frozen=True)
class Outcome:
    """What one check gave. `rtts_ms` are of the answered echoes; `invalid` says why it is not measurable."""

    at: int
    sent: int
    rtts_ms: tuple[float, ...]
    is_cycle: bool
    invalid: Reason | None = None

    @property
    def received(self) -> int:
        return len(self.rtts_ms)


@dataclass(frozen=True)
class SiteView:
    """A site's view of a target, with what the next judgement needs to remember."""

    state: State
    since: int
    reason: Reason
    at: int
    rtt_ms: float | None = None
    loss_pct: float | None = None
    seen: bool = False
    unanswered: int = 0
    unanswered_since: int | None = None
    answered: int = 0
    answered_since: int | None = None
    last_answered: int | None = None
    not_measured: int = 0
    not_measured_since: int | None = None
    window: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class NextCheck:
    """What to do next for a target, counted from the start of the check before."""

    kind: Literal["cycle", "recheck"]
    after_s: float


def unseen(at: int) -> SiteView:
    """The view before the first check."""
    return SiteView(State.UNKNOWN, at, Reason(StateCode.NOT_CHECKED, "not checked yet"), at)


def resumed(state: SiteState, since: int, at: int) -> SiteView:
    """The view to go on with after a restart, from the last state that was journaled."""
    return SiteView(
        state.state,
        min(since, at),
        Reason(state.code or StateCode.NOT_CHECKED, state.reason),
        at,
        state.rtt_ms,
        state.loss_pct,
        seen=state.state is not State.UNKNOWN,
    )


def blind(view: SiteView, at: int, reason: Reason) -> SiteView:
    """The view while the site cannot or must not see: UNKNOWN, and nothing counted so far matters any more."""
    if view.state is State.UNKNOWN and view.reason == reason:
        return view
    return SiteView(State.UNKNOWN, _not_before(view, at), reason, at, seen=view.seen)


def judge(view: SiteView, outcome: Outcome, target: Pinged) -> SiteView:
    """The view after one more check. Checks may overlap and end in any order; they count by their starts."""
    if outcome.invalid or outcome.sent == 0:
        return _not_measured(view, outcome, target)
    if outcome.received == 0:
        return _unanswered(view, outcome, target)
    return _answered(view, outcome, target)


def next_check(view: SiteView, target: Pinged, down_targets: int = 1) -> NextCheck:
    """When to look again: every second while a change is in the air or the target is DOWN, else with the next cycle.

    `down_targets`: how many the site has; many of them share what may be sent beside the cycles.
    """
    if view.state is State.DOWN and not view.answered:
        every_s = max(RECHECK_S, down_targets / DOWN_RECHECKS_PER_S)
        return NextCheck("recheck", every_s) if target.interval_s > every_s else NextCheck("cycle", target.interval_s)
    in_doubt = view.answered if view.state is State.DOWN else view.unanswered
    if in_doubt:
        return NextCheck("recheck", RECHECK_S)
    return NextCheck("cycle", target.interval_s)


def changed(before: SiteView, after: SiteView) -> bool:
    """Whether there is something new to record."""
    return (before.state, before.since) != (after.state, after.since)


def _not_measured(view: SiteView, outcome: Outcome, target: Pinged) -> SiteView:
    invalid = outcome.invalid or Reason(StateCode.NOT_MEASURED, "no echo request left this machine")
    reason = Reason(invalid.code, f"not measured: {invalid.text}"[:500])
    since = outcome.at if view.not_measured_since is None else view.not_measured_since
    view = replace(view, not_measured=view.not_measured + 1, not_measured_since=since)
    if view.state is State.UNKNOWN:
        if view.reason == reason or view.reason.code == StateCode.PAUSED:
            return view
        return replace(view, since=_not_before(view, outcome.at), reason=reason, at=outcome.at)
    if view.not_measured < target.down_after:
        return view
    gone = blind(view, since, reason)
    return replace(gone, not_measured=view.not_measured, not_measured_since=since)


def _unanswered(view: SiteView, outcome: Outcome, target: Pinged) -> SiteView:
    if outcome.is_cycle:
        view = replace(view, loss_pct=100.0, rtt_ms=None, window=_windowed(view, outcome))
    view = replace(view, at=max(view.at, outcome.at), not_measured=0, not_measured_since=None)
    if view.last_answered is not None and outcome.at <= view.last_answered:
        return view  # one that started later has been answered meanwhile
    since = outcome.at if view.unanswered_since is None else min(view.unanswered_since, outcome.at)
    view = replace(view, unanswered=view.unanswered + 1, unanswered_since=since, answered=0, answered_since=None)
    needed = target.down_after * (1 if view.seen else UNSEEN_FACTOR)
    if view.state is State.DOWN or view.unanswered < needed:
        return view
    return replace(
        view,
        state=State.DOWN,
        since=_not_before(view, since),
        reason=Reason(StateCode.UNANSWERED, f"{view.unanswered} checks unanswered"),
        window=(),
    )


def _answered(view: SiteView, outcome: Outcome, target: Pinged) -> SiteView:
    since = outcome.at if view.answered_since is None else min(view.answered_since, outcome.at)
    was = view.state
    view = replace(
        view,
        at=max(view.at, outcome.at),
        seen=True,
        unanswered=0,
        unanswered_since=None,
        answered=view.answered + 1,
        answered_since=since,
        last_answered=outcome.at if view.last_answered is None else max(view.last_answered, outcome.at),
        not_measured=0,
        not_measured_since=None,
    )
    if outcome.is_cycle:
        view = replace(
            view,
            rtt_ms=round(statistics.median(outcome.rtts_ms), 3),
            loss_pct=pct(outcome.sent - outcome.received, outcome.sent, 2),
            window=_windowed(view, outcome),
        )
    if was is State.DOWN:
        if view.answered < target.up_after:
            return view
        return _settled(view, since, _degradation(view, target), Reason(StateCode.ANSWERS_AGAIN, "answers again"))
    if was is State.UNKNOWN:
        return _settled(view, outcome.at, _degradation(view, target), Reason(StateCode.ANSWERS, "answers"))
    if not outcome.is_cycle:
        return view
    degradation = _degradation(view, target)
    if (degradation is not None) == (was is State.DEGRADED):
        return replace(view, reason=degradation) if degradation else view
    within = Reason(StateCode.WITHIN_LIMITS, "answers within its limits again")
    return _settled(view, outcome.at, degradation, within)


def _settled(view: SiteView, since: int, degradation: Reason | None, reason: Reason) -> SiteView:
    state = State.DEGRADED if degradation else State.UP
    return replace(view, state=state, since=_not_before(view, since), reason=degradation or reason)


def judged_by(view: SiteView) -> tuple[float | None, float | None]:
    """The median RTT and the loss for which a view is DEGRADED; None for what it is not DEGRADED for."""
    if view.state is not State.DEGRADED or not view.window:
        return None, None
    rtt_ms = _window_rtt_ms(view) if view.reason.code == StateCode.RTT else None
    return rtt_ms, _window_loss_pct(view) if view.reason.code == StateCode.LOSS else None


def _degradation(view: SiteView, target: Pinged) -> Reason | None:
    """Why the last five cycles are bad enough for DEGRADED, or None."""
    if not view.window:
        return None
    loss_pct = _window_loss_pct(view)
    limit = _limit(view, StateCode.LOSS, target.degraded_loss_pct, target.degraded_loss_clear_pct)
    if limit is not None and loss_pct and loss_pct >= limit:
        return Reason(
            StateCode.LOSS,
            f"loss {pct(loss_pct, 100, 0):g} % over the last {WINDOW_CYCLES} cycles, the limit is {limit:g} %",
        )
    rtt_ms = _window_rtt_ms(view)
    limit = _limit(view, StateCode.RTT, target.degraded_rtt_ms, target.degraded_rtt_clear_ms)
    if limit is not None and rtt_ms is not None and rtt_ms >= limit:
        return Reason(
            StateCode.RTT,
            f"median RTT {rtt_ms:.1f} ms over the last {WINDOW_CYCLES} cycles, the limit is {limit:g} ms",
        )
    jitter_ms = _window_jitter_ms(view)
    limit = _limit(view, StateCode.JITTER, target.degraded_jitter_ms, target.degraded_jitter_clear_ms)
    if limit is not None and jitter_ms is not None and jitter_ms >= limit:
        return Reason(
            StateCode.JITTER,
            f"jitter {jitter_ms:.1f} ms over the last {WINDOW_CYCLES} cycles, the limit is {limit:g} ms",
        )
    return None


def _limit(view: SiteView, code: StateCode, begins: float | None, ends: float | None) -> float | None:
    """What a figure must reach for DEGRADED: one that is so for it already stays so down to where it ends."""
    is_so = view.state is State.DEGRADED and view.reason.code == code
    return begins if begins is None or ends is None or not is_so else min(begins, ends)


def _window_loss_pct(view: SiteView) -> float:
    """Cycles not made yet count as lossless: one lost echo after a start is not 20 % loss."""
    sent = sum(cycle.sent for cycle in view.window)
    lost = sent - sum(cycle.received for cycle in view.window)
    return 100 * lost / max(sent, WINDOW_CYCLES * view.window[-1].sent)


def _window_rtt_ms(view: SiteView) -> float | None:
    rtts_ms = [rtt for cycle in view.window for rtt in cycle.rtts_ms]
    return statistics.median(rtts_ms) if len(view.window) >= RTT_CYCLES and rtts_ms else None


def _window_jitter_ms(view: SiteView) -> float | None:
    """By how much the 95th percentile exceeds the median."""
    rtts_ms = sorted(rtt for cycle in view.window for rtt in cycle.rtts_ms)
    if len(view.window) < RTT_CYCLES or not rtts_ms:
        return None
    return rtts_ms[math.ceil(0.95 * len(rtts_ms)) - 1] - statistics.median(rtts_ms)


def _windowed(view: SiteView, outcome: Outcome) -> tuple[Outcome, ...]:
    if not outcome.is_cycle or (view.state is State.DOWN and outcome.received == 0):
        return view.window
    return (*view.window, outcome)[-WINDOW_CYCLES:]


def _not_before(view: SiteView, at: int) -> int:
    """A state cannot begin before the one it follows: one nobody could judge may have been blamed on an earlier check."""
    return max(at, view.since)
