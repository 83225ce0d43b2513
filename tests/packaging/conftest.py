"""Installed services and the broker of docker-compose.yml, for the tests of packaging."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from noc_prober.sockets import NoIcmp, open_all
from tests.packaging.images import Workshop
from tests.parts.brokers import Mosquitto


@pytest.fixture(scope="session")
def workshop(
    tmp_path_factory: pytest.TempPathFactory, outside_namespace: Callable[..., subprocess.CompletedProcess[str]]
) -> Workshop:
    """Makes the environments of the images, each once a run."""
    return Workshop(tmp_path_factory.mktemp("images"), outside_namespace)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto with the settings and the accounts that docker-compose.yml gives it."""
    users = ("web", "recorder", "alerter", "reader", "local", "berlin", "lisbon")
    with Mosquitto(tmp_path / "broker", {user: f"{user}-password" for user in users}) as broker:
        yield broker


@pytest.fixture
def icmp() -> None:
    """Only where this process may ping."""
    try:
        sockets = open_all()
    except NoIcmp as error:
        pytest.skip(f"needs ICMP: {error}")
    for one in sockets.values():
        one.close()
