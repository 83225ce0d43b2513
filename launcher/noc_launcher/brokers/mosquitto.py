"""Mosquitto from PATH, for `noc up --broker mosquitto`."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from noc_bus.render import mosquitto as settings
from noc_frame.files import write_private
from noc_launcher.errors import CommandError
from noc_launcher.listening import Listener
from noc_web.broker import names

SCHEME: Final = "mqtts"
# Debian keeps servers where an ordinary user's PATH does not look.
_ALSO: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def prepare(folder: Path, port: int, listener: Listener | None = None) -> list[str]:
    """Write the settings beside the accounts; the command to run. Raises CommandError where there is no Mosquitto."""
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
        users=str(folder / names.MOSQUITTO_USERS),
        acl=str(folder / names.MOSQUITTO_ACL),
        store=str(store),
    )
    if listener:
        places = replace(
            places,
            sites=settings.SitesListener(
                f"{listener.port} {listener.host}",
                str(listener.certificate(folder)),
                str(listener.key(folder)),
                str(listener.asks_for(folder) or ""),
            ),
        )
    # Else it becomes the user mosquitto, who may not read this folder.
    user = "root" if os.getuid() == 0 else None
    file = write_private(folder / "mosquitto.conf", settings.render(places, anonymous_read=True, user=user))
    return [found, "-c", str(file)]
