"""Threads that use a message for the first time at the same moment."""

from __future__ import annotations

import subprocess
import sys

# Each child is a process that has imported the messages and used none of them.
CHILDREN = """
import os, sys, threading
import msgspec
from noc_bus import messages
from noc_bus.codec import decode_other

kinds = [one for one in vars(messages).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]

def use(together):
    together.wait()
    for kind in kinds:
        try:
            msgspec.convert({"state": "UP", "sites": {"a": {}}, "hops": [{}]}, kind, dec_hook=decode_other)
        except msgspec.ValidationError:
            pass

sys.setswitchinterval(1e-6)
for _ in range(60):
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"a child ended with {os.waitstatus_to_exitcode(status)}")
        continue
    together = threading.Barrier(6)
    threads = [threading.Thread(target=use, args=(together,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)
"""


def test_threads_that_use_a_message_first_at_the_same_moment_crash_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CHILDREN], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
