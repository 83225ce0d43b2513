"""Outages that only data that came late shows, once they are over: what the alerter would have made of it in time.

Recorded site states are played through the alerter's own functions, as in a rehearsal. An incident counts where a state
that came late belongs to it; whether it was known all the same is for whoever keeps the incidents to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from noc_bus.messages import Incident, Member, SiteState, State, Target
from noc_bus.time import Time
from noc_rules.correlate import Why
from noc_rules.incident import MAX_MEMBERS_TOLD, ordered
from noc_rules.rehearsal import Played
from noc_rules.telling import Book
from noc_rules.timeline import DefinitionLike
from noc_rules.verdict import NO_ADDRESS

LATE_MS: Final = 60_000
"""What is older when it comes was no news to anybody: a shorter absence of a site is only a restart."""
SAME_MS: Final = 300_000
"""What a target had so shortly before or after an incident of its own is that incident: a site's clock may have been wrong
by minutes when it dated what it saw, and the alerter dates some things by its own."""
SOMEBODY: Final = Book(everybody=("somebody@example.org",))
"""To play with, and find out of which incidents anybody would have been told."""
# With what is older nobody would have been told of an outage: it was over, or not one at all.
_HELD: Final = frozenset({Why.NOT_MAILED, Why.NOBODY_TOLD, Why.MUTED})
JUDGED: Final = (
    "policy", "parents", "parent_groups", "site_parents", "sites", "paused", "interval_s", "packets", "packet_gap_ms", "timeout_ms", "group", "tags",
)  # fmt: skip
"""Options of which the past ones are recorded. Whatever else is edited makes no difference to what a moment was; by group
and tags it may have been in maintenance."""


class LateState(NamedTuple):
    """That a site saw a target otherwise than UP from then on, which came late."""

    target: str
    site: str
    since: Time


class Found(NamedTuple):
    """Incidents that are over, with all their members as people want them, however many these are.

    `quiet`: the ids of those of which nobody would have been told.
    """

    incidents: tuple[Incident, ...]
    quiet: frozenset[str]


def is_late_outage(state: SiteState, now: Time) -> bool:
    """Whether it may be of an outage, and was no news to anybody any more when it came from a journal."""
    is_bad = state.state in (State.DOWN, State.DEGRADED) or state.code == NO_ADDRESS
    return is_bad and now - state.since > LATE_MS


def as_it_was(now: Target | None, definitions: Sequence[DefinitionLike], moment: Time) -> Target | None:
    """A target as it was judged at that moment, with the name and the people that it has now. None: there was none.

    `definitions`: all of it that is recorded, in order; before the first, it was like that.
    """
    known = [one for one in definitions if one.since <= moment] or definitions[:1]
    then = known[-1].target if known else now
    if then is None or now is None:
        return then
    return replace(now, **{name: getattr(then, name) for name in JUDGED})


def found(played: Played, late: Iterable[LateState], now: Time) -> Found:
    """What of it late data showed."""
    moments: dict[str, list[Time]] = defaultdict(list)
    for one in late:
        moments[one.target].append(one.since)
    told = {one.incident for one in played.notices if one.is_sent}
    incidents, quiet = [], set()
    for outcome in played.outcomes:
        incident, ended = outcome.incident, outcome.incident.resolved_at
        if ended is None:
            # It goes on: the alerter sees it itself.
            continue
        if not any(incident.opened_at - SAME_MS <= at <= ended for name in outcome.members for at in moments[name]):
            continue
        if incident.id not in told:
            if _HELD.isdisjoint(outcome.reasons):
                # A site saw it for a moment, and then nothing any more: it was the site.
                continue
            quiet.add(incident.id)
        incidents.append(replace(with_members(incident, outcome.members.values()), found_at=now))
    return Found(tuple(incidents), frozenset(quiet))


def overlap(one: Member, other: Member) -> bool:
    """Whether two memberships of a target are of one outage."""
    return _begins_by(one, other) and _begins_by(other, one)


def without(incident: Incident, targets: Iterable[str]) -> Incident | None:
    """The incident of the others alone. None: there are none."""
    gone = set(targets)
    members = [one for one in incident.members if one.target not in gone]
    if not members:
        return None
    return replace(
        incident,
        members=members,
        targets=[one.target for one in members],
        total_members=incident.total_members - (len(incident.members) - len(members)),
        opened_at=min(one.joined_at for one in members),
        resolved_at=max([one.left_at for one in members if one.left_at is not None], default=incident.resolved_at),
    )


def with_members(incident: Incident, members: Iterable[Member]) -> Incident:
    """The incident of these, as people want them, of which a message has room for some."""
    known = list(members)
    roots = {one.behind for one in known if one.behind}
    known.sort(key=lambda one: ordered(one, roots))
    return replace(incident, members=known, targets=[one.target for one in known], total_members=len(known))


def in_parts(incident: Incident) -> Iterator[Incident]:
    """The same incident again and again, each time with as many of its members as a message has room for."""
    for first in range(0, max(1, len(incident.members)), MAX_MEMBERS_TOLD):
        members = incident.members[first : first + MAX_MEMBERS_TOLD]
        yield replace(incident, members=members, targets=[one.target for one in members])


def is_part(incident: Incident) -> bool:
    """Whether more of its members come apart from these."""
    return incident.total_members > len(incident.members)


def _begins_by(one: Member, other: Member) -> bool:
    return other.left_at is None or one.joined_at <= other.left_at + SAME_MS
