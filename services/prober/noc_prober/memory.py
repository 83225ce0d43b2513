"""What survives a restart beside the journal: the last states and paths, the targets, the site, good addresses."""

from __future__ import annotations

import sqlite3
from typing import Literal, TypeVar

import msgspec

from noc_bus.codec import BadMessage, decode
from noc_bus.messages import Assignment, Message, Site, SiteState, Trace

Kind = Literal["state", "trace", "target", "site", "address"]
M = TypeVar("M", bound=Message)


class Memory:
    """Rows by kind and name in the prober's file. Writes belong into a transaction of the journal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def keep(self, kind: Kind, name: str, body: bytes) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO memory (kind, name, body) VALUES (?, ?, ?)", (kind, name, body)
        )

    def forget(self, kind: Kind, name: str) -> None:
        self._connection.execute("DELETE FROM memory WHERE kind = ? AND name = ?", (kind, name))

    def states(self) -> dict[str, SiteState]:
        return self._messages("state", SiteState)

    def traces(self) -> dict[str, Trace]:
        return self._messages("trace", Trace)

    def targets(self) -> dict[str, Assignment]:
        return self._messages("target", Assignment)

    def site(self, site: str) -> Site | None:
        return self._messages("site", Site).get(site)

    def addresses(self) -> dict[str, tuple[str, ...]]:
        return {name: msgspec.json.decode(body, type=tuple[str, ...]) for name, body in self._rows("address")}

    def _messages(self, kind: Kind, message: type[M]) -> dict[str, M]:
        found = {}
        for name, body in self._rows(kind):
            try:
                found[name] = decode(body, message)
            except BadMessage:  # written by another version; the bus has it again
                continue
        return found

    def _rows(self, kind: Kind) -> list[tuple[str, bytes]]:
        return self._connection.execute(
            "SELECT name, body FROM memory WHERE kind = ? ORDER BY name", (kind,)
        ).fetchall()


def encode_addresses(addresses: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(addresses)
