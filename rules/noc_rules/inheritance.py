"""Effective options of a target: its own, else its group's, else those of the groups above."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Final, get_args, get_type_hints

from noc_bus.messages import Target, fields_of


def _inherited() -> dict[str, str]:
    """What a group can set for its members, and how it is handed down: as the options are declared."""
    types = get_type_hints(Target, include_extras=True)
    found = {}
    for name in fields_of(Target):
        for meta in types[name].__metadata__:
            if how := (meta.extra_json_schema or {}).get("x-inherited"):
                found[name] = how
    return found


_INHERITED: Final = _inherited()
OPTIONS: Final = tuple(_INHERITED)
"""What a group can set for its members. What names or describes one target is its own affair."""
_ADDED: Final = tuple(name for name, how in _INHERITED.items() if how == "added")
_NEAREST: Final = tuple(name for name, how in _INHERITED.items() if how == "nearest")
_NULLABLE: Final = tuple(name for name in OPTIONS if NoneType in get_args(get_type_hints(Target)[name]))


def chain(group: str) -> list[str]:
    """A group path and all paths above it, nearest first; the root group is the empty path."""
    parts = [part for part in group.split("/") if part]
    return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]


def is_below(group: str, path: str) -> bool:
    """Whether a group is the one of this path, or one below it; everything is below the root group."""
    return not path or group == path or group.startswith(f"{path}/")


def resolve(own: Mapping[str, object], group: str, groups: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """The options in force, those nobody sets left out. An option is set where its key is present.

    Where null means something, as that a target never flaps, 0 or an empty list is set to say it.
    """
    levels = [groups[path] for path in reversed(chain(group)) if path in groups]
    effective: dict[str, object] = {}
    for options in levels:
        effective |= {name: options[name] for name in _NEAREST if name in options}
    effective |= own
    for name in _ADDED:
        if (total := _added(name, [*levels, own])) is not None:
            effective[name] = total
    return effective | {name: None for name in _NULLABLE if name in effective and not effective[name]}


def _added(name: str, levels: list[Mapping[str, object]]) -> list[object] | None:
    """All that is set of a list from the root down, each once; None: nobody says anything about it."""
    total: list[object] | None = None
    for options in levels:
        if options.get(f"replace_{name}"):
            total = []
        more = options.get(name)
        if isinstance(more, list):
            total = [*(total or []), *(one for one in more if one not in (total or []))]
    return total
