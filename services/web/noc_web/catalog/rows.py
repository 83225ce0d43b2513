"""The catalogue's rows: how contents are read from the database, and how a change is written.

Every change has a number, the revision, and leaves it beside the names that it touched. Whoever has an older
revision, in this process or another, reads again just what was touched since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, inspect, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from noc_bus.messages import Site
from noc_web.catalog.contents import Contents, Draft
from noc_web.database.models import ChangeRow, GroupRow, SiteRow, TargetRow

# Whoever is further behind reads everything again.
_REVISIONS_KEPT: Final = 1000
_NAMES_AT_ONCE: Final = 500
_KEYS: Final[dict[str, InstrumentedAttribute[str]]] = {
    "groups": GroupRow.path,
    "targets": TargetRow.id,
    "sites": SiteRow.id,
}


def newest_revision(session: Session) -> int:
    """The number of the newest change."""
    return session.scalar(select(func.max(ChangeRow.revision))) or 0


def caught_up(session: Session, before: Contents, revision: int) -> Draft:
    """What the database has, over what `before` had. Reads everything where that is too old, or newer than it."""
    behind = revision - before.revision
    if before.revision and 0 <= behind <= _REVISIONS_KEPT:
        draft = Draft(before)
        touched = session.execute(select(ChangeRow.kind, ChangeRow.name).where(ChangeRow.revision > before.revision))
        names: dict[str, list[str] | None] = {}
        for kind, name in touched:
            names.setdefault(kind, []).append(name)  # type: ignore[union-attr]  # lists only, here
    else:
        # Still over what it had, so that what is the same stays the same object.
        draft = Draft(before, is_empty=True)
        names = dict.fromkeys(_KEYS)
    _read_into(draft, session, names)
    return draft


def _read_into(draft: Draft, session: Session, names: dict[str, list[str] | None]) -> None:
    """None in place of names: all of that kind. Groups come first, since targets are resolved with them."""
    for kind in (kind for kind in _KEYS if kind in names):
        wanted = names[kind]
        missing = set(wanted or ())
        for row in _rows(session, kind, wanted):
            missing.discard(_put(draft, row))
        for name in missing:
            draft.remove(kind, name)


def _rows(session: Session, kind: str, names: Sequence[str] | None) -> Iterator[Any]:
    key = _KEYS[kind]
    if names is None:
        yield from session.scalars(select(key.class_).order_by(key))
        return
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield from session.scalars(select(key.class_).where(key.in_(names[start : start + _NAMES_AT_ONCE])))


def _put(draft: Draft, row: TargetRow | GroupRow | SiteRow) -> str:
    if isinstance(row, GroupRow):
        draft.put_group(row.path, dict(row.options))
        return row.path
    if isinstance(row, SiteRow):
        draft.sites[row.id] = Site(
            id=row.id, label=row.label, location=row.location, anchors=row.anchors, expected=row.expected
        )
    else:
        draft.put_target(dict(row.own))
    return row.id


def write(session: Session, draft: Draft) -> int:
    """Every row that differs, and that this revision touched it. The revision: the old one where nothing differs."""
    changes = list(draft.changes())
    if not changes:
        return draft.before.revision
    revision = draft.before.revision + 1
    for kind, key in _KEYS.items():
        gone = [name for of, name, value in changes if of == kind and value is None]
        for start in range(0, len(gone), _NAMES_AT_ONCE):
            session.execute(delete(key.class_).where(key.in_(gone[start : start + _NAMES_AT_ONCE])))
        _put_rows(
            session,
            key.class_,
            [_row(kind, name, value) for of, name, value in changes if of == kind and value is not None],
        )
    _put_rows(session, ChangeRow, [{"kind": kind, "name": name, "revision": revision} for kind, name, _ in changes])
    _drop_old(session, revision)
    return revision


def former_sites(session: Session) -> list[str]:
    """Sites that were deleted, and whose probers have not spoken since."""
    touched = select(ChangeRow.name).where(ChangeRow.kind == "sites", ChangeRow.name.not_in(select(SiteRow.id)))
    return list(session.scalars(touched))


def remember_former(session: Session, site: str) -> None:
    """A site that was never set up is deleted: the catalogue stays as it is, but remembers that."""
    _put_rows(session, ChangeRow, [{"kind": "sites", "name": site, "revision": newest_revision(session)}])


def forget_former(session: Session, site: str) -> None:
    """It speaks again."""
    # The newest revision is what tells other processes that something changed: it must not go with this row.
    _put_rows(session, ChangeRow, [{"kind": "groups", "name": "", "revision": newest_revision(session)}])
    session.execute(
        delete(ChangeRow).where(
            ChangeRow.kind == "sites", ChangeRow.name == site, ChangeRow.name.not_in(select(SiteRow.id))
        )
    )


def _drop_old(session: Session, revision: int) -> None:
    # Sites that were deleted are remembered for as long as they keep silent.
    old = delete(ChangeRow).where(ChangeRow.revision < revision - _REVISIONS_KEPT, ChangeRow.kind != "sites")
    session.execute(old)


def _row(kind: str, name: str, value: Any) -> dict[str, Any]:
    if kind == "targets":
        return {"id": name, "own": value}
    if kind == "groups":
        return {"path": name, "options": value}
    return {column: getattr(value, column) for column in ("id", "label", "location", "anchors", "expected")}


def _put_rows(session: Session, model: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Insert, or replace what has the same key."""
    if rows:
        put = insert(model)
        keys = [column.name for column in inspect(model).primary_key]
        others = {name: put.excluded[name] for name in rows[0] if name not in keys}
        session.execute(put.on_conflict_do_update(index_elements=keys, set_=others), rows)
