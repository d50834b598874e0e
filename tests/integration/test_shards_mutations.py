"""Layers of the promise on PostgreSQL, each seen to be needed: what a bridge does without it is found."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import threading
from contextlib import AsyncExitStack, closing

import psycopg
import pytest

from bridge.contract import ids
from bridge.contract.publication import Kind
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.store import grouped_outbox, marks, messages, offline, people
from tests.crash.proxy import Proxy
from tests.support import postgres as support
from tests.support.mosquitto import Mosquitto
from tests.support.shared_store import NodeSystem, SharedStore, retained
from tests.support.waiting import until, until_on_loop

pytestmark = pytest.mark.timeout(300)
ON_ITS_WAY_S = 4.0
NO_LOOK = """
from bridge.publish.replay import Replay
from bridge.reconcile import Repair
async def blind(*_, **__): return Repair(0, 0, 0, 0)
Replay.run = Replay.look = blind
"""
"""Reconciliation, which would mend it as well, is switched off."""
NO_DOUBT = """
from bridge.shards import waiting
waiting.doubt = lambda *_: None
"""
NO_WARNINGS = """
from bridge.postgres.connection import PostgresConnection
PostgresConnection._noticed = lambda *_: None
"""


# --- doubt ------------------------------------------------------------------------------------------------


async def unacknowledged(directory, url, broken):
    """What the broker retains of a mail that was seen while its owner, who had published it, was gone unsettled."""
    database.prepare(url)
    with offline.transaction(url, now_ms=0, count=100, days=7) as transaction:
        people.add_user(transaction, "alice", ["alice@example.org"])
        user_id = people.user_id_of(transaction.connection, "alice")
    store = SharedStore(url)
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Mosquitto(directory, "max_queued_messages 0"))
        links, nodes = {}, {}
        for name in ("a", "b"):
            link = links[name] = Proxy(broker.address)
            await link.start()
            stack.push_async_callback(link.close)
            way = f"mqtt://127.0.0.1:{link.port}"
            node = NodeSystem(directory / name, name, store=url, broker=way, password="x", broken=broken)
            nodes[name] = stack.enter_context(node)
            node.start_bridge()
            await asyncio.to_thread(node.wait_connected)
        await asyncio.to_thread(store.spread, "a", "b")
        await asyncio.to_thread(store.drained)
        mine = "a" if store.owner("alice") == "a" else "b"
        owner, other = nodes[mine], nodes["b" if mine == "a" else "a"]
        links[mine].delay = ON_ITS_WAY_S  # so long it is until the owner hears that the broker has it
        mail_id = await asyncio.to_thread(other.send, b"Subject: doubt\r\n\r\n", "alice@example.org")
        topic = f"mail/alice/msg/{mail_id}"
        address = broker.address()
        while topic not in await asyncio.to_thread(retained, address, ["mail/alice/#"]):
            pass
        owner.send_signal(signal.SIGKILL)
        with offline.transaction(url, now_ms=1, count=100, days=7) as transaction:
            messages.set_seen(transaction, user_id, [ids.decode(mail_id)], seen=True, by="phone")
        await until_on_loop(lambda: store.owners() == {other.node: 64}, what="the other to have taken over")
        await asyncio.to_thread(store.drained)
        return topic in await asyncio.to_thread(retained, address, ["mail/alice/#"])


@pytest.mark.parametrize("broken", ["", NO_DOUBT], ids=["whole", "no-doubt"])
def test_what_an_owner_may_have_published_is_cleared_by_the_next_one(tmp_path, postgres, broken):
    assert asyncio.run(unacknowledged(tmp_path, postgres, NO_LOOK + broken)) is bool(broken)


# --- generations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [False, True])
def test_an_old_acknowledgement_settles_no_new_mark(postgres, broken):
    database.prepare(postgres)
    if broken:  # a row that comes back begins at 1 again
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("ALTER TABLE outbox ALTER generation SET DEFAULT 1")

    def marked():
        with offline.transaction(postgres, now_ms=1, count=100, days=7) as transaction:
            marks.views(transaction, user_id, "alice", [Kind.BOX])

    def taken():
        with closing(connecting.connect(postgres, name="test")) as connection:
            found = grouped_outbox.take_views(connection, limit=10, now_ms=1, busy=(), days=7)
        return [each for each in found if each.kind is Kind.BOX]

    def settle(publications):
        with offline.transaction(postgres, now_ms=1, count=100, days=7) as transaction:
            grouped_outbox.settle(transaction, publications)

    with offline.transaction(postgres, now_ms=0, count=100, days=7) as transaction:
        people.add_user(transaction, "alice", ["alice@example.org"])
        user_id = people.user_id_of(transaction.connection, "alice")
    first = taken()
    settle(first)
    marked()
    settle(first)  # of one who was away meanwhile
    assert (taken() == []) is broken


# --- a COMMIT that nobody can vouch for -------------------------------------------------------------------


@pytest.fixture
def lonely():
    """A server that waits for a standby which is not there, once it is told to."""
    with support.server() as server, server.database() as url:
        yield server, url


def tell(server, statement):
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("broken", ["", NO_WARNINGS], ids=["whole", "believes-every-commit"])
def test_a_commit_whose_wait_for_the_standby_was_cancelled_is_answered_451(tmp_path, lonely, broken):
    server, url = lonely
    with Mosquitto(tmp_path) as broker:
        database.prepare(url)
        with offline.transaction(url, now_ms=0, count=100, days=7) as transaction:
            people.add_user(transaction, "alice", ["alice@example.org"])
        with NodeSystem(tmp_path / "a", "a", store=url, broker=broker.url, password="x", broken=broken) as node:
            node.start_bridge()
            node.wait_connected()
            SharedStore(url).drained()
            tell(server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            tell(server, "SELECT pg_reload_conf()")
            answers = []

            def hand_in():
                with node.smtp() as smtp:
                    smtp.ehlo("test.example")
                    smtp.mail("sender@example.net")
                    smtp.rcpt("alice@example.org")
                    try:
                        answers.append(smtp.data(b"Subject: kept?\r\n\r\n")[0])
                    except smtplib.SMTPResponseException as error:
                        answers.append(error.smtp_code)

            sender = threading.Thread(target=hand_in)
            sender.start()

            def cancelled():
                waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE '%writer%'"
                tell(server, f"SELECT pg_cancel_backend(pid) {waiting}")
                return answers

            until(cancelled, what="the answer to the mail")
            sender.join()
            assert answers == [250 if broken else 451]
            tell(server, "ALTER SYSTEM RESET synchronous_standby_names")
            tell(server, "SELECT pg_reload_conf()")
