"""A site that makes all checks of one target, and what it records of what lies between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from noc_bus.messages import ProbeResult, SiteState, State, Target
from noc_bus.time import Time
from noc_rules.estimate import Became
from noc_rules.site_state import Outcome, Reason, SiteView, StateCode, blind, changed, judge, next_check, unseen

T0: Final = 1_760_000_000_000
"""When it begins."""
Answer = Callable[[int], float | None]
"""The RTT that an echo sent in this millisecond gets; None: it is lost."""


@dataclass
class Seen:
    """What a prober records, and the states that it comes to."""

    cycles: list[ProbeResult] = field(default_factory=list)
    states: list[Became] = field(default_factory=list)

    def records(self, site: str, target: str, start: int) -> tuple[list[ProbeResult], list[SiteState]]:
        """The same, as if it had begun at another time."""
        by = start - T0
        results = [
            msgspec.structs.replace(one, site=site, target=target, at=Time(one.at + by), epoch=1) for one in self.cycles
        ]
        states = [
            SiteState(
                site=site, target=target, epoch=1, seq=one.seq, state=State(one.state), since=Time(one.since + by),
                reason=one.reason, code=one.code, at=Time(one.since + by),
            )
            for one in self.states
        ]  # fmt: skip
        return results, states


@dataclass
class Path:
    """What lies between a site and its target; when the site does not look, and when it cannot send."""

    answer: Answer
    end: int
    blind: Sequence[tuple[int, int, Reason]] = ()
    invalid: Sequence[tuple[int, int]] = ()

    def live(self, target: Target, phase_ms: int = 0) -> Seen:
        """As a prober goes: cycles on their grid, re-checks from send to send, each judged when it is over."""
        view = unseen(T0)
        seen = Seen(states=[_became(view, 0)])

        def hold(after: SiteView) -> SiteView:
            if changed(view, after):
                seen.states.append(_became(after, len(seen.states)))
            return after

        interval, span = round(target.interval_s * 1000), round((target.packets - 1) * target.packet_gap_ms)
        for at in range(T0 + phase_ms, self.end, interval):
            # A cycle is judged when it is over.
            spell = self._blind(at + 60)
            if spell is not None:
                view = hold(blind(view, max(T0, spell[0]), spell[2]))
            outcome = self._outcome(
                at, [self.answer(at + round(n * target.packet_gap_ms)) for n in range(target.packets)], is_cycle=True
            )
            if spell is not None and spell[2].code == StateCode.ISOLATED and not outcome.received:
                outcome = replace(outcome, invalid=spell[2])
            if spell is None or spell[2].code not in (StateCode.NOT_RUNNING, StateCode.PAUSED):
                seen.cycles.append(_result(target, outcome, len(seen.cycles)))
            if spell is not None:
                continue
            view = hold(judge(view, outcome, target))
            lost_ms = round(target.timeout_ms) if outcome.received < outcome.sent else 0
            due, until = at + span + max(1000, lost_ms), min(at + interval, self.end)
            while next_check(view, target).kind == "recheck" and due < until:
                if (spell := self._blind(due)) is not None:
                    view = hold(blind(view, spell[0], spell[2]))
                    break
                view = hold(judge(view, self._outcome(due, [self.answer(due)], is_cycle=False), target))
                # The loop of events is late by some milliseconds, each time.
                due += 1003
        return seen

    def _blind(self, at: int) -> tuple[int, int, Reason] | None:
        return next((one for one in self.blind if one[0] <= at < one[1]), None)

    def _outcome(self, at: int, rtts: Sequence[float | None], *, is_cycle: bool) -> Outcome:
        if any(start <= at < end for start, end in self.invalid):
            return Outcome(at, 0, (), is_cycle, Reason("no-route", "no-route"))
        return Outcome(at, len(rtts), tuple([one for one in rtts if one is not None]), is_cycle)


def outages(*spells: tuple[float, float], rtt_ms: float = 10.0) -> Answer:
    """No answer in these, in seconds from the start, each up to but not including its end."""

    def answer(at: int) -> float | None:
        return None if any(start <= (at - T0) / 1000 < end for start, end in spells) else rtt_ms

    return answer


def _result(target: Target, outcome: Outcome, seq: int) -> ProbeResult:
    invalid = outcome.invalid
    return ProbeResult(
        site="here", target=target.id, epoch=0, seq=seq, at=Time(outcome.at), address="", sent=outcome.sent,
        received=outcome.received, rtts_ms=list(outcome.rtts_ms), invalid=invalid.text if invalid else None,
        invalid_code=invalid.code if invalid else None,
    )  # fmt: skip


def _became(view: SiteView, seq: int) -> Became:
    return Became(Time(view.since), view.state, view.reason.text, view.reason.code, seq)
