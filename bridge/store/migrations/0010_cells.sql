-- Cells: brokers beside the one of the configuration. Each user is at one of them.

CREATE TABLE cell (
    cell_id       INTEGER PRIMARY KEY,                 -- 0 is the broker of the configuration
    name          TEXT    NOT NULL UNIQUE,
    url           TEXT    NOT NULL,                    -- '' for that of the configuration, as all that follows
    ca_file       TEXT    NOT NULL DEFAULT '',
    password_file TEXT    NOT NULL DEFAULT '',         -- the bridge's own password there
    logins_for    TEXT    NOT NULL DEFAULT '',         -- whose login files are kept: mosquitto or nats
    logins_dir    TEXT    NOT NULL DEFAULT '',
    logins_hook   TEXT    NOT NULL DEFAULT '[]',       -- JSON: a command and its arguments
    draining      INTEGER NOT NULL DEFAULT 0           -- nobody new goes there
) STRICT;

INSERT INTO cell (cell_id, name, url) VALUES (0, 'main', '');

ALTER TABLE user ADD COLUMN cell INTEGER NOT NULL DEFAULT 0;     -- where mail is published
ALTER TABLE login ADD COLUMN cell INTEGER NOT NULL DEFAULT 0;    -- where a device is let in; behind the user's until that is ready
CREATE INDEX user_cell ON user (cell, name);

CREATE TABLE leaving (                               -- names of users whose topics are still to be cleared at a cell where they were
    cell   INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    let_go INTEGER NOT NULL DEFAULT 0,               -- whether the logins went there already
    PRIMARY KEY (cell, name)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER user_moved AFTER UPDATE OF cell ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER cell_added AFTER INSERT ON cell BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER cell_changed AFTER UPDATE ON cell BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER cell_removed AFTER DELETE ON cell BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
