"""The demonstration in its short form, as a person uses it: look, press, read the mail, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from noc_bus.time import Time
from noc_demo.demo import PASSWORD
from noc_demo.network import HOSTS, SITES
from noc_demo.script import EVENTS, PERIOD_S
from noc_netlab.namespace import NoNamespace
from noc_netlab.sites import Sites
from tests.demo.visitor import Visitor
from tests.demo.watcher import Watcher
from tests.parts import chromium
from tests.parts.figures import Figures
from tests.parts.ports import free_port
from tests.parts.waiting import wait_until
from tests.parts.window import Window

READY_S = 90.0
SEEN_S = 40.0
WATCHED_ON_S = 45.0
WEEK_MS = 7 * 86_400_000


@dataclass
class Shown:
    """A demonstration that runs."""

    process: subprocess.Popen[str]
    folder: Path
    visitor: Visitor

    def record(self) -> list[dict[str, Any]]:
        """The simulation's own record."""
        file = self.folder / "simulation.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def log(self) -> str:
        return (self.folder / "demo.log").read_text()

    def incidents(self, target: str) -> list[dict[str, Any]]:
        found = self.visitor.get("/api/v1/incidents")["incidents"]
        return [
            one for one in found if target in one["targets"] and Time.parse(one["opened_at"]) > Time.now() - 600_000
        ]

    def thread(self, name: str) -> str:
        """The part of the page of mails about this target; empty while there is none."""
        threads = self.visitor.page("/demo/mails").split("<section")[1:]
        return next((one for one in threads if name in one), "")


@contextlib.contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`noc demo`, beside settings of the user's own that are none of its business; ended with Ctrl-C."""
    environment = {**os.environ, "NOC_SMTP_URL": "smtp://192.0.2.1", "NOC_SITE": "elsewhere", "TMPDIR": str(folder)}
    command = [sys.executable, "-P", "-m", "noc_launcher", "demo", *words]
    with (
        (folder / "stderr").open("w") as stderr,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(30)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(own_network: None, temporary: Path) -> Iterator[Shown]:
    try:
        with Sites({"one": ["10.0.0.2/8"]}, temporary / "record"):
            pass
    except NoNamespace as error:
        pytest.skip(f"needs a TUN device: {error}")
    with started(temporary, "--data", str(temporary / "data"), "--port", str(free_port())) as process:
        yield Shown(process, temporary / "data", enter(process, temporary))


def enter(process: subprocess.Popen[str], folder: Path) -> Visitor:
    """Wait for the sentence that says where, and log in as it says."""
    assert process.stdout
    sentence = process.stdout.readline()
    found = re.search(r"open (http://\S+) and log in as (\S+) with the password (\w+)", sentence)
    assert found, sentence + (folder / "stderr").read_text()
    visitor = Visitor(found[1])
    visitor.log_in(found[2], found[3])
    return visitor


def test_forty_targets_are_seen_live_from_three_sites(shown: Shown, temporary: Path) -> None:
    assert "NOC_SMTP_URL: for your own NOC" in (temporary / "stderr").read_text()
    rows = shown.visitor.get("/api/v1/status")["targets"]
    assert {row["id"] for row in rows} == {host.id for host in HOSTS}
    for row in rows:
        assert set(row["sites"]) == {site.id for site in SITES}
    assert sum(row["state"] == "UP" for row in rows) >= 38


def test_the_charts_have_a_week_behind_them(shown: Shown) -> None:
    now = Time.now()
    period = f"from={Time(now - WEEK_MS)}&to={now}"
    for target in ("shop", "ns-1", "ruegen-weather"):
        series = shown.visitor.get(f"/api/v1/targets/{target}/history?{period}&points=84")["sites"]
        assert {site: len(points) >= 83 for site, points in series.items()} == {site.id: True for site in SITES}


def test_what_a_person_calls_is_seen_in_the_table_an_incident_and_the_mails_and_so_is_its_end(shown: Shown) -> None:
    visitor = shown.visitor
    announced = {one["id"]: one for one in visitor.get("/demo/status")["events"]}
    assert 0 < announced["vienna-loses-bank"]["in_s"] < 600
    pressed = {one["id"]: one for one in visitor.post("/demo/events/intranet-fails")["events"]}
    assert pressed["intranet-fails"]["ends_in_s"] > 30
    wait_until(lambda: visitor.states()["intranet"] == "DOWN", SEEN_S, "intranet DOWN", seen=visitor.states)
    wait_until(lambda: shown.thread("Intranet"), SEEN_S, "the mail")
    wait_until(lambda: visitor.states()["intranet"] == "UP", 90, "intranet UP again", seen=visitor.states)
    wait_until(
        lambda: shown.thread("Intranet").count("<details") == 2, SEEN_S, "the second mail in the thread of the first"
    )
    (incident,) = wait_until(
        lambda: [one for one in shown.incidents("intranet") if one["resolved_at"]], SEEN_S, "the resolved incident"
    )
    began = next(one for one in shown.record() if (one["event"], one["what"]) == ("intranet-fails", "began"))
    late_s = (Time.parse(incident["opened_at"]) - Time.parse(began["at"])) / 1000
    assert 0 <= late_s < 15


@pytest.mark.timeout(900)
def test_every_event_is_seen_in_table_incidents_and_mails_as_the_record_says(
    shown: Shown, tmp_path: Path, is_long: bool, figure: Figures
) -> None:
    """In the long form the whole script, unattended; in the short one what a person has called."""
    with chromium.started(tmp_path) as chrome, Watcher(shown.visitor) as watcher:
        window = Window(chrome, shown.visitor.address)
        window.log_in("admin", PASSWORD)
        if is_long:
            wait_until(lambda: watcher.lasted_s > PERIOD_S + WATCHED_ON_S, PERIOD_S * 1.2, "the end of the script")
        else:
            shown.visitor.post("/demo/events/vienna-loses-bank")
            wait_until(lambda: watcher.has_seen("bank", "PARTIAL"), SEEN_S, "bank PARTIAL", seen=shown.visitor.states)
        assert window.is_live()
        window.has_no_complaints()
    incidents = shown.visitor.get("/api/v1/incidents")["incidents"]
    seen, wrong = watcher.judge(shown.record(), incidents, shown.visitor.page("/demo/mails"))
    assert wrong == []
    if is_long:
        figure.at_least("demo_events_seen", len(seen), len(EVENTS))


def test_a_mail_is_shown_as_it_looks_and_can_do_nothing(shown: Shown) -> None:
    number = wait_until(
        lambda: re.search(r"/demo/mails/(\d+)", shown.visitor.page("/demo/mails")), 90, "the first mail"
    )
    assert "<table" in shown.visitor.page(number[0])


def test_who_is_not_logged_in_sees_and_starts_nothing(shown: Shown) -> None:
    stranger = Visitor(shown.visitor.address)
    assert "<form" in stranger.page("/demo/mails")
    for path, is_post in (("/demo/status", False), ("/demo/mails/1", False), ("/demo/events/shop-flaps", True)):
        with pytest.raises(OSError, match="401"):
            (stranger.post if is_post else stranger.get)(path)


@pytest.mark.long_only
def test_a_second_one_beside_it_gets_ports_and_networks_of_its_own(shown: Shown, temporary: Path) -> None:
    with started(temporary) as second:
        visitor = enter(second, temporary)
        assert visitor.address != shown.visitor.address
        assert len(visitor.states()) == len(HOSTS)
        assert len(shown.visitor.states()) == len(HOSTS)
        (folder,) = temporary.glob("noc-demo-*/noc.lock")
        children = _tree(second.pid)
    assert second.returncode == 0
    assert not folder.parent.exists()
    _is_gone(children)


def test_ctrl_c_leaves_no_process_namespace_device_or_file(shown: Shown, temporary: Path) -> None:
    children = _tree(shown.process.pid)
    assert len(children) >= 8
    namespaces = {(Path(f"/proc/{child}/ns/net")).readlink() for child in children}
    assert len(namespaces) >= 1 + len(SITES)
    shown.process.send_signal(signal.SIGINT)
    assert shown.process.wait(30) == 0
    _is_gone(children)
    ours = {str(one) for one in namespaces} - {str(Path("/proc/self/ns/net").readlink())}
    assert not ours & _namespaces()
    assert not list(temporary.glob("noc-*"))
    problems = [line for line in shown.log().splitlines() if '"level": "error"' in line or "Traceback" in line]
    assert not problems


def _namespaces() -> set[str]:
    """The networks of all processes."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            found.add(str(link.readlink()))
    return found


def _tree(pid: int) -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_tree(int(child))]
    return found


def _is_gone(pids: list[int]) -> None:
    until_s = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until_s, [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        time.sleep(0.05)
