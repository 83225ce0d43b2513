"""Private MQTT brokers on free ports: Mosquitto and the bundled nats-server."""

from __future__ import annotations

import getpass
import itertools
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Self

import pytest

from noc_bus.render import mosquitto
from noc_web.broker import names
from noc_web.broker.__main__ import prepare
from noc_web.broker.accounts import Arrangement, BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.database.opening import Database
from tests.parts.ports import free_port, listens
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

START_S: Final = 15.0


def arrange(data: Path, arrangement: Arrangement, passwords: Mapping[str, str], before: Sequence[str] = ()) -> None:
    """The accounts of these users, and the files of brokers; `before`: sites whose keys are of the version before."""
    prepare(data, arrangement, passwords)
    if not before:
        return
    with closing(Database(data)) as database:
        with database.begin() as connection:
            for site in before:
                connection.execute("UPDATE broker_account SET as_before = 1 WHERE user = ?", (site,))
        BrokerFiles(BrokerAccounts(database)).write()


class Broker:
    """A context manager. `kill` it, `start` it again: the port and the folder stay."""

    def __init__(self, folder: Path, passwords: Mapping[str, str] | None = None, host: str = "127.0.0.1") -> None:
        """With `passwords` by user name, permissions are those rendered from the contract; else everybody may all."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.host = host
        self.port = free_port()
        self.passwords = dict(passwords or {})
        self.processes = Processes(folder)
        self.before: Sequence[str] = ()
        """Sites whose keys were made by the version before."""

    def _arrange(self) -> None:
        arrange(self.folder, Arrangement(str(self.folder)), self.passwords, self.before)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.__exit__()

    def url(self, user: str | None = None, host: str = "127.0.0.1") -> str:
        """For NOC_MQTT_URL, as a user that has a password here, or as nobody."""
        who = f"{user}:{self.passwords[user]}@" if user in self.passwords else ""
        return f"mqtt://{who}{self._places(host)}"

    def _places(self, host: str) -> str:
        return f"{host}:{self.port}"

    def start(self) -> None:
        self.processes.start("broker", self._command())
        wait_until(lambda: listens(self.port), START_S, "a listening broker", seen=lambda: self.logs)

    def kill(self) -> None:
        self.processes.kill("broker")

    def stop(self) -> None:
        self.processes.stop("broker")

    @property
    def logs(self) -> dict[str, str]:
        return self.processes.logs

    def _command(self) -> list[str | Path]:
        raise NotImplementedError


class Mosquitto(Broker):
    """With passwords it is the broker of docker-compose.yml: its settings and accounts, with places of a test's."""

    is_durable = True
    """Without passwords; False: what it retains is saved only when it stops, as by default, which is much faster."""

    def _command(self) -> list[str | Path]:
        program = shutil.which("mosquitto")
        if program is None:
            pytest.skip("needs Mosquitto on PATH")
        # Root must be told to stay root, else it becomes somebody who may not read this folder.
        user = getpass.getuser()
        config = self.folder / "mosquitto.conf"
        if self.passwords:
            store = self.folder / "stored"
            store.mkdir(exist_ok=True)
            self._arrange()
            places = mosquitto.Places(
                listener=f"{self.port} {self.host}",
                users=str(self.folder / names.MOSQUITTO_USERS),
                acl=str(self.folder / names.MOSQUITTO_ACL),
                store=str(store),
            )
            config.write_text(mosquitto.render(places, user=user))
        else:
            lines = [f"listener {self.port} {self.host}", f"user {user}", "allow_anonymous true"]
            lines += ["persistence true", f"persistence_location {self.folder}/", "max_queued_messages 100000"]
            if self.is_durable:
                # A retained message survives the kill -9 of a broker, as far as Mosquitto can do it.
                lines += ["autosave_interval 1", "autosave_on_changes true"]
            config.write_text("\n".join(lines) + "\n")
        return [program, "-c", config]


def _nats(broker: Broker, name: str, settings: Mapping[str, object]) -> list[str | Path]:
    """The command of a server or node of this name, with the accounts in the broker's folder where it has passwords."""
    beside_python = Path(sys.executable).parent / "nats-server"
    program = str(beside_python) if beside_python.exists() else shutil.which("nats-server")
    if program is None:
        pytest.skip("needs the nats-server that is bundled with the launcher")
    every = {"host": broker.host, "jetstream": {"store_dir": str(broker.folder / f"jetstream-{name}")}}
    lines = [f"{key}: {json.dumps(value)}" for key, value in {**every, **settings}.items()]
    if broker.passwords:
        lines.append(f"include {names.NATS}")
    config = broker.folder / f"{name}.conf"
    config.write_text("\n".join(lines))
    return [program, "-c", config]


class Nats(Broker):
    def _command(self) -> list[str | Path]:
        if self.passwords:
            self._arrange()
        mqtt = {"host": self.host, "port": self.port}
        return _nats(self, "nats", {"server_name": "noc-test", "port": free_port(), "mqtt": mqtt})


class NatsCluster(Broker):
    """Three nodes, each of which can be killed and started by its number; everybody knows all their addresses."""

    def __init__(self, folder: Path, passwords: Mapping[str, str] | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(folder, passwords, host)
        self.ports = [self.port, free_port(), free_port()]
        self._routes = [free_port() for _ in self.ports]
        self._others = [free_port() for _ in self.ports]
        self._first = itertools.cycle(range(len(self.ports)))

    def _places(self, host: str) -> str:
        """Each who asks tries another node first."""
        first = next(self._first)
        return ",".join(f"{host}:{port}" for port in (*self.ports[first:], *self.ports[:first]))

    def start(self) -> None:
        if self.passwords:
            self._arrange()
        for node in range(len(self.ports)):
            self.processes.start(f"node-{node}", self._node(node))
        for port in self.ports:
            # A node listens once the cluster has chosen who leads.
            wait_until(lambda port=port: listens(port), 3 * START_S, "a cluster", seen=lambda: self.logs)  # type: ignore[misc]

    def kill(self) -> None:
        for node in range(len(self.ports)):
            self.processes.kill(f"node-{node}")

    def stop(self) -> None:
        for node in range(len(self.ports)):
            self.processes.stop(f"node-{node}")

    def kill_node(self, node: int) -> None:
        self.processes.kill(f"node-{node}")

    def start_node(self, node: int) -> None:
        self.processes.restart(f"node-{node}")
        wait_until(lambda: listens(self.ports[node]), 3 * START_S, "a node again", seen=lambda: self.logs)

    def _node(self, node: int) -> list[str | Path]:
        settings = {
            "server_name": f"noc-{node}",
            "port": self._others[node],
            "mqtt": {"host": self.host, "port": self.ports[node]},
            "cluster": {
                "name": "noc",
                "host": "127.0.0.1",
                "port": self._routes[node],
                "routes": [f"nats://127.0.0.1:{port}" for port in self._routes],
            },
        }
        return _nats(self, f"nats-{node}", settings)
