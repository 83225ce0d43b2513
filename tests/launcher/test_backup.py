"""Backups of the whole data folder, while others write into it, and putting them back."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from noc_launcher import backup, running
from noc_launcher.errors import CommandError
from noc_web.catalog.catalog import Catalog
from noc_web.database.opening import Database
from tests.launcher.conftest import Noc


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "web-cookie.key").write_bytes(b"k" * 32)
    (folder / "broker").mkdir()
    with closing(Database(folder)) as database:
        Catalog(database).add_target({"id": "a", "address": "10.0.0.1"}, "test")
    with closing(sqlite3.connect(folder / "history.sqlite")) as history:
        history.execute("PRAGMA journal_mode = WAL")
        history.execute("CREATE TABLE pair (one INTEGER, other INTEGER)")
        history.executemany("INSERT INTO pair VALUES (?, ?)", [(number, number) for number in range(500)])
        history.commit()
    return folder


def test_round_trips_lose_nothing_what_is_backed_up_comes_back(noc: Noc, data: Path, tmp_path: Path) -> None:
    kept, words = str(tmp_path / "kept"), ["--data", str(data)]
    assert noc("backup", kept, *words).returncode == 0
    assert {file.name for file in Path(kept).iterdir()} == {"history.sqlite", "web-cookie.key", "web.sqlite"}
    with closing(Database(data)) as database:
        Catalog(database).delete_target("a", "test")
    (data / "web-cookie.key").unlink()
    done = noc("restore", kept, *words)
    assert (done.returncode, done.stdout) == (0, "")
    with closing(Database(data)) as database:
        assert Catalog(database).contents().targets.keys() == {"a"}
    assert (data / "web-cookie.key").read_bytes() == b"k" * 32


def test_a_backup_beside_a_running_system_is_of_one_moment(data: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    written = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(data / "history.sqlite", timeout=10)) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                # Every row of a transaction has the same numbers: a copy of two moments would have others.
                connection.execute("UPDATE pair SET one = ?, other = ?", (number, number))
                connection.commit()
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(10)
        with running.claim(data):
            backup.make(data, tmp_path / "kept")
    finally:
        stop.set()
        writer.join()
    with closing(sqlite3.connect(tmp_path / "kept" / "history.sqlite")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(DISTINCT one), count(*), min(one = other) FROM pair").fetchone() == (
            1,
            500,
            1,
        )


def test_a_backup_is_not_put_under_a_running_system_nor_over_another_one(data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    backup.make(data, kept)
    with running.claim(data), pytest.raises(CommandError, match="already runs on the data folder"):
        backup.restore(kept, data)
    with pytest.raises(CommandError, match="is not empty"):
        backup.make(data, kept)
    with pytest.raises(CommandError, match="no backup"):
        backup.restore(tmp_path, data)
    with pytest.raises(CommandError, match="no data folder"):
        backup.make(tmp_path / "nowhere", tmp_path / "other")
