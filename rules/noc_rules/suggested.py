"""Which targets are routers on the way to another: parents to suggest, from traces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from noc_bus.messages import Target, Trace
from noc_rules.parents import circle, groups_from, parents_from, sites_named
from noc_rules.routes import routers_at


@dataclass(frozen=True)
class Suggestion:
    """A target that could be a parent. `sites`: from which it is the last known target on the path, at which hop.

    `changes`: the options of the target that make it one, as they would be.
    """

    parent: str
    sites: Mapping[str, int]
    changes: Mapping[str, list[str]]


def suggested(
    name: str, traces: Iterable[Trace], addresses: Mapping[str, str], targets: Mapping[str, Target]
) -> list[Suggestion]:
    """The nearest targets on the ways to one, those that most sites pass first.

    Of each site the last whole trace counts. Where several targets stand at that hop, they share the load, and each is
    one; what lies before them is their own parents' affair. `addresses`: of routers that are targets, with their ids.
    Those set are not suggested again, nor is one that would close a circle. Where two sites pass different ones, each is
    suggested as a parent from its own sites.
    """
    target = targets[name]
    last: dict[str, Trace] = {}
    for trace in traces:
        if trace.target == name and trace.reached and (trace.site not in last or last[trace.site].at < trace.at):
            last[trace.site] = trace
    paths = {site: _passed(trace, addresses, name) for site, trace in sorted(last.items())}
    nearest = {site: path[0] if path else {} for site, path in paths.items()}
    # Of two that share the load a site may have met one only.
    differ = bool(target.site_parents) or any(
        one.keys().isdisjoint(other) for one in nearest.values() for other in nearest.values()
    )
    found: dict[str, dict[str, int]] = {}
    for site, passed in nearest.items():
        for parent, ttl in passed.items():
            if parent not in parents_from(target, site):
                found.setdefault(parent, {})[site] = ttl
    suggestions = []
    for parent, sites in found.items():
        changes = _from_sites(target, parent, sites, paths) if differ else {"parents": [*target.parents, parent]}
        if circle({**targets, name: replace(target, **changes)}, [name]) is None:
            suggestions.append(Suggestion(parent, sites, changes))
    return sorted(suggestions, key=lambda one: (-len(one.sites), one.parent))


def _passed(trace: Trace, addresses: Mapping[str, str], name: str) -> list[dict[str, int]]:
    """The targets on the way with the number of their hop; hop by hop where there are any, the last first."""
    found = []
    for ttl, routers in sorted(routers_at(trace.hops).items(), reverse=True):
        known = {addresses[one] for one in routers if one != trace.address and one in addresses} - {name}
        if known:
            found.append(dict.fromkeys(sorted(known), ttl))
    return found


def _from_sites(
    target: Target, parent: str, sites: Iterable[str], paths: Mapping[str, Sequence[Mapping[str, int]]]
) -> dict[str, list[str]]:
    """`site_parents` with this one from these sites, beside those with which it shares the load there.

    Of the parents that hold in general a site keeps those that it passes, and those that no trace shows: a bridge has no
    hop of its own.
    """
    passed = {site: {name for hop in path for name in hop} for site, path in paths.items()}
    anywhere = set().union(*passed.values())
    entries = list(target.site_parents)
    for site in sites:
        groups = groups_from(target, site)
        if site not in sites_named(target):
            groups = [group for group in groups if not anywhere & set(group) or passed[site] & set(group)]
        beside = next((group for group in groups if paths[site][0].keys() & set(group)), None)
        groups = [[*group, parent] if group is beside else group for group in groups]
        if beside is None:
            groups.append([parent])
        entries = [one for one in entries if one.partition(":")[0] != site]
        entries += [f"{site}:{'|'.join(group)}" for group in groups]
    return {"site_parents": entries}
