"""How people are told, in this service's database; and how the alerter gets it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from noc_bus.bus import Bus
from noc_bus.channels import SEALED, SERVICES
from noc_bus.codec import encode
from noc_bus.messages import NotificationSettings, SealedSettings, ServicePresence
from noc_bus.presences import Presences
from noc_bus.retained import Published, RevCounter
from noc_bus.sealed import BadKey, seal
from noc_frame import log
from noc_web.database.opening import Database

_READER: Final = "alerter"
_MAIL: Final = "mail"


class Notifications:
    """The database is the truth. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self.changed: Callable[[], None] = lambda: None

    def read(self) -> NotificationSettings:
        """As they are set now. Raises DatabaseFault."""
        found = self._database.value("SELECT value FROM notification WHERE kind = ? AND id = ''", _MAIL)
        return msgspec.convert(json.loads(found) if found else {}, NotificationSettings)

    def put_mail(self, change: Callable[[NotificationSettings], NotificationSettings]) -> dict[str, Any]:
        """What `change` makes of the mail server's settings. What it changed, for the audit, without the password."""
        with self._lock, self._database.begin() as connection:
            before = self.read()
            after = change(before)
            old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
            connection.execute("INSERT OR REPLACE INTO notification VALUES (?, '', ?)", (_MAIL, json.dumps(new)))
        self.changed()
        differing = {name: new[name] for name in new if new[name] != old[name]}
        return differing | ({"mail_password": "changed"} if "mail_password" in differing else {})


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
