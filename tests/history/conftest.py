"""Every store, empty, for the scenarios that all of them must pass."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient

from noc_bus.time import Time
from noc_history.sqlite import SqliteStore
from noc_history.store import Batch, Store, Written
from noc_history.stores import parse
from tests.history.influx_engine import InfluxEngine

_numbers = count()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxEngine]:
    if not InfluxEngine.is_here():
        pytest.skip("influxd is not on PATH; install Debian's influxdb package")
    engine = InfluxEngine(tmp_path_factory.mktemp("influxd"))
    yield engine
    engine.close()


class PackedStore(SqliteStore):
    """Has everything packed as soon as it is written, as other stores do only when an hour is over."""

    def write(self, batch: Batch) -> Written:
        written = super().write(batch)
        packer = SqliteStore(self.path)
        while packer.maintain(Time(0), 5.0).backlog_rows:
            pass
        packer.close()
        return written


@pytest.fixture(params=["sqlite", "sqlite-packed", "influxd", "influxdb2"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A NOC_HISTORY_URL behind which nothing is stored yet."""
    if request.param.startswith("sqlite"):
        return f"sqlite://{tmp_path}/history.sqlite"
    if request.param == "influxd":
        engine: InfluxEngine = request.getfixturevalue("engine")
        return engine.make_bucket(f"bucket{next(_numbers)}")
    real = os.environ.get("NOC_TEST_INFLUXDB_URL")
    if not real:
        pytest.skip("needs a real InfluxDB 2: NOC_TEST_INFLUXDB_URL is not set")
    parts = urlsplit(real)
    port = request.getfixturevalue("outside_port")(parts.hostname, parts.port or 8086)
    reached = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
    empty_bucket(reached)
    return reached


@pytest.fixture
def store(url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    is_packed = request.node.callspec.params["url"] == "sqlite-packed"
    store: Store = PackedStore(Path(urlsplit(url).path)) if is_packed else open_store(url)
    yield store
    store.close()


def open_store(url: str) -> Store:
    found = parse(url)
    assert found is not None
    return found.open()


def empty_bucket(url: str) -> None:
    parts = urlsplit(url)
    org, bucket = (unquote(name) for name in parts.path.split("/")[1:])
    scheme = "https" if parts.scheme == "influxdbs" else "http"
    address = f"{scheme}://{parts.hostname}:{parts.port or 8086}"
    with InfluxDBClient(url=address, token=unquote(parts.username or ""), org=org) as client:
        client.delete_api().delete("1970-01-01T00:00:00Z", "2200-01-01T00:00:00Z", "", bucket=bucket, org=org)
