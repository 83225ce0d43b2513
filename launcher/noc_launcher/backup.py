"""Copies of a whole data folder: made beside a running system, put back while none runs."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from noc_frame import sqlite
from noc_launcher import running
from noc_launcher.errors import CommandError

_DATABASE: Final = ".sqlite"
_BESIDE: Final = ("-wal", "-shm", "-journal", ".lock")
# Journals first: what a journal lets go of meanwhile is in the history, which is copied after it.
_FIRST: Final = "prober-"


def make(data: Path, to: Path) -> list[str]:
    """Copy every database as it is at one moment, and every other file; their names. Raises CommandError, OSError.

    Folders are left out: the broker's, which is filled again by the services.
    """
    if not data.is_dir():
        raise CommandError(f"There is no data folder {data}; name the folder with --data.")
    if to.exists() and any(to.iterdir()):
        raise CommandError(f"{to} is not empty; name a new folder for the backup.")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [_copied(file, to) for file in _files(data)]


def restore(backup: Path, data: Path) -> list[str]:
    """Put the files of a backup into a data folder that nothing runs on; their names. Raises CommandError, OSError.

    What the folder had under the same names is replaced; other files of it stay.
    """
    if not (backup / "web.sqlite").is_file():
        raise CommandError(f"{backup} is no backup: it has no web.sqlite; name the folder that `noc backup` made.")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with running.claim(data):
        return [_put_back(file, data) for file in _files(backup)]


def _files(folder: Path) -> list[Path]:
    found = [file for file in folder.iterdir() if file.is_file() and not file.name.endswith(_BESIDE)]
    return sorted(file for file in found if file.name.startswith(_FIRST)) + sorted(
        file for file in found if not file.name.startswith(_FIRST)
    )


def _copied(file: Path, to: Path) -> str:
    copy = to / file.name
    if file.suffix != _DATABASE:
        shutil.copy2(file, copy)
        return file.name
    sqlite.make_private(copy)
    with _explained(file):
        # Read only: whoever writes meanwhile is neither held up nor half copied.
        reading = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=sqlite.BUSY_S)
        with closing(reading) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            # One file, without a log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
    return file.name


def _put_back(file: Path, data: Path) -> str:
    fresh = data / f"{file.name}.restored"
    fresh.unlink(missing_ok=True)
    shutil.copy2(file, fresh)
    fresh.chmod(0o600)
    for beside in ("-wal", "-shm"):
        (data / f"{file.name}{beside}").unlink(missing_ok=True)
    fresh.replace(data / file.name)
    return file.name


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CommandError(f"{file} cannot be copied ({error}); the backup is not complete.") from None
