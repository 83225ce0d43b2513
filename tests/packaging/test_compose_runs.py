"""docker-compose.yml and compose.site.yml as a user starts them, in a Docker engine of the test's own.

No image can be pulled here: Debian's Mosquitto, HAProxy and Python stand in for theirs, and for InfluxDB 2 Debian's
engine of version 1 behind a front. Ours are built by the Dockerfile, and the files are run as they are but for what
Debian's Compose does not know.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from noc_launcher import secret_files
from tests.packaging import compose
from tests.packaging.engine import Engine, Project
from tests.packaging.repository import ROOT, SERVICES
from tests.parts.waiting import wait_until

pytestmark = [pytest.mark.long_only, pytest.mark.timeout(2400)]

HERE = "10.45.0.1"
"""An address of the machine that all of this runs on, as other machines know it."""
STARTED = {name for name, one in compose.services().items() if one.get("profiles") != ["grafana"]}
FOREIGN = {name: one["image"] for name, one in compose.services().items() if name not in SERVICES and name in STARTED}
PROFILE = ("--profile", "sites")


@pytest.fixture(scope="module")
def engine(own_network: None, outside_namespace: Callable[..., subprocess.CompletedProcess[str]]) -> Iterator[Engine]:
    images = {"python": python_image(), **FOREIGN}
    subprocess.run(["ip", "address", "add", f"{HERE}/32", "dev", "lo"], check=True)
    with Engine(images, outside_namespace) as engine:
        yield engine


def python_image() -> str:
    (first, *_) = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if "FROM" in line]
    return first.split()[1]


class Noc:
    """The whole NOC of docker-compose.yml."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.project = Project(engine, "docker-compose.yml", folder)
        settings = (ROOT / ".env.example").read_text(encoding="utf-8")
        (folder / ".env").write_text(settings.replace("NOC_SITES_CONNECT_TO=", f"NOC_SITES_CONNECT_TO={HERE}"))
        secret_files.make(folder / "secrets", "local")

    def noc(self, *words: str) -> str:
        return self.project.execute("web", "noc", *words).strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:8080/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def start(self) -> None:
        self.project.compose(*PROFILE, "up", "--detach")
        wait_until(
            lambda: self.project.health() == dict.fromkeys(STARTED, "healthy"),
            180,
            "everything healthy",
            seen=lambda: (self.project.health(), self.project.compose("logs", "--tail", "20")),
            pause_s=2,
        )
        self.token = self.noc("token", "create", "--role", "admin")

    def site(self, name: str) -> Any:
        return next((one for one in self.ask("GET", "status")["sites"] if one["id"] == name), None)


@pytest.fixture(scope="module")
def noc(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Noc:
    found = Noc(engine, tmp_path_factory.mktemp("noc"))
    found.start()
    return found


def test_what_is_pinged_is_up_and_in_the_history_with_debian_s_mosquitto_and_influxdb_1_standing_in(noc: Noc) -> None:
    often = {"interval_s": 2, "packets": 2, "packet_gap_ms": 50, "timeout_ms": 500}
    noc.ask("POST", "targets", {"id": "broker", "name": "Broker", "address": "mosquitto", **often})
    wait_until(
        lambda: [one["state"] for one in noc.ask("GET", "status")["targets"]] == ["UP"],
        60,
        "the target UP",
        seen=lambda: noc.ask("GET", "status"),
        pause_s=1,
    )
    wait_until(
        lambda: noc.ask("GET", "targets/broker/history?points=50")["sites"].get("local"),
        60,
        "cycles in the history",
        seen=lambda: noc.project.compose("logs", "--tail", "20", "recorder"),
        pause_s=1,
    )


def test_the_doctor_finds_nothing_ill(noc: Noc) -> None:
    found = [line.split(maxsplit=1) for line in noc.noc("doctor").splitlines()]
    assert {"broker", "recorder", "alerter", "prober", "history"} <= {text.split()[0] for _, text in found}
    # Nobody is mailed here.
    assert [text for level, text in found if level != "ok" and not text.startswith("alerter")] == []


@pytest.mark.parametrize("name", sorted(STARTED))
def test_a_running_container_has_no_right_but_what_it_needs(noc: Noc, name: str) -> None:
    wanted = compose.services()[name]
    container = noc.project.container(name)
    (seen,) = json.loads(noc.project.engine.docker("inspect", container))
    host = seen["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert not host["CapAdd"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] == wanted["pids_limit"]
    # And so the kernel says of its first process.
    status = dict(
        line.split(":\t", 1)
        for line in noc.project.execute(name, "cat", "/proc/1/status").splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split()[1] == wanted["user"].partition(":")[0] != "0"
    assert {status[one] for one in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    refused = noc.project.execute(name, "sh", "-c", "touch /usr/x || touch /etc/x", exit_code=1)
    assert refused.count("Read-only file system") == 2


@pytest.mark.parametrize(
    ("name", "is_let_out"), [("mosquitto", False), ("recorder", False), ("influxdb", False), ("prober", True)]
)
def test_who_needs_no_way_out_has_none(noc: Noc, name: str, is_let_out: bool) -> None:
    out = f"import socket; socket.create_connection(('{HERE}', 8883), 3)"
    said = noc.project.execute(name, "python3", "-c", out, exit_code=0 if is_let_out else 1)
    assert ("Error" in said) is not is_let_out


def test_a_site_joins_by_its_line_and_is_cut_off_at_once(noc: Noc, tmp_path: Path) -> None:
    token = json.loads(noc.noc("site", "add", "paris", "--json"))["join"]
    site = Project(noc.project.engine, "compose.site.yml", tmp_path, {"NOC_JOIN": token})
    site.compose("up", "--detach")
    try:
        wait_until(lambda: (noc.site("paris") or {}).get("online"), 60, "paris", seen=lambda: site.compose("logs"))
        wait_until(lambda: site.health() == {"prober": "healthy"}, 120, "a healthy prober", seen=site.health, pause_s=2)
        assert "on " in noc.noc("site", "list").splitlines()[-1]
        noc.noc("site", "disable", "paris")
        wait_until(lambda: not noc.site("paris")["online"], 5, "paris cut off", seen=lambda: noc.site("paris"))
        assert "refused us" in site.execute("prober", "noc-service", "--health", exit_code=1)
        assert noc.site("local")["online"]
    finally:
        site.compose("down", "--volumes")


def test_without_its_token_a_site_does_not_start(noc: Noc, tmp_path: Path) -> None:
    site = Project(noc.project.engine, "compose.site.yml", tmp_path, {"NOC_JOIN": ""})
    refused = site.compose("run", "--rm", "prober", exit_code=2)
    assert "noc-prober: NOC_JOIN_FILE: the file '/run/secrets/join' is empty" in refused


@pytest.mark.parametrize(("service", "secret"), [("web", "NOC_MQTT_URL_FILE"), ("recorder", "NOC_HISTORY_URL_FILE")])
@pytest.mark.parametrize(("content", "why"), [("", "is empty"), ("mqtt://x:PASSWORD@y", "the sample PASSWORD")])
def test_with_an_empty_or_a_sample_secret_a_service_does_not_start(
    noc: Noc, tmp_path: Path, service: str, secret: str, content: str, why: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    file.chmod(0o444)
    words = [
        "run",
        "--rm",
        "--volume",
        f"{file}:/secret:ro",
        "--env",
        f"{secret}=/secret",
        compose.services()[service]["image"],
    ]
    assert why in noc.project.engine.run(["docker", *words], exit_code=2)


def test_a_recorder_that_reaches_no_database_is_ill_until_it_does(noc: Noc) -> None:
    noc.project.compose("stop", "influxdb")
    health = ("recorder", "noc-service", "--health")
    said = wait_until(lambda: _ill(noc, "recorder"), 90, "an ill recorder", pause_s=2)
    assert "influxdb:8086" in said
    noc.project.compose("start", "influxdb")
    wait_until(lambda: not _ill(noc, "recorder"), 120, "a healthy recorder", pause_s=2)
    noc.project.execute(*health)


def _ill(noc: Noc, service: str) -> str:
    """What its health check says against it."""
    command = "noc-service --health 2>&1 || echo ill"
    said = noc.project.execute(service, "sh", "-c", command).strip()
    return said.removesuffix("ill").strip() if said.endswith("ill") else ""


def test_after_a_restart_of_everything_it_is_as_it_was(noc: Noc) -> None:
    noc.project.compose(*PROFILE, "down")
    noc.project.compose(*PROFILE, "up", "--detach")
    wait_until(lambda: noc.project.health() == dict.fromkeys(STARTED, "healthy"), 180, "all healthy", pause_s=2)
    wait_until(lambda: _status(noc) == ["UP"], 60, "the target UP again", pause_s=1)


def _status(noc: Noc) -> list[str]:
    try:
        return [one["state"] for one in noc.ask("GET", "status")["targets"]]
    except urllib.error.URLError:
        return []
