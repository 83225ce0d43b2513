"""How every path is at a moment: distance, the load of the day, and what the script or the past has broken. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from noc_demo.network import BY_ID, RATE_LIMITED, ROUTERS, Host, distance_ms, path_addresses

_DAY_S: Final = 86_400
# People work from six to eight, Central European Time; on Saturdays and Sundays few do.
_ZONE_S: Final = 3_600
_WORK_BEGINS_H: Final = 6.0
_WORK_LASTS_H: Final = 14.0
_WEEKEND_LOAD: Final = 0.25
_DETOUR_MS: Final = 9.0


@dataclass(frozen=True)
class Effect:
    """What is done to the paths between some sites and some targets; empty: all of them."""

    targets: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    silent: bool = False
    more_ms: float = 0.0
    more_jitter_ms: float = 0.0
    more_loss_pct: float = 0.0
    flap_s: tuple[float, float] | None = None
    """Silent for the first, then well for the second, and so on."""
    detour: bool = False

    @property
    def harms(self) -> bool:
        """Whether a state may change by it."""
        return self.silent or self.flap_s is not None or self.more_ms > 0 or self.more_loss_pct > 0

    def concerns(self, site: str, target: str) -> bool:
        return (not self.sites or site in self.sites) and (not self.targets or target in self.targets)

    def is_silent(self, age_s: float) -> bool:
        """Whether nothing comes back, so long after it began."""
        if self.flap_s is None:
            return self.silent
        down_s, up_s = self.flap_s
        return age_s % (down_s + up_s) < down_s


@dataclass(frozen=True)
class Trouble:
    """Effects for a while. `cut_site`: that site has no network at all."""

    name: str
    begins_s: float
    ends_s: float
    effects: tuple[Effect, ...] = ()
    cut_site: str | None = None

    def is_on(self, at_s: float) -> bool:
        return self.begins_s <= at_s < self.ends_s


@dataclass(frozen=True)
class Condition:
    """One path now: what a `Behaviour` of the simulated internet is made of."""

    delay_ms: float
    jitter_ms: float
    tail_ms: float
    loss_pct: float
    silent: bool
    detour: bool

    def behaviour(self, site: str, host: Host) -> dict[str, Any]:
        limit = {"limit_per_s": 1.0} if host.id == RATE_LIMITED else {}
        return {
            "silent": self.silent,
            "delay_ms": round(self.delay_ms, 3),
            "jitter_ms": round(self.jitter_ms, 3),
            "tail_ms": round(self.tail_ms, 3),
            "loss_pct": round(self.loss_pct, 3),
            "path": path_addresses(site, host, detour=self.detour),
            "limited": [ROUTERS[RATE_LIMITED].address, ROUTERS[RATE_LIMITED].address6],
            **limit,
        }


def load(at_s: float) -> float:
    """How busy the lines are, from 0 at night to 1 early in the afternoon."""
    local_s = at_s + _ZONE_S
    hour = local_s % _DAY_S / 3600
    if not _WORK_BEGINS_H <= hour <= _WORK_BEGINS_H + _WORK_LASTS_H:
        return 0.0
    # 1970 began with a Thursday.
    is_weekend = (local_s // _DAY_S + 3) % 7 >= 5
    return math.sin((hour - _WORK_BEGINS_H) / _WORK_LASTS_H * math.pi) * (_WEEKEND_LOAD if is_weekend else 1.0)


def condition(site: str, target: str, at_s: float, troubles: Iterable[Trouble] = ()) -> Condition:
    """How the path between a site and a target is at `at_s` seconds since 1970."""
    host = BY_ID[target]
    busy = load(at_s)
    base_ms = distance_ms(site, host.place)
    delay_ms = base_ms * (1 + 0.12 * busy)
    jitter_ms = host.jitter_ms
    tail_ms = host.tail_ms * (0.4 + 2.2 * busy)
    loss_pct = host.loss_pct * (0.6 + busy)
    silent = detour = False
    for trouble in troubles:
        if not trouble.is_on(at_s):
            continue
        silent |= trouble.cut_site == site
        for effect in trouble.effects:
            if effect.concerns(site, target):
                silent |= effect.is_silent(at_s - trouble.begins_s)
                detour |= effect.detour
                delay_ms += effect.more_ms
                jitter_ms += effect.more_jitter_ms
                loss_pct += effect.more_loss_pct
    if detour and path_addresses(site, host) != path_addresses(site, host, detour=True):
        delay_ms += _DETOUR_MS
    return Condition(delay_ms, jitter_ms, tail_ms, min(loss_pct, 100.0), silent, detour)
