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
from noc_launcher.brokers.files import write_private
from noc_launcher.complaint import Complaint

_ROUNDS: Final = 101
# Debian keeps servers where an ordinary user's PATH does not look.
_ALSO: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def prepare(folder: Path, port: int, passwords: Mapping[str, str]) -> list[str]:
    """Write the settings; the command to run. Raises Complaint where there is no Mosquitto."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_ALSO)
    if found is None:
        raise Complaint(
            "There is no mosquitto on PATH; install it (Debian and Ubuntu: apt install mosquitto), "
            "or leave --broker out to use the bundled broker."
        )
    store = folder / "mosquitto"
    store.mkdir(mode=0o700, exist_ok=True)
    write_private(folder / "mosquitto.acl", acl.render(anonymous_read=True))
    write_private(folder / "mosquitto.users", password_file(passwords))
    return [found, "-c", str(write_private(folder / "mosquitto.conf", settings(folder, port)))]


def settings(folder: Path, port: int) -> str:
    lines = [
        f"listener {port} 127.0.0.1",
        # Whoever has no name may read, which the access control list says.
        "allow_anonymous true",
        f"password_file {folder / 'mosquitto.users'}",
        f"acl_file {folder / 'mosquitto.acl'}",
        "persistence true",
        f"persistence_location {folder / 'mosquitto'}/",
        "autosave_interval 30",
        # The default cuts a subscriber off after 1,000 retained messages.
        "max_queued_messages 0",
        "log_type error",
        "log_type warning",
        "log_type notice",
    ]
    if os.getuid() == 0:
        # Else it becomes the user mosquitto, who may not read this folder.
        lines.append("user root")
    return "\n".join(lines) + "\n"


def password_file(passwords: Mapping[str, str]) -> str:
    """What `mosquitto_passwd` would write: PBKDF2 with SHA-512."""
    return "".join(f"{user}:{_hashed(password)}\n" for user, password in passwords.items())


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
