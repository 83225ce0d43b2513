BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	who VARCHAR NOT NULL, 
	act VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	detail JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit" VALUES(1,1795709283528,'x','change group','','{"contacts": ["root@example.org"]}');
INSERT INTO "audit" VALUES(2,1795709283542,'x','change group','core','{"tags": ["core"]}');
INSERT INTO "audit" VALUES(3,1795709283551,'x','add target','inherits','{"id": "inherits", "address": "10.0.0.1", "group": "core", "name": "10.0.0.1"}');
INSERT INTO "audit" VALUES(4,1795709283557,'x','add target','replaces','{"id": "replaces", "address": "10.0.0.2", "group": "core/routers", "tags": ["own"], "name": "10.0.0.2"}');
INSERT INTO "audit" VALUES(5,1795709283567,'x','add target','empties','{"id": "empties", "address": "10.0.0.3", "group": "core", "tags": [], "name": "10.0.0.3"}');
INSERT INTO "audit" VALUES(6,1795709283583,'x','add target','alone','{"id": "alone", "address": "10.0.0.4", "tags": ["own"], "name": "10.0.0.4"}');
CREATE TABLE session (
	id_hash VARCHAR(64) NOT NULL, 
	user_id INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	seen_at INTEGER NOT NULL, 
	PRIMARY KEY (id_hash), 
	FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE TABLE site (
	id VARCHAR(63) NOT NULL, 
	label VARCHAR NOT NULL, 
	location VARCHAR NOT NULL, 
	anchors JSON NOT NULL, 
	expected BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE target (
	id VARCHAR(63) NOT NULL, 
	own JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "target" VALUES('inherits','{"id": "inherits", "address": "10.0.0.1", "group": "core", "name": "10.0.0.1"}');
INSERT INTO "target" VALUES('replaces','{"id": "replaces", "address": "10.0.0.2", "group": "core/routers", "tags": ["own"], "name": "10.0.0.2"}');
INSERT INTO "target" VALUES('empties','{"id": "empties", "address": "10.0.0.3", "group": "core", "tags": [], "name": "10.0.0.3"}');
INSERT INTO "target" VALUES('alone','{"id": "alone", "address": "10.0.0.4", "tags": ["own"], "name": "10.0.0.4"}');
CREATE TABLE target_group (
	path VARCHAR(250) NOT NULL, 
	options JSON NOT NULL, 
	PRIMARY KEY (path)
);
INSERT INTO "target_group" VALUES('','{"contacts": ["root@example.org"]}');
INSERT INTO "target_group" VALUES('core','{"tags": ["core"]}');
CREATE TABLE token (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	role VARCHAR NOT NULL, 
	prefix VARCHAR NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	created_at INTEGER NOT NULL, 
	used_at INTEGER, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	UNIQUE (token_hash)
);
CREATE TABLE user (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	password_hash VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	theme VARCHAR NOT NULL, 
	must_change_password BOOLEAN NOT NULL, 
	created_at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE INDEX ix_session_user_id ON session (user_id);
CREATE INDEX ix_audit_at ON audit (at);
COMMIT;
