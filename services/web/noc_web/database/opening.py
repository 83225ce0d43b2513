"""Opens the web service's own database, which other processes read and change beside it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Final

from noc_frame import sqlite
from noc_frame.settings import SettingError
from noc_web.database.schema import LADDER

FILE_NAME: Final = "web.sqlite"


class Database(sqlite.Database):
    """One SQLite file, for any thread. Its methods raise DatabaseFault."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingError where the file cannot be used. A damaged one is left as it is: it has people's passwords."""
        super().__init__(folder / FILE_NAME, LADDER, sets_aside=(), checks_at_opening=False)
        try:
            with self.explained("open"):
                self.connection()
        except sqlite.DatabaseFault as fault:
            raise SettingError(f"NOC_DATA: {fault}.") from None

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.read("read", statement, values)

    def value(self, statement: str, *values: Any) -> Any:
        """The first row's first column; None where there is no row."""
        found = self.rows(statement, *values)
        return found[0][0] if found else None

    def begin(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A transaction, committed at the end. Two at once are made one after the other, reading included."""
        return self.transaction("change")

    def catalog_revision(self) -> int:
        """The number of the catalogue's newest change, of this process or another. Asked five times a second."""
        return self.value("SELECT max(revision) FROM catalog_change") or 0
