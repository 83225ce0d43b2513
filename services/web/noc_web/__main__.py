"""Start the web service, or ask it how it is: `noc-web`, or `python -m noc_web`.

What serves is loaded only where it serves: without it a wrong setting is told in a third of the time, and whether the
service is well, which is asked every half minute, in less than half.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from noc_frame import process
from noc_web.config import SETTINGS, Config

if TYPE_CHECKING:
    from noc_web.extension import Extension


def main(argv: Sequence[str] | None = None, extensions: Sequence[Extension] = ()) -> int:
    def run(config: Config, stop: threading.Event) -> None:
        from noc_web import service

        service.run(config, stop, extensions)

    about = "Shows the network live, and keeps its targets."
    return process.main("web", about, SETTINGS, Config.read, run, health, argv)


def health(config: Config) -> int:
    """A browser is answered, and the bus, too."""
    from noc_bus.presence import service_health
    from noc_web.doctor import why_deaf

    why = why_deaf(config)
    if why is None:
        return service_health("web", config.broker)
    print(f"noc-web: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
