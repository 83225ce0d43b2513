"""`noc site bundle FOLDER`: all that the prober of a site needs, as one folder of wheels, for a network without an index."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final

from noc_launcher.checkout import checkout, normal, runtime_blocks
from noc_launcher.errors import CommandError

PROBER: Final = ("frame", "bus", "rules", "services/prober")
DISTRIBUTION: Final = "noc-prober"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NEWEST, _OLDEST = 14, 11
_PLATFORMS: Final = ("manylinux_2_28_{}", "manylinux_2_17_{}", "manylinux2014_{}")
HOWTO: Final = """\
The prober of a site, for a machine without a package index:

    python3 -m venv /opt/noc
    /opt/noc/bin/pip install --no-index --find-links . noc-prober
    /opt/noc/bin/noc-prober --systemd --join TOKEN

TOKEN is what `noc site add` printed where the NOC runs.
"""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="noc site bundle", description=__doc__.partition(": ")[2])
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new or empty folder")
    parser.add_argument(
        "--python", type=_python, default=sys.version_info[:2], metavar="3.N", help="the site's Python (this one)"
    )
    parser.add_argument(
        "--machine", choices=("x86_64", "aarch64"), default="x86_64", help="the site's processor (x86_64)"
    )
    given = parser.parse_args(words)
    made = make(given.folder, given.python, given.machine)
    print(f"{len(made)} wheels in {given.folder}; README.txt there says how to install them", file=sys.stderr)
    return 0


def make(folder: Path, python: tuple[int, int], machine: str) -> list[str]:
    """The wheels, by name. Raises CommandError."""
    root = checkout()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty; name a new folder.")
        with tempfile.TemporaryDirectory() as work:
            wanted = Path(work) / "wanted.txt"
            lock = (root / "requirements.lock").read_text(encoding="utf-8")
            wanted.write_text("".join(_locked(lock, _foreign(DISTRIBUTION))), encoding="utf-8")
            platforms = [word for one in _PLATFORMS for word in ("--platform", one.format(machine))]
            _pip(
                "download", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp",
                "--python-version", ".".join(map(str, python)), *platforms, "--dest", str(folder),
                "--requirement", str(wanted),
            )  # fmt: skip
        own = [str(root / member) for member in PROBER]
        _pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), *own)
        (folder / "README.txt").write_text(HOWTO, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written ({error.strerror}); name another folder.") from None
    return sorted(file.name for file in folder.glob("*.whl"))


def _foreign(distribution: str) -> set[str]:
    """Every package from outside that it needs, and what these need, by their normal names."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        for requirement in _needs(waiting.pop()):
            name = _normal(requirement)
            if name not in found:
                found.add(name)
                waiting.append(name)
    return {name for name in found if not name.startswith("noc-")}


def _needs(distribution: str) -> list[str]:
    try:
        return [one for one in requires(distribution) or () if "extra ==" not in one]
    except PackageNotFoundError:
        # One that only other machines need.
        return []


def _locked(lock: str, names: set[str]) -> list[str]:
    return [block for block in runtime_blocks(lock) if _normal(block) in names]


def _normal(requirement: str) -> str:
    found = _NAME.match(requirement)
    assert found, requirement
    return normal(found[0])


def _pip(*words: str) -> None:
    """Raises CommandError."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # all words are ours
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise CommandError(f"pip {words[0]} failed: {last.removeprefix('ERROR: ')}")


def _python(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"3\.(\d{1,2})", text)
    if found is None or not _OLDEST <= int(found[1]) <= _NEWEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted; use 3.{_OLDEST} to 3.{_NEWEST}")
    return 3, int(found[1])
