"""`noc secrets`: what docker-compose.yml asks for is made once, at random, and stays."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
import yaml

from noc_bus.broker import Broker
from noc_history.stores import HISTORY_URL
from noc_launcher.checkout import REPOSITORY
from noc_launcher.secret_files import make
from tests.launcher.conftest import Noc


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_every_file_that_compose_names_is_made_and_no_other(tmp_path: Path) -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    wanted = {Path(re.sub(r"\$\{\w+:?-(\w+)\}", r"\1", secret["file"])).name for secret in compose["secrets"].values()}
    made = set(make(tmp_path / "secrets", "local"))
    assert wanted <= made
    # For the person, not for a service.
    assert made - wanted == {"mqtt_reader_url"}


def test_the_addresses_hold_the_passwords_and_no_two_are_alike(tmp_path: Path) -> None:
    make(tmp_path, "berlin")
    files = contents(tmp_path)
    brokers = [
        Broker.parse(files[f"mqtt_{user}_url"].strip()) for user in ("web", "recorder", "alerter", "reader", "berlin")
    ]
    assert [broker.user for broker in brokers] == ["web", "recorder", "alerter", "reader", "berlin"]
    assert {(broker.host, broker.port) for broker in brokers} == {("mosquitto", 1883)}
    assert files["history_url"].startswith(f"influxdb://{files['influxdb_token'].strip()}@influxdb:8086/")
    reader = f"noc-reader:{files['influxdb_read_password'].strip()}"
    assert files["history_read_url"] == files["history_url"].replace(files["influxdb_token"].strip(), reader)
    for one in ("history_url", "history_read_url"):
        assert HISTORY_URL.read({"NOC_HISTORY_URL": files[one].strip()})
    random = [broker.password for broker in brokers] + [
        files[f"{one}"].strip() for one in ("influxdb_token", "influxdb_password", "grafana_password", "admin_password")
    ]
    assert len(set(random)) == len(random)
    assert all(word and re.fullmatch(r"[A-Za-z0-9]{32}", word) for word in random)
    assert files["smtp_url"] == ""


def test_a_second_run_changes_nothing_and_a_new_site_is_added(tmp_path: Path, noc: Noc) -> None:
    folder = tmp_path / "secrets"
    assert noc("secrets", str(folder)).returncode == 0
    before = contents(folder)
    assert "nothing, all is there" in noc("secrets", str(folder)).stderr
    assert contents(folder) == before
    assert noc("secrets", str(folder), "--site", "madrid").stderr.endswith(": mqtt_madrid_url, broker_users\n")
    after = contents(folder)
    users = [line.partition(":")[0] for line in after["broker_users"].splitlines()]
    assert users == ["alerter", "local", "madrid", "reader", "recorder", "web"]
    assert {name: text for name, text in after.items() if name in before and name != "broker_users"} == {
        name: text for name, text in before.items() if name != "broker_users"
    }


@pytest.mark.parametrize(
    ("before", "read"),
    [
        ("influxdb://TOKEN@influxdb:8086/noc/noc?keep_days=90", "influxdb://USER@influxdb:8086/noc/noc?keep_days=90"),
        ("influxdbs://mine@influx.example/org/bucket", "influxdbs://mine@influx.example/org/bucket"),
    ],
    ids=["kept for longer", "another store"],
)
def test_the_web_service_goes_on_reading_the_history_that_was_chosen_before(
    tmp_path: Path, before: str, read: str
) -> None:
    make(tmp_path, "local")
    token, password = ((tmp_path / f"influxdb_{name}").read_text().strip() for name in ("token", "read_password"))
    for name in ("history_url", "history_read_url"):
        (tmp_path / name).unlink()
    (tmp_path / "history_url").write_text(before.replace("TOKEN", token))
    assert make(tmp_path, "local") == ["history_read_url"]
    assert contents(tmp_path)["history_read_url"] == f"{read.replace('USER', f'noc-reader:{password}')}\n"


def test_other_users_of_the_machine_cannot_come_near(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make(folder, "local")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o444}


def test_a_folder_that_other_users_may_look_into_gets_no_secret(tmp_path: Path, noc: Noc) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    folder.chmod(0o755)
    done = noc("secrets", str(folder))
    assert done.returncode == 1
    assert done.stderr.startswith(f"noc: Other users of this machine may look into {folder}, ")
    assert done.stderr.endswith(f"run `chmod 700 {folder}`, or name a new folder.\n")
    assert not contents(folder)
    folder.chmod(0o700)
    assert noc("secrets", str(folder)).returncode == 0


@pytest.mark.parametrize("site", ["web", "Ber lin", "../x"])
def test_a_site_that_cannot_be_one_is_named(noc: Noc, tmp_path: Path, site: str) -> None:
    done = noc("secrets", str(tmp_path / "secrets"), "--site", site)
    assert done.returncode == 2
    assert repr(site) in done.stderr
    assert not (tmp_path / "secrets").exists()


def test_a_folder_that_cannot_be_made_is_named(noc: Noc, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = noc("secrets", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr == f"noc: {tmp_path}/file cannot be written (File exists); name a folder you may write.\n"
