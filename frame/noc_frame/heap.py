"""One heap for all threads of a process, where the C library is glibc."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Final

_M_ARENA_MAX: Final = -8


def share_heap() -> None:
    """Call it before the first thread is made. Who has set MALLOC_ARENA_MAX knows better.

    glibc gives threads heaps of their own, so that they need not wait for each other; ours do so anyway, for the
    interpreter's lock. What one thread allocates and another frees, as every message from the broker, would leave
    holes in each heap.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    # Another C library has nothing of the kind.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
