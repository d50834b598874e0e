-- As the fourth schema left it: what MQTT 5 adds.
PRAGMA journal_mode = WAL;
CREATE TABLE session (
    username TEXT PRIMARY KEY, credential BLOB NOT NULL, seen REAL NOT NULL,
    expiry INTEGER NOT NULL DEFAULT 4294967295) WITHOUT ROWID;
CREATE TABLE filter (
    username TEXT, topic_filter TEXT, options INTEGER NOT NULL, identifier INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (username, topic_filter)) WITHOUT ROWID;
CREATE TABLE queued (
    username TEXT, seq INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL DEFAULT x'',
    expires REAL NOT NULL DEFAULT 0, retain INTEGER NOT NULL DEFAULT 0, ids TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (username, seq)) WITHOUT ROWID;
CREATE TABLE retained (
    topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL, properties BLOB NOT NULL DEFAULT x'',
    expires REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE visit (
    username TEXT PRIMARY KEY, online INTEGER NOT NULL, since REAL NOT NULL, seen REAL NOT NULL,
    address TEXT NOT NULL, client_id TEXT NOT NULL, protocol INTEGER NOT NULL, transport TEXT NOT NULL,
    tls INTEGER NOT NULL, shared REAL) WITHOUT ROWID;
CREATE TABLE beat (one INTEGER PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE received (username TEXT, packet_id INTEGER, PRIMARY KEY (username, packet_id)) WITHOUT ROWID;
PRAGMA user_version = 4;
INSERT INTO session VALUES ('alice.phone', x'00112233445566778899aabbccddeeff', 1764000000.5, 3600);
INSERT INTO session VALUES ('bob.clock', x'ff', 0.0, 4294967295);
INSERT INTO filter VALUES ('alice.phone', 'mail/alice/#', 1, 0);
INSERT INTO filter VALUES ('alice.phone', 'mail-bridge/+/status', 28, 268435455);
INSERT INTO queued VALUES ('alice.phone', 7, 'mail/alice/msg/8jf0q2c1k', x'00ff', x'0101', 1764003600.25, 1, '1 268435455');
INSERT INTO queued (username, seq, topic, payload) VALUES ('alice.phone', 9, 'mail/alice/box', x'');
INSERT INTO retained VALUES ('mail/alice/text', x'41', 1, x'0101', 1764003600.25);
INSERT INTO visit VALUES ('alice.phone', 1, 1764000000.5, 1764000000.5, '192.0.2.7', 'app', 5, 'tcp', 1, NULL);
INSERT INTO visit VALUES ('bob.clock', 0, 1763900000.5, 1763900060.5, '2001:db8::7', 'clock', 4, 'websocket', 0, 1763900050.5);
INSERT INTO beat VALUES (1, 1764000300.0);
INSERT INTO received VALUES ('alice.phone', 65535);
