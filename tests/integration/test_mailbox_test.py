"""`postbell mailbox test`, at a mail server that answers: what it says of folders that are there and that are not."""

from __future__ import annotations

import json

import pytest

from tests.support.imap_server import MailServer, beside
from tests.support.mailbox import letter


@pytest.fixture
def follow(typed, tmp_path):
    """Has alice's mailbox at a server followed; then commands can be typed."""

    def followed(server, *folders):
        (tmp_path / "password").write_text("secret\n")
        url = f"imap://127.0.0.1:{server.port}"
        named = [word for folder in folders for word in ("--folder", folder)]
        assert typed("user", "add", "alice", "--address", "alice@example.org")[0] == 0
        assert typed("mailbox", "add", "alice", url, "--login", "alice", "--password-file", "password", *named)[0] == 0
        return typed

    return followed


@pytest.mark.parametrize(
    ("capabilities", "offered", "said"),
    [
        ("IMAP4rev1 AUTH=PLAIN IDLE QRESYNC", (True, True, True), "it says at once what changes (IDLE)"),
        ("IMAP4rev1 AUTH=PLAIN", (False, False, False), "it has no IDLE: it is asked every now and then"),
    ],
)
def test_what_a_server_can_is_told_to_people_and_to_programs(follow, capabilities, offered, said):
    server = MailServer(capabilities=capabilities)
    for number in range(3):
        server.add(letter(number))
    with beside(server):
        typed = follow(server, "INBOX")
        found = json.loads(typed("mailbox", "test", "1", "--json")[1])
        code, out, _ = typed("mailbox", "test", "1")
    assert (found["mailbox"], found["folders"]) == (1, {"INBOX": 3})
    assert (found["idle"], found["condstore"], found["qresync"]) == offered
    url = f"imap://127.0.0.1:{server.port}"
    assert (code, out.splitlines()) == (0, [f"logged in to {url} as alice", "INBOX: 3 mails", said])
    assert server.commands.count("LOGOUT") == 2
    assert not [command for command in server.commands if command.startswith("UID")], "it only looks"


@pytest.mark.parametrize(("listed", "there"), [(b"* LIST () / Archive\r\n", "Archive, INBOX"), (b"", "INBOX")])
def test_of_a_folder_that_is_not_there_is_said_which_are(follow, listed, there):
    server = MailServer(says=lambda command: listed if command.startswith("LIST") else b"")
    with beside(server):
        code, _, err = follow(server, "INBOX", "Work")("mailbox", "test", "1")
    assert code != 0
    assert f"Work: no such folder; the folders there are {there}" in " ".join(err.split())
    assert server.commands[-1] == "LOGOUT"


def test_a_server_that_is_odd_at_the_end_is_a_server_all_the_same(follow):
    server = MailServer(says=lambda command: b"what?\r\n" if command == "LOGOUT" else b"")
    with beside(server):
        code, out, err = follow(server, "INBOX")("mailbox", "test", "1")
    assert (code, err) == (0, "")
    assert "INBOX: 0 mails" in out
