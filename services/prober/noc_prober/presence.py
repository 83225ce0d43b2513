"""What the prober says about itself every ten seconds, and what the broker says when it is gone."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from noc_bus.channels import PROBERS
from noc_bus.messages import ProberPresence
from noc_bus.time import Time
from noc_prober.instruments import Instruments

# A journal that cannot be written for so long makes the site unfit to vote: nothing it sees gets out.
_UNFIT_AFTER_S: Final = 15.0


def last_will(site: str, instance: str) -> tuple[Any, ProberPresence]:
    return PROBERS, ProberPresence(site=site, online=False, instance=instance)


class Figures:
    """Draws the figures of the presence together; rates and worst values are since the last count."""

    def __init__(self, instruments: Instruments, since: Time, now_s: float) -> None:
        self._with = instruments
        self._since = since
        self._version = version("noc-prober")
        self._counted_s = now_s
        self._sent_before = 0
        self._echoes_per_s = 0.0
        self._lateness_ms = 0.0
        self.targets = 0
        """On the schedule, paused ones not counted."""

    def count(self, now_s: float) -> None:
        """Close one period of counting and open the next."""
        pinger = self._with.pinger
        sent = pinger.sent
        self._echoes_per_s = round((sent - self._sent_before) / max(now_s - self._counted_s, 0.001), 2)
        self._lateness_ms = round(pinger.worst_lateness_s * 1000, 3)
        self._sent_before, self._counted_s, pinger.worst_lateness_s = sent, now_s, 0.0

    def presence(self) -> ProberPresence:
        """May be called from any thread."""
        pinger, writer, load = self._with.pinger, self._with.writer, self._with.load
        return ProberPresence(
            site=self._with.site,
            online=writer.failing_s < _UNFIT_AFTER_S,
            version=self._version,
            since=self._since,
            epoch=writer.epoch,
            next_seq=writer.next_seq,
            targets=self.targets,
            echoes_per_s=self._echoes_per_s,
            lateness_ms=self._lateness_ms,
            drops=pinger.drops(),
            isolated=self._with.anchors.is_isolated,
            overloaded=load.is_overloaded,
            coverage_pct=load.coverage_pct,
            journal_depth=writer.depth,
            lost_records=writer.dropped + writer.refused,
            clock=Time.now(),
        )

    def goodbye(self) -> ProberPresence:
        return ProberPresence(site=self._with.site, online=False, version=self._version, clock=Time.now())
