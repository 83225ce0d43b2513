"""The bundled broker: nats-server, speaking MQTT on loopback, keeping what is retained on disk."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Final

from noc_bus.render.accounts import ANONYMOUS
from noc_frame.files import write_private
from noc_launcher.errors import CommandError
from noc_launcher.listening import Listener
from noc_web.broker import names

SCHEME: Final = "wss"
KEPT_S: Final = 24 * 3600
"""So long messages are kept for a subscriber who left; once, for however many they are.

Who comes back later must connect with a clean session: the server still finds the old one, without its subscriptions.
"""


def prepare(folder: Path, port: int, listener: Listener | None = None) -> list[str]:
    """Write the settings beside the accounts; the command to run. Raises CommandError where there is no server for this machine."""
    program = Path(sys.executable).with_name("nats-server")
    found = str(program) if program.exists() else shutil.which("nats-server")
    if found is None:
        raise CommandError(
            "The bundled nats-server is missing (its package has none for this machine); "
            "install Mosquitto and use --broker mosquitto, or name a broker in NOC_MQTT_URL."
        )
    file = write_private(folder / "nats.conf", settings(folder / "nats", port, listener=listener))
    return [found, "--config", str(file)]


def settings(store: Path, port: int, kept_s: int = KEPT_S, listener: Listener | None = None) -> str:
    """nats-server's settings, a line each. The accounts are in a file beside them, which is read again at each reload.

    It has one port for MQTT, which is that of loopback; other sites come over WebSocket, where MQTT is too.
    """
    chosen: dict[str, object] = {
        "server_name": "noc",
        "logtime": False,
        # The server's own protocol cannot be switched off: any free port, and it asks for the same passwords.
        "host": "127.0.0.1",
        "port": -1,
        "jetstream": {"store_dir": str(store)},
        "mqtt": {
            "host": "127.0.0.1",
            "port": port,
            "no_auth_user": ANONYMOUS,
            # What is kept for a subscriber who left goes with its subscription.
            "consumer_inactive_threshold": f"{kept_s}s",
        },
    }
    if listener:
        files = {"cert_file": listener.certificate(store.parent), "key_file": listener.key(store.parent)}
        tls: dict[str, object] = {name: str(file) for name, file in files.items()}
        if asked := listener.asks_for(store.parent):
            tls |= {"ca_file": str(asked), "verify": True}
        chosen["websocket"] = {"host": listener.host, "port": listener.port, "tls": tls}
    lines = [f"{name}: {json.dumps(value)}" for name, value in chosen.items()]
    return "\n".join([*lines, f"include {names.NATS}"]) + "\n"
