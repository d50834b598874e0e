"""How much of a mail is not told to devices."""

from __future__ import annotations

from enum import StrEnum


class Hide(StrEnum):
    """A user's choice; `subject` hides the snippet, too."""

    NOTHING = "nothing"
    SNIPPET = "snippet"
    SUBJECT = "subject"
