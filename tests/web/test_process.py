"""The web service as a process: settings it cannot use are one sentence, and what it has survives a kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_bus.broker import Broker
from noc_bus.channels import SERVICES, TARGETS
from noc_bus.messages import ServicePresence, Target
from noc_bus.session import Session
from noc_frame.exit_codes import EXIT_SETTINGS
from noc_history.store import Batch
from noc_history.stores import FILE_NAME, in_folder
from noc_web.__main__ import main
from noc_web.auth.accounts import FIRST_LOGIN
from noc_web.config import SETTINGS, Config
from noc_web.database.opening import Database
from noc_web.database.schema import LADDER
from tests.parts.brokers import Mosquitto
from tests.parts.ports import free_port
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until
from tests.web.conftest import PASSWORD
from tests.web.page import Person


def run_to_the_end(environment: dict[str, str]) -> tuple[int, list[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOC_")}
    done = subprocess.run(
        [sys.executable, "-m", "noc_web"], env=clean | environment, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()


@pytest.fixture
def as_in_a_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without our settings, and with the signals of the tests afterwards: a process of its own takes a second for each."""
    for name in [name for name in os.environ if name.startswith("NOC_")]:
        monkeypatch.delenv(name)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"NOC_DATA": "/proc/nowhere"}, "NOC_DATA: '/proc/nowhere' is not accepted"),
        ({"NOC_HTTP_PORT": "0"}, "NOC_HTTP_PORT: '0' is not accepted; use a port from 1 to 65535."),
        ({"NOC_HTTP_PORT": "http"}, "NOC_HTTP_PORT: 'http' is not accepted"),
        (
            {"NOC_ADMIN_PASSWORD": "too short"},
            "NOC_ADMIN_PASSWORD: the value given is not accepted; use 12 to 128 characters.",
        ),
        ({"NOC_PUBLIC_URL": "noc.example.org"}, "NOC_PUBLIC_URL: 'noc.example.org' is not accepted"),
        ({"NOC_PUBLIC_URL": "https://noc.example.org/noc"}, "it has a path; give NOC a host name of its own"),
        ({"NOC_PUBLIC_URL": "https://anna:secret@noc.example.org"}, "it has a user or a password in it"),
        ({"NOC_PUBLIC_URL": "https://noc.example.org:99999"}, "NOC_PUBLIC_URL: "),
        ({"NOC_TRUSTED_PROXIES": "proxy.example"}, "NOC_TRUSTED_PROXIES: 'proxy.example' is not accepted"),
        ({"NOC_REPORT_TITLE": "x" * 121}, "is not accepted; use 1 to 120 characters."),
        ({"NOC_REPORT_LOGO": "/none.png"}, "NOC_REPORT_LOGO: '/none.png' is not accepted ([Errno 2]"),
        ({"NOC_REPORT_LOGO": "/proc/self/status"}, "use the path of a PNG, JPEG or SVG file of at most 200 kB."),
        ({"NOC_AUDIT_KEEP_DAYS": "0"}, "NOC_AUDIT_KEEP_DAYS: '0' is not accepted; use a number of days"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else None,
)
def test_a_wrong_setting_stops_it_with_one_sentence(
    tmp_path: Path,
    wrong: dict[str, str],
    sentence: str,
    as_in_a_process: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"NOC_DATA": str(tmp_path), "NOC_HTTP_PORT": str(free_port()), **wrong}.items():
        monkeypatch.setenv(name, value)
    assert main([]) == EXIT_SETTINGS
    lines = "".join(capfd.readouterr()).strip().splitlines()
    assert len(lines) == 1
    assert sentence in lines[0]
    assert "too short" not in lines[0]


@pytest.mark.parametrize("host", ["10.255.255.1", "no such host"])
def test_an_address_that_is_not_this_machine_s_stops_it_with_one_sentence(tmp_path: Path, host: str) -> None:
    settings = {"NOC_DATA": str(tmp_path), "NOC_HTTP_PORT": str(free_port()), "NOC_HTTP_HOST": host}
    code, (line,) = run_to_the_end(settings)
    assert code == EXIT_SETTINGS
    assert f"NOC_HTTP_HOST and NOC_HTTP_PORT: {host}:" in line


def test_a_port_in_use_stops_it_with_one_sentence_and_nothing_is_begun(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, lines = run_to_the_end({"NOC_DATA": str(tmp_path), "NOC_HTTP_PORT": str(port)})
    assert code == EXIT_SETTINGS
    assert len(lines) == 1
    assert f"NOC_HTTP_HOST and NOC_HTTP_PORT: 127.0.0.1:{port} cannot be listened on" in lines[0]
    assert "use another port" in lines[0]
    assert not (tmp_path / "web.sqlite").exists()


def test_a_database_file_that_is_something_else_stops_it_and_is_left_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "web.sqlite"
    other.write_text("These are my memoirs, and no database at all. " * 50)
    before = other.read_text()
    code, lines = run_to_the_end({"NOC_DATA": str(tmp_path), "NOC_HTTP_PORT": str(free_port())})
    assert code == EXIT_SETTINGS
    assert len(lines) == 1
    assert f"NOC_DATA: cannot open {other}: file is not a database" in lines[0]
    assert other.read_text() == before


def test_a_database_of_a_newer_program_is_refused_as_the_other_databases_are(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "web.sqlite")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (LADDER.newest,)
        connection.execute("PRAGMA user_version = 99")
    code, lines = run_to_the_end({"NOC_DATA": str(tmp_path), "NOC_HTTP_PORT": str(free_port())})
    assert (code, len(lines)) == (EXIT_SETTINGS, 1)
    known = f"the file has version 99, this program knows versions up to {LADDER.newest}"
    assert f"was written by a newer version of NOC ({known})" in lines[0]


def test_a_database_is_its_owner_s_alone(tmp_path: Path) -> None:
    Database(tmp_path).close()
    (tmp_path / "web.sqlite").chmod(0o644)
    Database(tmp_path).close()
    assert (tmp_path / "web.sqlite").stat().st_mode & 0o777 == 0o600


MOUNT = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--mount", "--map-root-user"]


def test_it_asks_no_name_server_for_its_own_name(own_network: None, noc_processes: Processes, tmp_path: Path) -> None:
    """A NOC must start where the DNS is silent; the question would take ten seconds."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.7\n")
    mounted = [*MOUNT, "sh", "-e", "-c", f'mount --bind "{resolver}" /etc/resolv.conf\nexec "$@"', "sh"]
    settings = {
        "NOC_DATA": str(tmp_path / "web"),
        "NOC_HTTP_HOST": "127.0.0.6",
        "NOC_HTTP_PORT": str(free_port()),
        "NOC_MQTT_URL": f"mqtt://127.0.0.1:{free_port()}",
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.7", 53))
        noc_processes.start("web", [*mounted, sys.executable, "-m", "noc_web"], settings)
        wait_until(
            lambda: "open http://127.0.0.6:" in noc_processes.log("web"),
            40,
            "the web service",
            seen=lambda: noc_processes.log("web"),
        )
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(1)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("noc.example", "noc.example"),
    ],
)
def test_the_address_to_open_is_one_that_a_browser_takes(tmp_path: Path, host: str, shown: str) -> None:
    config = Config.read({"NOC_DATA": str(tmp_path), "NOC_HTTP_HOST": host})
    assert config.address == f"http://{shown}:8080"


def test_the_help_names_every_setting_and_no_secret_has_a_default() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "noc_web", "--help"], capture_output=True, text=True, timeout=120, check=True
    )
    assert all(setting.name in done.stdout for setting in SETTINGS)


def test_what_was_added_survives_a_kill_and_is_published_to_a_broker_that_forgot_it(
    mosquitto: Mosquitto, noc_processes: Processes, tmp_path: Path
) -> None:
    port = free_port()
    settings = {"NOC_DATA": str(tmp_path / "web"), "NOC_MQTT_URL": mosquitto.url(), "NOC_HTTP_PORT": str(port)}
    noc_processes.service("web", settings)
    wait_until(lambda: "open http" in noc_processes.log("web"), 20, "the web service")
    secret = (tmp_path / "web" / FIRST_LOGIN).read_text().strip()
    assert secret not in noc_processes.log("web")
    newcomer = Person(port, "admin", secret)
    newcomer.api("POST", "me/password", {"new": PASSWORD})
    newcomer.api("POST", "targets", {"id": "a", "address": "10.0.0.1"})
    targets: dict[str, Target] = {}
    services: list[ServicePresence] = []
    listener = Session(Broker.parse(mosquitto.url()), "listener")
    listener.subscribe(TARGETS, lambda target, _: targets.update({target.id: target}) if target else None)
    listener.subscribe(SERVICES, lambda one, _: services.append(one) if one else None, service="web")
    listener.start()
    wait_until(lambda: "a" in targets, 10, "the target on the bus")
    wait_until(lambda: services and services[-1].online, 15, "its presence")
    noc_processes.kill("web")
    wait_until(lambda: not services[-1].online, 20, "its last will")
    mosquitto.kill()
    for kept in mosquitto.folder.glob("*.db"):
        kept.unlink()
    targets.clear()
    mosquitto.start()
    noc_processes.restart("web")
    wait_until(lambda: "a" in targets, 20, "the target on the new broker")
    # Nobody is logged out by a kill either.
    assert [one["id"] for one in newcomer.api("GET", "targets")["targets"]] == ["a"]
    assert noc_processes.stop("web")[0] == 0
    wait_until(lambda: not services[-1].online, 10, "its goodbye")
    listener.stop()


@pytest.mark.long_only
def test_a_question_that_keeps_the_history_busy_for_ten_seconds_is_ended_with_a_sentence(
    mosquitto: Mosquitto, noc_processes: Processes, tmp_path: Path
) -> None:
    store = in_folder(tmp_path).open()
    store.write(Batch())
    store.close()
    # In the place of ten thousands of incidents: none, but it takes for ever to be sure of it.
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i, NULL, '' FROM n WHERE i < 0"
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("DROP TABLE incident")
        connection.execute(f"CREATE VIEW incident (id, opened_at, resolved_at, message) AS {endless}")
    port = free_port()
    settings = {"NOC_DATA": str(tmp_path), "NOC_MQTT_URL": mosquitto.url(), "NOC_HTTP_PORT": str(port)}
    noc_processes.service("web", settings | {"NOC_ADMIN_PASSWORD": PASSWORD})
    wait_until(lambda: "open http" in noc_processes.log("web"), 20, "the web service")
    person = Person(port, "admin", PASSWORD)
    begun_s = time.monotonic()
    status, answer = person.ask("GET", "/api/v1/incidents", deadline_s=60)
    assert (status, json.loads(answer).get("code")) == (503, "history-unavailable"), answer
    assert "within 10 s; ask for less at once, such as a shorter period" in answer
    assert time.monotonic() - begun_s >= 10
