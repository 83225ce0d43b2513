"""The state machine against a slow and obvious model, which reads the whole history again after each check."""

from __future__ import annotations

import functools

from hypothesis import given, settings
from hypothesis import strategies as st

from noc_bus.messages import State, Target
from noc_rules.site_state import Outcome, Reason, judge, unseen
from tests.parts.examples import up_to

UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN


class Model:
    """`a`: an answered check, `n`: an unanswered one, `i`: one that could not be made."""

    def __init__(self, down_after: int, up_after: int) -> None:
        self._down_after = down_after
        self._up_after = up_after
        self.state = functools.cache(self._state)

    def _state(self, history: str) -> State:
        if not history:
            return UNKNOWN
        before, last = self.state(history[:-1]), history[-1]
        if last == "i":
            return UNKNOWN if run(history, "i") >= self._down_after else before
        checks = history[self._forgotten(history) :].replace("i", "")
        if last == "a":
            return DOWN if before is DOWN and run(checks, "a") < self._up_after else UP
        needed = self._down_after if "a" in history else 3 * self._down_after
        return DOWN if run(checks, "n") >= needed else before

    def _forgotten(self, history: str) -> int:
        """How much of it lies before the site last lost sight of what it knew: that counts no more."""
        for end in range(len(history), 0, -1):
            if self.state(history[: end - 1]) is not UNKNOWN and run(history[:end], "i") >= self._down_after:
                return end
        return 0


def run(history: str, letter: str) -> int:
    """How many of them are at its end."""
    return len(history) - len(history.rstrip(letter))


CHECKS = {
    "a": lambda at: Outcome(at, 1, (10.0,), False),
    "n": lambda at: Outcome(at, 1, (), False),
    "i": lambda at: Outcome(at, 0, (), False, Reason("no-route", "no route")),
}


@settings(max_examples=up_to(300))
@given(
    st.lists(st.tuples(st.sampled_from("ani"), st.integers(1, 6)), max_size=14),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_the_state_after_any_history_is_that_of_the_model(
    runs: list[tuple[str, int]], down_after: int, up_after: int
) -> None:
    target = Target(id="t", name="T", address="192.0.2.1", down_after=down_after, up_after=up_after)
    model, view, history = Model(down_after, up_after), unseen(0), ""
    for letter in "".join(letter * times for letter, times in runs):
        history += letter
        view = judge(view, CHECKS[letter](len(history) * 1000), target)
        assert view.state is model.state(history), history
        assert view.since <= view.at or view.state is UNKNOWN, history
