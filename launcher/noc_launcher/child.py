"""A process of `noc up`: `python -m noc_launcher.child SUPERVISOR SERVICE`, or `… SUPERVISOR program COMMAND…`.

It asks the kernel to be killed with its supervisor, then becomes what it was started for. It asks
itself, after the fork and the exec, because a supervisor that did it in between would do so with
whatever locks its threads held. Linux forgets the request where an executable with capabilities is
started (a Python that may ping), so a service is run in this very process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from noc_launcher import services

_PR_SET_PDEATHSIG: Final = 1


def main(argv: Sequence[str]) -> int:
    supervisor, what, *command = argv
    die_with(int(supervisor))
    if what == "program":
        os.execv(command[0], command)  # noqa: S606  # a broker, as our supervisor says
    return services.run(what, command)


def die_with(supervisor: int) -> None:
    """Have this process end as soon as its parent, `supervisor`, is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have gone before we asked.
    if os.getppid() != supervisor:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
