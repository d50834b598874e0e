"""What comes from the broker: the requests of devices, and the markers of our own replays."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from bridge.contract import topics
from bridge.errors import LinkDownError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.daemon.elsewhere import Answering
    from bridge.publish.connection import BrokerConnection, Incoming
    from bridge.publish.replay import Replay

SUBSCRIBE_AGAIN_S = 30.0
"""After a subscription that the broker refused or left without an answer."""

SYSTEM = "$SYS/"
"""What is below this is the broker's own (MQTT 3.1.1 §4.7.2)."""


class Inbound:
    """Subscribes to requests, and hands each message to whom it is for.

    `heard` is told the topic of each request, `figures` what the broker says of itself, if anybody subscribed to that,
    and `announced` what comes below the prefix `home`, if there is one.
    """

    def __init__(
        self,
        *,
        requests: Answering,
        replay: Replay,
        heard: Callable[[str], None],
        figures: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        announced: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        home: str = "",
        root: str,
    ) -> None:
        self._requests = requests
        self._heard = heard
        self._figures = figures
        self._announced = announced
        self._home = home
        self._replay = replay
        self._root = root
        self._filter = topics.request_filter(root)
        self._log = structlog.get_logger()

    async def listen(self, connection: BrokerConnection) -> None:
        """Have requests delivered: asked for until the broker has confirmed it, or the connection is lost."""
        while True:
            try:
                await connection.subscribe([self._filter], qos=1)
            except LinkDownError:
                return
            except (RefusedError, TimeoutError) as error:
                self._log.error("requests_not_heard", reason=str(error) or "no answer to the subscription")
                await asyncio.sleep(SUBSCRIBE_AGAIN_S)
            else:
                return

    async def clear_retained(self, connection: BrokerConnection) -> None:
        """Clear requests that a device had the broker retain, each when it is replayed, until the connection is lost.

        Ours retains none; mosquitto and NATS cannot be told so. It was answered when it came, and is not again.
        """
        replayed: asyncio.Queue[str] = asyncio.Queue()

        def remember(topic: str, payload: bytes) -> None:
            if payload and topics.parse_request(self._root, topic) is not None:
                replayed.put_nowait(topic)

        with connection.retained(remember), contextlib.suppress(LinkDownError):
            while True:
                topic = await replayed.get()
                await connection.publish(topic, b"", retain=True)
                sender = topics.parse_request(self._root, topic)
                assert sender is not None
                self._log.info("retained_request_cleared", user=sender.user, device=sender.device)

    def _is_request(self, topic: str) -> bool:
        return topics.parse_request(self._root, topic) is not None

    async def take(self, message: Incoming) -> None:
        """One message; it is acknowledged when this returns."""
        if message.topic == self._replay.marker_topic:
            self._replay.marker_received(message.payload)
        elif message.topic.startswith(SYSTEM):
            self._figures(message.topic, message.payload)
        elif self._home and message.topic.startswith(f"{self._home}/") and not self._is_request(message.topic):
            self._announced(message.topic, message.payload)
        elif message.payload:  # without, it clears what was retained: see below
            self._heard(message.topic)
            await self._requests.handle(
                message.topic,
                message.payload,
                response_topic=message.response_topic,
                correlation=message.correlation,
            )
