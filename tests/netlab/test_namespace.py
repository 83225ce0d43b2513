"""The test run has a network of its own, and a door to the machine's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def _network_of(process: str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def test_the_run_is_not_in_the_network_of_the_machine(own_network: None, outside_namespace: Run) -> None:
    outside = outside_namespace(["readlink", "/proc/self/ns/net"])
    assert outside.stdout.strip() not in ("", _network_of("self"))
    devices = Path("/proc/net/dev").read_text(encoding="ascii")
    assert {line.partition(":")[0].strip() for line in devices.splitlines()[2:]} <= {"lo", "netlab"}


def test_a_child_is_in_the_same_network(own_network: None) -> None:
    child = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == _network_of("self")


def test_a_command_outside_tells_its_output_and_its_exit_code(outside_namespace: Run, tmp_path: Path) -> None:
    done = outside_namespace(["sh", "-c", "pwd; echo no >&2; exit 3"], cwd=tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (3, str(tmp_path), "no")


def test_a_command_outside_that_never_ends_is_ended(outside_namespace: Run) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        outside_namespace(["sleep", "60"], timeout_s=0.2)
    assert outside_namespace(["echo", "next"]).stdout == "next\n"


def test_a_program_that_is_not_there_is_said_so(outside_namespace: Run) -> None:
    done = outside_namespace(["no-such-program"])
    assert done.returncode == 127
    assert "no-such-program" in done.stderr


def test_an_ordinary_user_gets_a_network_too(own_network: None) -> None:
    program = (
        "import ctypes, os\n"
        "from pathlib import Path\n"
        "from noc_netlab import namespace\n"
        "user, group = os.getuid(), os.getgid()\n"
        "assert ctypes.CDLL(None).unshare(0x10000000) == 0\n"
        "Path('/proc/self/uid_map').write_text(f'1000 {user} 1')\n"
        "Path('/proc/self/setgroups').write_text('deny')\n"
        "Path('/proc/self/gid_map').write_text(f'1000 {group} 1')\n"
        "before = os.getuid()\n"
        "entered = namespace.enter()\n"
        "print(before, os.getuid(), Path('/proc/self/ns/net').readlink(), entered.trouble)\n"
        "entered.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after, network, trouble = done.stdout.split(maxsplit=3)
    assert (before, after, trouble.strip()) == ("1000", "0", "None")
    assert network != _network_of("self")
