"""Where a mailbox is, as an operator writes it."""

from __future__ import annotations

import pytest

from bridge.errors import MalformedNameError
from bridge.mailbox import addressing
from bridge.mailbox.account import MailAccount, Secret, SecretKind
from bridge.mailbox.addressing import ImapServer


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("imaps://imap.example.org", ImapServer("imap.example.org", 993, True)),
        ("imaps://imap.example.org:1993/", ImapServer("imap.example.org", 1993, True)),
        ("imaps://[2001:db8::1]", ImapServer("2001:db8::1", 993, True)),
        ("imap://127.0.0.1:1143", ImapServer("127.0.0.1", 1143, False)),
        ("imap://localhost", ImapServer("localhost", 143, False)),
    ],
)
def test_a_server_is_read(url, server):
    assert addressing.read(url) == server
    account = MailAccount(
        mailbox_id=1,
        user_id=1,
        user="alice",
        host=server.host,
        port=server.port,
        tls=server.tls,
        login="alice",
        secret=Secret(SecretKind.PASSWORD_FILE, "/dev/null"),
    )
    assert addressing.read(account.url) == server


@pytest.mark.parametrize(
    "url",
    [
        "imap.example.org",
        "https://imap.example.org",
        "imaps://",
        "imaps://imap.example.org:port",
        "imaps://alice@imap.example.org",
        "imaps://alice:secret@imap.example.org",
        "imaps://imap.example.org/INBOX",
        "imaps://imap.example.org?x",
        "imap://imap.example.org",
        "imap://192.0.2.1",
    ],
)
def test_what_is_none_is_refused(url):
    with pytest.raises(MalformedNameError):
        addressing.read(url)
