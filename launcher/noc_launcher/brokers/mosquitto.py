"""Mosquitto from PATH, for `noc up --broker mosquitto`."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from noc_bus.render import acl
from noc_bus.render import mosquitto as settings
from noc_launcher.brokers.files import write_private
from noc_launcher.errors import CommandError

_ROUNDS: Final = 101
# Debian keeps servers where an ordinary user's PATH does not look.
_ALSO: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def prepare(folder: Path, port: int, passwords: Mapping[str, str]) -> list[str]:
    """Write the settings; the command to run. Raises CommandError where there is no Mosquitto."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_ALSO)
    if found is None:
        raise CommandError(
            "There is no mosquitto on PATH; install it (Debian and Ubuntu: apt install mosquitto), "
            "or leave --broker out to use the bundled broker."
        )
    store = folder / "mosquitto"
    store.mkdir(mode=0o700, exist_ok=True)
    places = settings.Places(
        listener=f"{port} 127.0.0.1",
        users=str(write_private(folder / "mosquitto.users", password_file(passwords))),
        acl=str(write_private(folder / "mosquitto.acl", acl.render(anonymous_read=True))),
        store=str(store),
    )
    # Else it becomes the user mosquitto, who may not read this folder.
    user = "root" if os.getuid() == 0 else None
    file = write_private(folder / "mosquitto.conf", settings.render(places, anonymous_read=True, user=user))
    return [found, "-c", str(file)]


def password_file(passwords: Mapping[str, str]) -> str:
    """What `mosquitto_passwd` would write: PBKDF2 with SHA-512."""
    return "".join(f"{user}:{_hashed(password)}\n" for user, password in passwords.items())


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
