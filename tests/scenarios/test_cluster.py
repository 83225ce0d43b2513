"""Past one machine: the broker is a cluster of three, and whichever of its nodes dies, nothing is lost and nobody is called DOWN."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
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
# So many histories are work for the web service, too.
LOOKED_AT_EVERY_S: Final = 3.0


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
        ended_ms = time.time() * 1000 - 2000 * INTERVAL_S

        sample = list(itertools.product(list(names)[:: max(1, targets // 50)], SITES))

        def starts(name: str, site: str) -> list[float]:
            return [row[0] for row in noc.cycles(name, site) if began_ms <= row[0] < ended_ms]

        def lost() -> dict[tuple[str, str], int]:
            return {one: missing for one in sample if (missing := _missing(starts(*one)))}

        # The newest come first, and what sites kept meanwhile comes beside them.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not lost(), 60, "journals that are stored", pause_s=LOOKED_AT_EVERY_S)
        print(lost(), noc.get("sites")["sites"])
        double = sum(len(found) - len({*found}) for found in itertools.starmap(starts, sample))
        false_states = sum(len(noc.get(f"targets/{name}/states")["outages"]) for name in list(names)[:20])
        figure.all_at_most(
            {
                "lost": (sum(lost().values()), 0),
                "double": (double, 0),
                "false_states": (false_states + len(noc.mails.mails), 0),
                "heal_s": (max(heal_s), HEAL_S),
            }
        )


def _missing(starts: Sequence[float]) -> int:
    """How many cycles there should be between these. The second may come 1.5 intervals after the first, out of turn."""
    gaps_s = [(after - before) / 1000 for before, after in itertools.pairwise(sorted({*starts}))]
    return sum(max(0, int(gap_s / INTERVAL_S + 0.25) - 1) for gap_s in gaps_s)


def _is_moving(noc: Noc, after_ms: float) -> bool:
    """A cycle of each site was made and stored since."""
    return all((rows := noc.cycles("host-0", site)) and rows[-1][0] > after_ms for site in SITES)
