"""What the alerter would have done with other settings: recorded site states, played through its own functions again.

Each step is what the alerter does in one second: states come in, `judge` makes verdicts of them, `grouping` and
`muting` incidents of these, `notices` mails. Seconds in which nothing can happen are left out, so that a month takes
seconds. Played are the settings of one moment over the whole period, whatever was in force in it.

What people did (acknowledging, snoozing), incidents about sites and the NOC itself, and what became of mails on their
way (caps, refusals) are no part of it: nothing of that follows from settings and states.
"""

from __future__ import annotations

import functools
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from noc_bus.messages import Incident, Member, ProberPresence, SiteState, State, Target, Verdict, VerdictState
from noc_bus.time import Time
from noc_rules import flapping, grouping, muting
from noc_rules.cases import Board, Case, Draft, Notice
from noc_rules.correlate import UNRESOLVABLE_AFTER_S, Why
from noc_rules.grouping import Falls, World
from noc_rules.incident import down_from, family, of_target
from noc_rules.judge import Agenda, VerdictChange, Views, in_the_way, judge
from noc_rules.maintenance import Schedule, Versions
from noc_rules.muting import Quiet, Witnesses
from noc_rules.notices import Notices, Recipients, Telling, aged, ageing
from noc_rules.site_state import RECHECK_S, StateCode
from noc_rules.telling import Book
from noc_rules.timeline import InForce, Interval, SilenceLike, StateLike, site_intervals
from noc_rules.verdict import Standing, VerdictCode, sites_of

CONFIRMED_S: Final = 60.0
"""A site says at least so often again what it sees."""
USUAL_WAIT_S: Final = 15.0
"""Where nobody has set NOC_GROUP_WAIT_S."""
_CONFIRMED_MS: Final = round(CONFIRMED_S * 1000)
_STEP_MS: Final = 1000
# Some milliseconds of work: who is told may give way to others.
_TELL_EVERY: Final = 50
_SEES: Final = Standing(ProberPresence(site="any", online=True), is_current=True)
_ANSWERS: Final = (State.UP, State.DEGRADED)
# Looked up some ten thousand times.
_STATES: Final = {VerdictState(one): one for one in State} | {VerdictState.PAUSED: State.UNKNOWN}
_BACK: Final = (VerdictState.UP, VerdictState.DEGRADED)


class Said(NamedTuple):
    """What a site saw of a target from some moment on, and when it came to say so."""

    at: int
    view: Interval


class Recipient(NamedTuple):
    """One notice to one recipient. `at`: when it was decided."""

    at: Time
    incident: str
    transition: str
    to: str
    because: str
    is_withdrawn: bool
    """It was over before the recipient's quiet hours were, and nobody was told."""

    @property
    def is_sent(self) -> bool:
        return not self.is_withdrawn


@dataclass(frozen=True)
class Outcome:
    """An incident as it was last, all that ever took part, and why things happened to it, each reason once."""

    incident: Incident
    members: Mapping[str, Member]
    reasons: tuple[Why, ...]

    @property
    def id(self) -> str:
        return self.incident.id


@dataclass(frozen=True)
class Played:
    """What came of some settings."""

    outcomes: tuple[Outcome, ...]
    """In the order in which they opened; those that turned out to be part of another are left out."""
    notices: tuple[Recipient, ...]
    ms: Mapping[str, Mapping[VerdictState, int]]
    """By target, for how long it was how, as its verdicts say."""

    @property
    def sent(self) -> Counter[str]:
        """How many notices each recipient got."""
        return Counter(one.to for one in self.notices if one.is_sent)


@dataclass(frozen=True)
class Settings:
    """All that decides after the site states."""

    targets: Mapping[str, Target]
    book: Book = field(default_factory=Book)
    wait_s: float = USUAL_WAIT_S
    """For how long what goes down together is gathered before people are told."""
    why_no_mail: str | None = None


@dataclass(frozen=True)
class Difference:
    """Incidents of one play that have no counterpart in the other."""

    appear: tuple[Outcome, ...]
    vanish: tuple[Outcome, ...]


def said(intervals: Sequence[Interval], in_force: InForce) -> list[Said]:
    """When a site came to say what it saw: after the checks that it took, by the options then in force."""
    found: list[Said] = []
    before: Interval | None = None
    for one in intervals:
        target = in_force.at(one.start)
        at: int = one.start
        if before is not None and target is not None and one.code not in _SAID_AT_ONCE:
            at += _checks_ms(before.state, one.state, target)
        if found:
            at = max(at, found[-1].at)
        found.append(Said(at, one))
        before = one
    return found


class SiteRecordsLike(Protocol):
    """All that one site knows of one target in a period; see `noc_rules.timeline.site_intervals`."""

    @property
    def states(self) -> Sequence[StateLike]: ...
    @property
    def silences(self) -> Sequence[SilenceLike]: ...
    @property
    def last_cycle(self) -> Time | None: ...


def sayings_of(
    records: Mapping[str, SiteRecordsLike], in_force: InForce, start: Time, end: Time
) -> dict[str, list[Said]]:
    """What was recorded of one target, by site, as each said it."""
    return {
        site: said(intervals, in_force)
        for site, one in records.items()
        if (intervals := site_intervals(one.states, one.silences, one.last_cycle, start, end, in_force))
    }


_SAID_AT_ONCE: Final = (StateCode.NOT_CHECKED, StateCode.PAUSED)


def _checks_ms(before: VerdictState, state: VerdictState, target: Target) -> int:
    cycle_ms = round((target.packets - 1) * target.packet_gap_ms + target.timeout_ms)
    if state is VerdictState.DOWN:
        return cycle_ms + round((target.down_after - 1) * RECHECK_S * 1000)
    if before is VerdictState.DOWN and state in _BACK:
        return round((target.up_after - 1) * RECHECK_S * 1000)
    return cycle_ms


def play(
    settings: Settings,
    by_target: Mapping[str, Mapping[str, Sequence[Said]]],
    start: Time,
    end: Time,
    *,
    maintenances: Versions = MappingProxyType({}),
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Played:
    """What the alerter would have done. `by_target` has by site what each said; `maintenances`: all that ever were.

    `told` is called now and then with how much is done, and of how much; it may stop the play by what it raises.
    """
    player = _Player(settings, by_target, start, end, maintenances)
    steps = 0
    now: int | None = -(-start // _STEP_MS) * _STEP_MS
    while now is not None and now < end:
        now = player.step(Time(now))
        steps += 1
        if steps % _TELL_EVERY == 0 and now is not None:
            told(min(now, end) - start, end - start)
    return player.played()


def difference(before: Played, after: Played, end: Time) -> Difference:
    """Two incidents are counterparts where they are of one kind, overlap in time and share a member."""
    return Difference(_without_counterpart(after, before, end), _without_counterpart(before, after, end))


def _without_counterpart(ours: Played, theirs: Played, end: Time) -> tuple[Outcome, ...]:
    by_member: dict[str, list[Outcome]] = defaultdict(list)
    for one in theirs.outcomes:
        for name in one.members:
            by_member[name].append(one)
    return tuple(
        one
        for one in ours.outcomes
        if not any(_is_counterpart(one, other, end) for name in one.members for other in by_member.get(name, ()))
    )


def _is_counterpart(one: Outcome, other: Outcome, end: Time) -> bool:
    if family(one.incident.kind) != family(other.incident.kind):
        return False
    return one.incident.opened_at <= (other.incident.resolved_at or end) and other.incident.opened_at <= (
        one.incident.resolved_at or end
    )


@dataclass
class _Written:
    at: int
    incident: str
    recipient: str
    transition: str
    because: str
    not_before: int
    is_sent: bool = False
    is_withdrawn: bool = False

    @property
    def is_waiting(self) -> bool:
        return not (self.is_sent or self.is_withdrawn)


class _Outbox:
    """What was told, in memory. It goes out at the end of the step, or when quiet hours and muting have ended."""

    def __init__(self) -> None:
        self._of: dict[str, dict[tuple[str, str], _Written]] = defaultdict(dict)
        self._waiting: list[_Written] = []
        self._muted: set[str] = set()

    def told(self, incident: str) -> dict[str, str]:
        return {one.recipient: one.because for one in self._known(incident) if one.transition == Notice.OPENED}

    def queued(self, incident: str) -> set[tuple[str, str]]:
        return set(self._of.get(incident, ()))

    def mailed(self, incident: str) -> tuple[str, ...]:
        return tuple(one.recipient for one in self._known(incident) if one.transition == Notice.OPENED and one.is_sent)

    def put(self, one: _Written, *, is_unmuted: bool) -> None:
        """`is_unmuted`: its incident is no longer muted from now on. A notice of its opening that waited tells that."""
        known = self._of[one.incident]
        opening = known.get((one.recipient, Notice.OPENED))
        if is_unmuted and one.transition.startswith(Notice.CHANGED) and opening is not None and opening.is_waiting:
            return
        if known.setdefault((one.recipient, one.transition), one) is one:
            self._waiting.append(one)

    def settle(self, incident: str, *, is_over: bool, is_muted: bool) -> None:
        """As it is from now on. What has not gone out yet tells of nothing any more where it is over."""
        (self._muted.add if is_muted and not is_over else self._muted.discard)(incident)
        for one in self._known(incident) if is_over else ():
            one.is_withdrawn |= one.transition != Notice.RESOLVED and one.is_waiting

    def send(self, until: int) -> None:
        """What is due by then goes out, as all is muted now."""
        for one in self._waiting:
            is_loud = one.transition == Notice.RESOLVED or one.incident not in self._muted
            one.is_sent = one.is_waiting and one.not_before <= until and is_loud
        self._waiting = [one for one in self._waiting if one.is_waiting]

    def each(self) -> list[Recipient]:
        found = [
            Recipient(Time(one.at), one.incident, one.transition, one.recipient, one.because, one.is_withdrawn)
            for known in self._of.values()
            for one in known.values()
        ]
        return sorted(found, key=lambda one: (one.at, one.incident, one.transition, one.to))

    def _known(self, incident: str) -> Iterable[_Written]:
        return self._of.get(incident, {}).values()


class _Player:
    def __init__(
        self,
        settings: Settings,
        by_target: Mapping[str, Mapping[str, Sequence[Said]]],
        start: Time,
        end: Time,
        maintenances: Versions,
    ) -> None:
        self._settings, self._start, self._end = settings, start, end
        self._targets = settings.targets
        self._sayings = sorted(
            (
                (one.at, name, site, one.view)
                for name, by_site in by_target.items()
                if name in self._targets
                for site, each in by_site.items()
                for one in each
            ),
            key=itemgetter(0, 1, 2),
        )
        self._said = 0
        self._versions = sorted(
            ((since, name, one) for name, versions in maintenances.items() for since, one in versions),
            key=itemgetter(0, 1),
        )
        self._versioned = 0
        self._schedule = Schedule()
        self._has_muted = False
        self._sites = sorted({site for by_site in by_target.values() for site in by_site})
        self._states: dict[str, dict[str, SiteState]] = defaultdict(dict)
        self._seen: Counter[str] = Counter()
        self._pauses: dict[str, set[str]] = defaultdict(set)
        self._verdicts: dict[str, Verdict] = {}
        self._unresolvable: dict[str, tuple[VerdictChange, float]] = {}
        self._witnesses = Witnesses()
        self._agenda = Agenda()
        self._agenda.arrange(self._targets)
        self._views = Views(self._target, self._state, dict.fromkeys(self._sites, _SEES), self._sites, self._verdicts)
        self._world = World(
            Falls(),
            self._seen.__getitem__,
            self._agenda.children,
            lambda name: in_the_way(name, self._views),
            settings.wait_s,
        )
        self._board = Board()
        self._outbox = _Outbox()
        self._recipients = Recipients(lambda: settings)
        self._notices = Notices(self._recipients, self._outbox, self._targets.get)
        self._is_timed = any(one.after_min or one.remind_min for one in settings.book.routes)
        self._forgets: list[tuple[float, str]] = []
        self._outcomes: dict[str, tuple[Incident, Case, dict[Why, None]]] = {}
        self._ms: dict[str, Counter[VerdictState]] = defaultdict(Counter)
        self._now_s: float | None = None

    def step(self, now: Time) -> int | None:
        """What the alerter does in this second, and when there is something to do again; None: never."""
        now_s = now / 1000
        # In the seconds that were left out.
        self._outbox.send(now - _STEP_MS)
        self._forget_flaps(now_s - _STEP_MS / 1000)
        self._take_in(now)
        self._age(now, now_s)
        self._now_s = now_s
        draft = Draft(self._board)
        changes = self._judge(now, now_s)
        grouping.of_verdicts(draft, changes, self._world, now, now_s)
        quiet = self._quiet(now)
        if not (draft.decides or quiet.covers or self._has_muted or self._is_due(now_s)):
            return self._next(now, now_s)
        for change, since_s in self._unresolvable.values():
            grouping.of_unresolvable(draft, change, now_s - since_s, self._world, now, now_s)
        grouping.of_returning(draft, self._world, now, now_s)
        grouping.of_flapping(draft, now, now_s)
        if quiet.covers or self._has_muted:
            muting.of_cases(draft, quiet, now, now_s)
        grouping.tell_what_is_due(draft, now_s, quiet, now)
        if draft.decides:
            self._keep(draft, now)
        self._outbox.send(now)
        return int(now) + _STEP_MS if self._is_muting(quiet) else self._next(now, now_s)

    def played(self) -> Played:
        for name, verdict in self._verdicts.items():
            self._ms[name][verdict.state] += max(0, self._end - verdict.since)
        outcomes = [
            Outcome(incident, case.members, tuple(reasons))
            for incident, case, reasons in self._outcomes.values()
            if incident.merged_into is None
        ]
        outcomes.sort(key=lambda one: (one.incident.opened_at, one.id))
        return Played(
            tuple(outcomes), tuple(self._outbox.each()), {name: dict(each) for name, each in self._ms.items()}
        )

    # -- what the alerter's mirrors know

    def _take_in(self, now: Time) -> None:
        while self._said < len(self._sayings) and self._sayings[self._said][0] <= now:
            _, name, site, view = self._sayings[self._said]
            self._said += 1
            self._say(name, site, view, now)
        while self._versioned < len(self._versions) and self._versions[self._versioned][0] <= now:
            _, name, one = self._versions[self._versioned]
            self._versioned += 1
            self._schedule.change(name, one)

    def _say(self, name: str, site: str, view: Interval, now: Time) -> None:
        before = self._states[name].get(site)
        state = _STATES[view.state]
        (self._pauses[name].add if view.state is VerdictState.PAUSED else self._pauses[name].discard)(site)
        self._seen[site] += (state in _ANSWERS) - (before is not None and before.state in _ANSWERS)
        self._states[name][site] = SiteState(
            site=site, target=name, epoch=0, seq=0, state=state, since=view.start, reason=view.reason, code=view.code,
            at=now,
        )  # fmt: skip
        self._agenda.add((name,))

    def _target(self, name: str) -> Target | None:
        """As it is defined; paused where all that are to ping it were told to pause."""
        target, pauses = self._targets.get(name), self._pauses[name]
        if target is not None and pauses and not target.paused:
            asked = [site for site in sites_of(target, self._sites) if site in self._states[name]]
            if asked and pauses.issuperset(asked):
                return replace(target, paused=True)
        return target

    def _state(self, site: str, name: str) -> SiteState | None:
        return self._states[name].get(site)

    def _quiet(self, now: Time) -> Quiet:
        fresh = functools.partial(self._is_fresh, now)
        return Quiet(self._schedule.running(now), self._targets.get, self._down_from, fresh)

    def _is_muting(self, quiet: Quiet) -> bool:
        """Whether what a window does to some incident may do something to it again in the next second."""
        if quiet.covers:
            self._has_muted = True
            return bool(self._board.cases)
        if self._has_muted:
            self._has_muted = any(one.muted for case in self._board.cases.values() for one in case.members.values())
        return self._has_muted

    def _down_from(self, name: str) -> list[str]:
        verdict = self._verdicts.get(name)
        return down_from(verdict) if verdict else []

    def _is_fresh(self, now: Time, name: str, since: Time) -> bool:
        """As the alerter asks, of sites that confirm what they see every CONFIRMED_S."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            return False
        said = {site: one.at for site, one in self._states[name].items() if site in verdict.sites}
        confirmed = {site: at + (now - at) // _CONFIRMED_MS * _CONFIRMED_MS for site, at in said.items()}
        return self._witnesses.say_again(verdict, since, confirmed)

    # -- the work

    def _judge(self, now: Time, now_s: float) -> list[VerdictChange]:
        changes = []
        while (name := self._agenda.take()) is not None:
            change = judge(name, self._views, now)
            changes.append(change)
            if change.after is not None and (change.before is None or change.is_news):
                self._verdicts[name] = change.after
            self._agenda.add_behind(change)
            if change.changes_state and change.before is not None and change.after is not None:
                self._ms[name][change.before.state] += change.after.since - change.before.since
            if change.after is None or change.after.code != VerdictCode.NO_ADDRESS:
                self._unresolvable.pop(name, None)
            else:
                known = self._unresolvable.get(name)
                self._unresolvable[name] = (change, known[1] if known else now_s)
        return changes

    def _forget_flaps(self, now_s: float) -> None:
        """Those of which nothing mattered any more by then. Nothing comes of it before the next verdict."""
        while self._forgets and self._forgets[0][0] < now_s:
            _, name = heapq.heappop(self._forgets)
            flap = self._board.flaps.get(name)
            if flap is not None and flapping.is_past(flap, now_s):
                self._board.put_flap(name, None)

    def _age(self, now: Time, now_s: float) -> None:
        if not self._is_timed or self._now_s is None:
            return
        for case in ageing(self._board.cases.values()):
            if aged(case, now_s - self._now_s, self._settings.book):
                tellings = [*self._notices.added(case, Why.ESCALATED), *self._notices.reminders(case)]
                self._write(case, tellings, now)
                self._note(case)

    def _keep(self, draft: Draft, now: Time) -> None:
        # All before any is written, as the alerter does within its one transaction.
        for case in draft.touched:
            case.incident = case.shown()
        written = [(case, self._notices.of(case, notice)) for case in draft.touched for notice in case.notices]
        for case, tellings in written:
            self._write(case, tellings, now)
        for case in draft.touched:
            self._note(case)
            self._outbox.settle(case.id, is_over=case.is_over, is_muted=case.incident.muted is not None)
            case.kept()
        draft.settle()
        for name, flap in draft.flaps.items():
            if flap is not None:
                # What is past as soon as it is noted still counts in this second.
                heapq.heappush(self._forgets, (max(flapping.past_s(flap), now / 1000), name))

    def _write(self, case: Case, tellings: Iterable[Telling], now: Time) -> None:
        is_unmuted = any(entry.why is Why.UNMUTED for entry in case.entries)
        for one in tellings:
            for to, because in one.recipients.items():
                not_before = self._recipients.not_before(to, case.incident, now)
                written = _Written(now, case.id, to, one.transition(to, now), because, not_before)
                self._outbox.put(written, is_unmuted=is_unmuted)

    def _note(self, case: Case) -> None:
        _, _, reasons = self._outcomes.get(case.id) or (None, None, {})
        reasons |= dict.fromkeys(entry.why for entry in case.entries)
        case.entries = []
        self._outcomes[case.id] = (case.incident, case, reasons)

    def _is_due(self, now_s: float) -> bool:
        """Whether time alone may change something now."""
        if self._unresolvable or self._board.returning or self._board.flapping:
            return True
        return any(case.due_s is not None and case.due_s <= now_s for case in self._board.cases.values())

    # -- when there is something to do again

    def _next(self, now: Time, now_s: float) -> int | None:
        moments = [*self._of_records(now), *self._of_cases(now_s), *self._of_targets(now_s)]
        if not moments:
            return None
        return max(int(now) + _STEP_MS, -(-min(moments) // _STEP_MS) * _STEP_MS)

    def _of_records(self, now: Time) -> Iterator[int]:
        if self._said < len(self._sayings):
            yield self._sayings[self._said][0]
        if self._versioned < len(self._versions):
            yield self._versions[self._versioned][0]
        if self._versioned:
            yield self._schedule.unchanged_until(now)

    def _of_cases(self, now_s: float) -> Iterator[int]:
        for case in self._board.cases.values():
            # What nobody can see is looked at again once somebody says something.
            if case.due_s is not None and (case.is_told or not case.is_unseen):
                yield _ms(case.due_s)
        if self._is_timed:
            for case in ageing(self._board.cases.values()):
                yield from (_ms(now_s + left) for left in self._waits(case))

    def _of_targets(self, now_s: float) -> Iterator[int]:
        for returning in self._board.returning.values():
            yield _ms(returning.since_s + self._world.returns_s)
        for name in self._board.flapping:
            yield from map(_ms, self._of_flapping(name, now_s))
        for name, (_, since_s) in self._unresolvable.items():
            if of_target(name) not in self._board.by_about:
                yield _ms(since_s + UNRESOLVABLE_AFTER_S)

    def _of_flapping(self, name: str, now_s: float) -> list[float]:
        flap = self._board.flaps[name]
        moments = [(now_s if flap.changed_s is None else flap.changed_s) + flapping.WITHIN_S]
        found = self._board.get(of_target(name))
        due_s = None if found is None else grouping.flapping_due_s(found, name, flap, now_s)
        return moments if due_s is None else [*moments, due_s]

    def _waits(self, case: Case) -> list[float]:
        """In how many seconds somebody is to be told of one that grows older, by each route."""
        found = []
        for route in self._settings.book.routes:
            starts_s, each_s = route.after_min * 60.0, route.remind_min * 60.0
            if case.waited_s < starts_s:
                found.append(starts_s - case.waited_s)
            if each_s:
                before = max(0.0, case.waited_s - starts_s) // each_s
                found.append(starts_s + (before + 1) * each_s - case.waited_s)
        return found


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
