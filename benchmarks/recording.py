"""From message to mark: the real recorder on a real broker, fed by sites that speak as probers do.

    .venv/bin/python -m benchmarks.recording [--quick] [--json] [--folder FOLDER] [--broker nats|mosquitto ...]

The broker has its accounts and settings as `./noc up` and docker-compose.yml give them. Three sites publish the cycles
of 1,000 targets, one message each, as fast as marks come; figures count from the first of them to the mark over the
last one: by the recorder's own CPU, all its threads and the kernel's work for it included, and by the clock, in which
the sites and the broker need processors of their own. InfluxDB is the one that NOC_TEST_INFLUXDB_URL names; its bucket
is filled.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.sites import INTERVAL_MS, begins_at
from noc_bus.time import HOUR_MS, Time
from noc_history.stores import in_folder, parse
from tests.parts import proc
from tests.parts.brokers import Broker, Mosquitto, Nats
from tests.parts.processes import Processes

SITES: Final = ("berlin", "paris", "vienna")
TARGETS: Final = 1000
CYCLES: Final = 300_000
QUICK_CYCLES: Final = 90_000
PASSWORDS: Final = {name: f"{name}-secret" for name in ("web", "recorder", "alerter", *SITES)}
BROKERS: Final[dict[str, type[Broker]]] = {"nats": Nats, "mosquitto": Mosquitto}


@dataclass(frozen=True)
class Recorded:
    cycles: int
    stored: int
    """By the store, afterwards."""
    sent_again: int
    cpu_s: float
    wall_s: float


def recorded(
    folder: Path, broker: Broker, cycles: int, history: str | None = None, watch: Callable[[int], object] | None = None
) -> Recorded:
    """`history`: for NOC_HISTORY_URL. `watch` is called again and again with the recorder's process id."""
    begin = begins_at()
    url = parse(history) if history else in_folder(folder)
    assert url is not None
    store = url.open()
    if history:
        # Another run may have left what this one brings.
        store.prepare()
        for site in SITES:
            store.forget(None, site)
    urls = json.dumps({name: broker.url(name) for name in ("web", *SITES)})
    settings = {"NOC_DATA": str(folder), "NOC_MQTT_URL": broker.url("recorder"), "NOC_LOG": "warning"}
    if history:
        settings["NOC_HISTORY_URL"] = history
    with Processes(folder) as processes, _sites(urls, cycles // len(SITES), begin) as sites:
        processes.service("recorder", settings)
        pid = processes.pid("recorder")
        assert sites.stdout is not None
        assert sites.stdin is not None
        assert sites.stdout.readline() == "ready\n", processes.log("recorder")
        cpu_s, wall_s = proc.cpu_s(pid), time.perf_counter()
        sites.stdin.write("go\n")
        sites.stdin.flush()
        if watch is not None:
            while sites.poll() is None:
                watch(pid)
        said = json.loads(sites.stdout.readline())
        cpu_s, wall_s = proc.cpu_s(pid) - cpu_s, time.perf_counter() - wall_s
        processes.stop("recorder", 60)
    while store.maintain(Time(0), 10.0).backlog_rows:
        pass
    end = Time(begin + (cycles // len(SITES) * INTERVAL_MS // TARGETS // HOUR_MS + 1) * HOUR_MS)
    stored = sum(one.cycles for one in store.totals(None, Time(begin), end).values())
    store.close()
    return Recorded(cycles, stored, said["sent_again"], cpu_s, wall_s)


@contextlib.contextmanager
def _sites(urls: str, cycles: int, begin: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.sites", urls, str(cycles), "--begin", str(begin)]
    process = subprocess.Popen(  # noqa: S603  # our own program
        [*command, "--targets", str(TARGETS)],
        cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cycles")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each")
    parser.add_argument("--folder", type=Path, help="on a real disk; default: a temporary one")
    parser.add_argument("--broker", nargs="+", choices=BROKERS, default=[*BROKERS])
    parser.add_argument("--cycles", type=int)
    given = parser.parse_args()
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    cycles = given.cycles or (QUICK_CYCLES if given.quick else CYCLES)
    stores = {"SQLite": None, "InfluxDB": os.environ.get("NOC_TEST_INFLUXDB_URL")}
    for store, history in stores.items():
        if store == "InfluxDB" and not history:
            print("  InfluxDB is left out: NOC_TEST_INFLUXDB_URL names none", file=sys.stderr)
            continue
        for name in given.broker:
            with tempfile.TemporaryDirectory(dir=given.folder) as folder:
                data = Path(folder) / "data"
                data.mkdir()
                with BROKERS[name](Path(folder) / "broker", PASSWORDS) as broker:
                    found = recorded(data, broker, cycles, history)
            assert found.stored == cycles, found
            if given.json:
                print(json.dumps({"broker": name, "store": store} | asdict(found)), flush=True)
            else:
                print(
                    f"  {store:9} {name:10} {found.cycles / found.cpu_s:10,.0f} cycles/s of CPU "
                    f"{found.cycles / found.wall_s:10,.0f} cycles/s by the clock {found.sent_again:8,} sent again",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
