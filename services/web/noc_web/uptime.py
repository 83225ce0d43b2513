"""Timelines and uptime of targets over a period, from what the store keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from noc_bus.messages import Target
from noc_bus.time import Time
from noc_history.store import SiteRecords, Store
from noc_rules import uptime
from noc_rules.timeline import Interval, overall, site_intervals
from noc_rules.uptime import Uptime
from noc_rules.verdict import sites_of

# A site that was silent for longer than this many intervals was not looking.
_SILENT_CYCLES: Final = 3


@dataclass(frozen=True)
class Timeline:
    """`overall` and every site's intervals cover the period exactly."""

    overall: list[Interval]
    sites: dict[str, list[Interval]]
    uptime: Uptime


def timelines(store: Store, targets: Sequence[Target], start: Time, end: Time) -> dict[str, Timeline]:
    """By target id. Raises StoreError."""
    # Asking for one target is quick; asking for many, all at once is.
    wanted = [targets[0].id] if len(targets) == 1 else None
    records = store.states(wanted, start, end)
    return {target.id: _timeline(target, records.get(target.id, {}), start, end) for target in targets}


def _timeline(target: Target, records: Mapping[str, SiteRecords], start: Time, end: Time) -> Timeline:
    grace_ms = round(_SILENT_CYCLES * target.interval_s * 1000 + target.timeout_ms)
    sites = {
        site: site_intervals(records[site].states, records[site].last_heard, start, end, grace_ms)
        for site in sites_of(target, records)
        if site in records
    }
    together = overall(target, sites, start, end)
    return Timeline(together, sites, uptime.account(together))
