-- Rules: what rings and how (bridge/rules). They are read in the transaction that keeps a message.

ALTER TABLE message ADD COLUMN silent INTEGER NOT NULL DEFAULT 0;     -- shown without ringing
ALTER TABLE user ADD COLUMN text_held BLOB;                           -- the text view that the broker last acknowledged

CREATE TABLE rules (
    user_id  INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,
    document TEXT    NOT NULL                        -- JSON; a user without a row has no rules
) STRICT;

CREATE TABLE ring (                                  -- what rang of late, of users with a rate; older rows go
    user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,                        -- by the clock, which may step; the number only grows
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE storm (                                 -- messages beyond a rate, told as one
    user_id      INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    first        INTEGER NOT NULL,                   -- numbers of its first and last message
    last         INTEGER NOT NULL,
    since_ms     INTEGER NOT NULL,
    until_ms     INTEGER NOT NULL,
    more         INTEGER NOT NULL DEFAULT 1,         -- how many messages it has
    from_name    TEXT,                               -- NULL when they differ
    from_address TEXT,
    open         INTEGER NOT NULL DEFAULT 1,         -- still growing, not told yet
    PRIMARY KEY (user_id, first)
) STRICT, WITHOUT ROWID;

CREATE INDEX storm_open ON storm (user_id) WHERE open = 1;
