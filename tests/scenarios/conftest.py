"""A whole NOC for each scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from noc_netlab.lab import Netlab
from tests.parts.smtp import SmtpSink
from tests.scenarios.whole import Noc


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The cluster takes minutes and three brokers more: with --long only."""
    return True if collection_path.name == "test_cluster.py" and not config.getoption("--long") else None


@pytest.fixture(params=["mosquitto", pytest.param("nats", marks=pytest.mark.long_only)])
def noc(request: pytest.FixtureRequest, netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[Noc]:
    """On Mosquitto and on the bundled broker, each with the permissions of the contract."""
    with Noc(tmp_path, smtp_sink, request.param) as whole:
        yield whole


@pytest.fixture
def noc_on_mosquitto(netlab: Netlab, smtp_sink: SmtpSink, tmp_path: Path) -> Iterator[Noc]:
    with Noc(tmp_path, smtp_sink) as whole:
        yield whole
