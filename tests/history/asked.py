"""A history to ask, and what it says of itself: a program that the code of an older version runs as it stands, too.

`write FILE CYCLES START DAYS` fills a file by the store of the code on PYTHONPATH; `ask` with the same words prints its answers.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from noc_bus.messages import Incident, Mark, ProbeResult, SiteState, State, Target
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Definition, Silence
from noc_web.uptime import timelines

SITES: Final = ("here", "there", "yonder")
CHARTS: Final = 10
"""Of so many targets they are compared."""
_HOUR_MS: Final = 3_600_000
_IN_A_BATCH: Final = 100_000
_STATES: Final = (State.UP, State.DOWN, State.UP, State.DEGRADED, State.UP, State.UNKNOWN)
_KINDS: Final = 211
"""Of cycles of one series: to draw five RTTs of each of ten million takes longer than to store them."""


@dataclass(frozen=True)
class Asked:
    """Which history: the same words give the same one."""

    cycles: int
    start: int
    days: int

    @property
    def end(self) -> int:
        return self.start + self.days * 24 * _HOUR_MS

    @property
    def targets(self) -> list[Target]:
        count = max(2, min(50, self.cycles // 10_000))
        return [Target(id=f"host-{n}", name=f"Host {n}", address="192.0.2.1", interval_s=10) for n in range(count)]


def write(path: Path, asked: Asked) -> None:
    rng, start, end = random.Random(asked.cycles), Time(asked.start), Time(asked.end)
    store, known = SqliteStore(path), asked.targets
    store.write(
        Batch(
            states=list(_states(rng, asked)),
            silences=[
                Silence(one.id, SITES[1], Time(start + 7 * _HOUR_MS), Time(start + 8 * _HOUR_MS)) for one in known
            ],
            definitions=[Definition(one.id, start, one) for one in known],
            incidents=[
                Incident(
                    id=f"20261101-{number}", kind="target-down", targets=[one.id], cause="no answer",
                    opened_at=Time(start + number * 60_000), resolved_at=Time(start + number * 60_000 + 30_000),
                )
                for number, one in enumerate(known)
            ],
        )
    )  # fmt: skip
    cycles = _cycles(rng, asked)
    while batch := list(islice(cycles, _IN_A_BATCH)):
        store.write(Batch(results=batch))
    store.write(Batch(marks=[Mark(site=site, epoch=1, seq=asked.cycles, at=end) for site in SITES]))
    store.close()


def _cycles(rng: random.Random, asked: Asked) -> Iterator[ProbeResult]:
    """In the order of time, of all series in turn: losses, invalid ones, errors, and two of one start among them."""
    series = [(one.id, site, _kinds(rng)) for one in asked.targets for site in SITES]
    every_ms = (asked.end - asked.start) * len(series) / asked.cycles
    for seq in range(asked.cycles):
        target, site, kinds = series[seq % len(series)]
        turn = seq // len(series)
        # A clock that was put back gives two cycles one start.
        at = Time(asked.start + int((turn - (turn % 997 == 1)) * every_ms))
        rtts, code, errors = kinds[turn % _KINDS]
        yield ProbeResult(
            site=site, target=target, epoch=1, seq=seq, at=at, address="192.0.2.1", sent=5, received=len(rtts),
            rtts_ms=rtts, invalid=code, invalid_code=code, errors=errors, error_codes=errors,
        )  # fmt: skip


def _kinds(rng: random.Random) -> list[tuple[list[float], str | None, list[str]]]:
    base_ms = rng.lognormvariate(2, 1)
    found: list[tuple[list[float], str | None, list[str]]] = []
    for _ in range(_KINDS):
        rtts = [round(base_ms * rng.lognormvariate(0, 0.1), 3) for _ in range(5) if rng.random() > 0.02]
        found.append((rtts, "late-schedule" if rng.random() < 0.02 else None, ["no-route"] if len(rtts) < 5 else []))
    return found


def _states(rng: random.Random, asked: Asked) -> Iterator[SiteState]:
    for one in asked.targets:
        for site in SITES:
            since, seq = Time(asked.start), 0
            while since < asked.end:
                yield SiteState(
                    site=site, target=one.id, epoch=1, seq=seq, state=_STATES[seq % len(_STATES)],
                    since=since, reason="because", at=since,
                )  # fmt: skip
                since, seq = Time(since + rng.randrange(1000, 2 * _HOUR_MS)), seq + 1


def answers(path: Path, asked: Asked, count: int = CHARTS) -> dict[str, Any]:
    """Charts of so many targets, seconds of all, and what is kept beside cycles, as JSON has them."""
    start, end = Time(asked.start), Time(asked.end)
    store = SqliteStore(path)
    found: dict[str, Any] = {"charts": {}, "uptime": {}}
    for one in asked.targets[:count]:
        for first, points in ((start, 100), (start, 700), (Time(end - _HOUR_MS), 10**6)):
            for site, drawn in sorted(store.series(one.id, first, end, points).items()):
                found["charts"][f"{one.id} {site} {first} {points}"] = [
                    [
                        point.at, point.cycles, point.invalid, point.sent, point.received, point.rtt_min_ms,
                        None if point.rtt_mean_ms is None else round(point.rtt_mean_ms, 6), point.rtt_max_ms,
                    ]
                    for point in drawn
                ]  # fmt: skip
    # Pairs or a mapping: that differs by version.
    for name, timeline in dict(timelines(store, asked.targets, start, end)).items():
        of_sites = {site: _seconds(some) for site, some in sorted(timeline.sites.items())}
        found["uptime"][name] = {
            "all": _seconds(timeline.overall),
            "up": {"pct": round(timeline.uptime.uptime_pct or 0, 9), "outages": len(timeline.uptime.outages)},
            **of_sites,
        }
    found["last"] = sorted([target, site, at] for (target, site), at in store.last_cycles().items())
    found["incidents"] = [one.id for one in store.incidents(start, end)]
    found["marks"] = sorted([one.site, one.epoch, one.seq, one.at] for one in store.marks().values())
    found["definitions"] = sorted([name, len(some)] for name, some in store.definitions(None).items())
    store.close()
    as_json: dict[str, Any] = json.loads(json.dumps(found))
    return as_json


def _seconds(intervals: Any) -> dict[str, float]:
    seconds: Counter[str] = Counter()
    for one in intervals:
        seconds[str(one.state)] += one.seconds
    return {state: round(sum_s, 3) for state, sum_s in sorted(seconds.items())}


if __name__ == "__main__":
    act, file, *numbers = sys.argv[1:]
    history = Asked(*map(int, numbers))
    if act == "write":
        write(Path(file), history)
    else:
        print(json.dumps(answers(Path(file), history)))
