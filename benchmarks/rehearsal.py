"""How long a rehearsal takes: today's settings and others over a month of recorded states, as the web service calculates it.

    .venv/bin/python benchmarks/rehearsal.py [--targets 500] [--sites 3] [--outages 3] [--json]

A SQLite store with the states of every target at every site over 30 days: each target has so many outages in the
month, seen by most sites, half of them shorter than a minute, and as many times in which it is DEGRADED; a twentieth
of the targets are routers with others behind them. Rehearsed is another policy for all targets. The first time reads
the records and plays both settings; the second plays the other settings alone. Exit status 1 where the first takes
more than five seconds of CPU with 500 targets or fewer.
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

from noc_bus.messages import SiteState, State, Target
from noc_bus.time import DAY_MS, Time
from noc_history.store import Batch, Store
from noc_history.stores import in_folder
from noc_rules.rehearsal import Settings
from noc_rules.telling import Book
from noc_web.rehearsal import MOST_DAYS, Proposal, Rehearsal, Rehearsals

LIMIT_S: Final = 5.0
LIMIT_TARGETS: Final = 500
SEED: Final = 9
LASTS_S: Final = (20, 50, 300, 3600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--sites", type=int, default=3)
    parser.add_argument("--outages", type=int, default=3, help="of each target in the month (3)")
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
        found: list[tuple[float, float, Rehearsal]] = []
        for proposal in (Proposal(before, after, MOST_DAYS), Proposal(before, replace(after, wait_s=60.0), MOST_DAYS)):
            cpu_s, wall_s = time.process_time(), time.monotonic()
            result = rehearsals.job(rehearsals.start(proposal)).future.result()
            found.append((time.process_time() - cpu_s, time.monotonic() - wall_s, result))
        rehearsals.close()
        store.close()
    (first_cpu_s, first_s, first), (next_cpu_s, next_s, _) = found
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
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(f"{name:20} {value:>12,}\n" for name, value in figures.items())
    return int(given.targets <= LIMIT_TARGETS and first_cpu_s > LIMIT_S)


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


def _state(site: str, target: str, state: State, at: int, seq: int) -> SiteState:
    return SiteState(
        site=site, target=target, epoch=1, seq=seq, state=state, since=Time(at), reason=f"is {state}", at=Time(at)
    )


if __name__ == "__main__":
    sys.exit(main())
