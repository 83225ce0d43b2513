"""Opening a database: whose it is, what version it has, what becomes of one that is damaged, removed or newer."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from noc_frame.sqlite import Database, DatabaseFault, Ladder, explained, make_private, open_file, open_or_set_aside, sql

FIRST: Final = Ladder(
    steps=[sql("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL);")],
    unversioned_tables=frozenset({"note"}),
    cure="name another file",
)
SECOND: Final = Ladder(
    steps=[
        *FIRST.steps,
        sql(
            """
            ALTER TABLE note ADD COLUMN author TEXT;
            UPDATE note SET author = 'unknown; perhaps';
            """
        ),
    ],
    unversioned_tables=FIRST.unversioned_tables,
)


def notes(path: Path) -> list[tuple[object, ...]]:
    with closing(open_file(path, SECOND)) as connection:
        return connection.execute("SELECT text, author FROM note").fetchall()


def write(path: Path, ladder: Ladder = FIRST, text: str = "kept") -> None:
    with closing(open_file(path, ladder)) as connection:
        connection.execute("INSERT INTO note (text) VALUES (?)", (text,))


def pragma(path: Path, name: str) -> object:
    with closing(open_file(path, SECOND)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file_is_its_owner_s_alone_and_so_are_the_files_beside_it(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        with closing(open_file(tmp_path / "a.sqlite", FIRST)) as connection:
            connection.execute("INSERT INTO note (text) VALUES ('x')")
            files = sorted(tmp_path.iterdir())
            assert [file.name for file in files] == ["a.sqlite", "a.sqlite-shm", "a.sqlite-wal"]
            assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    finally:
        os.umask(before)


def test_a_file_that_others_may_read_is_its_owner_s_alone_once_it_was_opened(tmp_path: Path) -> None:
    write(tmp_path / "a.sqlite")
    (tmp_path / "a.sqlite").chmod(0o644)
    write(tmp_path / "a.sqlite")
    assert (tmp_path / "a.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("auto_vacuum", 2), ("foreign_keys", 1), ("user_version", 2)],
)
def test_every_file_has_the_same_care(tmp_path: Path, name: str, value: object) -> None:
    assert pragma(tmp_path / "a.sqlite", name) == value


def test_an_older_file_climbs_to_the_present_version_with_everything_in_it(tmp_path: Path) -> None:
    write(tmp_path / "a.sqlite")
    assert notes(tmp_path / "a.sqlite") == [("kept", "unknown; perhaps")]
    assert notes(tmp_path / "a.sqlite") == [("kept", "unknown; perhaps")]


def test_a_file_made_before_there_were_versions_climbs_too(tmp_path: Path) -> None:
    write(tmp_path / "a.sqlite")
    with closing(open_file(tmp_path / "a.sqlite", FIRST)) as connection:
        connection.execute("PRAGMA user_version = 0")
    assert notes(tmp_path / "a.sqlite") == [("kept", "unknown; perhaps")]


CLIMB: Final = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from noc_frame.sqlite import Ladder, open_file
from tests.frame.test_sqlite import SECOND

def cut(connection):
    SECOND.steps[1](connection)
    connection.execute("UPDATE note SET text = 'half done'")
    os.kill(os.getpid(), signal.SIGKILL)

open_file(Path(sys.argv[1]), Ladder(steps=[SECOND.steps[0], cut]))
"""


def test_a_step_that_was_cut_off_is_done_whole_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    write(path)
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", CLIMB, str(path), root], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    assert notes(path) == [("kept", "unknown; perhaps")]


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.sqlite")
    broken = Ladder(steps=[FIRST.steps[0], sql("DELETE FROM note;\nINSERT INTO nowhere VALUES (1);")])
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        open_file(tmp_path / "a.sqlite", broken)
    assert notes(tmp_path / "a.sqlite") == [("kept", "unknown; perhaps")]


def test_many_that_open_a_new_file_at_once_all_find_it_made(tmp_path: Path) -> None:
    for attempt in range(4):
        ready = threading.Barrier(8)

        def first(path: Path, ready: threading.Barrier = ready) -> int:
            ready.wait()
            with closing(open_file(path, SECOND)) as connection:
                return int(connection.execute("SELECT COUNT(author) FROM note").fetchone()[0])

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(first, [tmp_path / f"{attempt}.sqlite"] * 8)) == [0] * 8


def newer(path: Path) -> None:
    write(path, SECOND)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE photos (id INTEGER)")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (newer, "was written by a newer version of NOC (the file has version 2, this program knows versions up to 1)"),
        (of_another_program, "is a SQLite file of something else; name another file"),
    ],
    ids=["newer", "of something else"],
)
def test_a_file_that_is_not_ours_to_write_is_refused_in_a_sentence_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "a.sqlite"
    make(path)
    before = path.read_bytes()
    with pytest.raises(DatabaseFault, match=re.escape(sentence)) as caught:
        open_or_set_aside(path, FIRST)
    assert str(path) in str(caught.value)
    assert not caught.value.can_retry
    assert path.read_bytes() == before


def tear(path: Path) -> None:
    """A page in the middle is lost, as after a bad sector."""
    with closing(open_file(path, FIRST)) as connection:
        connection.executemany("INSERT INTO note (text) VALUES (?)", [("x" * 500,)] * 200)
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * 4096 + content[12288:])


@pytest.mark.parametrize(
    "damage", [tear, lambda path: path.write_bytes(b"no database at all " * 500)], ids=["a page", "all of it"]
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begins(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "a.sqlite"
    damage(path)
    before = path.read_bytes()
    with closing(open_or_set_aside(path, FIRST, checked=True)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM note").fetchone() == (0,)
    (aside,) = tmp_path.glob("a.sqlite.damaged-*")
    assert aside.read_bytes() == before


def test_damage_that_is_found_while_writing_is_said_once_and_the_next_try_has_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    tear(path)
    database = Database(path, FIRST, checks_at_opening=False)
    with (
        pytest.raises(DatabaseFault, match=r"is damaged .* kept as a.sqlite.damaged-\d+, and a new one") as caught,
        database.transaction("write") as connection,
    ):
        connection.execute("UPDATE note SET text = text || 'y'")
    assert caught.value.can_retry
    with database.transaction("write") as connection:
        connection.execute("INSERT INTO note (text) VALUES ('begun')")
    assert database.read("read", "SELECT text FROM note") == [("begun",)]
    database.close()


def test_a_reader_says_what_is_damaged_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    tear(path)
    database = Database(path, FIRST, checks_at_opening=False)
    with pytest.raises(DatabaseFault, match=r"cannot read .*malformed.*; move the file away") as caught:
        database.read("read", "SELECT SUM(LENGTH(text)) FROM note")
    assert not caught.value.can_retry
    database.close()
    assert [file.name for file in tmp_path.glob("*damaged*")] == []


def test_a_file_that_is_removed_in_use_takes_nothing_any_more(tmp_path: Path) -> None:
    """SQLite itself goes on as if nothing had happened, and everything is gone with the process."""
    path = tmp_path / "a.sqlite"
    database = Database(path, FIRST)
    database.read("read", "SELECT * FROM note")
    path.unlink()
    with (
        pytest.raises(DatabaseFault, match=r"cannot write .* removed or replaced while it was in use") as caught,
        database.transaction("write") as connection,
    ):
        connection.execute("INSERT INTO note (text) VALUES ('x')")
    assert not caught.value.can_retry
    database.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite", FIRST)
    both = sql("INSERT INTO note (text) VALUES ('x');\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(DatabaseFault, match="no such table"), database.transaction("write") as connection:
        both(connection)
    with database.transaction("write") as connection:
        connection.execute("INSERT INTO note (text) VALUES ('y')")
    assert database.read("read", "SELECT text FROM note") == [("y",)]
    database.close()


def test_a_log_that_grew_is_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(open_file(path, FIRST)) as connection, closing(open_file(path, FIRST)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM note").fetchall()
        # The reader keeps the log from being reset.
        for _ in range(20):
            connection.execute("INSERT INTO note (text) VALUES (?)", ("x" * 4_000_000,))
        assert path.with_name("a.sqlite-wal").stat().st_size > 2**26
        reader.execute("COMMIT")
        for _ in range(2):
            connection.execute("INSERT INTO note (text) VALUES ('y')")
        assert path.with_name("a.sqlite-wal").stat().st_size <= 2**26


def test_a_folder_that_is_not_there_yet_is_named_and_waited_for(tmp_path: Path) -> None:
    database = Database(tmp_path / "later" / "a.sqlite", FIRST)
    with pytest.raises(DatabaseFault, match=r"cannot read .*later/a.sqlite: No such file or directory") as caught:
        database.read("read", "SELECT * FROM note")
    assert caught.value.can_retry
    (tmp_path / "later").mkdir()
    assert database.read("read", "SELECT * FROM note") == []
    database.close()


def test_opening_a_file_again_does_not_drop_the_locks_of_this_process(tmp_path: Path) -> None:
    """POSIX drops all locks a process has on a file when it closes any descriptor of it."""
    path = tmp_path / "a.sqlite"
    write(path)
    with closing(open_file(path, FIRST)) as held:
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
        held.execute("INSERT INTO note (text) VALUES ('held')")
        make_private(path)
        ask = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM note')"
        done = subprocess.run([sys.executable, "-c", ask, str(path)], capture_output=True, text=True, check=False)
        assert "database is locked" in done.stderr


def test_a_file_that_another_program_holds_is_said_to_be_held(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    write(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(sqlite3.connect(path, timeout=0)) as us:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseFault, match="locked; another program holds it") as caught, explained(path, "write"):
            us.execute("INSERT INTO note (text) VALUES ('x')")
        assert caught.value.can_retry


ENDLESS: Final = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


def test_what_takes_too_long_to_read_is_given_up_in_a_sentence_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    hurried = Database(path, SECOND, read_s=0.02)
    sentence = f"cannot read so much of {path} within 0.02 s; ask for less at once, such as a shorter period"
    with closing(hurried):
        for _ in range(2):
            with pytest.raises(DatabaseFault, match=re.escape(sentence)) as caught:
                hurried.read("read", ENDLESS)
            assert caught.value.can_retry
            with pytest.raises(DatabaseFault, match=re.escape(sentence)), hurried.reading("read") as connection:
                connection.execute(ENDLESS).fetchall()
        # The time is that of one reading, and what is written has no such end.
        with hurried.transaction("write") as connection:
            connection.execute("INSERT INTO note (text) VALUES ('kept')")
            connection.execute(ENDLESS.replace("FROM n)", "FROM n WHERE i < 300000)")).fetchall()
        assert hurried.read("read", "SELECT text FROM note") == [("kept",)]
