"""The device of a benchmark: what it counts, how long it waits, and what it says of a broker that does not take it."""

from __future__ import annotations

import asyncio
import socket

import paho.mqtt.client as paho
import pytest

from bridge.bench import receiving
from bridge.bench.receiving import NotConnectedError, Receiver, receiver
from tests.support.scripted_broker import CONNACK, ScriptedBroker, packet


def came(found, mail_id, payload=b"header"):
    message = paho.MQTTMessage(topic=f"mail/alice/msg/{mail_id}".encode())
    message.payload = payload
    found.note(None, None, message)


def test_a_mail_that_is_gone_is_none_that_came():
    async def story():
        found = Receiver()
        came(found, "one", b"")
        assert not found.times
        came(found, "one")
        came(found, "one")
        came(found, "two")
        return found

    found = asyncio.run(story())
    assert (dict(found.times), found.twice) == ({"one": 2, "two": 1}, 1)


def test_it_waits_until_all_have_come():
    async def story():
        found = Receiver()
        came(found, "one")
        waits = asyncio.ensure_future(found.wait_for(["one", "two", "three"]))
        for each in ("two", "three"):
            await asyncio.sleep(0)
            assert not waits.done()
            came(found, each)
        return await waits

    assert asyncio.run(story())


def test_it_does_not_wait_for_ever_for_a_mail_that_does_not_come(monkeypatch):
    async def story():
        found = Receiver()
        came(found, "one")
        return await found.wait_for(["one", "two"]), await found.wait_for(["one"])

    monkeypatch.setattr(receiving, "QUIET_S", 0.0)
    assert asyncio.run(story()) == (False, True)


async def connect(port, login):
    async with receiver(("127.0.0.1", port), "mail/alice/msg/+", login):
        pass


@pytest.mark.parametrize("login", [("alice-phone", "wrong"), ("", "")])
def test_a_broker_that_refuses_the_login_is_named_with_its_reason(login):
    refusal = packet(CONNACK, bytes([0, 5]))
    with (
        ScriptedBroker(refusal) as broker,
        pytest.raises(NotConnectedError, match=f"^the broker at 127.0.0.1:{broker.port}: Not authorized$"),
    ):
        asyncio.run(connect(broker.port, login))


def test_a_broker_that_does_not_listen_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NotConnectedError, match=f"^the broker at 127.0.0.1:{port}: Connection refused$"):
            asyncio.run(connect(port, ("", "")))
