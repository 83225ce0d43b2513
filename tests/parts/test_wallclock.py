"""The tests' own wall clock is wrong as told, and monotonic time is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.parts.wallclock import WallClock

_WATCH = """
import sys, time
for line in sys.stdin:
    print(time.time(), time.time_ns() / 1e9, time.monotonic(), flush=True)
"""


def test_only_the_wall_clock_of_the_processes_started_with_it_moves(tmp_path: Path) -> None:
    with WallClock(tmp_path) as clock:
        watcher = subprocess.Popen(
            [sys.executable, "-c", _WATCH],
            env={**os.environ, **clock.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdin
        assert watcher.stdout
        for offset_s in (0, 3600, -60, 4 * 365 * 86400, 0):
            clock.set(offset_s)
            watcher.stdin.write("\n")
            watcher.stdin.flush()
            wall_s, wall_ns_s, monotonic_s = map(float, watcher.stdout.readline().split())
            assert abs(wall_s - time.time() - offset_s) < 5
            assert abs(wall_ns_s - wall_s) < 5
            assert abs(monotonic_s - time.monotonic()) < 5
        watcher.communicate()
