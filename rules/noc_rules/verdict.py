"""How the views of all sites become one verdict. Only sites that can see vote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from noc_bus.messages import ProberPresence, SiteState, State, Target, VerdictState


@dataclass(frozen=True)
class Vote:
    """What a site says of a target; UNKNOWN is an abstention, and `reason` says why."""

    state: State
    reason: str


@dataclass(frozen=True)
class Decision:
    """A verdict and what led to it: `sites` as they counted."""

    state: VerdictState
    reason: str
    sites: dict[str, State]


def sites_of(target: Target, sites: Iterable[str]) -> list[str]:
    """Which sites are to ping the target, of all that are known; sorted. A site it names counts even if unknown."""
    return sorted(set(sites) if target.sites is None else set(target.sites))


def vote(state: SiteState | None, presence: ProberPresence | None) -> Vote:
    """A site's vote, from its retained view and its prober's presence."""
    if presence is None:
        return Vote(State.UNKNOWN, "no prober has been seen there")
    if not presence.online:
        return Vote(State.UNKNOWN, "its prober is offline")
    if presence.isolated:
        return Vote(State.UNKNOWN, "it is isolated: no anchor answers")
    if state is None:
        return Vote(State.UNKNOWN, "not checked yet")
    return Vote(state.state, state.reason)


def decide(target: Target, votes: Mapping[str, Vote], parents: Mapping[str, VerdictState]) -> Decision:
    """The verdict of all sites.

    `parents` are the present verdicts of the target's parents; one that is not judged yet may be
    missing. A policy that asks for more sites than can see is content with all that can.
    """
    sites = {site: vote.state for site, vote in sorted(votes.items())}
    if target.paused:
        return Decision(VerdictState.PAUSED, "paused", sites)
    seeing = [site for site, state in sites.items() if state is not State.UNKNOWN]
    if not seeing:
        return Decision(VerdictState.UNKNOWN, _why_unseen(votes), sites)
    down = [site for site in seeing if sites[site] is State.DOWN]
    if len(down) >= _needed(target.policy, len(seeing)):
        if blocked_by := _blocking(target, parents):
            return Decision(VerdictState.UNREACHABLE, f"every path goes through {_names(blocked_by)}, down", sites)
        return Decision(VerdictState.DOWN, _down_reason(down, seeing, votes), sites)
    if down:
        rest = [site for site in seeing if site not in down]
        return Decision(VerdictState.PARTIAL, f"down from {_names(down)}, not from {_names(rest)}", sites)
    degraded = [site for site in seeing if sites[site] is State.DEGRADED]
    if degraded:
        reason = "; ".join(f"{site}: {votes[site].reason}" for site in degraded)
        return Decision(VerdictState.DEGRADED, reason[:500], sites)
    return Decision(VerdictState.UP, f"answers from {_names(seeing)}", sites)


def _needed(policy: str, seeing: int) -> int:
    if policy == "any":
        return 1
    if policy == "all":
        return seeing
    if policy == "majority":
        return seeing // 2 + 1
    return min(int(policy), seeing)


def _blocking(target: Target, parents: Mapping[str, VerdictState]) -> list[str]:
    """The parents, if every one of them is down or itself behind one that is."""
    blocked = (VerdictState.DOWN, VerdictState.UNREACHABLE)
    if target.parents and all(parents.get(parent) in blocked for parent in target.parents):
        return list(target.parents)
    return []


def _down_reason(down: list[str], seeing: list[str], votes: Mapping[str, Vote]) -> str:
    witness = votes[down[0]].reason
    if len(seeing) == 1:
        return f"{witness}, from {down[0]}, the only site that sees"[:500]
    return f"down from {len(down)} of {len(seeing)} sites ({_names(down)}): {witness}"[:500]


def _why_unseen(votes: Mapping[str, Vote]) -> str:
    if not votes:
        return "no site pings it"
    return "; ".join(f"{site}: {vote.reason}" for site, vote in sorted(votes.items()))[:500]


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more"
