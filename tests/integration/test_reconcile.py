"""Whatever a broker holds, it ends up holding exactly the live set: mosquitto, NATS and the embedded broker."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.contract import ids
from bridge.store import offline, people
from bridge.store.live import live_numbers
from tests.support.mosquitto import mosquitto
from tests.support.nats import nats
from tests.support.stored import Clock, header, mail, storing
from tests.support.system import ROOT, System
from tests.support.waiting import until

ALICE = "alice@example.org"


class Onlooker:
    """Somebody who sees the broker's retained state below a root, and may tamper with it."""

    def __init__(self, port, topic="mail/#"):
        self.retained = {}
        self.heard = {}  # topic: when it came last
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(topic)
        self.client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def _message(self, _client, _userdata, message):
        self.heard[message.topic] = time.monotonic()
        if message.topic.endswith("/event"):
            return
        if message.payload:
            self.retained[message.topic] = message.payload
        else:
            self.retained.pop(message.topic, None)

    def put(self, topic, payload):
        self.client.publish(topic, payload, qos=1, retain=True).wait_for_publish(10)
        until(lambda: self.retained.get(topic, b"") == payload, what=topic)


def mail_of(number):
    return f"From: Bob <bob@example.net>\nSubject: number {number}\nMessage-ID: <{number}@x>\n\nhello\n".encode()


def external(port):
    return {"POSTBELL_BROKER__EMBEDDED": "false", "POSTBELL_MQTT__URL": f"mqtt://127.0.0.1:{port}"}


@contextmanager
def settled(tmp_path, mails=3, broker=mosquitto, **overrides):
    """A running system on a broker, with alice and her mail published, and an onlooker."""
    with broker(tmp_path) as port, System(tmp_path, **external(port), **overrides) as system, Onlooker(port) as seen:
        system.run("user", "add", "alice", "--address", ALICE)
        bridge = system.serve()
        for number in range(mails):
            system.send(mail_of(number), ALICE)
        system.wait_drained()
        until(lambda: len(seen.retained) == mails + 4, what="the mail to be published")
        yield system, bridge, seen


def tamper(seen):
    """What a broker may come back with: something missing, something else, and more than there should be."""
    message = next(topic for topic in seen.retained if "/msg/" in topic)
    seen.put(message, b"")
    seen.put("mail/alice/text", b"something else")
    seen.put("mail/alice/msg/000000001", b"stale")
    seen.put("mail/alice/msg/nonsense", b"stale")
    seen.put("mail/nobody/msg/000000001", b"of a user who was removed")
    seen.put("mail/nobody/box", b"the same")
    return {"missing": 1, "different": 1, "stale": 4}


def reconcile(system, *options):
    repair = json.loads(system.run("reconcile", "--json", *options).stdout)
    return {kind: repair[kind] for kind in ("missing", "different", "stale")}


NOTHING = {"missing": 0, "different": 0, "stale": 0}


@pytest.mark.parametrize("broker", [mosquitto, nats], ids=["mosquitto", "nats"])
def test_a_bridge_that_connects_repairs_whatever_the_broker_came_back_with(tmp_path, broker):
    with settled(tmp_path, broker=broker) as (system, bridge, seen):
        wanted = dict(seen.retained)
        system.stop(bridge)
        tamper(seen)
        assert seen.retained != wanted
        system.serve()
        until(lambda: seen.retained == wanted, what="the live set and nothing else")
        assert reconcile(system) == NOTHING


def test_by_hand_beside_a_running_bridge_and_while_none_runs(tmp_path):
    with settled(tmp_path) as (system, bridge, seen):
        wanted = dict(seen.retained)
        found = tamper(seen)
        tampered = dict(seen.retained)
        assert reconcile(system, "--dry-run") == found
        assert seen.retained == tampered, "a dry run touches nothing"
        assert reconcile(system) == found
        until(lambda: seen.retained == wanted, what="the repair")
        system.wait_drained()  # or what is not recorded as acknowledged is published again, before anybody looks
        system.stop(bridge)
        tamper(seen)
        tampered = dict(seen.retained)
        said = system.run("reconcile", "--dry-run").stdout
        assert said == "the broker held 10 topics; would repair: 1 missing, 1 different, 4 stale\n"
        assert seen.retained == tampered
        done = system.run("reconcile")
        assert done.stdout == "the broker held 10 topics; repaired: 1 missing, 1 different, 4 stale\n"
        assert not done.stderr
        until(lambda: seen.retained == wanted, what="the repair")
        assert system.waiting() == 0


def test_two_at_once_do_not_mislead_each_other(tmp_path):
    with settled(tmp_path) as (system, _, seen):
        command = [sys.executable, "-m", "bridge", "reconcile", "--dry-run", "--json"]
        environment = system.environment | {"PYTHONPATH": str(ROOT)}
        asked = [
            subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        answers = [json.loads(process.communicate(timeout=60)[0]) for process in asked]
        assert answers == [NOTHING | {"held": len(seen.retained)}] * 2


def test_a_user_removed_while_the_broker_was_away_is_cleared_when_it_is_back(tmp_path):
    with settled(tmp_path) as (system, bridge, seen):
        system.stop(bridge)
        system.run("user", "remove", "alice")
        with offline.transaction(system.state_dir / "postbell.db", now_ms=0, count=1, days=1) as transaction:
            transaction.connection.execute("DELETE FROM outbox")  # as if a backup without the marks was restored
        system.serve()
        until(lambda: not seen.retained, what="her topics to be cleared")


def test_a_broker_that_comes_back_empty_is_filled_again(tmp_path):
    with ExitStack() as first, ExitStack() as rest:
        port = first.enter_context(mosquitto(tmp_path))
        system = rest.enter_context(System(tmp_path, **external(port)))
        system.run("user", "add", "alice", "--address", ALICE)
        system.serve()
        accepted = {f"mail/alice/msg/{system.send(mail_of(number), ALICE)}" for number in range(5)}
        system.wait_drained()
        first.close()
        until(lambda: not system.facts("bridge").get("connected"), what="the bridge to notice")
        accepted.add(f"mail/alice/msg/{system.send(mail_of(9), ALICE)}")
        rest.enter_context(mosquitto(tmp_path, port=port))
        with Onlooker(port) as seen:
            until(lambda: seen.retained.keys() >= accepted, what="the new broker to hold all")


# --- many topics ----------------------------------------------------------------------------------


def fill(system, users, mails):
    """People and their mail, straight into the store; the ids of the last user's mail."""
    path = system.state_dir / "postbell.db"

    async def keep():
        with offline.transaction(path, now_ms=Clock().now_ms, count=100, days=7) as transaction:
            for number in range(users):
                people.add_user(transaction, f"user{number}", [f"user{number}@example.org"])
        clock = Clock(time.time_ns() // 1_000_000 - 3_600_000)  # an hour ago: events of then are no news
        async with storing(path, clock=clock) as store:
            everybody = await store.directory.everybody()
            for number in range(mails):
                await store.keep(mail(*everybody, text=str(number)), header(f"number {number}"), message_id="")

    asyncio.run(keep())


def live_of(system):
    """The topics of all live messages, straight from the store."""
    with offline.reading(system.state_dir / "postbell.db") as connection:
        users = connection.execute("SELECT user_id, name FROM user").fetchall()
        return {
            f"mail/{name}/msg/{ids.encode(number)}"
            for user_id, name in users
            for number in live_numbers(connection, user_id)
        }


def test_ten_thousand_topics_are_looked_at_without_missing_one_or_holding_up_live_mail(tmp_path):
    """On mosquitto as it comes, which drops from a replay of more than 1000 messages without a word."""
    with mosquitto(tmp_path, settings="") as port, System(tmp_path, **external(port)) as system:
        system.environment["POSTBELL_RETAIN__COUNT"] = "100"
        fill(system, users=100, mails=100)
        system.run("user", "add", "alice", "--address", ALICE)
        system.serve()
        system.wait_drained()
        assert len(live_of(system)) == 10_000
        assert reconcile(system, "--dry-run") == NOTHING
        with Onlooker(port, "mail/alice/#") as seen:
            command = [sys.executable, "-c", REPEATED]
            environment = system.environment | {"PYTHONPATH": str(ROOT), "RUN_DIR": str(system.state_dir / "run")}
            replaying = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
            )
            replaying.stdout.readline()
            mails = [delivered(system, seen, number) for number in range(20)]
            answers, _ = replaying.communicate("stop\n", timeout=60)
        assert int(answers) >= 1, "there was a replay to be disturbed by"
        assert statistics.median(waited_for(system, mail_id) for mail_id in mails) == 0, "no mail waits for a replay"


REPEATED = """
import os, pathlib, select, sys
from bridge.daemon import control
run_dir, times = pathlib.Path(os.environ["RUN_DIR"]), 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0] or not times:
    assert control.ask(run_dir, {"do": "reconcile", "dry_run": True})["held"] > 10_000
    times += 1
print(times)
"""


def delivered(system, seen, number):
    """Send a mail and wait for its header; its id."""
    mail_id = system.send(mail_of(number), ALICE)
    until(lambda: f"mail/alice/msg/{mail_id}" in seen.heard, what="the header")
    return mail_id


def waited_for(system, mail_id):
    """How many replays ended between the 250 and the broker's acknowledgement of the header."""
    log = (system.directory / "serve.log").read_text().splitlines()
    lines = [json.loads(line) for line in log if line.startswith("{")]
    names = [f"{line['event']} {line.get('id', '')} {line.get('kind', '')}".strip() for line in lines]
    return names[names.index(f"message_kept {mail_id}") : names.index(f"published {mail_id} msg")].count("reconciled")


def test_a_small_ring_and_many_users_fit_the_embedded_brokers_limits(tmp_path):
    with System(tmp_path, POSTBELL_RETAIN__COUNT="1") as system:
        fill(system, users=120, mails=2)
        system.serve()
        system.wait_drained()
        assert reconcile(system, "--dry-run") == NOTHING
        assert len(live_of(system)) == 120
