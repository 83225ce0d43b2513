"""`noc sbom`: every package of the lock that running needs, and none that only the tests need."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from noc_launcher.checkout import REPOSITORY, TEST_LINE
from noc_launcher.errors import CommandError
from noc_launcher.sbom import document
from tests.launcher.conftest import Noc

LEAST = {"python-socketio": (5, 14), "werkzeug": (3, 0, 3), "flask": (3, 1), "gevent": (24,)}
"""Versions from which on known holes are closed."""


def test_it_is_alone_on_standard_output_and_has_what_the_lock_has(noc: Noc) -> None:
    done = noc("sbom")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    runtime, _, tests = (REPOSITORY / "requirements.lock").read_text().partition(TEST_LINE)
    assert len(found["components"]) == len(re.findall(r"^\S+==", runtime, re.MULTILINE)) > 0
    assert sum(len(one["hashes"]) for one in found["components"]) == runtime.count("--hash=")
    assert all(one["hashes"] for one in found["components"])
    names = {one["name"] for one in found["components"]}
    assert {"flask", "gevent", "icmplib", "paho-mqtt"} <= names
    assert "pytest==" in tests
    assert "pytest" not in names


def test_the_lock_has_nothing_older_than_what_closed_a_known_hole() -> None:
    components = document((REPOSITORY / "requirements.lock").read_text(), "1")["components"]
    locked = {one["name"]: tuple(int(part) for part in one["version"].split(".")[:3]) for one in components}
    assert {name: locked[name] for name, least in LEAST.items() if locked[name] < least} == {}


def test_a_lock_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="a line that names no version: 'something'"):
        document("something\n", "1")
