-- The embedded broker reads logins again when their revision grows, so a change in place must count as well.

CREATE TRIGGER login_changed AFTER UPDATE ON login BEGIN UPDATE revision SET value = value + 1 WHERE name = 'logins'; END;
