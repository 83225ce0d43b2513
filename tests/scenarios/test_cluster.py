"""Past one machine: the broker is a cluster of three, and whichever of its nodes dies, nothing is lost and nobody is called DOWN."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Final

import pytest

from noc_netlab.lab import Netlab
from tests.parts.brokers import NatsCluster
from tests.parts.figures import Figures
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import CLUSTER, Noc

SITES: Final = ("east", "north", "west")
INTERVAL_S: Final = 10
HEAL_S: Final = 15.0
"""With the wait for the next cycle."""
STABLE_S: Final = 30.0


@pytest.mark.parametrize("targets", [50, 1000])
@pytest.mark.timeout(900)
def test_whichever_node_of_three_is_killed_nothing_is_lost_and_nobody_is_called_down(
    netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path, targets: int, figure: Figures
) -> None:
    with Noc(tmp_path, smtp_sink, CLUSTER, SITES) as noc:
        assert isinstance(noc.broker, NatsCluster)
        names = {f"host-{n}": f"10.99.{1 + n // 250}.{1 + n % 250}" for n in range(targets)}
        rows = "".join(f"{name},{address},{INTERVAL_S},1\n" for name, address in names.items())
        status, answer = noc.ask("POST", "targets/import", f"name,address,interval_s,packets\n{rows}".encode())
        assert (status, answer["added"]) == (200, targets)

        def all_up() -> bool:
            return bool(noc.get("status")["kpis"]["up"] == targets)

        wait_until(all_up, 120, "all UP", seen=lambda: noc.get("status")["kpis"])
        began_ms = time.time() * 1000
        heal_s = []
        for node in range(3):
            noc.broker.kill_node(node)
            killed_s, killed_ms = time.monotonic(), time.time() * 1000
            wait_until(
                lambda: noc.is_whole() and all_up() and _is_moving(noc, killed_ms),  # noqa: B023
                120,
                f"everybody after the kill of node {node}",
                seen=lambda: (noc.ask("GET", "status")[1].get("trouble"), noc.ask("GET", "sites")),
            )
            heal_s.append(time.monotonic() - killed_s)
            noc.broker.start_node(node)
            time.sleep(STABLE_S)
        ended_ms = time.time() * 1000
        wait_until(
            lambda: max(site["journal_depth"] for site in noc.get("sites")["sites"]) < targets,
            60,
            "journals that are stored",
        )
        lost = double = 0
        for name, site in itertools.product(list(names)[:: max(1, targets // 50)], SITES):
            starts = [row[0] for row in noc.cycles(name, site) if began_ms <= row[0] < ended_ms - 2000 * INTERVAL_S]
            double += len(starts) - len(set(starts))
            lost += sum(round((after - before) / 1000 / INTERVAL_S) - 1 for before, after in itertools.pairwise(starts))
        false_states = sum(len(noc.get(f"targets/{name}/states")["outages"]) for name in list(names)[:20])
        figure.all_at_most(
            {
                "lost": (lost, 0),
                "double": (double, 0),
                "false_states": (false_states + len(noc.mails.mails), 0),
                "heal_s": (max(heal_s), HEAL_S),
            }
        )


def _is_moving(noc: Noc, after_ms: float) -> bool:
    """A cycle of each site was made and stored since."""
    return all((rows := noc.cycles("host-0", site)) and rows[-1][0] > after_ms for site in SITES)
