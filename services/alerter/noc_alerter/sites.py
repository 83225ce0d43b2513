"""Which sites can see, as told by the presences of their probers, and for how long one has not."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from noc_bus.bus import Bus
from noc_bus.channels import PROBERS
from noc_bus.messages import ProberPresence, Site, SiteState
from noc_bus.mirror import Mirror
from noc_bus.presence import SILENT_AFTER_S
from noc_bus.time import Time
from noc_rules.correlate import SiteFacts, why_blind
from noc_rules.incident import CauseCode
from noc_rules.verdict import Standing, caught_up, heard

# Who was not looked at for so long was not silent: we were not there.
_PAUSE_S: Final = 5.0


@dataclass
class _Blind:
    """Since when a site casts no vote. Time in which we lack some of what it says is none in which it did not say it."""

    since: Time
    at_s: float
    is_behind: bool = False
    behind_s: float = 0.0
    away_s: float = 0.0

    def pass_time(self, now_s: float, *, is_behind: bool) -> None:
        """`is_behind`: it is there now, and what we have of it is not what it says."""
        if self.is_behind:
            self.behind_s += now_s - self.at_s
        else:
            self.away_s += now_s - self.at_s
        self.at_s, self.is_behind = now_s, is_behind

    @property
    def for_s(self) -> float:
        return self.behind_s if self.is_behind else self.away_s


class Sites:
    """Every presence counts, in order: who was away for a moment has to catch up. `tick` a few times a second."""

    def __init__(
        self,
        bus: Bus,
        catalogue: Mirror[str, Site],
        states: Mirror[tuple[str, str], SiteState],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.standings: dict[str, Standing] = {}
        self._bus = bus
        self._catalogue = catalogue
        self._states = states
        self._clock = clock
        self._inbox: deque[tuple[str, ProberPresence | None] | None] = deque()
        self._heard_s: dict[str, float] = {}
        self._blind: dict[str, _Blind] = {}
        self._to_confirm: set[str] = set()
        self._ticked_s = clock()
        bus.subscribe(PROBERS, self._on_presence)
        bus.when_connected(self._on_connected)
        bus.when_disconnected(self._on_disconnected)

    @property
    def known(self) -> set[str]:
        """Every site that is set up or whose prober was seen."""
        seen = {site for site, standing in self.standings.items() if standing.presence is not None}
        return seen | self._catalogue.items().keys()

    @property
    def are_current(self) -> bool:
        """Whether no site that can see has to catch up, nor has one changed unheard while we were away."""
        return not self._to_confirm and all(
            one.is_current or one.returned_at is not None for one in self.standings.values() if one.can_see
        )

    def tick(self) -> bool:
        """Take in what came. Whether any vote may have changed by it."""
        before = {site: _fitness(standing) for site, standing in self.standings.items()}
        self._take_in()
        if self._bus.connected:
            self._let_silent_go()
        self._let_disabled_go()
        for site, standing in self.standings.items():
            if standing.can_see and self._states.agrees_with(site):
                self.standings[site] = caught_up(standing)
                self._to_confirm.discard(site)
        return before != {site: _fitness(standing) for site, standing in self.standings.items()}

    def facts(self, site: str, now: Time) -> SiteFacts:
        """To be asked once a second of every site that is known or has an open incident."""
        configured = self._catalogue.get(site)
        standing = self.standings.get(site, Standing())
        is_seen = standing.presence is not None
        is_open_question = not self._catalogue.is_complete
        code = why_blind(standing)
        if code is None:
            self._blind.pop(site, None)
        else:
            now_s = self._clock()
            self._blind.setdefault(site, _Blind(now, now_s)).pass_time(now_s, is_behind=code is CauseCode.CATCHING_UP)
        blind = self._blind.get(site)
        return SiteFacts(
            site=site,
            standing=standing,
            is_known=configured is not None or is_seen or is_open_question,
            is_expected=_is_expected(configured) if configured else is_seen or is_open_question,
            blind_since=blind.since if blind else None,
            blind_for_s=blind.for_s if blind else 0.0,
        )

    def forget_removed(self) -> None:
        """A site that is set up again gets its time to appear."""
        for site in self._blind.keys() - self.known:
            del self._blind[site]

    def _take_in(self) -> None:
        now_s = self._clock()
        while self._inbox:
            item = self._inbox.popleft()
            if item is None:
                self._to_confirm = {name for name, one in self.standings.items() if one.can_see}
                continue
            site, presence = item
            if presence is not None and presence.silenced:
                continue
            self._heard_s[site] = now_s
            self.standings[site] = heard(self.standings.get(site, Standing()), presence)
            if presence is None or not presence.online:
                self._to_confirm.discard(site)
            if presence is None:
                # Deleted: what it was may come back as a new site.
                del self.standings[site], self._heard_s[site]

    def _let_silent_go(self) -> None:
        """A broker that died with a prober published no last will for it."""
        now_s = self._clock()
        if now_s - self._ticked_s > _PAUSE_S:
            self._give_time_again()
        self._ticked_s = now_s
        for site, standing in self.standings.items():
            presence = standing.presence
            if presence is not None and presence.online and now_s - self._heard_s[site] > SILENT_AFTER_S:
                self.standings[site] = _offline(site, presence)

    def _let_disabled_go(self) -> None:
        """Who was cut off cannot say that it is gone, and a broker may drop its will with its rights."""
        for site, standing in self.standings.items():
            configured, presence = self._catalogue.get(site), standing.presence
            if configured is not None and configured.disabled and presence is not None and presence.online:
                self.standings[site] = _offline(site, presence)

    def _give_time_again(self) -> None:
        """Whoever could not reach the broker either, or was not looked at, gets the time again to come back."""
        now_s = self._clock()
        self._heard_s = dict.fromkeys(self._heard_s, now_s)
        self._blind.clear()

    # -- on the bus's thread: leave it to `tick`

    def _on_presence(self, presence: ProberPresence | None, variables: dict[str, str]) -> None:
        self._inbox.append((variables["site"], presence))

    def _on_connected(self) -> None:
        self._ticked_s = -_PAUSE_S

    def _on_disconnected(self) -> None:
        self._inbox.append(None)


def _is_expected(site: Site) -> bool:
    """Somebody's own decision is no incident."""
    return site.expected and not site.disabled


def _fitness(standing: Standing) -> tuple[object, ...]:
    """What of a standing votes depend on."""
    return why_blind(standing), standing.is_current, standing.returned_at


def _offline(site: str, presence: ProberPresence) -> Standing:
    return Standing(ProberPresence(site=site, online=False, host=presence.host))
