"""Where the paths to targets broke off, for mails: a line for each site that has followed one since."""

from __future__ import annotations

from noc_bus.bus import Bus
from noc_bus.channels import TRACES
from noc_bus.messages import Incident, Trace
from noc_bus.time import Time
from noc_rules.routes import broken_off

_MAX_LINES = 5


class Paths:
    """Wires itself to the bus when it is made. Whole paths are not kept: there is one of every site to every target."""

    def __init__(self, bus: Bus) -> None:
        self._broken: dict[str, dict[str, tuple[Time, str]]] = {}
        bus.subscribe(TRACES, self._on_trace)

    def of(self, incident: Incident) -> list[str]:
        """Of the target it is named after, since it opened."""
        known = self._broken.get(incident.targets[0], {}) if incident.targets else {}
        return [line for _, (at, line) in sorted(known.items()) if at >= incident.opened_at][:_MAX_LINES]

    def _on_trace(self, trace: Trace | None, variables: dict[str, str]) -> None:
        target, site = variables["target"], variables["site"]
        # Replaced and not changed: it is read on another thread.
        others = {name: line for name, line in self._broken.get(target, {}).items() if name != site}
        if trace is not None and not trace.reached:
            others[site] = trace.at, broken_off(trace)[:500]
        if others:
            self._broken[target] = others
        else:
            self._broken.pop(target, None)
