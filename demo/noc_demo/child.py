"""A process of the demonstration: `python -m noc_demo.child SUPERVISOR web DOOR`, `… prober USER NETWORK` or `… frozen-web MOMENT`.

The real service, with what a demonstration adds: to the web service a few pages, to a prober a network of its own.
For pictures a web service's wall clock stands still, at a moment in milliseconds since 1970.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from noc_launcher.child import die_with
from noc_netlab import inside


def main(argv: Sequence[str]) -> int:
    supervisor, what, *words = argv
    if what == "web":
        die_with(int(supervisor))
        from noc_demo.web import extension
        from noc_web.__main__ import main as web

        return web([], [extension(Path(words[0]))])
    if what == "frozen-web":
        die_with(int(supervisor))
        _freeze(int(words[0]))
        from noc_web.__main__ import main as web

        return web([])
    # Before it asks the kernel to die with its supervisor: who changes what it may is forgotten there.
    inside.enter(*words)
    die_with(int(supervisor))
    from noc_prober.__main__ import main as prober

    return prober([])


def _freeze(moment_ms: int) -> None:
    """Before anything of the service is loaded, which may keep a clock for itself."""
    time.time = lambda: moment_ms / 1000
    time.time_ns = lambda: moment_ms * 1_000_000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
