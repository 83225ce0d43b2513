"""Sites in namespaces of their own, behind which one simulated internet lies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_netlab.namespace import NoNamespace
from noc_netlab.sites import GATE, Sites
from tests.parts.waiting import wait_until

OWN = {
    "east": ["10.255.1.2/8", "203.0.113.1/24", "2001:db8:ff:1::2/32"],
    "west": ["10.255.2.2/8", "2001:db8:ff:2::2/32"],
}


@pytest.fixture
def sites(own_network: None, tmp_path: Path) -> Iterator[Sites]:
    try:
        opened = Sites(OWN, tmp_path / "record").__enter__()
    except NoNamespace as error:
        pytest.skip(f"needs a TUN device: {error}")
    yield opened
    opened.__exit__()


def said(sites: Sites, site: str, *command: str) -> str:
    done = subprocess.run([*sites.inside(site), *command], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def ping(sites: Sites, site: str, address: str) -> str:
    return said(sites, site, sys.executable, "-m", "noc_launcher", "ping", "--count", "2", address)


def test_a_host_may_be_silent_for_one_site_and_not_for_the_other(sites: Sites) -> None:
    sites.behave("10.1.1.1", site="east", silent=True)
    assert "0 received" in ping(sites, "east", "10.1.1.1")
    assert "2 received" in ping(sites, "west", "10.1.1.1")


@pytest.mark.parametrize("address", ["10.1.1.1", "203.0.113.9", "2001:db8:1::9"])
def test_every_network_of_a_site_is_reached(sites: Sites, address: str) -> None:
    assert "2 received" in ping(sites, "east", address)


def test_a_site_that_is_cut_hears_nobody_until_it_is_mended(sites: Sites) -> None:
    sites.cut("west", is_cut=True)
    assert "0 received" in ping(sites, "west", "10.1.1.1")
    sites.cut("west", is_cut=False)
    assert "2 received" in ping(sites, "west", "10.1.1.1")


def test_names_are_those_of_the_simulation_and_of_nothing_else(sites: Sites) -> None:
    sites.name({"core.example": ["10.0.0.1"]})
    assert said(sites, "east", "getent", "ahostsv4", "core.example").split()[0] == "10.0.0.1"
    assert said(sites, "east", "getent", "hosts", "10.0.0.1").split() == ["10.0.0.1", "core.example"]
    assert said(sites, "east", "getent", "hosts", socket.gethostname()) == ""


def test_the_system_s_own_files_are_as_before(sites: Sites) -> None:
    before = Path("/etc/resolv.conf").read_bytes()
    assert "nameserver 127.0.0.1" in said(sites, "east", "cat", "/etc/resolv.conf")
    assert Path("/etc/resolv.conf").read_bytes() == before


def test_a_trace_shows_the_routers_of_the_path_and_one_of_them_says_little(sites: Sites) -> None:
    sites.behave("10.1.1.1", delay_ms=9, path=["10.0.0.1", "10.0.0.2"], limited=["10.0.0.2"])
    sites.name({"first.example": ["10.0.0.1"]})
    lines = said(sites, "east", sys.executable, "-m", "noc_launcher", "trace", "10.1.1.1").splitlines()
    assert "first.example" in lines[1]
    assert [line.count(" ms") for line in lines[1:4]] == [3, 1, 3]


def test_a_rate_limited_host_answers_one_ping_a_second(sites: Sites) -> None:
    sites.behave("10.1.1.1", delay_ms=1, limit_per_s=1)
    assert "1 received" in said(sites, "east", sys.executable, "-m", "noc_launcher", "ping", "--count", "4", "10.1.1.1")


def test_what_connects_at_a_site_s_gate_arrives_here(sites: Sites) -> None:
    program = f"import socket; socket.create_connection({GATE!r}).sendall(b'from east')"
    client = subprocess.Popen([*sites.inside("east"), sys.executable, "-c", program])
    sites.gates["east"].settimeout(20)
    connection, _ = sites.gates["east"].accept()
    with connection:
        connection.settimeout(20)
        assert connection.recv(100) == b"from east"
    assert client.wait(10) == 0


def test_nothing_of_it_stays(own_network: None, tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    devices = Path("/proc/net/dev").read_text(encoding="ascii").count("\n")
    try:
        with Sites(OWN, tmp_path / "record") as sites:
            process = sites._process
            assert process
            assert Path("/proc/net/dev").read_text(encoding="ascii").count("\n") == devices
    except NoNamespace as error:
        pytest.skip(f"needs a TUN device: {error}")
    wait_until(lambda: not Path(f"/proc/{process.pid}").exists(), 5, "the end of its process")
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_without_the_right_to_it_one_sentence_says_what_helps(tmp_path: Path) -> None:
    """Where user namespaces are used up, as an administrator may have ordered."""
    if os.getuid() != 0:
        pytest.skip("needs root, to give up a right")
    program = (
        "import os, resource\n"
        "from pathlib import Path\n"
        "from noc_netlab.sites import Sites\n"
        "from noc_netlab.namespace import NoNamespace\n"
        "import ctypes\n"
        "assert ctypes.CDLL(None).prctl(24, 21, 0, 0, 0) == 0\n"
        f"try: Sites({OWN!r}, Path({str(tmp_path / 'record')!r})).__enter__()\n"
        "except NoNamespace as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith(
        "the kernel refuses a network namespace (Operation not permitted); run this as root, or allow"
    )
    assert done.stdout.count("\n") == 1
