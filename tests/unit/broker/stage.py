"""The broker's heart without a socket: a router on a real file of sessions, and a clock that stands until it is set."""

from __future__ import annotations

import asyncio

from broker.acl import Identity, Role, Rules
from broker.entries import Bounds
from broker.holding import Holding
from broker.restoring import Restoring
from broker.router import Router
from broker.sessions import SessionStore
from broker.statistics import Statistics
from broker.turns import Turns
from broker.wire.message import Message
from broker.wire.packets import NEVER, Wanted

ALICE = Identity("alice.phone", Role.DEVICE)
BOB = Identity("bob.phone", Role.DEVICE)
BRIDGE = Identity("bridge", Role.BRIDGE)


def run(path, story):
    """Tell a story to an open store; afterwards all it said is on disk."""

    async def told():
        store = SessionStore(path)
        store.start()
        try:
            return await story(store)
        finally:
            await store.close()

    return asyncio.run(told())


async def committed(store, ticket):
    while store.committed < ticket:
        done = asyncio.Event()
        store.call_on_commit(done.set)
        await asyncio.wait_for(done.wait(), 10)


class Stage:
    """A router, and what has become of the messages that it gave away."""

    def __init__(self, store, *, total=2**30):
        self.now = 1000.0
        self.store = store
        self.router = Router(
            rules=Rules("mail"),
            holding=Holding(Bounds(window=5, messages=10, octets=1000), total=total, session_s=500.0),
            subscriptions=5,
            store=store,
            statistics=Statistics(),
            clock=lambda: self.now,
        )

    def open(self, who=ALICE, credential=b"key", *, clean=False, expiry_s=NEVER, **how):
        """The session of a device that is connected, and whether it was there."""
        session, present = self.router.roster.open(who, credential, clean=clean, expiry_s=expiry_s, **how)
        session.handler = Connected(self, session)
        return session, present

    def subscribe(self, session, *filters, options=1, identifier=0):
        return self.router.subscribe(session, [Wanted(each, options, identifier) for each in filters])

    def say(self, topic, payload=b"x", *, qos=1, retain=False, expires_at=0.0, properties=b"", origin=""):
        message = Message(topic, payload, qos, properties, expires_at)
        return self.router.publish(message, retain=retain, origin=origin)[0]

    def took(self, session):
        """All that a client is sent now, acknowledged."""
        entries = []
        while (entry := session.delivery.take()) is not None:
            entries.append(entry)
            self.router.acknowledge(session, entry.packet_id)
        return entries

    async def restore(self):
        """What a new process does with what the last one left."""
        turns = Turns(asyncio.get_running_loop().call_soon)
        restoring = Restoring(router=self.router, store=self.store, turns=turns, root="mail", clock=lambda: self.now)
        for saved in self.store.load():
            restoring.add(self.router.roster.restore(Identity(saved.username, Role.DEVICE), saved))
        return restoring


class Connected:
    """In place of a connection: what a session asks of one."""

    def __init__(self, stage, session):
        self.stage, self.session, self.will = stage, session, None

    def pump(self):
        pass

    def pass_on(self, *_message, **_how):
        return False

    def discard_will(self):
        self.will = None

    def evict(self, reason):
        del reason
        self.session.handler = None
        self.stage.router.roster.leave(self.session, self.will)
