"""What a rehearsal estimates from kept cycles, beside what a prober with those options came to on the same wire."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from msgspec.structs import replace

from noc_bus.channels import RESULTS, STATES
from noc_bus.messages import ProbeResult, SiteState, State, Target
from noc_bus.time import Time
from noc_netlab.lab import Netlab
from noc_rules.estimate import Assumed, Became, estimated
from noc_rules.timeline import InForce, noted
from tests.prober.conftest import Rig, until

HOST: Final = "10.99.0.7"
# Loss is no state of its own here: how much of it there is hangs on where in a cycle the silence begins.
USUAL: Final[dict[str, Any]] = {
    "interval_s": 2, "packets": 2, "packet_gap_ms": 10, "timeout_ms": 800, "up_after": 1, "degraded_loss_pct": None,
}  # fmt: skip
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "quick": {"down_after": 3},
    "patient": {"down_after": 8},
    "choosy": {"down_after": 8, "degraded_rtt_ms": 150.0},
}
TARGETS: Final = {
    name: Target(id=name, name=name, address=HOST, **USUAL, **options) for name, options in OPTIONS.items()
}
# Between its schedule and another's there is less than an interval, and a check lasts for less than one more.
APART_MS: Final = 3500
SILENT: Final[list[tuple[float, dict[str, Any]]]] = [
    (5, {}), (5.5, {"silent": True}), (5, {}), (12, {"silent": True}), (5, {}),
]  # fmt: skip
"""In seconds: DOWN for who asks three times, and then for everybody."""
SLOW: Final[list[tuple[float, dict[str, Any]]]] = [(14, {"delay_ms": 300.0}), (16, {})]


@pytest.mark.timeout(300)
def test_it_is_what_a_prober_with_these_options_came_to(rig: Rig, netlab: Netlab, is_long: bool) -> None:
    """In the long form three times, and then slow for a while."""
    seen, times = _Seen(rig), 3 if is_long else 1

    async def story() -> None:
        for name in TARGETS:
            rig.target(name, HOST, **USUAL, **OPTIONS[name])
        await until(lambda: len(seen.states) == len(TARGETS))
        for seconds, behaviour in [*SILENT * times, *(SLOW if is_long else ())]:
            netlab.behave(HOST, **behaviour)
            await asyncio.sleep(seconds)

    netlab.behave(HOST)
    rig.run(story)
    end = Time.now()
    lived = {name: _said(seen.states[name]) for name in TARGETS}
    assert [state for _, state in lived["quick"]] == ["UP", *["DOWN", "UP"] * 2 * times]
    assert [state for _, state in lived["patient"]] == ["UP", *["DOWN", "UP"] * times]
    assert ("DEGRADED" in [state for _, state in lived["choosy"]]) is is_long
    for name in TARGETS:
        for assumed in Assumed:
            assert seen.estimate(name, name, end, assumed) == lived[name], "with its own options, to the millisecond"
    for was, wanted in (("quick", "patient"), ("quick", "choosy"), ("patient", "choosy"), ("choosy", "patient")):
        assert _alike(seen.estimate(was, wanted, end), lived[wanted]), (was, wanted)
    # Of what was over before it was DOWN only the cycles are kept: what really came lies between the two.
    early, late = (seen.estimate("patient", "quick", end, assumed) for assumed in Assumed)
    assert _alike(early, lived["patient"])
    assert _alike(late, lived["quick"])


class _Seen:
    """What one site said of each target."""

    def __init__(self, rig: Rig) -> None:
        self.states: dict[str, list[SiteState]] = {}
        self._cycles: dict[str, list[ProbeResult]] = {}
        rig.web.subscribe(STATES, self._on_state)
        rig.web.subscribe(RESULTS, self._on_cycle)

    def estimate(self, was: str, wanted: str, end: Time, assumed: Assumed = Assumed.LATE) -> list[tuple[int, str]]:
        cycles = self._cycles[was]
        recorded = {"local": list(noted(self.states[was], Time(cycles[0].at - 1), end))}
        target = replace(TARGETS[wanted], id=was)
        (by_site,) = estimated(cycles, recorded, InForce(TARGETS[was]), [(target, assumed)], end)
        return _said(by_site["local"])

    def _on_state(self, state: SiteState | None, variables: dict[str, str]) -> None:
        if state is not None:
            self.states.setdefault(state.target, []).append(state)

    def _on_cycle(self, cycle: ProbeResult | None, variables: dict[str, str]) -> None:
        if cycle is not None:
            self._cycles.setdefault(cycle.target, []).append(cycle)


def _said(states: list[SiteState] | list[Became]) -> list[tuple[int, str]]:
    """Since when it was how, from when it was first known on."""
    found: dict[int, str] = {int(one.since): str(one.state) for one in states if one.state != State.UNKNOWN}
    return sorted(found.items())


def _alike(found: list[tuple[int, str]], lived: list[tuple[int, str]]) -> bool:
    return len(found) == len(lived) and all(
        one[1] == other[1] and abs(one[0] - other[0]) < APART_MS for one, other in zip(found, lived, strict=True)
    )
