"""What devices fetch of a message: its text, its parts, itself; from a small cache, for it is asked for in pieces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.contract import requests
from bridge.contract.requests import Operation, Status
from bridge.errors import BadRequestError
from bridge.requests.answers import AnswerCache, extract

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.kept import StoredBody
    from bridge.requests.needs import Messages


class FetchedBodies:
    """Reads bodies.

    `load` reads a stored one: None when it is gone, StoreUnavailableError when the disk does not give it.
    """

    def __init__(self, *, store: Messages, load: Callable[[StoredBody], Awaitable[bytes | None]]) -> None:
        self._store = store
        self._load = load
        self._cache = AnswerCache()

    async def read(self, user_id: int, mail_id: str, operation: Operation, index: int = 0) -> bytes:
        """What an operation gives of a message; raises BadRequestError or StoreUnavailableError."""
        (number,) = requests.mail_numbers([mail_id])
        key = (user_id, number, operation, index)
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        stored = await self._store.body(user_id, number)
        if stored is None:
            raise BadRequestError(Status.NO_MESSAGE, "no such message")
        raw = await self._load(stored)
        if raw is None:
            raise BadRequestError(Status.BODY_GONE, "the body is no longer kept")
        content = await asyncio.to_thread(extract, raw, operation, index)
        self._cache.put(key, content)
        return content
