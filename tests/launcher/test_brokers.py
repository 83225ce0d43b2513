"""The brokers that `noc up` writes settings for hold to the contract's permissions."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from noc_launcher.brokers import mosquitto, nats
from tests.launcher.conftest import Stranger
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

PASSWORDS = {user: f"{user}-password" for user in ("berlin", "madrid", "recorder", "alerter", "web", "reader")}


@dataclass
class Running:
    port: int
    processes: Processes


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "a folder of it"
    folder.mkdir()
    port = free_port()
    prepare = {"nats": nats.prepare, "mosquitto": mosquitto.prepare}[request.param]
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", prepare(folder, port, PASSWORDS))
        wait_until(lambda: listens(port), 15, "a listening broker", seen=lambda: processes.logs)
        yield Running(port, processes)


Connect = Callable[..., Stranger]


def test_who_has_no_password_reads_everything_and_writes_nothing(broker: Running, stranger: Connect) -> None:
    anonymous, berlin = stranger(broker.port), stranger(broker.port, "berlin", "berlin-password")
    assert anonymous.subscribe("noc/v1/#")
    stranger(broker.port).publish("noc/v1/states/berlin/forged", retain=True)
    stranger(broker.port).publish("noc/v1/forged")
    berlin.publish("noc/v1/states/berlin/router", b"real", retain=True)
    assert anonymous.hear() == ("noc/v1/states/berlin/router", b"real")
    late = stranger(broker.port)
    assert late.subscribe("noc/v1/#")
    assert late.hear() == ("noc/v1/states/berlin/router", b"real")
    assert late.heard.empty()
    assert anonymous.heard.empty()


def test_a_site_cannot_publish_as_another_site(broker: Running, stranger: Connect) -> None:
    listener = stranger(broker.port)
    assert listener.subscribe("noc/v1/#")
    for topic in ("results/madrid/router", "probers/madrid", "verdicts/router", "services/web"):
        stranger(broker.port, "berlin", "berlin-password").publish(f"noc/v1/{topic}", b"forged")
    for site in ("berlin", "madrid"):
        stranger(broker.port, site, f"{site}-password").publish(f"noc/v1/results/{site}/router", b"own")
        assert listener.hear() == (f"noc/v1/results/{site}/router", b"own")


def test_a_site_cannot_read_the_commands_of_another(broker: Running, stranger: Connect) -> None:
    web = stranger(broker.port, "web", "web-password")
    berlin = stranger(broker.port, "berlin", "berlin-password")
    berlin.subscribe("noc/v1/commands/madrid/+")
    berlin.subscribe("noc/v1/commands/berlin/+")
    web.publish("noc/v1/commands/madrid/check")
    web.publish("noc/v1/commands/berlin/check")
    assert berlin.hear()[0] == "noc/v1/commands/berlin/check"


@pytest.mark.parametrize(("user", "password"), [("berlin", "wrong"), ("nobody", "wrong"), ("berlin", "")])
def test_a_wrong_password_is_refused(broker: Running, stranger: Connect, user: str, password: str) -> None:
    assert stranger(broker.port, user, password).refused


def test_what_is_retained_survives_the_kill_of_the_bundled_broker(tmp_path: Path, stranger: Connect) -> None:
    port = free_port()
    with Processes(tmp_path / "logs") as processes:
        processes.start("broker", nats.prepare(tmp_path, port, PASSWORDS))
        wait_until(lambda: listens(port), 15, "a listening broker")
        reader = stranger(port)
        reader.subscribe("noc/v1/#")
        stranger(port, "web", "web-password").publish("noc/v1/targets/router", b"kept", retain=True)
        reader.hear()
        processes.kill("broker")
        processes.restart("broker")
        wait_until(lambda: listens(port), 15, "a listening broker")
        again = stranger(port)
        again.subscribe("noc/v1/targets/+")
        assert again.hear() == ("noc/v1/targets/router", b"kept")


def test_files_with_passwords_are_for_their_owner_alone(tmp_path: Path) -> None:
    nats.prepare(tmp_path, 1, PASSWORDS)
    mosquitto.prepare(tmp_path, 1, PASSWORDS)
    files = [file for file in tmp_path.iterdir() if file.is_file()]
    assert {file.name for file in files} == {"nats.conf", "mosquitto.conf", "mosquitto.acl", "mosquitto.users"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert "berlin-password" not in (tmp_path / "mosquitto.users").read_text()
