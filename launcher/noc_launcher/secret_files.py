"""`noc secrets FOLDER`: random passwords in files, one each, for docker-compose.yml to hand to its services."""

from __future__ import annotations

import secrets
from pathlib import Path

from noc_launcher.brokers.files import write_private
from noc_launcher.brokers.mosquitto import password_file
from noc_launcher.complaint import Complaint


def make(folder: Path, site: str) -> list[str]:
    """Write what is missing, so that a second run changes no password; the names of the new files."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = {site: f"prober-{site}", "recorder": "recorder", "alerter": "alerter", "web": "web", "reader": "reader"}
        made: list[str] = []
        passwords = {user: _kept(folder / f"mqtt-{file}-password", made) for user, file in users.items()}
        for file in ("influxdb-password", "influxdb-token", "admin-password"):
            _kept(folder / file, made)
        if made or not (folder / "mosquitto-users").exists():
            write_private(folder / "mosquitto-users", password_file(passwords))
            made.append("mosquitto-users")
    except OSError as error:
        raise Complaint(
            f"{error.filename or folder} cannot be written ({error.strerror}); name a folder you may write."
        ) from None
    return made


def _kept(file: Path, made: list[str]) -> str:
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24) + "\n")
        made.append(file.name)
    return file.read_text(encoding="utf-8").strip()
