"""Wires the web service together and runs it: session, database, and gevent's server."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

import gevent

from noc_bus import presence
from noc_bus.channels import SERVICES
from noc_bus.messages import ServicePresence
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log, process
from noc_frame.sqlite import DatabaseFault
from noc_history.store import Store, StoreError
from noc_rules.expiry import Expiring, ExpiryCode, warning
from noc_web import pools
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
from noc_web.extension import Extension
from noc_web.live.incidentqueries import IncidentQueries
from noc_web.live.mailtests import MailTests
from noc_web.live.picture import Picture
from noc_web.live.recent import Recent
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.live.socket import LiveSocket
from noc_web.notifications.kept import Notifications, Sealed
from noc_web.problem import ProblemError
from noc_web.publisher import Publisher
from noc_web.rehearsal import Rehearsals
from noc_web.report import Reports
from noc_web.reportmails import ReportMails
from noc_web.server import STRANGERS_OF_ONE_ADDRESS, Server, listen, raise_descriptors

_CHECK_S: Final = 0.5
_FOLLOW_S: Final = 0.2
_TICK_S: Final = 1.0
_LOOK_S: Final = 5.0
# Shorter than the patience of whoever stops this process.
_DRAIN_S: Final = 8.0
_SWITCH_S: Final = 0.001
# Who asked has given up by then, and others wait for the two threads that read.
_READ_S: Final = 10.0


def run(config: Config, stop: threading.Event, extensions: Sequence[Extension] = ()) -> None:
    """Serve until stopped. Raises SettingError for a port or folder that cannot be used, SessionDied."""
    listener = listen(config.http_host, config.http_port)
    descriptors = raise_descriptors()
    # The event loop must not wait long for threads that only compute.
    sys.setswitchinterval(_SWITCH_S)
    config.accounts.prepare(config.data, config.broker.root)
    database = Database(config.data)
    accounts = Accounts(database)
    accounts.ensure_first(config.admin_password, config.data)
    session = Session(config.broker, "noc-web", will=lambda instance: presence.offline("web", instance))
    broker_accounts = BrokerAccounts(database)
    broker_files = BrokerFiles(broker_accounts)
    publisher = Publisher(session, may_speak=broker_accounts.may_speak, topics_of=lambda site: picture.topics_of(site))
    picture = Picture(session, broker_trouble=lambda: session.trouble)
    notifications = Notifications(database)
    sealed = Sealed(session, notifications)
    revisions = Revisions(picture)
    requests = Requests(session)

    def tell() -> None:
        publisher.sync(catalog)
        picture.define(publisher.targets, publisher.sites, publisher.maintenances)

    catalog = Catalog(database, tell, config.audit_keep_days, picture.is_seen)
    app, csrf = new_app(config)
    guard = Guard(accounts, csrf, config.trusted_proxies)
    store, calculating = config.history.open(_READ_S), config.history.open()
    reports = Reports(calculating, lambda: publisher.targets, catalog.maintenance_past)
    rehearsals = Rehearsals(calculating, catalog.maintenance_past)
    calendars = Calendars(database)
    report_mails = ReportMails(
        database, session, reports, calendars, notifications, title=config.report_title, public_url=config.public_url
    )
    renewal = Renewal(config.data)
    add_routes(
        app,
        config=config,
        bus=session,
        accounts=accounts,
        guard=guard,
        catalog=catalog,
        calendars=calendars,
        site_keys=SiteKeys(config.data, catalog, broker_accounts, broker_files),
        renewal=renewal,
        publisher=publisher,
        picture=picture,
        revisions=revisions,
        requests=requests,
        mail_tests=MailTests(session),
        notifications=notifications,
        sealed=sealed,
        incident_queries=IncidentQueries(session),
        store=store,
        reports=reports,
        rehearsals=rehearsals,
        report_mails=report_mails,
        extensions=extensions,
    )
    live = LiveSocket(
        app,
        picture=picture,
        revisions=revisions,
        requests=requests,
        guard=guard,
        accounts=accounts,
        public_url=config.public_url,
    )
    keeper = Keeper(
        catalog,
        publisher,
        picture,
        broker_files,
        KeyUse(session, broker_accounts),
        renewal,
        sealed,
        accounts,
    )
    keeper.follow_database()
    since = Time.now()

    def said() -> ServicePresence:
        figures: dict[str, float] = {
            "viewers": live.viewers,
            "targets": len(publisher.targets),
            "revision": revisions.revision,
            **session.counters,
        }
        trouble, code = keeper.expiring or (None, None)
        return presence.presence("web", since, figures, trouble, code)

    announcer = presence.Announcer(session, SERVICES, said, (*publisher.published, sealed.published), service="web")
    session.start()
    report_mails.start()
    # Behind a proxy everybody comes from its address.
    is_behind_proxy = bool(config.public_url or config.trusted_proxies)
    one_address = descriptors if is_behind_proxy else STRANGERS_OF_ONE_ADDRESS
    server = Server(listener, app, name=config.http_host, descriptors=descriptors, one_address=one_address)
    server.start()
    # What is there now stays: to walk through it again and again, the collector would keep charts waiting.
    gc.collect()
    gc.freeze()
    log.get("noc.web").info(f"open {config.address}")
    # Greenlets that die must not die silently: each is looked at below.
    running = [
        gevent.spawn(live.run),
        gevent.spawn(live.look_after),
        gevent.spawn(keeper.run),
        gevent.spawn(announce, announcer),
        gevent.spawn(look_back, picture.recent, store),
    ]
    try:
        while not stop.is_set():
            session.check()
            for greenlet in running:
                if greenlet.dead:
                    greenlet.get()
                    raise RuntimeError("a part of the web service has ended by itself")
            if not report_mails.is_running:
                raise RuntimeError("the thread of reports by mail has ended by itself")
            gevent.sleep(_CHECK_S)
    finally:
        gevent.killall(running)
        live.close()
        server.drain(_DRAIN_S)
        announcer.say_goodbye(ServicePresence(service="web", online=False))
        session.stop()
        report_mails.stop()
        reports.close()
        rehearsals.close()
        report_mails.join()
        store.close()
        calculating.close()
        database.close()


def announce(announcer: presence.Announcer[ServicePresence]) -> None:
    """The greenlet that says that this service is here: it waits behind no request and no database."""
    while True:
        pools.PRESENCE.run(announcer.tick)
        gevent.sleep(_FOLLOW_S)


def look_back(recent: Recent, store: Store) -> None:
    """The greenlet that asks the history for what ended while nobody listened."""
    while True:
        if recent.is_due:
            # What is away, or has too much to do, is asked again.
            with contextlib.suppress(StoreError, ProblemError):
                pools.HISTORY.run(recent.look_back, store)
        gevent.sleep(_LOOK_S)


class Keeper:
    """Keeps bus, broker and database in step: the database may be changed by this process and by commands beside it."""

    def __init__(
        self,
        catalog: Catalog,
        publisher: Publisher,
        picture: Picture,
        broker_files: BrokerFiles,
        key_use: KeyUse,
        renewal: Renewal,
        sealed: Sealed,
        accounts: Accounts,
    ) -> None:
        self._catalog = catalog
        self._publisher = publisher
        self._picture = picture
        self._broker_files = broker_files
        self._key_use = key_use
        self._renewal = renewal
        self._accounts = accounts
        self.expiring: tuple[str, ExpiryCode] | None = None
        """What is about to expire, in a sentence."""
        self._sealed = sealed

    def run(self) -> None:
        """The greenlet."""
        tick_at_s = 0.0
        while True:
            pools.KEEPER.run(self.follow_database)
            now_s = time.monotonic()
            if now_s >= tick_at_s:
                tick_at_s = now_s + _TICK_S
                pools.KEEPER.run(self.tick)
            gevent.sleep(_FOLLOW_S)

    def tick(self) -> None:
        self._publisher.tick()
        self._picture.tick()
        with self._while_the_database_is_whole():
            self._key_use.tick()
            self.expiring = self._look_at_expiry(Time.now())
            self._sealed.tick()
        self._renewal.tick()

    def _look_at_expiry(self, now: Time) -> tuple[str, ExpiryCode] | None:
        found = self._accounts.expiring_tokens()
        if self._renewal.certificate is not None:
            cure = "replace the file that NOC_TLS_CERT names"
            found.append(Expiring("the certificate for sites", self._renewal.certificate.valid_until, cure))
        return warning(found, now)

    def follow_database(self) -> None:
        """Raises RestartNeeded where the database is not what it was."""
        with self._while_the_database_is_whole():
            self._catalog.follow()
            self._broker_files.follow()

    @contextlib.contextmanager
    def _while_the_database_is_whole(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFault as fault:
            if not fault.can_retry:
                raise process.RestartNeeded(str(fault)) from None
