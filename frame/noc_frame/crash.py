"""Fail points: `NOC_CRASH_AT` names a step at which the process dies as by a power cut, to show that nothing is lost.

`NOC_CRASH_AT=settle:before` dies before the transaction `settle` of a database is committed, `settle:after`
after it; `settle:before:3` at the third one.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import Final

_VARIABLE: Final = "NOC_CRASH_AT"
_lock: Final = threading.Lock()
_passed: Final[Counter[str]] = Counter()


def point(step: str) -> None:
    """Dies here where the environment says so."""
    wanted = os.environ.get(_VARIABLE)
    if not wanted:
        return
    name, _, number = wanted.rpartition(":")
    if not number.isdecimal():
        name, number = wanted, "1"
    if name != step:
        return
    with _lock:
        _passed[step] += 1
        if _passed[step] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
