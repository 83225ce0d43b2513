"""How long a rehearsal takes: today's settings and others over a month of recorded states, as the web service calculates it.

    .venv/bin/python benchmarks/rehearsal.py [--targets 500] [--sites 3] [--outages 3] [--estimate] [--json]

A SQLite store with the states of every target at every site over 30 days: each target has so many outages in the
month, seen by most sites, half of them shorter than a minute, and as many times in which it is DEGRADED; a twentieth
of the targets are routers with others behind them. Rehearsed is another policy for all targets. The first time reads
the records and plays both settings; the second plays the other settings alone. With --estimate, one target has the cycles
of a fortnight besides, a hundredth of its echoes lost, and what another `down_after` and a limit for its RTT would
have made of them is estimated. Exit status 1 where the first takes more than five seconds of CPU with 500 targets or
fewer, or the estimate takes more than four seconds longer than what is played without it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from msgspec.structs import replace as with_fields

from noc_bus.messages import ProbeResult, SiteState, State, Target
from noc_bus.time import DAY_MS, Time
from noc_history.store import Batch, Store
from noc_history.stores import in_folder
from noc_rules.rehearsal import Settings
from noc_rules.telling import Book
from noc_web.rehearsal import MOST_DAYS, Proposal, Rehearsal, Rehearsals

LIMIT_S: Final = 5.0
LIMIT_TARGETS: Final = 500
LIMIT_ESTIMATE_S: Final = 4.0
CYCLES_DAYS: Final = 14
SEED: Final = 9
LOSS: Final = 0.01
IN_A_BATCH: Final = 2000
LASTS_S: Final = (20, 50, 300, 3600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--sites", type=int, default=3)
    parser.add_argument("--outages", type=int, default=3, help="of each target in the month (3)")
    parser.add_argument("--estimate", action="store_true", help="also one target's, from its cycles")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    targets = catalogue(given.targets)
    with tempfile.TemporaryDirectory(prefix="noc-rehearsal-") as folder:
        store = in_folder(Path(folder)).open()
        store.prepare()
        records = fill(store, targets, given.sites, given.outages)
        before = Settings(targets, Book(everybody=("ops@noc.test",)))
        after = replace(before, targets={name: with_fields(one, policy="any") for name, one in targets.items()})
        rehearsals = Rehearsals(store, dict)
        first_cpu_s, first_s, first = timed(rehearsals, Proposal(before, after, MOST_DAYS))
        next_cpu_s, next_s, _ = timed(rehearsals, Proposal(before, replace(after, wait_s=60.0), MOST_DAYS))
        is_slow = given.targets <= LIMIT_TARGETS and first_cpu_s > LIMIT_S
        figures = {
            "seed": SEED,
            "targets": given.targets,
            "sites": given.sites,
            "states": records,
            "incidents_today": len(first.before.outcomes),
            "incidents_proposed": len(first.after.outcomes),
            "notices_today": len(first.before.notices),
            "notices_proposed": len(first.after.notices),
            "first_cpu_s": round(first_cpu_s, 2),
            "first_s": round(first_s, 2),
            "next_cpu_s": round(next_cpu_s, 2),
            "next_s": round(next_s, 2),
        }
        if given.estimate:
            cycles = fill_cycles(store, targets["t1"], given.sites)
            changed = with_fields(targets["t1"], down_after=3, degraded_rtt_ms=40.0)
            after = replace(before, targets={**targets, "t1": changed})
            # What is kept of the last one is of other times.
            without_cpu_s, _, _ = timed(rehearsals, Proposal(before, after, CYCLES_DAYS))
            cpu_s, wall_s, result = timed(rehearsals, Proposal(before, after, CYCLES_DAYS, "t1"))
            assert result.estimate is not None
            is_slow = is_slow or cpu_s - without_cpu_s > LIMIT_ESTIMATE_S
            figures |= {
                "cycles": cycles,
                "estimate_downs": result.estimate.after,
                "without_cpu_s": round(without_cpu_s, 2),
                "estimate_cpu_s": round(cpu_s, 2),
                "estimate_s": round(wall_s, 2),
            }
        rehearsals.close()
        store.close()
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(f"{name:20} {value:>12,}\n" for name, value in figures.items())
    return int(is_slow)


def timed(rehearsals: Rehearsals, proposal: Proposal) -> tuple[float, float, Rehearsal]:
    """Seconds of CPU, seconds, and what came of it."""
    cpu_s, wall_s = time.process_time(), time.monotonic()
    result = rehearsals.job(rehearsals.start(proposal)).future.result()
    return time.process_time() - cpu_s, time.monotonic() - wall_s, result


def catalogue(count: int) -> dict[str, Target]:
    """Groups of twenty, the first of each a router and the parent of the others."""
    return {
        f"t{number}": Target(
            id=f"t{number}",
            name=f"Target {number}",
            address="192.0.2.1",
            group=f"group-{number // 20}",
            parents=[f"t{number - number % 20}"] if number % 20 else [],
            mail_degraded=number % 10 == 0,
        )
        for number in range(count)
    }


def fill(store: Store, targets: Mapping[str, Target], sites: int, outages: int) -> int:
    """How many states were stored."""
    drawn = random.Random(SEED)
    end = Time.now()
    start = Time(end - MOST_DAYS * DAY_MS)
    count = 0
    for name in targets:
        times = sorted(
            (start + drawn.randrange(MOST_DAYS * DAY_MS), drawn.choice(LASTS_S) * 1000, kind)
            for kind in (State.DOWN, State.DEGRADED)
            for _ in range(outages)
        )
        states = []
        for number in range(sites):
            site = f"site-{number}"
            states.append(_state(site, name, State.UP, start, 0))
            for at, lasts_ms, kind in times:
                if at <= states[-1].since or drawn.random() < 0.15:
                    continue
                begin = at + drawn.randrange(4000)
                states.append(_state(site, name, kind, begin, len(states)))
                states.append(_state(site, name, State.UP, begin + lasts_ms, len(states)))
        store.write(Batch(states=states))
        count += len(states)
    return count


def fill_cycles(store: Store, target: Target, sites: int) -> int:
    """How many cycles were stored and packed."""
    drawn = random.Random(SEED)
    end = Time.now()
    interval_ms = round(target.interval_s * 1000)
    starts = range(end - CYCLES_DAYS * DAY_MS, end, interval_ms)
    for first in range(0, len(starts), IN_A_BATCH):
        store.write(
            Batch(
                results=[
                    _cycle(f"site-{number}", target, at, seq, drawn)
                    for number in range(sites)
                    for seq, at in enumerate(starts[first : first + IN_A_BATCH], first)
                ]
            )
        )
        store.maintain(Time(0), 1.0)
    return sites * len(starts)


def _cycle(site: str, target: Target, at: int, seq: int, drawn: random.Random) -> ProbeResult:
    rtts_ms = [round(12 + drawn.expovariate(1), 3) for _ in range(target.packets) if drawn.random() >= LOSS]
    return ProbeResult(
        site=site, target=target.id, epoch=1, seq=seq, at=Time(at), address=target.address, sent=target.packets,
        received=len(rtts_ms), rtts_ms=rtts_ms,
    )  # fmt: skip


def _state(site: str, target: str, state: State, at: int, seq: int) -> SiteState:
    return SiteState(
        site=site, target=target, epoch=1, seq=seq, state=state, since=Time(at), reason=f"is {state}", at=Time(at)
    )


if __name__ == "__main__":
    sys.exit(main())
