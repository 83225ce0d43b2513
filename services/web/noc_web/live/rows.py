"""The rows of the live table and what carries them: the shapes that browsers and API clients get.

The browser's types are rendered from these declarations: `python -m noc_web.live.render`.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from noc_bus.messages import (
    Covered,
    Incident,
    ProbeResult,
    ProberPresence,
    Site,
    SiteState,
    State,
    Target,
    Verdict,
    VerdictState,
)
from noc_bus.time import Time
from noc_rules.maintenance import Running
from noc_rules.share import pct

_RELEASE: Final = re.compile(r"(?P<major>\d{1,9})\.(?P<minor>\d{1,9})(?!\d)", re.ASCII)


class Shown(Struct, kw_only=True, frozen=True):
    """What is sent to pages. Two that are equal look the same."""


class SiteCell(Shown, kw_only=True, frozen=True):
    """How one site sees one target."""

    state: State
    since: Time | None
    reason: str
    code: Annotated[str | None, Meta(description="of `reason`")]
    rtt_ms: Annotated[
        float | None, Meta(description="median of the last valid cycle (DEGRADED: as judged); null: no answer")
    ]
    loss_pct: Annotated[float | None, Meta(description="of the last valid cycle (DEGRADED: as judged)")]
    at: Annotated[Time | None, Meta(description="of the last valid cycle: the age of the figures")]


class TargetRow(Shown, kw_only=True, frozen=True):
    id: str
    name: str
    address: str
    group: str
    tags: list[str]
    critical: bool
    paused: bool
    interval_s: float
    state: VerdictState
    since: Time | None
    reason: str
    code: Annotated[str | None, Meta(description="of `reason`")]
    sites: dict[str, SiteCell]
    rtt_ms: Annotated[
        float | None, Meta(description="of the worst site that sees it, `rtt_site`; null: it answers none")
    ]
    rtt_site: str | None
    rtt_min_ms: Annotated[float | None, Meta(description="of the best site that sees it")]
    rtt_max_ms: Annotated[float | None, Meta(description="of the worst site that sees it")]
    loss_pct: Annotated[float | None, Meta(description="of the worst site that sees it, `loss_site`")]
    loss_site: str | None
    incident: Annotated[str | None, Meta(description="the open incident it is part of")]
    maintenance: Annotated[str | None, Meta(description="the maintenance that it is in; null: none")] = None
    maintenance_until: Annotated[Time | None, Meta(description="its end; null: it is in none, or it has no end")] = None
    measured: Annotated[
        VerdictState | None, Meta(description="what it would be called otherwise; null: it is in none")
    ] = None


class SiteRow(Shown, kw_only=True, frozen=True):
    id: str
    label: str
    location: str
    anchors: list[str]
    expected: bool
    configured: Annotated[bool, Meta(description="false: known only because its prober announced itself")]
    disabled: Annotated[bool, Meta(description="true: its key lets nobody in")]
    online: bool
    isolated: bool
    overloaded: Annotated[bool, Meta(description="true: it loses cycles to its own lateness or drops")]
    coverage_pct: Annotated[
        float | None, Meta(description="share of the last minute's cycles that could be measured; null: none was due")
    ]
    since: Time | None
    seen_at: Annotated[
        Time | None,
        Meta(description="when its prober spoke last, by its own clock; null: it is online, or that is not known"),
    ]
    targets: int
    echoes_per_s: float
    lateness_ms: float
    drops: int
    journal_depth: int
    version: str
    versions_behind: Annotated[
        int | None,
        Meta(
            description="how many releases its prober is behind this server; negative: ahead; one either way works; "
            "null: not known, or the major number differs"
        ),
    ]
    clock_ahead_ms: Annotated[
        float | None, Meta(description="how far its clock is ahead of this server's; negative: behind; null: not known")
    ]
    clock_wrong: Annotated[bool, Meta(description="true: it differs by more than 2 s")]
    hosts: Annotated[
        list[str], Meta(description="machines whose probers speak for this site; more than one is a mistake")
    ]
    address: Annotated[str, Meta(description="of the prober's machine, as that machine has it; empty: not known")]


class RunningMaintenance(Shown, kw_only=True, frozen=True):
    """A maintenance of which a window runs now."""

    id: str
    title: str
    covers: list[Covered]
    since: Time
    until: Annotated[Time | None, Meta(description="null: nobody knows its end")]


class Happened(StrEnum):
    """To an incident; of one moment in this order."""

    OPENED = "opened"
    JOINED = "joined"
    LEFT = "left"
    ENDED = "ended"


class RecentChange(Shown, kw_only=True, frozen=True):
    """An incident opened or ended, or one target of it joined or left it a while after the others."""

    at: Time
    what: Happened
    incident: str
    kind: Annotated[str, Meta(description="of the incident")]
    cause: Annotated[str, Meta(description="of the incident")]
    target: Annotated[str | None, Meta(description="the first of them; null: it is about none")]
    name: Annotated[str | None, Meta(description="of the target, as it was then, or the site; null: the NOC itself")]
    total: Annotated[int, Meta(description="how many targets")]
    state: Annotated[VerdictState | None, Meta(description="of the one that joined or left, in the incident")]
    lasted_s: Annotated[float | None, Meta(description="how long it was; null: it began")]


class Page(Shown, kw_only=True, frozen=True):
    """What snapshots and deltas have in common."""

    revision: int
    at: Time
    kpis: Annotated[dict[str, int], Meta(description="total and a count for every state; total is their sum")]
    all_well: Annotated[
        bool, Meta(description="true: something is measured, nothing is wrong, and everything is known")
    ]
    nobody_told: Annotated[bool, Meta(description="true: no mail is set up, so nobody will be told of an incident")]


class Snapshot(Page, kw_only=True, frozen=True):
    """Everything, as of a revision."""

    boot: Annotated[str, Meta(description="names this start of the server: revisions count from it")]
    complete: Annotated[bool, Meta(description="false: not everything that is retained has arrived yet")]
    targets: list[TargetRow]
    sites: list[SiteRow]
    incidents: Annotated[list[Incident], Meta(description="open ones, newest first")]
    trouble: Annotated[list[str], Meta(description="what keeps the system itself from its work now")]
    services: Annotated[dict[str, bool], Meta(description="by central service: is it online")]
    maintenances: Annotated[
        list[RunningMaintenance], Meta(description="those that run now, the first to end first")
    ] = []
    changes: Annotated[
        list[RecentChange] | None,
        Meta(description="the last ones, newest first, also of what is over; null: the history has not said yet"),
    ] = None
    noted: Annotated[
        dict[str, Time],
        Meta(description="by incident that is over, the latest of these: when somebody last wrote of it"),
    ] = {}


class Delta(Page, kw_only=True, frozen=True):
    """What changed since the revision before."""

    targets: list[TargetRow]
    removed: list[str]
    sites: list[SiteRow]
    removed_sites: list[str]
    incidents: list[Incident]
    removed_incidents: list[str]
    trouble: Annotated[list[str] | None, Meta(description="null: as before")]
    services: Annotated[dict[str, bool] | None, Meta(description="null: as before")]
    maintenances: Annotated[list[RunningMaintenance] | None, Meta(description="null: as before")] = None
    changes: Annotated[list[RecentChange] | None, Meta(description="null: as before")] = None
    noted: Annotated[dict[str, Time] | None, Meta(description="null: as before")] = None


class Tick(Shown, kw_only=True, frozen=True):
    """A sign of life where nothing changes."""

    at: Time
    revision: int


@dataclass(frozen=True)
class Counted:
    """How a site's view or a verdict counts now, and why."""

    state: State
    reason: str
    code: str | None


def site_cell(counted: Counted, state: SiteState | None, result: ProbeResult | None) -> SiteCell:
    """What one site sees. `result` is its last valid cycle where results are followed; `state` carries it otherwise.

    What a site saw before it went blind is not shown as if it were so now.
    """
    sees = counted.state is not State.UNKNOWN
    rtt_ms = loss_pct = at = None
    if sees and result is not None:
        rtt_ms = round(statistics.median(result.rtts_ms), 3) if result.rtts_ms else None
        loss_pct = pct(result.sent - result.received, result.sent, 2)
        at = result.at
    elif sees and state is not None:
        rtt_ms, loss_pct, at = state.rtt_ms, state.loss_pct, state.at
    if counted.state is State.DEGRADED and state is not None:
        # One good cycle does not end what was judged over several.
        rtt_ms = rtt_ms if state.judged_rtt_ms is None else state.judged_rtt_ms
        loss_pct = loss_pct if state.judged_loss_pct is None else state.judged_loss_pct
    return SiteCell(
        state=counted.state,
        since=state.since if state else None,
        reason=counted.reason,
        code=counted.code,
        rtt_ms=rtt_ms,
        loss_pct=loss_pct,
        at=at,
    )


def target_row(
    target: Target,
    verdict: Verdict | Counted | None,
    cells: Mapping[str, SiteCell],
    incident: str | None,
    maintenance: Running | None = None,
) -> TargetRow:
    """One target. `Counted` in place of a verdict says why there is none that can be relied on."""
    seeing = {site: cell for site, cell in cells.items() if cell.state is not State.UNKNOWN}
    rtts = {site: cell.rtt_ms for site, cell in seeing.items() if cell.rtt_ms is not None}
    losses = {site: cell.loss_pct for site, cell in seeing.items() if cell.loss_pct is not None}
    rtt_site = max(rtts, key=rtts.__getitem__, default=None)
    loss_site = max(losses, key=losses.__getitem__, default=None)
    state, since, reason, code = _judged(target, verdict)
    measured = None
    if maintenance is not None and state is not VerdictState.PAUSED:
        measured, state, code = state, VerdictState.MAINTENANCE, "maintenance"
        since, reason = Time(maintenance.start), f"{maintenance.maintenance.title}; measured {measured}: {reason}"
    return TargetRow(
        id=target.id,
        name=target.name,
        address=target.address,
        group=target.group,
        tags=target.tags,
        critical=target.critical,
        paused=target.paused,
        interval_s=target.interval_s,
        state=state,
        since=since,
        reason=reason,
        code=code,
        sites=dict(cells),
        rtt_ms=rtts[rtt_site] if rtt_site else None,
        rtt_site=rtt_site,
        rtt_min_ms=min(rtts.values(), default=None),
        rtt_max_ms=max(rtts.values(), default=None),
        loss_pct=losses[loss_site] if loss_site else None,
        loss_site=loss_site,
        incident=incident,
        maintenance=maintenance.maintenance.id if maintenance and measured else None,
        maintenance_until=_until(maintenance) if maintenance and measured else None,
        measured=measured,
    )


def running_row(one: Running) -> RunningMaintenance:
    made = one.maintenance
    return RunningMaintenance(
        id=made.id, title=made.title, covers=made.covers, since=Time(one.start), until=_until(one)
    )


def _until(one: Running) -> Time | None:
    return Time(one.until) if one.until is not None else None


def _judged(target: Target, verdict: Verdict | Counted | None) -> tuple[VerdictState, Time | None, str, str | None]:
    since = verdict.since if isinstance(verdict, Verdict) else None
    if target.paused:
        return VerdictState.PAUSED, since, "paused", "paused"
    if isinstance(verdict, Counted):
        return VerdictState.UNKNOWN, None, verdict.reason, verdict.code
    if verdict is None or verdict.state is VerdictState.PAUSED:
        return VerdictState.UNKNOWN, None, "not judged yet", "not-judged"
    return verdict.state, since, verdict.reason, verdict.code


def versions_behind(version: str, own: str) -> int | None:
    """By how many releases, which the second number counts; None where the two cannot be compared."""
    found, ours = (_RELEASE.match(one) for one in (version, own))
    if not found or not ours or found["major"] != ours["major"]:
        return None
    return int(ours["minor"]) - int(found["minor"])


def site_row(
    name: str,
    site: Site | None,
    presence: ProberPresence | None,
    *,
    online: bool,
    seen_at: Time | None,
    clock_ahead_ms: float | None,
    clock_wrong: bool,
    own_version: str,
) -> SiteRow:
    """One site: as it is set up, and as its prober says. `presence` may be old: `online` is what counts."""
    said = presence or ProberPresence(site=name, online=False)
    return SiteRow(
        id=name,
        label=site.label if site else name,
        location=site.location if site else "",
        anchors=site.anchors if site else [],
        expected=site.expected if site else True,
        configured=site is not None,
        disabled=site is not None and site.disabled,
        online=online,
        isolated=online and said.isolated,
        overloaded=online and said.overloaded,
        coverage_pct=said.coverage_pct,
        since=said.since,
        seen_at=seen_at,
        targets=said.targets,
        echoes_per_s=said.echoes_per_s,
        lateness_ms=said.lateness_ms,
        drops=said.drops,
        journal_depth=said.journal_depth,
        version=said.version,
        versions_behind=versions_behind(said.version, own_version),
        clock_ahead_ms=clock_ahead_ms,
        clock_wrong=clock_wrong,
        hosts=sorted(filter(None, (said.host, said.rival))),
        address=said.address,
    )
