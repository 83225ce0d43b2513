"""A thousand targets (in short 200) at the default options: nobody is called DOWN who is not, and every cycle is stored."""

from __future__ import annotations

import itertools
import time

import pytest

from noc_netlab.lab import Netlab
from tests.parts.figures import Figures
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

TARGETS = {False: 200, True: 1000}
"""In short and in long."""
INTERVAL_S = 10
# The newest of each target may not be stored yet.
UNSTORED_CYCLES = 2
SOAK_S, LONG_SOAK_S = 30, 600
# What a busy machine could not measure is called invalid or left out, and is no lie; more than this is no measuring.
NOT_MEASURED_PCT = 50


@pytest.mark.alone(only="long")
@pytest.mark.timeout(300 + LONG_SOAK_S)
def test_a_thousand_targets_lose_nothing_and_are_never_called_down(
    noc_on_mosquitto: Noc, netlab: Netlab, is_long: bool, figure: Figures
) -> None:
    noc = noc_on_mosquitto
    soak_s = LONG_SOAK_S if is_long else SOAK_S
    targets = TARGETS[is_long]
    names = {f"host-{n}": f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(targets)}
    rows = "".join(f"{name},{address}\n" for name, address in names.items())
    status, answer = noc.ask("POST", "targets/import", f"name,address\n{rows}".encode())
    assert (status, answer["added"]) == (200, targets)
    wait_until(lambda: noc.get("status")["kpis"]["up"] == targets, 90, "all UP", seen=lambda: noc.get("status")["kpis"])
    began_ms = time.time() * 1000
    bad: set[str] = set()

    def over() -> bool:
        kpis = noc.get("status")["kpis"]
        bad.update(state for state, count in kpis.items() if count and state not in ("total", "up", "unknown"))
        time.sleep(1)
        return time.time() * 1000 > began_ms + soak_s * 1000

    wait_until(over, soak_s + 60, "the end of the soak")
    ended_ms = time.time() * 1000
    (site,) = noc.get("sites")["sites"]
    assert site["drops"] == 0
    wait_until(lambda: noc.get("sites")["sites"][0]["journal_depth"] < targets, 30, "nearly all is stored")
    seen = {one.address for one in netlab.seen(since_ms=began_ms)}
    measured = sum(_measured(noc, name, began_ms, ended_ms) for name in names)
    due = targets * int((ended_ms - began_ms) / 1000 / INTERVAL_S - UNSTORED_CYCLES)
    assert seen == set(names.values())
    assert not bad
    assert not noc.get("incidents")["incidents"]
    assert not noc.mails.mails
    figure.at_most("not_measured_pct", max(0.0, round(100 * (1 - measured / due), 1)), NOT_MEASURED_PCT)


def _measured(noc: Noc, name: str, began_ms: float, ended_ms: float) -> int:
    """How many of the target's cycles were measured; each of them lost nothing, and stands where it was due."""
    rows = [row for row in noc.cycles(name) if began_ms <= row[0] < ended_ms - UNSTORED_CYCLES * INTERVAL_S * 1000]
    gaps_s = [(after[0] - before[0]) / 1000 for before, after in itertools.pairwise(rows)]
    assert all(abs(gap_s / INTERVAL_S - round(gap_s / INTERVAL_S)) < 0.01 for gap_s in gaps_s), (name, gaps_s)
    assert all(row[4] in (0, None) for row in rows), (name, rows)
    return sum(not row[6] for row in rows)
