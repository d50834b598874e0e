"""What a request costs before it is answered: look-ups, whoever asks."""

from __future__ import annotations

import asyncio

import msgpack
import pytest

from bridge.contract.requests import Operation, Status
from bridge.directory import User
from bridge.errors import StoreUnavailableError
from bridge.requests.requests import Requests
from tests.support import UNUSED
from tests.support.book import Book
from tests.support.rung import RingsNobody

EVERYBODY = Book([User(number, f"user{number}") for number in range(1, 100)])


def answers(topic, *request, named=EVERYBODY.named):
    """The replies to one request of a bridge that keeps no message."""
    replies = []

    class Empty:
        async def set_seen(self, user_id, numbers, *, seen, by):
            del user_id, numbers, seen, by
            return 0

        async def unseen(self, user_id, *, below, limit):
            del user_id, below, limit
            return []

        async def recent(self, user_id, limit):
            del user_id, limit
            return []

        async def body(self, user_id, number):
            del user_id, number

    async def reply(path, payload):
        replies.append((path.topic, msgpack.unpackb(payload)))

    async def ask():
        answering = Requests(
            store=Empty(),
            pushing=RingsNobody(),
            named=named,
            load=UNUSED,
            reply=reply,
            root="mail",
            chunk=100,
            rate=10,
            monotonic=lambda: 0.0,
        )
        await answering.handle(topic, msgpack.packb([1, 7, *request]))

    asyncio.run(ask())
    return replies


def test_who_asks_is_looked_up_by_name():
    asked = []

    async def named(name):
        asked.append(name)
        return await EVERYBODY.named(name)

    assert answers("mail/user99/do/phone", "seen", "00t64ks8n", named=named) == [
        ("mail/user99/re/phone", [1, 7, Status.SUCCESS, 0, 0, b""])
    ]
    assert not answers("mail/stranger/do/phone", "seen", "00t64ks8n", named=named)
    assert asked == ["user99", "stranger"]


def test_whoever_cannot_be_looked_up_now_gets_no_reply_and_asks_again():
    async def named(name):
        raise StoreUnavailableError(name)

    assert not answers("mail/user99/do/phone", "seen", "00t64ks8n", named=named)


@pytest.mark.parametrize("operation", [each for each in Operation if each is not Operation.PUSH])
def test_every_operation_is_known_and_refused_without_arguments(operation):
    [(_, [_, request_id, status, _, _, text])] = answers("mail/user1/do/phone", operation.value)
    assert (request_id, status) == (7, Status.BAD_REQUEST)
    assert text in {"no message id", "no such operation, or not with these arguments"}


@pytest.mark.parametrize("operation", [Operation.TEXT, Operation.RAW, Operation.PARTS, Operation.PART])
def test_what_is_asked_of_a_message_that_is_not_there_says_so(operation):
    [(_, [_, _, status, *_])] = answers("mail/user1/do/phone", operation.value, "00t64ks8n")
    assert status == Status.NO_MESSAGE
