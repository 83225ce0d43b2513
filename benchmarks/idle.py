"""What the whole NOC costs while nothing happens: memory and CPU of every process of `./noc up`.

    .venv/bin/python benchmarks/idle.py [--targets 20] [--seconds 60] [--json]

Starts `noc up` on a folder of its own with targets on loopback, waits until all are UP and calm, and measures
from /proc. RSS counts a page that processes share once for each of them, PSS once in all: PSS is what the
machine would have back. Needs the right to ping, and a free port. What users have is measured in an environment
that `./noc` has made and `./noc test` has not: our libraries load packages of the tests where they find them, 5 MB
in all.

Of 20 targets on two cores, Python 3.11:

                                    RSS MB    PSS MB     CPU %
    with structlog and SQLAlchemy      244       175       3.5
    without structlog                  228       164
    without SQLAlchemy                 209       145       3.5
    one mark a second                  210       147       3.1

Of the rest, five bare Pythons are 46 MB RSS, paho-mqtt is 13 MB more in each of four services (ssl, email and
http.client come with it), nats-server 24 MB, and the web service has 25 MB more than the recorder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

READY_S = 60.0
CALM_S = 20.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Of one process, or of all."""

    name: str
    rss_mb: float
    pss_mb: float
    cpu_pct: float
    """Of one core, over the time measured."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), arguments.targets) as process:
        time.sleep(CALM_S)
        costs = measure(process.pid, arguments.seconds)
    if arguments.json:
        print(json.dumps([asdict(cost) for cost in costs], indent=2))
    else:
        show(costs)
    return 0


@contextmanager
def running(folder: Path, targets: int) -> Iterator[subprocess.Popen[bytes]]:
    """A `noc up` whose targets are all UP."""
    data = folder / "data"
    data.mkdir()
    rows = "".join(f"host-{number},127.0.0.{number}\n" for number in range(1, targets + 1))
    (folder / "targets.csv").write_text(f"name,address\n{rows}")
    noc = [sys.executable, "-P", "-m", "noc_launcher"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOC_")}
    subprocess.run([*noc, "targets", "import", str(folder / "targets.csv"), "--data", str(data)], env=clean, check=True)  # noqa: S603  # our own program
    port = free_port()
    log = (folder / "log").open("wb")
    up = [*noc, "up", "--data", str(data), "--site", "here", "--port", str(port), "--mqtt-port", str(free_port())]
    process = subprocess.Popen(up, env=clean, stdout=subprocess.DEVNULL, stderr=log)  # noqa: S603  # our own program
    try:
        wait_until_up(port, token(noc, data, clean), targets)
        yield process
    finally:
        log.close()
        process.send_signal(signal.SIGINT)
        process.wait()


def token(noc: list[str], data: Path, environment: dict[str, str]) -> str:
    made = [*noc, "token", "create", "--role", "viewer", "--data", str(data)]
    return subprocess.run(made, env=environment, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603  # our own program


def wait_until_up(port: int, bearer: str, targets: int) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/status")
    request.add_header("Authorization", f"Bearer {bearer}")
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # on loopback
                if json.load(answer)["kpis"]["up"] >= targets:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"idle.py: the {targets} targets were not UP within {READY_S:g} s")


def measure(supervisor: int, seconds: float) -> list[Cost]:
    """The supervisor's process and all below it, dearest first; the sum at the end."""
    pids = family(supervisor)
    before = {pid: cpu_s(pid) for pid in pids}
    started_s = time.monotonic()
    time.sleep(seconds)
    passed_s = time.monotonic() - started_s
    costs = [Cost(name_of(pid), *memory_mb(pid), 100 * (cpu_s(pid) - before[pid]) / passed_s) for pid in pids]
    costs.sort(key=lambda cost: -cost.pss_mb)
    whole = [sum(values) for values in zip(*[(c.rss_mb, c.pss_mb, c.cpu_pct) for c in costs], strict=True)]
    return [*costs, Cost("whole", *whole)]


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family(int(child)))]


def memory_mb(pid: int) -> tuple[float, float]:
    """RSS and PSS."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB$", text, re.MULTILINE))
    return int(found["Rss"]) / 1000, int(found["Pss"]) / 1000


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def name_of(pid: int) -> str:
    """`noc prober`, or the name of a program that is not ours."""
    words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    if "noc_launcher.child" in words:
        return words[words.index("noc_launcher.child") + 2]
    return "supervisor" if "noc_launcher" in words else Path(words[0]).name


def show(costs: list[Cost]) -> None:
    print(f"{'process':<14}{'RSS MB':>10}{'PSS MB':>10}{'CPU %':>10}")
    for cost in costs:
        print(f"{cost.name:<14}{cost.rss_mb:>10.1f}{cost.pss_mb:>10.1f}{cost.cpu_pct:>10.2f}")


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
