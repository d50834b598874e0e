-- Web Push (RFC 8030): where a device wants to be rung, what has to be sent there, and the key that signs it.

CREATE TABLE push (                                  -- one subscription a device, as its page or app gave it
    user_id      INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    device       TEXT    NOT NULL,
    endpoint     TEXT    NOT NULL,                   -- whoever knows it can reach the device; '' once it is forgotten
    host         TEXT    NOT NULL,                   -- of the endpoint, for log and lists
    p256dh       BLOB    NOT NULL,                   -- the device's public key, an uncompressed point of P-256
    auth         BLOB    NOT NULL,                   -- and its secret (RFC 8291 §3.2)
    since_ms     INTEGER NOT NULL,                   -- when this endpoint came
    ok_ms        INTEGER,                            -- when the push service took something last
    failing_ms   INTEGER,                            -- since when it has taken nothing; NULL: it does, or never had to
    trouble      TEXT    NOT NULL DEFAULT '',        -- why
    failures     INTEGER NOT NULL DEFAULT 0,         -- how many times in a row
    retry_ms     INTEGER NOT NULL DEFAULT 0,         -- nothing is tried before
    skew_s       INTEGER,                            -- how far its clock was ahead of ours, when it last said so
    forgotten_ms INTEGER,                            -- when the push service said that it is gone (404, 410)
    PRIMARY KEY (user_id, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE notification (                          -- a message, or the first of a storm, of which a device is told
    user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    device     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    result     TEXT,                                 -- NULL while it waits; else what became of it
    at_ms      INTEGER,                              -- and when
    PRIMARY KEY (user_id, number, device)
) STRICT, WITHOUT ROWID;

CREATE INDEX notification_waiting ON notification (user_id, device, tries, number) WHERE result IS NULL;

CREATE TABLE push_key (                              -- of this installation (RFC 8292); browsers bind subscriptions to it
    key_id     INTEGER PRIMARY KEY CHECK (key_id = 1),
    private    BLOB    NOT NULL,                     -- the secret number, 32 bytes
    created_ms INTEGER NOT NULL
) STRICT;

-- The keys of the parents are of two columns, which foreign keys of a table that can be salvaged do not have.
CREATE TRIGGER device_removed AFTER DELETE ON device BEGIN
    DELETE FROM push WHERE user_id = old.user_id AND device = old.name;
    DELETE FROM notification WHERE user_id = old.user_id AND device = old.name;
END;

CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
    DELETE FROM notification WHERE user_id = old.user_id AND number = old.number;
END;
