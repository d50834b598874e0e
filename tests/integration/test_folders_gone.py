"""What is said of a folder that is followed no more, or of mails that never were messages, does no harm."""

from __future__ import annotations

import asyncio

import pytest

from bridge.mailbox.account import MailAccount, Secret, SecretKind
from bridge.mailbox.agreeing import By
from bridge.mailbox.matching import Sighting
from bridge.store import counterparts, folders, mailboxes, meeting
from tests.support.stored import NOON_MS, add_user, header, mail, storing, to

ACCOUNT = MailAccount(
    mailbox_id=0,
    user_id=0,
    user="alice",
    host="imap.example.org",
    port=993,
    tls=True,
    login="alice",
    secret=Secret(SecretKind.PASSWORD_FILE, "password"),
)


def sighting(uid, message_id, *, seen=False):
    return Sighting(uid=uid, seen=seen, message_id=message_id, size=5, arrived_ms=NOON_MS)


@pytest.fixture
def with_folders(tmp_path):
    """Runs a story with a store, alice, her mailbox and its folders, which are opened."""

    def run(story, *names):
        async def told():
            alice = add_user(tmp_path / "postbell.db", "alice")
            async with storing(tmp_path / "postbell.db") as store:
                mailbox_id = await store.write(mailboxes.add, ACCOUNT, names)
                ids = [watched.folder_id for watched in await store.read(mailboxes.watched)]
                for folder_id in ids:
                    await store.write(folders.open_folder, folder_id, validity=7, horizon_ms=0)
                await story(store, alice, mailbox_id, *ids)

        asyncio.run(told())

    return run


async def seen_by(store, alice, number):
    def read(connection):
        return connection.execute(
            "SELECT seen, seen_by FROM message WHERE user_id = ? AND number = ?", (alice, number)
        ).fetchone()

    return await store.read(read)


async def unseen(store, alice):
    return list(await store.unseen(alice, below=2**45, limit=100))


def test_of_a_folder_that_is_followed_no_more_nothing_is_known_and_nothing_follows(with_folders):
    async def story(store, alice, mailbox_id, inbox):
        [kept] = await store.keep(mail(to(alice, "alice")), header(), message_id="<a@x>")
        await store.write(meeting.discover, inbox, [sighting(1, "<a@x>")], next_uid=2)
        assert await store.read(folders.known, inbox) == (1,)
        await store.write(mailboxes.remove, mailbox_id)

        opened = await store.write(folders.open_folder, inbox, validity=7, horizon_ms=0)
        assert (opened.uids, opened.next_uid, opened.modseq) == ((), 0, 0)
        await store.write(meeting.discover, inbox, [sighting(1, "<a@x>", seen=True)], next_uid=2)
        await store.write(counterparts.observe, inbox, {1: True}, {2})
        await store.write(meeting.meet_all, inbox)
        assert not await store.read(meeting.unmet, inbox)
        assert await store.read(folders.known, inbox) == ()
        assert await unseen(store, alice) == [kept.number]

    with_folders(story, "INBOX")


def test_a_mail_that_goes_takes_its_message_along_unless_it_is_elsewhere_or_was_none(with_folders):
    async def story(store, alice, _mailbox_id, inbox, work):
        [both] = await store.keep(mail(to(alice, "alice")), header(), message_id="<both@x>")
        [one] = await store.keep(mail(to(alice, "alice"), text="other"), header(), message_id="<one@x>")
        mails = [sighting(1, "<both@x>"), sighting(2, "<one@x>"), sighting(3, "<none@x>")]
        await store.write(meeting.discover, inbox, mails, next_uid=4)
        await store.write(meeting.discover, work, [sighting(1, "<both@x>")], next_uid=2)

        await store.write(counterparts.observe, inbox, {}, {1, 3})
        assert await store.read(folders.known, inbox) == (2,)
        assert sorted(await unseen(store, alice)) == sorted([both.number, one.number])
        await store.write(counterparts.observe, inbox, {}, {2})
        assert await unseen(store, alice) == [both.number]
        assert await seen_by(store, alice, one.number) == (1, By.GONE)
        await store.write(counterparts.observe, work, {}, {1})
        assert await unseen(store, alice) == []

    with_folders(story, "INBOX", "Work")
