"""Cycles of some days, files of them, and what a store then shows."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from noc_bus.messages import ProbeResult
from noc_bus.time import DAY_MS, Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Chart, Point, Store
from tests.history.records import T0, cycle

FOREVER: Final = Time(T0 + 10 * 365 * 86_400_000)
TARGETS: Final = ("router", "switch", "server")
Drawn = dict[str, Sequence[Point]]


def some_cycles(rng: random.Random, hours: float, every_s: float = 60) -> list[ProbeResult]:
    """Of three targets from two sites, in the order of time: losses, invalid ones and errors among them."""
    found: list[ProbeResult] = []
    for number in range(round(hours * 3600 / every_s)):
        for target in TARGETS:
            for site in ("here", "there"):
                rtts = [round(rng.lognormvariate(2, 0.3), 3) for _ in range(5) if rng.random() > 0.1]
                one = cycle(number * every_s + rng.random(), rtts, site=site, target=target, seq=len(found))
                if rng.random() < 0.05:
                    one = replace(one, invalid="late schedule", invalid_code="late-schedule")
                if rng.random() < 0.05:
                    one = replace(one, errors=["no route"], error_codes=["no-route"])
                found.append(one)
    return found


def drawn(store: Store) -> Drawn:
    """Every cycle of every series by itself."""
    return {
        f"{target} {site}": points
        for target in TARGETS
        for site, points in store.series(target, Time(0), FOREVER, 10**9).items()
    }


def plain(cycles: Sequence[ProbeResult]) -> Drawn:
    found: dict[str, list[Point]] = {}
    for one in sorted(cycles, key=lambda one: (one.target, one.site, one.at)):
        rtts = [] if one.invalid else one.rtts_ms
        point = Point(
            one.at, 1, int(one.invalid is not None), 0 if one.invalid else one.sent, len(rtts),
            min(rtts, default=None), sum(rtts) / len(rtts) if rtts else None, max(rtts, default=None),
        )  # fmt: skip
        found.setdefault(f"{one.target} {one.site}", []).append(point)
    return dict(found)


def assert_same(found: Drawn, expected: Drawn) -> None:
    assert found.keys() == expected.keys()
    for name, points in expected.items():
        assert [one.at for one in found[name]] == [one.at for one in points], name
        for one, other in zip(found[name], points, strict=True):
            assert (one.cycles, one.invalid, one.sent, one.received) == (1, other.invalid, other.sent, other.received)
            assert (one.rtt_min_ms, one.rtt_max_ms) == (other.rtt_min_ms, other.rtt_max_ms)
            assert one.rtt_mean_ms == (None if other.rtt_mean_ms is None else pytest.approx(other.rtt_mean_ms))


def pack(path: Path, before: Time = Time(0)) -> int:  # a time is a number
    """Housekeeping until nothing is left to do; how many repeated cycles it found."""
    packer, repeated = SqliteStore(path), 0
    while True:
        done = packer.maintain(before, 5.0)
        repeated += done.repeated_rows
        if not done.backlog_rows:
            packer.close()
            return repeated


def places(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        return {
            name: db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("tail", "block", "row_cycle")
        }


def write(store: Store, cycles: Sequence[ProbeResult], size: int = 200) -> None:
    for start in range(0, len(cycles), size):
        store.write(Batch(results=cycles[start : start + size]))


def charts(store: Store, start: Time, end: Time, *widths_ms: int) -> list[Mapping[str, Chart]]:
    found = [store.chart(TARGETS, None, start, end, -(-(end - start) // width)) for width in widths_ms]
    assert [{chart.width_ms for chart in one.values()} for one in found] == [{width} for width in widths_ms]
    return found


def days_ago(cycles: Sequence[ProbeResult], days: int) -> tuple[list[ProbeResult], Time]:
    """The same cycles from a midnight on, so many days ago; and that midnight."""
    start = Time((Time.now() // DAY_MS - days) * DAY_MS)
    return [replace(one, at=Time(start + (one.at - T0))) for one in cycles], start
