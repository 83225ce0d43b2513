"""One run of the tests in several processes: what stays together, what comes first, and what has the machine to itself."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_EXPENSIVE: Final = {
    "chromium": "browser",
    "workshop": "images",
    "engine": "influxdb",
    "started": "bootstrap",
    "shown": "demo",
    "past": "past",
    "store_of_the_past": "past",
    "mixed": "mixed",
}
"""Fixtures that take long to make and that many tests share: who uses one runs in the process that has made it."""

_FIRST: Final = ("style", "scenarios", "packaging", "browser", "launcher")
"""Folders whose tests take longest: begun last, one of them would be waited for at the end."""


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Long ones first, those that want the machine to themselves last; each marked with the group it belongs to."""
    for item in items:
        names = {_EXPENSIVE[name] for name in getattr(item, "fixturenames", ()) if name in _EXPENSIVE}
        if is_alone(item):
            item.add_marker(pytest.mark.xdist_group("alone"))
        elif names:
            item.add_marker(pytest.mark.xdist_group(min(names)))
    return sorted(items, key=_place)


def is_alone(item: pytest.Item) -> bool:
    """Marked `alone`, or `alone(only="long")` in a run of the long forms."""
    marker = item.get_closest_marker("alone")
    return marker is not None and (marker.kwargs.get("only") != "long" or bool(item.config.getoption("--long")))


def _place(item: pytest.Item) -> tuple[bool, int]:
    folder = item.nodeid.split("/")[1]
    return is_alone(item), _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


@contextmanager
def room(folder: Path, *, is_alone: bool) -> Iterator[None]:
    """Wait until a test may run: beside others, or with none running. `folder` is shared by all processes of a run."""
    with _open(folder / "door") as door, _open(folder / "room") as inside:
        # Who waits to be alone keeps the door, else others would come in for ever.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(inside, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _open(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)
