"""A broker that takes less in one message than a site sends at once after an outage."""

from __future__ import annotations

import re
import time
from pathlib import Path

from noc_netlab.lab import Netlab
from tests.parts.brokers import Mosquitto
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until
from tests.scenarios.whole import Noc

LIMIT_BYTES = 100_000
HOSTS = 60
AWAY_S = 20


class Strict(Mosquitto):
    """It silently drops what is larger."""

    def _command(self) -> list[str | Path]:
        command = super()._command()
        config = self.folder / "mosquitto.conf"
        text, changed = re.subn(r"message_size_limit \d+", f"message_size_limit {LIMIT_BYTES}", config.read_text())
        assert changed == 1
        config.write_text(text)
        return command


def test_what_was_measured_without_a_recorder_passes_a_broker_that_takes_only_small_messages(
    netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    noc = Noc(tmp_path / "noc", smtp_sink)
    noc.broker = Strict(tmp_path / "strict", noc.broker.passwords)
    names = [f"host-{number}" for number in range(HOSTS)]
    with noc:
        for number, name in enumerate(names):
            noc.add(name, f"10.99.4.{number + 1}", interval_s=1, packets=1, timeout_ms=500)
        noc.wait_states(dict.fromkeys(names, "UP"), 60)
        noc.processes.kill("recorder")
        from_ms = time.time() * 1000
        time.sleep(AWAY_S)
        noc.processes.restart("recorder")
        to_ms = time.time() * 1000

        def lost() -> int:
            rows = [row for name in names for row in noc.cycles(name) if from_ms <= row[0] < to_ms]
            asked = sum(from_ms <= one.at_ms < to_ms for one in netlab.seen(since_ms=from_ms))
            return asked - sum(int(row[5]) for row in rows)

        wait_until(lambda: lost() <= 2, 60, "everything stored", seen=lost)
