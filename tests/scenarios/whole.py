"""A whole NOC made of real parts: broker with the rendered permissions, four services, a mail server."""

from __future__ import annotations

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

from noc_web.auth.accounts import Accounts
from noc_web.database.opening import Database
from tests.parts.brokers import Broker, Mosquitto, Nats, NatsCluster
from tests.parts.ports import free_port
from tests.parts.processes import Processes
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until

BROKERS: Final = {"mosquitto": Mosquitto, "nats": Nats}
CLUSTER: Final = "cluster"
CENTRAL: Final = ("recorder", "alerter", "web")
START_S: Final = 30.0


class Noc:
    """A context manager. Every service can be killed and restarted through `processes` by its name.

    A prober's name is that of its site. `reader` is a broker user that may read everything.
    """

    def __init__(
        self,
        folder: Path,
        mails: SmtpSink,
        broker: str = "mosquitto",
        sites: Sequence[str] = ("here",),
        *,
        host: str = "127.0.0.1",
        users: Sequence[str] = (),
        history: str = "",
    ) -> None:
        """`host`: where the broker listens; `users`: sites whose probers the test starts itself; `history`: a store's URL."""
        self.folder = folder
        self.mails = mails
        self.sites = tuple(sites)
        passwords = {user: secrets.token_hex(8) for user in (*CENTRAL, "reader", *sites, *users)}
        self.broker: Broker = {**BROKERS, CLUSTER: NatsCluster}[broker](folder / "broker", passwords, host)
        self.processes = Processes(folder / "logs")
        self.http_port = free_port()
        self.address = f"http://127.0.0.1:{self.http_port}"
        self.password = secrets.token_urlsafe(12)
        self.token = ""
        self.environment: dict[str, str] = {}
        """What every service gets besides its settings."""
        self.group_wait_s = 1.0
        """For how long the alerter gathers what goes down together."""
        self.prober_wrap: Sequence[str] = ()
        """What a prober's command is wrapped in."""
        self.python: Sequence[str] = (sys.executable, "-m")
        """What runs a service's module."""
        self._history = history

    @property
    def data(self) -> Path:
        return self.folder / "central"

    @property
    def logs(self) -> dict[str, str]:
        return self.processes.logs | self.broker.logs

    def __enter__(self) -> Self:
        self.broker.__enter__()
        try:
            for service in CENTRAL:
                self.start(service)
            for site in self.sites:
                self.start_prober(site)
            wait_until(self.is_ready, START_S, "a ready web service", seen=lambda: self.logs)
            self.token = self._new_token()
            wait_until(self.is_whole, START_S, "every service and site online", seen=lambda: self.logs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _new_token(self) -> str:
        with closing(Database(self.data)) as database:
            return Accounts(database).create_token(f"test-{os.getpid()}", "admin")

    def __exit__(self, *_: object) -> None:
        self.processes.__exit__()
        self.broker.__exit__()

    def start(self, service: str) -> None:
        """One of the central services."""
        environment = self.environment | {
            "NOC_DATA": str(self.data),
            "NOC_MQTT_URL": self.broker.url(service),
            "NOC_PUBLIC_URL": self.address,
        }
        if service != "alerter":
            environment["NOC_HISTORY_URL"] = self._history
        if service == "alerter":
            environment |= {
                "NOC_SMTP_URL": self.mails.url,
                "NOC_MAIL_FROM": "noc@noc.test",
                "NOC_MAIL_TO": "oncall@noc.test",
                "NOC_GROUP_WAIT_S": f"{self.group_wait_s:g}",
            }
        if service == "web":
            environment |= {"NOC_HTTP_PORT": str(self.http_port), "NOC_ADMIN_PASSWORD": self.password}
        self.processes.start(service, [*self.python, f"noc_{service}"], environment)

    def start_prober(self, site: str) -> None:
        self.processes.start(
            site, [*self.prober_wrap, *self.python, "noc_prober"], self.environment | self.prober_environment(site)
        )

    def prober_environment(self, site: str, broker_host: str = "127.0.0.1") -> dict[str, str]:
        return {
            "NOC_DATA": str(self.folder / site),
            "NOC_SITE": site,
            "NOC_MQTT_URL": self.broker.url(site, broker_host),
        }

    # -- what people and machines see

    def ask(self, method: str, path: str, body: object = None, *, within_s: float = 10) -> tuple[int, Any]:
        """Status and answer of the API, with an admin's token; 0 where nobody answers."""
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}/api/v1/{path}",
            data=raw,
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=within_s) as answer:
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error.read())
        except OSError as error:
            return 0, str(error)

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def add(self, name: str, address: str, **options: Any) -> None:
        """A target; one that is silenced again and again has an incident each time, unless `flap_after` is given."""
        status, answer = self.ask(
            "POST", "targets", {"id": name, "name": name, "address": address, "flap_after": 0, **options}
        )
        assert status == 201, answer

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def is_whole(self) -> bool:
        """Every site's prober and every service is online, and nobody has trouble."""
        status, answer = self.ask("GET", "status")
        if status != 200 or answer["trouble"]:
            return False
        return {site["id"] for site in answer["sites"] if site["online"]} >= {*self.sites}

    def states(self) -> dict[str, str]:
        """Every target's state in the status table; empty where nobody answers."""
        status, answer = self.ask("GET", "status")
        return {row["id"]: row["state"] for row in answer["targets"]} if status == 200 else {}

    def wait_states(self, expected: dict[str, str], deadline_s: float) -> None:
        wait_until(lambda: self.states() == expected, deadline_s, f"the states {expected}", seen=self.states)

    def cycles(self, target: str, site: str = "here") -> list[list[Any]]:
        """Every stored cycle as a row of the history, oldest first."""
        rows: list[list[Any]] = self.get(f"targets/{target}/history?points=5000&site={site}")["sites"].get(site, [])
        return rows


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode()
