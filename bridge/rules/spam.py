"""What becomes of mail that the operator's spam filter marked."""

from __future__ import annotations

from enum import StrEnum


class SpamAction(StrEnum):
    """The operator's choice, for all users."""

    MARK = "mark"
    """It is silent."""
    SUPPRESS = "suppress"
    """It is kept as if it were seen already, and told to no device."""
    DELIVER = "deliver"
    """It is judged like any other."""
