"""One run of the tests in several processes: what stays together, what comes first, what is alone or before all others."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # no types

_SHARED: Final = {"chromium": "browser", "workshop": "images", "engine": "influxdb"}
"""Fixtures of a whole session that take long to make: who uses one runs in the process that has made it."""

_FIRST: Final = ("style", "scenarios", "packaging", "browser", "launcher")
"""Folders whose tests take longest: begun last, one of them would be waited for at the end."""

_NICE: Final = 10
"""Of all others where a test goes before them."""


class Scheduling(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """As `--dist=loadgroup`, which looks through all that a process has done whenever one of thousands of tests is over."""

    def _pending_of(self, workload: dict[str, dict[str, bool]]) -> int:
        pending = 0
        # A process does what it is given in this order.
        for unit in reversed(workload.values()):
            left = list(unit.values()).count(False)
            if not left:
                break
            pending += left
        return pending


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """What goes before all others, then what takes long, what wants the machine to itself last; each marked with its group."""
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
    return sorted(items, key=lambda item: (is_alone(item), not goes_before(item), not groups[item], _place(item)))


def goes_before(item: pytest.Item) -> bool:
    """Marked `before_others`: it measures the machine, which it need not have to itself to find it free whenever it works."""
    return item.get_closest_marker("before_others") is not None and not is_alone(item)


def give_way(item: pytest.Item) -> None:
    """Where a test of the run goes before all others: be nicer than it, and stay so, for only root may take it back."""
    if not goes_before(item) and goes_before(item.session.items[0]):
        os.nice(max(0, _NICE - os.nice(0)))


def is_alone(item: pytest.Item) -> bool:
    """Marked `alone`, or `alone(only="long")` in a run of the long forms."""
    marker = item.get_closest_marker("alone")
    return marker is not None and (marker.kwargs.get("only") != "long" or bool(item.config.getoption("--long")))


def _group(item: pytest.Item) -> str | None:
    """Tests of a file that share something stay together: each process would make it, and keep it running, once more."""
    if is_alone(item):
        return "alone"
    if goes_before(item):
        return "before"
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "influxdb2" in callspec.params.values():
        # There is but one bucket, which each of them empties.
        return "influxdb2"
    names = getattr(item, "fixturenames", ())
    if shared := [_SHARED[name] for name in names if name in _SHARED]:
        return min(shared)
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # no other way leads to a fixture's scope
    return item.path.stem if any(known[name][-1].scope == "module" for name in names if name in known) else None


def _place(item: pytest.Item) -> int:
    folder = item.nodeid.split("/")[1]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


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
def collecting(folder: Path) -> Iterator[None]:
    """The first process collects alone: what it compiles, all others only load."""
    with _open(folder / "collected") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def _open(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)
