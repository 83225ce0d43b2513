"""The one way to open a SQLite file of ours.

A file is its owner's alone, keeps a write-ahead log of bounded size, has what is committed on the
disk, knows its version, and climbs to the present one by itself. A newer file is refused in a
sentence, a damaged one is set aside, and one that is removed while it is in use is noticed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from noc_frame import crash, log

BUSY_S: Final = 10.0
"""How long a connection waits for another one's transaction."""
_LOG_BYTES: Final = 64 * 1024 * 1024
_BESIDE: Final = ("-wal", "-shm")
# Steps of SQLite, some milliseconds, after which it is asked whether a reading has had its time: to be asked often would
# have it wait for Python's other threads each time.
_LOOK_STEPS: Final = 100_000
DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's codes for a file that is broken. The second is also that of a file that never was a database."""

Step = Callable[[sqlite3.Connection], None]


class DatabaseFault(Exception):
    """A database cannot be used. The text names the file and the cure; `can_retry`: the same may work later."""

    def __init__(self, sentence: str, *, can_retry: bool) -> None:
        super().__init__(sentence)
        self.can_retry = can_retry


@dataclass(frozen=True)
class Ladder:
    """How one kind of database came to its present schema.

    Step n brings version n to version n + 1, so that a new file climbs all of them. Each step runs in
    a transaction of its own together with the new version: cut off anywhere, it is done whole or not
    at all, and the next start goes on from there. Steps that were released are never changed.
    """

    steps: Sequence[Step]
    unversioned_tables: frozenset[str] = frozenset()
    """A file of version 0 with these tables was made before there were versions: it has version 1."""
    cure: str = "move it away, so that a new one is made"
    """What to do about a file that is something else."""

    @property
    def newest(self) -> int:
        return len(self.steps)


def sql(script: str) -> Step:
    """A step that is plain SQL, statements ended by semicolons at the ends of lines."""

    def step(connection: sqlite3.Connection) -> None:
        # Not executescript: it would commit what is open first.
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                connection.execute(statement)
                statement = ""

    return step


class Database:
    """A file, and a connection of its own for every thread that uses it, opened on first use."""

    def __init__(
        self,
        path: Path,
        ladder: Ladder,
        *,
        sets_aside: Collection[int] = DAMAGE,
        checks_at_opening: bool = True,
        wipes: bool = True,
        read_s: float | None = None,
    ) -> None:
        """Nothing is opened yet: the folder may appear later.

        `sets_aside`: SQLite's codes after which whoever writes renames the file and begins a new one;
        readers only say what is wrong. `checks_at_opening`: the first to open it reads the whole file to
        find damage, which is for small files. `wipes`: what is deleted is overwritten, where SQLite was built
        to do so; it costs as much writing as storing it did. `read_s`: what takes longer to read is given up.
        """
        self.path = path
        self.guard: Callable[[sqlite3.Connection], None] | None = None
        """Asked first in every transaction; what it raises ends it, and nothing of it happened."""
        self._ladder = ladder
        self._sets_aside = sets_aside
        self._checks_at_opening = checks_at_opening
        self._wipes = wipes
        self._read_s = read_s
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._opening = threading.Lock()

    def connection(self) -> sqlite3.Connection:
        """This thread's own, in autocommit mode. Raises DatabaseFault, OSError, sqlite3.Error."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is not None:
            return connection
        with self._opening:
            connection = open_file(self.path, self._ladder, checked=self._checks_at_opening)
            self._checks_at_opening = False
            if not self._wipes:
                connection.execute("PRAGMA secure_delete = OFF").fetchall()
            self._all.append(connection)
        self._own.connection, self._own.identity = connection, identity(self.path)
        return connection

    def read(self, act: str, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """All rows at once: a reader that lingers in a transaction keeps the log from being reset."""
        with self.explained(act):
            connection = self.connection()
            with self._limited(connection, act):
                return connection.execute(statement, parameters).fetchall()

    @contextlib.contextmanager
    def reading(self, act: str) -> Iterator[sqlite3.Connection]:
        """Several statements that see the file as it is at the first of them. Not for long, as with `read`."""
        with self.explained(act):
            connection = self.connection()
            connection.execute("BEGIN")
            try:
                with self._limited(connection, act):
                    yield connection
            finally:
                # SQLite may have rolled back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _limited(self, connection: sqlite3.Connection, act: str) -> Iterator[None]:
        """Ends what is read in this time once it takes longer than is allowed. Raises DatabaseFault."""
        if self._read_s is None:
            yield
            return
        until_s = time.monotonic() + self._read_s
        connection.set_progress_handler(lambda: time.monotonic() > until_s, _LOOK_STEPS)
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                raise
            raise DatabaseFault(
                f"cannot {act} so much of {self.path} within {self._read_s:g} s; ask for less at once, "
                "such as a shorter period or fewer targets",
                can_retry=True,
            ) from error
        finally:
            connection.set_progress_handler(None, 0)

    @contextlib.contextmanager
    def transaction(self, act: str) -> Iterator[sqlite3.Connection]:
        """All of it is on the disk when this ends, or nothing of it happened. Raises DatabaseFault.

        A file found damaged is set aside; the same transaction may be tried again on the new one.
        """
        try:
            with self.explained(act):
                connection = self.connection()
                with transaction(connection):
                    if self.guard is not None:
                        self.guard(connection)
                    yield connection
                    crash.point(f"{act}:before")
                crash.point(f"{act}:after")
        except DatabaseFault as fault:
            error = fault.__cause__
            if not isinstance(error, sqlite3.Error) or not _is_one_of(self._sets_aside, error):
                raise
            self._drop_own_connection()
            raise DatabaseFault(set_aside(self.path, error), can_retry=True) from error

    @contextlib.contextmanager
    def explained(self, act: str) -> Iterator[None]:
        """Turns SQLite's errors into a DatabaseFault that says what could not be done to this file, and the cure."""
        with explained(self.path, act):
            try:
                yield
            finally:
                # Also after an error: what SQLite says of a file that was removed names the wrong cure.
                self._insist_on_file(act)

    def close(self) -> None:
        with self._opening:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._own = threading.local()

    def _insist_on_file(self, act: str) -> None:
        """SQLite goes on with a file that has lost its name; what is written there is gone with this process."""
        if getattr(self._own, "connection", None) is None or self._own.identity == identity(self.path):
            return
        self._drop_own_connection()
        raise DatabaseFault(
            f"cannot {act} {self.path}: the file was removed or replaced while it was in use; "
            "what is there now, or a new one, is used from the next start on",
            can_retry=False,
        )

    def _drop_own_connection(self) -> None:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            return
        self._own.connection = None
        with self._opening:
            if connection in self._all:
                self._all.remove(connection)
        connection.close()


def open_or_set_aside(path: Path, ladder: Ladder, *, checked: bool = False) -> sqlite3.Connection:
    """As `open_file`; but a damaged file is renamed, which is logged, and a new one made."""
    try:
        return open_file(path, ladder, checked=checked)
    except sqlite3.DatabaseError as error:
        if not _is_one_of(DAMAGE, error):
            raise
        log.get("noc.database").error(set_aside(path, error))
        return open_file(path, ladder)


def open_file(path: Path, ladder: Ladder, *, checked: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode to a file of the present version, made where it is missing.

    It may be handed from thread to thread. `checked`: the whole file is read once; damage raises
    sqlite3.DatabaseError. Raises DatabaseFault for a file of a newer version or of something else, which
    is left as it is; OSError and sqlite3.Error where it cannot be opened.
    """
    make_private(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        # Asked before anything is written: a file that is not ours is left as it is.
        version = version_of(connection, path, ladder)
        set_up(connection, is_new=version == 0)
        if checked:
            _insist_whole(connection)
        if version < ladder.newest:
            climb(connection, path, ladder)
    except BaseException:
        connection.close()
        raise
    return connection


def make_private(path: Path) -> None:
    """Make the file where it is missing, for its owner only, before SQLite makes it with wider rights.

    Its log and shared memory take the rights over. Raises OSError.
    """
    # A file that is there is not opened: closing it again would drop the locks this process has on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    for one in (path, *_beside(path)):
        with contextlib.suppress(FileNotFoundError):
            found = one.stat()
            # Such as a copy put back by hand; another owner's file is that owner's business.
            if found.st_mode & 0o077 and found.st_uid == os.geteuid():
                one.chmod(0o600)


def set_up(connection: sqlite3.Connection, *, is_new: bool = False) -> None:
    """What every connection of ours has in common."""
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
    if is_new:
        # Before the first table, or never: freed pages can be given back to the disk in small bites.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_log(connection)
    # What is committed has reached the disk.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA foreign_keys = ON")


def version_of(connection: sqlite3.Connection, path: Path, ladder: Ladder) -> int:
    """0: a new file. Raises DatabaseFault for a newer one and for a file of something else."""
    # In one statement: several processes open a new file, and another may be making its tables now.
    version, names = connection.execute(
        "SELECT user_version, (SELECT group_concat(name, '/') FROM sqlite_master WHERE type = 'table') "
        "FROM pragma_user_version"
    ).fetchone()
    insist_known(path, version, ladder.newest)
    if version or names is None:
        return int(version)
    if ladder.unversioned_tables and ladder.unversioned_tables <= set(names.split("/")):
        return 1
    raise DatabaseFault(f"{path} is a SQLite file of something else; {ladder.cure}", can_retry=False)


def insist_known(path: Path, version: int, newest: int) -> None:
    """Raises DatabaseFault where a file is of a version that only a newer program knows."""
    if version > newest:
        raise DatabaseFault(
            f"{path} was written by a newer version of NOC (the file has version {version}, this program knows "
            f"versions up to {newest}); start that version or a newer one, or move the file away",
            can_retry=False,
        )


def climb(connection: sqlite3.Connection, path: Path, ladder: Ladder) -> None:
    """Bring a file to the present version, step by step."""
    first: int | None = None
    while True:
        with transaction(connection):
            # Asked again inside: another process may have climbed while we waited.
            version = version_of(connection, path, ladder)
            first = version if first is None else first
            if version >= ladder.newest:
                return
            ladder.steps[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        # A new file is no news.
        if first:
            log.get("noc.database").info(f"{path.name} brought from version {version} to {version + 1}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it is on the disk when this ends, or nothing of it happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Also after a COMMIT that found no room: the next transaction could not begin inside this one.
        # SQLite may have rolled back by itself.
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def explained(path: Path, act: str) -> Iterator[None]:
    """Turns errors of SQLite and of files into one DatabaseFault that says what could not be done, and the cure."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # All of these may pass.
        raise DatabaseFault(f"cannot {act} {path}: {error}; {_cure(error)}", can_retry=True) from error
    except sqlite3.DatabaseError as error:
        raise DatabaseFault(
            f"cannot {act} {path}: {error}; move the file away to begin a new one", can_retry=False
        ) from error
    except OSError as error:
        raise DatabaseFault(
            f"cannot {act} {path}: {error.strerror}; fix the folder's rights", can_retry=True
        ) from error


def set_aside(path: Path, error: Exception) -> str:
    """Rename a damaged file. Returns a sentence that says so."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns() // 1_000_000}")
    path.rename(aside)
    # Kept with it under SQLite's own names for them: what is in the log may be all that can be saved.
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return f"{path} is damaged ({error}); it is kept as {aside.name}, and a new one begins"


def identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name now; None: none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _use_log(connection: sqlite3.Connection) -> None:
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # This change does not wait where another connection is looking at the file, as everything else does.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.02)
            continue
        if mode not in ("wal", "memory"):
            raise sqlite3.OperationalError("no write-ahead log can be kept there, as on some network disks")
        return


def _insist_whole(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        error = sqlite3.DatabaseError(str(found))
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _is_one_of(codes: Collection[int], error: sqlite3.Error) -> bool:
    # The lowest byte is the code, those above it say more exactly what.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in codes


def _cure(error: sqlite3.OperationalError) -> str:
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another program holds it; end that program if it goes on"
        case sqlite3.SQLITE_FULL:
            return "free disk space"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_READONLY:
            return "fix the rights of the folder and the file"
        case _:
            return "free disk space, fix the folder's rights, or use a local disk"


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _BESIDE]
