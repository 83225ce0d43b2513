"""What a file alone can do to a store: be somebody else's, be newer, be made and read by many at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from noc_history.sqlite import LADDER, SqliteStore
from noc_history.store import Batch, StoreError
from tests.history.records import at, cycle


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photos (id INTEGER)")
    other.close()


def of_a_later_version(path: Path) -> None:
    store = SqliteStore(path)
    store.marks()
    # Else it writes its log into the file whenever it is collected.
    store.close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (of_another_program, "is a SQLite file of something else; name another file in NOC_HISTORY_URL"),
        (of_a_later_version, f"the file has version 99, this program knows versions up to {LADDER.newest}"),
        (lambda path: path.write_bytes(b"x" * 5000), "file is not a database; move the file away"),
    ],
)
def test_a_file_that_is_no_history_is_named_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "history.sqlite"
    make(path)
    before = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=sentence) as caught:
        store.write(Batch(results=[cycle(0)]))
    store.close()
    assert not caught.value.can_retry
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "later" / "history.sqlite")
    with pytest.raises(StoreError, match="No such file or directory; fix the folder's rights") as caught:
        store.marks()
    assert caught.value.can_retry
    (tmp_path / "later").mkdir()
    assert store.marks() == {}
    store.close()


@pytest.mark.parametrize("beside", [(), ("-wal", "-shm")])
def test_a_file_that_was_removed_in_use_takes_nothing_any_more(tmp_path: Path, beside: tuple[str, ...]) -> None:
    """SQLite itself goes on as if nothing had happened, and everything is gone with the process."""
    path = tmp_path / "history.sqlite"
    recorder, web, idle = (SqliteStore(path) for _ in range(3))
    recorder.write(Batch(results=[cycle(0)]))
    assert web.series("router", at(0), at(60), 60)
    assert idle.series("router", at(0), at(60), 60)
    path.unlink()
    for suffix in beside:
        path.with_name(path.name + suffix).unlink()
    for use in (lambda: recorder.write(Batch(results=[cycle(10)])), web.marks):
        with pytest.raises(StoreError, match="removed or replaced while it was in use") as caught:
            use()
        assert not caught.value.can_retry
    recorder.close()
    reborn = SqliteStore(path)
    reborn.write(Batch(results=[cycle(10, target="switch"), cycle(10)]))
    with pytest.raises(StoreError, match="removed or replaced while it was in use"):
        idle.series("router", at(0), at(60), 60)
    for store in (web, idle):
        assert [point.at for point in store.series("router", at(0), at(60), 60_000)["here"]] == [at(10)]
        store.close()
    assert path.with_name("history.sqlite-wal").exists()
    reborn.write(Batch(results=[cycle(20)]))
    reborn.close()
    assert len(SqliteStore(path).series("router", at(0), at(60), 60_000)["here"]) == 2


def test_a_file_that_was_replaced_in_use_is_not_written_to_by_mistake(tmp_path: Path) -> None:
    path, kept = tmp_path / "history.sqlite", tmp_path / "kept.sqlite"
    other = SqliteStore(kept)
    other.write(Batch(results=[cycle(0, target="printer")]))
    other.close()
    store = SqliteStore(path)
    store.write(Batch(results=[cycle(0)]))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    kept.replace(path)
    with pytest.raises(StoreError, match="removed or replaced"):
        store.write(Batch(results=[cycle(10)]))
    store.write(Batch(results=[cycle(20)]))
    found = {name: len(store.series(name, at(0), at(60), 60_000).get("here", ())) for name in ("printer", "router")}
    assert found == {"printer": 1, "router": 1}
    store.close()


def test_many_that_open_a_new_file_at_once_all_find_it_made(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"{attempt}.sqlite"
        stores = [SqliteStore(path) for _ in range(8)]
        ready = threading.Barrier(len(stores))

        def first_use(store: SqliteStore, ready: threading.Barrier = ready) -> object:
            ready.wait()
            return store.marks()

        with ThreadPoolExecutor(len(stores)) as pool:
            assert list(pool.map(first_use, stores)) == [{}] * len(stores)
        for store in stores:
            store.close()


def test_a_file_is_its_owner_s_alone_and_so_are_the_files_beside_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "history.sqlite")
    store.write(Batch(results=[cycle(0)]))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["history.sqlite", "history.sqlite-shm", "history.sqlite-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    store.close()


@pytest.mark.thorough
def test_a_reader_sees_each_batch_whole_while_another_writes(tmp_path: Path) -> None:
    writer, reader = SqliteStore(tmp_path / "history.sqlite"), SqliteStore(tmp_path / "history.sqlite")
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            writer.write(Batch(results=[cycle(number * 10 + one) for one in range(10)]))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = [0]
    while not done.is_set():
        points = reader.series("router", at(0), at(2000), 1)
        seen.append(points["here"][0].cycles if points else 0)
    thread.join()
    assert seen == sorted(seen)
    assert all(count % 10 == 0 for count in seen)
    writer.close()
    reader.close()
