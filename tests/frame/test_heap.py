"""How many heaps a process with threads has, as the kernel shows them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_COUNTS = """
import sys, threading, time
from noc_frame.heap import share_heap
if sys.argv[1] == "shared":
    share_heap()
kept, over = [], threading.Event()
def allocate():
    kept.append([bytes(3000) for _ in range(100)])
    over.wait()
threads = [threading.Thread(target=allocate) for _ in range(6)]
for thread in threads:
    thread.start()
while len(kept) < 6:
    time.sleep(0.01)
# Each but the first is what is in use at the beginning of 64 MB, and the rest of them, out of bounds.
found, before = 0, None
for line in open("/proc/self/maps"):
    low, high = (int(one, 16) for one in line.split()[0].split("-"))
    if before and "---p" in line and before[1] == low and high - before[0] == 64 << 20:
        found += 1
    before = (low, high)
over.set()
print(found)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_threads_share_one_heap() -> None:
    clean = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}

    def heaps(how: str, **more: str) -> int:
        command = [sys.executable, "-P", "-c", _COUNTS, how]
        return int(subprocess.run(command, env=clean | more, capture_output=True, text=True, check=True).stdout)

    assert heaps("own") > 0, "else this would show nothing"
    assert heaps("shared") == 0
    assert heaps("shared", MALLOC_ARENA_MAX="4") > 0, "who has set it is left alone"
