"""What a site is told of a target: only what it pings, and of that only what it needs for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from noc_bus.messages import Assignment, Target, fields_of
from noc_rules.parents import parents_from

_AS_THEY_ARE: Final = tuple(name for name in fields_of(Assignment) if name != "parents")
_values: Final = attrgetter(*_AS_THEY_ARE)


def is_pinged_from(target: Target, site: str) -> bool:
    return target.sites is None or site in target.sites


def assigned(target: Target, site: str, targets: Mapping[str, Target]) -> Assignment | None:
    """As this site is to ping it; None: it does not. `targets`: all, by id, to know which parents it pings too."""
    if not is_pinged_from(target, site):
        return None
    parents = [name for name in parents_from(target, site) if (one := targets.get(name)) and is_pinged_from(one, site)]
    return assignment(target, parents)


def assignment(target: Target, parents: Sequence[str]) -> Assignment:
    # Of ten thousand targets at once, for each site.
    return Assignment(parents=list(parents), **dict(zip(_AS_THEY_ARE, _values(target), strict=True)))
