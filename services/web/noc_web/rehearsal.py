"""What other settings would have done: today's and proposed ones played over the states that were recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from noc_bus.messages import Target
from noc_bus.time import DAY_MS, Time
from noc_history.store import Store
from noc_rules.maintenance import Versions
from noc_rules.parents import parents_of
from noc_rules.rehearsal import Difference, Played, Said, Settings, difference, play, sayings_of
from noc_rules.timeline import InForce
from noc_rules.verdict import sites_of
from noc_web.jobs import Job, Jobs, Told
from noc_web.problem import ProblemCode, ProblemError

MOST_DAYS: Final = 30
MOST_TARGETS: Final = 2000
_ALL_TARGETS: Final = 1000
"""Of so many all are played; of more, those that have something to do with what would be changed."""
_SAME_MS: Final = 300_000
"""The period ends at a multiple of it, so that whoever tries one thing after the other need not wait for today's again."""
_TOO_MANY: Final = "Too many rehearsals are being calculated at the moment; try again in a few seconds."
DECIDES_BEFORE: Final = (
    "address", "family", "interval_s", "packets", "packet_gap_ms", "timeout_ms", "size_bytes", "ttl", "down_after",
    "up_after", "degraded_loss_pct", "degraded_loss_clear_pct", "degraded_rtt_ms", "degraded_rtt_clear_ms",
    "degraded_jitter_ms", "degraded_jitter_clear_ms",
)  # fmt: skip
"""Options that decide what a site sees. Recorded is what it saw with those that were in force."""


@dataclass(frozen=True)
class Proposal:
    """Settings of today and others to compare with, and over how many days."""

    before: Settings
    after: Settings
    days: int


@dataclass(frozen=True)
class Rehearsal:
    """What came of both."""

    start: Time
    end: Time
    recorded_from: Time | None
    """The earliest that is known of what was played; None: nothing is."""
    settings: Settings
    """Those proposed, of the targets that were played."""
    changed: tuple[str, ...]
    """The targets whose options differ."""
    is_of_all: bool
    before: Played
    after: Played
    difference: Difference
    not_played: tuple[str, ...]
    """Options that would be others, and decide before the states that were recorded."""
    unasked: tuple[tuple[str, str], ...]
    """Targets with sites that would ping them and have not done so."""


class Rehearsals:
    """Calculates one at a time, and keeps the last few. Safe from any thread."""

    def __init__(self, store: Store, maintenances: Callable[[], Versions]) -> None:
        """`maintenances`: all that ever were."""
        self._store = store
        self._maintenances = maintenances
        self._jobs: Jobs[str, Rehearsal] = Jobs("rehearsal", _TOO_MANY)
        # Of today's settings, as they were played last.
        self._played: tuple[Settings, Time, Time, Played] | None = None

    def start(self, proposal: Proposal) -> str:
        """Its id. Raises ProblemError 422 where it is of too many targets, 503 where too many are being calculated."""
        name, names = secrets.token_hex(8), _concerned(proposal)
        self._jobs.ask(name, lambda told: self._calculate(proposal, names, told))
        return name

    def job(self, name: str) -> Job[Rehearsal]:
        """Raises ProblemError 404 for one that is not kept any more."""
        job = self._jobs.kept(name)
        if job is None:
            raise ProblemError(404, f"There is no rehearsal {name[:80]!r}; only the last few are kept.")
        return job

    def close(self) -> None:
        """Stops what is being calculated; returns once nothing reads the store any more."""
        self._jobs.close()

    def _calculate(self, proposal: Proposal, names: frozenset[str], told: Told) -> Rehearsal:
        """`names`: the targets to play."""
        end = Time(Time.now() // _SAME_MS * _SAME_MS)
        start = Time(end - proposal.days * DAY_MS)
        before, after = (_only(one, names) for one in (proposal.before, proposal.after))
        sayings = self._sayings(before.targets, start, end)
        maintenances = self._maintenances()
        known, of = self._played, end - start
        if known is not None and known[:3] == (before, start, end):
            first = known[3]
        else:
            first = play(
                before, sayings, start, end, maintenances=maintenances, told=lambda done, _: told(done, 2 * of)
            )
            self._played = (before, start, end, first)
        second = play(
            after, sayings, start, end, maintenances=maintenances, told=lambda done, _: told(of + done, 2 * of)
        )
        changed = _changed(before, after)
        moments = [each[0].at for by_site in sayings.values() for each in by_site.values() if each]
        return Rehearsal(
            start=start,
            end=end,
            recorded_from=Time(min(moments)) if moments else None,
            settings=after,
            changed=changed,
            is_of_all=len(names) == len(proposal.after.targets),
            before=first,
            after=second,
            difference=difference(first, second, end),
            not_played=tuple(
                option
                for option in DECIDES_BEFORE
                if any(
                    getattr(before.targets[name], option) != getattr(after.targets[name], option) for name in changed
                )
            ),
            unasked=tuple(
                (name, site)
                for name in changed
                for site in sites_of(after.targets[name], sayings.get(name, ()))
                if site not in sayings.get(name, ())
            ),
        )

    def _sayings(self, targets: Mapping[str, Target], start: Time, end: Time) -> dict[str, dict[str, list[Said]]]:
        """What was recorded, as the sites said it. Raises StoreError."""
        asked = None if len(targets) > _FEW else list(targets)
        records, definitions = self._store.states(asked, start, end), self._store.definitions(asked)
        return {
            name: sayings_of(records.get(name, {}), InForce(target, definitions.get(name, ())), start, end)
            for name, target in targets.items()
        }


# Asking for few is quick; asking for more, all at once is.
_FEW: Final = 50


def _changed(before: Settings, after: Settings) -> tuple[str, ...]:
    return tuple(name for name, one in sorted(after.targets.items()) if before.targets.get(name) != one)


def _only(settings: Settings, names: frozenset[str]) -> Settings:
    return replace(settings, targets={name: one for name, one in sorted(settings.targets.items()) if name in names})


def _concerned(proposal: Proposal) -> frozenset[str]:
    """The targets to play. Raises ProblemError 422."""
    before, after = proposal.before.targets, proposal.after.targets
    changed = _changed(proposal.before, proposal.after)
    is_for_all = len(after) <= _ALL_TARGETS or not changed
    names = frozenset(after) if is_for_all else _related(changed, before, after)
    if len(names) > MOST_TARGETS:
        sentence = (
            f"This would concern {len(names):,} targets; a rehearsal is of {MOST_TARGETS:,} at most: "
            "try it with one target, or one group below."
        )
        raise ProblemError(422, sentence, code=ProblemCode.DOES_NOT_FIT)
    return names


def _related(changed: Iterable[str], before: Mapping[str, Target], after: Mapping[str, Target]) -> frozenset[str]:
    """Those that share a group or a path of parents with what is changed, with either settings."""
    groups: dict[str, set[str]] = {}
    links: dict[str, set[str]] = {}
    for targets in (before, after):
        for one in targets.values():
            groups.setdefault(one.group, set()).add(one.id)
            for parent in parents_of(one):
                links.setdefault(one.id, set()).add(parent)
                links.setdefault(parent, set()).add(one.id)
    found: set[str] = set()
    waiting = list(changed)
    for name in changed:
        waiting += [one for targets in (before, after) if name in targets for one in groups[targets[name].group]]
    while waiting:
        name = waiting.pop()
        if name not in found and name in after:
            found.add(name)
            waiting += links.get(name, ())
    return frozenset(found)
