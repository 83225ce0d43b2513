"""`noc secrets FOLDER`: the files of passwords that docker-compose.yml hands to its services."""

from __future__ import annotations

import functools
import os
import secrets
import stat
import string
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from noc_launcher.errors import CommandError
from noc_web.broker.accounts import hashes_of

_CENTRAL: Final = ("web", "recorder", "alerter", "reader")
_PASSWORD_CHARACTERS: Final = 32
_USERS: Final = "broker_users"
COMPOSE_BROKER: Final = "mqtt://mosquitto:1883"


def make(folder: Path, site: str, broker: str = COMPOSE_BROKER) -> list[str]:
    """Write what is missing, so that a second run changes no password; the names of the new files.

    `broker`: its address, without a user.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & stat.S_IRWXO:
            # One that was there before; it may hold other things too, so its mode is not ours to change.
            raise CommandError(
                f"Other users of this machine may look into {folder}, whose files every container must be able to read; "
                f"run `chmod 700 {folder}`, or name a new folder."
            )
        return _Files(folder, broker).make(site)
    except OSError as error:
        place = error.filename or folder
        raise CommandError(f"{place} cannot be written ({error.strerror}); name a folder you may write.") from None


class _Files:
    def __init__(self, folder: Path, broker: str) -> None:
        self._folder = folder
        self._broker = broker
        self._new: list[str] = []

    def make(self, site: str) -> list[str]:
        for user in (*_CENTRAL, site):
            self._kept(f"mqtt_{user}_url", functools.partial(self._broker_url, user))
        token = self._kept("influxdb_token", _random)
        self._kept("influxdb_password", _random)
        reader = self._kept("influxdb_read_password", _random)
        self._kept("grafana_password", _random)
        history = self._kept("history_url", lambda: f"influxdb://{token}@influxdb:8086/noc/noc?keep_days=30")
        # It may name another store by now, of whose rights we know nothing.
        self._kept("history_read_url", lambda: history.replace(f"://{token}@", f"://noc-reader:{reader}@"))
        self._kept("admin_password", _random)
        self._kept("smtp_url", str)
        if not (self._folder / _USERS).exists() or any(name.startswith("mqtt_") for name in self._new):
            self._write(_USERS, "".join(_user_line(*one) for one in self._mqtt_passwords().items()))
        return self._new

    def _mqtt_passwords(self) -> dict[str, str]:
        """By user, out of the addresses: also of sites that an earlier run has made."""
        urls = [urlsplit(file.read_text(encoding="utf-8").strip()) for file in sorted(self._folder.glob("mqtt_*_url"))]
        return {url.username: url.password for url in urls if url.username and url.password}

    def _broker_url(self, user: str) -> str:
        scheme, _, place = self._broker.partition("://")
        return f"{scheme}://{user}:{_random()}@{place}"

    def _kept(self, name: str, content: Callable[[], str]) -> str:
        file = self._folder / name
        if not file.exists():
            self._write(name, content())
        return file.read_text(encoding="utf-8").strip()

    def _write(self, name: str, content: str) -> None:
        fresh = self._folder / f".{name}.new"
        fresh.unlink(missing_ok=True)
        # Each container reads them as a user of its own; the folder keeps this machine's other users out.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o444)
            file.write(content if content.endswith("\n") or not content else f"{content}\n")
        fresh.replace(self._folder / name)
        self._new.append(name)


def _user_line(user: str, password: str) -> str:
    """What the web service needs to have a broker let the user in: no password."""
    hashes = hashes_of(password)
    return f"{user}:{hashes.mosquitto}:{hashes.nats}\n"


def _random() -> str:
    """Letters and digits only: it stands in addresses as it is."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_PASSWORD_CHARACTERS))
