"""What a follower needs of the rest, as it wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from bridge.imap.selecting import KnownFolder
    from bridge.mailbox.account import Watched
    from bridge.mailbox.matching import Sighting


class Counterparts(Protocol):
    """What is remembered of a folder, and what follows for messages. All raise StoreUnavailableError."""

    async def last(self, folder_id: int) -> KnownFolder:
        """What was known of a folder, whatever UIDVALIDITY it has now."""

    async def open(self, folder_id: int, *, validity: int) -> KnownFolder:
        """What is known of a folder with this UIDVALIDITY."""

    async def known(self, folder_id: int) -> Sequence[int]:
        """UIDs of mails that are known, ascending."""

    async def reached(self, folder_id: int, *, modseq: int) -> None:
        """All up to this HIGHESTMODSEQ is known."""

    async def observe(self, folder_id: int, seen: Mapping[int, bool], gone: Collection[int]) -> None:
        """The mailbox has these mails, seen or not, and those no more."""

    async def discover(
        self, folder_id: int, mails: Sequence[Sighting], *, next_uid: int, source_ms: int | None
    ) -> None:
        """The folder has these mails, and was looked at up to `next_uid`."""

    async def meet(self, folder_id: int) -> None:
        """Find the messages that came behind their mails."""

    async def pending(self, folder_id: int) -> Mapping[int, bool]:
        """What the mailbox is to be told, some of it."""

    async def tell(self, folder_id: int) -> dict[int, bool]:
        """What the mailbox is to be told now; it is noted that it is."""

    async def told(self, folder_id: int, uids: Sequence[int], *, seen: bool) -> None:
        """The mailbox said that it knows."""

    async def wanted(self, folder_id: int) -> Sequence[int]:
        """UIDs of mails that are to be fetched, ascending."""

    async def unwanted(self, folder_id: int, uid: int) -> None:
        """A mail is not to be fetched any more."""

    def since_ms(self) -> int:
        """What came before this moment is nobody's business any more, in Unix milliseconds."""


class Taking(Protocol):
    """What takes a mail that was fetched."""

    async def __call__(self, watched: Watched, *, validity: int, uid: int, pieces: AsyncIterator[bytes]) -> bool:
        """Keep a mail as one that came by SMTP is kept, once; False when it is never to be asked for again.

        Raises StoreUnavailableError, and what `pieces` raises.
        """
