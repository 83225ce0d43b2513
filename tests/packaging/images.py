"""Does what the Dockerfiles say, in a folder instead of a container: the same commands on the same files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.dockerfiles import Instruction, Stage, stages
from tests.packaging.repository import ROOT

Outside = Callable[..., subprocess.CompletedProcess[str]]
INSTALLED: Final = "/opt/noc"
OFFLINE: Final = re.compile(
    r"Failed to establish a new connection|Temporary failure in name resolution|ConnectTimeoutError"
)
_IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")


class Workshop:
    """Makes the environment of a service as its image has it; the steps that all share are done once."""

    def __init__(self, folder: Path, outside: Outside) -> None:
        self._folder = folder
        self._outside = outside
        self._made: dict[str, Path] = {}

    def environment(self, service: str) -> Path:
        """The folder that the image of `service` has as /opt/noc."""
        if service not in self._made:
            self._made[service] = self._make(service)
        return self._made[service]

    def clean_environment(self, name: str) -> Path:
        """An environment with nothing in it."""
        folder = self._folder / name
        self._checked([sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)], self._folder)
        return folder

    def pip_install(self, environment: Path, *words: str | Path) -> None:
        """`pip install` into an environment, from the root of the repository."""
        pip = [str(self._python() / "bin" / "pip"), "--python", str(environment / "bin" / "python")]
        self._checked([*pip, "install", *map(str, words)], ROOT)

    def _python(self) -> Path:
        """The Python of the build stage, with pip."""
        folder = self._folder / "python"
        if not folder.exists():
            self._checked([sys.executable, "-I", "-m", "venv", str(folder)], self._folder)
        return folder

    def _make(self, service: str) -> Path:
        stage = stages(service)[0]
        first = shared_steps(stage)
        shared = self._folder / "shared"
        if not shared.exists():
            shared.mkdir()
            self._do(stage, stage.instructions[:first], shared, shared / "unused")
        folder, target = self._folder / service, self._folder / f"{service}-environment"
        shutil.copytree(shared, folder, copy_function=os.link)
        self._do(stage, stage.instructions[first:], folder, target)
        return target

    def _do(self, stage: Stage, instructions: Sequence[Instruction], folder: Path, target: Path) -> None:
        settings = [f"{name}={value}" for name, value in stage.environment.items()]
        path = f"PATH={self._python() / 'bin'}:{os.environ['PATH']}"
        for one in instructions:
            if one.word == "COPY":
                *sources, to = one.words
                for source in sources:
                    _copy(ROOT / source, folder / to)
            elif one.word == "RUN":
                command = one.text.replace(INSTALLED, str(target))
                self._checked(["env", path, *settings, "sh", "-ec", command], folder)

    def _checked(self, command: list[str], cwd: Path) -> str:
        done = self._outside(command, cwd=cwd)
        if done.returncode:
            said = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            if OFFLINE.search(said):
                pytest.skip("needs the package index, which cannot be reached")
            raise AssertionError(f"{command[-1]}\nended with {done.returncode}:\n{said}")
        return done.stdout


def shared_steps(stage: Stage) -> int:
    """How many instructions come before the service's name."""
    return next(place for place, one in enumerate(stage.instructions) if one.word == "ARG")


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=_IGNORED)
    else:
        shutil.copy(source, to / source.name if to.is_dir() else to)
