"""Notices when a site uses its key first: from then on the key no longer expires, and people see where it was used."""

from __future__ import annotations

import threading
from collections.abc import Callable

from noc_bus.bus import Bus
from noc_bus.channels import PROBERS
from noc_bus.messages import ProberPresence
from noc_bus.time import Time
from noc_web.broker.accounts import BrokerAccounts


class KeyUse:
    def __init__(self, bus: Bus, accounts: BrokerAccounts, clock: Callable[[], Time] = Time.now) -> None:
        self._accounts = accounts
        self._clock = clock
        self._lock = threading.Lock()
        self._heard: dict[str, tuple[Time, str]] = {}
        bus.subscribe(PROBERS, self._on_presence)

    def tick(self) -> None:
        """Once a second. Raises DatabaseFault."""
        unused = self._accounts.unused_sites()
        with self._lock:
            heard = {site: found for site, found in self._heard.items() if site in unused}
            self._heard.clear()
        for site, (at, host) in heard.items():
            self._accounts.note_use(site, host, at)

    def _on_presence(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        if presence is not None and presence.online and not presence.silenced:
            with self._lock:
                self._heard[presence.site] = (self._clock(), _origin(presence))


def _origin(presence: ProberPresence) -> str:
    if presence.host and presence.address:
        return f"{presence.host} ({presence.address})"
    return presence.host or presence.address
