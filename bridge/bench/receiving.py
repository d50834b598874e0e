"""A device that only notes which mails came, and when: the clock and the loop are those of the sender."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

QUIET_S = 30.0
"""After so long without a mail that is still expected no more is waited for."""


class NotConnectedError(PostbellError):
    """The broker did not take the device's connection or subscription."""


class Receiver:
    """What came so far, by the last level of its topic."""

    def __init__(self) -> None:
        self.first_at: dict[str, float] = {}
        self.times: Counter[str] = Counter()
        self._came = asyncio.Event()

    def note(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        """A message came; one without content says that a mail is gone."""
        if message.payload:
            mail_id = message.topic.rpartition("/")[2]
            self.first_at.setdefault(mail_id, time.perf_counter())
            self.times[mail_id] += 1
            self._came.set()

    @property
    def twice(self) -> int:
        """How many mails came more than once."""
        return sum(count > 1 for count in self.times.values())

    async def wait_for(self, mails: Collection[str]) -> bool:
        """Wait until all of these have come; False when none of those that lack came for a long while."""
        missing = set(mails) - self.first_at.keys()
        while missing:
            self._came.clear()
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._came.wait()
            except TimeoutError:
                return False
            missing -= self.first_at.keys()
        return True


@asynccontextmanager
async def receiver(address: tuple[str, int], topic_filter: str, login: tuple[str, str]) -> AsyncIterator[Receiver]:
    """A device with a session that stays, subscribed at QoS 1; raises NotConnectedError."""
    loop, found = asyncio.get_running_loop(), Receiver()
    client = paho.Client(CallbackAPIVersion.VERSION2, f"{login[0]}-bench", clean_session=False)
    if login[0]:
        client.username_pw_set(*login)
    ready: asyncio.Future[None] = loop.create_future()

    def refused(why: object) -> None:
        if not ready.done():
            ready.set_exception(NotConnectedError(f"the broker at {address[0]}:{address[1]}: {why}"))

    def connected(_client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            refused(reason)
        else:
            client.subscribe(topic_filter, 1)

    client.on_connect, client.on_message = connected, found.note
    client.on_socket_open = lambda *told: loop.add_reader(told[2].fileno(), client.loop_read)
    client.on_socket_close = lambda *told: _heedless(loop.remove_reader, told[2])
    client.on_socket_register_write = lambda *told: loop.add_writer(told[2].fileno(), client.loop_write)
    client.on_socket_unregister_write = lambda *told: _heedless(loop.remove_writer, told[2])
    client.on_subscribe = lambda *_: None if ready.done() else ready.set_result(None)
    client.on_disconnect = lambda *told: refused(told[3])
    try:
        client.connect(*address, keepalive=0)  # a mail may take longer than any interval
    except OSError as error:
        raise NotConnectedError(f"the broker at {address[0]}:{address[1]}: {error.strerror or error}") from error
    try:
        async with asyncio.timeout(QUIET_S):
            await ready
        yield found
    finally:
        client.disconnect()


def _heedless(remove: Callable[[int], bool], sock: Any) -> None:
    """Have the loop look no more at a socket, whether it did or not."""
    remove(sock.fileno())
