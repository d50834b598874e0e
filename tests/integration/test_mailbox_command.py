"""`postbell mailbox`: what is said of mailboxes, and what is refused."""

from __future__ import annotations

import json

import pytest

ADD = ("mailbox", "add", "alice", "imaps://imap.example.org", "--login", "alice@example.org")


@pytest.fixture
def alice(typed):
    assert typed("user", "add", "alice", "--address", "alice@example.org")[0] == 0
    return typed


def test_mailboxes_are_added_listed_changed_and_removed(alice):
    assert "no mailboxes yet" in alice("mailbox", "list")[1]
    code, out, _ = alice(*ADD, "--password-file", "secret")
    assert (code, out) == (
        0,
        "mailbox 1 of alice is followed; see whether it can be with: postbell mailbox test 1\n",
    )
    [listed] = json.loads(alice("mailbox", "list", "--json")[1])
    assert (listed["mailbox"], listed["folder"], listed["state"], listed["connected"]) == (
        1,
        "INBOX",
        "not running",
        False,
    )
    assert (listed["url"], listed["secret"], listed["source"]) == (
        "imaps://imap.example.org:993",
        "password-file",
        None,
    )
    folders = ("--folder", "INBOX", "--folder", "Work")
    assert alice(*ADD, "--xoauth2-command", "token alice", "--source", "--since", "2026-11-01", *folders)[0] == 0
    both = json.loads(alice("mailbox", "list", "alice", "--json")[1])
    assert [each["folder"] for each in both] == ["INBOX", "Work"]
    assert {each["mailbox"] for each in both} == {1}
    assert both[0]["source"] == "2026-11-01T00:00:00Z"
    assert alice(*ADD, "--password-command", "pass alice", "--events", "--source", "--folder", "Work")[0] == 0
    assert len(alice("mailbox", "list")[1].splitlines()) == 1
    assert alice("mailbox", "remove", "1")[0] == 0
    assert json.loads(alice("mailbox", "list", "--json")[1]) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name one of"),
        (("--password-file", "a", "--password-command", "b"), "name one of"),
        (("--password-command", " "), "name one of"),
        (("--password-file", "a", "--since", "2026-11-01"), "goes with --source"),
        (("--password-file", "a", "--source", "--since", "yesterday"), "is no day"),
    ],
)
def test_what_cannot_be_is_refused(alice, arguments, said):
    code, _, err = alice(*ADD, *arguments)
    assert (code, said in err) == (2, True), err


def test_nobodys_mailbox_and_too_many_folders_are_refused(alice):
    bob = [word.replace("alice", "bob") if word == "alice" else word for word in ADD]
    assert "there is no user 'bob'" in alice(*bob, "--password-file", "a")[2]
    many = [word for number in range(11) for word in ("--folder", f"f{number}")]
    assert "1 to 10 folders" in alice(*ADD, "--password-file", "a", *many)[2]
    assert "there is no mailbox 7" in alice("mailbox", "remove", "7")[2]
    assert "there is no mailbox 7" in alice("mailbox", "test", "7")[2]
    assert "there is no user 'bob'" in alice("mailbox", "list", "bob")[2]


def test_dovecot_is_told_to_say_what_changed_and_nobody_else(alice):
    code, out, _ = alice("setup", "dovecot", "--events")
    assert code == 0
    assert "push_notification_driver = lua:file=/etc/dovecot/postbell-events.lua" in out
    assert alice("setup", "postfix", "--events")[0] == 2
