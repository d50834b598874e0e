-- Passwords that are replaced, what brokers other than ours have to know of them, and when a device last asked.

ALTER TABLE login ADD COLUMN former BLOB NOT NULL DEFAULT x'';  -- the hashes before, 32 bytes each: their sessions go on
ALTER TABLE login ADD COLUMN pbkdf2 TEXT;                       -- of the same password, as mosquitto has it
ALTER TABLE login ADD COLUMN bcrypt TEXT;                       -- as NATS has it; both NULL: not known, given before 0004
ALTER TABLE device ADD COLUMN heard_ms INTEGER;                 -- its last request, to the minute
