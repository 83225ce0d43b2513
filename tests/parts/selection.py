"""Which tests run: without `--long` none that only the long run has, with `--quick` none that needs another process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

_QUICK_FOLDERS: Final = {"alerter", "bus", "frame", "history", "prober", "recorder", "rules", "web"}
_SLOW_FILES: Final = {
    "test_cli.py",
    "test_costly_input.py",
    "test_load.py",
    "test_lost_time.py",
    "test_migration.py",
    "test_one_option.py",
    "test_process.py",
    "test_schemathesis.py",
}
"""Their tests start Pythons of their own, or wait for what takes its time."""
_SLOW_FIXTURES: Final = {
    "chromium",
    "engine",
    "internet",
    "mosquitto",
    "nats",
    "noc_processes",
    "npm_packages",
    "own_network",
    "smtp_sink",
    "workshop",
}
"""Whoever takes one of these waits for something outside of its process."""


def may_be_quick(path: Path, tests: Path) -> bool:
    """Whether a file or folder may have a quick test: others need not even be read."""
    parts = path.relative_to(tests).parts
    return not parts or (parts[0] in _QUICK_FOLDERS and parts[-1] not in _SLOW_FILES)


def choose(items: Iterable[pytest.Item], *, is_quick: bool, is_long: bool) -> set[pytest.Item]:
    return {
        item
        for item in items
        if (is_long or not item.get_closest_marker("long_only")) and (not is_quick or _is_quick(item))
    }


def _is_quick(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(name) for name in ("alone", "thorough")):
        return False
    # What a parametrized fixture asks for by name, only its parameter tells.
    parameters = getattr(item, "callspec", None)
    chosen = {value for value in parameters.params.values() if isinstance(value, str)} if parameters else set()
    return not (_SLOW_FIXTURES | {"influxd", "influxdb2"}) & (set(getattr(item, "fixturenames", ())) | chosen)
