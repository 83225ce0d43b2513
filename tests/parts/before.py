"""Code of an older version, out of the repository's history, and what runs on it."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

_REPOSITORY: Final = Path(__file__).parents[2]
_TOP: Final = ("bus", "frame", "rules", "history", "services")
_MEMBERS: Final = (
    "bus",
    "frame",
    "rules",
    "history",
    "services/prober",
    "services/recorder",
    "services/alerter",
    "services/web",
)


def code_of(commit: str, folder: Path) -> Path:
    """Its code, in this folder. Skips where the repository has not all of its history."""
    packed = folder / "code.tar"
    command: Sequence[str] = ["git", "-C", str(_REPOSITORY), "archive", "--output", str(packed), commit, *_TOP]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the whole history of the repository: {done.stderr.strip()}")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    packed.unlink()
    return folder


def on_path(code: Path) -> dict[str, str]:
    """What has Python take that code, not the present one."""
    return {"PYTHONPATH": os.pathsep.join(str(code / member) for member in _MEMBERS)}
