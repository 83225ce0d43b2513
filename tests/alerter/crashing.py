"""An alerter that dies at one durable step after the other, and is started again each time.

`python -m tests.alerter.crashing FILE` runs it as its environment says and lets it die at each step that FILE names, one
a line: see `noc_frame.crash`. Where a step is not reached within some seconds it is killed. How many deaths there were
so far is in FILE.deaths; once all are over it runs on, and ends as an alerter does. It forks what has read all its
modules once: a start costs a fraction of a new Python's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from noc_alerter.__main__ import main as alerter

_REACHED_WITHIN_S: Final = 6.0
_PR_SET_PDEATHSIG: Final = 1


def run(steps: list[str], deaths: Path) -> int:
    """The exit code of the last one."""
    for number, step in enumerate([*steps, ""]):
        deaths.write_text(str(number))
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # Where what forked it is killed itself, nobody else would end it.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if step:
                os.environ["NOC_CRASH_AT"] = step
            os._exit(alerter([]))
        status = _ended(child, within_s=_REACHED_WITHIN_S if step else None)
        if not step:
            return os.waitstatus_to_exitcode(status)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            print(f"at {step} it ended by itself", file=sys.stderr)
            return 1
    return 0


def _ended(child: int, within_s: float | None) -> int:
    def stop(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    until_s = time.monotonic() + within_s if within_s else float("inf")
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        if time.monotonic() > until_s:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


if __name__ == "__main__":
    list_of_steps = Path(sys.argv[1])
    sys.exit(run(list_of_steps.read_text().splitlines(), list_of_steps.with_suffix(".deaths")))
