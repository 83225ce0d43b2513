"""One target under watch: its cycles on their schedule, re-checks in doubt, and the view they make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

from noc_bus.messages import ProbeResult, SiteState, State, Target
from noc_bus.time import Time
from noc_prober.addresses import BadAddress, Destination
from noc_prober.anchors import ISOLATED_REASON
from noc_prober.cycle import Cycle, Outcome, Tally, addresses_of, cycle_of, recheck_of
from noc_prober.journal import Record
from noc_prober.resolver import Resolving, Unresolved, destinations
from noc_prober.schedule import next_start
from noc_prober.station import Station
from noc_rules.site_state import PAUSED_REASON, Check, SiteView, blind, changed, judge, next_check, resumed, unseen

REFRESH_S = 50.0
# A cycle may last longer than its interval; more than so many at once would be a target pinged without end.
_MOST_CYCLES = 4
_STUCK_S = 5.0
_NAME_PATIENCE_S = 5.0
_NAME_RETRY_S = 0.1

Done = Callable[[ProbeResult | None], None]


class Watch:
    """Runs on the event loop from `begin` to `end`."""

    def __init__(self, station: Station, target: Target, last: SiteState | None) -> None:
        self.target = target
        self._station = station
        self._loop = asyncio.get_running_loop()
        self._tally = Tally()
        self._cycles: list[Cycle] = []
        self._recheck: Cycle | None = None
        self._cycle_timer: asyncio.TimerHandle | None = None
        self._recheck_timer: asyncio.TimerHandle | None = None
        self._next_start_s = 0.0
        self._unresolved_since_s: float | None = None
        self._is_on_grid = False
        self._in_doubt_since_s = 0.0
        self._refreshed_s = self._loop.time()
        self.view = resumed(last) if last else unseen(Time.now())
        self._recorded: SiteView | None = self.view if last else None

    # -- life

    def begin(self, delay_s: float) -> None:
        """Check first after `delay_s`, then on the target's own grid."""
        if self.target.paused:
            self._take(blind(self.view, Time.now(), PAUSED_REASON))
            return
        if self._station.anchors.is_isolated:
            self._take(blind(self.view, Time.now(), ISOLATED_REASON))
        else:
            self._take(self.view)
        self._is_on_grid = False
        self._plan_cycle(self._loop.time() + delay_s)

    def end(self) -> None:
        """Send nothing more; what is on its way is not waited for."""
        for timer in (self._cycle_timer, self._recheck_timer):
            if timer:
                timer.cancel()
        for cycle in (*self._cycles, self._recheck):
            if cycle:
                cycle.cancel()
        self._cycles.clear()
        self._cycle_timer = self._recheck_timer = self._recheck = None

    def blind_since(self, at: Time, reason: str) -> None:
        """Nobody looked, or nobody could: the view is UNKNOWN until the next check."""
        self._take(blind(self.view, at, reason))

    def change(self, target: Target, delay_s: float) -> None:
        """Go on with other options; begin anew where they change what or when is pinged."""
        before, self.target = self.target, target
        pinged = [(t.address, t.family, t.interval_s, t.paused) for t in (before, target)]
        if pinged[0] == pinged[1]:
            return
        self.end()
        if (before.address, before.family) != (target.address, target.family):
            self._take(blind(self.view, Time.now(), "not checked at its new address yet"))
        self.begin(delay_s)

    def remove(self) -> None:
        self.end()
        self._take(blind(self.view, Time.now(), "removed"))
        self._station.writer.last_word(self.target.id)
        self._station.slots.leave(self.target.id)

    def tick(self, now_s: float) -> None:
        """About once a second: say again how things are, and start anew where an error ended the schedule."""
        if self._is_news():
            self._take(self.view)
        if self.target.paused:
            return
        if now_s - self._refreshed_s >= REFRESH_S:
            self._refreshed_s = now_s
            self._station.writer.refresh(self._state())
        if now_s - self._next_start_s > _STUCK_S:
            self._is_on_grid = False
            self._plan_cycle(now_s)

    # -- cycles

    def check_now(self, done: Done) -> None:
        """One cycle outside the schedule, on request."""
        self._start_cycle(self._loop.time(), done)

    def _plan_cycle(self, start_s: float) -> None:
        if self._cycle_timer:
            self._cycle_timer.cancel()
        self._next_start_s = start_s
        self._cycle_timer = self._loop.call_at(start_s, self._cycle_due)

    def _cycle_due(self) -> None:
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
            destinations(self.target, self._station.resolver)
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
            return start_s + (missed + 1) * interval_s
        self._is_on_grid = True
        # The first check was out of turn: its turn comes when at least half an interval has passed.
        wall_s = time.time() + interval_s / 2
        phase = self._station.slots.phase(self.target.id, interval_s)
        return now_s + interval_s / 2 + next_start(wall_s, interval_s, phase) - wall_s

    def _start_cycle(self, start_s: float, done: Done | None) -> None:
        at = self._station.wall(start_s)
        try:
            found = destinations(self.target, self._station.resolver)
        except (BadAddress, Unresolved) as problem:
            self._conclude((), Outcome(at, invalid=str(problem)[:200], last_sent_s=start_s), start_s, done)
            return
        if len(self._cycles) >= _MOST_CYCLES:
            reason = "the cycles before it are still running: packets and gap are too many for the interval"
            self._conclude(found, Outcome(at, invalid=reason, last_sent_s=start_s), start_s, done)
            return

        def over(outcome: Outcome) -> None:
            self._cycles.remove(cycle)
            self._conclude(found, outcome, start_s, done)

        cycle = Cycle(self._station.pinger, cycle_of(self.target, found, start_s, at), self._tally, over)
        self._cycles.append(cycle)
        cycle.start()

    def _conclude(self, found: tuple[Destination, ...], outcome: Outcome, start_s: float, done: Done | None) -> None:
        """Record what a cycle gave, then judge it."""
        if outcome.invalid is None and not outcome.rtts_ms and self._station.anchors.is_isolated:
            outcome.invalid = ISOLATED_REASON
        late, duplicates = self._tally.take()
        result = ProbeResult(
            site=self._station.site,
            target=self.target.id,
            epoch=0,
            seq=0,
            at=outcome.at,
            address=addresses_of(found),
            sent=outcome.sent,
            received=len(outcome.rtts_ms),
            rtts_ms=outcome.rtts_ms,
            late=late,
            duplicates=duplicates,
            errors=outcome.errors,
            invalid=outcome.invalid,
        )
        is_queued = self._station.writer.submit(result, cast("Callable[[Record], None] | None", done))
        if done and not is_queued:
            done(None)
        self._judge(outcome, start_s, is_cycle=True)

    # -- re-checks

    def _plan_recheck(self, last_sent_s: float) -> None:
        """Re-checks are counted from send to send, so that five of them take five seconds whatever the timeout."""
        if self._recheck_timer:
            self._recheck_timer.cancel()
            self._recheck_timer = None
        wanted = next_check(self.view, self.target)
        if wanted.kind != "recheck" or self.target.paused:
            return
        due_s = max(self._loop.time(), last_sent_s + wanted.after_s)
        cycle_s = (self.target.packets - 1) * self.target.packet_gap_ms / 1000
        if self._next_start_s + cycle_s <= due_s:
            return
        self._recheck_timer = self._loop.call_at(due_s, self._recheck_due, due_s)

    def _recheck_due(self, due_s: float) -> None:
        self._recheck_timer = None
        if self._recheck is not None:
            return
        try:
            found = destinations(self.target, self._station.resolver)
        except (BadAddress, Unresolved):
            return  # the next cycle says so

        def over(outcome: Outcome) -> None:
            self._recheck = None
            self._judge(outcome, due_s, is_cycle=False)

        plan = recheck_of(self.target, found, due_s, self._station.wall(due_s))
        self._recheck = Cycle(self._station.pinger, plan, self._tally, over)
        self._recheck.start()

    # -- the view

    def _judge(self, outcome: Outcome, start_s: float, *, is_cycle: bool) -> None:
        anchors = self._station.anchors
        if self.target.paused or anchors.is_isolated:
            return
        check = Check(outcome.at, outcome.sent, len(outcome.rtts_ms), tuple(outcome.rtts_ms), is_cycle, outcome.invalid)
        after = judge(self.view, check, self.target)
        if after.unanswered and not self.view.unanswered:
            self._in_doubt_since_s = start_s
            if self.view.state is not State.DOWN:
                anchors.check_soon()
        goes_down = after.state is State.DOWN and self.view.state is not State.DOWN
        if goes_down and not anchors.vouch_for(self._in_doubt_since_s):
            # Is it them or us? This check does not count until an anchor has answered since the doubt began.
            anchors.check_soon()
        else:
            self._take(after)
        self._plan_recheck(outcome.last_sent_s)

    def _take(self, view: SiteView) -> None:
        """Hold a view, and record it where it is news."""
        self.view = view
        if not self._is_news():
            return
        if self._station.writer.submit(self._state()):
            self._recorded = view
            self._refreshed_s = self._loop.time()

    def _is_news(self) -> bool:
        """A new state; or another reason for knowing nothing, which may begin in the same millisecond."""
        before, now = self._recorded, self.view
        if before is None or changed(before, now):
            return True
        return now.state is State.UNKNOWN and now.reason != before.reason

    def _state(self) -> SiteState:
        view = self.view
        return SiteState(
            site=self._station.site,
            target=self.target.id,
            epoch=0,
            seq=0,
            state=view.state,
            since=view.since,
            reason=view.reason,
            rtt_ms=view.rtt_ms,
            loss_pct=view.loss_pct,
            at=view.at,
        )
