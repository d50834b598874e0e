-- The first schema. Numbers of messages are milliseconds since 2025-01-01 (bridge/contract/ids.py).

CREATE TABLE user (
    user_id     INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice, so nothing left over can reach a new user
    name        TEXT    NOT NULL UNIQUE,
    views       TEXT    NOT NULL,                    -- optional views that are on, separated by commas
    last_number INTEGER NOT NULL DEFAULT 0,          -- the newest number ever given: ids only grow
    created_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE address (
    address TEXT    PRIMARY KEY,                     -- normalised, or @domain for everything else of a domain
    user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE login (                                 -- what the embedded broker lets in; it reads this table
    username TEXT NOT NULL,
    label    TEXT NOT NULL,                          -- several secrets may open one login
    role     TEXT NOT NULL CHECK (role IN ('device', 'bridge', 'admin')),
    salt     BLOB,                                   -- NULL: hash is an argon2 string of a chosen password
    hash     BLOB NOT NULL,                          -- else SHA-256 of salt and a generated password
    PRIMARY KEY (username, label)
) STRICT, WITHOUT ROWID;

CREATE TABLE body (
    body_id     INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ms INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    raw         BLOB,                                -- the message itself, or NULL when it lies in the spool
    file        TEXT                                 -- its name in the spool
) STRICT;

CREATE TABLE message (
    user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    header     BLOB    NOT NULL,                     -- the payload as published
    message_id TEXT    NOT NULL,                     -- Message-ID as sent, '' when there was none
    digest     BLOB    NOT NULL,                     -- of the content without its trace fields
    size       INTEGER NOT NULL,
    body_id    INTEGER REFERENCES body ON DELETE SET NULL,
    seen       INTEGER NOT NULL DEFAULT 0,
    live       INTEGER NOT NULL DEFAULT 0,           -- in the live set: what the broker should hold
    held       INTEGER NOT NULL DEFAULT 0,           -- what the broker last acknowledged to hold
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_unseen ON message (user_id, number) WHERE seen = 0;
CREATE INDEX message_live ON message (user_id, number) WHERE live = 1;
CREATE INDEX message_copy ON message (user_id, message_id, digest) WHERE message_id <> '';
CREATE INDEX message_body ON message (body_id) WHERE body_id IS NOT NULL;

CREATE TABLE outbox (                                -- topics whose state on the broker may differ from the desired one
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    path       TEXT    NOT NULL UNIQUE,              -- the topic without its root (an event's has the id behind it)
    kind       TEXT    NOT NULL,                     -- msg, event, a view's name, or stray
    user_id    INTEGER NOT NULL,
    number     INTEGER NOT NULL,                     -- 0 for views
    generation INTEGER NOT NULL DEFAULT 1            -- grows with each mark, so that an old PUBACK settles no new state
) STRICT;

CREATE INDEX outbox_messages ON outbox (seq) WHERE kind IN ('msg', 'event', 'stray');
CREATE INDEX outbox_views ON outbox (seq) WHERE kind NOT IN ('msg', 'event', 'stray');

CREATE TABLE revision (                              -- grows whenever people, devices or logins change
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO revision VALUES ('people', 1), ('logins', 1);

CREATE TRIGGER user_added AFTER INSERT ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER user_changed AFTER UPDATE OF name, views ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER user_removed AFTER DELETE ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER address_added AFTER INSERT ON address BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER address_removed AFTER DELETE ON address BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER login_added AFTER INSERT ON login BEGIN UPDATE revision SET value = value + 1 WHERE name = 'logins'; END;
CREATE TRIGGER login_removed AFTER DELETE ON login BEGIN UPDATE revision SET value = value + 1 WHERE name = 'logins'; END;

CREATE TABLE discarded (                             -- spool files whose rows are gone: to be removed from the disk
    file TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TRIGGER body_removed AFTER DELETE ON body WHEN old.file IS NOT NULL
BEGIN INSERT OR IGNORE INTO discarded VALUES (old.file); END;

CREATE TABLE sender (                                -- who may hand in mail from outside the trusted networks
    name       TEXT    PRIMARY KEY,
    salt       BLOB    NOT NULL,
    hash       BLOB    NOT NULL,                     -- SHA-256 of salt and a generated password
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
