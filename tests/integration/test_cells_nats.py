"""NATS on three nodes as a cell of two bridges that share a PostgreSQL: whose its users are dies, and a node of it."""

from __future__ import annotations

import signal
import subprocess
from contextlib import ExitStack

import msgpack
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.postgres import database
from bridge.store import offline, people
from tests.support.nats import NatsNode
from tests.support.shared_cells import SharedCells
from tests.support.waiting import free_port, listens, until

WORDS = {"bridge-a": "word-of-a", "bridge-b": "word-of-b"}
EVERYBODY = [f"user{number}" for number in range(8)]
pytestmark = pytest.mark.timeout(300)


class NatsOfThree:
    """The nodes; devices may do as they like, as this is not about what they may."""

    def __init__(self, directory, users):
        directory.mkdir()
        routes = [free_port() for _ in range(3)]
        logins = WORDS | {f"{user}.phone": f"word-of-{user}" for user in users}
        told = {
            "mqtt": {"ack_wait": "2s", "max_ack_pending": 1000},
            "authorization": {"users": [{"user": name, "password": word} for name, word in logins.items()]},
        }
        self.nodes = []
        for number in range(3):
            cluster = {
                "name": "cell",
                "listen": f"127.0.0.1:{routes[number]}",
                "routes": [f"nats-route://127.0.0.1:{port}" for port in routes],
            }
            self.nodes.append(NatsNode(directory, name=f"node-{number}", more={**told, "cluster": cluster}))
        self.logs = [directory / f"{number}.log" for number in range(3)]
        self.processes = []

    def __enter__(self):
        for node, path in zip(self.nodes, self.logs, strict=True):
            with path.open("wb") as log:
                self.processes.append(subprocess.Popen(node.command, stdout=log, stderr=log))
        until(lambda: all(listens(("127.0.0.1", node.port)) for node in self.nodes), what="NATS to listen")
        leader = "JetStream cluster new metadata leader"
        until(
            lambda: any(leader in log.read_text(errors="replace") for log in self.logs),
            what="the cluster to have a leader",
        )
        return self

    def __exit__(self, *_exception):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


class Phone:
    """A device at one of the nodes: the headers that it has."""

    def __init__(self, user, port):
        self.headers, self.box, self.ready = {}, [], []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{user}:phone", clean_session=False)
        self.client.username_pw_set(f"{user}.phone", f"word-of-{user}")
        self.client.on_message = self.received
        self.filters = [(f"mail/{user}/msg/+", 1), (f"mail/{user}/box", 1)]
        self.client.on_connect = self.connected
        self.client.on_subscribe = lambda *_: self.ready.append(True)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        until(lambda: self.ready, what="the phone to have subscribed")

    def connected(self, *_):
        self.client.subscribe(self.filters)

    def received(self, _client, _userdata, message):
        leaf = message.topic.rpartition("/")[2]
        if leaf == "box":
            self.box = msgpack.unpackb(message.payload)
        elif message.payload:
            self.headers[leaf] = bytes(message.payload)
        else:
            self.headers.pop(leaf, None)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def test_users_at_nats_go_on_when_their_bridge_dies_and_when_a_node_does(tmp_path, postgres):
    database.prepare(postgres)
    with ExitStack() as stack:
        nats = stack.enter_context(NatsOfThree(tmp_path / "nats", EVERYBODY))
        system = stack.enter_context(SharedCells(tmp_path, postgres, names=("main",), POSTBELL_MQTT__CLUSTER="true"))
        system.run("cell", "add", "east", f"mqtt://127.0.0.1:{nats.nodes[0].port}")
        with offline.transaction(postgres, now_ms=0, count=100, days=7) as transaction:
            for user in EVERYBODY:
                people.add_user(transaction, user, [f"{user}@example.org"])
        system.serve()
        there = sorted(system.at("east"))
        assert len(there) == 4
        phones = {user: Phone(user, nats.nodes[2].port) for user in there}
        for phone in phones.values():
            stack.callback(phone.close)
        kept = [system.send("before", *there)]

        def all_have(these):
            return all(
                phone.headers.keys() == set(these) and phone.box[1:2] == [len(these)] for phone in phones.values()
            )

        until(lambda: all_have(kept), what="the first mail everywhere")
        owner = str(system.store.owner(there[0]))
        other = "b" if owner == "a" else "a"
        system.nodes[owner].send_signal(signal.SIGKILL)
        kept.append(system.send("after", *there, node=other))
        until(lambda: all_have(kept), what="the mail after the bridge died")
        assert {each["cell"] for each in system.nodes[other].logged("node_fenced") if each["node"] == owner} == {0, 1}
        nats.processes[1].kill()
        kept.append(system.send("later", *there, node=other))
        until(lambda: all_have(kept), what="the mail after a node died")
