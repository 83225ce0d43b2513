"""Node and the few packages from npm that tests of the browser's scripts need, as the lock file names them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).resolve().parents[1] / "javascript"
_MODULES: Final = FOLDER / "node_modules"
# Present only after a whole installation of this very lock.
_STAMP: Final = _MODULES / "noc-stamp"
_OLDEST: Final = (20, 19)


def node() -> str:
    """The path of a Node that takes our scripts as they are; without one the test is skipped."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs Node on PATH (Debian and Ubuntu: apt install nodejs npm)")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) < _OLDEST:
        pytest.skip(f"needs Node {'.'.join(map(str, _OLDEST))} or newer; {program} is {version}")
    return program


def packages(run: Callable[..., subprocess.CompletedProcess[str]]) -> Path:
    """`node_modules`, installed on first use; where npm cannot, the test is skipped.

    `run` starts a command where the package index can be reached.
    """
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if not _is_installed(lock):
        handle = os.open(FOLDER, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_installed(lock):
                _install(run)
                _STAMP.write_text(lock)
        finally:
            os.close(handle)
    return _MODULES


def _is_installed(lock: str) -> bool:
    return _STAMP.exists() and _STAMP.read_text() == lock


def _install(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm on PATH (Debian and Ubuntu: apt install npm)")
    command = [npm, "ci", "--prefix", str(FOLDER), "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = run(command)
    if done.returncode:
        pytest.skip(f"npm could not get its packages; run `npm ci` in tests/javascript once:\n{done.stderr[-2000:]}")
