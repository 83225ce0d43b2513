"""What `noc secrets` makes is what docker-compose.yml expects, and its hashes fit its passwords."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import bcrypt
import pytest

from noc_bus.broker import Broker
from noc_launcher import secret_files
from noc_web.broker.config import BROKER_USERS
from tests.packaging import compose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The secrets of the site berlin."""
    made = tmp_path / "secrets"
    secret_files.make(made, "berlin")
    return made


def test_every_file_that_compose_describes_is_made_and_has_that_form(folder: Path) -> None:
    described = {name.replace("SITE", "berlin"): what for name, what in compose.promised_secrets().items()}
    assert {file.name for file in folder.iterdir()} == set(described)
    for name, what in described.items():
        if "://" in what and name != "smtp_url":
            form = re.escape(what.partition(",")[0].replace("SITE", "berlin"))
            assert re.fullmatch(re.sub("PASSWORD|TOKEN", "[A-Za-z0-9]{22,}", form), (folder / name).read_text().strip())
    assert (folder / "influxdb_token").read_text().strip() in (folder / "history_url").read_text()
    assert 12 <= len((folder / "admin_password").read_text().strip()) <= 128


def test_compose_finds_each_of_its_files(folder: Path) -> None:
    for secret in compose.load({"NOC_SITE": "berlin"})["secrets"].values():
        assert (folder / Path(secret["file"]).name).is_file()


def test_any_container_can_read_them_and_no_other_user_of_the_machine(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o444}


def test_the_web_service_gets_hashes_of_everybody_s_password_and_of_those_alone(folder: Path) -> None:
    urls = [Broker.parse(file.read_text().strip()) for file in folder.glob("mqtt_*_url")]
    users = BROKER_USERS.read({"NOC_BROKER_USERS_FILE": str(folder / "broker_users")})
    assert set(users) == {url.user for url in urls} == {"web", "recorder", "alerter", "reader", "berlin"}
    for url in urls:
        assert url.user
        assert url.password
        assert bcrypt.checkpw(url.password.encode(), users[url.user].nats.encode())
        assert url.password not in (folder / "broker_users").read_text()
