"""A thousand targets at the default options: nobody is called DOWN who is not, and every cycle is stored."""

from __future__ import annotations

import itertools
import time

import pytest

from noc_netlab.lab import Netlab
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

TARGETS = 1000
INTERVAL_S = 10
SOAK_S, LONG_SOAK_S = 30, 600
# More than this behind its schedule, a cycle is invalid and says so; none should be.
SLACK_MS = 500


@pytest.mark.alone
@pytest.mark.timeout(300 + LONG_SOAK_S)
def test_a_thousand_targets_lose_nothing_and_are_never_called_down(
    noc_on_mosquitto: Noc, netlab: Netlab, is_long: bool
) -> None:
    noc = noc_on_mosquitto
    soak_s = LONG_SOAK_S if is_long else SOAK_S
    names = {f"host-{n}": f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(TARGETS)}
    rows = "".join(f"{name},{address}\n" for name, address in names.items())
    status, answer = noc.ask("POST", "targets/import", f"name,address\n{rows}".encode())
    assert (status, answer["added"]) == (200, TARGETS)
    wait_until(lambda: noc.get("status")["kpis"]["up"] == TARGETS, 90, "all UP", seen=lambda: noc.get("status")["kpis"])
    began_ms = time.time() * 1000
    bad: set[str] = set()

    def over() -> bool:
        kpis = noc.get("status")["kpis"]
        bad.update(state for state, count in kpis.items() if count and state not in ("total", "up"))
        time.sleep(1)
        return time.time() * 1000 > began_ms + soak_s * 1000

    wait_until(over, soak_s + 60, "the end of the soak")
    ended_ms = time.time() * 1000
    (site,) = noc.get("sites")["sites"]
    assert site["drops"] == 0
    wait_until(lambda: noc.get("sites")["sites"][0]["journal_depth"] < TARGETS, 30, "nearly all is stored")
    seen = list(netlab.seen(since_ms=began_ms))
    for name in names:
        _is_complete(noc, name, began_ms, ended_ms)
    assert {one.address for one in seen} == set(names.values())
    assert not bad
    assert not noc.get("incidents")["incidents"]
    assert not noc.mails.mails


def _is_complete(noc: Noc, name: str, began_ms: float, ended_ms: float) -> None:
    cycles = [row for row in noc.cycles(name) if began_ms <= row[0] < ended_ms - 2 * INTERVAL_S * 1000]
    gaps_ms = [after[0] - before[0] for before, after in itertools.pairwise(cycles)]
    assert len(cycles) >= (ended_ms - began_ms) / 1000 / INTERVAL_S - 4, (name, len(cycles))
    assert all(abs(gap_ms - INTERVAL_S * 1000) < SLACK_MS for gap_ms in gaps_ms), (name, gaps_ms)
    assert all(row[4] == 0 and row[6] == 0 for row in cycles), (name, cycles)
