"""What the prober says about itself every ten seconds, and what the broker says when it is gone."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from noc_bus.channels import PROBERS
from noc_bus.messages import ProberPresence
from noc_bus.time import Time
from noc_prober.station import Station

# A journal that cannot be written for so long makes the site unfit to vote: nothing it sees gets out.
_UNFIT_AFTER_S: Final = 15.0


def last_will(site: str, instance: str) -> tuple[Any, ProberPresence]:
    return PROBERS, ProberPresence(site=site, online=False, instance=instance)


class Presence:
    """Draws the figures together; rates and worst values are since the last full report."""

    def __init__(self, station: Station, since: Time, now_s: float) -> None:
        self._station = station
        self._since = since
        self._version = version("noc-prober")
        self._counted_s = now_s
        self._sent_before = 0
        self._echoes_per_s = 0.0
        self._lateness_ms = 0.0

    def count(self, now_s: float) -> None:
        """Close one period of counting and begin the next."""
        pinger = self._station.pinger
        sent = pinger.sent
        self._echoes_per_s = round((sent - self._sent_before) / max(now_s - self._counted_s, 0.001), 2)
        self._lateness_ms = round(pinger.worst_lateness_s * 1000, 3)
        self._sent_before, self._counted_s, pinger.worst_lateness_s = sent, now_s, 0.0

    def message(self, targets: int) -> ProberPresence:
        station = self._station
        return ProberPresence(
            site=station.site,
            online=station.writer.failing_s < _UNFIT_AFTER_S,
            version=self._version,
            since=self._since,
            epoch=station.writer.epoch,
            next_seq=station.writer.next_seq,
            targets=targets,
            echoes_per_s=self._echoes_per_s,
            lateness_ms=self._lateness_ms,
            drops=station.pinger.drops(),
            isolated=station.anchors.is_isolated,
            journal_depth=station.writer.depth,
            clock=Time.now(),
        )

    def goodbye(self) -> ProberPresence:
        return ProberPresence(site=self._station.site, online=False, version=self._version, clock=Time.now())
