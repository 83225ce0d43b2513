"""The four services by name. Each is imported only where it is run: a prober's process holds no web server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final


def run(name: str, argv: Sequence[str]) -> int:
    """Run one service in this process until it is told to stop; its exit code."""
    return SERVICES[name](argv)


def _prober(argv: Sequence[str]) -> int:
    from noc_prober.__main__ import main

    return main(argv)


def _recorder(argv: Sequence[str]) -> int:
    from noc_recorder.__main__ import main

    return main(argv)


def _alerter(argv: Sequence[str]) -> int:
    from noc_alerter.__main__ import main

    return main(argv)


def _web(argv: Sequence[str]) -> int:
    from noc_web.__main__ import main

    return main(argv)


SERVICES: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "recorder": _recorder,
    "alerter": _alerter,
    "prober": _prober,
    "web": _web,
}
"""In the order in which `noc up` starts them; it stops them in the opposite one."""
