"""A mailbox at a real Dovecot, a mail client that others wrote, and a device: what is read on one side is read on the
other, whatever was away meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.imap.selecting import Meanwhile
from bridge.imap.session import ImapSession
from bridge.setup import dovecot_events
from bridge.store.folders import Opened
from tests.bench.dovecot import NO_QRESYNC, PASSWORD, dovecot
from tests.support.mailbox import ALICE, MailClient, Phone, closing_all, follow, letter, wait_followed
from tests.support.system import System
from tests.support.waiting import until

NO_COUNT = "imap_capability = IMAP4rev1 ENABLE IDLE UIDPLUS MOVE"


@pytest.fixture
def server(request):
    with dovecot(more=getattr(request, "param", "")) as running:
        yield running


@pytest.fixture
def system(server, tmp_path):
    with System(tmp_path, POSTBELL_IMAP__CA_FILE=str(server.authority), POSTBELL_IMAP__POLL="1") as system:
        system.add("alice", "other")
        system.serve()
        yield system


@pytest.fixture
def login(system):
    return json.loads(system.run("device", "add", "alice", "phone", "--json").stdout)


def both(system, server, *numbers, **options):
    """Mail comes by SMTP and into the mailbox, as a mail server does it."""
    for number in numbers:
        raw = letter(number, **options)
        system.send(raw, ALICE)
        server.deliver("alice", [b"Return-Path: <bob@example.net>\r\n" + raw])


@pytest.mark.parametrize("server", ["", NO_QRESYNC, NO_COUNT], indirect=True, ids=["qresync", "condstore", "neither"])
def test_what_a_mail_client_does_devices_follow(system, server, login):
    both(system, server, 1, 2, 3, 4, 5)
    follow(system, server)
    client, phone = MailClient(server), Phone(system, login)
    with closing_all(client, phone):
        until(lambda: len(phone.shown) == 5, what="the phone to show all")
        client.mark(1)
        until(lambda: phone.shown == {f"number {n}" for n in (2, 3, 4, 5)}, what="1 to be gone, which was read")
        until(lambda: phone.unread == b"4", what="the count")
        client.mark(1, on=False)
        until(lambda: len(phone.shown) == 5, what="1 to be back, which is unread again")
        client.imap.create("Trash")
        client.move(2, "Trash")
        until(lambda: "number 2" not in phone.shown, what="2 to be gone, which was moved")
        client.mark(3, r"(\Deleted)")
        until(lambda: "number 3" not in phone.shown, what="3 to be gone, which is to be deleted")
        client.imap.expunge()
        client.mark(4, r"(\Deleted)")
        client.imap.expunge()
        until(lambda: phone.shown == {"number 1", "number 5"}, what="4 to be gone, which was expunged")
        until(lambda: phone.unread == b"2", what="the count")
        both(system, server, 6)
        until(lambda: "number 6" in phone.shown, what="new mail")
        client.mark(6)
        until(lambda: phone.shown == {"number 1", "number 5"}, what="new mail that is read")
    stories = [system.run("trace", each).stdout for each in phone.shown_ever]
    gone, there = (
        {n for n in range(1, 7) for story in stories if f": number {n}, " in story and how in story}
        for how in ("seen gone from the mailbox", "seen in the mailbox")
    )
    assert gone - {4} == {2}, stories
    assert there - {4} == {3, 6}, stories
    assert 4 in gone | there, "a look may have come between the flag and its end"


def test_what_a_device_does_the_mailbox_follows(system, server, login):
    both(system, server, 1, 2)
    both(system, server, 3, message_id=False)
    follow(system, server)
    client, phone = MailClient(server), Phone(system, login)
    with closing_all(client, phone):
        until(lambda: len(phone.shown) == 3, what="the phone to show all")
        phone.say(f"seen {phone.shown_ever[0]}")
        until(lambda: client.seen()["number 1"], what="1 to be seen in the mailbox")
        assert client.seen() == {"number 1": True, "number 2": False, "number 3": False}
        phone.say(f"unseen {phone.shown_ever[0]}")
        until(lambda: not client.seen()["number 1"], what="1 to be unseen in the mailbox")
        phone.say("seen all")
        until(lambda: all(client.seen().values()), what="all to be seen, also what has no Message-ID")
        until(lambda: not phone.shown, what="nothing on the phone")


@pytest.mark.parametrize("server", ["", NO_QRESYNC], indirect=True, ids=["qresync", "condstore"])
def test_both_sides_agree_on_what_happened_while_the_bridge_was_away(system, server, login):
    both(system, server, 1, 2, 3, 4)
    follow(system, server)
    client, phone = MailClient(server), Phone(system, login)
    with closing_all(client):
        with closing_all(phone):
            until(lambda: len(phone.shown) == 4, what="the phone to show all")
        system.stop(system.processes[-1])
        client.mark(1)
        client.mark(2, r"(\Deleted)")
        client.imap.expunge()
        system.serve()
        wait_followed(system)
        phone = Phone(system, login)
        with closing_all(phone):
            until(lambda: phone.shown == {"number 3", "number 4"}, what="what happened meanwhile")
            assert client.seen() == {"number 1": True, "number 3": False, "number 4": False}


async def logged_in(server):
    """A session at this server."""
    return await ImapSession.open(
        "localhost",
        server.imaps,
        tls=ssl.create_default_context(cafile=str(server.authority)),
        login="alice",
        secret=PASSWORD,
        token=False,
        deadline_s=60,
    )


@pytest.mark.parametrize("server", ["", NO_QRESYNC], indirect=True, ids=["qresync", "condstore"])
def test_dovecot_tells_what_changed_while_the_folder_is_open(server):
    server.deliver("alice", [letter(number) for number in range(1, 8)])

    async def story():
        session = await logged_in(server)
        try:
            before = await session.select("INBOX", known=Opened(0, (), 0, 0))
            known = (1, 2, 3, 4, 6)
            assert await session.changes(known, since=before.modseq, compare=False) == Meanwhile({}, ())
            client.mark(1)
            client.mark(7)
            client.mark(2, r"(\Deleted)")
            client.mark(5, r"(\Deleted)")
            client.imap.expunge()
            client.mark(4)
            await session.idle(within_s=60, nudged=asyncio.Event())
            await session.noop()
            reached = session.heard.modseq
            assert reached > before.modseq
            changed = Meanwhile({1: True, 4: True}, (2,))
            assert await session.changes(known, since=before.modseq, compare=False) == changed
            client.mark(4, on=False)
            await session.noop()
            found = await session.changes((1, 3, 4, 6), since=reached, compare=True)
            assert found.seen.get(4) is False
            assert found.gone == ()
            assert session.resyncs == session.offers("QRESYNC")
        finally:
            session.close()

    client = MailClient(server)
    with closing_all(client):
        asyncio.run(story())


def test_dovecot_tells_what_happened_meanwhile_without_being_asked_about_each_mail(server):
    server.deliver("alice", [letter(number) for number in range(1, 8)])

    async def opened(known=None):
        session = await logged_in(server)
        try:
            return await session.select("INBOX", known=known)
        finally:
            session.close()

    client = MailClient(server)
    with closing_all(client):
        before = asyncio.run(opened())
        assert before.meanwhile is None
        known = Opened(before.validity, (1, 2, 3, 4, 6), 7, before.modseq)
        client.mark(1)
        client.mark(7)
        client.mark(2, r"(\Deleted)")
        client.mark(5, r"(\Deleted)")
        client.imap.expunge()
        client.mark(3, r"(\Deleted)")
        client.mark(4)
        client.mark(4, on=False)
        after = asyncio.run(opened(known))
    assert after.meanwhile == Meanwhile({1: True, 3: True, 4: False}, (2,))
    assert asyncio.run(opened(replace(known, validity=known.validity + 1))).meanwhile is None


def test_mail_that_is_only_moved_between_followed_folders_stays(system, server, login):
    both(system, server, 1, 2)
    client = MailClient(server)
    client.imap.create("Work")
    follow(system, server, "--folder", "INBOX", "--folder", "Work")
    phone = Phone(system, login)
    with closing_all(client, phone):
        until(lambda: len(phone.shown) == 2, what="the phone to show all")
        client.move(1, "Work")
        client.open("Work")
        until(lambda: client.uid(1), what="1 in the other folder")
        client.mark(1)
        until(lambda: phone.shown == {"number 2"}, what="1 to be gone")
        client.mark(1, on=False)
        until(lambda: len(phone.shown) == 2, what="1 to be back")
        assert client.seen() == {"number 1": False}


def test_mail_that_does_not_come_by_smtp_is_fetched_once(system, server, login):
    server.deliver("alice", [letter(1)])
    for old in (server.here / "mail" / "alice" / "new").iterdir():
        os.utime(old, (1_700_000_000, 1_700_000_000))  # which is the date that Dovecot has of it
    follow(system, server, "--source")
    client, phone = MailClient(server), Phone(system, login)
    with closing_all(client, phone):
        # By IMAP, since of files that come in the second in which it looked Dovecot learns with the next one.
        for raw in (letter(2), letter(3, size=400_000)):
            client.imap.append("INBOX", None, None, raw)
        system.send(letter(4), ALICE)
        client.imap.append("INBOX", None, None, b"Return-Path: <bob@example.net>\r\n" + letter(4))
        until(lambda: phone.shown >= {"number 2", "number 3", "number 4"}, what="what was only in the mailbox")
        assert client.seen() == {f"number {n}": False for n in (1, 2, 3, 4)}
        system.stop(system.processes[-1])
        server.deliver("alice", [letter(5)])
        system.serve()
        wait_followed(system)
    phone = Phone(system, login)
    with closing_all(phone):
        until(lambda: "number 5" in phone.shown, what="what came meanwhile")
        assert sorted(phone.shown) == ["number 2", "number 3", "number 4", "number 5"]
        assert len(phone.shown_ever) == 4, "each once"


def test_a_wrong_password_is_said_and_not_tried_again(system, server):
    server.deliver("alice", [])
    secret = system.directory / "wrong"
    secret.write_text("wrong\n")
    url = f"imaps://localhost:{server.imaps}"
    system.run("mailbox", "add", "alice", url, "--login", "alice", "--password-file", str(secret))

    def state():
        return json.loads(system.run("mailbox", "list", "--json").stdout)[0]

    until(lambda: state()["state"] == "refused", what="the login to be refused")
    assert "refuses the login" in state()["reason"]
    told = system.run("status", "--json", check=False)
    assert (told.returncode, json.loads(told.stdout)["down"]) == (1, ["mailbox 1"])
    tried = system.run("mailbox", "test", "1", check=False)
    assert tried.returncode == 1
    assert "refuses the login" in tried.stderr
    secret.write_text("secret\n")
    until(lambda: state()["state"] == "following", what="the right password to be found")
    assert "alice, INBOX at imaps://localhost" in system.run("status").stdout
    assert "INBOX: 0 mails" in system.run("mailbox", "test", "1").stdout
    system.run("mailbox", "remove", "1")
    assert json.loads(system.run("mailbox", "list", "--json").stdout) == []
    log = (system.directory / "serve.log").read_text()
    assert "wrong" not in log.replace(str(secret), "")
    assert log.count("mailbox_refused") == 1


@pytest.fixture
def telling():
    """A Dovecot that says which mailbox changed, set up as the recipe has it; its mail processes are not root's."""
    here = Path(tempfile.mkdtemp(prefix="postbell-events-"))
    here.chmod(0o755)
    box = here / "box"
    box.mkdir()
    box.chmod(0o1733)
    script, plugins = dovecot_events.recipe("root", box=str(box), directory=str(here)).files
    Path(script.path).write_text(script.text)
    try:
        with dovecot(more=plugins.text) as running:
            yield running, box
    finally:
        shutil.rmtree(here, ignore_errors=True)


def test_dovecot_says_which_mailbox_changed_and_no_connection_is_kept(telling, tmp_path):
    server, box = telling
    options = {"POSTBELL_IMAP__CA_FILE": str(server.authority), "POSTBELL_IMAP__EVENTS_DIR": str(box)}
    with System(tmp_path, **options) as system:
        login = system.add("alice")
        system.serve()
        both(system, server, 1, 2)
        follow(system, server, "--events")
        client, phone = MailClient(server), Phone(system, login)
        with closing_all(client, phone):
            until(lambda: len(phone.shown) == 2, what="the phone to show all")
            client.mark(1)
            until(lambda: phone.shown == {"number 2"}, what="1 to be gone, which was read")
            assert json.loads(system.run("mailbox", "list", "--json").stdout)[0]["state"] in {"called", "connecting"}
            [second] = phone.ids
            phone.say(f"seen {second}")
            until(lambda: client.seen()["number 2"], what="2 to be seen in the mailbox")
            system.stop(system.processes[-1])
            client.mark(2, on=False)
            system.serve()
        phone = Phone(system, login)
        with closing_all(phone):
            until(lambda: phone.shown == {"number 2"}, what="what happened meanwhile")
    assert list(box.iterdir()) == []
