"""The live set is a pure function of the store, and the outbox covers every difference from the broker.

A state machine does to a real store what mail, devices, time, operators, crashes and forgetful
brokers do, beside a model of a few lines. After each step they must agree.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import cast

import msgpack
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bridge.box.live_set import Retention
from bridge.contract import ids
from bridge.contract.header import unpack_header
from bridge.contract.views import last_view, pack_digest, text_view
from bridge.reconcile import Observed, fingerprint
from bridge.store import database, offline, people, places
from tests.support.stored import DAY_MS, Clock, Stored, add_user, header, mail, rows, storing, to, told

NAMES = ("alice", "bob", "carol")
EVERYBODY = frozenset({*NAMES, "stranger"})
VIEWS = ("box", "last", "text", "unread")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """What is kept does not depend on syncing; here many stories matter more than power cuts."""
    connect = database.connect

    def quick(path):
        connection = connect(path)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(database, "connect", quick)


class LiveSet(RuleBasedStateMachine):
    def __init__(self, place=None, looking=None):
        super().__init__()
        self.looking = looking
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp(prefix="postbell-test-"))
        self.path = place or self.directory / "postbell.db"
        self.clock = Clock()
        self.count, self.days = 3, 7.0
        self.users = {}  # name: user_id
        self.mail = {}  # (name, number): [header payload, seen]
        self.views_off = {}  # name: set of views
        self.broker = {}  # topic: payload, retained
        places.of(self.path).prepare()
        self.open()

    def open(self):
        async def make():
            return Stored(self.path, clock=self.clock, retention=Retention(self.count, self.days))

        self.store = self.runner.run(make())
        self.runner.run(self.store.refresh_all())

    def teardown(self):
        self.runner.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.directory)

    def offline(self):
        return offline.transaction(self.path, now_ms=self.clock.now_ms, count=self.count, days=self.days)

    # --- the model --------------------------------------------------------------------------------

    def horizon(self):
        return ids.at(int(self.clock.now_ms - self.days * DAY_MS))

    def unseen(self, name):
        return [
            n for (user, n), (_, seen) in sorted(self.mail.items()) if user == name and not seen and n >= self.horizon()
        ]

    def live(self, name):
        return self.unseen(name)[-self.count :]

    def desired(self):
        """Every retained topic that the broker should hold."""
        wanted = {}
        for name in self.users:
            live = self.live(name)
            for number in live:
                wanted[f"{name}/msg/{ids.encode(number)}"] = self.mail[name, number][0]
            wanted[f"{name}/box"] = pack_digest(map(ids.encode, live))
            wanted[f"{name}/unread"] = str(len(self.unseen(name))).encode()
            if live:
                newest = unpack_header(self.mail[name, live[-1]][0])
                wanted[f"{name}/last"] = last_view(live[-1], newest)
                wanted[f"{name}/text"] = text_view(newest)
            for view in self.views_off[name]:
                wanted.pop(f"{name}/{view}", None)
        return wanted

    # --- what happens -----------------------------------------------------------------------------

    @initialize()
    def two_users(self):
        self.add_user("alice")
        self.add_user("bob")

    @rule(name=st.sampled_from(NAMES))
    def add_user(self, name):
        if name not in self.users:
            self.users[name] = add_user(self.path, name, clock=self.clock)
            self.views_off[name] = set()

    @precondition(lambda self: self.users)
    @rule(data=st.data(), copies=st.integers(1, 6))
    def new_mail(self, data, copies):
        names = data.draw(st.lists(st.sampled_from(sorted(self.users)), min_size=1, max_size=2))
        envelope = mail(*(to(self.users[name], name) for name in names), text=str(len(self.mail)))

        async def keep():
            return await asyncio.gather(*(self.store.keep(envelope, header(), message_id="") for _ in range(copies)))

        for kept in self.runner.run(keep()):
            for copy in kept:
                [(number, payload)] = self.runner.run(self.store.recent(copy.user_id, 1))
                assert number >= copy.number
                self.mail[copy.user, copy.number] = [payload, False]

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), seen=st.booleans())
    def mark(self, data, seen):
        name, number = data.draw(st.sampled_from(sorted(self.mail)))
        others = [n for (user, n) in self.mail if user == name][:1]
        self.runner.run(self.store.set_seen(self.users[name], [number, *others, 12345], seen=seen))
        for one in (number, *others):
            self.mail[name, one][1] = seen

    @rule(days=st.floats(0, 4))
    def time_passes(self, days):
        self.clock.pass_(days * 86_400)
        self.runner.run(self.store.expire())

    @rule(days=st.floats(-30, 30))
    def the_clock_steps(self, days):
        self.clock.step(int(days * DAY_MS))
        self.runner.run(self.store.refresh_all())
        self.runner.run(self.store.expire())

    @precondition(lambda self: self.users)
    @rule(data=st.data(), view=st.sampled_from(["last", "text", "unread"]), on=st.booleans())
    def switch_a_view(self, data, view, on):
        name = data.draw(st.sampled_from(sorted(self.users)))
        with self.offline() as transaction:
            people.set_view(transaction, name, view, on=on)
        self.views_off[name] = self.views_off[name] - {view} if on else self.views_off[name] | {view}

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def remove_a_user(self, data):
        name = data.draw(st.sampled_from(sorted(self.users)))
        with self.offline() as transaction:
            people.remove_user(transaction, name)
        del self.users[name]
        self.mail = {key: value for key, value in self.mail.items() if key[0] != name}

    @rule(count=st.integers(1, 6), days=st.sampled_from([1.0, 7.0, 30.0]))
    def the_bridge_restarts_with_other_settings(self, count, days):
        self.runner.run(self.store.close())
        self.count, self.days = count, days
        self.open()
        self.reconnect()

    # --- the broker -------------------------------------------------------------------------------

    def publish(self, some):
        taken = self.runner.run(self.store.take_messages(limit=some, busy=()))
        taken += self.runner.run(self.store.take_views(limit=some, busy=()))
        for publication in taken:
            if publication.needed and publication.retain:
                if publication.payload:
                    self.broker[publication.topic] = publication.payload
                else:
                    self.broker.pop(publication.topic, None)
        return taken

    @rule(some=st.integers(1, 20))
    def the_pump_publishes(self, some):
        self.runner.run(self.store.settle(self.publish(some)))

    @rule(some=st.integers(1, 20))
    def the_pump_publishes_and_the_link_dies_before_the_acknowledgement(self, some):
        self.publish(some)
        self.runner.run(self.store.doubt(None, limit=2 * some))
        self.reconnect()

    @rule()
    def the_broker_forgets_everything(self):
        self.broker.clear()
        self.reconnect()

    @rule(user=st.sampled_from([*NAMES, "stranger"]), what=st.sampled_from(["msg/000000001", "box", "text", "msg/x"]))
    def the_broker_comes_back_with_something_stale(self, user, what):
        self.broker[f"{user}/{what}"] = msgpack.packb([1, 2, 3])
        self.reconnect()

    def reconnect(self):
        retained = {topic: fingerprint(payload) for topic, payload in self.broker.items()}
        observed = Observed(EVERYBODY, retained, frozenset(), self.clock.now_ms, self.days)
        would = self.runner.run(self.store.repair(observed, dry_run=True))
        assert self.runner.run(self.store.repair(observed)) == would

    # --- what always holds ------------------------------------------------------------------------

    def rows(self, statement):
        return rows(self.path, statement) if self.looking is None else self.looking.execute(statement).fetchall()

    @invariant()
    def the_column_is_the_function(self):
        live = self.rows(
            "SELECT name, number FROM message JOIN user USING (user_id) WHERE message.live = 1 ORDER BY 1, 2"
        )
        assert live == [(name, number) for name in sorted(self.users) for number in self.live(name)]

    @invariant()
    def what_is_counted_as_it_changes_is_what_there_is(self):
        counted = self.rows("SELECT name, live, kept FROM user ORDER BY name")
        kept = [sum(user == name for user, _ in self.mail) for name in sorted(self.users)]
        assert counted == [
            (name, len(self.live(name)), kept) for name, kept in zip(sorted(self.users), kept, strict=True)
        ]

    @invariant()
    def the_outbox_covers_every_difference(self):
        desired = self.desired()
        marked = {path for (path,) in self.rows("SELECT path FROM outbox")}
        new = self.rows("SELECT name, number FROM message JOIN user USING (user_id) WHERE waits & 1 = 1")
        marked |= {f"{name}/msg/{ids.encode(number)}" for name, number in new}
        wrong = {topic for topic in desired.keys() | self.broker.keys() if desired.get(topic) != self.broker.get(topic)}
        assert wrong <= marked

    @invariant()
    def nothing_is_left_over_from_who_is_gone(self):
        for table in ("message", "address", "device"):
            assert not self.rows(f"SELECT * FROM {table} WHERE user_id NOT IN (SELECT user_id FROM user)")
        assert not self.rows("SELECT 1 FROM body WHERE body_id NOT IN (SELECT body_id FROM message)")

    @rule()
    def when_all_is_published_the_broker_holds_exactly_what_it_should(self):
        for _ in range(50):
            taken = self.publish(100)
            if not taken:
                break
            self.runner.run(self.store.settle(taken))
        assert self.broker == self.desired()
        assert self.runner.run(self.store.waiting()) == 0
        observed = {topic: fingerprint(payload) for topic, payload in self.broker.items()}
        repair = self.runner.run(
            self.store.repair(Observed(EVERYBODY, observed, frozenset(), self.clock.now_ms, self.days), dry_run=True)
        )
        assert repair.marked == 0


TestLiveSet = LiveSet.TestCase
TestLiveSet.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.timeout(400)
def test_the_live_set_in_postgresql(postgres):
    """The same machine; as making a database takes its time, each story has it emptied."""
    places.of(postgres).prepare()
    looking = places.of(postgres).connect()

    def machine():
        for table in ("user", "body", "outbox", "live_terms"):
            looking.execute(f'TRUNCATE "{table}" CASCADE')
        return LiveSet(postgres, looking)

    few = settings(TestLiveSet.settings, max_examples=8, stateful_step_count=20, database=None)
    run_state_machine_as_test(cast("type[LiveSet]", machine), settings=few)
    looking.close()


# --- the same in plain stories --------------------------------------------------------------------


@pytest.fixture
def path(place):
    return place


async def keep(store, alice, many):
    return [(await store.keep(mail(to(alice, "alice")), header(), message_id=""))[0].number for _ in range(many)]


async def live(store):
    return [
        row[0] for row in await store.read(lambda c: c.execute("SELECT number FROM message WHERE live = 1").fetchall())
    ]


def test_what_was_pushed_out_comes_back_when_newer_mail_is_seen(path):
    alice = add_user(path, "alice")

    async def story(store):
        numbers = await keep(store, alice, 5)
        assert await live(store) == numbers[2:]
        await store.set_seen(alice, numbers[3:], seen=True)
        assert await live(store) == numbers[:3]
        await store.set_seen(alice, numbers[3:], seen=False)
        assert await live(store) == numbers[2:]

    told(path, story, count=3)


def test_a_burst_beyond_the_ring_publishes_only_what_stays(path):
    alice = add_user(path, "alice")

    async def story(store):
        await asyncio.gather(*(keep(store, alice, 1) for _ in range(50)))
        taken = await store.take_messages(limit=1000, busy=())
        assert sum(p.needed and p.kind == "msg" for p in taken) == 3
        assert all(p.payload for p in taken if p.needed)

    told(path, story, count=3)


def test_a_text_that_may_have_arrived_is_cleared_when_it_is_switched_off(path):
    """The link died before the broker acknowledged it, and nobody sent it again."""
    alice = add_user(path, "alice")

    async def text(store):
        [view] = [p for p in await store.take_views(limit=10, busy=()) if p.kind == "text"]
        return view

    async def story(store):
        await store.settle([await text(store)])
        await keep(store, alice, 1)
        sent = await text(store)
        await store.doubt([sent], limit=10)
        with offline.transaction(path, now_ms=Clock().now_ms, count=3, days=7) as transaction:
            people.set_view(transaction, "alice", "text", on=False)
        cleared = await text(store)
        assert sent.payload
        assert (cleared.payload, cleared.needed) == (b"", True)

    told(path, story, count=3)


def test_the_unread_count_falls_when_mail_outside_the_ring_becomes_too_old(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store):
        async def unread():
            [view] = [p for p in await store.take_views(limit=10, busy=()) if p.kind == "unread"]
            return int(view.payload)

        await keep(store, alice, 1)
        clock.pass_(3 * 86_400)
        await keep(store, alice, 3)
        assert await unread() == 4
        await store.settle(await store.take_views(limit=10, busy=()))
        clock.pass_(5 * 86_400)
        assert await store.expire() == 1
        assert await unread() == 3
        assert await store.expire() == 0, "nothing more to do"

    told(path, story, count=3, clock=clock)


def test_new_mail_pushes_out_what_has_become_too_old(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store):
        await keep(store, alice, 2)
        clock.pass_(8 * 86_400)
        [newest] = await keep(store, alice, 1)
        assert await live(store) == [newest]

    told(path, story, clock=clock)


def test_a_start_marks_only_what_changed(path):
    alice, bob, clock = add_user(path, "alice"), add_user(path, "bob"), Clock()

    async def before(store):
        await store.keep(mail(to(alice, "alice")), header(), message_id="")
        clock.pass_(8 * 86_400)
        await store.keep(mail(to(bob, "bob")), header(), message_id="")
        while taken := await store.take_messages(limit=99, busy=()) + await store.take_views(limit=99, busy=()):
            await store.settle(taken)

    async def after(store):
        await store.refresh_all()
        taken = await store.take_messages(limit=99, busy=()) + await store.take_views(limit=99, busy=())
        assert {p.path.split("/")[0] for p in taken} == {"alice"}

    told(path, before, clock=clock)
    told(path, after, clock=clock)


def test_the_live_sets_of_many_users_are_looked_at_quickly(path):
    """Each look is one seek for each user, however much mail they have: 200 looks within a generous bound."""
    users = [add_user(path, f"user{number}") for number in range(20)]
    clock = Clock()

    async def story():
        async with storing(path, clock=clock) as store:
            envelope = mail(*(to(user_id, f"user{n}") for n, user_id in enumerate(users)))
            await asyncio.gather(*(store.keep(envelope, header(), message_id="") for _ in range(100)))
            async with asyncio.timeout(10):
                for _ in range(200):
                    clock.pass_(2)
                    await store.expire()

    asyncio.run(story())
