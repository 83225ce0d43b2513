"""What happens in the demonstration, and when: ten minutes of trouble that begin again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from noc_demo.network import HOSTS
from noc_demo.weather import Effect, Trouble

PERIOD_S: Final = 600.0


def _behind(place: str) -> tuple[str, ...]:
    return tuple(host.id for host in HOSTS if host.place == place)


@dataclass(frozen=True)
class Event:
    """`headline` completes "… in 40 s". `sees`: the state that some target of `targets` is to show, and `mails` whether people are told."""

    id: str
    headline: str
    at_s: float
    lasts_s: float
    effects: tuple[Effect, ...]
    targets: tuple[str, ...]
    sees: str
    opens_incident: bool
    cut_site: str | None = None

    def trouble(self, begins_s: float) -> Trouble:
        return Trouble(self.id, begins_s, begins_s + self.lasts_s, self.effects, self.cut_site)


EVENTS: Final = (
    Event(
        "intranet-fails", "the intranet server fails", 20, 40,
        (Effect(("intranet",), silent=True),), ("intranet",), "DOWN", True,
    ),
    Event(
        "stuttgart-fails", "the Stuttgart router fails, with all behind it", 90, 70,
        (Effect(_behind("stuttgart"), silent=True),), _behind("stuttgart"), "DOWN", True,
    ),
    Event(
        "vienna-loses-bank", "Vienna alone loses the bank gateway", 180, 55,
        (Effect(("bank",), ("vienna",), silent=True),), ("bank",), "PARTIAL", False,
    ),
    Event(
        "dublin-slow", "the line to Dublin becomes slow", 250, 75,
        (Effect(_behind("dublin"), more_ms=95, more_jitter_ms=40, more_loss_pct=2),), _behind("dublin"), "DEGRADED", False,
    ),
    Event(
        "shop-flaps", "the web shop begins to flap", 345, 66,
        (Effect(("shop",), flap_s=(14, 12)),), ("shop",), "DOWN", True,
    ),
    Event(
        "vienna-cut", "Vienna is cut off from everything", 425, 105,
        (), (), "UNKNOWN", True, cut_site="vienna",
    ),
    Event(
        "route-changes", "the way to Vienna changes", 545, 45,
        (Effect(detour=True),), _behind("vienna"), "UP", False,
    ),
)  # fmt: skip
BY_ID: Final = {event.id: event for event in EVENTS}


@dataclass(frozen=True)
class Next:
    """What comes next, and in how many seconds."""

    event: Event
    in_s: float


class Script:
    """The course of the demonstration: what runs, what comes, and what a person has called early."""

    def __init__(self, started_s: float) -> None:
        """Times are seconds since 1970."""
        self._started_s = started_s
        self._done_until_s = started_s
        self._called: dict[str, float] = {}
        self._running: dict[str, Trouble] = {}

    def call(self, event: str, now_s: float) -> bool:
        """Have an event happen now; False where it is happening already."""
        if event in self._running:
            return False
        self._called[event] = now_s
        return True

    def running(self) -> list[Trouble]:
        return list(self._running.values())

    def tick(self, now_s: float) -> tuple[list[Trouble], list[Trouble]]:
        """What began and what ended since the last call."""
        began = [BY_ID[name].trouble(at_s) for name, at_s in self._called.items()]
        self._called.clear()
        began += [
            event.trouble(at_s)
            for event in EVENTS
            if self._done_until_s < (at_s := self._occurrence(event, self._done_until_s)) <= now_s
        ]
        self._done_until_s = now_s
        fresh = {one.name: one for one in reversed(began) if one.name not in self._running}
        self._running |= fresh
        ended = [one for one in self._running.values() if one.ends_s <= now_s]
        for one in ended:
            del self._running[one.name]
        return list(fresh.values()), ended

    def next(self, now_s: float) -> Next:
        coming = [Next(event, self._occurrence(event, now_s) - now_s) for event in EVENTS]
        return min(coming, key=lambda one: one.in_s)

    def in_s(self, event: Event, now_s: float) -> float:
        """Seconds until it happens by itself."""
        return self._occurrence(event, now_s) - now_s

    def _occurrence(self, event: Event, after_s: float) -> float:
        """The first time it is due later than `after_s`."""
        rounds = (after_s - self._started_s - event.at_s) // PERIOD_S + 1
        return self._started_s + event.at_s + max(0.0, rounds) * PERIOD_S
