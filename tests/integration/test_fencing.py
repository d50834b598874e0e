"""The fence at a real mosquitto: the connection of another node is closed, and by nobody else's password."""

from __future__ import annotations

import asyncio

import paho.mqtt.client as paho
import pytest

from bridge.config.endpoints import MqttUrl
from bridge.daemon import fencing
from bridge.daemon.fencing import Fence
from bridge.errors import ConfigurationError, RefusedError
from bridge.publish.target import Target, prepared
from tests.support.mosquitto import RuledMosquitto
from tests.support.waiting import until

PASSWORDS = {"bridge-a": "word-of-a", "bridge-b": "word-of-b"}


@pytest.fixture
def broker(tmp_path):
    with RuledMosquitto(tmp_path, dict.fromkeys(PASSWORDS, "bridge"), PASSWORDS) as running:
        yield running


@pytest.fixture
def nodes_file(tmp_path):
    path = tmp_path / "nodes"
    path.write_text("# of all bridges\na: word-of-a\nb:word-of-b\n")
    return path


def target(broker, node):
    return Target(MqttUrl.parse(broker.url), f"bridge-{node}", PASSWORDS[f"bridge-{node}"])


def fence(broker, **changed):
    return Fence(target=lambda _cell: target(broker, "b"), **{"passwords": None, "cluster": False} | changed)


def test_the_connection_of_the_node_is_closed_when_it_returns(broker, nodes_file, monkeypatch):
    monkeypatch.setattr(fencing, "CLUSTER_S", 0.01)
    theirs = target(broker, "a")
    client = prepared(theirs, client_id="postbell-a", mqtt5=False, kind=paho.Client)
    ends = []
    client.on_disconnect = lambda *_: ends.append(True)
    client.connect(theirs.url.address.host, theirs.url.address.port)
    client.loop_start()
    until(client.is_connected, what="a to be connected")
    asyncio.run(fence(broker, passwords=nodes_file, cluster=True).close(0, "a"))
    until(lambda: ends, what="a to have lost its connection")
    client.loop_stop()


def test_with_another_password_it_does_not_return_in_peace(broker, monkeypatch):
    monkeypatch.setattr(fencing, "PATIENCE_S", 0.0)
    with pytest.raises(RefusedError, match="bridge-a is not let in"):
        asyncio.run(fence(broker).close(0, "a"))


def test_a_file_without_the_node_says_what_to_write(broker, nodes_file, tmp_path):
    with pytest.raises(ConfigurationError, match="no line for the node 'c'; add c:PASSWORD"):
        asyncio.run(fence(broker, passwords=nodes_file).close(0, "c"))
    with pytest.raises(ConfigurationError, match="No such file"):
        asyncio.run(fence(broker, passwords=tmp_path / "none").close(0, "a"))
