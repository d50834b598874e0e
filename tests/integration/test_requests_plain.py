"""Requests in words and JSON, answered from a real store: as any MQTT app can write them."""

from __future__ import annotations

import json

import pytest

from tests.integration.test_requests import DONE, calling


@pytest.fixture
def path(tmp_path):
    return tmp_path / "postbell.db"


async def say(phones, text, *, device="alice/phone"):
    """The one reply to a plain request."""
    phones.replies.clear()
    user, name = device.split("/")
    await phones.requests.handle(f"mail/{user}/do/{name}", text.encode())
    [(where, reply)] = phones.replies
    assert where.topic == f"mail/{user}/re/{name}"
    return reply.decode()


def test_seen_and_unseen_in_words(path):
    async def story(phones):
        first, second = await phones.keep(), await phones.keep()
        assert await say(phones, f"seen {first}") == "ok"
        assert await phones.store.live_count() == 1
        assert await say(phones, f"Unseen {first} {second}") == "ok"
        assert await phones.store.live_count() == 2
        assert await say(phones, "seen everything") == "error: not a message id"
        assert await say(phones, "seen") == "error: no message id"
        assert await phones.store.live_count() == 2

    calling(path, story)


@pytest.mark.parametrize("ask", ["seen all", '{"seen": "all"}'])
def test_all_of_ones_own_and_of_nobody_else_is_seen(path, ask, monkeypatch):
    monkeypatch.setattr("bridge.requests.requests.MARKED_AT_ONCE", 2)

    async def story(phones):
        for _ in range(5):
            await phones.keep(users=("alice", "bob"))
        assert "error" not in await say(phones, ask)
        assert await phones.store.live_count() == 5, "bob's"
        assert await say(phones, "unseen all") == "error: not a message id"

    calling(path, story)


def test_all_may_be_said_in_messagepack_too(path):
    async def story(phones):
        await phones.keep()
        assert await phones.ask("seen", "all") == DONE
        assert await phones.store.live_count() == 0

    calling(path, story)


def test_the_newest_come_newest_first(path):
    async def story(phones):
        older, newer = await phones.keep(), await phones.keep()
        lines = (await say(phones, "recent")).splitlines()
        assert [line.split()[0] for line in lines] == [newer, older]
        told = json.loads(await say(phones, '{"recent": 1, "request": 9}'))
        assert (told["request"], told["ok"], [each["id"] for each in told["recent"]]) == (9, True, [newer])
        assert await say(phones, "recent 0") == "error: no such operation, or not with these arguments"
        assert json.loads(await say(phones, '{"recent": "x"}'))["ok"] is False

    calling(path, story)


def test_too_many_is_said_in_words(path):
    async def story(phones):
        said = [await say(phones, "recent 1") for _ in range(30)]
        assert said[-1] == "error: too many requests, wait a little"

    calling(path, story, rate=1)
