"""The bridge's way to its broker: each transport, a serve that ends or fails, and a broker that refuses."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bridge.config.endpoints import MqttUrl
from bridge.errors import LinkDownError, RefusedError
from bridge.publish.backoff import Backoff
from bridge.publish.link import Link
from bridge.publish.target import Target
from tests.integration.test_broker_listeners import broker_with, certificate
from tests.support.mqtt_broker import password_of


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    directory = tmp_path_factory.mktemp("broker")
    base = certificate(directory, "server")
    config = (
        '[broker]\ntls_listen = "127.0.0.1:0"\nwebsocket = "127.0.0.1:0"\nsecure_websocket = "127.0.0.1:0"\n'
        f'tls_cert = "{base}.crt"\ntls_key = "{base}.key"\n'
    )
    with broker_with(directory, config) as running:
        yield running, base.with_suffix(".crt")


def linked(broker, serve, *, scheme="mqtt", listener="mqtt", password="", trusts=True, until=None):
    """What was logged while a link served, until `serve` set the event, or the link's trouble has these words."""
    running, authority = broker
    port, ca_file = running.address(listener)[1], authority if trusts else None

    async def story():
        ended = asyncio.Event()
        link = Link(
            target=lambda: Target(
                MqttUrl(scheme, "localhost", port), "bridge", password or password_of("bridge"), ca_file
            ),
            node="main",
            keepalive_s=60,
            version="auto",
            backoff=Backoff(first_s=0.01, longest_s=0.02),
            jitter=lambda: 0.5,
            on_message=lambda _: asyncio.sleep(0),
        )
        running = asyncio.create_task(link.run(lambda connection: serve(connection, ended)))
        waiting = asyncio.create_task(ended.wait())
        try:
            async with asyncio.timeout(60):
                while until is not None and until not in link.trouble:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.01)
                if until is None:
                    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
                    if running.done():
                        running.result()
        finally:
            waiting.cancel()
            running.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)

    with capture_logs() as said:
        asyncio.run(story())
    return said


async def publish_once(connection, ended):
    await connection.publish("mail/alice/msg/1", b"x", retain=True)
    ended.set()


@pytest.mark.parametrize(
    ("scheme", "listener"),
    [("mqtt", "mqtt"), ("mqtts", "mqtts"), ("ws", "websocket"), ("wss", "secure_websocket")],
)
def test_a_message_is_acknowledged_over_each_transport(broker, scheme, listener):
    said = linked(broker, publish_once, scheme=scheme, listener=listener)
    assert said[0]["event"] == "broker_connected"


def test_a_certificate_that_nobody_vouches_for_is_refused(broker):
    said = linked(
        broker, publish_once, scheme="mqtts", listener="mqtts", trusts=False, until="the certificate is not trusted"
    )
    assert {each["event"] for each in said} == {"broker_unreachable"}


def test_a_wrong_password_is_told_and_tried_again(broker):
    said = linked(broker, publish_once, password="wrong", until="refused the connection")
    assert "refused the connection" in said[0]["reason"]


def test_who_gives_up_serving_is_connected_again(broker):
    turns = []

    async def twice(_connection, ended):
        turns.append(1)
        if len(turns) == 2:
            ended.set()
            await asyncio.Event().wait()

    said = linked(broker, twice)
    assert [(each["event"], each.get("reason")) for each in said][:3] == [
        ("broker_connected", None),
        ("broker_lost", "gave up"),
        ("broker_connected", None),
    ]


def test_a_defect_in_serving_stops_the_link(broker):
    async def fails(_connection, _ended):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        linked(broker, fails)


def test_on_a_closed_connection_nothing_is_sent_and_nothing_waits(broker):
    looks = []

    async def look(connection, ended):
        await connection.close()
        for sent in (
            connection.publish("mail/alice/msg/3", b"x", retain=False),
            connection.subscribe(["mail/#"], qos=1),
            connection.unsubscribe(["mail/#"]),
        ):
            with pytest.raises(LinkDownError):
                await sent
        ended.set()

    async def apart(connection, ended):  # the link ends who serves a closed connection
        looks.append(asyncio.create_task(look(connection, ended)))
        await ended.wait()

    linked(broker, apart)
    assert looks[0].done()
    assert looks[0].exception() is None


def test_a_filter_that_the_broker_refuses_is_an_error(broker):
    async def look(connection, ended):
        with pytest.raises(RefusedError, match="refused a subscription"):
            await connection.subscribe(["other/#"], qos=1)
        ended.set()

    linked(broker, look)
