"""SUBSCRIBE and UNSUBSCRIBE of one client: done when their turn comes, answered when they are on disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from broker.wire.codec import MOST_FILTERS

if TYPE_CHECKING:
    from broker.session import DeviceSession
    from broker.shared import Shared
    from broker.wire.codec import Codec
    from broker.wire.frames import Frame

_SUBSCRIBE = 64  # units of work (turns.py) of a SUBSCRIBE beside its filters: what its replays may send at once


async def subscribe(frame: Frame, *, session: DeviceSession, codec: Codec, shared: Shared) -> bytes:
    """Do as a SUBSCRIBE says; its SUBACK, nothing when the connection has ended meanwhile. Raises ProtocolError."""
    packet, handler = codec.subscribe(frame, most=_most(shared)), session.handler
    await shared.turns.wait(len(packet.wanted) + _SUBSCRIBE, known=True)
    if session.handler is not handler:
        return b""
    codes = shared.router.subscribe(session, packet.wanted)
    await _on_disk(session, shared)
    return codec.encode_suback(packet.packet_id, codes)


async def unsubscribe(frame: Frame, *, session: DeviceSession, codec: Codec, shared: Shared) -> bytes:
    """Do as an UNSUBSCRIBE says; its UNSUBACK, nothing when the connection has ended. Raises ProtocolError."""
    packet, handler = codec.unsubscribe(frame, most=_most(shared)), session.handler
    await shared.turns.wait(len(packet.filters), known=True)
    if session.handler is not handler:
        return b""
    codes = shared.router.unsubscribe(session, packet.filters)
    await _on_disk(session, shared)
    return codec.encode_unsuback(packet.packet_id, codes)


def _most(shared: Shared) -> int:
    return max(MOST_FILTERS, shared.limits.subscriptions)


async def _on_disk(session: DeviceSession, shared: Shared) -> None:
    """Wait until the subscriptions are: a device that has its SUBACK does not ask again."""
    store, handler = shared.store, session.handler
    ticket, committed = store.ticket, asyncio.Event()
    while session.durable and store.committed < ticket and session.handler is handler:
        committed.clear()
        store.call_on_commit(committed.set)
        await committed.wait()
