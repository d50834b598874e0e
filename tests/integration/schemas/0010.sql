PRAGMA application_id = 1347375956;
PRAGMA user_version = 10;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE address (
    address TEXT    PRIMARY KEY,                     
    user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE
, folded TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
INSERT INTO "address" VALUES('@example.org',2,'@example.org');
INSERT INTO "address" VALUES('alice@example.org',1,'alice@example.org');
INSERT INTO "address" VALUES('bob@example.org',2,'bob@example.org');
CREATE TABLE body (
    body_id     INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ms INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    raw         BLOB,                                
    file        TEXT                                 
) STRICT;
INSERT INTO "body" VALUES(1,1779827200000,21,X'5375626A6563743A20610D0A0D0A6D61696C20310D0A',NULL);
INSERT INTO "body" VALUES(2,1779913600000,300000,NULL,'00ff.eml');
CREATE TABLE cell (
    cell_id       INTEGER PRIMARY KEY,                 
    name          TEXT    NOT NULL UNIQUE,
    url           TEXT    NOT NULL,                    
    ca_file       TEXT    NOT NULL DEFAULT '',
    password_file TEXT    NOT NULL DEFAULT '',         
    logins_for    TEXT    NOT NULL DEFAULT '',         
    logins_dir    TEXT    NOT NULL DEFAULT '',
    logins_hook   TEXT    NOT NULL DEFAULT '[]',       
    draining      INTEGER NOT NULL DEFAULT 0           
) STRICT;
INSERT INTO "cell" VALUES(0,'main','','','','','','[]',0);
INSERT INTO "cell" VALUES(1,'east','mqtt://192.0.2.2:1883','','','mosquitto','/var/lib/postbell-east','["true"]',0);
CREATE TABLE changed_login (                         
    revision INTEGER PRIMARY KEY,                    
    username TEXT    NOT NULL                        
) STRICT;
INSERT INTO "changed_login" VALUES(8,'alice.phone');
INSERT INTO "changed_login" VALUES(9,'alice.phone');
CREATE TABLE counterpart (                           
    folder_id  INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    uid        INTEGER NOT NULL,
    number     INTEGER,                              
    message_id TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    arrived_ms INTEGER NOT NULL,
    agreed     INTEGER NOT NULL,                     
    doubt      INTEGER NOT NULL DEFAULT 0,           
    wanted     INTEGER NOT NULL DEFAULT 0,           
    PRIMARY KEY (folder_id, uid)
) STRICT, WITHOUT ROWID;
INSERT INTO "counterpart" VALUES(1,10,NULL,'<other@x>',100,1780000000000,1,0,0);
INSERT INTO "counterpart" VALUES(1,11,44310400000,'<3@x>',100,1780000000000,0,0,0);
CREATE TABLE device (
    user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL, heard_ms INTEGER, payload INTEGER,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "device" VALUES(1,'phone',1780000000000,1780000000000,NULL);
INSERT INTO "device" VALUES(2,'tab-let',1780000000000,NULL,192);
CREATE TABLE discarded (                             
    file TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO "discarded" VALUES('gone.eml');
CREATE TABLE folder (                                
    folder_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox_id INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    validity   INTEGER NOT NULL DEFAULT 0,           
    next_uid   INTEGER NOT NULL DEFAULT 0,           
    modseq     INTEGER NOT NULL DEFAULT 0,           
    UNIQUE (mailbox_id, name)
) STRICT;
INSERT INTO "folder" VALUES(1,1,'INBOX',1700000000,12,77);
INSERT INTO "folder" VALUES(2,2,'INBOX',0,0,0);
CREATE TABLE leaving (                               
    cell   INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    let_go INTEGER NOT NULL DEFAULT 0,               
    PRIMARY KEY (cell, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "leaving" VALUES(1,'alice',0);
CREATE TABLE live_terms (                            
    terms_id INTEGER PRIMARY KEY CHECK (terms_id = 1),
    count    INTEGER NOT NULL,
    days     REAL    NOT NULL,
    horizon  INTEGER NOT NULL                        
) STRICT;
INSERT INTO "live_terms" VALUES(1,100,7.0,1);
CREATE TABLE login (                                 
    username TEXT NOT NULL,
    label    TEXT NOT NULL,                          
    role     TEXT NOT NULL CHECK (role IN ('device', 'bridge', 'admin')),
    salt     BLOB,                                   
    hash     BLOB NOT NULL, former BLOB NOT NULL DEFAULT x'', pbkdf2 TEXT, bcrypt TEXT, cell INTEGER NOT NULL DEFAULT 0,                          
    PRIMARY KEY (username, label)
) STRICT, WITHOUT ROWID;
INSERT INTO "login" VALUES('alice.phone','chosen','device',NULL,X'246172676F6E32696424763D3139246D3D36353533362C743D332C703D3424414141412442424242',X'',NULL,NULL,0);
INSERT INTO "login" VALUES('alice.phone','device','device',X'000102030405060708090A0B0C0D0E0F',X'2820E7B1DE4D58B51EC43B138B4490CFA0B01BFEB0C1D498771EB1F8DC2D0B34',X'0000000000000000000000000000000000000000000000000000000000000000','$7$101$AAECAwQFBgcICQoL$nPN4','$2a$04$abcdefghijklmnopqrstuu',0);
INSERT INTO "login" VALUES('boss','admin','admin',X'000102030405060708090A0B0C0D0E0F',X'2820E7B1DE4D58B51EC43B138B4490CFA0B01BFEB0C1D498771EB1F8DC2D0B34',X'',NULL,NULL,0);
INSERT INTO "login" VALUES('bridge','main','bridge',X'000102030405060708090A0B0C0D0E0F',X'2820E7B1DE4D58B51EC43B138B4490CFA0B01BFEB0C1D498771EB1F8DC2D0B34',X'',NULL,NULL,0);
CREATE TABLE mailbox (
    mailbox_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    host        TEXT    NOT NULL,
    port        INTEGER NOT NULL,
    tls         INTEGER NOT NULL,                    
    login       TEXT    NOT NULL,
    secret_kind TEXT    NOT NULL CHECK (secret_kind IN ('password-file', 'password-command', 'xoauth2-command')),
    secret      TEXT    NOT NULL,                    
    source_ms   INTEGER,                             
    events      INTEGER NOT NULL DEFAULT 0,          
    created_ms  INTEGER NOT NULL,
    UNIQUE (user_id, host, port, login)
) STRICT;
INSERT INTO "mailbox" VALUES(1,1,'imap.example.org',993,1,'alice','password-file','/etc/postbell/alice.imap',NULL,0,1780000000000);
INSERT INTO "mailbox" VALUES(2,2,'127.0.0.1',143,0,'bob*master','xoauth2-command','/usr/local/bin/token bob',1780000000000,1,1780000000000);
CREATE TABLE message (
    user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    header     BLOB    NOT NULL,                     
    message_id TEXT    NOT NULL,                     
    digest     BLOB    NOT NULL,                     
    size       INTEGER NOT NULL,
    body_id    INTEGER REFERENCES body ON DELETE SET NULL,
    seen       INTEGER NOT NULL DEFAULT 0,
    live       INTEGER NOT NULL DEFAULT 0,           
    held       INTEGER NOT NULL DEFAULT 0, silent INTEGER NOT NULL DEFAULT 0, sender TEXT, recipient TEXT, peer TEXT, protocol TEXT, alert TEXT, reason TEXT, told_ms INTEGER, seen_ms INTEGER, seen_by TEXT, waits INTEGER NOT NULL DEFAULT 0,           
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "message" VALUES(1,44051200000,X'970100A3426F62AF626F62406578616D706C652E6E6574A66D61696C2030A87468652074657874CD03E8','<0@x>',X'2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',1000,NULL,1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "message" VALUES(1,44137600000,X'970100A3426F62AF626F62406578616D706C652E6E6574A66D61696C2031A87468652074657874CD03E9','<1@x>',X'2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',1001,1,0,1,1,1,'bob@example.net','alice@example.org','192.0.2.7','ESMTP','ring','',1779913600100,1779913700000,'phone',0);
INSERT INTO "message" VALUES(1,44224000000,X'970100A3426F62AF626F62406578616D706C652E6E6574A66D61696C2032A87468652074657874CD03EA','<2@x>',X'2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',1002,2,1,0,1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "message" VALUES(1,44310400000,X'970100A3426F62AF626F62406578616D706C652E6E6574A66D61696C2033A87468652074657874CD03EB','',X'2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',1003,NULL,0,1,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "message" VALUES(2,44310400000,X'970100A3426F62AF626F62406578616D706C652E6E6574A66D61696C2033A87468652074657874CD03EB','<3@x>',X'2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',1003,2,0,1,1,0,'','whoever@example.org','','LMTP','muted','mute bob@example.net',NULL,NULL,NULL,0);
CREATE TABLE notification (                          
    user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    device     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    result     TEXT,                                 
    at_ms      INTEGER,                              
    PRIMARY KEY (user_id, number, device)
) STRICT, WITHOUT ROWID;
INSERT INTO "notification" VALUES(1,44137600000,'phone',1779827200000,1,'sent',1779827200500);
INSERT INTO "notification" VALUES(1,44310400000,'phone',1780000000000,0,NULL,NULL);
CREATE TABLE outbox (                                
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    path       TEXT    NOT NULL UNIQUE,              
    kind       TEXT    NOT NULL,                     
    user_id    INTEGER NOT NULL,
    number     INTEGER NOT NULL,                     
    generation INTEGER NOT NULL DEFAULT 1            
) STRICT;
INSERT INTO "outbox" VALUES(1,'alice/msg/0195z9c00','msg',1,44224000000,2);
INSERT INTO "outbox" VALUES(2,'alice/msg/0198hp300','msg',1,44310400000,1);
INSERT INTO "outbox" VALUES(3,'alice/event/0198hp300','event',1,44310400000,1);
INSERT INTO "outbox" VALUES(4,'nobody/box','stray',0,0,1);
INSERT INTO "outbox" VALUES(5,'alice/box','box',1,0,3);
INSERT INTO "outbox" VALUES(6,'alice/last','last',1,0,3);
INSERT INTO "outbox" VALUES(7,'alice/text','text',1,0,3);
INSERT INTO "outbox" VALUES(8,'alice/unread','unread',1,0,3);
CREATE TABLE push (                                  
    user_id      INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    device       TEXT    NOT NULL,
    endpoint     TEXT    NOT NULL,                   
    host         TEXT    NOT NULL,                   
    p256dh       BLOB    NOT NULL,                   
    auth         BLOB    NOT NULL,                   
    since_ms     INTEGER NOT NULL,                   
    ok_ms        INTEGER,                            
    failing_ms   INTEGER,                            
    trouble      TEXT    NOT NULL DEFAULT '',        
    failures     INTEGER NOT NULL DEFAULT 0,         
    retry_ms     INTEGER NOT NULL DEFAULT 0,         
    skew_s       INTEGER,                            
    forgotten_ms INTEGER,                            
    PRIMARY KEY (user_id, device)
) STRICT, WITHOUT ROWID;
INSERT INTO "push" VALUES(1,'phone','https://push.example.net/s/abc','push.example.net',X'046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5',X'000102030405060708090A0B0C0D0E0F',1779913600000,1780000000000,NULL,'',0,0,1,NULL);
INSERT INTO "push" VALUES(2,'tab-let','','push.example.net',X'',X'',1779913600000,NULL,NULL,'410',1,0,NULL,1780000000000);
CREATE TABLE push_key (                              
    key_id     INTEGER PRIMARY KEY CHECK (key_id = 1),
    private    BLOB    NOT NULL,                     
    created_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "push_key" VALUES(1,X'0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20',1779913600000);
CREATE TABLE revision (                              
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "revision" VALUES('logins',9);
INSERT INTO "revision" VALUES('people',11);
CREATE TABLE ring (                                  
    user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,                        
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "ring" VALUES(1,44310400000,1780000000000);
CREATE TABLE rules (
    user_id  INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,
    document TEXT    NOT NULL                        
) STRICT;
INSERT INTO "rules" VALUES(1,'{"mute":["boss@example.org"]}');
CREATE TABLE sender (                                
    name       TEXT    PRIMARY KEY,
    salt       BLOB    NOT NULL,
    hash       BLOB    NOT NULL,                     
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "sender" VALUES('relay',X'000102030405060708090A0B0C0D0E0F',X'2820E7B1DE4D58B51EC43B138B4490CFA0B01BFEB0C1D498771EB1F8DC2D0B34',1780000000000);
CREATE TABLE stored (
    stored_id INTEGER PRIMARY KEY CHECK (stored_id = 1),
    bytes     INTEGER NOT NULL
) STRICT;
INSERT INTO "stored" VALUES(1,300021);
CREATE TABLE storm (                                 
    user_id      INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    first        INTEGER NOT NULL,                   
    last         INTEGER NOT NULL,
    since_ms     INTEGER NOT NULL,
    until_ms     INTEGER NOT NULL,
    more         INTEGER NOT NULL DEFAULT 1,         
    from_name    TEXT,                               
    from_address TEXT,
    open         INTEGER NOT NULL DEFAULT 1,         
    PRIMARY KEY (user_id, first)
) STRICT, WITHOUT ROWID;
INSERT INTO "storm" VALUES(1,44137600000,44224000000,1779999880000,1779999940000,3,'Bob',NULL,1);
INSERT INTO "storm" VALUES(2,44310400000,44310400000,1779999760000,1779999820000,2,NULL,NULL,0);
CREATE TABLE user (
    user_id     INTEGER PRIMARY KEY AUTOINCREMENT,   
    name        TEXT    NOT NULL UNIQUE,
    views       TEXT    NOT NULL,                    
    last_number INTEGER NOT NULL DEFAULT 0,          
    created_ms  INTEGER NOT NULL
, text_held BLOB, live INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0, stored INTEGER NOT NULL DEFAULT 0, cell INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "user" VALUES(1,'alice','last,text,unread,event',44310400000,1779222400000,NULL,2,4,2003,0);
INSERT INTO "user" VALUES(2,'bob','',44310400000,1779308800000,X'426F623A206D61696C203320E28093207468652074657874',1,1,1003,0);
CREATE INDEX message_unseen ON message (user_id, number) WHERE seen = 0;
CREATE INDEX message_live ON message (user_id, number) WHERE live = 1;
CREATE INDEX message_copy ON message (user_id, message_id, digest) WHERE message_id <> '';
CREATE INDEX message_body ON message (body_id) WHERE body_id IS NOT NULL;
CREATE INDEX outbox_messages ON outbox (seq) WHERE kind IN ('msg', 'event', 'stray');
CREATE INDEX outbox_views ON outbox (seq) WHERE kind NOT IN ('msg', 'event', 'stray');
CREATE TRIGGER user_added AFTER INSERT ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER user_changed AFTER UPDATE OF name, views ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER user_removed AFTER DELETE ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER address_added AFTER INSERT ON address BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER address_removed AFTER DELETE ON address BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER body_removed AFTER DELETE ON body WHEN old.file IS NOT NULL
BEGIN INSERT OR IGNORE INTO discarded VALUES (old.file); END;
CREATE INDEX storm_open ON storm (user_id) WHERE open = 1;
CREATE INDEX notification_waiting ON notification (user_id, device, tries, number) WHERE result IS NULL;
CREATE TRIGGER device_removed AFTER DELETE ON device BEGIN
    DELETE FROM push WHERE user_id = old.user_id AND device = old.name;
    DELETE FROM notification WHERE user_id = old.user_id AND device = old.name;
END;
CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
    DELETE FROM notification WHERE user_id = old.user_id AND number = old.number;
END;
CREATE INDEX message_waits ON message (body_id) WHERE waits <> 0;
CREATE INDEX counterpart_number ON counterpart (number) WHERE number IS NOT NULL;
CREATE TRIGGER mailbox_added AFTER INSERT ON mailbox BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER mailbox_changed AFTER UPDATE ON mailbox BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER mailbox_removed AFTER DELETE ON mailbox BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER folder_added AFTER INSERT ON folder BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER folder_removed AFTER DELETE ON folder BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
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
CREATE INDEX address_folded ON address (folded);
CREATE INDEX address_user ON address (user_id);
CREATE INDEX address_domain ON address (substr(address, length(rtrim(address, replace(address, '@', ''))) + 1));
CREATE TRIGGER body_uncounted AFTER DELETE ON body BEGIN UPDATE stored SET bytes = bytes - old.size; END;
CREATE TRIGGER message_let_go AFTER UPDATE OF body_id ON message WHEN old.body_id IS NOT NULL AND new.body_id IS NULL
BEGIN UPDATE user SET stored = stored - old.size WHERE user_id = old.user_id; END;
CREATE TRIGGER message_unstored AFTER DELETE ON message WHEN old.body_id IS NOT NULL
BEGIN UPDATE user SET stored = stored - old.size WHERE user_id = old.user_id; END;
CREATE INDEX message_done ON message (number) WHERE live = 0 AND held = 0 AND body_id IS NULL;
CREATE INDEX body_age ON body (received_ms);
CREATE INDEX body_file ON body (file) WHERE file IS NOT NULL;
CREATE INDEX user_cell ON user (cell, name);
CREATE TRIGGER user_moved AFTER UPDATE OF cell ON user BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER cell_added AFTER INSERT ON cell BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER cell_changed AFTER UPDATE ON cell BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
CREATE TRIGGER cell_removed AFTER DELETE ON cell BEGIN UPDATE revision SET value = value + 1 WHERE name = 'people'; END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('user',2);
INSERT INTO "sqlite_sequence" VALUES('body',3);
INSERT INTO "sqlite_sequence" VALUES('outbox',8);
INSERT INTO "sqlite_sequence" VALUES('mailbox',2);
INSERT INTO "sqlite_sequence" VALUES('folder',2);
COMMIT;
