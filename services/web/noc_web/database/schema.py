"""How web.sqlite came to its present schema. Points in time are milliseconds since 1970 UTC."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from noc_frame.sqlite import Ladder, sql

# `session`: only a hash of its id is kept, so that who reads the database cannot take a session over; the
# same of `token`. `must_change_password`: logged in with the one-time secret, before which nothing else works.
# `target`: its own options only. `audit`: who changed what, when.
_FIRST: Final = """
CREATE TABLE user (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    theme TEXT NOT NULL,
    must_change_password INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE TABLE session (
    id_hash TEXT NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
);
CREATE INDEX ix_session_user_id ON session (user_id);
CREATE TABLE token (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    prefix TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    used_at INTEGER
);
CREATE TABLE target (id TEXT NOT NULL PRIMARY KEY, own TEXT NOT NULL);
CREATE TABLE target_group (path TEXT NOT NULL PRIMARY KEY, options TEXT NOT NULL);
CREATE TABLE site (
    id TEXT NOT NULL PRIMARY KEY,
    label TEXT NOT NULL,
    location TEXT NOT NULL,
    anchors TEXT NOT NULL,
    expected INTEGER NOT NULL
);
CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX ix_audit_at ON audit (at);
"""

# The newest revision of the catalogue that touched a target, group or site, also one that took it out.
_REVISIONS: Final = """
CREATE TABLE catalog_change (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX ix_catalog_change_revision ON catalog_change (revision);
INSERT INTO catalog_change (kind, name, revision) VALUES ('groups', '', 1);
"""

# From where people have logged in: nobody who guesses elsewhere keeps them out there.
_PLACES: Final = """
CREATE TABLE IF NOT EXISTS place (
    user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (user_id, address)
);
"""

# `broker_account`: who may connect to the broker. Of its secret there are only the hashes that the two brokers
# compare with. `is_own`: a process of this NOC's own, which this NOC gives its secret itself. `used_at`: null
# until a site has connected with it; `expires_at`: when it is worth nothing, unless it was used before.
# `broker`: one row. Where the accounts are rendered to (`folder`, empty: nowhere), how (`root`, `anonymous_read`),
# and where sites reach the broker (`urls`, a JSON list), by a certificate of whom (`authority`, DER; empty: of one
# that every system trusts). `revision` counts the changes of both tables.
_BROKER: Final = """
CREATE TABLE broker_account (
    user TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    reads TEXT NOT NULL,
    mosquitto_hash TEXT NOT NULL,
    nats_hash TEXT NOT NULL,
    is_own INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at INTEGER,
    used_from TEXT NOT NULL,
    disabled_at INTEGER
);
CREATE TABLE broker (
    revision INTEGER NOT NULL,
    folder TEXT NOT NULL,
    root TEXT NOT NULL,
    anonymous_read INTEGER NOT NULL,
    urls TEXT NOT NULL,
    authority BLOB NOT NULL
);
INSERT INTO broker VALUES (0, '', 'noc/v1', 0, '[]', x'');
"""

# How people are told, each a JSON document: the mail server (kind mail, its password in it), contacts and routes.
_NOTIFICATIONS: Final = """
CREATE TABLE notification (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
"""

# `maintenance`: as it is now. `maintenance_past`: what each was from `since` on, null where it was deleted; what was in
# force at a moment of the past is counted by that, for good.
_MAINTENANCE: Final = """
CREATE TABLE maintenance (id TEXT NOT NULL PRIMARY KEY, message TEXT NOT NULL);
CREATE TABLE maintenance_past (
    id TEXT NOT NULL,
    since INTEGER NOT NULL,
    message TEXT,
    PRIMARY KEY (id, since)
);
"""

# `holidays`: a JSON list of days. `hours` empty: all; `goal_pct` null: the goals of the targets.
_CALENDARS: Final = """
CREATE TABLE calendar (
    name TEXT NOT NULL PRIMARY KEY,
    zone TEXT NOT NULL,
    hours TEXT NOT NULL,
    holidays TEXT NOT NULL,
    goal_pct REAL
) WITHOUT ROWID;
"""


# `audit`: from which address (empty: not known), and of what differs, what it was and what it became.
# `token`: null, it does not expire; `areas`, a JSON list, where it counts, empty: everywhere.
_WHENCE: Final = """
ALTER TABLE audit ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN before TEXT NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN after TEXT NOT NULL DEFAULT '{}';
ALTER TABLE token ADD COLUMN expires_at INTEGER;
ALTER TABLE token ADD COLUMN areas TEXT NOT NULL DEFAULT '[]';
"""

# `report_schedule`: a report by mail, as JSON. `report_due`: when it is due next for those in one time zone; below 0:
# at once, because somebody asked. `report_letter`: written, and not yet taken over by the alerter.
_REPORT_MAILS: Final = """
CREATE TABLE report_schedule (name TEXT NOT NULL PRIMARY KEY, fields TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE report_due (
    name TEXT NOT NULL,
    zone TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (name, zone)
) WITHOUT ROWID;
CREATE TABLE report_letter (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    message BLOB NOT NULL
);
"""

# Targets and sites (`kind`) whose history was deleted with them, and when.
_FORGOTTEN: Final = """
CREATE TABLE forgotten (kind TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""

# `certificates`: whether sites are to show one (none, issued, required); `has_certificate`: whether a site's token has one.
_CERTIFICATES: Final = """
ALTER TABLE broker ADD COLUMN certificates TEXT NOT NULL DEFAULT 'none';
ALTER TABLE broker_account ADD COLUMN has_certificate INTEGER NOT NULL DEFAULT 0;
"""

# Sites that have a key already may be of the version before: they still read what they then could, until it is replaced.
AS_BEFORE: Final = sql("""
ALTER TABLE broker_account ADD COLUMN as_before INTEGER NOT NULL DEFAULT 0;
UPDATE broker_account SET as_before = 1 WHERE role = 'site';
""")


def _count_revisions(connection: sqlite3.Connection) -> None:
    """The catalogue counts its revisions; tags and contacts of groups add up, and those that replaced go on replacing."""
    # Files of the time before versions were numbered are taken for the first one; some have had this step.
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'catalog_change'").fetchone():
        return
    sql(_REVISIONS)(connection)
    _keep_what_replaced(connection)


def _keep_what_replaced(connection: sqlite3.Connection) -> None:
    """Until now the nearest list was the only one that counted: what is in force stays in force."""
    groups: dict[str, dict[str, Any]] = {
        path: json.loads(options) for path, options in connection.execute("SELECT path, options FROM target_group")
    }
    for path, options in groups.items():
        if _replaces(options, _above(path), groups):
            connection.execute("UPDATE target_group SET options = ? WHERE path = ?", (json.dumps(options), path))
    for name, text in connection.execute("SELECT id, own FROM target").fetchall():
        own = json.loads(text)
        group = own.get("group", "")
        if _replaces(own, [group, *_above(group)], groups):
            connection.execute("UPDATE target SET own = ? WHERE id = ?", (json.dumps(own), name))


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


LADDER: Final = Ladder(
    (
        sql(_FIRST),
        _count_revisions,
        sql(_PLACES),
        sql(_BROKER),
        sql(_NOTIFICATIONS),
        sql(_MAINTENANCE),
        sql(_WHENCE),
        sql(_CALENDARS),
        sql(_REPORT_MAILS),
        sql(_FORGOTTEN),
        sql(_CERTIFICATES),
        AS_BEFORE,
    ),
    unversioned_tables=frozenset({"user", "session", "token", "target", "target_group", "site", "audit"}),
)
