"""Ten thousand targets imported at once: whatever is missed on the way, the table ends at what the broker has retained.

The short form has a thousand of them, and one round instead of ten.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Final

import pytest

from noc_bus.broker import Broker
from noc_bus.channels import STATES, VERDICTS
from noc_bus.messages import SiteState, Verdict
from noc_bus.mirror import Mirror
from noc_bus.session import Session
from noc_netlab.lab import Netlab
from tests.parts.figures import Figures
from tests.parts.waiting import wait_until
from tests.scenarios.whole import CENTRAL, Noc

UP_WITHIN_S: Final = 120
AGREES_WITHIN_S: Final = 10
# The whole table of ten thousand rows is work for the web service, too.
LOOKED_AT_EVERY_S: Final = 0.5


class Reader:
    """A stranger's view of what is retained, asked for anew each time."""

    def __init__(self, noc: Noc) -> None:
        self.noc = noc

    def retained(self) -> tuple[dict[str, Verdict], dict[tuple[str, ...], SiteState]]:
        session = Session(Broker.parse(self.noc.broker.url("reader")), "reader")
        verdicts: Mirror[str, Verdict] = Mirror(session, VERDICTS)
        states: Mirror[tuple[str, ...], SiteState] = Mirror(session, STATES)
        session.start()
        wait_until(lambda: verdicts.is_complete and states.is_complete, 30, "all that is retained")
        found = verdicts.items(), states.items()
        session.stop()
        return found


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_every_row_is_up_in_time_and_agrees_with_the_broker_whatever_happens(
    noc: Noc, netlab: Netlab, is_long: bool, figure: Figures
) -> None:
    targets, rounds = (10_000, 10) if is_long else (1000, 1)
    names = {f"host-{n}": f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(targets)}
    rows = "".join(f"{name},{address},10,1\n" for name, address in names.items())
    imported_s = time.monotonic()
    status, answer = noc.ask("POST", "targets/import", f"name,address,interval_s,packets\n{rows}".encode())
    assert status == 200, answer
    wait_until(
        lambda: noc.get("status")["kpis"]["up"] == targets,
        UP_WITHIN_S,
        "every row UP",
        seen=lambda: noc.get("status")["kpis"],
        pause_s=LOOKED_AT_EVERY_S,
    )
    figure.at_most("import_to_all_up_s", round(time.monotonic() - imported_s, 1), UP_WITHIN_S)
    reader = Reader(noc)
    worst_s = 0.0
    for number in range(rounds):
        silent = [f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(number, targets, 97)]
        for address in silent:
            netlab.behave(address, silent=True)
        _stall(noc, CENTRAL[number % len(CENTRAL)], 20 if is_long else 5)
        if number % 2:
            noc.broker.kill()
            noc.broker.start()
        expected = {name: "DOWN" if address in silent else "UP" for name, address in names.items()}
        _wait_for_table(noc, expected)
        since_s = time.monotonic()
        wait_until(
            lambda: not _differing(noc, reader),
            AGREES_WITHIN_S + 30,
            "agreement",
            seen=lambda: _differing(noc, reader),
            pause_s=LOOKED_AT_EVERY_S,
        )
        worst_s = max(worst_s, time.monotonic() - since_s)
        netlab.behave()
    # A machine that does other things as well may take twice as long.
    figure.at_most("agrees_with_the_broker_s", round(worst_s, 1), AGREES_WITHIN_S * (1 if is_long else 2))


def _wait_for_table(noc: Noc, expected: dict[str, str]) -> None:
    wait_until(
        lambda: noc.states() == expected,
        120,
        "the right table",
        seen=lambda: noc.get("status")["kpis"],
        pause_s=LOOKED_AT_EVERY_S,
    )


def _stall(noc: Noc, service: str, seconds: float) -> None:
    os.kill(noc.processes.pid(service), signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(noc.processes.pid(service), signal.SIGCONT)


def _differing(noc: Noc, reader: Reader) -> list[Any]:
    """Rows whose verdict, or whose site's state, is not the one retained; at most a few, to be shown."""
    verdicts, states = reader.retained()
    rows = {row["id"]: row for row in noc.get("status")["targets"]}
    wrong: list[Any] = sorted(rows.keys() ^ verdicts.keys())
    wrong += [
        (name, row["state"], verdicts[name].state)
        for name, row in rows.items()
        if name in verdicts and row["state"] != verdicts[name].state
    ]
    wrong += [
        (site, name, rows[name]["sites"].get(site, {}).get("state"), state.state)
        for (site, name), state in states.items()
        if name not in rows or rows[name]["sites"].get(site, {}).get("state") != state.state
    ]
    return wrong[:10]
