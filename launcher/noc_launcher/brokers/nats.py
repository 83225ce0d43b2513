"""The bundled broker: nats-server, speaking MQTT on loopback, keeping what is retained on disk."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from noc_bus.render import nats
from noc_launcher.brokers.files import write_private
from noc_launcher.complaint import Complaint

READER = "reader"


def prepare(folder: Path, port: int, passwords: Mapping[str, str]) -> list[str]:
    """Write the settings; the command to run. Raises Complaint where there is no server for this machine."""
    program = Path(sys.executable).with_name("nats-server")
    found = str(program) if program.exists() else shutil.which("nats-server")
    if found is None:
        raise Complaint(
            "The bundled nats-server is missing (its package has none for this machine); "
            "install Mosquitto and use --broker mosquitto, or name a broker in NOC_MQTT_URL."
        )
    file = write_private(folder / "nats.conf", settings(folder / "nats", port, passwords))
    return [found, "--config", str(file)]


def settings(store: Path, port: int, passwords: Mapping[str, str]) -> str:
    """nats-server's settings: its own format is a superset of JSON. `passwords` by user; READER must be one."""
    chosen = {
        "server_name": "noc",
        "logtime": False,
        # The server's own protocol cannot be switched off: any free port, and it asks for the same passwords.
        "host": "127.0.0.1",
        "port": -1,
        "jetstream": {"store_dir": str(store)},
        "mqtt": {"host": "127.0.0.1", "port": port, "no_auth_user": READER},
        "authorization": {
            "users": [
                {"user": user, "password": password, "permissions": nats.of_user(user)}
                for user, password in passwords.items()
            ]
        },
    }
    return json.dumps(chosen, indent=1)
