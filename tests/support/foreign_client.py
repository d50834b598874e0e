"""A process that is a client by somebody else's library: told by lines of JSON what to do, it says so what it hears.

    foreign_client.py LIBRARY PORT USERNAME PASSWORD VERSION

Orders: `{"do": "subscribe", "filter": …}`, `{"do": "publish", "topic": …, "payload": …}` at QoS 1, `{"do": "leave"}`.
What is said: `{"connected": present}`, null where its version or library does not tell; `{"subscribed": codes}`;
`{"published": true}`; one object with `topic`, `payload`, `retain` and `qos` for each message; `{"gone": reason}` when
the broker ends the connection. The session outlives it for an hour; its will is `gone` on the topic of its requests.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading

LIBRARY, PORT, USERNAME, PASSWORD, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
USER, _, DEVICE = USERNAME.partition(".")
WILL = f"mail/{USER}/do/{DEVICE}"
AN_HOUR = 3600


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


def heard(topic: str, payload: bytes | bytearray, *, retain: bool, qos: int) -> None:
    say(topic=topic, payload=payload.decode(), retain=retain, qos=qos)


def with_paho() -> None:
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = None
    if VERSION == 5:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=USERNAME, protocol=paho.MQTTv5)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = AN_HOUR
    else:
        protocol = {3: paho.MQTTv31, 4: paho.MQTTv311}[VERSION]
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=USERNAME, protocol=protocol, clean_session=False)
    client.username_pw_set(USERNAME, PASSWORD)
    client.will_set(WILL, b"gone", qos=1)
    client.on_connect = lambda _c, _u, flags, code, _p: say(
        connected=None if VERSION == 3 else flags.session_present, code=str(code)
    )
    client.on_subscribe = lambda _c, _u, _m, codes, _p: say(subscribed=[code.value for code in codes])
    client.on_publish = lambda *_: say(published=True)
    client.on_message = lambda _c, _u, got: heard(got.topic, got.payload, retain=got.retain, qos=got.qos)

    def gone(_client: object, _data: object, _flags: object, code: object, _properties: object) -> None:
        say(gone=str(code))
        client.loop_stop()

    client.on_disconnect = gone
    if VERSION == 5:
        client.connect("127.0.0.1", PORT, clean_start=False, properties=properties)
    else:
        client.connect("127.0.0.1", PORT)
    client.loop_start()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "subscribe":
            client.subscribe(order["filter"], 1)
        elif order["do"] == "publish":
            client.publish(order["topic"], order["payload"], 1)
        else:
            break
    client.disconnect()
    client.loop_stop()


def orders() -> asyncio.Queue[dict[str, str] | None]:
    """What comes by standard input, and None at its end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[dict[str, str] | None]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(queue.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    return queue


async def with_aiomqtt() -> None:
    import aiomqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    options: dict = {"protocol": aiomqtt.ProtocolVersion(VERSION)}
    if VERSION == 5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = AN_HOUR
        options |= {"clean_start": False, "properties": properties}
    else:
        options |= {"clean_session": False}
    client = aiomqtt.Client(
        "127.0.0.1",
        PORT,
        username=USERNAME,
        password=PASSWORD,
        identifier=USERNAME,
        will=aiomqtt.Will(WILL, b"gone", qos=1),
        **options,
    )
    queue = orders()

    async def listen() -> None:
        try:
            async for got in client.messages:
                assert isinstance(got.payload, bytes)
                heard(str(got.topic), got.payload, retain=got.retain, qos=got.qos)
        except aiomqtt.MqttError as error:
            say(gone=str(error))

    async with client:
        say(connected=None)  # it does not tell
        listening = asyncio.ensure_future(listen())
        while (order := await queue.get()) and order["do"] != "leave":
            if order["do"] == "subscribe":
                codes = await client.subscribe(order["filter"], qos=1)
                say(subscribed=[getattr(code, "value", code) for code in codes])
            else:
                await client.publish(order["topic"], order["payload"], qos=1)
                say(published=True)
        listening.cancel()


async def with_gmqtt() -> None:
    import gmqtt
    from gmqtt.mqtt.constants import MQTTv50, MQTTv311

    will = gmqtt.Message(WILL, b"gone", qos=1)
    life = {"session_expiry_interval": AN_HOUR} if VERSION == 5 else {}
    client = gmqtt.Client(USERNAME, clean_session=False, will_message=will, **life)
    client.set_auth_credentials(USERNAME, PASSWORD)
    client.set_config({"reconnect_retries": 0})

    def take(_client: object, topic: str, payload: bytes, qos: int, properties: dict) -> int:
        heard(topic, payload, retain=bool(properties["retain"]), qos=qos)
        return 0

    client.on_message = take
    client.on_connect = lambda _client, flags, *_: say(connected=bool(flags))
    client.on_subscribe = lambda _client, _mid, codes, _properties: say(subscribed=list(codes))
    client.on_disconnect = lambda _client, packet, exc=None: say(gone=f"{packet!r} {exc!r}")
    queue = orders()
    await client.connect("127.0.0.1", PORT, version={4: MQTTv311, 5: MQTTv50}[VERSION])
    while (order := await queue.get()) and order["do"] != "leave":
        if order["do"] == "subscribe":
            client.subscribe(order["filter"], qos=1)
        else:
            client.publish(order["topic"], order["payload"], qos=1)
            say(published=True)
    await client.disconnect()


if __name__ == "__main__":
    if LIBRARY == "paho":
        with_paho()
    else:
        asyncio.run({"aiomqtt": with_aiomqtt, "gmqtt": with_gmqtt}[LIBRARY]())
