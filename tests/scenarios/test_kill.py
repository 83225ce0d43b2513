"""kill -9, one after the other: everybody sees the truth again, nothing is missing, nobody is mailed twice."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from noc_netlab.lab import Netlab
from tests.parts.waiting import wait_until
from tests.scenarios.whole import CENTRAL, Noc

RIGHT_AGAIN_S = 15.0
INTERVAL_S = 2
TARGETS = {"router": "10.99.0.1", "server": "10.99.0.2", "printer": "10.99.0.3"}
EXPECTED = {"router": "UP", "server": "DOWN", "printer": "UP"}


@pytest.mark.timeout(300)
def test_after_each_kill_all_views_are_right_again_and_nothing_is_lost_or_mailed_twice(
    noc: Noc, netlab: Netlab
) -> None:
    netlab.behave("10.99.0.2", silent=True)
    for name, address in TARGETS.items():
        noc.add(name, address, interval_s=INTERVAL_S, packets=3)
    noc.wait_states(EXPECTED, 40)
    noc.mails.wait(1, 10)
    for victim in (*CENTRAL, "here"):
        noc.processes.kill(victim)
        noc.processes.restart(victim)
        _is_right_again(noc, f"after the kill of {victim}")
    noc.broker.kill()
    noc.broker.start()
    _is_right_again(noc, "after the kill of the broker")
    reborn = noc.get("sites")["sites"][0]["since"]
    for name in TARGETS:
        _has_no_hole(noc, name, reborn)
    assert len(noc.mails.mails) == 1
    netlab.behave("10.99.0.2")
    noc.wait_states(dict.fromkeys(TARGETS, "UP"), 15)
    down, up = noc.mails.wait(2, 10)
    assert up.references == [down.message_id]


def _is_right_again(noc: Noc, when: str) -> None:
    """The table, the presences, the incident, and a cycle made and stored from now on."""
    began_s, began_ms = time.monotonic(), time.time() * 1000

    def left_s() -> float:
        return max(0.1, RIGHT_AGAIN_S - (time.monotonic() - began_s))

    wait_until(noc.is_whole, left_s(), f"everybody online {when}", seen=lambda: noc.ask("GET", "status"))
    wait_until(lambda: noc.states() == EXPECTED, left_s(), f"the right table {when}", seen=noc.states)
    wait_until(
        lambda: [one["targets"] for one in noc.get("incidents?open=true")["incidents"]] == [["server"]],
        left_s(),
        f"the open incident {when}",
    )
    wait_until(
        lambda: all(_newest(noc, name) > began_ms for name in TARGETS), left_s(), f"cycles are stored again {when}"
    )


def _newest(noc: Noc, name: str) -> float:
    rows = noc.cycles(name)
    return float(rows[-1][0]) if rows else 0.0


def _has_no_hole(noc: Noc, name: str, reborn: str) -> None:
    """Cycles follow each other at their interval, but for those the killed prober could not make."""
    rows = noc.cycles(name)
    assert len(rows) == len({row[0] for row in rows})
    holes: list[Any] = [
        (before[0], after[0]) for before, after in itertools.pairwise(rows) if after[0] - before[0] > INTERVAL_S * 1500
    ]
    # A busy machine leaves a cycle out just after the start, too: all of it lies together.
    assert not holes or holes[-1][1] - holes[0][0] < RIGHT_AGAIN_S * 1000, (name, reborn, holes)
