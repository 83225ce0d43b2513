"""How every service process begins and ends: arguments, settings, log, signals, exit code.

Exit codes: 0 stopped on request, 2 a setting is wrong, 70 a vital thread died, 1 anything else.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

from noc_frame import log
from noc_frame.exit_codes import EXIT_RESTART, EXIT_SETTINGS
from noc_frame.heap import share_heap
from noc_frame.settings import ALL_NAMES, Setting, SettingError, set_over, table, unknown_names


class RestartNeeded(Exception):
    """Something that cannot heal inside this process: it ends, so that its supervisor starts it again."""


class Config(Protocol):
    """What every service's frozen configuration has."""

    @property
    def log(self) -> str: ...


C = TypeVar("C", bound=Config)


def main(
    name: str,
    about: str,
    settings: Sequence[Setting[Any]],
    read: Callable[[Mapping[str, str]], C],
    run: Callable[[C, threading.Event], None],
    health: Callable[[C], int],
    argv: Sequence[str] | None = None,
    *,
    options: Mapping[str, Setting[Any]] | None = None,
) -> int:
    """Run one service until SIGTERM or SIGINT. `run` returns soon after its event is set; `health` gives an exit code.

    `options`: settings that may be given as arguments too, which win over the environment.
    """
    parser = argparse.ArgumentParser(
        prog=f"noc-{name}",
        description=about,
        epilog=table(settings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"noc-{name} {version(f'noc-{name}')}")
    parser.add_argument(
        "--health", action="store_true", help="ask the broker whether this service is online; exit code 0 if it is"
    )
    for flag, setting in (options or {}).items():
        parser.add_argument(flag, dest=setting.name, metavar="VALUE", help=f"{setting.meaning} ({setting.name})")
    arguments = parser.parse_args(argv)
    given = {one.name: getattr(arguments, one.name) for one in (options or {}).values()}
    try:
        config = read(set_over(os.environ, given))
        if arguments.health:
            return health(config)
    except SettingError as error:
        print(f"noc-{name}: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    share_heap()
    log.configure(config.log)
    logger = log.get(f"noc.{name}")
    for sentence in unknown_names(os.environ, ALL_NAMES):
        logger.warning(sentence)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(config, stop)
    except SettingError as error:
        logger.error(str(error))
        return EXIT_SETTINGS
    except RestartNeeded as error:
        logger.error(f"{error}; this process ends so that it is started again")
        return EXIT_RESTART
    return 0
