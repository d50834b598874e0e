"""How a ring is written and carried. What it needs is imported when the first one is due: most bridges ring nobody."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from bridge.store import subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.kept import PushWaiting
    from bridge.push.allowing import Allowed
    from bridge.push.courier import Courier
    from bridge.push.judging import ServiceAnswer
    from bridge.push.letter import PushLetter
    from bridge.push.writing import Letters
    from bridge.store.store import Store


class Posting:
    """Writes and carries. `subject` is whom the operator of a push service may write to, `now_s` is Unix time."""

    def __init__(self, store: Store, *, subject: str, allowed: Allowed, now_s: Callable[[], float]) -> None:
        self._store = store
        self._subject = subject
        self._allowed = allowed
        self._now_s = now_s
        self._opening = asyncio.Lock()
        self._opened: tuple[Letters, Courier] | None = None

    def use(self, *, subject: str, allowed: Allowed) -> None:
        """Do it so from the next letter on."""
        self._subject, self._allowed = subject, allowed
        if self._opened is not None:
            letters, courier = self._opened
            letters.subject, courier.allowed = subject, allowed

    async def letter(self, waiting: PushWaiting, text: bytes, *, ttl_s: int) -> PushLetter:
        """A letter to a device; raises StoreUnavailableError, or ValueError for keys that are none."""
        letters, _ = await self._parts()
        key = await self._store.read(subscriptions.read_key)
        if key is None:
            key = await self._store.write(subscriptions.key, letters.fresh_number)
        return letters.write(waiting, text, ttl_s=ttl_s, key=key)

    async def post(self, letter: PushLetter) -> ServiceAnswer:
        """What the push service answers; raises UndeliveredError."""
        _, courier = await self._parts()
        return await courier.post(letter)

    async def close(self) -> None:
        """End what goes on."""
        if self._opened is not None:
            await self._opened[1].close()

    async def _parts(self) -> tuple[Letters, Courier]:
        """Who writes and who carries. Their libraries take a while to import, which mail does not wait for."""
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open)
                self.use(subject=self._subject, allowed=self._allowed)  # it may have changed meanwhile
            return self._opened

    def _open(self) -> tuple[Letters, Courier]:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - the head of this module

        from bridge.push import sealing  # noqa: PLC0415 - as above
        from bridge.push.courier import Courier  # noqa: PLC0415
        from bridge.push.writing import Letters  # noqa: PLC0415

        letters = Letters(
            subject=self._subject,
            salt=lambda: os.urandom(sealing.SALT_BYTES),
            fresh_key=lambda: ec.generate_private_key(ec.SECP256R1()),
            now_s=self._now_s,
        )
        return letters, Courier(allowed=self._allowed)
