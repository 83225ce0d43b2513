"""All that is in the catalogue at one moment, and a change of it in the making."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from noc_bus.messages import Maintenance, Site, Target
from noc_rules.inheritance import is_below
from noc_rules.parents import circle, option_naming, parents_of, sites_named
from noc_web.catalog import options
from noc_web.json import plain
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

Own = dict[str, Any]
_MOST_NAMED: Final = 20


@dataclass(frozen=True)
class Contents:
    """Targets by id with their own options, groups by path, sites and maintenances by id. Never changed: a change makes another one.

    What a change leaves alone is the same object in both, so that readers find what differs by identity.
    """

    targets: Mapping[str, Own] = field(default_factory=dict)
    groups: Mapping[str, Own] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    maintenances: Mapping[str, Maintenance] = field(default_factory=dict)
    resolved: Mapping[str, Target] = field(default_factory=dict)
    """By target id, with every option that is in force."""
    revision: int = 0


class Draft:
    """What a change makes of some contents; nothing of it counts before it is checked and written."""

    def __init__(self, before: Contents, *, is_empty: bool = False) -> None:
        """`is_empty`: begin with nothing, where everything is put in again."""
        basis = Contents() if is_empty else before
        self.before = before
        self.targets = dict(basis.targets)
        self.groups = dict(basis.groups)
        self.sites = dict(basis.sites)
        self.maintenances = dict(basis.maintenances)
        self.resolved = dict(basis.resolved)
        self.resolved_total = 0
        """How often options were resolved for it."""

    def put_target(self, own: Own) -> Target:
        """Raises ProblemError 422 where its options do not fit together."""
        name = own["id"]
        self.resolved[name] = self._resolve(own)
        self.targets[name] = own
        return self.resolved[name]

    def put_group(self, path: str, group: Own) -> None:
        """Raises ProblemError 422, with its name, where a member does not bear it."""
        self.groups[path] = group
        self._resolve_members(path)

    def resolve_again(self, name: str) -> None:
        """A target some of whose groups have changed. Raises ProblemError 422, with its name, where it does not bear it."""
        try:
            self.resolved[name] = self._resolve(self.targets[name])
        except ProblemError as problem:
            raise ProblemError(422, f"{name}: {problem.detail}", problem.errors) from None

    def remove(self, kind: str, name: str) -> None:
        """Take one out of `targets`, `groups`, `sites` or `maintenances`. Nothing happens where it is not there."""
        getattr(self, kind).pop(name, None)
        if kind == "targets":
            self.resolved.pop(name, None)
        if kind == "groups":
            self._resolve_members(name)

    def take_over(self, other: Draft) -> None:
        """Become another draft over the same contents."""
        self.targets, self.groups, self.sites = other.targets, other.groups, other.sites
        self.resolved, self.resolved_total = other.resolved, other.resolved_total

    def check_parents(self, is_seen: Callable[[str], bool]) -> None:
        """That every path begins at a site that there is, leads over targets, and has an end. Raises ProblemError 422."""
        touched = [name for name, own in self.targets.items() if self.before.targets.get(name) is not own]
        for name in touched:
            target = self.resolved[name]
            self._check_sites(target, is_seen)
            for parent in parents_of(target):
                if parent not in self.targets:
                    option = option_naming(parent, target)
                    sentence = f"{option}: {parent!r} of {name} is no target; use ids of targets."
                    raise invalid([FieldError(option, sentence, ProblemCode.UNKNOWN_PARENT)])
        found = circle(self.resolved, touched)
        if found:
            names: Sequence[str] = found.names
            names = names if len(names) <= _MOST_NAMED else [*names[: _MOST_NAMED - 1], "…", names[-1]]
            option = option_naming(found.names[1], self.resolved[found.names[0]], found.sites)
            seen = f" (from {' and '.join(found.sites[:_MOST_NAMED])})" if found.sites else ""
            sentence = f"{option}: circular dependency: {' → '.join(names)}{seen}; remove one of these parents."
            raise invalid([FieldError(option, sentence, ProblemCode.CIRCULAR_PARENTS)])

    def _check_sites(self, target: Target, is_seen: Callable[[str], bool]) -> None:
        """Those that its paths begin at. One that was named before may have been deleted since. Raises ProblemError 422."""
        before = self.before.resolved.get(target.id)
        new = sites_named(target) - (sites_named(before) if before else set())
        for site in sorted(new - self.sites.keys()):
            if not is_seen(site):
                known = ", ".join(sorted(self.sites)[:_MOST_NAMED]) or "sites that are set up; there are none yet"
                sentence = f"site_parents: {site!r} of {target.id} is no site; use {known}."
                raise invalid([FieldError("site_parents", sentence, ProblemCode.DOES_NOT_FIT)])

    def changes(self) -> Iterator[tuple[str, str, Any]]:
        """Kind, name and new value of what differs; None: it is gone."""
        for kind in ("targets", "groups", "sites", "maintenances"):
            before, after = getattr(self.before, kind), getattr(self, kind)
            yield from ((kind, name, None) for name in before if name not in after)
            # What was left alone is the very same, which is known sooner than that it is equal.
            yield from (
                (kind, name, value)
                for name, value in after.items()
                if (old := before.get(name)) is not value and old != value
            )

    def difference(self, changes: Sequence[tuple[str, str, Any]]) -> tuple[Own, Own]:
        """Of the one that a change is about, what differs: as it was and as it is. Of many at once nothing: they are counted."""
        if len(changes) != 1:
            return {}, {}
        ((kind, name, value),) = changes
        before, after = _plain(getattr(self.before, kind).get(name)), _plain(value)
        names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        return (
            {name: before[name] for name in sorted(names) if name in before},
            {name: after[name] for name in sorted(names) if name in after},
        )

    def finished(self, revision: int) -> Contents:
        return Contents(self.targets, self.groups, self.sites, self.maintenances, self.resolved, revision)

    def _resolve_members(self, path: str) -> None:
        for name, own in self.targets.items():
            if is_below(own.get("group", ""), path):
                self.resolve_again(name)

    def _resolve(self, own: Own) -> Target:
        self.resolved_total += 1
        target = options.resolved(own, self.groups)
        before = self.before.resolved.get(target.id)
        return before if before == target else target


def _plain(value: Own | Site | Maintenance | None) -> Own:
    if value is None:
        return {}
    return value if isinstance(value, dict) else plain(value)
