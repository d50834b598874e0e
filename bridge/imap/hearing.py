"""What a server says of the open folder without being asked. It is kept, in few words, until somebody looks.

The count of changes (MODSEQ) that is heard is one that the server had reached by then: whoever looks afterwards, from
an earlier one on, finds all that it counted so far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.imap import replies

if TYPE_CHECKING:
    from bridge.imap.lines import Response
    from bridge.imap.selecting import Ranges

NEWS = frozenset({"EXISTS", "EXPUNGE", "FETCH", "VANISHED", "RECENT"})
LONGEST_VANISHED = 4096
"""Bytes of a VANISHED that is kept in detail."""
MOST_RANGES = 1_000
"""Ranges of UIDs that are kept, some more with the last response; who says more is asked which mails there are."""


@dataclass(slots=True)
class Unasked:
    """Whether there is `news`; the highest MODSEQ; UIDs that vanished; whether others went, of which nobody knows."""

    news: bool = False
    modseq: int = 0
    vanished: Ranges = field(default_factory=list)
    expunged: bool = False

    def hear(self, response: Response) -> None:
        """Take in what nobody asked for; raises ImapSyntaxError."""
        kind = replies.kind(response)
        self.news = self.news or kind in NEWS
        if kind == "FETCH":
            self.count(response)
        elif kind == "VANISHED" and response.size <= LONGEST_VANISHED and len(self.vanished) < MOST_RANGES:
            self.vanished += replies.vanished(response)
        elif kind in {"EXPUNGE", "VANISHED"}:
            self.expunged = True

    def count(self, response: Response) -> None:
        """Take in how far the server has counted, from a FETCH response."""
        self.modseq = max(self.modseq, replies.modseq(response))
