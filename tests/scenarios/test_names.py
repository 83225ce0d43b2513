"""Hosts that are known by name, asked of a real DNS server."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from noc_netlab.lab import Netlab
from tests.parts.dns import Dns
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

OLD, NEW = "10.99.3.1", "10.99.3.2"
INTERVAL_S = 2
DOWN_AFTER = 5


def test_a_host_that_moves_is_followed_before_anybody_calls_it_down(
    netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    with Dns(tmp_path) as dns:
        dns.names["web.lab"] = [OLD]
        noc = Noc(tmp_path / "noc", smtp_sink)
        noc.prober_wrap = dns.asking_it()
        with noc:
            noc.add("web", "web.lab", interval_s=INTERVAL_S, packets=1, timeout_ms=500, down_after=DOWN_AFTER)
            noc.wait_states({"web": "UP"}, 30)
            dns.names["web.lab"] = [NEW]
            netlab.behave(OLD, silent=True)
            moved_ms = time.time() * 1000
            states: set[str] = set()

            def is_followed() -> bool:
                states.update(noc.states().values())
                return len(list(itertools.islice(netlab.seen(NEW, moved_ms), 5))) == 5

            wait_until(is_followed, 40, "requests to the new address", seen=lambda: states)
            first_ms = next(netlab.seen(NEW, moved_ms)).at_ms
            assert first_ms - moved_ms < (INTERVAL_S + DOWN_AFTER) * 1000
            assert not list(netlab.seen(OLD, first_ms + 1000)), "nobody asks the old one any more"
            assert states <= {"UP", "DEGRADED"}, "a host that answers elsewhere was never down"
            # A name server that is gone takes nothing away that was known.
            dns.is_silent = True
            rows = len(noc.cycles("web"))
            wait_until(lambda: len(noc.cycles("web")) >= rows + 3, 20, "cycles without a name server")
            assert noc.states()["web"] in ("UP", "DEGRADED")
            assert not noc.get("incidents")["incidents"]
