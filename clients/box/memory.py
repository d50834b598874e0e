"""What a client remembers of message ids: which are live, which are gone, which were shown."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from clients.contract.digest import Digest

GONE_IDS = 20_000
"""How many ids of vanished messages are remembered, the most recently vanished ones."""


class IdSet:
    """Ids with the check of a box digest, kept up to date in constant time."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._ids: set[str] = set()
        self._check = 0
        for mail_id in ids:
            self.add(mail_id)

    @property
    def ids(self) -> frozenset[str]:
        """A copy of the ids."""
        return frozenset(self._ids)

    def add(self, mail_id: str) -> None:
        """The set holds the id from now on."""
        if mail_id not in self._ids:
            self._ids.add(mail_id)
            self._check ^= zlib.crc32(mail_id.encode())

    def discard(self, mail_id: str) -> None:
        """The set does not hold the id any more."""
        if mail_id in self._ids:
            self._ids.remove(mail_id)
            self._check ^= zlib.crc32(mail_id.encode())

    def matches(self, digest: Digest, *, with_also: Collection[str] = ()) -> bool:
        """Whether the digest is that of these ids and of others, which are not among them."""
        check = self._check
        for mail_id in with_also:
            check ^= zlib.crc32(mail_id.encode())
        if len(self._ids) + len(with_also) != digest.live or check != digest.check:
            return False
        return max((*with_also, max(self._ids, default="")), default="") == digest.newest_id


class Memory:
    """Ids that are live and ids that are gone, each with whether it was shown.

    A message that left the box may come back (older mail returns to the box when newer mail was
    seen), so what was shown is remembered beyond its tombstone. What is forgotten at last may be
    shown again: a repeat of mail from long ago is better than the loss of mail that a low-water
    mark would take for old, for the box returns mail from the newest to the oldest.
    """

    def __init__(self) -> None:
        self._live: dict[str, bool] = {}
        self._gone: dict[str, bool] = {}
        self._box = IdSet()

    @property
    def live(self) -> Mapping[str, bool]:
        """The ids in the box, and whether each was shown."""
        return self._live

    @property
    def gone(self) -> Mapping[str, bool]:
        """The ids that left the box, in the order in which they did, and whether each was shown."""
        return self._gone

    @property
    def box(self) -> IdSet:
        """The live ids, to be compared with a digest."""
        return self._box

    def copy(self) -> Memory:
        """The same knowledge, to go on separately."""
        copied = Memory()
        copied._gone = dict(self._gone)
        for mail_id, shown in self._live.items():
            copied.came(mail_id, shown=shown)
        return copied

    def was_shown(self, mail_id: str) -> bool:
        """Whether the message was on the screen before, as far as this client remembers."""
        return self._live.get(mail_id, False) or self._gone.get(mail_id, False)

    def came(self, mail_id: str, *, shown: bool = False) -> None:
        """The message is live; `shown` if it is on the screen now, otherwise as before."""
        self._live[mail_id] = shown or self.was_shown(mail_id)
        self._gone.pop(mail_id, None)
        self._box.add(mail_id)

    def went(self, mail_id: str, *, shown: bool = False) -> None:
        """The message is not live any more. The oldest of too many gone ids are forgotten."""
        shown = shown or self.was_shown(mail_id)
        self._live.pop(mail_id, None)
        self._gone.pop(mail_id, None)
        self._gone[mail_id] = shown
        self._box.discard(mail_id)
        while len(self._gone) > GONE_IDS:
            del self._gone[next(iter(self._gone))]
