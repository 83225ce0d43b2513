"""The catalogue's rows: how contents are read from the database, and how a change is written.

Every change has a number, the revision, and leaves it beside the names that it touched. Whoever has an older
revision, in this process or another, reads again just what was touched since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select
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
    revision = draft.before.revision + bool(changes)
    for kind, name, value in changes:
        if value is None:
            session.execute(delete(_KEYS[kind].class_).where(_KEYS[kind] == name))
        elif kind == "targets":
            session.merge(TargetRow(id=name, own=value))
        elif kind == "groups":
            session.merge(GroupRow(path=name, options=value))
        else:
            session.merge(
                SiteRow(
                    id=name,
                    label=value.label,
                    location=value.location,
                    anchors=value.anchors,
                    expected=value.expected,
                )
            )
        note = insert(ChangeRow).values(kind=kind, name=name, revision=revision)
        session.execute(note.on_conflict_do_update(index_elements=["kind", "name"], set_={"revision": revision}))
    session.execute(delete(ChangeRow).where(ChangeRow.revision < revision - _REVISIONS_KEPT))
    return revision
