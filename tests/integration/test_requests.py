"""Requests from devices, answered from a real store: idempotent, in chunks, resumable, and to nobody else."""

from __future__ import annotations

import asyncio

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.contract import ids
from bridge.contract.requests import Status
from bridge.errors import LinkDownError, StoreUnavailableError
from bridge.requests.allowance import BURST_S
from bridge.requests.replies import CHUNKS_PER_REQUEST
from bridge.requests.requests import Requests
from tests.support.rung import RingsNobody
from tests.support.stored import Clock, add_user, header, mail, storing, to

CHUNK = 1000
RAW = (
    "Subject: drawing\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + "Grüße aus Köln. " * 300 + "\r\n"
    "--b\r\nContent-Type: image/png; name=plan.png\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
)


class Phones:
    """What answers requests, and what it replied to whom."""

    def __init__(self, store, requests, clock, alice, bob):
        self.store, self.requests, self.clock, self.alice, self.bob = store, requests, clock, alice, bob
        self.replies = []

    async def say(self, payload, *, device="alice/phone", **mqtt5):
        """Replies to one request as (topic, array)."""
        self.replies.clear()
        user, name = device.split("/")
        await self.requests.handle(f"mail/{user}/do/{name}", payload, **mqtt5)
        return [(path.topic, msgpack.unpackb(reply)) for path, reply in self.replies]

    async def ask(self, *request, device="alice/phone"):
        """The replies' arrays to one request."""
        replies = await self.say(msgpack.packb([1, 7, *request]), device=device)
        assert {topic for topic, _ in replies} == {f"mail/{device.replace('/', '/re/')}"}
        assert {reply[1] for _, reply in replies} == {7}
        return [reply for _, reply in replies]

    async def fetch(self, *request, device="alice/phone"):
        """A whole answer, asked for until it is complete."""
        answer, total = b"", None
        while total is None or len(answer) < total:
            for reply in await self.ask(*request, len(answer), device=device):
                status, offset, total, chunk = reply[2:]
                assert (status, offset) == (0, len(answer)), chunk
                answer += chunk
            self.clock.pass_(1)
        return answer

    async def keep(self, raw=RAW, users=("alice",)):
        recipients = [to(getattr(self, user), user) for user in users]
        [kept, *_] = await self.store.keep(mail(*recipients, text=raw), header(), message_id="")
        return kept.mail_id


def calling(path, story, *, rate=1000.0):
    """Run a story with what answers requests in front of a real store."""
    alice, bob, clock = add_user(path, "alice"), add_user(path, "bob"), Clock()

    async def run():
        async with storing(path, clock=clock) as store:

            async def load(stored):
                return stored.raw

            async def reply(where, payload):
                phones.replies.append((where, payload))

            requests = Requests(
                store=store,
                pushing=RingsNobody(),
                named=store.directory.named,
                load=load,
                reply=reply,
                root="mail",
                chunk=CHUNK,
                rate=rate,
                monotonic=clock.monotonic,
            )
            phones = Phones(store, requests, clock, alice, bob)
            await story(phones)

    asyncio.run(run())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "postbell.db"


DONE = [[1, 7, 0, 0, 0, b""]]


def test_seen_and_unseen_may_be_said_twice(path):
    async def story(phones):
        first, second = await phones.keep(), await phones.keep()
        for operation, live in (("seen", 0), ("seen", 0), ("unseen", 2), ("unseen", 2)):
            assert await phones.ask(operation, first, second) == DONE
            assert await phones.store.live_count() == live

    calling(path, story)


def test_ids_that_nobody_knows_are_no_error(path):
    async def story(phones):
        assert await phones.ask("seen", ids.encode(12345)) == DONE

    calling(path, story)


def test_one_users_request_touches_nobody_elses_mail(path):
    async def story(phones):
        mail_id = await phones.keep(users=("alice", "bob"))
        own = await phones.keep(users=("bob",))
        assert await phones.ask("seen", mail_id, own, device="alice/phone") == DONE
        assert await phones.store.live_count() == 2, "bob's two are still there"
        for request in (("text", own, 0), ("raw", own, 0), ("parts", own), ("part", own, 0, 0)):
            [[_, _, status, *_]] = await phones.ask(*request, device="alice/phone")
            assert status == Status.NO_MESSAGE
        assert len(msgpack.unpackb(await phones.fetch("recent", 10, device="bob/phone"))) == 2
        assert len(msgpack.unpackb(await phones.fetch("recent", 10, device="alice/phone"))) == 1

    calling(path, story)


def test_bodies_and_parts_come_whole(path):
    async def story(phones):
        mail_id = await phones.keep()
        assert await phones.fetch("raw", mail_id) == RAW.encode()
        text = (await phones.fetch("text", mail_id)).decode()
        assert text.startswith("Grüße aus Köln.")
        [[_, _, _, _, _, packed]] = await phones.ask("parts", mail_id)
        parts = msgpack.unpackb(packed)
        assert [(part[1], part[2]) for part in parts] == [("text/plain", ""), ("image/png", "plan.png")]
        assert await phones.fetch("part", mail_id, parts[1][0]) == b"hello"

    calling(path, story)


def test_an_answer_comes_in_chunks_and_no_more_than_one_request_is_worth(path):
    async def story(phones):
        mail_id = await phones.keep("x" * 100_000)
        replies = await phones.ask("raw", mail_id, 0)
        assert len(replies) == CHUNKS_PER_REQUEST
        assert {len(reply[5]) for reply in replies} == {CHUNK}
        assert [reply[3] for reply in replies] == list(range(0, CHUNKS_PER_REQUEST * CHUNK, CHUNK))
        assert len(await phones.fetch("raw", mail_id)) == 100_000

    calling(path, story)


def test_the_list_of_parts_comes_whole_however_long_it_is(path):
    many = "".join(
        f"--b\r\nContent-Type: image/png; name={'x' * 200}{number}.png\r\n\r\n.\r\n" for number in range(300)
    )

    async def story(phones):
        mail_id = await phones.keep(f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{many}--b--\r\n")
        replies = await phones.ask("parts", mail_id)
        assert len(replies) > CHUNKS_PER_REQUEST
        assert len(msgpack.unpackb(b"".join(reply[5] for reply in replies))) == 300

    calling(path, story)


@given(st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_piece_can_be_asked_for_again(tmp_path_factory, data):
    offset = data.draw(st.integers(0, len(RAW.encode())))
    limit = data.draw(st.none() | st.integers(1, 40_000))

    async def story(phones):
        mail_id = await phones.keep()
        window = [offset] if limit is None else [offset, limit]
        replies = await phones.ask("raw", mail_id, *window)
        most = CHUNKS_PER_REQUEST * CHUNK if limit is None else min(limit, CHUNKS_PER_REQUEST * CHUNK)
        assert b"".join(reply[5] for reply in replies) == RAW.encode()[offset : offset + most]
        assert {reply[4] for reply in replies} == {len(RAW.encode())}
        assert all(len(reply[5]) <= CHUNK for reply in replies)

    calling(tmp_path_factory.mktemp("piece") / "postbell.db", story)


def test_an_empty_answer_is_one_empty_chunk(path):
    async def story(phones):
        mail_id = await phones.keep("Subject: nothing\r\n\r\n")
        assert await phones.ask("text", mail_id, 0) == DONE
        [[_, _, status, _, _, text]] = await phones.ask("text", mail_id, 1)
        assert (status, text) == (Status.BAD_REQUEST, "the offset is not within the answer")

    calling(path, story)


def test_what_is_gone_or_was_never_there_has_a_status_of_its_own(path):
    async def story(phones):
        mail_id = await phones.keep()
        [[_, _, status, *_]] = await phones.ask("part", mail_id, 99, 0)
        assert status == Status.NO_PART
        other = await phones.keep("another")
        await phones.store._writer.submit(lambda transaction: transaction.connection.execute("DELETE FROM body"))
        [[_, _, status, *_]] = await phones.ask("raw", other, 0)
        assert status == Status.BODY_GONE

    calling(path, story)


def test_recent_gives_the_newest_first_seen_or_not(path):
    async def story(phones):
        kept = [await phones.keep() for _ in range(5)]
        await phones.ask("seen", kept[4])
        answer = msgpack.unpackb(await phones.fetch("recent", 3))
        assert [mail_id for mail_id, _ in answer] == kept[:1:-1]
        assert all(packed[0] == 1 for _, packed in answer)

    calling(path, story)


# --- who may ask what, and how often --------------------------------------------------------------


@pytest.mark.parametrize("topic", ["mail/alice/do", "mail/alice/do/a/b", "mail/alice/re/phone", "post/alice/do/phone"])
def test_what_is_no_request_topic_is_not_answered(path, topic):
    async def story(phones):
        await phones.requests.handle(topic, msgpack.packb([1, 7, "recent", 1]))
        await phones.requests.handle("mail/stranger/do/phone", msgpack.packb([1, 7, "recent", 1]))
        assert not phones.replies

    calling(path, story)


def test_a_device_that_asks_too_much_is_told_and_the_others_are_served(path):
    async def story(phones):
        statuses = [(await phones.ask("recent", 1))[0][2] for _ in range(int(10 * BURST_S) + 5)]
        assert statuses == [0] * int(10 * BURST_S) + [Status.TOO_MANY] * 5
        assert (await phones.ask("recent", 1, device="alice/tablet"))[0][2] == 0
        assert (await phones.ask("recent", 1, device="bob/phone"))[0][2] == 0
        phones.clock.pass_(0.1)
        assert (await phones.ask("recent", 1))[0][2] == 0, "one is earned in a tenth of a second"
        assert (await phones.ask("recent", 1))[0][2] == Status.TOO_MANY

    calling(path, story, rate=10.0)


def test_rubbish_is_paid_for_and_then_ignored(path):
    async def story(phones):
        answered = [len(await phones.say(b"\xc1")) for _ in range(int(10 * BURST_S) + 5)]
        assert answered == [1] * int(10 * BURST_S) + [0] * 5

    calling(path, story, rate=10.0)


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("mail/alice/re/phone", "mail/alice/re/phone"),
        ("mail/alice/re/phone/7", "mail/alice/re/phone/7"),
        ("mail/alice/re/phone2", "mail/alice/re/phone"),
        ("mail/bob/re/phone", "mail/alice/re/phone"),
        ("mail/alice/msg/00t64ks8n", "mail/alice/re/phone"),
        ("mail/alice/re/phone/#", "mail/alice/re/phone"),
        ("", "mail/alice/re/phone"),
    ],
)
def test_replies_go_to_the_devices_own_topic_and_nowhere_else(path, asked, used):
    async def story(phones):
        request = msgpack.packb([1, 7, "recent", 1])
        [(topic, _)] = await phones.say(request, response_topic=asked, correlation=b"42")
        assert topic == used
        assert phones.replies[0][0].correlation == b"42"

    calling(path, story)


def test_a_store_that_is_not_there_is_a_temporary_failure(path):
    async def story(phones):
        async def unavailable(*_, **__):
            raise StoreUnavailableError("disk full")

        phones.store.set_seen = unavailable
        [[_, _, status, *_]] = await phones.ask("seen", ids.encode(1))
        assert status == Status.TEMPORARY

    calling(path, story)


def test_a_broker_that_goes_away_in_the_middle_costs_only_the_reply(path):
    async def story(phones):
        mail_id = await phones.keep()

        async def lost(*_):
            raise LinkDownError("cut")

        replies = phones.requests._replies
        reply, replies._publish = replies._publish, lost
        await phones.say(msgpack.packb([1, 7, "seen", mail_id]))
        replies._publish = reply
        assert await phones.store.live_count() == 0
        assert await phones.ask("seen", mail_id) == DONE

    calling(path, story)
