"""`noc up` for real, on loopback: what it starts, restarts and stops, and what it says where it cannot begin."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from noc_launcher.brokers import probe
from noc_launcher.ports import MQTT_PORT, mqtt_port
from tests.launcher.conftest import Noc, Stranger
from tests.parts.figures import Figures
from tests.parts.ports import free_port
from tests.parts.up import Up, clean_environment, fill
from tests.parts.waiting import wait_until

PARTS = ("broker", "recorder", "alerter", "prober", "web")


Start = Callable[..., Up]


@pytest.fixture
def up(own_network: None, tmp_path: Path) -> Iterator[Start]:
    started: list[Up] = []

    def start(*words: str, before: Sequence[str] = (), **settings: str) -> Up:
        started.append(Up(tmp_path, *words, before=before, **settings))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("broker", ["nats", "mosquitto"])
def test_everything_is_there_and_heals_and_stops(
    up: Start, stranger: Callable[..., Stranger], noc: Noc, broker: str
) -> None:
    running = up("--broker", broker)
    greeting = running.wait_ready()
    secret = (running.folder / "first-login.txt").read_text().strip()
    assert f"open http://127.0.0.1:{running.port} and log in as admin with the one-time secret {secret}" in greeting
    assert set(running.pids()) == set(PARTS)

    reader = stranger(running.mqtt_port)
    reader.subscribe("noc/v1/#")
    assert json.loads(reader.hear_on("noc/v1/targets/this-host", 30))["address"] == "127.0.0.1"
    # What is retained comes in any order: the state may have come before the target.
    reader.subscribe("noc/v1/states/here/this-host")
    while json.loads(reader.hear_on("noc/v1/states/here/this-host", 15))["state"] != "UP":
        continue

    before = running.pids()
    for name in PARTS:
        os.kill(before[name], signal.SIGKILL)
        wait_until(functools.partial(is_another, running, name, before[name]), 10, f"{name} again")
    wait_until(running.answers, 20, "the web service ready again", seen=running.log.read_text)

    checked = {one["check"]: one for one in json.loads(noc("doctor", "--json", "--data", str(running.folder)).stdout)}
    assert {name: checked[name]["level"] for name in ("python", "icmp", "data", "broker", "web")} == dict.fromkeys(
        ("python", "icmp", "data", "broker", "web"), "ok"
    )

    children = running.pids().values()
    assert running.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    log = running.log.read_text()
    assert all(re.search(rf"^{name} +\| ", log, re.MULTILINE) for name in PARTS if name != "broker")
    assert "Traceback" not in log
    assert secret not in log
    assert "is killed" not in log


def test_a_broker_whose_disk_was_full_is_restarted_until_it_serves_again(
    up: Start, tmp_path: Path, own_network: None
) -> None:
    store = tmp_path / "data/broker"
    store.mkdir(parents=True)
    mounted = f'mount -t tmpfs -o size=64m none "{store}" && exec "$@"'
    running = up(before=["unshare", "--mount", "sh", "-c", mounted, "sh"])
    running.wait_ready()
    # The disk as only `noc up` sees it.
    seen = Path(f"/proc/{running.process.pid}/root{store}")
    fill(seen / "filler")
    wait_until(lambda: probe.trouble(running.mqtt_port), 60, "a deaf broker", seen=running.log.read_text)
    wait_until(lambda: "the broker runs but has not served" in running.log.read_text(), 60, "a restart")
    (seen / "filler").unlink()
    wait_until(lambda: not probe.trouble(running.mqtt_port), 60, "a broker that serves", seen=running.log.read_text)
    wait_until(running.answers, 30, "a ready web service", seen=running.log.read_text)
    assert running.stop() == 0


def is_another(running: Up, name: str, pid: int) -> bool:
    return running.pids().get(name, pid) != pid


def test_its_parts_die_with_it_and_the_next_start_finds_everything(up: Start, figure: Figures) -> None:
    first = up(NOC_ADMIN_PASSWORD="a password of many letters")
    assert "log in with your name and password" in first.wait_ready()
    children = list(first.pids().values())
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children), 5, "the end of all parts")
    started_s = time.monotonic()
    up().wait_ready()
    figure.at_most("started_again_s", round(time.monotonic() - started_s, 1), 30)


def test_it_refuses_a_second_start_on_one_folder(up: Start, noc: Noc) -> None:
    running = up()
    running.wait_ready()
    done = noc("up", "--data", str(running.folder), "--port", str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"noc: NOC already runs on the data folder {running.folder} (process {running.process.pid}); "
        "stop that one, or give this one another folder with --data.\n"
    )
    wait_until(running.answers, 10, "the first one still answers")


@pytest.mark.parametrize("option", ["--port", "--mqtt-port"])
def test_a_port_in_use_is_named_with_the_option_that_changes_it(own_network: None, noc: Noc, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        web = [] if option == "--port" else ["--port", str(free_port())]
        done = noc("up", *web, option, str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"noc: Port {port} on 127.0.0.1 is in use by another program; choose another with {option}.\n"


def test_without_the_right_to_ping_one_sentence_names_the_cures(own_network: None, tmp_path: Path) -> None:
    groups = Path("/proc/sys/net/ipv4/ping_group_range")
    before = groups.read_text()
    try:
        groups.write_text("1 0")
    except OSError:
        pytest.skip("needs root: in the namespace of an ordinary user nobody's right to ping can be taken away")
    noc = [sys.executable, "-P", "-m", "noc_launcher", "up", "--port", str(free_port())]
    try:
        done = subprocess.run(
            ["setpriv", "--bounding-set=-net_raw", *noc],
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        groups.write_text(before)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("noc: This process may not send ICMP echo requests: run it as root, or")


def test_a_data_folder_that_cannot_be_one_is_named(tmp_path: Path, noc: Noc) -> None:
    (tmp_path / "file").touch()
    done = noc("up", "--data", str(tmp_path / "file/data"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"noc: The data folder {tmp_path}/file/data cannot be used (Not a directory")
    assert done.stderr.endswith("name one you may write with --data.\n")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"NOC_MAIL_FROM": "me"}, "NOC_MAIL_FROM: 'me' is not accepted"),
        ({"NOC_HISTORY_URL": "oracle://x"}, "NOC_HISTORY_URL"),
        ({"NOC_MQTT_URL": "http://x"}, "NOC_MQTT_URL"),
        ({"NOC_ADMIN_PASSWORD": "short"}, "NOC_ADMIN_PASSWORD: the value given is not accepted"),
        ({"NOC_LOG": "loud"}, "NOC_LOG: 'loud' is not accepted"),
        ({"NOC_SITE_FILE": "/nowhere/x"}, "NOC_SITE_FILE: '/nowhere/x' cannot be read"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_of_any_service_is_told_before_anything_starts(
    own_network: None, noc: Noc, tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    done = noc("up", "--port", str(free_port()), **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(f"noc: {sentence}")
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / ".local/share/noc").glob("*.sqlite"))


def test_a_taken_usual_broker_port_is_stepped_around(own_network: None) -> None:
    assert mqtt_port(None) == MQTT_PORT
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", MQTT_PORT))
        taken.listen()
        assert mqtt_port(None) not in (0, MQTT_PORT)
