"""The tools agree with the code: format, lint and types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TYPED = [
    "frame/noc_frame",
    "bus/noc_bus",
    "rules/noc_rules",
    "history/noc_history",
    "services/prober/noc_prober",
    "services/recorder/noc_recorder",
    "services/alerter/noc_alerter",
    "services/web/noc_web",
    "launcher/noc_launcher",
    "netlab/noc_netlab",
    "demo/noc_demo",
    "benchmarks",
    "tests",
]


@pytest.mark.parametrize(
    ("tool", "arguments", "cure"),
    [
        ("ruff", ["format", "--check"], "ruff format"),
        ("ruff", ["check"], "ruff check --fix"),
    ],
    ids=["format", "lint"],
)
def test_the_code_is_as_ruff_wants_it(tool: str, arguments: list[str], cure: str) -> None:
    _agrees([sys.executable, "-m", tool, *arguments, "."], cure)


@pytest.mark.timeout(600)
def test_all_types_hold() -> None:
    with_code = [path for path in TYPED if any((REPOSITORY / path).rglob("*.py"))]
    _agrees([sys.executable, "-m", "mypy", "--strict", *with_code], "mypy --strict")


def _agrees(command: list[str], cure: str) -> None:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `{cure}`:\n{done.stdout[-8000:]}{done.stderr[-2000:]}"
