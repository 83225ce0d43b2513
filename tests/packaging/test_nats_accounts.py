"""deploy/nats-accounts.sh: the three nodes of a cluster know a site as soon as it is added, and let it in no more once it is removed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from noc_bus import join
from noc_bus.broker import Broker
from noc_bus.channels import DEFAULT_ROOT
from noc_bus.session import Session
from noc_launcher import secret_files
from noc_web import cli
from noc_web.broker import names
from noc_web.broker.config import BrokerConfig
from tests.packaging.repository import ROOT
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

START_S = 60.0
CUT_S = 30.0
AWAY = "node-2 cannot be given the accounts"
"""It takes about a second; the rest is for machines with other things to do."""
SSH = """#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
[ ! -e "{folder}/$1/away" ] || exit 255
cd "{folder}/$1" && exec sh -c "$2"
"""


@dataclass
class Cluster:
    folder: Path
    ports: list[int]
    processes: Processes
    capture: pytest.CaptureFixture[str]

    def noc(self, *words: str) -> str:
        self.capture.readouterr()
        assert cli.main([*words, "--data", str(self.folder / "data")]) == 0
        return self.capture.readouterr().out

    def handed_over(self) -> int:
        return self.processes.log("nats-accounts.sh").count(" has the accounts")

    def join(self, *words: str) -> list[Broker]:
        """By each node alone, as the token names them."""
        broker = join.parse(json.loads(self.noc("site", *words, "--json"))["join"]).broker()
        assert [one.port for one in (broker, *broker.others)] == self.ports
        return [replace(one, others=()) for one in (broker, *broker.others)]


@pytest.fixture
def cluster(tmp_path: Path, noc_processes: Processes, capsys: pytest.CaptureFixture[str]) -> Iterator[Cluster]:
    """Three nodes that have nothing in common but what the script hands them, in the place of ssh a shell in their folder."""
    server = Path(sys.executable).with_name("nats-server")
    if not server.exists():
        pytest.skip("needs the nats-server that is bundled with the launcher")
    data, accounts = tmp_path / "data", tmp_path / "accounts"
    for folder in (data, accounts, tmp_path / "bin"):
        folder.mkdir()
    secret_files.make(tmp_path / "secrets", "local")
    ports, routes = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    settings = {
        "NOC_BROKER_FOLDER": str(accounts),
        "NOC_BROKER_USERS_FILE": str(tmp_path / "secrets" / "broker_users"),
        "NOC_SITES_CONNECT_TO": ",".join(f"127.0.0.1:{port}" for port in ports),
    }
    BrokerConfig.read(settings).prepare(data, DEFAULT_ROOT)
    (tmp_path / "bin" / "ssh").write_text(SSH.format(folder=tmp_path))
    (tmp_path / "bin" / "ssh").chmod(0o755)
    for number, port in enumerate(ports):
        (tmp_path / f"node-{number}").mkdir()
        (tmp_path / f"node-{number}" / "nats.conf").write_text(config(number, port, routes))
    path = f"{tmp_path / 'bin'}:{server.parent}:{os.environ['PATH']}"
    handing: list[str | Path] = [
        ROOT / "deploy" / "nats-accounts.sh",
        accounts,
        ".",
        *(f"node-{number}" for number in range(3)),
    ]
    noc_processes.start("nats-accounts.sh", handing, {"PATH": path})
    for number in range(3):
        there = tmp_path / f"node-{number}" / names.NATS
        wait_until(there.exists, START_S, "the accounts", seen=lambda: noc_processes.logs)
        noc_processes.start(f"node-{number}", ["sh", "-c", f"cd {there.parent} && exec {server} --config nats.conf"])
    for port in ports:
        wait_until(lambda port=port: listens(port), START_S, "a cluster", seen=lambda: noc_processes.logs)  # type: ignore[misc]
    yield Cluster(tmp_path, ports, noc_processes, capsys)
    assert noc_processes.stop("nats-accounts.sh")[0] == 0


def config(number: int, port: int, routes: list[int]) -> str:
    """As docs/growing.md has it, on the ports of this test."""
    chosen = {
        "server_name": f"noc-{number}",
        "pid_file": "nats-server.pid",
        "host": "127.0.0.1",
        "port": -1,
        "jetstream": {"store_dir": "jetstream"},
        "mqtt": {
            "host": "127.0.0.1",
            "port": port,
            "tls": {"cert_file": "listener.pem", "key_file": "listener.key"},
        },
        "cluster": {
            "name": "noc",
            "host": "127.0.0.1",
            "port": routes[number],
            "authorization": {"user": "node", "password": "a secret of the nodes"},
            "routes": [f"nats://node:a%20secret%20of%20the%20nodes@127.0.0.1:{one}" for one in routes],
        },
    }
    lines = [f"{name}: {json.dumps(value)}" for name, value in chosen.items()]
    return "\n".join([*lines, f"include {names.NATS}"]) + "\n"


def test_a_site_is_known_on_all_nodes_when_it_is_added_and_out_of_all_when_it_is_removed(cluster: Cluster) -> None:
    ways = cluster.join("add", "paris")
    # Who is refused tries again after half a minute only.
    wait_until(lambda: cluster.handed_over() >= 6, 30, "accounts handed over", seen=lambda: cluster.processes.logs)
    with ExitStack() as stack:
        sessions = [Session(way, f"way-{number}") for number, way in enumerate(ways)]
        for session in sessions:
            session.start()
            stack.callback(session.stop)
        wait_until(
            lambda: all(one.connected for one in sessions), 60, "let in by all", seen=lambda: cluster.processes.logs
        )
        (cluster.folder / "node-2" / "away").touch()
        cluster.noc("site", "remove", "paris")
        wait_until(lambda: not any(one.connected for one in sessions[:2]), CUT_S, "cut off by two")
        wait_until(lambda: AWAY in cluster.processes.log("nats-accounts.sh"), 30, "a node that is away")
        (cluster.folder / "node-2" / "away").unlink()
        wait_until(lambda: not sessions[2].connected, CUT_S, "cut off by the third once it is back")
    log = cluster.processes.log("nats-accounts.sh")
    assert log.count(AWAY) == 1
    assert {(cluster.folder / f"node-{number}" / names.NATS).read_text() for number in range(3)} == {
        (cluster.folder / "accounts" / names.NATS).read_text()
    }
