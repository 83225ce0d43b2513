"""What all targets of one prober share."""

from __future__ import annotations

import time
from dataclasses import dataclass

from noc_bus.time import Time
from noc_prober.anchors import Anchors
from noc_prober.ping import Pinger
from noc_prober.resolver import Resolver
from noc_prober.schedule import Slots
from noc_prober.writer import Writer


@dataclass(frozen=True)
class Station:
    site: str
    pinger: Pinger
    resolver: Resolver
    anchors: Anchors
    writer: Writer
    slots: Slots

    def wall(self, moment_s: float) -> Time:
        """What the wall clock says, now, of a moment on the monotonic one."""
        return Time.from_seconds(time.time() - (time.monotonic() - moment_s))
