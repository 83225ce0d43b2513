"""How alerter.sqlite came to its present schema."""

from __future__ import annotations

from typing import Final

from noc_frame.sqlite import Ladder, sql

_FIRST: Final = """
CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    resolved_at INTEGER,
    message BLOB NOT NULL
);
CREATE UNIQUE INDEX one_open ON incident (subject) WHERE is_open;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    transition TEXT NOT NULL,
    recipient TEXT NOT NULL,
    mail BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    sent_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    UNIQUE (incident, transition, recipient)
);
CREATE INDEX outbox_due ON outbox (state, next_at);
CREATE INDEX outbox_sent ON outbox (recipient, sent_at);
"""

# One incident may be about many things, and a mail is written when it is sent. What is queued already
# stays as it was written: `mail` has its content, `letter` is empty.
_MANY_MEMBERS: Final = """
CREATE TABLE about (
    incident TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    PRIMARY KEY (incident, kind, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_each ON about (kind, name) WHERE is_open;
INSERT INTO about SELECT id, 'site', substr(subject, 6), is_open FROM incident WHERE subject LIKE 'site:%';
INSERT INTO about SELECT id, 'target', subject, is_open FROM incident WHERE subject NOT LIKE 'site:%';
CREATE TABLE kept (
    id TEXT PRIMARY KEY,
    is_open INTEGER NOT NULL,
    resolved_at INTEGER,
    message BLOB NOT NULL
);
INSERT INTO kept SELECT id, is_open, resolved_at, message FROM incident;
DROP TABLE incident;
ALTER TABLE kept RENAME TO incident;
CREATE INDEX incident_resolved ON incident (resolved_at);
CREATE INDEX incident_open ON incident (id) WHERE is_open;
CREATE TABLE letters (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    transition TEXT NOT NULL,
    recipient TEXT NOT NULL,
    letter BLOB NOT NULL,
    mail BLOB,
    is_critical INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'queued',
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    sent_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    seen_at INTEGER,
    UNIQUE (incident, transition, recipient)
);
INSERT INTO letters (id, incident, transition, recipient, letter, mail, state, created_at, next_at, sent_at, attempts, error)
SELECT id, incident, transition, recipient, x'', mail, state, created_at, next_at, sent_at, attempts, error FROM outbox;
DROP TABLE outbox;
ALTER TABLE letters RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (state, next_at);
CREATE INDEX outbox_sent ON outbox (sent_at);
CREATE INDEX outbox_recipient ON outbox (recipient, incident);
"""

# A message has room for some members; all are here, with whether people were told of them. What was open before
# has been mailed already.
_ALL_MEMBERS: Final = """
CREATE TABLE member (
    incident TEXT NOT NULL,
    target TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    is_told INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (incident, target)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_target ON member (target) WHERE is_open;
INSERT INTO member
SELECT incident.id, one.value ->> 'target', one.value ->> 'left_at' IS NULL, one.value ->> 'left_at' IS NULL, one.value
FROM incident, json_each(CAST(incident.message AS TEXT), '$.members') AS one WHERE incident.is_open;
INSERT OR IGNORE INTO member
SELECT about.incident, about.name, 1, 1,
json_object('target', about.name, 'name', about.name, 'joined_at', CAST(incident.message AS TEXT) ->> 'opened_at')
FROM about JOIN incident ON incident.id = about.incident WHERE about.kind = 'target' AND about.is_open;
DELETE FROM about WHERE kind = 'target' OR NOT is_open;
ALTER TABLE incident ADD COLUMN is_told INTEGER NOT NULL DEFAULT 1;
ALTER TABLE incident ADD COLUMN stem TEXT NOT NULL DEFAULT '';
CREATE TABLE timeline (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    at INTEGER NOT NULL,
    code TEXT NOT NULL,
    target TEXT,
    text TEXT NOT NULL
);
CREATE INDEX timeline_of ON timeline (incident, id);
"""

# How often each target changed lately, and was mailed about; times are of the wall clock, in milliseconds.
_FLAPS: Final = """
CREATE TABLE flap (
    target TEXT PRIMARY KEY,
    message TEXT NOT NULL
) WITHOUT ROWID;
"""

# Why a recipient is told, for people.
_BECAUSE: Final = "ALTER TABLE outbox ADD COLUMN because TEXT NOT NULL DEFAULT '';"

# For how long an incident has been told, neither acknowledged nor muted; and before when a recipient wants nothing.
_WAITS: Final = """
ALTER TABLE incident ADD COLUMN waited_s REAL NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
"""

# Which alerter acts, of those that share this folder; it counts `beat` up for as long as it does.
_LEASE: Final = """
CREATE TABLE lease (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    holder TEXT NOT NULL,
    host TEXT NOT NULL,
    beat INTEGER NOT NULL
);
"""

# What stands in every Message-ID, whatever sender is set later: what a mail refers to keeps its name. And of which
# incidents nobody is to be mailed now, all of whose members are muted.
_MAIL_DOMAIN_AND_MUTED: Final = """
ALTER TABLE incident ADD COLUMN is_muted INTEGER NOT NULL DEFAULT 0;
CREATE TABLE mail_domain (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    domain TEXT NOT NULL
);
"""

# Of late data it is asked which incidents its targets were part of, over or not.
_MEMBERS_BY_TARGET: Final = "CREATE INDEX member_target ON member (target);"

# What people write of an incident. A comment is a line of its timeline with who wrote it, kept once however often it
# comes; the post-mortem is one note.
_NOTES: Final = """
ALTER TABLE timeline ADD COLUMN author TEXT;
ALTER TABLE timeline ADD COLUMN request TEXT;
CREATE UNIQUE INDEX timeline_request ON timeline (request) WHERE request IS NOT NULL;
CREATE TABLE post_mortem (
    incident TEXT PRIMARY KEY,
    author TEXT NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL
) WITHOUT ROWID;
"""

LADDER: Final = Ladder(
    steps=[
        sql(_FIRST),
        sql(_MANY_MEMBERS),
        sql(_ALL_MEMBERS),
        sql(_FLAPS),
        sql(_BECAUSE),
        sql(_WAITS),
        sql(_LEASE),
        sql(_MAIL_DOMAIN_AND_MUTED),
        sql(_MEMBERS_BY_TARGET),
        sql(_NOTES),
    ],
    unversioned_tables=frozenset({"incident", "outbox"}),
)
