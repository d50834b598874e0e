"""Requests where several bridges hear them all: one answers, and across a takeover one does."""

from __future__ import annotations

import asyncio

import pytest

from bridge.daemon.elsewhere import HANDED_S, KEPT_S, OwnersRequests
from bridge.directory import User
from bridge.errors import StoreUnavailableError
from bridge.shards.plan import shard_of

USERS = {"alice": User(1, "alice"), "bob": User(2, "bob")}
ALICE, BOB = "mail/alice/do/phone", "mail/bob/do/phone"


class Heard:
    """Two bridges in one: what this one answers, at a moment of one's own choice."""

    def __init__(self):
        self.answered, self.owned, self.now = [], {shard_of(1)}, 0.0
        self.down = False
        self.noted = []
        self.requests = OwnersRequests(
            self,
            named=self.named,
            serves=lambda shard: shard in self.owned,
            heard=self.noted.append,
            root="mail",
            monotonic=lambda: self.now,
        )

    async def handle(self, topic, payload, *, response_topic="", correlation=None):
        assert self.noted[-1] == topic, "whoever answers notes it"
        self.answered.append((topic, payload, response_topic, correlation))

    async def named(self, name):
        if self.down:
            raise StoreUnavailableError("gone")
        return USERS.get(name)

    def hear(self, topic, payload=b"x", **more):
        asyncio.run(self.requests.handle(topic, payload, **more))

    def take_over(self, user_id, *, in_order=False):
        self.owned.add(shard_of(user_id))
        asyncio.run(self.requests.taken_over({shard_of(user_id)}, in_order=in_order))


@pytest.fixture
def heard():
    return Heard()


def test_only_the_owner_answers(heard):
    heard.hear(ALICE, response_topic="r", correlation=b"c")
    heard.hear(BOB)
    assert heard.answered == [(ALICE, b"x", "r", b"c")]


def test_whoever_takes_over_answers_what_came_in_the_last_seconds_and_once(heard):
    heard.hear(BOB, b"old")
    heard.now = KEPT_S - 1
    heard.hear(BOB, b"new")
    heard.now = KEPT_S + 1
    heard.hear("mail/carol/do/phone")  # nobody
    heard.take_over(2)
    assert [payload for _, payload, *_ in heard.answered] == [b"new"]
    heard.take_over(2)
    assert len(heard.answered) == 1


def test_what_was_given_in_order_was_answered_but_for_the_moment_in_between(heard):
    heard.hear(BOB, b"answered")
    heard.now = HANDED_S + 0.1
    heard.hear(BOB, b"between")
    heard.take_over(2, in_order=True)
    assert [payload for _, payload, *_ in heard.answered] == [b"between"]


def test_what_is_of_other_shards_goes_on_waiting(heard):
    heard.owned.clear()
    heard.hear(ALICE)
    heard.hear(BOB)
    heard.take_over(2)
    heard.take_over(1)
    assert [topic for topic, *_ in heard.answered] == [BOB, ALICE]


def test_what_is_too_old_is_forgotten_as_more_comes(heard):
    heard.hear(BOB)
    heard.now = KEPT_S + 1
    heard.hear(BOB)
    assert len(heard.requests._kept) == 1


def test_no_request_and_no_store_is_nobodys(heard):
    heard.hear("elsewhere/alice/do/phone")
    heard.down = True
    heard.hear(ALICE)
    assert heard.answered == []
