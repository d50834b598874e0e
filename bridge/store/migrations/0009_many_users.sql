-- Where users are many: what changed is known by name, what is kept is counted as it changes, and nothing is found by a walk.

CREATE TABLE changed_login (                         -- the last changes of logins, for a broker that has read those before
    revision INTEGER PRIMARY KEY,                    -- each by its own number: one that is missing would be seen
    username TEXT    NOT NULL                        -- '' where it has no login any more: whoever is gone is not noted
) STRICT;

DROP TRIGGER login_added;
DROP TRIGGER login_removed;
DROP TRIGGER login_changed;

CREATE TRIGGER login_added AFTER INSERT ON login BEGIN
    UPDATE revision SET value = value + 1 WHERE name = 'logins';
    INSERT INTO changed_login SELECT value, new.username FROM revision WHERE name = 'logins';
    DELETE FROM changed_login WHERE revision <= (SELECT value FROM revision WHERE name = 'logins') - 1000;
END;

CREATE TRIGGER login_removed AFTER DELETE ON login BEGIN
    UPDATE revision SET value = value + 1 WHERE name = 'logins';
    INSERT INTO changed_login SELECT value, old.username FROM revision WHERE name = 'logins';
    DELETE FROM changed_login WHERE revision <= (SELECT value FROM revision WHERE name = 'logins') - 1000;
    UPDATE changed_login SET username = ''
        WHERE username = old.username AND NOT EXISTS (SELECT 1 FROM login WHERE login.username = old.username);
END;

CREATE TRIGGER login_changed AFTER UPDATE ON login BEGIN
    UPDATE revision SET value = value + 1 WHERE name = 'logins';
    INSERT INTO changed_login SELECT value, old.username FROM revision WHERE name = 'logins';
    DELETE FROM changed_login WHERE revision <= (SELECT value FROM revision WHERE name = 'logins') - 1000;
END;

-- Addresses: without case, of a user, and of a domain.
ALTER TABLE address ADD COLUMN folded TEXT NOT NULL DEFAULT '';  -- without case, as Python has it
UPDATE address SET folded = casefold(address);

CREATE INDEX address_folded ON address (folded);
CREATE INDEX address_user ON address (user_id);
CREATE INDEX address_domain ON address (substr(address, length(rtrim(address, replace(address, '@', ''))) + 1));

-- How many bytes of messages there are: of each user, and of all bodies. What is kept is counted where it is written
-- (bridge/store/boxes.py), some mails at a time; what goes by these triggers, however it goes.
ALTER TABLE user ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;   -- of those messages whose bodies are still there

UPDATE user SET stored =
    (SELECT coalesce(sum(size), 0) FROM message WHERE message.user_id = user.user_id AND body_id IS NOT NULL);

CREATE TABLE stored (
    stored_id INTEGER PRIMARY KEY CHECK (stored_id = 1),
    bytes     INTEGER NOT NULL
) STRICT;

INSERT INTO stored SELECT 1, coalesce(sum(size), 0) FROM body;

CREATE TRIGGER body_uncounted AFTER DELETE ON body BEGIN UPDATE stored SET bytes = bytes - old.size; END;

CREATE TRIGGER message_let_go AFTER UPDATE OF body_id ON message WHEN old.body_id IS NOT NULL AND new.body_id IS NULL
BEGIN UPDATE user SET stored = stored - old.size WHERE user_id = old.user_id; END;

CREATE TRIGGER message_unstored AFTER DELETE ON message WHEN old.body_id IS NOT NULL
BEGIN UPDATE user SET stored = stored - old.size WHERE user_id = old.user_id; END;

-- What time does, over all users.
CREATE INDEX message_done ON message (number) WHERE live = 0 AND held = 0 AND body_id IS NULL;
CREATE INDEX body_age ON body (received_ms);
CREATE INDEX body_file ON body (file) WHERE file IS NOT NULL;

CREATE TABLE live_terms (                            -- with which settings all live sets were worked out, and up to when
    terms_id INTEGER PRIMARY KEY CHECK (terms_id = 1),
    count    INTEGER NOT NULL,
    days     REAL    NOT NULL,
    horizon  INTEGER NOT NULL                        -- messages below were too old
) STRICT;
