-- A new message waits for the broker in its own row, and what each box has is counted as it changes.

ALTER TABLE message ADD COLUMN waits INTEGER NOT NULL DEFAULT 0; -- 1: its header was not acknowledged yet, 2: nor its event; 4 for each time that it was marked meanwhile
ALTER TABLE user ADD COLUMN live INTEGER NOT NULL DEFAULT 0;     -- how many of its messages are live
ALTER TABLE user ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;     -- how many there are

UPDATE user SET
    live = (SELECT count(*) FROM message WHERE message.user_id = user.user_id AND live = 1),
    kept = (SELECT count(*) FROM message WHERE message.user_id = user.user_id);

-- In the order of their bodies messages were committed, whatever the clock said.
CREATE INDEX message_waits ON message (body_id) WHERE waits <> 0;
