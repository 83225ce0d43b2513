"""How one site comes to call a target UP, DEGRADED, DOWN or UNKNOWN: a state machine over checks.

A check is a cycle of echo requests or a single re-check echo. It is unanswered when nothing came
back, and invalid when it proves nothing (it could not be sent, or not on time). Invalid checks never
count against a target: what nobody could see is UNKNOWN, not DOWN.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import Final, Literal

from noc_bus.messages import SiteState, State, Target
from noc_bus.time import Time

RECHECK_S: Final = 1.0
DOWN_RECHECK_S: Final = 5.0
WINDOW_CYCLES: Final = 5
# A target never seen to answer may simply not exist yet: it gets more chances before it is an outage.
UNSEEN_FACTOR: Final = 3
# With fewer cycles a median says more about chance than about the path.
RTT_CYCLES: Final = 3

PAUSED_REASON: Final = "paused"


@dataclass(frozen=True)
class Check:
    """What one check gave. `rtts_ms` are of the answered echoes; `invalid` says why it proves nothing."""

    at: Time
    sent: int
    received: int
    rtts_ms: tuple[float, ...]
    is_cycle: bool
    invalid: str | None = None


@dataclass(frozen=True)
class SiteView:
    """A site's view of a target, with what the next judgement needs to remember."""

    state: State
    since: Time
    reason: str
    at: Time
    rtt_ms: float | None = None
    loss_pct: float | None = None
    seen: bool = False
    unanswered: int = 0
    unanswered_since: Time | None = None
    answered: int = 0
    answered_since: Time | None = None
    not_measured: int = 0
    not_measured_since: Time | None = None
    window: tuple[Check, ...] = ()


@dataclass(frozen=True)
class NextCheck:
    """What to do next for a target, counted from the end of the check just judged."""

    kind: Literal["cycle", "recheck"]
    after_s: float


def unseen(at: Time) -> SiteView:
    """The view before the first check."""
    return SiteView(State.UNKNOWN, at, "not checked yet", at)


def resumed(state: SiteState) -> SiteView:
    """The view to go on with after a restart, from the last state that was journaled."""
    return SiteView(
        state.state,
        state.since,
        state.reason,
        state.at,
        state.rtt_ms,
        state.loss_pct,
        seen=state.state in (State.UP, State.DEGRADED),
    )


def blind(view: SiteView, at: Time, reason: str) -> SiteView:
    """The view while the site cannot or must not see: UNKNOWN, and nothing counted so far matters any more."""
    if view.state is State.UNKNOWN and view.reason == reason:
        return view
    return SiteView(State.UNKNOWN, _not_before(view, at), reason, at, seen=view.seen)


def judge(view: SiteView, check: Check, target: Target) -> SiteView:
    """The view after one more check."""
    if check.invalid or check.sent == 0:
        return _not_measured(view, check, target)
    if check.received == 0:
        return _unanswered(view, check, target)
    return _answered(view, check, target)


def next_check(view: SiteView, target: Target) -> NextCheck:
    """When to look again: at once while a change is in the air, soon while DOWN, else with the next cycle."""
    undecided = view.answered > 0 if view.state is State.DOWN else view.unanswered > 0
    if undecided:
        return NextCheck("recheck", RECHECK_S)
    if view.state is State.DOWN and target.interval_s > DOWN_RECHECK_S:
        return NextCheck("recheck", DOWN_RECHECK_S)
    return NextCheck("cycle", target.interval_s)


def changed(before: SiteView, after: SiteView) -> bool:
    """Whether there is something new to record."""
    return (before.state, before.since) != (after.state, after.since)


def _not_measured(view: SiteView, check: Check, target: Target) -> SiteView:
    reason = f"not measured: {check.invalid or 'no echo request left this machine'}"[:500]
    since = view.not_measured_since or check.at
    view = replace(view, not_measured=view.not_measured + 1, not_measured_since=since)
    if view.state is State.UNKNOWN:
        if view.reason == reason or view.reason == PAUSED_REASON:
            return view
        return replace(view, since=_not_before(view, check.at), reason=reason, at=check.at)
    if view.not_measured < target.down_after:
        return view
    gone = blind(view, since, reason)
    return replace(gone, not_measured=view.not_measured, not_measured_since=since)


def _unanswered(view: SiteView, check: Check, target: Target) -> SiteView:
    since = view.unanswered_since or check.at
    view = replace(
        view,
        at=check.at,
        loss_pct=100.0 if check.is_cycle else view.loss_pct,
        rtt_ms=None if check.is_cycle else view.rtt_ms,
        unanswered=view.unanswered + 1,
        unanswered_since=since,
        answered=0,
        answered_since=None,
        not_measured=0,
        not_measured_since=None,
        window=_windowed(view, check),
    )
    needed = target.down_after * (1 if view.seen else UNSEEN_FACTOR)
    if view.state is State.DOWN or view.unanswered < needed:
        return view
    return replace(
        view,
        state=State.DOWN,
        since=_not_before(view, since),
        reason=f"no answer to {view.unanswered} checks since {since.datetime():%H:%M:%S}Z",
        window=(),
    )


def _answered(view: SiteView, check: Check, target: Target) -> SiteView:
    since = view.answered_since or check.at
    was = view.state
    view = replace(
        view,
        at=check.at,
        seen=True,
        unanswered=0,
        unanswered_since=None,
        answered=view.answered + 1,
        answered_since=since,
        not_measured=0,
        not_measured_since=None,
    )
    if check.is_cycle:
        view = replace(
            view,
            rtt_ms=round(statistics.fmean(check.rtts_ms), 3),
            loss_pct=round(100 * (check.sent - check.received) / check.sent, 2),
            window=_windowed(view, check),
        )
    if was is State.DOWN:
        if view.answered < target.up_after:
            return view
        return _settled(view, since, _degradation(view, target), "answers again")
    if was is State.UNKNOWN:
        return _settled(view, check.at, _degradation(view, target), "answers")
    if not check.is_cycle:
        return view
    degradation = _degradation(view, target)
    if (degradation is not None) == (was is State.DEGRADED):
        return replace(view, reason=degradation) if degradation else view
    return _settled(view, check.at, degradation, "answers within its limits again")


def _settled(view: SiteView, since: Time, degradation: str | None, reason: str) -> SiteView:
    state = State.DEGRADED if degradation else State.UP
    return replace(view, state=state, since=_not_before(view, since), reason=degradation or reason)


def _degradation(view: SiteView, target: Target) -> str | None:
    """Why the last five cycles are bad enough for DEGRADED, or None.

    Cycles not made yet count as lossless: one lost echo after a start is not 20 % loss.
    """
    if not view.window:
        return None
    sent = sum(cycle.sent for cycle in view.window)
    lost = sent - sum(cycle.received for cycle in view.window)
    loss_pct = 100 * lost / max(sent, WINDOW_CYCLES * view.window[-1].sent)
    if target.degraded_loss_pct is not None and lost and loss_pct >= target.degraded_loss_pct:
        return (
            f"loss {loss_pct:.0f} % over the last {WINDOW_CYCLES} cycles, the limit is {target.degraded_loss_pct:g} %"
        )
    rtts_ms = [rtt for cycle in view.window for rtt in cycle.rtts_ms]
    if target.degraded_rtt_ms is not None and len(view.window) >= RTT_CYCLES and rtts_ms:
        median = statistics.median(rtts_ms)
        if median >= target.degraded_rtt_ms:
            return (
                f"median RTT {median:.1f} ms over the last {WINDOW_CYCLES} cycles, "
                f"the limit is {target.degraded_rtt_ms:g} ms"
            )
    return None


def _windowed(view: SiteView, check: Check) -> tuple[Check, ...]:
    if not check.is_cycle or (view.state is State.DOWN and check.received == 0):
        return view.window
    return (*view.window, check)[-WINDOW_CYCLES:]


def _not_before(view: SiteView, at: Time) -> Time:
    """A state cannot begin before the one it follows, whatever the wall clock did."""
    return max(at, view.since)
