"""The simulated network while the demonstration runs: its hosts behave as script and time of day say, and all of it is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from noc_bus.time import Time
from noc_demo.gates import Gates
from noc_demo.network import HOSTS, SITES, names
from noc_demo.script import BY_ID, EVENTS, Script
from noc_demo.weather import Trouble, condition
from noc_netlab.sites import Sites

_RHYTHM_S: Final = 30.0


class Stage:
    """`tick` is to be called a few times a second, from one thread."""

    def __init__(self, sites: Sites, gates: Gates, record: Path) -> None:
        """`record`: where every event is written down, a line of JSON for its begin and one for its end."""
        self._sites = sites
        self._gates = gates
        self._record = record
        self._script: Script | None = None
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}
        self._rhythm_s = 0.0
        sites.name(names())
        self._behave(Time.now() / 1000)

    def start(self) -> None:
        """Let the script begin."""
        self._script = Script(Time.now() / 1000)

    def call(self, event: str) -> bool:
        """Have an event happen now; False where there is none of this name."""
        if event not in BY_ID or self._script is None:
            return False
        self._script.call(event, Time.now() / 1000)
        self.tick()
        return True

    def tick(self) -> None:
        now = Time.now()
        began, ended = self._script.tick(now / 1000) if self._script else ([], [])
        for one in ended:
            self._note(now, "ended", one)
            if one.cut_site:
                self._sites.cut(one.cut_site, is_cut=False)
                self._gates.mend(one.cut_site)
        for one in began:
            self._note(now, "began", one)
            if one.cut_site:
                self._sites.cut(one.cut_site, is_cut=True)
                self._gates.cut(one.cut_site)
        running = self._script.running() if self._script else []
        flaps = any(effect.flap_s for one in running for effect in one.effects)
        if began or ended or flaps or now / 1000 - self._rhythm_s > _RHYTHM_S:
            self._behave(now / 1000)

    def status(self) -> list[dict[str, Any]]:
        """Every event: in how many seconds it comes by itself, and in how many what happens now is over."""
        if self._script is None:
            return []
        now_s = Time.now() / 1000
        ends_s = {one.name: one.ends_s for one in self._script.running()}
        return [
            {
                "id": event.id,
                "headline": event.headline,
                "in_s": round(self._script.in_s(event, now_s), 1),
                "ends_in_s": round(ends_s[event.id] - now_s, 1) if event.id in ends_s else None,
            }
            for event in EVENTS
        ]

    def _behave(self, now_s: float) -> None:
        """Tell the simulated internet what has changed."""
        self._rhythm_s = now_s
        running = self._script.running() if self._script else []
        for site in SITES:
            for host in HOSTS:
                behaviour = condition(site.id, host.id, now_s, running).behaviour(site.id, host)
                if self._shown.get((site.id, host.id)) != behaviour:
                    self._shown[site.id, host.id] = behaviour
                    self._sites.behave(host.address, site=site.id, **behaviour)

    def _note(self, now: Time, what: str, trouble: Trouble) -> None:
        event = BY_ID[trouble.name]
        line = {"at": str(now), "event": event.id, "what": what, "targets": event.targets, "sees": event.sees}
        with self._record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
