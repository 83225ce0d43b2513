"""The browser's scripts without a browser: their types, and what their pure modules give."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.parts.node import FOLDER, node


def test_all_types_of_the_scripts_hold(npm_packages: Path) -> None:
    _passes([node(), str(npm_packages / "typescript/bin/tsc"), "-p", str(FOLDER), "--pretty", "false"])


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.test.js")), ids=lambda script: script.stem.partition(".")[0])
def test_the_pure_modules_of_the_page(script: Path) -> None:
    _passes([node(), "--test", "--test-reporter=spec", str(script)])


def _passes(command: list[str]) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}{done.stderr[-4000:]}"
