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

    def carefree(decide: Callable[..., Compared]) -> Callable[..., Compared]:
        def decided(*known: Any, **sides: Any) -> Compared:
            found = decide(*known, **sides)
            return replace(found, agreed=Agreed(found.agreed.seen))

        return decided

    store: Any = counterparts
    meets: Any = meeting
    store.compared, meets.met = carefree(store.compared), carefree(meets.met)
    store.tell = lambda transaction, folder_id: counterparts.pending(transaction.connection, folder_id)
    store.told = lambda *_, **__: None


def dies_behind_a_word(last: int = 2) -> None:
    """The bridge dies when the mailbox has done what it was told, and before that is noted."""
    from bridge.imap.session import ImapSession

    mark, words = ImapSession.mark, []

    async def telling(self: Any, uids: Any, *, seen: bool) -> None:
        await mark(self, uids, seen=seen)
        words.append(seen)
        if len(words) >= last:
            die()

    ImapSession.mark = telling


def dies_behind_its_first_word() -> None:
    """The same, when it says anything at all."""
    dies_behind_a_word(1)


FAULTS: dict[str, Callable[[], None]] = {
    "no_echo_suppression": no_echo_suppression,
    "dies_behind_a_word": dies_behind_a_word,
    "dies_behind_its_first_word": dies_behind_its_first_word,
}
