"""What the watches of one prober share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from noc_prober.anchors import Anchors
from noc_prober.clock import Clock
from noc_prober.link import Link
from noc_prober.load import OVERLOADED, Load
from noc_prober.ping import Pinger
from noc_prober.resolver import Resolver
from noc_prober.schedule import Slots
from noc_prober.writer import Writer
from noc_rules.site_state import Reason


@dataclass(frozen=True)
class Instruments:
    """`look` compares the clocks; True where time was lost and every watch has been given a new schedule.

    `doubt` has these targets looked at at once: what lies behind them does not answer.
    """

    site: str
    clock: Clock
    look: Callable[[], bool]
    doubt: Callable[[Iterable[str]], None]
    pinger: Pinger
    resolver: Resolver
    anchors: Anchors
    link: Link
    writer: Writer
    load: Load
    slots: Slots = field(default_factory=Slots)
    down: set[str] = field(default_factory=set)

    @property
    def blindness(self) -> Reason | None:
        """Why this site sees nothing at all now; None: it sees."""
        return self.anchors.isolation or (OVERLOADED if self.load.is_overloaded else None)
