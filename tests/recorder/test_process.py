"""The recorder as a process: on a real broker, killed in the middle, and with settings it cannot use."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_bus.broker import Broker
from noc_bus.channels import MARKS, REPLAYS, RESULTS, SERVICES
from noc_bus.messages import Mark, ServicePresence
from noc_bus.session import Session
from tests.parts.brokers import Mosquitto
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until
from tests.recorder.conftest import Store
from tests.recorder.records import cycle, replay

BATCH = 40


class Site:
    """A small prober: sends each result once, then again whatever the mark has not reached."""

    def __init__(self, url: str) -> None:
        self.mark = -1
        self.services: list[ServicePresence] = []
        self.next_seq = 0
        self.session = Session(Broker.parse(url), "test-site")
        self.session.subscribe(MARKS, self._on_mark, site="here")
        self.session.subscribe(SERVICES, self._on_service, service="recorder")
        self.session.start()
        wait_until(lambda: self.session.connected, 10, "the site on the broker")

    def send(self, count: int) -> None:
        """Live, at most once each."""
        for _ in range(count):
            self.session.publish(RESULTS, cycle(self.next_seq))
            self.next_seq += 1

    def replay_from_mark(self) -> None:
        first = self.mark + 1
        if first < self.next_seq:
            records = [cycle(seq) for seq in range(first, min(first + BATCH, self.next_seq))]
            self.session.publish(REPLAYS, replay(*records))

    def replay_until_marked(self, deadline_s: float) -> None:
        ended = threading.Event()

        def keep_on() -> None:
            while not ended.wait(0.1):
                self.replay_from_mark()

        thread = threading.Thread(target=keep_on)
        thread.start()
        try:
            wait_until(lambda: self.mark == self.next_seq - 1, deadline_s, "everything marked", seen=lambda: self.mark)
        finally:
            ended.set()
            thread.join()

    def _on_mark(self, mark: Mark | None, variables: dict[str, str]) -> None:
        if mark is not None:
            self.mark = max(self.mark, mark.seq)

    def _on_service(self, service: ServicePresence | None, variables: dict[str, str]) -> None:
        if service is not None:
            self.services.append(service)

    def is_told(self, *, online: bool) -> bool:
        return bool(self.services) and self.services[-1].online is online


@pytest.fixture
def site(mosquitto: Mosquitto) -> Iterator[Site]:
    site = Site(mosquitto.url())
    yield site
    site.session.stop()


def settings(mosquitto: Mosquitto, folder: Path) -> dict[str, str]:
    return {"NOC_MQTT_URL": mosquitto.url(), "NOC_DATA": str(folder)}


def test_killed_in_the_middle_of_its_work_it_has_every_cycle_exactly_once(
    mosquitto: Mosquitto, noc_processes: Processes, site: Site, tmp_path: Path
) -> None:
    noc_processes.service("recorder", settings(mosquitto, tmp_path))
    wait_until(lambda: site.is_told(online=True), 15, "the recorder")
    site.send(30)
    wait_until(lambda: site.mark == 29, 10, "a first mark")
    for _ in range(2):
        # Some of these are on their way, some in its memory, some in its transaction.
        site.send(200)
        noc_processes.kill("recorder")
        marked = site.mark
        stored_at_death = read(tmp_path)
        assert set(stored_at_death) >= {cycle(seq).at for seq in range(marked + 1)}
        wait_until(lambda: site.is_told(online=False), 20, "its last will")
        site.send(50)
        noc_processes.restart("recorder")
        site.replay_until_marked(20)
    site.send(10)
    wait_until(lambda: site.mark == site.next_seq - 1, 10, "live results marked after all that")
    assert noc_processes.stop("recorder")[0] == 0
    wait_until(lambda: site.is_told(online=False), 10, "its goodbye")
    assert read(tmp_path) == [cycle(seq).at for seq in range(site.next_seq)]


def test_the_broker_killed_and_wiped_loses_no_cycle(
    mosquitto: Mosquitto, noc_processes: Processes, site: Site, tmp_path: Path
) -> None:
    noc_processes.service("recorder", settings(mosquitto, tmp_path))
    wait_until(lambda: site.is_told(online=True), 15, "the recorder")
    site.send(30)
    wait_until(lambda: site.mark == 29, 10, "a first mark")
    site.send(60)
    mosquitto.kill()
    for kept in mosquitto.folder.glob("*.db"):
        kept.unlink()
    mosquitto.start()
    site.replay_until_marked(30)
    assert noc_processes.stop("recorder")[0] == 0
    assert read(tmp_path) == [cycle(seq).at for seq in range(site.next_seq)]


def test_on_a_disk_that_is_full_its_sites_keep_everything_and_it_says_why(
    mosquitto: Mosquitto, noc_processes: Processes, site: Site, small_disk: Path, tmp_path: Path
) -> None:
    history = f"sqlite://{small_disk}/history.sqlite"
    environment = {**settings(mosquitto, tmp_path), "NOC_HISTORY_URL": history}
    noc_processes.service("recorder", environment)
    wait_until(lambda: site.is_told(online=True), 15, "the recorder")

    def is_full() -> bool:
        site.send(40)
        return "free disk space" in (site.services[-1].trouble or "")

    wait_until(is_full, 60, "a full disk")
    site.send(40)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    site.replay_until_marked(60)
    wait_until(lambda: site.services[-1].trouble is None, 10, "no trouble any more")
    assert noc_processes.stop("recorder")[0] == 0
    assert read(small_disk) == [cycle(seq).at for seq in range(site.next_seq)]


def test_a_wrong_broker_password_is_said_in_a_sentence_that_names_the_setting(
    noc_processes: Processes, tmp_path: Path
) -> None:
    with Mosquitto(tmp_path / "closed", passwords={"recorder": "open-sesame"}) as broker:
        url = broker.url("recorder").replace("open-sesame", "abracadabra")
        noc_processes.service("recorder", {"NOC_MQTT_URL": url, "NOC_DATA": str(tmp_path)})
        sentence = "check the user name and password in NOC_MQTT_URL"
        wait_until(lambda: sentence in noc_processes.log("recorder"), 15, "the sentence")
        assert "abracadabra" not in noc_processes.log("recorder")
        assert noc_processes.stop("recorder")[0] == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"NOC_DATA": "/proc/nowhere"}, "noc-recorder: NOC_DATA: '/proc/nowhere' is not accepted"),
        (
            {"NOC_HISTORY_URL": "mysql://x"},
            "noc-recorder: NOC_HISTORY_URL: the value given is not accepted; use sqlite:///path/of/history.sqlite",
        ),
        ({"NOC_HISTORY_URL": "sqlite:///x?keep_days=0"}, "noc-recorder: NOC_HISTORY_URL: the value given"),
        ({"NOC_HISTORY_URL": "influxdb://host/org"}, "influxdb://token@host:8086/org/bucket"),
        ({"NOC_MQTT_URL": "http://x"}, "noc-recorder: NOC_MQTT_URL: the value given is not accepted; use mqtt://"),
        ({"NOC_LOG": "loud"}, "noc-recorder: NOC_LOG: 'loud' is not accepted; use debug, info, warning or error"),
    ],
    ids=["data folder", "unknown store", "days to keep", "no token", "no broker", "log level"],
)
def test_a_wrong_setting_stops_it_with_one_sentence(tmp_path: Path, wrong: dict[str, str], sentence: str) -> None:
    code, lines = run_to_the_end({"NOC_DATA": str(tmp_path), **wrong})
    assert code == 2
    assert len(lines) == 1
    assert sentence in lines[0]


@pytest.mark.parametrize("arguments", [[], ["--health"]], ids=["service", "health"])
def test_a_missing_file_of_certificates_stops_it_with_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    url = "mqtts://noc.example?ca=/nowhere/ca.pem"
    code, lines = run_to_the_end({"NOC_DATA": str(tmp_path), "NOC_MQTT_URL": url}, *arguments)
    assert code == 2
    assert "NOC_MQTT_URL: /nowhere/ca.pem cannot be read as certificates" in lines[-1]
    assert "Traceback" not in "".join(lines)


def test_a_history_file_that_is_something_else_stops_it_and_is_left_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "history.sqlite"
    other.write_text("These are my memoirs, and no database at all. " * 50)
    before = other.read_text()
    code, lines = run_to_the_end({"NOC_DATA": str(tmp_path)})
    assert code == 1
    assert f"{other}: file is not a database; move the file away to begin a new one" in lines[-1]
    assert other.read_text() == before


def test_a_history_folder_that_is_missing_is_named_and_waited_for(
    mosquitto: Mosquitto, noc_processes: Processes, tmp_path: Path
) -> None:
    """And the recorder is called ill until then: what it cannot store is why it is there."""
    folder = tmp_path / "later"
    history = f"sqlite://{folder}/history.sqlite"
    environment = {"NOC_DATA": str(tmp_path), "NOC_HISTORY_URL": history, "NOC_MQTT_URL": mosquitto.url()}
    noc_processes.service("recorder", environment)
    wait_until(lambda: f"cannot read {folder}/history.sqlite" in noc_processes.log("recorder"), 15, "the folder named")
    sentence = f"noc-recorder: cannot read {folder}/history.sqlite"
    wait_until(lambda: run_to_the_end(environment, "--health")[1][-1].startswith(sentence), 20, "an ill recorder")
    assert run_to_the_end(environment, "--health")[0] == 1
    folder.mkdir()
    wait_until(lambda: "the store works again" in noc_processes.log("recorder"), 15, "the store opened")
    wait_until(lambda: run_to_the_end(environment, "--health")[0] == 0, 20, "a healthy recorder")
    assert noc_processes.stop("recorder")[0] == 0


def read(folder: Path) -> list[int]:
    store = Store(folder / "history.sqlite")
    try:
        return list(store.cycles())
    finally:
        store.close()


def run_to_the_end(environment: dict[str, str], *arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "noc_recorder", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr.strip().splitlines()
