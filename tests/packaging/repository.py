"""The repository as those see it who package it: its members, their versions, what they depend on."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final = ("prober", "recorder", "alerter", "web")


@cache
def members() -> tuple[str, ...]:
    """The folders of the workspace."""
    return tuple(_toml(ROOT / "pyproject.toml")["tool"]["noc"]["workspace"]["members"])


def project(folder: str) -> dict[str, Any]:
    """The `project` table of a member."""
    table: dict[str, Any] = _toml(ROOT / folder / "pyproject.toml")["project"]
    return table


def needed(folder: str) -> set[str]:
    """The folders of all members that a member needs, itself included."""
    by_name = {project(other)["name"]: other for other in members()}
    names = {requirement.partition("==")[0] for requirement in project(folder)["dependencies"]}
    own = {by_name[name] for name in names if name in by_name}
    return {folder}.union(*(needed(other) for other in own))


@cache
def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
