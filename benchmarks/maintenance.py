"""Deletes a million and a half old cycles beside live writes: how late marks are, and what the deleting costs.

`python benchmarks/maintenance.py [--cycles N] [--seconds S]` prints a table. Marks must never be more than 2 s late.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from noc_bus.fake import FakeBus, Hub
from noc_bus.messages import Mark, ProbeResult
from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch
from noc_recorder.definitions import Definitions
from noc_recorder.forgotten import Deletions
from noc_recorder.intake import Intake
from noc_recorder.late import Late
from noc_recorder.maintenance import BUDGET_S, Maintenance
from noc_recorder.rejected import RejectedFile
from noc_recorder.writer import Writer

TARGETS = 500
KEEP_DAYS = 30
LIVE_PER_S = 200


def cycle(seq: int, target: int, at: int) -> ProbeResult:
    return ProbeResult(
        site="bench", target=f"host-{target}", epoch=1, seq=seq, at=Time(at), address="192.0.2.1", sent=5, received=5,
        rtts_ms=[1.0, 1.1, 1.2, 1.3, 1.4],
    )  # fmt: skip


def fill(path: Path, cycles: int) -> None:
    store = SqliteStore(path)
    begin = int(Time.now()) - (KEEP_DAYS + 60) * 86_400_000
    for first in range(0, cycles, 50_000):
        store.write(
            Batch(
                results=[
                    cycle(seq, seq % TARGETS, begin + seq // TARGETS * 10_000)
                    for seq in range(first, min(first + 50_000, cycles))
                ]
            )
        )
    store.close()


class Live:
    """Sends records as sites do, and notes how long each takes to be covered by a mark."""

    def __init__(self, intake: Intake) -> None:
        self.delays_s: list[float] = []
        self._intake = intake
        self._sent: list[float] = []
        self._marked = 0
        self._last_publish_s = time.monotonic()
        self.longest_pause_s = 0.0

    def send(self, count: int) -> None:
        now = int(Time.now())
        first = len(self._sent)
        self._sent += [time.monotonic()] * count
        self._intake.put(*(cycle(first + n, (first + n) % TARGETS, now) for n in range(count)))

    def publish(self, marks: Sequence[Mark]) -> None:
        now_s = time.monotonic()
        for mark in marks:
            self.delays_s += [now_s - sent_s for sent_s in self._sent[self._marked : mark.seq + 1]]
            self._marked = max(self._marked, mark.seq + 1)
        self.longest_pause_s = max(self.longest_pause_s, now_s - self._last_publish_s)
        self._last_publish_s = now_s


def run(folder: Path, cycles: int, seconds: float) -> None:
    path = folder / "history.sqlite"
    begun_s = time.monotonic()
    fill(path, cycles)
    size = path.stat().st_size
    print(f"filled with {cycles:,} old cycles in {time.monotonic() - begun_s:.0f} s, {size / 1e6:.0f} MB", flush=True)
    store, intake, stop = SqliteStore(path), Intake(), threading.Event()
    bus = FakeBus(Hub())
    definitions = Definitions(bus)
    late = Late(bus, folder, store, definitions.now)
    writer = Writer(store, intake, RejectedFile(folder), definitions, Deletions(bus, folder), late)
    maintenance = Maintenance(store, KEEP_DAYS)
    live = Live(intake)
    threads = [
        threading.Thread(target=writer.run, args=[stop, live.publish]),
        threading.Thread(target=maintenance.run, args=[stop]),
    ]
    for thread in threads:
        thread.start()
    begun_s = time.monotonic()
    cleared_s = None
    while time.monotonic() - begun_s < seconds and cleared_s is None:
        time.sleep(0.1)
        live.send(LIVE_PER_S // 10)
        if maintenance.deleted_rows >= cycles:
            cleared_s = time.monotonic() - begun_s
    stop.set()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - begun_s
    store.close()
    delays_s = sorted(live.delays_s)
    rows = [
        ("live records stored and marked", f"{len(delays_s):,}"),
        ("mark after sending, median", f"{delays_s[len(delays_s) // 2]:.2f} s"),
        ("mark after sending, 99 %", f"{delays_s[len(delays_s) * 99 // 100]:.2f} s"),
        ("mark after sending, latest", f"{delays_s[-1]:.2f} s"),
        ("longest time without a mark", f"{live.longest_pause_s:.2f} s"),
        ("old cycles deleted", f"{maintenance.deleted_rows:,} of {cycles:,}"),
        ("deleted a second", f"{maintenance.deleted_rows / took_s:,.0f}"),
        ("time spent on it", f"{maintenance.worked_s:.1f} s of {took_s:.0f} s (budget {BUDGET_S:.0%})"),
        ("given back to the disk", f"{maintenance.freed_bytes / 1e6:.0f} MB"),
    ]
    for name, value in rows:
        print(f"  {name:32} {value}")
    print("  marks never more than 2 s late:", "yes" if delays_s[-1] <= 2 else "NO")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1_500_000, help="old cycles to delete")
    parser.add_argument("--seconds", type=float, default=300, help="stop after so long, whatever is left")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), arguments.cycles, arguments.seconds)


if __name__ == "__main__":
    main()
