"""Where tests keep their folders: in memory where there is room, for what they wait for on a disk is no part of what they test."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")
_LEAST_FREE_BYTES: Final = 2_000_000_000
"""All folders of a run that are there at once take a quarter of it."""
_LEAST_AVAILABLE_BYTES: Final = 4_000_000_000
"""Of the machine's memory, in which the tests and what they start have to fit as well."""


def in_memory(
    folder: Path = MEMORY, meminfo: Path = Path("/proc/meminfo"), least_free_bytes: int = _LEAST_FREE_BYTES
) -> Path | None:
    """A folder in memory with room for a run; None where there is none, and a disk has to do."""
    try:
        found, memory = os.statvfs(folder), meminfo.read_text(encoding="ascii")
    except OSError:
        return None
    available = re.search(r"^MemAvailable:\s+(\d+) kB$", memory, re.MULTILINE)
    is_roomy = (
        found.f_bavail * found.f_frsize >= least_free_bytes
        and available is not None
        and int(available[1]) * 1024 >= _LEAST_AVAILABLE_BYTES
    )
    # Tests start programs that they have put there.
    may_start = not found.f_flag & os.ST_NOEXEC
    return folder if is_roomy and may_start and os.access(folder, os.W_OK) else None
