"""How the views of all sites become one verdict. Only sites that can see vote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from noc_bus.messages import ProberPresence, SiteState, State, Target, VerdictState
from noc_bus.time import Time
from noc_rules.parents import groups_from

STATES_CHANNEL: Final = "states"
"""Under this name a prober's presence tells what it has retained of its states."""
NO_ADDRESS: Final = "no-address"
"""The code of a site's UNKNOWN when it knows no address for the target's name."""
BLOCKED: Final = (VerdictState.DOWN, VerdictState.UNREACHABLE)
"""Nothing behind a target that is so can be reached through it."""


class VoteCode(StrEnum):
    """Why a site casts no vote. Where it does, the code is that of its state."""

    NO_PROBER = "no-prober"
    OFFLINE = "offline"
    ISOLATED = "isolated"
    OVERLOADED = "overloaded"
    CATCHING_UP = "catching-up"
    NOT_CHECKED = "not-checked"


class VerdictCode(StrEnum):
    """Why a verdict is what it is."""

    ANSWERS = "answers"
    DEGRADED = "degraded"
    PARTLY_DOWN = "partly-down"
    DOWN = "down"
    PARENTS_DOWN = "parents-down"
    NO_SITE = "no-site"
    NOT_SEEN = "not-seen"
    NO_ADDRESS = NO_ADDRESS
    PAUSED = "paused"


@dataclass(frozen=True)
class Standing:
    """What a listener knows of a site from all its presences, heard in order: see `heard`."""

    presence: ProberPresence | None = None
    is_current: bool = False
    """All that is retained of its states has been said since it came back."""
    returned_at: Time | None = None
    """The site's own clock as it came back; only for older probers, which do not tell what they have retained."""

    @property
    def can_see(self) -> bool:
        """Whether its prober is there and fit to judge, though it may have to catch up first."""
        return self.presence is not None and bool(
            self.presence.online and not self.presence.isolated and not self.presence.overloaded
        )


class Vote(NamedTuple):
    """What a site says of a target; UNKNOWN is an abstention. `reason` and `code` say why."""

    state: State
    reason: str
    code: str | None = None


class Decision(NamedTuple):
    """A verdict and what led to it: `sites` as they counted."""

    state: VerdictState
    reason: str
    sites: dict[str, State]
    code: VerdictCode | None = None


class Judged(Protocol):
    """A parent as it was judged: a verdict, or what led to one."""

    @property
    def state(self) -> VerdictState: ...
    @property
    def sites(self) -> Mapping[str, State]: ...


@dataclass(frozen=True)
class Parent:
    """What of a parent decides."""

    state: VerdictState
    sites: Mapping[str, State] = field(default_factory=dict)


def sites_of(target: Target, sites: Iterable[str]) -> list[str]:
    """Which sites are to ping the target, of all that are known; sorted. A site it names counts even if unknown."""
    return sorted(set(sites) if target.sites is None else set(target.sites))


def heard(standing: Standing, presence: ProberPresence | None) -> Standing:
    """A site's standing after one more presence; None: it was cleared.

    A prober that was away, or is another process than before, has to catch up: until all it has
    retained agrees with what its presence says of it, some of it is from before. Whoever knows that it
    does calls `caught_up`: a mirror of states answers `agrees_with(site)`, asked after this presence.
    """
    if presence is None or not presence.online:
        return Standing(presence)
    before = standing.presence
    if before is not None and before.online and _process(before) == _process(presence):
        return replace(standing, presence=presence)
    if presence.retained is not None and STATES_CHANNEL in presence.retained:
        return Standing(presence)
    # An older prober. What it says of its own clock is compared with nothing but its own clock.
    is_first = before is None
    return Standing(presence, is_current=is_first or presence.clock is None, returned_at=presence.clock)


def caught_up(standing: Standing) -> Standing:
    """The standing of a site all of whose retained states are what it says now."""
    is_online = standing.presence is not None and standing.presence.online
    return replace(standing, is_current=True) if is_online and not standing.is_current else standing


def vote(state: SiteState | None, standing: Standing) -> Vote:
    """A site's vote: the one rule for verdicts and for what a page shows of a site.

    It counts only what a site has said since its presence came back. What was retained before proves
    nothing any more, in whatever order presences and states arrive. No clock but the site's own is asked.
    """
    presence = standing.presence
    if presence is None:
        return Vote(State.UNKNOWN, "no prober has been seen there", VoteCode.NO_PROBER)
    if not presence.online:
        return Vote(State.UNKNOWN, "its prober is offline", VoteCode.OFFLINE)
    if presence.isolated:
        return Vote(State.UNKNOWN, "it is isolated: no anchor answers", VoteCode.ISOLATED)
    if presence.overloaded:
        return Vote(State.UNKNOWN, "it is overloaded: it loses too many of its own cycles", VoteCode.OVERLOADED)
    if state is None:
        return Vote(State.UNKNOWN, "not checked yet", VoteCode.NOT_CHECKED)
    if not _counts(state, standing, presence):
        return Vote(State.UNKNOWN, "it has just come back and is catching up", VoteCode.CATCHING_UP)
    return Vote(state.state, state.reason, state.code)


def decide(target: Target, votes: Mapping[str, Vote], parents: Mapping[str, Judged]) -> Decision:
    """The verdict of all sites.

    `parents` are the target's parents as they are judged at present; one that is not judged yet may be
    missing. A policy that asks for more sites than can see is content with all that can.
    UNREACHABLE is what would be DOWN, where a path that is cut explains it for every site that sees it DOWN.
    """
    sites = {site: vote.state for site, vote in sorted(votes.items())}
    if target.paused:
        return Decision(VerdictState.PAUSED, "paused", sites, VerdictCode.PAUSED)
    seeing = [site for site, state in sites.items() if state is not State.UNKNOWN]
    if not seeing:
        return Decision(VerdictState.UNKNOWN, _why_unseen(votes), sites, _unseen_code(votes))
    down = [site for site in seeing if sites[site] is State.DOWN]
    if len(down) >= _needed(target.policy, len(seeing)):
        behind = cuts(target, down, parents)
        if len(behind) == len(down):
            return Decision(VerdictState.UNREACHABLE, _behind_reason(behind), sites, VerdictCode.PARENTS_DOWN)
        return Decision(VerdictState.DOWN, _down_reason(down, seeing, votes), sites, VerdictCode.DOWN)
    if down:
        rest = [site for site in seeing if site not in down]
        reason = f"DOWN from {_names(down)}, not from {_names(rest)}"
        if behind := cuts(target, down, parents):
            reason = f"{reason}; down on the way: {_paths(behind)}"
        return Decision(VerdictState.PARTIAL, reason[:500], sites, VerdictCode.PARTLY_DOWN)
    degraded = [site for site in seeing if sites[site] is State.DEGRADED]
    if degraded:
        reason = "; ".join(f"{site}: {votes[site].reason}" for site in degraded)
        return Decision(VerdictState.DEGRADED, reason[:500], sites, VerdictCode.DEGRADED)
    return Decision(VerdictState.UP, f"answers from {_names(seeing)}", sites, VerdictCode.ANSWERS)


def _process(presence: ProberPresence) -> tuple[object, ...]:
    return presence.instance, presence.epoch, presence.since


def _counts(state: SiteState, standing: Standing, presence: ProberPresence) -> bool:
    if presence.epoch is not None and state.epoch != presence.epoch:
        return False
    if standing.is_current:
        return True
    return standing.returned_at is not None and state.at >= standing.returned_at


def _needed(policy: str, seeing: int) -> int:
    if policy == "any":
        return 1
    if policy == "all":
        return seeing
    if policy == "majority":
        return seeing // 2 + 1
    return min(int(policy), seeing)


def cuts(target: Target, down: Iterable[str], parents: Mapping[str, Judged]) -> dict[str, list[list[str]]]:
    """By site, of those that see the target DOWN, what explains it: groups of parents that are DOWN as a whole.

    Where paths differ by site, each site answers for its own: a parent is in its way only if it does not reach it
    either. Otherwise the ends of a ring, each behind the other from the other side, would excuse each other.
    """
    found = {}
    for site in down:
        cut = [
            group
            for group in groups_from(target, site)
            if all(_is_in_the_way(target, site, parents.get(parent)) for parent in group)
        ]
        if cut:
            found[site] = cut
    return found


def _is_in_the_way(target: Target, site: str, parent: Judged | None) -> bool:
    if parent is None or parent.state not in BLOCKED:
        return False
    return not target.site_parents or parent.sites.get(site) is State.DOWN


def _behind_reason(behind: Mapping[str, list[list[str]]]) -> str:
    groups = [cut[0] for cut in behind.values()]
    if any(group != groups[0] for group in groups):
        return f"every path goes through what is down: {_paths(behind)}"[:500]
    return f"every path goes through {_names(groups[0])}, which {'is' if len(groups[0]) == 1 else 'are'} down"


def _paths(behind: Mapping[str, list[list[str]]]) -> str:
    return ", ".join(f"{_names(cut[0])} from {site}" for site, cut in behind.items())


def _down_reason(down: list[str], seeing: list[str], votes: Mapping[str, Vote]) -> str:
    witness = votes[down[0]].reason
    if len(votes) == 1:
        return witness[:500]
    if len(seeing) == 1:
        return f"{witness[:400]} (only {down[0]} could see it)"
    return f"DOWN from {len(down)} of {len(seeing)} sites ({_names(down)}): {witness}"[:500]


def _why_unseen(votes: Mapping[str, Vote]) -> str:
    if not votes:
        return "no site pings it"
    return "; ".join(f"{site}: {vote.reason}" for site, vote in sorted(votes.items()))[:500]


def _unseen_code(votes: Mapping[str, Vote]) -> VerdictCode:
    """No address: of the sites that could look, none knows where."""
    if not votes:
        return VerdictCode.NO_SITE
    absent = set(VoteCode) - {VoteCode.NOT_CHECKED}
    looking = [vote for vote in votes.values() if vote.code not in absent]
    if looking and all(vote.code == NO_ADDRESS for vote in looking):
        return VerdictCode.NO_ADDRESS
    return VerdictCode.NOT_SEEN


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more"
