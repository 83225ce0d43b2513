"""What a target lies behind: its parents, from each site, and circles among them. Pure.

The parents of one group are alternatives: a path is cut once all of a group are DOWN. `parents` is one group and each entry
of `parent_groups` another; from a site that `site_parents` names, only what that says of the site counts.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from noc_bus.messages import Target

NONE: Final = "-"
"""In place of a group in `site_parents`: from this site there is none."""
_OTHER: Final = ""
"""Any site that nobody names."""


def groups_from(target: Target, site: str) -> list[list[str]]:
    """The groups of alternatives on the path from this site to the target."""
    own = [group for named, group in _by_site(target) if named == site]
    return [group for group in own if group] if own else _general(target)


def parents_from(target: Target, site: str) -> list[str]:
    """All parents on the path from this site, each once."""
    return _each(groups_from(target, site))


def parents_of(target: Target) -> list[str]:
    """All its parents, from whatever site, each once."""
    if not target.parent_groups and not target.site_parents:
        return target.parents
    return _each([*_general(target), *(group for _, group in _by_site(target))])


def sites_named(target: Target) -> set[str]:
    """The sites from which its path differs."""
    return {site for site, _ in _by_site(target)}


def option_naming(parent: str, target: Target, sites: Iterable[str] = ()) -> str:
    """By which of its options a target has this parent; by the one for `sites` where that is so."""
    if any(site in sites and parent in group for site, group in _by_site(target)):
        return "site_parents"
    if parent in target.parents:
        return "parents"
    return "parent_groups" if any(parent in group for group in _general(target)) else "site_parents"


def above(names: Iterable[str], parents: Callable[[str], Iterable[str]]) -> set[str]:
    """These, and whatever lies above them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += parents(name)
    return found


@dataclass(frozen=True)
class Circle:
    """A chain of parents that comes back to where it began. `sites`: those without which it would not; none: it always does."""

    names: tuple[str, ...]
    sites: tuple[str, ...] = ()


def circle(targets: Mapping[str, Target], starts: Iterable[str]) -> Circle | None:
    """The first circle found from one of `starts` on. Parents that are no targets end a chain.

    Two targets may well lie behind each other, from different sites: that is a ring, and no circle. It is one where a
    path could be followed from one site all the way round. A target without `site_parents` is judged by the verdicts
    of its parents, which any site may have brought about: behind it the path goes on from every site.
    """
    found = _first_circle([_Place(name) for name in starts], _Steps(targets).after)
    if found is None:
        return None
    names = [found[0].name]
    for before, after in itertools.pairwise(found):
        if before.site is not None or not targets[before.name].site_parents:
            names.append(after.name)
    return Circle(tuple(names), tuple(sorted({place.site for place in found if place.site})))


class _Place(NamedTuple):
    """A target on the way; `site` None: seen from any."""

    name: str
    site: str | None = None


class _Steps:
    """Where a path goes on from a place."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets

    @functools.cached_property
    def _sites(self) -> list[str]:
        return [_OTHER, *sorted({site for one in self._targets.values() for site in sites_named(one)})]

    def after(self, place: _Place) -> Iterator[_Place]:
        target = self._targets.get(place.name)
        if target is None:
            return
        if not target.site_parents:
            yield from (_Place(parent) for parent in parents_of(target))
        elif place.site is None:
            yield from (_Place(place.name, site) for site in self._sites)
        else:
            for parent in parents_from(target, place.site):
                above = self._targets.get(parent)
                yield _Place(parent, place.site if above and above.site_parents else None)


def _first_circle(starts: Iterable[_Place], after: Callable[[_Place], Iterator[_Place]]) -> list[_Place] | None:
    done: set[_Place] = set()
    for start in starts:
        path: dict[_Place, None] = {}
        stack = [(start, after(start))] if start not in done else []
        while stack:
            place, rest = stack[-1]
            path[place] = None
            following = next((one for one in rest if one not in done), None)
            if following is None:
                done.add(place)
                stack.pop()
                del path[place]
            elif following in path:
                places = list(path)
                return [*places[places.index(following) :], following]
            else:
                stack.append((following, after(following)))
    return None


def _general(target: Target) -> list[list[str]]:
    found = [one.split("|") for one in target.parent_groups]
    return [target.parents, *found] if target.parents else found


def _by_site(target: Target) -> Iterator[tuple[str, list[str]]]:
    for one in target.site_parents:
        site, _, group = one.partition(":")
        yield site, [] if group == NONE else group.split("|")


def _each(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))
