"""A process of the demonstration: `python -m noc_demo.child SUPERVISOR web DOOR`, or `… prober USER NETWORK`.

The real service, with what a demonstration adds: to the web service a few pages, to a prober a network of its own.
"""

from __future__ import annotations

import sys
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
    # Before it asks the kernel to die with its supervisor: who changes what it may is forgotten there.
    inside.enter(*words)
    die_with(int(supervisor))
    from noc_prober.__main__ import main as prober

    return prober([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
