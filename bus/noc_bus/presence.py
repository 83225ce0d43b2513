"""Whether a service is there: its retained sign of life, its last will, and the question whether it lives."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from noc_bus.broker import Broker
from noc_bus.channels import PROBERS, SERVICES
from noc_bus.messages import ProberPresence, ServicePresence
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log

PRESENCE_EVERY_S: Final = 10
SILENT_AFTER_S: Final = 35.0
"""Who says nothing for so long is not there, whatever is retained: a broker that died too told no last will."""
_HEALTH_WAIT_S: Final = 4.0


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


def service_health(service: str, broker: Broker) -> int:
    """0 where the broker's retained presence of a central service is online and fresh, 1 with a sentence otherwise."""
    return _health(service, broker, (SERVICES, {"service": service}))


def prober_health(site: str, broker: Broker) -> int:
    """The same of the prober of a site."""
    return _health("prober", broker, (PROBERS, {"site": site}))


def _health(name: str, broker: Broker, topic: tuple[Any, dict[str, str]]) -> int:
    """Raises SettingError where the broker's certificate authority cannot be read."""
    heard: list[ServicePresence | ProberPresence] = []
    done = threading.Event()

    def hear(message: ServicePresence | ProberPresence | None, variables: dict[str, str]) -> None:
        if message:
            heard.append(message)
            done.set()

    session = Session(broker, f"noc-{name}-health-{os.getpid()}")
    channel, variables = topic
    session.subscribe(channel, hear, **variables)
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
        print(f"noc-{name}: its last presence on the broker is offline or more than a minute old", file=sys.stderr)
        return 1
    return 0
