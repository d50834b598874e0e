-- The story of a message, for `postbell trace`, and how long a header a device takes.

ALTER TABLE message ADD COLUMN sender TEXT;     -- what MAIL FROM said; this and the next five are NULL where it was kept before 0005
ALTER TABLE message ADD COLUMN recipient TEXT;  -- what RCPT TO said
ALTER TABLE message ADD COLUMN peer TEXT;       -- the address that handed it in, '' on a UNIX socket
ALTER TABLE message ADD COLUMN protocol TEXT;   -- as RFC 3848 names it
ALTER TABLE message ADD COLUMN alert TEXT;      -- the verdict (bridge/rules/alert.py), and of which rule
ALTER TABLE message ADD COLUMN reason TEXT;
ALTER TABLE message ADD COLUMN told_ms INTEGER; -- when the broker first acknowledged the header; NULL: not yet, or before 0005
ALTER TABLE message ADD COLUMN seen_ms INTEGER; -- when it was seen, and on which device; NULL: not, before 0005, or by nobody
ALTER TABLE message ADD COLUMN seen_by TEXT;

ALTER TABLE device ADD COLUMN payload INTEGER;  -- the longest header that it takes, in bytes; NULL: whatever there is
