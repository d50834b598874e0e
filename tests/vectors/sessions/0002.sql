-- As the second schema left it: what is retained outlives the broker as well.
PRAGMA journal_mode = WAL;
CREATE TABLE session (
    username TEXT PRIMARY KEY, credential BLOB NOT NULL, seen REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE filter (
    username TEXT, topic_filter TEXT, qos INTEGER NOT NULL, PRIMARY KEY (username, topic_filter)) WITHOUT ROWID;
CREATE TABLE queued (
    username TEXT, seq INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (username, seq)) WITHOUT ROWID;
CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 2;
INSERT INTO session VALUES ('alice.phone', x'00112233445566778899aabbccddeeff', 1764000000.5);
INSERT INTO session VALUES ('bob.clock', x'ff', 0.0);
INSERT INTO filter VALUES ('alice.phone', 'mail/alice/#', 1);
INSERT INTO filter VALUES ('alice.phone', 'mail-bridge/+/status', 0);
INSERT INTO queued VALUES ('alice.phone', 7, 'mail/alice/msg/8jf0q2c1k', x'00ff');
INSERT INTO queued VALUES ('alice.phone', 9, 'mail/alice/box', x'');
INSERT INTO retained VALUES ('mail/alice/text', x'41', 1);
