"""A stopped owner's publish that is still on its way when the next owner clears the topic (docs/decisions/0065).

Whoever owned is stopped with a publish in its socket. The other takes over, the mail is published and seen, and the
topic is cleared. Then the way of the first one's bytes is open again. In a bridge that is broken on purpose the mail
comes back for good: so the test can find what it is about.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import msgpack
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.postgres import database
from bridge.store import offline, people
from tests.crash.proxy import Proxy
from tests.support.mosquitto import Mosquitto
from tests.support.shared_store import NodeSystem, SharedStore, retained
from tests.support.waiting import until, until_on_loop

NO_FENCE = """
from bridge.daemon.fencing import Fence
async def close(self, cell, node): pass
Fence.close = close
"""
NO_MARKS = """
from bridge.shards import waiting
waiting.mark_late = lambda *_: None
"""
pytestmark = pytest.mark.timeout(300)


def ask(address, mail_id):
    """Have the mail marked as seen by a device, and wait for the reply."""
    replies = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="alice:phone")
    client.on_message = lambda _c, _u, message: replies.append(message.payload)

    def connected(*_):
        client.subscribe("mail/alice/re/phone", 1)

    def subscribed(*_):
        client.publish("mail/alice/do/phone", msgpack.packb([1, 1, "seen", mail_id]), 1)

    client.on_connect, client.on_subscribe = connected, subscribed
    client.connect(*address)
    client.loop_start()
    until(lambda: replies, what="the reply of whoever owns alice")
    client.disconnect()
    client.loop_stop()


class Scene:
    """Two bridges, each with a link to the broker of its own."""

    def __init__(self, directory, url, broker, broken):
        self.directory, self.url, self.broker, self.broken = directory, url, broker, broken
        self.store = SharedStore(url)
        self.links, self.nodes = {}, {}

    async def begin(self, stack):
        database.prepare(self.url)
        with offline.transaction(self.url, now_ms=0, count=100, days=7) as transaction:
            people.add_user(transaction, "alice", ["alice@example.org"])
        for name in ("a", "b"):
            link = self.links[name] = Proxy(self.broker.address)
            await link.start()
            stack.push_async_callback(link.close)
            node = self.nodes[name] = NodeSystem(
                self.directory / name,
                name,
                store=self.url,
                broker=f"mqtt://127.0.0.1:{link.port}",
                password="x",
                broken=self.broken,
                POSTBELL_MQTT__KEEPALIVE="300",
            )
            stack.enter_context(node)
            node.start_bridge()
            await asyncio.to_thread(node.wait_connected)
        await asyncio.to_thread(self.store.spread, "a", "b")
        await asyncio.to_thread(self.store.drained)

    async def stop_the_owner(self):
        """It has a publish on its way, it stops, and the other takes over; both, and the mail."""
        name = self.store.owner("alice")
        owner, other = self.nodes[name], self.nodes["b" if name == "a" else "a"]
        self.links[name].stall()
        mail_id = await asyncio.to_thread(
            other.send, b"Subject: zombie\r\nMessage-ID: <z@x>\r\n\r\n", "alice@example.org"
        )
        taken = 'SELECT taken FROM lease l JOIN "user" u ON u.shard = l.shard'
        await until_on_loop(lambda: self.store.rows(taken)[0][0] > 0, what="the mail to be taken by its owner")
        await asyncio.sleep(0.5)  # from there to its socket nobody sees it go
        looks = len(other.logged("reconciled"))
        owner.send_signal(signal.SIGSTOP)
        await until_on_loop(lambda: self.store.owner("alice") == other.node, what="the other to take over")
        await until_on_loop(lambda: len(other.logged("reconciled")) >= looks + 2, what="both looks behind a takeover")
        return owner, other, mail_id

    def shown(self):
        topics = retained(self.broker.address(), ["mail/alice/#"])
        messages = sorted(topic for topic in topics if "/msg/" in topic)
        return messages, (msgpack.unpackb(topics["mail/alice/box"])[1:] or [0])[0]


async def story(directory, url, *, broken, resumes):
    """What the broker retains of the seen mail in the end, and how many live ones the digest tells of."""
    with Mosquitto(directory, "max_queued_messages 0") as broker:
        async with AsyncExitStack() as stack:
            scene = Scene(directory, url, broker, broken)
            await scene.begin(stack)
            owner, other, mail_id = await scene.stop_the_owner()
            await asyncio.to_thread(ask, broker.address(), mail_id)
            await asyncio.to_thread(scene.store.drained)
            assert await asyncio.to_thread(scene.shown) == ([], 0)
            scene.links[owner.node].heal()
            if resumes:
                owner.send_signal(signal.SIGCONT)
                lost = "leases_lost"
                await until_on_loop(lambda: owner.logged(lost), what="the stopped one to know that it has lost them")
                await asyncio.to_thread(scene.store.spread, "a", "b")
            else:
                await asyncio.sleep(0.5)  # what was in the proxy goes to the broker
                owner.send_signal(signal.SIGKILL)
                pairs = scene.links[owner.node]._pairs
                await until_on_loop(lambda: not pairs, what="its connection to be over")
                await asyncio.to_thread(scene.store.spread, other.node)
            await asyncio.to_thread(scene.store.drained)
            return await asyncio.to_thread(scene.shown)


@pytest.mark.parametrize("resumes", [False, True], ids=["dies", "resumes"])
def test_a_mail_that_was_seen_does_not_come_back(tmp_path, postgres, resumes):
    assert asyncio.run(story(tmp_path, postgres, broken="", resumes=resumes)) == ([], 0)


def test_without_a_fence_what_comes_late_is_marked_again(tmp_path, postgres):
    assert asyncio.run(story(tmp_path, postgres, broken=NO_FENCE, resumes=True)) == ([], 0)


@pytest.mark.parametrize(
    ("broken", "resumes"), [(NO_FENCE, False), (NO_FENCE + NO_MARKS, True)], ids=["no-fence", "no-fence-no-marks"]
)
def test_a_bridge_that_is_broken_on_purpose_is_found(tmp_path, postgres, broken, resumes):
    messages, live = asyncio.run(story(tmp_path, postgres, broken=broken, resumes=resumes))
    assert len(messages) == 1
    assert live == 1  # the digest confirms it: no device would heal that
