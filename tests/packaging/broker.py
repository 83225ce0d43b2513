"""Mosquitto as docker-compose.yml runs it: the same mosquitto.conf, with paths and port of a test."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT
from tests.parts.brokers import Broker


class ComposeBroker(Broker):
    def __init__(self, folder: Path, passwords: Mapping[str, str], made: Path | None = None) -> None:
        """`made`: a password file to use as it is; else one is made of `passwords`."""
        super().__init__(folder, passwords)
        self._made = made

    def _command(self) -> list[str | Path]:
        program = shutil.which("mosquitto")
        if program is None:
            pytest.skip("needs Mosquitto on PATH")
        stored = self.folder / "stored"
        stored.mkdir(exist_ok=True)
        users = self._made or self._password_file()
        text = (ROOT / "mosquitto.conf").read_text(encoding="utf-8")
        for ours, here in {
            "listener 1883\n": f"listener {self.port} {self.host}\n",
            "/run/secrets/mosquitto.passwd": str(users),
            "/mosquitto/config/mosquitto.acl": str(ROOT / "bus" / "rendered" / "mosquitto.acl"),
            "/mosquitto/data/": f"{stored}/",
        }.items():
            assert text.count(ours) == 1
            text = text.replace(ours, here)
        # In the container it is started as the user it stays; here root must be told to stay root.
        config = self.folder / "mosquitto.conf"
        config.write_text(f"{text}user {getpass.getuser()}\n")
        return [program, "-c", config]

    def _password_file(self) -> Path:
        users = self.folder / "mosquitto.passwd"
        users.write_text("".join(f"{user}:{password}\n" for user, password in self.passwords.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(users)], check=True, capture_output=True)
        return users
