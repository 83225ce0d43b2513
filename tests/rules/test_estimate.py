"""Sites' states estimated from cycles, beside those that a site comes to which makes every check itself."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace as replaced
from typing import Any, Final

import pytest
from msgspec.structs import replace

from noc_bus.messages import State, Target
from noc_bus.time import Time
from noc_rules.estimate import Assumed, Became, estimated
from noc_rules.site_state import PAUSED, Reason
from noc_rules.timeline import InForce, noted, site_intervals
from tests.parts.site import T0, Path, Seen, outages

SWITCH: Final = Target(id="switch", name="Switch", address="192.0.2.1")
Comparable = list[tuple[int, int, str, str | None]]


def compared(states: Sequence[Became], seen: Seen, end: int) -> Comparable:
    """From the first cycle on."""
    found = site_intervals(states, (), None, seen.cycles[0].at, Time(end), InForce(SWITCH))
    return [(one.start - T0, one.end - T0, str(one.state), one.code) for one in found]


def estimate(seen: Seen, end: int, was: Target, wanted: Target, assumed: Assumed = Assumed.LATE) -> Comparable:
    recorded = {"here": list(noted(seen.states, Time(T0), Time(end)))}
    (by_site,) = estimated(seen.cycles, recorded, InForce(was), [(wanted, assumed)], Time(end))
    return compared(by_site["here"], seen, end)


def anything(draw: random.Random, *, is_flickering: bool = True) -> Path:
    """Outages of all lengths, loss, RTTs that change, spells in which nobody looks or can look."""
    lasts = draw.choice([120, 400, 1500])
    spells: list[tuple[int, int, float]] = []
    at = 0.0
    while at < lasts:
        at += draw.choice([0.5, 3, 12, 30, 90]) * draw.uniform(0.5, 2)
        for _ in range(draw.choice([1, 1, 3]) if is_flickering else 1):
            ends = at + draw.choice([0.3, 1.2, 2.5, 4, 6, 9, 25, 70]) * draw.uniform(0.7, 1.3)
            spells.append(
                (round(at * 1000), round(ends * 1000), draw.choice([1.0, 1.0, 0.8]) if is_flickering else 1.0)
            )
            at = ends + draw.choice([0.2, 1.1, 2.2])
    loss, base = draw.choice([0.0, 0.0, 0.03, 0.2]), draw.choice([5.0, 40.0])
    seed = draw.randrange(2**32)

    def answer(moment: int) -> float | None:
        # The same whoever asks for this moment, and whatever was asked before.
        chance = zlib.crc32(moment.to_bytes(8, "big"), seed)
        lost = next((share for start, end, share in spells if start <= moment - T0 < end), loss)
        if chance < lost * 2**32:
            return None
        slow = 60 if (moment - T0) // 100_000 % 3 == 2 else 0
        return base + slow + (0, 1, 1, 2, 30)[chance % 5]

    invalid, unwatched = [], []
    if draw.random() < 0.4:
        begin = T0 + draw.randrange(lasts * 1000)
        invalid.append((begin, begin + draw.randrange(1000, 90_000)))
    if draw.random() < 0.4:
        begin = T0 + draw.randrange(lasts * 1000)
        unwatched.append((begin, begin + draw.randrange(5000, 90_000), draw.choice([PAUSED, Reason("isolated", "")])))
    return Path(answer, T0 + lasts * 1000, unwatched, invalid)


def options(draw: random.Random) -> dict[str, Any]:
    return {
        "down_after": draw.choice([1, 2, 3, 5, 5, 8, 12]),
        "up_after": draw.choice([1, 2, 2, 4]),
        "degraded_loss_pct": draw.choice([None, 10, 20, 40]),
        "degraded_loss_clear_pct": draw.choice([None, 5]),
        "degraded_rtt_ms": draw.choice([None, 30, 50]),
        "degraded_rtt_clear_ms": draw.choice([None, 20]),
        "degraded_jitter_ms": draw.choice([None, 3, 25]),
        "degraded_jitter_clear_ms": draw.choice([None, 2]),
    }


def targets(draw: random.Random) -> Target:
    return replace(
        SWITCH, interval_s=draw.choice([1, 5, 10, 10, 30]), packets=draw.choice([1, 3, 5]),
        timeout_ms=draw.choice([500, 1000, 3000]), **options(draw),
    )  # fmt: skip


def pasts(is_long: bool) -> Iterator[random.Random]:
    for seed in range(1500 if is_long else 25):
        yield random.Random(seed)


SCRIPTS: Final[list[Any]] = [
    # What is not answered in which seconds, the options then, those tried; DOWN from which second to which.
    pytest.param([(20, 22)], {}, {}, [], [], id="a lost cycle is none by five checks"),
    pytest.param([(20, 26)], {}, {}, [(20, 26.8)], [(20, 26.8)], id="as it was recorded"),
    pytest.param([(20, 26)], {}, {"down_after": 8}, [], [], id="over before the eighth check"),
    pytest.param([(20, 40)], {}, {"down_after": 8}, [(20, 40)], [(20, 40)], id="not over by then: it begins where it began"),
    pytest.param([(20, 26)], {"down_after": 8}, {"down_after": 5}, [], [(20, 27.8)], id="not DOWN then: until the eighth check at most"),
    pytest.param([(20, 22), (40, 42)], {}, {"down_after": 1}, [(20, 21.8), (40, 41.8)], [(20, 24.8), (40, 44.8)], id="each lost cycle"),
    pytest.param([(20, 90)], {"down_after": 20}, {"down_after": 3}, [(20, 90)], [(20, 90)], id="a DOWN that began later is known from its start"),
    pytest.param([(20, 33), (35.5, 60)], {"up_after": 1}, {"up_after": 4}, [(20, 33.8), (40, 60)], [(20, 33.8), (40, 60)], id="after an answer nobody looked again before the next cycle"),
    pytest.param([(0, 70)], {}, {"down_after": 25}, [], [], id="one never seen to answer has three times as many checks"),
]  # fmt: skip


@pytest.mark.parametrize(("lost", "was", "tried", "early", "late"), SCRIPTS)
def test_a_scripted_past(
    lost: list[tuple[float, float]],
    was: dict[str, Any],
    tried: dict[str, Any],
    early: list[tuple[float, float]],
    late: list[tuple[float, float]],
) -> None:
    target = replace(SWITCH, **was)
    path = Path(outages(*lost), T0 + 120_000)
    seen = path.live(target)
    for assumed, expected in ((Assumed.EARLY, early), (Assumed.LATE, late)):
        found = downs(estimate(seen, path.end, target, replace(target, **tried), assumed))
        assert [(one[0] / 1000, one[1] / 1000) for one in found] == [pytest.approx(one, abs=0.05) for one in expected]


LIMITS: Final = (
    "degraded_loss_pct", "degraded_loss_clear_pct", "degraded_rtt_ms", "degraded_rtt_clear_ms", "degraded_jitter_ms",
    "degraded_jitter_clear_ms",
)  # fmt: skip


@pytest.mark.timeout(1800)
def test_with_the_options_that_were_in_force_it_is_what_the_site_recorded(is_long: bool) -> None:
    for number, draw in enumerate(pasts(is_long)):
        path, target = anything(draw), targets(draw)
        seen = path.live(target, draw.randrange(1000))
        recorded = compared(seen.states, seen, path.end)
        for assumed in Assumed:
            assert estimate(seen, path.end, target, target, assumed) == recorded, (number, assumed)


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_with_other_limits_for_degraded_it_is_what_a_site_with_those_comes_to(is_long: bool) -> None:
    for number, draw in enumerate(pasts(is_long)):
        path, target, other = anything(draw), targets(draw), options(draw)
        wanted = replace(target, **{name: other[name] for name in LIMITS})
        phase = draw.randrange(1000)
        seen, would = path.live(target, phase), path.live(wanted, phase)
        assert estimate(seen, path.end, target, wanted) == compared(would.states, would, path.end), number


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_with_a_later_down_it_is_what_a_site_with_that_comes_to(is_long: bool) -> None:
    """Where one answer ends a DOWN: of others a site records but the first and the last."""
    for number, draw in enumerate(pasts(is_long)):
        path, target = replaced(anything(draw), invalid=()), replace(targets(draw), up_after=1)
        wanted = replace(target, down_after=target.down_after + draw.randrange(1, 6))
        phase = draw.randrange(1000)
        seen, would = path.live(target, phase), path.live(wanted, phase)
        assert estimate(seen, path.end, target, wanted) == compared(would.states, would, path.end), number


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_with_an_earlier_down_what_really_comes_lies_between_the_two_assumptions(is_long: bool) -> None:
    for number, draw in enumerate(pasts(is_long)):
        path, target = anything(draw, is_flickering=False), replace(targets(draw), up_after=1)
        path = replaced(path, invalid=(), blind=())
        wanted = replace(target, down_after=draw.randrange(1, target.down_after + 1))
        phase = draw.randrange(1000)
        seen, would = path.live(target, phase), path.live(wanted, phase)
        real = downs(compared(would.states, would, path.end))
        early, late = (downs(estimate(seen, path.end, target, wanted, assumed)) for assumed in Assumed)
        assert all(any(overlap(one, other) for other in real) for one in early), number
        assert all(any(overlap(one, other) for other in late) for one in real), number


def downs(found: Comparable) -> Comparable:
    return [one for one in found if one[2] == State.DOWN]


def overlap(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return bool(one[0] < other[1] and other[0] < one[1])
