"""One target under watch: its cycles on their schedule, re-checks in doubt, and the view they make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from noc_bus.messages import Assignment, ProbeResult, SiteState, State
from noc_bus.time import Time
from noc_prober.addresses import BadAddress, Destination, is_name
from noc_prober.check import Check, CheckPlan, Findings, Tally, addresses_of, plan_cycle, plan_recheck
from noc_prober.clock import STOOD_STILL_S, LostTime
from noc_prober.codes import InvalidCode, ReplyCode
from noc_prober.instruments import Instruments
from noc_prober.journal import Record
from noc_prober.resolver import Resolving, Unresolved, destinations
from noc_prober.schedule import next_start
from noc_rules.site_state import (
    PAUSED,
    RECHECK_S,
    Outcome,
    Reason,
    SiteView,
    StateCode,
    blind,
    judge,
    judged_by,
    next_check,
    resumed,
    unseen,
)

REFRESH_S: Final = 30.0
_STUCK_S: Final = 5.0
_NAME_PATIENCE_S: Final = 5.0
_NAME_RETRY_S: Final = 0.1
# Another wall time for one moment is news only where it differs by more than clocks usually do.
_SAME_TIME_MS: Final = 1000

NOT_RUNNING: Final = Reason(StateCode.NOT_RUNNING, "the prober was not running")
_NEW_ADDRESS: Final = Reason(StateCode.NEW_ADDRESS, "not checked at its new address yet")
_REMOVED: Final = Reason(StateCode.REMOVED, "removed")
# Another address of the same name may be reachable where this one is not.
_UNUSABLE: Final = frozenset({InvalidCode.NO_ROUTE, InvalidCode.NO_FAMILY, InvalidCode.NO_SOURCE})

Done = Callable[[ProbeResult | Reason], None]
"""Called with the journaled result of a cycle that somebody asked for, or why there is none."""


class Watch:
    """Runs on the event loop from `start` to `stop`. Its view is kept in moments of the prober's clock."""

    def __init__(
        self, instruments: Instruments, target: Assignment, last: SiteState | None = None, last_since: int = 0
    ) -> None:
        """`last`: what was journaled of it before, beginning at the moment `last_since`."""
        self.target = target
        self._with = instruments
        self._loop = asyncio.get_running_loop()
        self._tally = Tally()
        self._running: dict[Check, Done | None] = {}
        self._cycle_timer: asyncio.TimerHandle | None = None
        self._recheck_timer: asyncio.TimerHandle | None = None
        self._next_start_s = 0.0
        self._cycle_due = self._recheck_due = 2**62
        self._last_sent_s = 0.0
        self._judge_from = -(2**62)
        self._unresolved_since_s: float | None = None
        self._is_on_grid = False
        self._in_doubt_since_s = 0.0
        self._refreshed_s = self._loop.time()
        now = instruments.clock.now()
        self.view = resumed(last, last_since, now) if last else unseen(now)
        self._recorded: SiteState | None = last
        self._is_unrecorded = False
        self._clock_steps = instruments.clock.steps

    # -- life

    def start(self, delay_s: float) -> None:
        """Check first after `delay_s`, then on the target's own grid."""
        now = self._with.clock.now()
        if self.target.paused:
            self._hold(blind(self.view, now, PAUSED))
            return
        blindness = self._with.blindness
        self._hold(blind(self.view, now, blindness) if blindness else self.view)
        self._is_on_grid = False
        self._plan_cycle(self._loop.time() + delay_s)

    def stop(self, why: str = "the prober is stopping") -> None:
        """Send nothing more; what is on its way is not waited for, and who asked for it is told."""
        for timer in (self._cycle_timer, self._recheck_timer):
            if timer:
                timer.cancel()
        self._cycle_timer = self._recheck_timer = None
        self._cycle_due = self._recheck_due = 2**62
        for check, done in self._running.items():
            check.cancel()
            if done:
                done(Reason(ReplyCode.CANCELLED, f"the check was cancelled: {why}"))
        self._running.clear()

    def blind_since(self, moment: int, reason: Reason) -> None:
        """Nobody looked, or nobody could: the view is UNKNOWN until the next check."""
        self._hold(blind(self.view, moment, reason))

    def lost_time(self, lost: LostTime, delay_s: float) -> None:
        """The prober did not run. UNKNOWN from when the next check was due until the first one after it."""
        if self.target.paused:
            return
        due = min(self._cycle_due, self._recheck_due)
        # What was sent before says nothing of the time after.
        self._judge_from = lost.end
        if due < lost.end - STOOD_STILL_S * 1000:
            if not self._with.blindness:
                self.blind_since(due, NOT_RUNNING)
        elif self._cycle_due > lost.end:
            # A sleeping machine's timers slept too: what was due in an hour may be due in a minute now.
            delay_s = max(delay_s, (self._cycle_due - lost.end) / 1000)
        self._cancel_recheck()
        self._is_on_grid = False
        self._plan_cycle(self._loop.time() + delay_s)

    def change(self, target: Assignment, delay_s: float, *, is_running: bool = True) -> None:
        """Go on with other options; start again where they change what or when is pinged."""
        before, self.target = self.target, target
        pinged = [(t.address, t.family, t.interval_s, t.paused) for t in (before, target)]
        if pinged[0] == pinged[1]:
            return
        self.stop("the target was changed")
        if (before.address, before.family) != (target.address, target.family):
            self._hold(blind(self.view, self._with.clock.now(), _NEW_ADDRESS))
        if is_running:
            self.start(delay_s)

    def remove(self) -> None:
        self.stop("the target was removed")
        self._hold(blind(self.view, self._with.clock.now(), _REMOVED))
        self._with.writer.retire(self.target.id)
        self._with.slots.leave(self.target.id)
        self._with.down.discard(self.target.id)

    def tick(self, now_s: float, *, may_refresh: bool) -> bool:
        """About once a second. Says how things are again where that `may` be and is due; whether it did.

        Starts again where an error ended the schedule.
        """
        if self._is_unrecorded or self._clock_steps != self._with.clock.steps:
            self._clock_steps = self._with.clock.steps
            self._hold(self.view)
        if self.target.paused:
            return False
        if now_s - self._next_start_s > _STUCK_S:
            self._is_on_grid = False
            self._plan_cycle(now_s)
        if not may_refresh or now_s - self._refreshed_s < REFRESH_S:
            return False
        self._refreshed_s = now_s
        self._with.writer.refresh(self._state())
        return True

    def doubt(self) -> None:
        """What lies behind it does not answer: look at once whether it does, unless that is known or being found out."""
        if self._cycle_timer is None or self.view.state is State.DOWN or self.view.unanswered:
            return
        if self._recheck_timer is None:
            due_s = max(self._loop.time(), self._last_sent_s + RECHECK_S)
            self._recheck_due = self._with.clock.moment(due_s)
            self._recheck_timer = self._loop.call_at(due_s, self._on_recheck_due, due_s)

    # -- cycles

    def check_now(self, done: Done) -> None:
        """One cycle outside the schedule, on request."""
        self._start_cycle(self._loop.time(), done)

    def _plan_cycle(self, start_s: float) -> None:
        if self._cycle_timer:
            self._cycle_timer.cancel()
        self._next_start_s = start_s
        self._cycle_due = self._with.clock.moment(start_s)
        self._cycle_timer = self._loop.call_at(start_s, self._on_cycle_due)

    def _on_cycle_due(self) -> None:
        if self._with.look():
            return
        start_s = self._next_start_s
        if self._awaits_name():
            self._is_on_grid = False
            self._plan_cycle(self._loop.time() + _NAME_RETRY_S)
            return
        self._plan_cycle(self._start_after(start_s))
        self._start_cycle(start_s, None)

    def _awaits_name(self) -> bool:
        """Whether a first answer from the resolver is worth a moment's patience."""
        try:
            destinations(self.target, self._with.resolver)
        except Resolving:
            now_s = self._loop.time()
            self._unresolved_since_s = self._unresolved_since_s or now_s
            return now_s - self._unresolved_since_s < _NAME_PATIENCE_S
        except (BadAddress, Unresolved):
            pass
        self._unresolved_since_s = None
        return False

    def _start_after(self, start_s: float) -> float:
        """The next start on the grid; starts already missed are left out, not caught up."""
        interval_s, now_s = self.target.interval_s, self._loop.time()
        if self._is_on_grid:
            missed = max(0, int((now_s - start_s) // interval_s))
            self._with.load.missed(missed)
            return start_s + (missed + 1) * interval_s
        self._is_on_grid = True
        # The first check was out of turn: its turn comes when at least half an interval has passed.
        wall_s = time.time() + interval_s / 2
        phase = self._with.slots.phase(self.target.id, interval_s)
        return now_s + interval_s / 2 + next_start(wall_s, interval_s, phase) - wall_s

    def _start_cycle(self, start_s: float, done: Done | None) -> None:
        moment = self._with.clock.moment(start_s)
        try:
            found = destinations(self.target, self._with.resolver)
        except (BadAddress, Unresolved) as problem:
            self._record((), Findings(start_s, invalid=problem.reason), moment, done)
            return

        self._run(
            plan_cycle(self.target, found, start_s),
            lambda findings, asked: self._record(found, findings, moment, asked),
            done,
        )

    def _record(self, found: tuple[Destination, ...], findings: Findings, moment: int, done: Done | None) -> None:
        """Journal what a cycle gave, then judge it."""
        self._explain(findings, found)
        self._with.load.count(findings.invalid)
        late, duplicates = self._tally.drain()
        result = ProbeResult(
            site=self._with.site,
            target=self.target.id,
            epoch=0,
            seq=0,
            at=self._with.clock.wall(moment),
            address=addresses_of(found),
            sent=findings.sent,
            received=len(findings.rtts_ms),
            rtts_ms=findings.rtts_ms,
            late=late,
            duplicates=duplicates,
            errors=findings.evidence.texts,
            error_codes=findings.evidence.codes,
            invalid=findings.invalid.text[:200] if findings.invalid else None,
            invalid_code=findings.invalid.code if findings.invalid else None,
        )

        def journaled(record: Record) -> None:
            if done and isinstance(record, ProbeResult):
                done(record)

        if not self._with.writer.submit(result, journaled if done else None) and done:
            done(
                Reason(
                    ReplyCode.NOT_JOURNALED,
                    "the journal cannot be written, so nothing may be told; see the prober's log",
                )
            )
        self._judge(findings, found, moment, is_cycle=True)

    def _explain(self, findings: Findings, found: tuple[Destination, ...]) -> None:
        """Where nothing came back: is it this machine's own link, or a site that sees nothing at all?"""
        if findings.invalid or findings.rtts_ms:
            return
        if self._with.anchors.is_isolated:
            findings.invalid = self._with.blindness
        elif troubles := [trouble for to in found if (trouble := self._with.link.trouble_to(to))]:
            findings.invalid = troubles[0]

    def _run(self, plan: CheckPlan, over: Callable[[Findings, Done | None], None], done: Done | None = None) -> None:
        check = Check(
            self._with.pinger, plan, self._tally, lambda findings: over(findings, self._running.pop(check, None))
        )
        self._running[check] = done
        self._last_sent_s = plan.start_s + (plan.packets - 1) * plan.gap_s
        check.start()

    # -- re-checks

    def _plan_recheck(self) -> None:
        """Re-checks are counted from send to send and overlap, so that five take five seconds whatever the timeout."""
        wanted = next_check(self.view, self.target, len(self._with.down))
        if wanted.kind != "recheck" or self.target.paused or self._cycle_timer is None:
            self._cancel_recheck()
            return
        due_s = max(self._loop.time(), self._last_sent_s + wanted.after_s)
        cycle_s = (self.target.packets - 1) * self.target.packet_gap_ms / 1000
        if self._next_start_s + cycle_s <= due_s:
            self._cancel_recheck()
            return
        if self._recheck_timer and self._recheck_timer.when() <= due_s:
            return
        self._cancel_recheck()
        self._recheck_due = self._with.clock.moment(due_s)
        self._recheck_timer = self._loop.call_at(due_s, self._on_recheck_due, due_s)

    def _cancel_recheck(self) -> None:
        if self._recheck_timer:
            self._recheck_timer.cancel()
        self._recheck_timer = None
        self._recheck_due = 2**62

    def _on_recheck_due(self, due_s: float) -> None:
        if self._with.look():
            return
        self._recheck_timer = None
        try:
            found = destinations(self.target, self._with.resolver)
        except (BadAddress, Unresolved):
            return  # the next cycle says so
        moment = self._with.clock.moment(due_s)

        def over(findings: Findings, _: Done | None) -> None:
            self._explain(findings, found)
            self._judge(findings, found, moment, is_cycle=False)

        self._run(plan_recheck(self.target, found, due_s), over)
        self._plan_recheck()

    # -- the view

    def _judge(self, findings: Findings, found: tuple[Destination, ...], moment: int, *, is_cycle: bool) -> None:
        anchors = self._with.anchors
        if findings.rtts_ms:
            anchors.target_answered(found, findings.start_s)
        if self.target.paused or self._with.blindness or moment < self._judge_from:
            return
        self._doubt_name(findings, found)
        outcome = Outcome(moment, findings.sent, tuple(findings.rtts_ms), is_cycle, findings.invalid)
        after = judge(self.view, outcome, self.target)
        if after.unanswered and not self.view.unanswered:
            self._in_doubt_since_s = findings.start_s
            if self.view.state is not State.DOWN:
                anchors.check_soon()
        if after.unanswered and after.state is not State.DOWN:
            self._with.doubt(self.target.parents)
        goes_down = after.state is State.DOWN and self.view.state is not State.DOWN
        if goes_down and not anchors.vouch_for(found, self._in_doubt_since_s):
            # Is it them or us? This check does not count until an anchor has answered since the doubt began.
            anchors.check_soon()
        else:
            self._hold(after)
        self._plan_recheck()

    def _doubt_name(self, findings: Findings, found: tuple[Destination, ...]) -> None:
        """A name whose address is silent or cannot be sent to may have another one by now."""
        if findings.rtts_ms or not found or not is_name(self.target.address):
            return
        if findings.invalid and findings.invalid.code in _UNUSABLE:
            self._with.resolver.set_aside(self.target.address, tuple(to.address for to in found))
        if findings.invalid is None or findings.invalid.code in _UNUSABLE:
            self._with.resolver.doubt(self.target.address)

    def _hold(self, view: SiteView) -> None:
        """Have this view from now on, and record it where it is news."""
        self.view = view
        if view.state is State.DOWN:
            self._with.down.add(self.target.id)
        else:
            self._with.down.discard(self.target.id)
        if not self._is_news():
            return
        state = self._state()
        self._is_unrecorded = not self._with.writer.submit(state)
        if not self._is_unrecorded:
            self._recorded = state
            self._refreshed_s = self._loop.time()

    def _is_news(self) -> bool:
        """A new state, the same one at another time, or another reason for knowing nothing."""
        before, view = self._recorded, self.view
        if before is None or before.state is not view.state or before.since != self._since():
            return True
        return view.state is State.UNKNOWN and (before.code, before.reason) != (view.reason.code, view.reason.text)

    def _since(self) -> int:
        """When the view began; as it was recorded, unless the clock was put right since."""
        since, before = self._with.clock.wall(self.view.since), self._recorded
        is_same = before is not None and before.state is self.view.state and abs(before.since - since) < _SAME_TIME_MS
        return before.since if before is not None and is_same else since

    def _state(self) -> SiteState:
        view = self.view
        judged_rtt_ms, judged_loss_pct = judged_by(view)
        return SiteState(
            site=self._with.site,
            target=self.target.id,
            epoch=0,
            seq=0,
            state=view.state,
            since=Time(self._since()),
            reason=view.reason.text,
            code=view.reason.code,
            rtt_ms=view.rtt_ms,
            loss_pct=view.loss_pct,
            judged_rtt_ms=judged_rtt_ms,
            judged_loss_pct=judged_loss_pct,
            at=self._with.clock.wall(view.at),
        )
