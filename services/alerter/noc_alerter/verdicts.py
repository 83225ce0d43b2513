"""The verdicts in force: which targets are to be judged, and what was said of each."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from noc_alerter.sites import Sites
from noc_bus.bus import Bus
from noc_bus.channels import VERDICTS
from noc_bus.messages import SiteState, State, Target, Verdict
from noc_bus.mirror import Mirror
from noc_bus.retained import Published, RevCounter
from noc_bus.time import Time
from noc_rules.correlate import UNRESOLVABLE_AFTER_S
from noc_rules.incident import down_from
from noc_rules.judge import Agenda, VerdictChange, Views, in_the_way, judge
from noc_rules.muting import Witnesses
from noc_rules.verdict import VerdictCode


class Verdicts:
    def __init__(
        self,
        bus: Bus,
        revs: RevCounter,
        targets: Mirror[str, Target],
        states: Mirror[tuple[str, str], SiteState],
        sites: Sites,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.published: Published[str, Verdict] = Published(bus, VERDICTS, revs, clock=clock)
        self.agenda: Final = Agenda()
        self.judged = 0
        self._targets = targets
        self._states = states
        self._sites = sites
        self._clock = clock
        self._known_sites: set[str] = set()
        self._verdicts: dict[str, Verdict] = {}
        self._unresolvable: dict[str, tuple[VerdictChange, float]] = {}
        self._witnesses = Witnesses()
        self._own: deque[Verdict] = deque()
        bus.subscribe(VERDICTS, self._on_own)

    def take_in(self) -> bool:
        """What changed since the last call names the targets to judge. Whether any is defined otherwise than before."""
        while self._own:
            verdict = self._own.popleft()
            self._verdicts.setdefault(verdict.target, verdict)
        changed = self._targets.take_changes()
        if changed:
            self.agenda.arrange(self._targets.items())
            self._states.reconsider()
            self.agenda.add(changed)
        self.agenda.add(target for _, target in self._states.take_changes())
        votes_changed = self._sites.tick()
        known = self._sites.known
        if votes_changed or known != self._known_sites:
            self._known_sites = known
            self.agenda.add(self._targets.items())
        return bool(changed)

    def judge_all(self) -> None:
        self.agenda.add(self._targets.items())

    def judge_known(self, names: Iterable[str]) -> None:
        """Of these the targets there are: that one is not there may only mean that it has not come yet."""
        self.agenda.add([name for name in names if name in self._targets])

    def judge_removed(self, others: Iterable[str]) -> None:
        """Of what we know a verdict of, and of `others`: what was removed while nobody looked."""
        if self._targets.is_complete:
            self.agenda.add([name for name in {*self._verdicts, *others} if name not in self._targets])

    def judge_next(self, now: Time) -> VerdictChange | None:
        """Judge one target that is waiting, and publish what is new. None: none is waiting."""
        name = self.agenda.take()
        if name is None:
            return None
        self.judged += 1
        change = judge(name, self._views(), now)
        if change.after is None:
            self._verdicts.pop(name, None)
            self._witnesses.forget(name)
            self.published.remove(name)
        else:
            # Where nothing is new the old one stays, with the moment it was made.
            kept = change.before if change.before is not None and not change.is_news else change.after
            self._verdicts[name] = self.published.put(kept)
        self.agenda.add_behind(change)
        self._note_unresolvable(change)
        return change

    def unresolvable(self) -> Iterator[tuple[VerdictChange, float]]:
        """Targets whose name no site can resolve, and for how many seconds that has been so."""
        for change, since_s in self._unresolvable.values():
            yield change, self._clock() - since_s

    def down_from(self, target: str) -> list[str]:
        """The sites that see a target DOWN."""
        verdict = self._verdicts.get(target)
        return down_from(verdict) if verdict else []

    def is_fresh(self, target: str, since: Time) -> bool:
        """Whether all that see it DOWN, or cannot resolve its name, have said so again after this was first asked."""
        verdict = self._verdicts.get(target)
        if verdict is None:
            return False
        said = {site: state.at for site in verdict.sites if (state := self._states.get((site, target)))}
        return self._witnesses.say_again(verdict, since, said)

    def in_the_way(self, target: str) -> list[str]:
        """The parents that explain why a target is DOWN from some site."""
        return in_the_way(target, self._views())

    def seen_from(self, site: str) -> int:
        """How many targets a site sees answer."""
        answers = (State.UP, State.DEGRADED)
        return sum(one == site and state.state in answers for (one, _), state in self._states.items().items())

    def _views(self) -> Views:
        return Views(
            target=self._targets.get,
            state=lambda site, target: self._states.get((site, target)),
            standings=self._sites.standings,
            sites=self._known_sites,
            verdicts=self._verdicts,
        )

    def _note_unresolvable(self, change: VerdictChange) -> None:
        if change.after is None or change.after.code != VerdictCode.NO_ADDRESS:
            self._unresolvable.pop(change.target, None)
            return
        since_s = self._clock()
        if change.before is not None and change.before.code == VerdictCode.NO_ADDRESS:
            # Said by an earlier start of ours; the clock may have been put right since.
            since_s -= min(UNRESOLVABLE_AFTER_S, max(0.0, (change.after.at - change.before.at) / 1000))
        known = self._unresolvable.get(change.target)
        self._unresolvable[change.target] = (change, known[1] if known else since_s)

    def _on_own(self, verdict: Verdict | None, variables: dict[str, str]) -> None:
        """Our own retained verdicts come back after a start: they tell since when. On the bus's thread."""
        if verdict is not None and verdict.target not in self._verdicts:
            self.published.adopt(verdict)
            self._own.append(verdict)
