"""./noc in a small checkout of its own: the first start, the later ones, and what it says where it cannot."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from noc_launcher.checkout import REPOSITORY, TEST_LINE
from tests.parts.ports import free_port
from tests.parts.up import clean_environment

# A build backend of twenty lines, so that nothing has to be fetched to install the checkout's one member.
BACKEND = """
import pathlib, zipfile
def build_editable(folder, settings=None, metadata=None):
    name = "noc_launcher-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("noc_launcher.pth", str(pathlib.Path(__file__).parent))
        wheel.writestr("noc_launcher-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: noc-launcher\\nVersion: 1.0\\n")
        wheel.writestr("noc_launcher-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("noc_launcher-1.0.dist-info/RECORD", "")
    return name
"""
MEMBER = """
[project]
name = "noc-launcher"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
MAIN = "import importlib.util as u, sys; print(*sys.argv[1:], *(n for n in ('tiny', 'tiny_test') if u.find_spec(n)))"


class Checkout:
    """A copy of ./noc with one member that prints its arguments, and a folder of packages for pip."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.wheels = folder / "wheels"
        self.home = folder / "home"
        for made in (self.root / "launcher/noc_launcher", self.wheels, self.home):
            made.mkdir(parents=True)
        shutil.copy(REPOSITORY / "noc", self.root)
        (self.root / "pyproject.toml").write_text('[tool.noc.workspace]\nmembers = ["launcher"]\n')
        (self.root / "launcher/pyproject.toml").write_text(MEMBER)
        (self.root / "launcher/backend.py").write_text(BACKEND)
        (self.root / "launcher/noc_launcher/__init__.py").touch()
        (self.root / "launcher/noc_launcher/__main__.py").write_text(MAIN)
        runtime, test = self.package("tiny"), self.package("tiny_test")
        (self.root / "requirements.lock").write_text(f"{runtime}{TEST_LINE}\n{test}")

    def package(self, name: str) -> str:
        """Put a package into the folder; its line for the lock."""
        file = self.wheels / f"{name}-1.0-py3-none-any.whl"
        files = {
            f"{name}.py": "",
            f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
            for path, text in files.items()
        )
        with zipfile.ZipFile(file, "w") as wheel:
            for path, text in [*files.items(), (f"{name}-1.0.dist-info/RECORD", record)]:
                wheel.writestr(path, text)
        return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"

    def environment(self, **more: str) -> dict[str, str]:
        """A user whose own pip settings name the folder of packages, and no index."""
        clean = {name: value for name, value in clean_environment(self.home).items() if not name.startswith("PIP_")}
        path = f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin"
        settings = {
            "PATH": path,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
        }
        return clean | settings | more

    def run(self, *words: str, before: Sequence[str] = (), **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, str(self.root / "noc"), *words],
            env=self.environment(**more),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose environment is made over a half-made one, by two starts at once, through a link."""
    checkout = Checkout(tmp_path_factory.mktemp("started"))
    link = checkout.home / "link to noc"
    link.symlink_to(checkout.root / "noc")
    left = checkout.root / ".venv/lib/left"
    left.parent.mkdir(parents=True)
    left.touch()
    both = [
        subprocess.Popen(
            [link, "ping", "two words"],
            env=checkout.environment(),
            cwd=checkout.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    (out, err), (waited_out, waited_err) = sorted(
        (one.communicate(timeout=120) for one in both), key=lambda answer: "waiting for another start" in answer[1]
    )
    assert (out, waited_out) == ("ping two words tiny\n",) * 2, err + waited_err
    assert f"making an environment of its own in {checkout.root}/.venv" in err
    assert "packages: done" in err
    assert waited_err == "noc: waiting for another start that is making the environment\n"
    assert not left.exists()
    return checkout


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return next(line for line in reversed(done.stderr.splitlines()) if line.startswith("noc: "))


def test_a_later_start_is_fast_silent_and_needs_no_network(started: Checkout) -> None:
    began_s = time.monotonic()
    done = started.run("up", PIP_FIND_LINKS="/nowhere")
    assert time.monotonic() - began_s < 2.0
    assert (done.stdout, done.stderr) == ("up tiny\n", "")


def test_what_only_the_tests_need_comes_with_the_tests(started: Checkout) -> None:
    done = started.run("test", "-k", "x")
    assert done.stdout == "test -k x tiny tiny_test\n"
    assert "what only the tests need: done" in done.stderr
    assert started.run("test").stderr == ""


def test_packages_of_the_users_folders_do_not_mix_with_ours(started: Checkout) -> None:
    (started.home / "noc_launcher.py").write_text("raise SystemExit('not ours')")
    assert started.run("up", PYTHONPATH=str(started.home)).stdout.startswith("up tiny")


def test_an_environment_that_was_moved_is_made_anew(started: Checkout) -> None:
    started.root = started.root.rename(started.root.with_name("moved"))
    assert started.run("up").stdout == "up tiny\n"


def test_one_whose_python_is_gone_is_made_anew_by_a_newer_one_than_those_tried_with_one_line_of_warning(
    started: Checkout, tmp_path: Path
) -> None:
    path = tmp_path / "path"
    path.mkdir()
    stub, real = path / "python3", Path(sys.executable).resolve()
    # As if it were a Python of the future, but for what it imports.
    newer = (
        "import collections, runpy, sys; "
        "sys.version_info = collections.namedtuple('V', 'major minor micro releaselevel serial')(3, 99, 0, 'final', 0); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    )
    stub.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {real} "$@"\nshift 2\nexec {real} -c "{newer}" "$@"\n')
    stub.chmod(0o755)
    for tool in ("readlink", "sh"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    (started.root / ".venv/bin/python").unlink()
    done = started.run("up", PATH=str(path))
    assert (done.returncode, done.stdout) == (0, "up tiny\n"), done.stderr
    warnings = [line for line in done.stderr.splitlines() if "newer than those NOC was tried with" in line]
    assert warnings == [
        "noc: Python 3.99 is newer than those NOC was tried with; if something fails, put python3.13 on PATH"
    ]
    assert started.run("up").stderr == ""


def test_a_changed_lock_is_installed_over_what_is_there(started: Checkout) -> None:
    kept = started.root / ".venv/kept"
    kept.touch()
    lock = started.root / "requirements.lock"
    lock.write_text(started.package("tiny_test") + lock.read_text())
    done = started.run("up")
    assert done.stdout == "up tiny tiny_test\n", done.stderr
    assert kept.exists()


def test_no_python_that_fits_is_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    path = tmp_path / "path"
    path.mkdir()
    old = path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = checkout.run("up", PATH=str(path))
    assert one_sentence(done) == done.stderr.strip()
    assert "no Python 3.11 or newer is on PATH; install one (Debian and Ubuntu: apt install python3" in done.stderr


def test_a_python_without_its_venv_module_is_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    path = tmp_path / "path"
    path.mkdir()
    # As Debian delivers it without the package python3-venv.
    hidden = "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    stub = path / "python3.13"
    real = Path(sys.executable).resolve()
    stub.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {real} "$@"\nshift 2\nexec {real} -c "{hidden}" "$@"\n')
    stub.chmod(0o755)
    sentence = one_sentence(checkout.run("up", PATH=f"{path}:/usr/bin:/bin"))
    assert "lacks its venv module; install it (Debian and Ubuntu: apt install python3-venv" in sentence
    assert not (checkout.root / ".venv").exists()


def test_no_network_is_one_sentence_and_the_next_start_goes_on(checkout: Checkout) -> None:
    index = f"http://127.0.0.1:{free_port()}/simple"
    offline = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": index, "PIP_RETRIES": "2"}
    done = checkout.run("up", **offline)
    assert done.stderr.count("noc: nothing answers where pip gets its packages; it tries again\n") == 1
    sentence = one_sentence(done)
    assert "the packages cannot be downloaded; check the network and pip's settings (pip config list)" in sentence
    assert checkout.run("up").stdout == "up tiny\n"


def test_a_package_that_is_not_the_locked_one_is_one_sentence(checkout: Checkout) -> None:
    lock = checkout.root / "requirements.lock"
    lock.write_text(lock.read_text().replace("sha256:", "sha256:00000000")[: -len("00000000")])
    wrong = [line[:-8] if "00000000" in line else line for line in lock.read_text().splitlines()]
    lock.write_text("\n".join(wrong) + "\n")
    assert "is not the one that requirements.lock names" in one_sentence(checkout.run("up"))


MOUNT = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--mount", "--map-root-user"]


def mounted(checkout: Checkout, mount: str) -> list[str]:
    """A shell before the command, which alone sees the checkout as `mount` leaves it."""
    return [*MOUNT, "sh", "-e", "-c", f'cd "{checkout.root}"\n{mount}\nexec "$@"', "sh"]


def test_no_right_to_write_is_one_sentence(own_network: None, checkout: Checkout) -> None:
    before = mounted(checkout, "mount --bind . .\nmount -o remount,bind,ro .")
    assert f"this user may not write in {checkout.root}" in one_sentence(checkout.run("up", before=before))


def test_a_full_disk_is_one_sentence(own_network: None, checkout: Checkout) -> None:
    small = checkout.root.with_name("small")
    small.mkdir()
    copy = checkout.root
    checkout.root = small
    before = mounted(checkout, f'mount -t tmpfs -o size=2m none "{small}"\ncp -r "{copy}/." "{small}"')
    sentence = one_sentence(checkout.run("up", before=before))
    assert f"the disk of {small} or of the folder for temporary files (TMPDIR) is full" in sentence
