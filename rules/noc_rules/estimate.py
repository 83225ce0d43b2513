"""What a site would have called a target with other limits: the cycles that it recorded, judged once more.

Judged by the prober's own state machine. Kept are the cycles, and the states that the site came to. The single
re-checks between two cycles are not kept; what is known of them is what the recorded states tell:

- in a recorded DOWN none was answered, and the one with which it ended was;
- where the site did not come to DOWN, one of those that it would have taken was answered. Nobody knows which one.
  `Assumed.LATE` takes the last, which makes as many outages of it as there can have been; `Assumed.EARLY` the first.

So an estimate with a `down_after` no smaller than the one then in force hangs on no assumption.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec.structs import replace

from noc_bus.messages import ProbeResult, SiteState, State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.site_state import (
    RECHECK_S,
    UNSEEN_FACTOR,
    WINDOW_CYCLES,
    Outcome,
    Reason,
    SiteView,
    StateCode,
    blind,
    changed,
    judge,
    next_check,
    resumed,
    unseen,
)
from noc_rules.timeline import InForce, Interval

ESTIMATED: Final = (
    "down_after", "up_after", "degraded_loss_pct", "degraded_loss_clear_pct", "degraded_rtt_ms",
    "degraded_rtt_clear_ms", "degraded_jitter_ms", "degraded_jitter_clear_ms",
)  # fmt: skip
"""Options that decide what a site makes of its checks."""
NOT_MEASURED: Final = (
    "address", "family", "interval_s", "packets", "packet_gap_ms", "timeout_ms", "size_bytes", "ttl",
)  # fmt: skip
"""Options that decide what is sent and waited for: what others would have brought was not measured."""

_RECHECK_MS: Final = round(RECHECK_S * 1000)
# By so much a check that is known by the state that began with it may lie beside the time at which it was due.
_NEAR_MS: Final = _RECHECK_MS // 2
# A state that begins with a cycle is dated by the same clock; it may have been put right meanwhile.
_SAME_MS: Final = 50
_NEVER: Final = 2**62
_NOT_LOOKING: Final = (StateCode.PAUSED, StateCode.REMOVED, StateCode.ISOLATED, StateCode.OVERLOADED)
"""Whatever is measured meanwhile is not judged."""
_STARTS_AGAIN: Final = (StateCode.NOT_RUNNING, StateCode.NEW_ADDRESS, StateCode.NOT_CHECKED)
_ANSWERS: Final = (VerdictState.UP, VerdictState.DEGRADED)
_ECHO: Final = (0.0,)
_WITHOUT_LIMITS: Final = dict.fromkeys(("degraded_loss_pct", "degraded_rtt_ms", "degraded_jitter_ms"))


class Assumed(StrEnum):
    """Which of the re-checks after a lost cycle was answered, where all that is known is that one was."""

    EARLY = "early"
    LATE = "late"


class Became(NamedTuple):
    """A site's state from `since` on, until its next one."""

    since: Time
    state: str
    reason: str
    code: str | None
    seq: int
    epoch: int = 0


class Site:
    """One site's cycles, taken in the order of time, judged with several sets of options at once."""

    def __init__(
        self, recorded: Sequence[Interval], in_force: InForce, wanted: Sequence[tuple[Target, Assumed]]
    ) -> None:
        """`recorded`: as `timeline.noted` gives it."""
        self._recorded = recorded
        self._in_force = in_force
        self._wanted = wanted
        self._place = 0
        self._held: ProbeResult | None = None
        self._replays: list[_Replay] = []
        # Of the last five that were answered: the lowest and the highest RTT, what was sent and what was lost.
        self._lately: deque[tuple[float, float, int, int]] = deque(maxlen=WINDOW_CYCLES)
        self._whole = 0
        self._has_jitter = any(target.degraded_jitter_ms is not None for target, _ in wanted)

    def take(self, cycle: ProbeResult) -> None:
        held, self._held = self._held, cycle
        if held is None:
            self._replays = [self._replay(one, assumed, cycle.at) for one, assumed in self._wanted]
        else:
            self._judge(held, cycle.at, is_next_lost=cycle.invalid is None and not cycle.rtts_ms)

    def states(self, end: Time) -> list[list[Became]]:
        """Of each set of options. To be called once, at the end."""
        if self._held is not None:
            self._judge(self._held, end, is_last=True)
        return [one.states for one in self._replays]

    def _replay(self, target: Target, assumed: Assumed, at: Time) -> _Replay:
        before = next((one for one in self._recorded if one.start < at <= one.end), None)
        return _Replay(target, assumed, unseen(at) if before is None else _view(before, target, at))

    def _judge(self, cycle: ProbeResult, until: int, *, is_next_lost: bool = False, is_last: bool = False) -> None:
        recorded, at = self._recorded, int(cycle.at)
        while self._place + 1 < len(recorded) and recorded[self._place].end <= at + _SAME_MS:
            self._place += 1
        # The last one holds on.
        first: Interval | None = recorded[self._place] if recorded else None
        ends = _NEVER if first is None or self._place + 1 == len(recorded) else int(first.end)
        if first is not None and first.start > at + _SAME_MS:
            ends, first = int(first.start), None
        is_steady = ends >= until and (first is None or (first.start < at and first.code not in _NOT_LOOKING))
        rtts_ms, is_measured = cycle.rtts_ms, cycle.invalid is None
        is_usual = bool(rtts_ms) and is_steady and is_measured
        if is_usual:
            high_ms, sent, lost = max(rtts_ms), cycle.sent, cycle.sent - len(rtts_ms)
            self._lately.append((min(rtts_ms), high_ms, sent, lost))
            self._whole = 0 if lost else self._whole + 1
            loss_pct = 0.0 if self._whole >= WINDOW_CYCLES else self._loss_pct(sent)
            spread_ms = self._spread_ms() if self._has_jitter else 0.0
            busy = [one for one in self._replays if not one.passes(cycle, high_ms, spread_ms, loss_pct)]
        else:
            self._lately.clear()
            is_still_down = is_steady and is_measured and cycle.sent > 0 and _is_down(first)
            busy = [one for one in self._replays if not (is_still_down and one.stays_down)]
        if not busy:
            return
        known, after = _known(recorded, self._place, at, until + (_SAME_MS if is_last else 0))
        needed = (self._in_force.at(at) or self._wanted[0][0]).down_after
        stretch = _Stretch(cycle, until, first, known, needed, after, is_next_lost=is_next_lost, is_usual=is_usual)
        for one in busy:
            one.take(stretch)

    def _loss_pct(self, sent: int) -> float:
        lost = sum([one[3] for one in self._lately])
        return 100 * lost / max(sum([one[2] for one in self._lately]), WINDOW_CYCLES * sent)

    def _spread_ms(self) -> float:
        return max([one[1] for one in self._lately]) - min([one[0] for one in self._lately])


class _Stretch(NamedTuple):
    """A cycle, and what is known of the time from it until the next."""

    cycle: ProbeResult
    until: int
    first: Interval | None
    """What the site noted from the cycle on."""
    known: Sequence[Interval]
    """What it noted between the two."""
    down_after: int
    """Then in force."""
    next: Interval | None
    """What it noted from the next cycle on, where that is something new."""
    is_next_lost: bool
    is_usual: bool
    """The cycle was answered, and the site noted nothing new."""


class _Replay:
    """A site's view with one set of options."""

    def __init__(self, target: Target, assumed: Assumed, view: SiteView) -> None:
        self._target = target
        self._assumed = assumed
        self._unlimited = replace(target, **_WITHOUT_LIMITS)
        self._calm = 0
        self._passed: deque[ProbeResult] = deque(maxlen=WINDOW_CYCLES)
        self._limit_rtt_ms, self._limit_jitter_ms = target.degraded_rtt_ms, target.degraded_jitter_ms
        self._limit_loss_pct = target.degraded_loss_pct
        self._view = view
        self.states = [_became(view, 0)]

    @property
    def stays_down(self) -> bool:
        """One more unanswered check would be nothing new."""
        view = self._view
        return view.state is State.DOWN and not view.answered and not view.not_measured

    def passes(self, cycle: ProbeResult, high_ms: float, spread_ms: float, loss_pct: float) -> bool:
        """Whether an answered cycle, within all limits like the four before it, leaves the view UP as it is.

        `spread_ms` and `loss_pct`: of these five.
        """
        if self._limit_rtt_ms is not None and high_ms >= self._limit_rtt_ms:
            self._calm = 0
            return False
        self._calm += 1
        if self._calm < WINDOW_CYCLES:
            return False
        if self._limit_jitter_ms is not None and spread_ms >= self._limit_jitter_ms:
            return False
        if loss_pct and self._limit_loss_pct is not None and loss_pct >= self._limit_loss_pct:
            return False
        view = self._view
        if view.state is not State.UP or view.unanswered or view.not_measured:
            return False
        self._passed.append(cycle)
        return True

    def take(self, stretch: _Stretch) -> None:
        cycle, first = stretch.cycle, stretch.first
        # What passed has only to be seen as the last of those five by which the next is judged.
        for one in self._passed:
            self._view = judge(self._view, _outcome(one), self._unlimited)
        self._passed.clear()
        if not stretch.is_usual:
            self._calm = 0
        if first is not None and first.start > cycle.at - _SAME_MS and _is_blind(first):
            self._hold(blind(self._view, first.start, Reason(first.code or "", first.reason)))
        if first is None or first.code not in _NOT_LOOKING or _is_after(first, cycle):
            self._hold(judge(self._view, _outcome(cycle), self._target))
        self._go_on(stretch)

    def _go_on(self, stretch: _Stretch) -> None:
        """Re-checks until the next cycle, when they are due or known of."""
        cycle, target = stretch.cycle, self._target
        known, place, holds = stretch.known, 0, stretch.first
        has_answered = bool(cycle.rtts_ms)
        waits_ms = max(_RECHECK_MS, 0 if len(cycle.rtts_ms) == cycle.sent else round(target.timeout_ms))
        due = cycle.at + round((target.packets - 1) * target.packet_gap_ms) + waits_ms
        while True:
            following = known[place] if place < len(known) else None
            until = stretch.until if following is None else following.start - (0 if _is_blind(following) else _NEAR_MS)
            check = None
            if due < until and self._is_in_doubt and not (_is_down(holds) and self.stays_down):
                below = stretch.down_after
                if due + _RECHECK_MS >= until:
                    # What comes next is known: it is one more, or the first of those with which a DOWN began.
                    is_next_lost = stretch.is_next_lost and following is None
                    below = 0 if _is_down(following or stretch.next) else below - is_next_lost
                check = self._assume(due, holds, following or stretch.next, below, has_answered=has_answered)
            if check is not None:
                self._hold(judge(self._view, check, target))
                has_answered = has_answered or check.received > 0
                due += _RECHECK_MS
            elif following is not None:
                self._learn(following)
                holds, has_answered = following, following.state in _ANSWERS
                place, due = place + 1, following.start + _RECHECK_MS
            else:
                return

    @property
    def _is_in_doubt(self) -> bool:
        return next_check(self._view, self._target).kind == "recheck"

    def _learn(self, one: Interval) -> None:
        """What the site noted between two cycles says what its re-check gave, or that it did not look."""
        view = self._view
        if _is_blind(one):
            self._hold(blind(view, one.start, Reason(one.code or "", one.reason)))
        elif one.state not in _ANSWERS:
            self._hold(judge(view, _noted(one.start, one), self._target))
        elif self._is_in_doubt or view.state is State.UNKNOWN:
            self._hold(judge(view, _answered(one.start), self._target))

    def _assume(
        self, due: int, holds: Interval | None, following: Interval | None, down_after: int, *, has_answered: bool
    ) -> Outcome | None:
        """What a re-check gave while the site held this for so; None: none of which anything is known."""
        if _is_down(holds) or (holds is not None and _is_not_measured(holds)):
            return _noted(due, holds)
        can_be_lost = self._view.unanswered + 1 < down_after * (1 if self._view.seen else UNSEEN_FACTOR)
        if holds is not None and holds.state not in _ANSWERS:
            # An answer would have ended it.
            return Outcome(due, 1, (), False) if can_be_lost else None
        if following is not None and _is_not_measured(following) and not has_answered:
            # Re-checks that could not be measured are made while there is doubt.
            return Outcome(due, 1, (), False) if can_be_lost else None
        if has_answered or self._assumed is Assumed.EARLY or not can_be_lost:
            return _answered(due)
        return Outcome(due, 1, (), False)

    def _hold(self, view: SiteView) -> None:
        before, self._view = self._view, view
        if changed(before, view):
            self.states.append(_became(view, len(self.states)))


def estimated(
    cycles: Iterable[ProbeResult],
    recorded: Mapping[str, Sequence[Interval]],
    in_force: InForce,
    wanted: Sequence[tuple[Target, Assumed]],
    end: Time,
) -> list[dict[str, list[Became]]]:
    """For each set of options, by site, the states that come of the cycles: each site's in the order of time.

    `recorded`: by site, as `timeline.noted` gives it. Each site's first state is the one that held at its first cycle.
    """
    sites: dict[str, Site] = {}
    for cycle in cycles:
        site = sites.get(cycle.site)
        if site is None:
            site = sites[cycle.site] = Site(recorded.get(cycle.site, ()), in_force, wanted)
        site.take(cycle)
    found: list[dict[str, list[Became]]] = [{} for _ in wanted]
    for name, site in sites.items():
        for place, states in enumerate(site.states(end)):
            found[place][name] = states
    return found


def _known(recorded: Sequence[Interval], place: int, start: int, end: int) -> tuple[list[Interval], Interval | None]:
    """Those that begin between two cycles, and with neither of them; and the one that begins with the second."""
    found = []
    while place < len(recorded) and recorded[place].start < end - _SAME_MS:
        if recorded[place].start > start + _SAME_MS:
            found.append(recorded[place])
        place += 1
    is_next = place < len(recorded) and start < recorded[place].start <= end + _SAME_MS
    return found, recorded[place] if is_next else None


def _is_down(one: Interval | None) -> bool:
    return one is not None and one.state is VerdictState.DOWN


def _is_blind(one: Interval) -> bool:
    return one.code in _NOT_LOOKING or one.code in _STARTS_AGAIN


def _is_not_measured(one: Interval) -> bool:
    return one.state is VerdictState.UNKNOWN and one.code is not None and not _is_blind(one)


def _is_after(one: Interval, cycle: ProbeResult) -> bool:
    """Whether the site looked again: while it is isolated nothing counts as lost, and while it is told not to look there are no cycles."""
    if one.code == StateCode.OVERLOADED or cycle.at <= one.start + _SAME_MS:
        return False
    return cycle.invalid is None and cycle.sent > 0 and not cycle.rtts_ms


def _view(one: Interval, target: Target, at: Time) -> SiteView:
    """As a prober goes on with what it noted last."""
    state = State.UNKNOWN if one.state is VerdictState.PAUSED else State(one.state)
    noted = SiteState(
        site="any", target=target.id, epoch=0, seq=0, state=state, since=one.start, reason=one.reason, code=one.code,
        at=at,
    )  # fmt: skip
    return resumed(noted, one.start, at)


def _outcome(cycle: ProbeResult) -> Outcome:
    invalid = None
    if cycle.invalid is not None:
        invalid = Reason(cycle.invalid_code or StateCode.NOT_MEASURED, cycle.invalid)
    return Outcome(cycle.at, cycle.sent, tuple(cycle.rtts_ms), True, invalid)


def _answered(at: int) -> Outcome:
    return Outcome(at, 1, _ECHO, False)


def _noted(at: int, one: Interval | None) -> Outcome:
    """A re-check of which the site noted that it was unanswered, or why it was not measured."""
    if one is None or one.state is VerdictState.DOWN or one.code is None:
        return Outcome(at, 1, (), False)
    return Outcome(at, 0, (), False, Reason(one.code, one.code))


def _became(view: SiteView, seq: int) -> Became:
    return Became(Time(view.since), view.state, view.reason.text, view.reason.code, seq)
