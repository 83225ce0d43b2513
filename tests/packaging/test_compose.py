"""docker-compose.yml: well formed, and every path, variable, command and secret in it exists.

An engine runs it in test_compose_runs.py; all that can be said without one is checked here.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from noc_bus.broker import Broker
from noc_frame.settings import ALL_NAMES, Setting
from noc_history import stores
from noc_launcher import secret_files
from noc_rules.mail_server import Smtp
from tests.packaging import compose, dockerfiles
from tests.packaging.repository import ROOT, SERVICES, project

ALL = compose.services()
OURS = [name for name in ALL if name in SERVICES]
PASSWORD = "f00dfeedf00dfeed"


def settings_of(service: str) -> Sequence[Setting[Any]]:
    found: Sequence[Setting[Any]] = importlib.import_module(f"noc_{service}.config").SETTINGS
    return found


def example(secret: str) -> str:
    """A content of a file in secrets/ as the comment describes it."""
    described = compose.promised_secrets()[secret].partition(",")[0]
    for word in ("SITE:PASSWORD", "USER:PASSWORD", "PASSWORD", "TOKEN"):
        described = described.replace(word, f"local:{PASSWORD}" if ":" in word else PASSWORD)
    return described if "://" in described else PASSWORD


def file_of(secret: str) -> str:
    return Path(compose.load()["secrets"][secret]["file"]).name.replace("mqtt_local_url", "mqtt_SITE_url")


def test_it_has_the_form_that_the_compose_specification_gives_it() -> None:
    schema = json.loads((Path(__file__).parent / "compose_schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    problems = [
        f"{'.'.join(map(str, one.absolute_path))}: {one.message}" for one in validator.iter_errors(compose.load())
    ]
    assert not problems


def test_it_runs_a_broker_a_database_and_the_four_services_and_more_when_asked_to() -> None:
    assert {name for name, one in ALL.items() if "profiles" not in one} == {"mosquitto", "influxdb", *SERVICES}
    profiles = {name: one["profiles"] for name, one in ALL.items() if "profiles" in one}
    assert profiles == {"grafana": ["grafana"], "sites": ["sites"]}


@pytest.mark.parametrize("name", ALL)
def test_every_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = ALL[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert service["mem_limit"]
    assert service["pids_limit"]


@pytest.mark.parametrize("name", ALL)
def test_every_container_comes_back_and_its_log_stays_small(name: str) -> None:
    assert ALL[name]["restart"] == "unless-stopped"
    assert set(ALL[name]["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", [name for name in ALL if name not in SERVICES])
def test_a_foreign_image_is_pinned_to_one_release(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+(-[a-z0-9.]+)?", ALL[name]["image"])


@pytest.mark.parametrize("name", OURS)
def test_our_image_is_built_here_and_named_for_its_version(name: str) -> None:
    assert ALL[name]["image"] == f"noc-{name}:{project(f'services/{name}')['version']}"
    assert ALL[name]["build"]["args"] == {"SERVICE": name}


def test_only_what_people_look_at_is_published_and_that_on_this_machine_only() -> None:
    assert {name for name, service in ALL.items() if "ports" in service} == {"web", "grafana", "sites"}
    # For other machines only, who asked for its profile; behind it everybody needs a key.
    assert ALL["sites"]["ports"] == ["0.0.0.0:8883:8883"]
    assert ALL["grafana"]["ports"] == ["127.0.0.1:3000:3000"]
    (port,) = ALL["web"]["ports"]
    host, _, inside = port.split(":")
    assert host == "127.0.0.1"
    assert inside == ALL["web"]["environment"]["NOC_HTTP_PORT"]
    assert ["EXPOSE", inside] == ["EXPOSE", dockerfiles.stages("web")[-1].last("EXPOSE").text]


def test_broker_and_database_have_no_way_out_and_each_other_way_out_has_one_user() -> None:
    networks = compose.load()["networks"]
    users = {network: {name for name, one in ALL.items() if network in one["networks"]} for network in networks}
    assert users == {
        "bus": {"mosquitto", "sites", *SERVICES},
        "store": {"influxdb", "recorder", "web", "grafana"},
        "probing": {"prober"},
        "mail": {"alerter"},
        "front": {"web"},
        "sites": {"sites"},
        "dashboards": {"grafana"},
    }
    assert {name for name, network in networks.items() if network and network.get("internal")} == {"bus", "store"}


@pytest.mark.parametrize("name", ALL)
def test_what_a_container_waits_for_can_say_that_it_is_healthy(name: str) -> None:
    for other, wish in ALL[name].get("depends_on", {}).items():
        # The web service is healthy once it reaches the broker, which waits for its accounts.
        assert wish == {"condition": "service_started" if name == "mosquitto" else "service_healthy"}
        assert ALL[other]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_waits_for_the_broker_which_waits_for_who_keeps_its_accounts(name: str) -> None:
    also = {"recorder": {"influxdb"}}.get(name, set())
    assert set(ALL[name].get("depends_on", {})) == (set() if name == "web" else {"mosquitto"} | also)
    assert set(ALL["mosquitto"]["depends_on"]) == {"web"}


@pytest.mark.parametrize("name", OURS)
def test_the_health_of_a_service_is_asked_of_the_service(name: str) -> None:
    assert ALL[name]["healthcheck"]["test"] == ["CMD", "noc-service", "--health"]
    assert dockerfiles.stages(name)[0].last("RUN").text.endswith(f"ln -s noc-{name} /opt/noc/bin/noc-service")
    assert f"noc-{name}" in project(f"services/{name}")["scripts"]


def test_the_prober_may_ping_because_of_its_group() -> None:
    group = ALL["prober"]["user"].partition(":")[2]
    assert ALL["prober"]["sysctls"] == {"net.ipv4.ping_group_range": f"{group} {group}"}


ELSEWHERE = {"NOC_JOIN"}
"""A token is for sites elsewhere; the prober in this file stands beside the broker."""


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_that_the_service_has(name: str) -> None:
    known = {setting.name for setting in settings_of(name)} - ELSEWHERE
    given = {variable.removesuffix("_FILE") for variable in ALL[name]["environment"]}
    assert given == known


@pytest.mark.parametrize("name", OURS)
def test_what_is_secret_comes_from_a_file_and_nothing_else_does(name: str) -> None:
    secret = {
        f"{setting.name}_FILE" for setting in settings_of(name) if setting.secret and setting.name not in ELSEWHERE
    }
    assert {variable for variable in ALL[name]["environment"] if variable.endswith("_FILE")} == secret


@pytest.mark.parametrize("name", ALL)
def test_a_container_is_given_the_secrets_it_reads_and_no_others(name: str) -> None:
    service = ALL[name]
    read = {value for value in service.get("environment", {}).values() if value.startswith(compose.SECRETS)}
    if name == "grafana":
        text = (ROOT / "docs" / "grafana" / "datasource.yaml").read_text(encoding="utf-8")
        read |= set(re.findall(r"\$__file\{([^}]+)\}", text))
    if name == "influxdb":
        text = (ROOT / "deploy" / "influxdb.sh").read_text(encoding="utf-8")
        read |= set(re.findall(rf"{compose.SECRETS}\w+", text))
    assert read == {f"{compose.SECRETS}{secret}" for secret in service.get("secrets", [])}


def test_every_secret_is_used_and_described_at_the_top() -> None:
    declared = compose.load()["secrets"]
    assert {secret for service in ALL.values() for secret in service.get("secrets", [])} == set(declared)
    # The reader's is not for a container but for people.
    assert {file_of(secret) for secret in declared} | {"mqtt_reader_url"} == set(compose.promised_secrets())


def test_the_secret_of_the_site_is_the_one_named_for_it() -> None:
    secrets = compose.load({"NOC_SITE": "berlin"})["secrets"]
    assert secrets["mqtt_site_url"]["file"] == "./secrets/mqtt_berlin_url"


@pytest.mark.parametrize("name", OURS)
def test_the_described_secrets_and_the_defaults_are_settings_that_the_service_accepts(
    name: str, tmp_path: Path
) -> None:
    environment = dict(ALL[name]["environment"])
    for variable, value in environment.items():
        if value.startswith(compose.SECRETS):
            secret = value.removeprefix(compose.SECRETS)
            (tmp_path / secret).write_text(example(file_of(secret)) + "\n", encoding="utf-8")
            environment[variable] = str(tmp_path / secret)
    if "NOC_BROKER_FOLDER" in environment:
        secret_files.make(tmp_path / "secrets", "local")
        environment["NOC_BROKER_USERS_FILE"] = str(tmp_path / "secrets" / "broker_users")
        environment["NOC_BROKER_FOLDER"] = str(tmp_path / "broker")
    environment["NOC_DATA"] = str(tmp_path)
    environment |= {
        variable: "noc@example.org" for variable in ("NOC_MAIL_FROM", "NOC_MAIL_TO") if variable in environment
    }
    module = importlib.import_module(f"noc_{name}.config")
    config = module.Config.read(environment)
    assert config.broker.user == ("local" if name == "prober" else name)
    assert config.broker.password == PASSWORD


@pytest.mark.parametrize(
    "secret", ["mqtt_web_url", "mqtt_recorder_url", "mqtt_alerter_url", "mqtt_SITE_url", "mqtt_reader_url"]
)
def test_a_described_broker_address_leads_to_the_broker(secret: str) -> None:
    broker = Broker.parse(example(secret))
    assert broker.host == "mosquitto"
    assert f"listener {broker.port}" in (ROOT / "mosquitto.conf").read_text(encoding="utf-8").splitlines()


def test_the_described_history_address_leads_to_the_bucket_that_the_database_makes() -> None:
    made = ALL["influxdb"]["environment"]
    history = stores.parse(example("history_url"))
    assert history
    assert history.described == f"InfluxDB bucket {made['DOCKER_INFLUXDB_INIT_BUCKET']} at http://influxdb:8086"
    assert f"/{made['DOCKER_INFLUXDB_INIT_ORG']}/{made['DOCKER_INFLUXDB_INIT_BUCKET']}?" in example("history_url")


def test_only_the_recorder_may_write_the_history() -> None:
    """Its token is the first one that the database has; everybody else who reads is a user who may do nothing but that."""
    holders = {
        secret: {name for name, one in ALL.items() if secret in one.get("secrets", ())}
        for secret in ("influxdb_token", "history_url", "influxdb_read_password", "history_read_url")
    }
    assert holders == {
        "influxdb_token": {"influxdb"},
        "history_url": {"recorder"},
        "influxdb_read_password": {"influxdb", "grafana"},
        "history_read_url": {"web"},
    }
    user = urlsplit(example("history_read_url")).username
    script = (ROOT / "deploy" / "influxdb.sh").read_text(encoding="utf-8")
    assert f"--username {user} " in script
    assert "--write-bucket" not in script
    mounts = {one["target"]: one["source"] for one in ALL["influxdb"]["volumes"]}
    assert mounts["/docker-entrypoint-initdb.d/noc.sh"] == "./deploy/influxdb.sh"
    # The image runs what may be run.
    assert os.access(ROOT / "deploy" / "influxdb.sh", os.X_OK)


def test_the_database_is_healthy_only_where_its_clients_reach_it() -> None:
    # While it sets itself up it runs on another port, which its own command-line client is told to use.
    history = stores.parse(example("history_url"))
    assert history
    port = history.described.rpartition(":")[2]
    assert ALL["influxdb"]["healthcheck"]["test"] == ["CMD", "influx", "ping", "--host", f"http://127.0.0.1:{port}"]


def test_an_empty_mail_address_file_means_no_mail() -> None:
    assert Smtp.parse("") is None


def broker_paths() -> set[str]:
    words = (ROOT / "mosquitto.conf").read_text(encoding="utf-8").split("\n")
    return {word for line in words if not line.startswith("#") for word in line.split()[1:] if word.startswith("/")}


def test_every_path_of_mosquitto_conf_and_of_its_start_is_mounted_into_its_container() -> None:
    service = ALL["mosquitto"]
    _, script, accounts, own, config = service["command"]
    mounted = {mount["target"] for mount in service["volumes"]}
    assert {script, accounts, config, "/mosquitto/data"} == mounted
    assert broker_paths() == {f"{own}/mosquitto.users", f"{own}/mosquitto.acl", "/mosquitto/data/"}
    assert any(one.startswith(f"{own}:") and "mode=0700,uid=1883" in one for one in service["tmpfs"])


def test_the_web_service_writes_the_accounts_where_the_broker_of_its_group_reads_them() -> None:
    (shared,) = [one for one in ALL["mosquitto"]["volumes"] if one["source"] == "broker"]
    assert shared["read_only"] is True
    assert shared["target"] == ALL["web"]["environment"]["NOC_BROKER_FOLDER"]
    assert ALL["mosquitto"]["group_add"] == [ALL["web"]["user"].partition(":")[2]]
    made = dockerfiles.stages("web")[-1].all("RUN")[0].text
    assert f"--group noc --mode 0750 {shared['target']}" in made


@pytest.mark.parametrize("name", ALL)
def test_what_is_mounted_from_here_exists_and_is_read_only(name: str) -> None:
    for mount in ALL[name]["volumes"]:
        if mount["type"] == "bind":
            assert (ROOT / mount["source"]).is_file()
            assert mount["read_only"] is True
            # Otherwise Docker makes a folder in the place of a missing file.
            assert mount["bind"]["create_host_path"] is False


def test_every_named_volume_is_declared_and_has_one_owner() -> None:
    mounts = [
        mount["source"]
        for service in ALL.values()
        for mount in service["volumes"]
        if mount["type"] == "volume" and not mount.get("read_only")
    ]
    assert sorted(mounts) == sorted(compose.load()["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_a_service_keeps_its_files_in_a_volume(name: str) -> None:
    (mount,) = [one for one in ALL[name]["volumes"] if one["source"] != "broker"]
    stage = dockerfiles.stages(name)[-1]
    assert mount["target"] == ALL[name]["environment"]["NOC_DATA"] == stage.environment["NOC_DATA"]
    assert mount["target"] == stage.last("VOLUME").text


def test_the_example_of_env_has_every_variable_with_its_default_and_a_comment() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {name: {value} for name, value in given.items()} == compose.variables()
    assert set(given) <= set(ALL_NAMES)
    for block in "\n".join(lines).split("\n\n"):
        assert block.startswith("#")


def test_docker_itself_accepts_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    has_compose = (
        docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    )
    if not docker or not has_compose:
        pytest.skip("needs Docker with its Compose plugin")
    command = [docker, "compose", "--project-directory", str(ROOT), "--file", str(ROOT / "docker-compose.yml")]
    command += ["--env-file", str(ROOT / ".env.example"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == {name for name, one in ALL.items() if "profiles" not in one}
