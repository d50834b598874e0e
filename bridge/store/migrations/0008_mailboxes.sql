-- Mailboxes at mail servers that are followed (IMAP), and which mail in their folders is which message.

CREATE TABLE mailbox (
    mailbox_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    host        TEXT    NOT NULL,
    port        INTEGER NOT NULL,
    tls         INTEGER NOT NULL,                    -- 0 only for a server on this machine
    login       TEXT    NOT NULL,
    secret_kind TEXT    NOT NULL CHECK (secret_kind IN ('password-file', 'password-command', 'xoauth2-command')),
    secret      TEXT    NOT NULL,                    -- the file or command that has the secret, never the secret itself
    source_ms   INTEGER,                             -- mail received since then is fetched; NULL: none is
    events      INTEGER NOT NULL DEFAULT 0,          -- no connection is kept: its server says when to look
    created_ms  INTEGER NOT NULL,
    UNIQUE (user_id, host, port, login)
) STRICT;

CREATE TABLE folder (                                -- a folder of a mailbox that is followed
    folder_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox_id INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    validity   INTEGER NOT NULL DEFAULT 0,           -- UIDVALIDITY (RFC 9051 §2.3.1.1); 0: it was never open
    next_uid   INTEGER NOT NULL DEFAULT 0,           -- what is below was looked at; 0: nothing was
    modseq     INTEGER NOT NULL DEFAULT 0,           -- HIGHESTMODSEQ (RFC 7162 §3.1.2.1) up to which all is known; 0: who knows
    UNIQUE (mailbox_id, name)
) STRICT;

CREATE TABLE counterpart (                           -- a mail in a folder; those that are too old are forgotten
    folder_id  INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    uid        INTEGER NOT NULL,
    number     INTEGER,                              -- of the user's message that it is; NULL: none that we know
    message_id TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    arrived_ms INTEGER NOT NULL,
    agreed     INTEGER NOT NULL,                     -- seen, as both sides had it last
    doubt      INTEGER NOT NULL DEFAULT 0,           -- the mailbox was told something else and did not say that it knows
    wanted     INTEGER NOT NULL DEFAULT 0,           -- it is to be fetched
    PRIMARY KEY (folder_id, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX counterpart_number ON counterpart (number) WHERE number IS NOT NULL;

-- Who follows them looks when people change.
CREATE TRIGGER mailbox_added AFTER INSERT ON mailbox BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER mailbox_changed AFTER UPDATE ON mailbox BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER mailbox_removed AFTER DELETE ON mailbox BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER folder_added AFTER INSERT ON folder BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER folder_removed AFTER DELETE ON folder BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
