"""What can be broken where a mailbox is followed, and where its bridge may die in the worst moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.crash.points import die

if TYPE_CHECKING:
    from collections.abc import Callable


def no_echo_suppression() -> None:
    """What the mailbox was told is remembered nowhere, so that it is taken for somebody's doing when it comes back."""
    from bridge.mailbox.agreeing import Agreed, Compared
    from bridge.store import counterparts, meeting

    store: Any = counterparts
    meets: Any = meeting
    met = meets.met

    def carefree(**sides: Any) -> Compared:
        found = met(**sides)
        return replace(found, agreed=Agreed(found.agreed.seen))

    meets.met = carefree
    store.tell = lambda transaction, folder_id: counterparts.pending(transaction.connection, folder_id)
    store.told = lambda *_, **__: None


def dies_behind_a_word() -> None:
    """The bridge dies when the mailbox has done what it was told, and before that is noted."""
    from bridge.imap.session import ImapSession

    mark, words = ImapSession.mark, []

    async def telling(self: Any, uids: Any, *, seen: bool) -> None:
        await mark(self, uids, seen=seen)
        words.append(seen)
        if len(words) >= LAST_WORD:
            die()

    ImapSession.mark = telling


LAST_WORD = 2
FAULTS: dict[str, Callable[[], None]] = {
    "no_echo_suppression": no_echo_suppression,
    "dies_behind_a_word": dies_behind_a_word,
}
