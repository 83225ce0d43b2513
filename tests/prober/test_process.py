"""The prober as a process: what it says when it cannot begin."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.parts import scratch


def prober(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOC_")}
    return subprocess.Popen(
        [sys.executable, "-m", "noc_prober", *arguments],
        env={**environment, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def nowhere() -> str:
    """A broker address on which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return f"mqtt://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"NOC_SITE": "Head Office"}, "noc-prober: NOC_SITE: 'Head Office' is not accepted"),
        ({"NOC_SITE": "web"}, "that name belongs to a service"),
        ({"NOC_DATA": "/proc/nowhere"}, "noc-prober: NOC_DATA: '/proc/nowhere' is not accepted"),
        ({"NOC_MQTT_URL": "http://x"}, "noc-prober: NOC_MQTT_URL: the value given is not accepted"),
        ({"NOC_LOG": "loud"}, "use debug, info, warning or error"),
    ],
)
def test_a_wrong_setting_stops_it_with_one_sentence(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    with prober(**{"NOC_DATA": str(tmp_path), **settings}) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_second_prober_on_one_folder_is_refused_and_the_first_ends_cleanly(icmp: None, tmp_path: Path) -> None:
    settings = {"NOC_DATA": str(tmp_path), "NOC_MQTT_URL": nowhere()}
    with prober(**settings) as first:
        end_s = time.monotonic() + 20
        while not (tmp_path / "prober-local.sqlite").exists():
            assert first.poll() is None
            assert time.monotonic() < end_s
            time.sleep(0.02)
        with prober(**settings) as second:
            _, err = second.communicate(timeout=20)
        assert second.returncode == 2
        assert "is in use by another prober of the site local" in err
        assert "cannot be reached" in (first.stderr.readline() if first.stderr else "")
        first.terminate()
        assert first.wait(timeout=10) == 0
        first.communicate()


def test_without_any_way_to_ping_it_names_the_three_cures(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can take its own rights away in a namespace of its own")
    program = (
        "import os, runpy, sys\n"
        "import noc_prober.__main__\n"
        "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "sys.argv = ['noc-prober']\n"
        "sys.exit(noc_prober.__main__.main())\n"
    )
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if any(parent.is_relative_to(one) for one in (tempfile.gettempdir(), scratch.MEMORY)):
            parent.chmod(parent.stat().st_mode | 0o011)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", program],  # a new namespace has no ping_group_range
        env={**os.environ, "NOC_DATA": str(tmp_path), "NOC_MQTT_URL": nowhere()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(f"no network namespace can be made here: {done.stderr.strip()}")
    if "PermissionError" in done.stderr:
        pytest.skip("needs root: in the namespace of an ordinary user nobody can become somebody else")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    for cure in ("run it as root", "setcap cap_net_raw+ep", "net.ipv4.ping_group_range"):
        assert cure in line
