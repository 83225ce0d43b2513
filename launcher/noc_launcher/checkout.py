"""What only a checkout of the repository can do: run its tests or the demonstration, and lock its dependencies."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from noc_launcher.errors import CommandError

REPOSITORY: Final = Path(__file__).resolve().parents[2]
TEST_LINE: Final = "# --- only for ./noc test ---"
_HEADER: Final = """\
# Every package, at one version, with its hashes: made by `./noc lock` from the pyproject.toml files.
"""


def run_tests(arguments: Sequence[str]) -> int:
    """Become pytest, in the repository's root; in several processes, unless the arguments say in how many (`-n0`)."""
    os.chdir(checkout())
    processors = len(os.sched_getaffinity(0))
    # All wait for something, the quick ones seldom: more processes than processors.
    processes = 1 + processors if "--quick" in arguments else 5 + 2 * processors
    parallel = [f"-n{min(9, processes)}", "--dist=loadgroup", "--no-loadscope-reorder"]
    # Plugins of what is used as a library only: each process would load them for nothing.
    unused = ["-p", "no:schemathesis", "-p", "no:anyio"]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *parallel, *unused, *arguments])  # noqa: S606  # the developer's own arguments


def run_demo(arguments: Sequence[str]) -> int:
    """Become the demonstration, which is in no site's and no server's installation."""
    if importlib.util.find_spec("noc_demo") is None:
        raise CommandError("The demonstration is not installed here: run ./noc demo in a checkout of the repository.")
    os.execv(sys.executable, [sys.executable, "-P", "-m", "noc_demo", *arguments])  # noqa: S606  # the user's own arguments


def write_lock() -> Path:
    """Rewrite the lock from the members' pyproject.toml files. Versions already locked stay where they fit."""
    root = checkout()
    if shutil.which("uv") is None:
        raise CommandError(
            "`noc lock` needs uv on PATH, and only it does; install uv (pip install uv) and run it again."
        )
    for path, content in versioned(root).items():
        path.write_text(content, encoding="utf-8")
    runtime, test = requirements(root)
    file = root / "requirements.lock"
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder) / "everything.txt"
        if file.exists():
            everything.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        all_locked = _compile([*runtime, *test], everything)
        runtime_locked = _compile(runtime, Path(folder) / "runtime.txt", constraints=everything)
    only_test = [block for block in blocks(all_locked) if block not in blocks(runtime_locked)]
    file.write_text(f"{_HEADER}{runtime_locked}{TEST_LINE}\n{''.join(only_test)}", encoding="utf-8")
    return file


def versioned(root: Path) -> dict[Path, str]:
    """The files that hold the workspace's version, as they must be: members have it, and pin each other at it."""
    workspace = _read(root)["tool"]["noc"]["workspace"]
    version = workspace["version"]
    files = {}
    for member in workspace["members"]:
        path = root / member / "pyproject.toml"
        text = re.sub(
            r'^version = ".*"$', f'version = "{version}"', path.read_text(encoding="utf-8"), flags=re.MULTILINE
        )
        files[path] = re.sub(r'"(noc-[a-z]+)(==[^"]*)?"(?=[,\]])', rf'"\1=={version}"', text)
    for compose in (root / "docker-compose.yml", root / "compose.site.yml"):
        text = compose.read_text(encoding="utf-8")
        files[compose] = re.sub(r"^(    image: noc-[a-z]+):.*$", rf"\1:{version}", text, flags=re.MULTILINE)
    return files


def requirements(root: Path) -> tuple[list[str], list[str]]:
    """What running needs from outside the workspace, and what only the tests need besides."""
    workspace = _read(root)["tool"]["noc"]["workspace"]
    runtime = {
        requirement
        for member in workspace["members"]
        for requirement in _read(root / member)["project"]["dependencies"]
        if not requirement.startswith("noc-")
    }
    return sorted(runtime | set(workspace["build"])), sorted(workspace["test"])


def blocks(locked: str) -> list[str]:
    """One text for each package: its line and its hashes."""
    found: list[str] = []
    for line in locked.splitlines(keepends=True):
        if line.startswith(" "):
            found[-1] += line
        elif not line.startswith("#"):
            found.append(line)
    return found


def _compile(wanted: Sequence[str], to: Path, constraints: Path | None = None) -> str:
    command = [
        "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
        "--no-annotate", "--no-header", "--no-emit-index-url", "--output-file", str(to),
    ]  # fmt: skip
    command += ["--constraints", str(constraints)] if constraints else []
    done = subprocess.run(  # noqa: S603  # all words are ours
        [*command, "-"], input="\n".join(wanted), text=True, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise CommandError(f"uv could not lock the dependencies: {done.stderr.strip()}")
    return to.read_text(encoding="utf-8")


def runtime_blocks(lock: str) -> list[str]:
    """Of what running needs: see `blocks`."""
    return blocks(lock.partition(TEST_LINE)[0])


def normal(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def checkout() -> Path:
    """The root of the repository. Raises CommandError where this is none."""
    if not (REPOSITORY / "requirements.lock").exists() and not (REPOSITORY / "noc").exists():
        raise CommandError("This command works in a checkout of the repository only: run ./noc there.")
    return REPOSITORY


def _read(folder: Path) -> Any:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
