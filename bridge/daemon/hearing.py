"""When each device asked for something last: all that is known of a device at a broker that is not ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.contract import topics
from bridge.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

NOTE_S = 60.0
"""How often it is written down, if there is anything."""


class Hearing:
    """Notes who asked, and writes it down now and then; `note` takes Unix milliseconds by user and device."""

    def __init__(
        self,
        *,
        note: Callable[[Mapping[tuple[str, str], int]], Awaitable[None]],
        root: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._note = note
        self._root = root
        self._now_ms = now_ms
        self._heard: dict[tuple[str, str], int] = {}
        self._log = structlog.get_logger()

    def heard(self, topic: str) -> None:
        """A request came on this topic."""
        sender = topics.parse_request(self._root, topic)
        if sender is not None:
            self._heard[sender.user, sender.device] = self._now_ms()

    async def run(self) -> None:
        """Write down until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(NOTE_S)
                await self._write_down()
        finally:
            await self._write_down()

    async def _write_down(self) -> None:
        heard, self._heard = self._heard, {}
        if not heard:
            return
        try:
            await self._note(heard)
        except StoreUnavailableError as error:
            self._heard = heard | self._heard
            self._log.warning("requests_not_noted", reason=str(error))
