"""Where 250 is decided: a recipient gets it exactly when the store has kept the message for their user."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.contract import ids
from bridge.directory import User
from bridge.errors import (
    OverQuotaError,
    PostbellError,
    StoreCorruptError,
    StoreFullError,
    StoreUnavailableError,
    UnknownUserError,
)
from bridge.intake import INLINE_BYTES, Beliefs, Intake
from bridge.kept import Kept
from bridge.model import Body, Envelope, Flag, Recipient
from bridge.rules.alert import Alert
from tests.support import UNUSED
from tests.support.book import Book

RAW = b"From: Ada <ada@example.org>\r\nSubject: Plan\r\n\r\nhello\r\n"
USERS = range(1, 6)


class Keeper:
    """Stands for the store: keeps for `users`, of whom `copies` had the message; or fails with `error`."""

    def __init__(self, users=USERS, *, copies=(), error=None, alert=Alert.RING):
        self.users, self.copies, self.error, self.alert = users, copies, error, alert
        self.asked = []

    async def keep(self, envelope, header, *, message_id, list_id):
        self.asked.append((envelope, header, message_id, list_id))
        if self.error is not None:
            raise self.error
        wanted = dict.fromkeys(to.user_id for to in envelope.recipients)
        return tuple(
            Kept(user, f"user{user}", 1000 + user, copy_of_known=user in self.copies, alert=self.alert)
            for user in wanted
            if user in self.users
        )


def to(user_id):
    return Recipient(f"user{user_id}@example.org", user_id, f"user{user_id}")


def accepted(keeper, recipients, *, full=(), body=None, unlinked=None, received_limit=50):
    """The replies to one message, and the names of the spool files that were removed."""
    removed = []

    async def discard(name):
        removed.append(name)
        if unlinked is not None:
            raise unlinked

    async def run():
        intake = Intake(
            store=keeper,
            directory=Book(),
            discard=discard,
            full=lambda: full,
            beliefs=Beliefs(received_limit=received_limit),
        )
        content = Body(RAW, len(RAW), b"digest") if body is None else body
        return await intake.accept(Envelope("ada@example.org", tuple(map(to, recipients)), content))

    return asyncio.run(run()), removed


some_users = st.sets(st.sampled_from(USERS))


@given(st.lists(st.sampled_from(USERS), min_size=1, max_size=8), some_users, some_users, some_users)
def test_a_recipient_gets_250_exactly_when_the_store_kept_it_for_their_user(recipients, there, full, copies):
    keeper = Keeper(there, copies=copies)
    replies, _ = accepted(keeper, recipients, full=full)
    assert len(replies) == len(recipients)
    for user, reply in zip(recipients, replies, strict=True):
        if user in full:
            assert reply == OverQuotaError.reply
        elif user not in there:
            assert reply == UnknownUserError.reply
        else:
            said = "kept before, a copy does not ring again" if user in copies else "kept"
            assert str(reply) == f"250 2.0.0 {ids.encode(1000 + user)} {said}"
    assert bool(keeper.asked) == bool(set(recipients) - full)
    assert all(each.user_id not in full for envelope, *_ in keeper.asked for each in envelope.recipients)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreUnavailableError("locked"), "451 4.3.0"),
        (StoreFullError("no space"), "452 4.3.1"),
        (StoreCorruptError("damaged"), "451 4.3.0"),
    ],
)
def test_what_the_store_could_not_keep_is_answered_so_for_all(error: PostbellError, code):
    with capture_logs() as logs:
        replies, removed = accepted(Keeper(error=error), [1, 2, 1], body=Body(RAW, 10**6, b"d", "big.eml"))
    assert [str(reply).startswith(code) for reply in replies] == [True] * 3
    assert not removed, "the ingress removes what was not accepted"
    assert {line["event"] for line in logs} <= {"message_refused", "store_damaged"}
    assert "message_kept" not in {line["event"] for line in logs}


def test_a_mail_loop_is_refused_before_the_store_is_asked():
    raw, keeper = b"Received: by here\r\n" * 6 + RAW, Keeper()
    body = Body(raw, len(raw), b"d")
    replies, _ = accepted(keeper, [1], body=body, received_limit=5)
    assert str(replies[0]).startswith("554 5.4.6 ")
    assert not keeper.asked
    assert str(accepted(keeper, [1], body=body, received_limit=6)[0][0]).startswith("250 ")


@pytest.mark.parametrize(("copies", "gone"), [((), []), ((1,), []), ((1, 2), ["big.eml"])])
@pytest.mark.parametrize("error", [None, StoreUnavailableError("read-only")])
def test_the_file_of_a_message_that_all_had_is_removed_if_it_can_be(copies, gone, error):
    body = Body(RAW, 10**6, b"d", "big.eml")
    replies, removed = accepted(Keeper(copies=copies), [1, 2], body=body, unlinked=error)
    assert all(reply.accepted for reply in replies)
    assert removed == gone


@pytest.mark.parametrize("padding", [0, INLINE_BYTES])
def test_the_store_gets_what_the_header_says(padding):
    raw = b"Message-ID: <a@b>\r\nList-Id: <news.example.org>\r\n" + RAW + b"x" * padding
    keeper = Keeper()
    accepted(keeper, [1], body=Body(raw, len(raw), b"d"))
    [(_, header, message_id, list_id)] = keeper.asked
    assert (header.from_name, header.from_address, header.subject) == ("Ada", "ada@example.org", "Plan")
    assert (header.size, header.detail, message_id, list_id) == (len(raw), "", "<a@b>", "news.example.org")


@pytest.mark.parametrize(
    ("alert", "copies", "said"), [(Alert.QUIET, (), "quiet"), (Alert.QUIET, (1,), None), (Alert.UNRULED, (), "unruled")]
)
def test_the_log_says_what_was_decided(alert, copies, said):
    with capture_logs() as logs:
        accepted(Keeper(alert=alert, copies=copies), [1])
    [kept] = [line for line in logs if line["event"] == "message_kept"]
    assert (kept["alert"], kept["known"], kept["user"]) == (said, bool(copies), "user1")
    assert ("rules_unreadable" in {line["event"] for line in logs}) == (alert is Alert.UNRULED)


def test_a_commit_that_is_under_way_is_not_broken_off_by_a_sender_who_leaves():
    async def run():
        going_on, done = asyncio.Event(), asyncio.Event()

        class Slow:
            def keep(self, *_, **__):
                async def commit():
                    await going_on.wait()
                    done.set()

                self.under_way = asyncio.create_task(commit())
                return asyncio.get_running_loop().create_future()

        intake = Intake(store=Slow(), directory=Book(), discard=UNUSED)
        accepting = asyncio.create_task(intake.accept(Envelope("", (to(1),), Body(RAW, len(RAW), b"d"))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        accepting.cancel()
        going_on.set()
        with pytest.raises(asyncio.CancelledError):
            await accepting
        async with asyncio.timeout(10):
            await done.wait()

    asyncio.run(run())


def test_a_user_who_has_as_many_messages_as_one_may_have_gets_no_more():
    book = Book([User(1, "alice")], [("alice@example.org", 1)])
    intake = Intake(store=Keeper(), directory=book, discard=UNUSED, full=lambda: {1})
    with pytest.raises(OverQuotaError):
        asyncio.run(intake.resolve("alice@example.org"))


def test_nor_does_one_who_is_known_already():
    class Knowing(Book):
        def known(self, address):
            return Recipient(address, 1, "alice")

    full: set[int] = set()
    intake = Intake(store=Keeper(), directory=Knowing(), discard=UNUSED, full=lambda: full)
    assert intake.known("alice@example.org") == Recipient("alice@example.org", 1, "alice")
    full.add(1)
    with pytest.raises(OverQuotaError):
        intake.known("alice@example.org")


def test_whose_an_address_is_cannot_be_said_where_the_store_is_damaged():
    class Damaged(Book):
        async def resolve(self, address):
            raise StoreCorruptError(address)

    intake = Intake(store=Keeper(), directory=Damaged(), discard=UNUSED)
    with pytest.raises(StoreUnavailableError):
        asyncio.run(intake.resolve("alice@example.org"))


@pytest.mark.parametrize(
    ("fields", "sender", "name", "address"),
    [
        (b"Subject: x", "Cam@Example.net", "", "cam@example.net"),
        (b"From:", "cam@example.net", "", "cam@example.net"),
        (b"Subject: x", "", "", ""),
        (b"Subject: x", "c\u200bam\u202e@example.net", "", "cam@example.net"),
        (b"From: Ada <ada@example.org>", "cam@example.net", "Ada", "ada@example.org"),
        (b"From: Ada Love <>", "cam@example.net", "Ada Love", ""),
    ],
)
def test_of_a_mail_that_names_no_sender_the_envelope_knows_one(fields, sender, name, address):
    raw = b"Authentication-Results: mx.example; dmarc=pass header.from=example.net\r\n" + fields + b"\r\n\r\nhi\r\n"
    keeper = Keeper()
    beliefs = Beliefs(frozenset({"mx.example"}))
    intake = Intake(store=keeper, directory=Book(), discard=UNUSED, beliefs=beliefs)
    asyncio.run(intake.accept(Envelope(sender, (to(1),), Body(raw, len(raw), b"d"))))
    ((_, header, _, _),) = keeper.asked
    assert (header.from_name, header.from_address) == (name, address)
    assert not header.flags & Flag.AUTHENTICATED or b"ada@" in fields
