"""Several bridges at one PostgreSQL when it is hard: a path that hangs, mail that is large, a disk that is lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path

import msgpack
import pytest

from bridge.contract import ids
from bridge.postgres import database
from bridge.store import offline, parts, people
from tests.crash.proxy import Proxy
from tests.integration.test_shards_bridges import PASSWORDS, ROLES, USERS, Phone
from tests.support.mosquitto import RuledMosquitto
from tests.support.shared_store import NodeSystem, SharedStore
from tests.support.waiting import until, until_on_loop

pytestmark = pytest.mark.timeout(300)
MEGABYTE = 2**20
LARGE = 20 * MEGABYTE
MANY = 15
MOST_HELD = 200 * MEGABYTE
NO_WORD = """
from bridge.store.postgres import PostgresEngine
PostgresEngine.announce = lambda *_: None
"""
"""No bridge is told that another one kept something for its users."""


@pytest.fixture
def broker(tmp_path):
    with RuledMosquitto(tmp_path, ROLES, PASSWORDS, verbose=False) as running:
        yield running


@pytest.fixture
def people_there(postgres):
    """The users of the tests."""
    database.prepare(postgres)
    with offline.transaction(postgres, now_ms=0, count=100, days=7) as transaction:
        for number in range(64):
            people.add_user(transaction, f"user{number}", [f"user{number}@example.org"])
    return SharedStore(postgres)


def node(directory, name, *, store, broker, broken="", **more):
    (directory / "nodes").write_text("a:word-of-a\nb:word-of-b\n")
    more |= {"POSTBELL_MQTT__NODES_FILE": str(directory / "nodes"), "POSTBELL_SMTP__MAX_SIZE": "64M"}
    return NodeSystem(
        directory / name, name, store=store, broker=broker.url, password=f"word-of-{name}", broken=broken, **more
    )


def of(store, name):
    """A user whose shard a node owns."""
    return next(user for user in USERS if store.owner(user) == name)


def test_a_bridge_whose_way_to_the_database_hangs_is_replaced_and_recovers(tmp_path, postgres, people_there, broker):
    asyncio.run(_hanging(tmp_path, postgres, people_there, broker))


async def _hanging(directory, url, store, broker):
    place = url.rpartition("@")[2].partition("/")
    at = (place[0].partition(":")[0], int(place[0].partition(":")[2]))
    async with AsyncExitStack() as stack:
        link = Proxy(lambda: at)
        await link.start()
        stack.push_async_callback(link.close)
        by_link = url.replace(place[0], f"127.0.0.1:{link.port}")
        a = stack.enter_context(node(directory, "a", store=by_link, broker=broker))
        b = stack.enter_context(node(directory, "b", store=url, broker=broker))
        for each in (a, b):
            each.start_bridge()
        for each in (a, b):
            await asyncio.to_thread(each.wait_connected)
        await asyncio.to_thread(store.spread, "a", "b")
        user = of(store, "a")
        phone = await asyncio.to_thread(Phone, user, broker.address())
        stack.callback(phone.close)
        pid = a.bridge.pid
        link.stall()
        await asyncio.to_thread(store.spread, "b")
        mail_id = await asyncio.to_thread(b.send, b"Subject: still here\r\n\r\n", f"{user}@example.org")
        await until_on_loop(lambda: mail_id in phone.headers, what="the mail, by the other bridge")
        # Every session of the first one is shut down by its watchdog, so that it knows.
        waits = "leases_wait_for_store"
        await until_on_loop(lambda: a.logged(waits), what="the first bridge to see that its database is gone")
        link.heal()
        await asyncio.to_thread(store.spread, "a", "b")
        second = await asyncio.to_thread(a.send, b"Subject: back\r\n\r\n", f"{of(store, 'a')}@example.org")
        await asyncio.to_thread(store.drained)
        assert store.rows("SELECT held FROM message WHERE number = ?", ids.decode(second)) == [(1,)]
        assert a.bridge.pid == pid
        assert a.bridge.poll() is None


@pytest.fixture
def two(tmp_path, postgres, people_there, broker):
    with ExitStack() as stack:
        both = [stack.enter_context(node(tmp_path, name, store=postgres, broker=broker)) for name in "ab"]
        for each in both:
            each.start_bridge()
        for each in both:
            each.wait_connected()
        people_there.spread("a", "b")
        yield both


def read_whole(phone, mail_id, size):
    """The raw message, as a device reads it: window by window."""
    raw = bytearray()
    while len(raw) < size:
        phone.replies.clear()
        phone.ask(1, 7, "raw", mail_id, len(raw), 256 * 1024)
        until(lambda: phone.replies, what="a piece of the message")
        got = 0
        window = min(256 * 1024, size - len(raw))
        while got < window:
            until(lambda: phone.replies, what="the next piece")
            _, _, status, offset, total, chunk = msgpack.unpackb(phone.replies.pop(0))
            assert (status, offset, total) == (0, len(raw), size)
            raw += chunk
            got += len(chunk)
    return bytes(raw)


def held(process):
    """The most memory that a process ever had."""
    [line] = [each for each in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in each]
    return int(line.split()[1]) * 1024


def test_large_mail_lies_in_the_database_alone_and_any_bridge_reads_it(postgres, people_there, broker, two):
    """300 MB over two bridges; then one of them is killed and its disk is lost."""
    a, b = two
    user = of(people_there, "b")
    raws = [b"Subject: %d\r\n\r\n" % number + (b"%063d\r\n" % number) * (LARGE // 65) for number in range(MANY)]
    with ThreadPoolExecutor(4) as senders:
        sent = list(senders.map(lambda each: two[each[0] % 2].send(each[1], f"{user}@example.org"), enumerate(raws)))
    assert held(a.bridge) < MOST_HELD
    assert held(b.bridge) < MOST_HELD
    a.send_signal(signal.SIGKILL)
    shutil.rmtree(a.state_dir)
    a.start_bridge()
    a.wait_connected()
    people_there.spread("a", "b")
    [(user_id,)] = people_there.rows('SELECT user_id FROM "user" WHERE name = ?', user)
    with offline.reading(postgres) as connection:
        for mail_id, raw in zip(sent, raws, strict=True):
            body = parts.body(connection, user_id, ids.decode(mail_id))
            assert sha256(bytes(body.raw or b"")[-len(raw) :]).digest() == sha256(raw).digest()
    phone = Phone(user, broker.address())
    first = sent[0]  # it came by the bridge whose disk is gone
    [(size,)] = people_there.rows("SELECT size FROM message WHERE number = ?", ids.decode(first))
    try:
        assert read_whole(phone, first, size).endswith(raws[0])
    finally:
        phone.close()
    assert held(b.bridge) < MOST_HELD


def test_an_owner_who_is_not_told_looks_by_itself(tmp_path, postgres, people_there, broker):
    with ExitStack() as stack:
        both = [
            stack.enter_context(node(tmp_path, name, store=postgres, broker=broker, broken=NO_WORD)) for name in "ab"
        ]
        for each in both:
            each.start_bridge()
        for each in both:
            each.wait_connected()
        people_there.spread("a", "b")
        people_there.drained()
        for name, other in (("a", both[1]), ("b", both[0])):
            user = of(people_there, name)
            phone = Phone(user, broker.address())
            stack.callback(phone.close)
            mail_id = other.send(b"Subject: unheard\r\n\r\n", f"{user}@example.org")
            until(partial(phone.has, mail_id), what="the owner to have looked")
