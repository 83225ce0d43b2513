"""A web service in the test's process: real databases, a bus without a broker, and browsers of Flask's."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import argon2
import pytest
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from noc_bus.fake import FakeBus, Hub
from noc_bus.time import Time
from noc_web.app import add_routes, new_app
from noc_web.auth.accounts import Accounts
from noc_web.auth.guard import Guard
from noc_web.broker.accounts import BrokerAccounts
from noc_web.broker.files import BrokerFiles
from noc_web.broker.renewal import Renewal
from noc_web.broker.sites import SiteKeys
from noc_web.broker.use import KeyUse
from noc_web.calendars import Calendars
from noc_web.catalog.catalog import Catalog
from noc_web.config import Config
from noc_web.database.opening import Database
from noc_web.live.incidentqueries import IncidentQueries
from noc_web.live.mailtests import MailTests
from noc_web.live.picture import Picture
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.live.socket import LiveSocket
from noc_web.notifications.kept import Notifications, Sealed
from noc_web.publisher import Publisher
from noc_web.rehearsal import Rehearsals
from noc_web.report import Reports
from noc_web.reportmails import ReportMails
from noc_web.service import Keeper

_build: Final = Rule._compile_builder
_builders: Final[dict[tuple[str, bool], Any]] = {}


def _build_once(rule: Rule, append_unknown: bool = True) -> Any:
    """Half of the time of making a service went into compiling the same addresses of its routes again."""
    key = (f"{rule.rule} {rule.subdomain} {rule.host} {rule.defaults}", append_unknown)
    if key not in _builders:
        _builders[key] = _build(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _build_once  # type: ignore[method-assign,assignment]  # of the library, and the same function as it makes

PASSWORD: Final = "correct horse battery"
ROLES: Final = ("viewer", "operator", "admin")


class Browser:
    """Asks as one person, with their cookie and the page's CSRF token, or as a machine with a token."""

    def __init__(self, service: Service, token: str = "", address: str = "127.0.0.1") -> None:
        self.client = service.app.test_client()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._address = {"REMOTE_ADDR": address}

    def log_in(self, name: str, password: str, **fields: str) -> TestResponse:
        page = self.ask("GET", "/login")
        form = {"csrf_token": field(page, "csrf_token"), "username": name, "password": password, **fields}
        answer = self.ask("POST", "/login", data=form)
        if answer.status_code == 302:
            landed = self.ask("GET", "/password")
            self._headers["X-CSRFToken"] = field(landed, "csrf_token")
        return answer

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        """`json`, `data`, `headers` as Flask's test client has them; an `headers` value None takes ours away."""
        headers = self._headers | options.pop("headers", {})
        wanted = {name: value for name, value in headers.items() if value is not None}
        return self.client.open(
            path, method=method, headers=wanted, environ_base=self._address, buffered=True, **options
        )

    def get(self, path: str, status: int = 200) -> Any:
        return self.api("GET", path, status=status)

    def api(self, method: str, path: str, body: Any = None, *, status: int | None = None, **options: Any) -> Any:
        """The JSON of an answer under /api/v1; its status must be `status`, or else some 2xx."""
        given = {"json": body} if body is not None else {}
        answer = self.ask(method, f"/api/v1/{path}", **given, **options)
        expected = (status,) if status else (200, 201, 202, 204)
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.get_json() if answer.is_json or "problem+json" in answer.content_type else answer.text


class Service:
    """The parts as `python -m noc_web` wires them; what its greenlets do, a test does by hand."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.config = Config.read({"NOC_DATA": str(folder), **(settings or {})})
        self.hub = Hub()
        self.bus = FakeBus(self.hub)
        # What other services publish goes in here.
        self.others = FakeBus(self.hub)
        self.others.start()
        self.database = Database(self.config.data)
        self.accounts = Accounts(self.database)
        self.passed_s = 0.0
        self.broker_accounts = BrokerAccounts(self.database)
        self.broker_files = BrokerFiles(self.broker_accounts)
        self.publisher = Publisher(
            self.bus,
            may_speak=self.broker_accounts.may_speak,
            topics_of=lambda site: self.picture.topics_of(site),
            clock=self.clock_s,
        )
        self.picture = Picture(self.bus, clock=self.clock_s)
        self.revisions, self.requests = Revisions(self.picture), Requests(self.bus, clock=self.clock_s)
        self.app, csrf = new_app(self.config)
        guard = Guard(self.accounts, csrf, self.config.trusted_proxies)

        def tell() -> None:
            self.publisher.sync(self.catalog)
            self.picture.define(self.publisher.targets, self.publisher.sites, self.publisher.maintenances)

        self.catalog = Catalog(self.database, tell, self.config.audit_keep_days, self.picture.is_seen)
        self.store = self.config.history.open()
        notifications = Notifications(self.database)
        self.sealed = Sealed(self.bus, notifications, clock=self.clock_s)
        self.rehearsals = Rehearsals(self.store, self.catalog.maintenance_past)
        self.reports = Reports(self.store, lambda: self.publisher.targets, self.catalog.maintenance_past)
        calendars = Calendars(self.database)
        self.report_mails = ReportMails(
            self.database,
            self.bus,
            self.reports,
            calendars,
            notifications,
            title="Uptime report",
            public_url="https://noc.test",
            clock=self.clock_s,
        )
        renewal = Renewal(self.config.data, self.clock_s)
        add_routes(
            self.app,
            config=self.config,
            bus=self.bus,
            accounts=self.accounts,
            guard=guard,
            catalog=self.catalog,
            calendars=calendars,
            site_keys=SiteKeys(self.config.data, self.catalog, self.broker_accounts, self.broker_files),
            renewal=renewal,
            publisher=self.publisher,
            picture=self.picture,
            revisions=self.revisions,
            requests=self.requests,
            mail_tests=MailTests(self.bus, answer_within_s=0.2, clock=self.clock_s),
            notifications=notifications,
            sealed=self.sealed,
            incident_queries=IncidentQueries(self.bus, answer_within_s=0.2),
            store=self.store,
            reports=self.reports,
            rehearsals=self.rehearsals,
            report_mails=self.report_mails,
        )
        self.live = LiveSocket(
            self.app,
            picture=self.picture,
            revisions=self.revisions,
            requests=self.requests,
            guard=guard,
            accounts=self.accounts,
            public_url=self.config.public_url,
        )
        self.keeper = Keeper(
            self.catalog,
            self.publisher,
            self.picture,
            self.broker_files,
            KeyUse(self.bus, self.broker_accounts),
            renewal,
            self.sealed,
            self.accounts,
        )
        self._browsers: dict[str, Browser] = {}

    def start(self) -> None:
        self.keeper.follow_database()
        self.bus.start()
        self.advance()

    def clock_s(self) -> float:
        return time.monotonic() + self.passed_s

    def let_pass(self, seconds: int) -> None:
        """What the service does every second, so many of them later."""
        for _ in range(seconds):
            self.passed_s += 1
            for published in (*self.publisher.published, self.sealed.published):
                published.tick()
            self.keeper.tick()

    def follow(self) -> None:
        """What the keeper does five times a second, and the live socket four times."""
        self.keeper.follow_database()
        self.advance()

    def advance(self) -> None:
        self.revisions.advance(Time.now())

    def close(self) -> None:
        self.bus.stop()
        self.reports.close()
        self.rehearsals.close()
        self.store.close()
        self.database.close()

    def add_person(self, name: str, role: str, *, must_change_password: bool = False) -> None:
        with self.database.begin() as connection:
            connection.execute(
                "INSERT INTO user (name, role, password_hash, theme, created_at, must_change_password) "
                "VALUES (?, ?, ?, 'auto', 0, ?)",
                (name, role, _PASSWORD_HASH, must_change_password),
            )

    def anonymous(self, address: str = "127.0.0.1") -> Browser:
        return Browser(self, address=address)

    def person(self, name: str) -> Browser:
        """A new log-in of somebody who was added."""
        browser = Browser(self)
        assert browser.log_in(name, PASSWORD).status_code == 302
        return browser

    def by(self, role: str) -> Browser:
        """Somebody who is logged in with that role; `token` is a machine with the role of an operator."""
        if role not in self._browsers:
            if role == "anonymous":
                self._browsers[role] = self.anonymous()
            elif role == "token":
                self._browsers[role] = Browser(self, self.accounts.create_token("machine", "operator"))
            else:
                self.add_person(f"some-{role}", role)
                self._browsers[role] = self.person(f"some-{role}")
        return self._browsers[role]


def field(page: TestResponse, name: str) -> str:
    """The value of a hidden field of a form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"no field {name} in: {page.text[:400]}"
    return found.group(1)


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of `count` threads got, or the exception that ended it."""
    outcomes: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = act(number)
        except Exception as error:  # noqa: BLE001  # looked at by the test
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


# A hash names its own cost, and ours is high on purpose: tests of log-ins make theirs by `Accounts`.
_PASSWORD_HASH: Final = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture
def new_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes web services that are not started yet, in the same folder unless another is given."""
    made: list[Service] = []

    def make(folder: Path | None = None, settings: Mapping[str, str] | None = None) -> Service:
        made.append(Service(folder or tmp_path / "web", settings))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(new_service: Callable[..., Service]) -> Service:
    service = new_service()
    service.start()
    return service


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests of a file, for those that change nothing that matters to the others."""
    service = Service(tmp_path_factory.mktemp("web"))
    service.start()
    yield service
    service.close()
