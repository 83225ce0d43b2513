"""Opens the database, brings it to the present schema, and notices what other processes change in it."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session, sessionmaker

from noc_frame import sqlite
from noc_frame.settings import SettingError

FILE_NAME = "web.sqlite"
_STEPS: Final = Path(__file__).parent / "migrations" / "versions"


class Database:
    """Sessions of one SQLite file, for any thread."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingError where the file cannot be used."""
        self.path = folder / FILE_NAME
        try:
            sqlite.make_private(self.path)
            self._engine = _engine(self.path)
            with _alone(folder):
                _upgrade(self._engine, self.path)
        except sqlite.DatabaseFault as fault:
            raise SettingError(f"NOC_DATA: {fault}.") from None
        except (OSError, DatabaseError) as error:
            reason = error.orig if isinstance(error, DatabaseError) else error.strerror
            raise SettingError(
                f"NOC_DATA: {self.path} cannot be used ({reason}); fix its rights or move it away."
            ) from None
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        # Asked five times a second: without the layers that make objects of rows.
        self._watch = sqlite3.connect(self.path, timeout=sqlite.BUSY_S, check_same_thread=False, isolation_level=None)
        self._watch_lock = threading.Lock()

    def session(self) -> Session:
        """A session; `with` it, or better its `begin()`, which commits at the end."""
        return self._sessions()

    @contextlib.contextmanager
    def begin(self) -> Iterator[Session]:
        """A session that is committed at the end. Two at once are made one after the other, reading included."""
        with self._sessions.begin() as session:
            # SQLite would take the write lock only at the first change, after what it depends on was read.
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    def catalog_revision(self) -> int:
        """The number of the catalogue's newest change, of this process or another. Safe to ask from any thread."""
        with self._watch_lock:
            found: int = self._watch.execute("SELECT max(revision) FROM catalog_change").fetchone()[0]
        return found

    def close(self) -> None:
        self._watch.close()
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": sqlite.BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        sqlite.set_up(connection, is_new=path.stat().st_size == 0)

    return engine


def _upgrade(engine: Engine, path: Path) -> None:
    """The file says its version as every other of ours does: by the number of steps it has had."""
    newest = len(list(_STEPS.glob("[0-9]*.py")))
    with engine.begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        sqlite.insist_known(path, version, newest)
        if version < newest:
            # It tells of its own parts as soon as it is imported.
            logging.getLogger("alembic").setLevel(logging.WARNING)
            # Alembic takes 11 MB for as long as the process lives, and is hardly ever needed.
            from noc_web.database.upgrade import upgrade

            upgrade(connection, path)
            connection.exec_driver_sql(f"PRAGMA user_version = {newest}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The service and a command may open a new database at the same time: only one makes the tables."""
    with (folder / f".{FILE_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
