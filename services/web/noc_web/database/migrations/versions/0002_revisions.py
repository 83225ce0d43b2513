"""The catalogue counts its revisions; tags and contacts of groups add up, and those that replaced go on replacing."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "catalog_change",
        sa.Column("kind", sa.String(7), primary_key=True),
        sa.Column("name", sa.String(250), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False, index=True),
    )
    _keep_what_replaced()
    op.execute(sa.text("INSERT INTO catalog_change (kind, name, revision) VALUES ('groups', '', 1)"))


def _keep_what_replaced() -> None:
    """Until now the nearest list was the only one that counted: what is in force stays in force."""
    connection = op.get_bind()
    groups: dict[str, dict[str, Any]] = {
        path: json.loads(options)
        for path, options in connection.execute(sa.text("SELECT path, options FROM target_group"))
    }
    for path, options in groups.items():
        if _replaces(options, _above(path), groups):
            change = sa.text("UPDATE target_group SET options = :options WHERE path = :path")
            connection.execute(change, {"options": json.dumps(options), "path": path})
    for name, text in connection.execute(sa.text("SELECT id, own FROM target")).all():
        own = json.loads(text)
        group = own.get("group", "")
        if _replaces(own, [group, *_above(group)], groups):
            connection.execute(
                sa.text("UPDATE target SET own = :own WHERE id = :id"), {"own": json.dumps(own), "id": name}
            )


def _above(path: str) -> list[str]:
    """The paths above a group, the root's included; none above the root."""
    parts = path.split("/") if path else []
    return ["/".join(parts[:length]) for length in range(len(parts))]


def _replaces(options: dict[str, Any], above: list[str], groups: dict[str, dict[str, Any]]) -> bool:
    """Marks the lists that hide some above them; whether there are any."""
    hiding = [
        name
        for name in ("tags", "contacts")
        if name in options and any(groups.get(path, {}).get(name) for path in above)
    ]
    options.update({f"replace_{name}": True for name in hiding})
    return bool(hiding)
