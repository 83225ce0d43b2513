"""When an incident opens and when it is over: decisions about values, carried out elsewhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from noc_bus.messages import Incident, ProberPresence, SiteState, Target, Verdict, VerdictState
from noc_bus.time import Time

# Shorter than this a prober was only restarted.
BLIND_AFTER_MS: Final = 60_000
_SLUG_CHARS: Final = 63

_OPENS: Final = (VerdictState.DOWN,)
# Some site reaches it again. UNKNOWN and UNREACHABLE prove nothing: the incident stays open.
_RESOLVES: Final = (VerdictState.UP, VerdictState.DEGRADED, VerdictState.PARTIAL)


@dataclass(frozen=True)
class Open:
    """Open an incident for this cause."""

    cause: str


@dataclass(frozen=True)
class Resolve:
    """The open incident is over, for this cause."""

    cause: str


def of_target(is_open: bool, verdict: Verdict | None) -> Open | Resolve | None:
    """What a target's new verdict means for its incident. None: it has none any more, for it was removed."""
    if not is_open:
        return Open(verdict.reason) if verdict and verdict.state in _OPENS else None
    if verdict is None:
        return Resolve("the target was removed")
    if verdict.state is VerdictState.PAUSED:
        return Resolve("the target was paused")
    if verdict.state in _RESOLVES:
        return Resolve(f"it is {verdict.state} again: {verdict.reason}"[:500])
    return None


def of_site(
    is_open: bool, is_expected: bool, presence: ProberPresence | None, blind_since: Time | None, now: Time
) -> Open | Resolve | None:
    """What a prober's presence means for the site's incident. `blind_since` None: it can see."""
    if blind_since is None or not is_expected:
        return Resolve("the site sees again" if is_expected else "the site is no longer expected") if is_open else None
    if is_open or now - blind_since < BLIND_AFTER_MS:
        return None
    isolated = presence is not None and presence.online
    why = "its prober is isolated: none of its anchors answers" if isolated else "its prober is offline"
    return Open(f"{why}; what only this site pings is UNKNOWN, not DOWN")


def incident_id(subject: str, at: Time) -> str:
    """Readable, unique, and a slug: the moment and whom it is about."""
    text = re.sub(r"[^a-z0-9-]", "-", f"{at.datetime():%Y%m%d-%H%M%S}-{at % 1000:03d}-{subject}")
    if len(text) <= _SLUG_CHARS:
        return text
    # Long names often differ only at their end.
    return f"{text[: _SLUG_CHARS - 9]}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


def evidence(verdict: Verdict, states: Mapping[str, SiteState]) -> list[str]:
    """What each site saw when it was decided."""
    lines = []
    for site, counted in verdict.sites.items():
        line = f"{site} {counted}"
        if state := states.get(site):
            since = f"since {state.since.datetime():%H:%M:%S}Z"
            line += f": {state.reason}" if since in state.reason else f": {state.reason}, {since}"
        lines.append(line[:500])
    return lines[:100]


def opened(target: Target, verdict: Verdict, cause: str, states: Mapping[str, SiteState], decided_at: Time) -> Incident:
    """Named by when it was decided, not by `opened_at`: the same outage may be seen again after its incident was closed."""
    return Incident(
        id=incident_id(target.id, decided_at),
        kind="target-down",
        targets=[target.id],
        opened_at=verdict.since,
        cause=cause,
        evidence=evidence(verdict, states),
    )


def site_opened(site: str, cause: str, since: Time, decided_at: Time) -> Incident:
    return Incident(
        id=incident_id(f"site-{site}", decided_at),
        kind="site-blind",
        targets=[],
        site=site,
        opened_at=since,
        cause=cause,
    )
