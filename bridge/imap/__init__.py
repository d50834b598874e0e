"""IMAP (RFC 3501, RFC 9051) as a client speaks it who follows a folder: bounded in bytes and time, whoever answers."""
