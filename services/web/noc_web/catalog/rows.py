"""The catalogue's rows: how contents are read from the database, and how a change is written.

Every change has a number, the revision, and leaves it beside the names that it touched. Whoever has an older
revision, in this process or another, reads again just what was touched since.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from noc_bus.codec import decode, encode
from noc_bus.messages import Forgotten, Maintenance, Site
from noc_bus.time import DAY_MS, Time
from noc_web.catalog.contents import Contents, Draft

FORGOTTEN_MS: Final = 30 * DAY_MS
"""So long what comes of the time before a deletion is kept out; no journal holds half as much."""
# Whoever is further behind reads everything again.
_REVISIONS_KEPT: Final = 1000


class _Table(NamedTuple):
    name: str
    key: str
    others: tuple[str, ...]
    also_read: tuple[str, ...] = ()
    """What other tables say of it, which is not written here."""


_IS_DISABLED: Final = (
    "EXISTS (SELECT 1 FROM broker_account WHERE user = site.id AND role = 'site' AND disabled_at IS NOT NULL)"
)
_TABLES: Final = {
    "groups": _Table("target_group", "path", ("options",)),
    "targets": _Table("target", "id", ("own",)),
    "sites": _Table("site", "id", ("label", "location", "anchors", "expected"), (_IS_DISABLED,)),
    "maintenances": _Table("maintenance", "id", ("message",)),
}


def newest_revision(connection: sqlite3.Connection) -> int:
    """The number of the newest change."""
    found = connection.execute("SELECT max(revision) FROM catalog_change").fetchone()
    return found[0] or 0


def caught_up(connection: sqlite3.Connection, before: Contents, revision: int) -> Draft:
    """What the database has, over what `before` had. Reads everything where that is too old, or newer than it."""
    behind = revision - before.revision
    if before.revision and 0 <= behind <= _REVISIONS_KEPT:
        draft = Draft(before)
        names: dict[str, list[str] | None] = {}
        since = "SELECT kind, name FROM catalog_change WHERE revision > ?"
        for kind, name in connection.execute(since, (before.revision,)).fetchall():
            names.setdefault(kind, []).append(name)  # type: ignore[union-attr]  # lists only, here
    else:
        # Still over what it had, so that what is the same stays the same object.
        draft = Draft(before, is_empty=True)
        names = dict.fromkeys(_TABLES)
    _read_into(draft, connection, names)
    return draft


def _read_into(draft: Draft, connection: sqlite3.Connection, names: dict[str, list[str] | None]) -> None:
    """None in place of names: all of that kind. Groups come first, since targets are resolved with them."""
    for kind in (kind for kind in _TABLES if kind in names):
        wanted = names[kind]
        missing = set(wanted or ())
        for name, *values in _rows(connection, _TABLES[kind], wanted):
            missing.discard(name)
            _put(draft, kind, name, values)
        for name in missing:
            draft.remove(kind, name)


def _rows(connection: sqlite3.Connection, table: _Table, names: Sequence[str] | None) -> list[tuple[Any, ...]]:
    columns = ", ".join([table.key, *table.others, *table.also_read])
    if names is None:
        return connection.execute(f"SELECT {columns} FROM {table.name} ORDER BY {table.key}").fetchall()
    some = f"SELECT {columns} FROM {table.name} WHERE {table.key} IN (SELECT value FROM json_each(?))"
    return connection.execute(some, (json.dumps(names),)).fetchall()


def _put(draft: Draft, kind: str, name: str, values: Sequence[Any]) -> None:
    if kind == "groups":
        draft.put_group(name, json.loads(values[0]))
    elif kind == "targets":
        draft.put_target(json.loads(values[0]))
    elif kind == "maintenances":
        draft.maintenances[name] = decode(values[0].encode(), Maintenance)
    else:
        label, location, anchors, expected, disabled = values
        draft.sites[name] = Site(
            id=name,
            label=label,
            location=location,
            anchors=json.loads(anchors),
            expected=bool(expected),
            disabled=bool(disabled),
        )


def write(connection: sqlite3.Connection, draft: Draft, changes: Sequence[tuple[str, str, Any]]) -> int:
    """Every row that differs, and that this revision touched it. The revision: the old one where nothing differs."""
    if not changes:
        return draft.before.revision
    revision = draft.before.revision + 1
    for kind, table in _TABLES.items():
        mine = [(name, value) for of, name, value in changes if of == kind]
        connection.executemany(
            f"DELETE FROM {table.name} WHERE {table.key} = ?", [(name,) for name, value in mine if value is None]
        )
        connection.executemany(
            _insert_or_replace(table.name, [table.key], table.others),
            [(name, *_columns(kind, value)) for name, value in mine if value is not None],
        )
    for kind, name, value in changes:
        _note_change(connection, kind, name, revision)
        if kind == "maintenances":
            _keep_past(connection, name, value)
    # Sites that were deleted are remembered for as long as they keep silent.
    old = "DELETE FROM catalog_change WHERE revision < ? AND kind != 'sites'"
    connection.execute(old, (revision - _REVISIONS_KEPT,))
    return revision


def note_site(connection: sqlite3.Connection, site: str) -> None:
    """What another table says of a site has changed: everybody reads it again. Nothing happens where none is set up."""
    if connection.execute("SELECT 1 FROM site WHERE id = ?", (site,)).fetchone():
        _note_change(connection, "sites", site, newest_revision(connection) + 1)


def _keep_past(connection: sqlite3.Connection, name: str, one: Maintenance | None) -> None:
    row = (name, int(one.at), encode(one).decode()) if one else (name, int(Time.now()), None)
    connection.execute(_insert_or_replace("maintenance_past", ["id", "since"], ["message"]), row)


def maintenance_past(connection: sqlite3.Connection) -> dict[str, list[tuple[Time, Maintenance | None]]]:
    """By id, what each maintenance ever was and from when on, in order; None: it was deleted."""
    found: dict[str, list[tuple[Time, Maintenance | None]]] = {}
    rows = connection.execute("SELECT id, since, message FROM maintenance_past ORDER BY id, since")
    for name, since, message in rows.fetchall():
        found.setdefault(name, []).append((Time(since), decode(message.encode(), Maintenance) if message else None))
    return found


def forget_history(connection: sqlite3.Connection, kind: str, name: str) -> None:
    """The history of a target or site goes with it."""
    now = int(Time.now())
    connection.execute("DELETE FROM forgotten WHERE at < ?", (now - FORGOTTEN_MS,))
    connection.execute(_insert_or_replace("forgotten", ["kind", "name"], ["at"]), (kind, name, now))


def forgotten(connection: sqlite3.Connection) -> list[Forgotten]:
    """Whose history was deleted."""
    found = connection.execute("SELECT kind, name, at FROM forgotten").fetchall()
    return [Forgotten(kind=kind, name=name, at=Time(at)) for kind, name, at in found]


def note_forgotten(connection: sqlite3.Connection, name: str) -> None:
    """The history of a site that is not in the catalogue goes: other processes look."""
    _note_change(connection, "forgotten", name, newest_revision(connection) + 1)


def former_sites(connection: sqlite3.Connection) -> list[str]:
    """Sites that were deleted, and whose probers have not spoken since."""
    gone = "SELECT name FROM catalog_change WHERE kind = 'sites' AND name NOT IN (SELECT id FROM site)"
    return [name for (name,) in connection.execute(gone).fetchall()]


def remember_former(connection: sqlite3.Connection, site: str) -> None:
    """A site that was never set up is deleted: the catalogue stays as it is, but remembers that."""
    _note_change(connection, "sites", site, newest_revision(connection))


def forget_former(connection: sqlite3.Connection, site: str) -> None:
    """It speaks again."""
    # The newest revision is what tells other processes that something changed: it must not go with this row.
    _note_change(connection, "groups", "", newest_revision(connection))
    connection.execute(
        "DELETE FROM catalog_change WHERE kind = 'sites' AND name = ? AND name NOT IN (SELECT id FROM site)", (site,)
    )


def _note_change(connection: sqlite3.Connection, kind: str, name: str, revision: int) -> None:
    note = _insert_or_replace("catalog_change", ["kind", "name"], ["revision"])
    connection.execute(note, (kind, name, revision))


def _columns(kind: str, value: Any) -> Iterator[Any]:
    if kind == "sites":
        yield from (value.label, value.location, json.dumps(value.anchors), value.expected)
    elif kind == "maintenances":
        yield encode(value).decode()
    else:
        yield json.dumps(value)


def _insert_or_replace(table: str, keys: Sequence[str], others: Sequence[str]) -> str:
    columns = [*keys, *others]
    put = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {put}"
    )
