"""What waits for the broker's word can be ended at any moment, also at that at which the word comes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.publish.connection import BrokerConnection


class Client:
    """Takes what paho takes, and answers when it is told to."""

    on_subscribe: Any
    on_unsubscribe: Any

    def subscribe(self, _filters):
        return 0, 7

    def unsubscribe(self, _filters):
        return 0, 7


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
def test_a_cancellation_at_the_moment_of_the_answer_is_not_swallowed(verb, turns):
    async def scene():
        client: Any = Client()
        connection = BrokerConnection(client, on_message=lambda _: asyncio.sleep(0))
        words = {"qos": 1} if verb == "subscribe" else {}
        asking = asyncio.create_task(getattr(connection, verb)(["mail/#"], **words))
        await asyncio.sleep(0)
        if verb == "subscribe":
            client.on_subscribe(client, None, 7, [], None)
        else:
            client.on_unsubscribe(client, None, 7)
        for _ in range(turns):
            await asyncio.sleep(0)
        if asking.cancel():
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            await asking

    asyncio.run(scene())
