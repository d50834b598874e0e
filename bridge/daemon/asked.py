"""What commands ask of all bridges at a database (`bridge/shards/asking.py`), answered by one of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import structlog

from bridge.errors import PostbellError, StoreUnavailableError
from bridge.shards.asking import NodeAnswer, pieces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    Action = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Asked:
    """Answers until cancelled. `actions` are what can be asked.

    `owned` are the shards that are this node's wherever their users are, so that an answer is about all of these.
    `tell` has all hear the pieces of an answer; it raises StoreUnavailableError.
    """

    def __init__(
        self,
        *,
        node: str,
        actions: Callable[[], Mapping[str, Action]],
        owned: Callable[[], Collection[int]],
        tell: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._node = node
        self._actions = actions
        self._owned = owned
        self._tell = tell
        self._requests: asyncio.Queue[str] = asyncio.Queue()
        self._log = structlog.get_logger()

    def take(self, request: str) -> None:
        """One was heard."""
        self._requests.put_nowait(request)

    async def run(self) -> None:
        """Answer each as it comes."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                request = await self._requests.get()
                tasks.create_task(self._answer(request), name="asked")

    async def _answer(self, text: str) -> None:
        try:
            request = json.loads(text)
            token, action = request["token"], self._actions()[request["do"]]
        except (ValueError, KeyError, TypeError):
            self._log.warning("asked_in_vain", request=text[:100])  # by another version, which hears no answer
            return
        before = frozenset(self._owned())
        try:
            answer = await action(request)
        except PostbellError as error:
            answer = {"error": str(error)}
        shards = before.intersection(self._owned())
        try:
            await self._tell(pieces(token, NodeAnswer(self._node, shards, answer)))
        except StoreUnavailableError as error:
            self._log.warning("answer_not_told", reason=str(error))
