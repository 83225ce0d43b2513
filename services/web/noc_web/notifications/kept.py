"""How people are told, in this service's database; and how the alerter gets it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from noc_bus.bus import Bus
from noc_bus.channels import SEALED, SERVICES
from noc_bus.codec import encode
from noc_bus.messages import Contact, NotificationRoute, NotificationSettings, SealedSettings, ServicePresence
from noc_bus.presences import Presences
from noc_bus.retained import Published, RevCounter
from noc_bus.sealed import BadKey, seal
from noc_frame import log
from noc_web.database.opening import Database

_READER: Final = "alerter"
_MAIL: Final = "mail"
_HEARTBEAT: Final = "heartbeat"
_CONTACT: Final = "contact"
_ROUTE: Final = "route"


class Notifications:
    """The database is the truth. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self.changed: Callable[[], None] = lambda: None

    def read(self) -> NotificationSettings:
        """As they are set now. Raises DatabaseFault."""
        found: dict[str, Any] = {}
        parts: dict[str, list[Any]] = {_CONTACT: [], _ROUTE: []}
        for kind, value in self._database.rows("SELECT kind, value FROM notification ORDER BY kind, id"):
            if kind in (_MAIL, _HEARTBEAT):
                found |= json.loads(value)
            else:
                parts[kind].append(json.loads(value))
        whole = found | {"contacts": parts[_CONTACT], "routes": parts[_ROUTE]}
        return msgspec.convert(whole, NotificationSettings)

    def put_mail(self, change: Callable[[NotificationSettings], NotificationSettings]) -> dict[str, Any]:
        """What `change` makes of the mail server's settings. What it changed, for the audit, without the password."""
        with self._changing() as connection:
            before = self.read()
            old, new = _mail(before), _mail(change(before))
            _put(connection, _MAIL, "", new)
        differing = {name: new[name] for name in new if new[name] != old[name]}
        return differing | ({"mail_password": "changed"} if "mail_password" in differing else {})

    def put_heartbeat(self, url: str, every_s: int) -> None:
        """`url` empty: none."""
        with self._changing() as connection:
            _put(connection, _HEARTBEAT, "", {"heartbeat_url": url, "heartbeat_s": every_s})

    def put_contact(self, change: Callable[[NotificationSettings], Contact]) -> Contact:
        """Add or replace what `change` makes, seeing all there is."""
        with self._changing() as connection:
            contact = change(self.read())
            _put(connection, _CONTACT, contact.id, msgspec.to_builtins(contact))
        return contact

    def put_route(self, change: Callable[[NotificationSettings], NotificationRoute]) -> NotificationRoute:
        """The same of a route."""
        with self._changing() as connection:
            route = change(self.read())
            _put(connection, _ROUTE, route.id, msgspec.to_builtins(route))
        return route

    def remove_contact(self, name: str, check: Callable[[NotificationSettings], None]) -> bool:
        """Whether there was one. `check` refuses by what it raises."""
        with self._changing() as connection:
            check(self.read())
            return _remove(connection, _CONTACT, name)

    def remove_route(self, name: str) -> bool:
        """Whether there was one."""
        with self._changing() as connection:
            return _remove(connection, _ROUTE, name)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database.begin() as connection:
            yield connection
        self.changed()


def _mail(settings: NotificationSettings) -> dict[str, Any]:
    """What is of the mail server and nothing else."""
    every: dict[str, Any] = msgspec.to_builtins(settings)
    return {name: value for name, value in every.items() if name.startswith("mail_")}


def _put(connection: sqlite3.Connection, kind: str, name: str, value: Any) -> None:
    connection.execute("INSERT OR REPLACE INTO notification VALUES (?, ?, ?)", (kind, name, json.dumps(value)))


def _remove(connection: sqlite3.Connection, kind: str, name: str) -> bool:
    return connection.execute("DELETE FROM notification WHERE kind = ? AND id = ?", (kind, name)).rowcount > 0


class Sealed:
    """Keeps on the broker, for the alerter alone, what is set. `tick` once a second; all from any thread."""

    def __init__(self, bus: Bus, notifications: Notifications, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._notifications = notifications
        self._published: Published[str, SealedSettings] = Published(bus, SEALED, RevCounter(), clock=clock)
        self._services: Presences[ServicePresence] = Presences(bus, SERVICES, clock=clock)
        self._lock = threading.Lock()
        self._sealed: tuple[str, NotificationSettings] | None = None
        self._bad_key = ""
        notifications.changed = self.tick

    @property
    def published(self) -> Published[str, SealedSettings]:
        return self._published

    def alerter(self) -> ServicePresence | None:
        """Its last presence; None: it has not been seen."""
        return self._services.get(_READER)

    def tick(self) -> None:
        """Seal anew what has changed, and everything for an alerter with another key. Raises DatabaseFault."""
        self._services.tick()
        presence = self.alerter()
        if presence is None or not presence.online or not presence.sealing_key:
            return
        with self._lock:
            wanted = (presence.sealing_key, self._notifications.read())
            if wanted == self._sealed:
                return
            key, settings = wanted
            try:
                content = seal(encode(settings), key)
            except BadKey as error:
                if key != self._bad_key:
                    log.get("noc.web").error(f"the alerter's settings cannot be sealed for it: {error}")
                self._bad_key = key
                return
            self._published.put(SealedSettings(reader=_READER, content=content))
            self._sealed = wanted
