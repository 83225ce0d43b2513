"""Which targets are routers on the way to another: parents to suggest, from traces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from noc_bus.messages import Trace
from noc_rules.judge import with_parents
from noc_rules.routes import routers_at


@dataclass(frozen=True)
class Suggestion:
    """A target that could be a parent. `sites`: from which it is the last known target on the path, at which hop."""

    parent: str
    sites: Mapping[str, int]


def suggested(
    target: str,
    traces: Iterable[Trace],
    addresses: Mapping[str, str],
    parents: Mapping[str, Iterable[str]],
) -> list[Suggestion]:
    """The nearest targets on the ways to `target`, those that most sites pass first.

    Of each site the last whole trace counts. Where several targets stand at that hop, they share the load, and each is
    one; what lies before them is their own parents' affair. `addresses`: of routers that are targets, with their ids.
    `parents`: those set, by target: they are not suggested again, nor is one that has `target` as its own ancestor.
    """
    last: dict[str, Trace] = {}
    for trace in traces:
        if trace.target == target and trace.reached and (trace.site not in last or last[trace.site].at < trace.at):
            last[trace.site] = trace
    refused = {target, *parents.get(target, ())}
    found: dict[str, dict[str, int]] = {}
    for site, trace in sorted(last.items()):
        for ttl, routers in sorted(routers_at(trace.hops).items(), reverse=True):
            nearest = {addresses[one] for one in routers if one != trace.address and one in addresses} - {target}
            if nearest:
                for parent in nearest - refused:
                    if target not in with_parents([parent], lambda name: parents.get(name, ())):
                        found.setdefault(parent, {})[site] = ttl
                break
    return sorted((Suggestion(*one) for one in found.items()), key=lambda one: (-len(one.sites), one.parent))
