"""How every service process begins and ends: arguments, settings, log, signals, exit code.

Exit codes: 0 stopped on request, 2 a setting is wrong, 70 the MQTT session died, 1 anything else.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, Protocol, TypeVar

from noc_bus import log
from noc_bus.broker import Broker
from noc_bus.channels import PROBERS, SERVICES
from noc_bus.messages import ProberPresence, ServicePresence
from noc_bus.session import Session, SessionDied
from noc_bus.settings import ALL_NAMES, Setting, SettingError, table, unknown_names
from noc_bus.time import Time

EXIT_SETTINGS: Final = 2
EXIT_SESSION_DIED: Final = 70
PRESENCE_EVERY_S: Final = 10
SILENT_AFTER_S: Final = 35.0
"""Who says nothing for so long is not there, whatever is retained: a broker that died too told no last will."""
_HEALTH_WAIT_S: Final = 4.0


class Config(Protocol):
    """What every service's frozen configuration has."""

    @property
    def broker(self) -> Broker: ...
    @property
    def log(self) -> str: ...


C = TypeVar("C", bound=Config)


def main(
    name: str,
    about: str,
    settings: Sequence[Setting[Any]],
    read: Callable[[Mapping[str, str]], C],
    run: Callable[[C, threading.Event], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Run one service until SIGTERM or SIGINT. `run` returns soon after its event is set."""
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
    arguments = parser.parse_args(argv)
    try:
        config = read(os.environ)
    except SettingError as error:
        print(f"noc-{name}: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    if arguments.health:
        return _health(name, config)
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
    except SessionDied as error:
        logger.error(f"{error}; this process ends so that it is started anew")
        return EXIT_SESSION_DIED
    return 0


def offline(service: str) -> tuple[Any, ServicePresence]:
    """The last will of a central service."""
    return SERVICES, ServicePresence(service=service, online=False)


def presence(service: str, since: Time, figures: Mapping[str, float], trouble: str | None = None) -> ServicePresence:
    """A central service's retained sign of life, to be published every PRESENCE_EVERY_S and on connect."""
    return ServicePresence(
        service=service,
        online=True,
        version=version(f"noc-{service}"),
        since=since,
        at=Time.now(),
        figures=dict(figures),
        trouble=trouble,
    )


def _health(name: str, config: Config) -> int:
    """0 where the broker's retained presence says online and is fresh, 1 with a sentence otherwise."""
    heard: list[ServicePresence | ProberPresence] = []
    done = threading.Event()

    def hear(message: ServicePresence | ProberPresence | None, variables: dict[str, str]) -> None:
        if message:
            heard.append(message)
            done.set()

    try:
        session = Session(config.broker, f"noc-{name}-health-{os.getpid()}")
    except SettingError as error:
        print(f"noc-{name}: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    if name == "prober":
        session.subscribe(PROBERS, hear, site=config.site)  # type: ignore[attr-defined]  # the prober's has one
    else:
        session.subscribe(SERVICES, hear, service=name)
    log.configure("error")
    session.start()
    done.wait(_HEALTH_WAIT_S)
    session.stop()
    if not heard:
        print(f"noc-{name}: {session.trouble or 'no presence is on the broker'}", file=sys.stderr)
        return 1
    last = heard[-1]
    sent = last.clock if isinstance(last, ProberPresence) else last.at
    if not last.online or sent is None or Time.now() - sent > 6 * PRESENCE_EVERY_S * 1000:
        print(f"noc-{name}: the broker last heard of it as offline or more than a minute ago", file=sys.stderr)
        return 1
    return 0
