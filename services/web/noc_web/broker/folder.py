"""The folder in which a broker reads its accounts and its certificate: how files are put there, and the broker told."""

from __future__ import annotations

import stat
from pathlib import Path

from noc_bus.time import Time
from noc_frame.files import write_private
from noc_web.broker import names


def put(file: Path, content: str) -> None:
    """Write or replace one of its files; the group may read what is in a folder that it may read. Raises OSError.

    A broker that runs as a user of its own is in that group.
    """
    write_private(file, content, for_group=bool(file.parent.stat().st_mode & stat.S_IRGRP))


def tell_broker(folder: Path) -> None:
    """Have it read again what is there. Raises OSError."""
    put(folder / names.REVISION, f"{int(Time.now())}\n")


def content(file: Path) -> str | None:
    """None where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None
