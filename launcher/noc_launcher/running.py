"""One `noc up` for one data folder: a lock that is gone with its process, and a note for the other commands."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from noc_launcher.errors import CommandError

_LOCK: Final = "noc.lock"


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold the data folder. Raises CommandError where another process does."""
    with (folder / _LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(
                f"NOC already runs on the data folder {folder} (process {read(folder).get('pid', 'unknown')}); "
                "stop that one, or give this one another folder with --data."
            ) from None
        note(folder, {})
        try:
            yield
        finally:
            note(folder, None)


def note(folder: Path, facts: dict[str, str] | None) -> None:
    """Write down who holds the folder, and where its web service (host:port) and its broker (URL) are; None: nobody does now."""
    text = "" if facts is None else json.dumps({"pid": str(os.getpid()), **facts})
    (folder / _LOCK).write_text(text, encoding="utf-8")


def read(folder: Path) -> dict[str, str]:
    """What the running `noc up` has written down: pid, web, mqtt. Empty where none runs."""
    try:
        with (folder / _LOCK).open(encoding="utf-8") as file:
            found: dict[str, str] = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if _is_alive(found.get("pid", "")) else {}


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, OSError):
        return False
    return True
