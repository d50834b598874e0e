"""What a sender of mail is answered, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: code (RFC 5321 §4.2), enhanced status (RFC 3463 §2) and one line of ASCII text."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"

    @property
    def accepted(self) -> bool:
        """Whether the sender may forget the message: the reply is a 2xx."""
        return 200 <= self.code < 300
