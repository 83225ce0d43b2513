"""A day of bad links, without an outage: how often a site calls a target DOWN, and what would be mailed of that."""

from __future__ import annotations

import random
from typing import Final

import pytest

from noc_bus.messages import State, Target
from noc_rules.cases import Notice
from noc_rules.site_state import Outcome, judge, next_check, unseen
from tests.parts.figures import Figures
from tests.rules.test_grouping import Plant

LOSS: Final = 0.05
BURST_LOSS: Final = 0.9
BURST_S: Final = (0.2, 3.0)
BETWEEN_BURSTS_S: Final = 600.0
"""On average: each target has 144 bursts a day."""


class Link:
    """Gilbert and Elliott's: bursts that lose nearly all, and some independent loss between them."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._start_s = self._end_s = 0.0
        self._next()

    def _next(self) -> None:
        self._start_s = self._end_s + self._draw.expovariate(1 / BETWEEN_BURSTS_S)
        self._end_s = self._start_s + self._draw.uniform(*BURST_S)

    def answers(self, at_s: float) -> bool:
        """To be asked in the order of time."""
        while at_s > self._end_s:
            self._next()
        return self._draw.random() >= (BURST_LOSS if at_s >= self._start_s else LOSS)


def calls(target: Target, link: Link, draw: random.Random, until_s: float) -> list[tuple[float, State]]:
    """When its site takes it for DOWN, and for answering again, by the checks that a prober makes."""
    view, found = unseen(0), []
    at_s, is_cycle = draw.uniform(0, target.interval_s), True
    cycle_s = at_s
    while at_s < until_s:
        sent = target.packets if is_cycle else 1
        gap_s = target.packet_gap_ms / 1000
        answered = sum(link.answers(at_s + gap_s * number) for number in range(sent))
        before = view.state
        if not (answered and is_cycle and view.state is State.UP and not view.unanswered):
            # Whatever else is answered by one that is UP leaves it so.
            view = judge(view, Outcome(round(at_s * 1000), sent, (10.0,) * answered, is_cycle), target)
        # It is unanswered once the last of its echoes has timed out.
        known_s = at_s + (0.01 if answered else gap_s * (sent - 1) + target.timeout_ms / 1000)
        if State.DOWN in (before, view.state) and before is not view.state:
            found.append((known_s, view.state))
        after = next_check(view, target)
        while cycle_s <= at_s:
            cycle_s += target.interval_s
        recheck_s = max(known_s, at_s + after.after_s)
        is_cycle = after.kind == "cycle" or recheck_s >= cycle_s
        at_s = cycle_s if is_cycle else recheck_s
    return found


@pytest.mark.thorough
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "options", [{}, {"packets": 1, "down_after": 8}], ids=["default options", "one packet, DOWN after eight checks"]
)
def test_a_day_of_bursts_and_loss_is_no_outage_to_be_mailed(
    options: dict[str, int], is_long: bool, figure: Figures
) -> None:
    targets, hours = (1000, 24) if is_long else (15, 24)
    plant = Plant()
    changes: list[tuple[float, str, State]] = []
    for number in range(targets):
        draw = random.Random(f"{number} {options}")
        name = f"t{number}"
        # What is DEGRADED is not asked here.
        plant.have(name, group=name, degraded_loss_pct=None, **options)
        found = calls(plant.targets[name], Link(draw), draw, hours * 3600)
        changes += [(at_s, name, state) for at_s, state in found]
    start_s = plant.now_s
    for at_s, name, state in sorted(changes, key=lambda one: one[0]):
        while plant.now_s < start_s + at_s and plant.board.cases:
            plant.passes(1)
        plant.now_s = max(plant.now_s, start_s + at_s)
        plant.see(State.DOWN if state is State.DOWN else State.UP, name)
        plant.tick()
    plant.passes(60)
    figure.at_most("DOWN mails", len(plant.told(Notice.OPENED)), 0)
    # A burst and bad luck may hit one cycle and its re-checks: seconds, over before the mail was due, which tells both.
    figure.at_most("mails of what was over at once", len(plant.told(Notice.RESOLVED)), 10 if is_long else 1)
