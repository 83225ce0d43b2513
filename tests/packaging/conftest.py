"""Installed services and the broker of docker-compose.yml, for the tests of packaging."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from noc_prober.sockets import NoIcmp, open_all
from tests.packaging.images import Workshop
from tests.parts.brokers import Mosquitto


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long_only: minutes of building that have no short form; only with --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long_only")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


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
