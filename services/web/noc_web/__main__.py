"""Start the web service: settings, session, database, and gevent's server."""

from __future__ import annotations

import functools
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import gevent
from gevent import pywsgi

from noc_bus import presence
from noc_bus.channels import SERVICES
from noc_bus.session import Session
from noc_bus.time import Time
from noc_frame import log, process
from noc_frame.settings import SettingError
from noc_web.app import add_routes, new_app
from noc_web.auth.accounts import Accounts
from noc_web.auth.guard import Guard
from noc_web.catalog.catalog import Catalog
from noc_web.config import SETTINGS, Config
from noc_web.database.opening import Database
from noc_web.extension import Extension
from noc_web.live.requests import Requests
from noc_web.live.revision import Revisions
from noc_web.live.socket import LiveSocket
from noc_web.live.view import LiveView
from noc_web.off_loop import off_loop
from noc_web.parts import Parts
from noc_web.publisher import Publisher

_CHECK_S: Final = 0.5
_STOP_S: Final = 3


def run(config: Config, stop: threading.Event, extensions: Sequence[Extension] = ()) -> None:
    """Serve until stopped. Raises SettingError for a port or folder that cannot be used, SessionDied."""
    listener = _listen(config)
    database = Database(config.data)
    accounts = Accounts(database)
    accounts.ensure_first(config.admin_password, config.data)
    session = Session(config.broker, "noc-web", will=lambda instance: presence.offline("web", instance))
    publisher = Publisher(session)
    view = LiveView(session)

    def tell() -> None:
        publisher.sync(catalog)
        view.define(publisher.targets, publisher.sites)

    catalog = Catalog(database, tell, config.audit_keep_days)
    app, csrf = new_app(config)
    parts = Parts(
        config=config,
        bus=session,
        accounts=accounts,
        guard=Guard(accounts, csrf),
        catalog=catalog,
        publisher=publisher,
        view=view,
        revisions=Revisions(view),
        requests=Requests(session),
        store=config.history.open(),
    )
    add_routes(app, parts, extensions)
    live = LiveSocket(app, parts)
    keeper = Keeper(parts, database, live)
    keeper.follow_database()
    session.start()
    # Without a name it asks the DNS for one, which takes ten seconds where that is silent.
    named = {"SERVER_NAME": config.http_host}
    server = pywsgi.WSGIServer(listener, app, log=None, error_log=_ErrorLog(), handler_class=_Handler, environ=named)
    server.start()
    log.get("noc.web").info(f"open {config.address}")
    # Greenlets that die must not die silently: each is looked at below.
    running = [gevent.spawn(live.run), gevent.spawn(keeper.run)]
    try:
        while not stop.is_set():
            session.check()
            for greenlet in running:
                if greenlet.dead:
                    greenlet.get()
                    raise RuntimeError("a part of the web service has ended by itself")
            gevent.sleep(_CHECK_S)
    finally:
        gevent.killall(running)
        session.publish(*presence.offline("web", session.instance))
        server.stop(timeout=_STOP_S)
        session.stop()
        parts.store.close()
        database.close()


class Keeper:
    """Keeps bus and database in step, and says that this service is well."""

    def __init__(self, parts: Parts, database: Database, live: LiveSocket) -> None:
        self._parts = parts
        self._database = database
        self._live = live
        self._since = Time.now()

    def run(self) -> None:
        """The greenlet: the database may be changed by this process and by commands beside it."""
        announce_at_s = 0.0
        while True:
            off_loop(self.follow_database)
            now_s = time.monotonic()
            off_loop(self._parts.publisher.tick, now_s)
            if now_s >= announce_at_s and self._parts.bus.connected:
                announce_at_s = now_s + presence.PRESENCE_EVERY_S
                self._announce()
            gevent.sleep(0.2)

    def follow_database(self) -> None:
        self._parts.catalog.follow()

    def _announce(self) -> None:
        figures: dict[str, float] = {
            "viewers": self._live.viewers,
            "targets": len(self._parts.publisher.targets),
            "revision": self._parts.revisions.revision,
            **self._parts.bus.counters,
        }
        self._parts.bus.publish(SERVICES, presence.presence("web", self._since, figures))


class _Handler(pywsgi.WSGIHandler):  # type: ignore[misc]  # gevent has no types
    """Ends a connection that was a WebSocket: what still arrives on it is no further request."""

    def run_application(self) -> None:
        super().run_application()
        if self.environ.get("HTTP_UPGRADE"):
            self.close_connection = True


class _ErrorLog:
    """Where gevent's server writes what goes wrong: into our log, line by line."""

    def write(self, text: str) -> None:
        for line in text.splitlines():
            if line.strip():
                log.get("noc.web").warning(line.strip())

    def flush(self) -> None:
        return


def _listen(config: Config) -> Any:
    """The port, taken before anything else is begun."""
    family = socket.AF_INET6 if ":" in config.http_host else socket.AF_INET
    try:
        return pywsgi.WSGIServer.get_listener((config.http_host, config.http_port), backlog=256, family=family)
    except (OSError, OverflowError) as error:
        raise SettingError(
            f"NOC_HTTP_HOST and NOC_HTTP_PORT: {config.http_host}:{config.http_port} cannot be listened on "
            f"({error}); use another port or an address of this machine."
        ) from None


def health(config: Config) -> int:
    return presence.service_health("web", config.broker)


def main(argv: Sequence[str] | None = None, extensions: Sequence[Extension] = ()) -> int:
    about = "Shows the network live, and keeps its targets."
    serve = functools.partial(run, extensions=extensions)
    return process.main("web", about, SETTINGS, Config.read, serve, health, argv)


if __name__ == "__main__":
    sys.exit(main())
