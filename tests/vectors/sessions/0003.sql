-- As the third schema left it: who was here when.
PRAGMA journal_mode = WAL;
CREATE TABLE session (
    username TEXT PRIMARY KEY, credential BLOB NOT NULL, seen REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE filter (
    username TEXT, topic_filter TEXT, qos INTEGER NOT NULL, PRIMARY KEY (username, topic_filter)) WITHOUT ROWID;
CREATE TABLE queued (
    username TEXT, seq INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (username, seq)) WITHOUT ROWID;
CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE visit (
    username TEXT PRIMARY KEY, online INTEGER NOT NULL, since REAL NOT NULL, seen REAL NOT NULL,
    address TEXT NOT NULL, client_id TEXT NOT NULL, protocol INTEGER NOT NULL, transport TEXT NOT NULL,
    tls INTEGER NOT NULL, shared REAL) WITHOUT ROWID;
CREATE TABLE beat (one INTEGER PRIMARY KEY, at REAL NOT NULL);
PRAGMA user_version = 3;
INSERT INTO session VALUES ('alice.phone', x'00112233445566778899aabbccddeeff', 1764000000.5);
INSERT INTO session VALUES ('bob.clock', x'ff', 0.0);
INSERT INTO filter VALUES ('alice.phone', 'mail/alice/#', 1);
INSERT INTO filter VALUES ('alice.phone', 'mail-bridge/+/status', 0);
INSERT INTO queued VALUES ('alice.phone', 7, 'mail/alice/msg/8jf0q2c1k', x'00ff');
INSERT INTO queued VALUES ('alice.phone', 9, 'mail/alice/box', x'');
INSERT INTO retained VALUES ('mail/alice/text', x'41', 1);
INSERT INTO visit VALUES ('alice.phone', 1, 1764000000.5, 1764000000.5, '192.0.2.7', 'app', 4, 'tcp', 1, NULL);
INSERT INTO visit VALUES ('bob.clock', 0, 1763900000.5, 1763900060.5, '2001:db8::7', 'clock', 4, 'websocket', 0, 1763900050.5);
INSERT INTO beat VALUES (1, 1764000300.0);
