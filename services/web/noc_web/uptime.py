"""Timelines and uptime of targets over a period, from what the store keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from noc_bus.messages import Target
from noc_bus.time import Time
from noc_history.store import SiteRecords, Store
from noc_rules.assignment import is_pinged_from
from noc_rules.calendar import Span
from noc_rules.maintenance import Past, PastWindow, Versions
from noc_rules.parents import parents_of
from noc_rules.timeline import InForce, Interval, overall, site_intervals, while_asked
from noc_rules.uptime import STANDARD, Profile, Uptime, account

# Asking for few is quick; asking for more, all at once is.
_FEW: Final = 50


@dataclass(frozen=True)
class Timeline:
    """`sites` and `overall` cover the period from when each was first asked."""

    overall: list[Interval]
    sites: dict[str, list[Interval]]
    uptime: Uptime
    maintenance: list[PastWindow] = field(default_factory=list)
    """When it was in maintenance, in order; windows may overlap."""

    @property
    def windows(self) -> list[Span]:
        return [Span(one.start, one.end) for one in self.maintenance]


def timelines(
    store: Store,
    targets: Sequence[Target],
    start: Time,
    end: Time,
    *,
    known: Mapping[str, Target] = MappingProxyType({}),
    profile: Profile = STANDARD,
    hours: Sequence[Span] | None = None,
    explained: bool = True,
    maintenances: Versions = MappingProxyType({}),
) -> Iterator[tuple[str, Timeline]]:
    """By target id, one after the other. Raises StoreError.

    `known` has the present targets among which parents are; `hours` is what counts of the period, None: all;
    `explained` False leaves reasons out. `maintenances`: all that ever were.
    """
    if not targets:
        return
    past = _Past(store, targets, known, start, end, explained=explained)
    works = Past(maintenances, start, end)
    for target in targets:
        together = past.overall(target.id)
        windows = works.of(past.in_force(target.id), past.seen_from(target.id), start, end)
        spans = [Span(one.start, one.end) for one in windows]
        uptime = account(together, Span(start, end), profile, hours=hours, maintenance=spans)
        yield target.id, Timeline(together, past.sites(target.id), uptime, windows)


class _Past:
    """Judges each target once, by what was in force at each moment."""

    def __init__(
        self,
        store: Store,
        targets: Sequence[Target],
        known: Mapping[str, Target],
        start: Time,
        end: Time,
        *,
        explained: bool,
    ) -> None:
        self._store, self._start, self._end, self._explained = store, start, end, explained
        self._present = {**known, **{target.id: target for target in targets}}
        self._in_force: dict[str, InForce] = {}
        self._define([target.id for target in targets])
        parents = {parent for in_force in self._in_force.values() for parent in _parents(in_force)}
        self._define(sorted(parents - self._in_force.keys()))
        names = None if len(self._in_force) > _FEW else list(self._in_force)
        self._records = store.states(names, start, end)
        self._sites: dict[str, dict[str, list[Interval]]] = {}
        # Of parents, which many targets may have in common.
        self._alone: dict[str, list[Interval]] = {}
        self._seen: dict[str, dict[str, list[Interval]]] = {}

    def in_force(self, name: str) -> InForce:
        return self._in_force[name]

    def seen_from(self, name: str) -> Collection[str]:
        """The sites that ever looked at it, as far as is known."""
        return self._records.get(name, {}).keys()

    def sites(self, name: str) -> dict[str, list[Interval]]:
        """By site, of those that looked at it in the period and were asked to at some moment of it."""
        if name not in self._sites:
            in_force = self._in_force[name]
            asked = in_force.during(self._start, self._end)
            records = self._records.get(name, {})
            self._sites[name] = {
                site: intervals
                for site, one in records.items()
                if any(is_pinged_from(target, site) for target in asked)
                if (intervals := self._site(one, in_force))
            }
        return self._sites[name]

    def overall(self, name: str) -> list[Interval]:
        in_force = self._in_force[name]
        parents = {parent: self._overall_alone(parent) for parent in _parents(in_force) if parent in self._in_force}
        has_own_paths = any(target.site_parents for target in in_force.targets)
        seen = {parent: self._seen_while_asked(parent) for parent in parents} if has_own_paths else {}
        return overall(in_force, self.sites(name), parents, seen, explained=self._explained)

    def _overall_alone(self, name: str) -> list[Interval]:
        """What a parent was, whatever lies above it: that decides nothing for what is behind it."""
        if name not in self._alone:
            self._alone[name] = overall(self._in_force[name], self.sites(name), {}, explained=False)
        return self._alone[name]

    def _seen_while_asked(self, name: str) -> dict[str, list[Interval]]:
        if name not in self._seen:
            self._seen[name] = while_asked(self._in_force[name], self.sites(name), self._start, self._end)
        return self._seen[name]

    def _site(self, records: SiteRecords, in_force: InForce) -> list[Interval]:
        return site_intervals(records.states, records.silences, records.last_cycle, self._start, self._end, in_force)

    def _define(self, names: Sequence[str]) -> None:
        if not names:
            return
        definitions = self._store.definitions(None if len(names) > _FEW else names)
        for name in names:
            if name in self._present:
                self._in_force[name] = InForce(self._present[name], definitions.get(name, ()))
            elif past := [one.target for one in definitions.get(name, ()) if one.target]:
                self._in_force[name] = InForce(past[0], definitions[name])


def _parents(in_force: InForce) -> set[str]:
    return {parent for target in in_force.targets for parent in parents_of(target)}
