"""LMTP as in RFC 2033: SMTP with LHLO, and one reply for each recipient after the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiosmtpd.smtp import syntax

from bridge.ingress.smtp import SmtpConversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.model import Reply


class LmtpConversation(SmtpConversation):
    """A conversation in LMTP."""

    protocol: ClassVar[str] = "LMTP"
    listener = "lmtp"
    absent: ClassVar[frozenset[str]] = frozenset({"HELO", "EHLO"})
    indulgent: ClassVar[bool] = False  # mail servers are mended

    @syntax("LHLO name")
    async def do_lhlo(self, arg: str) -> None:
        """The only greeting there is (RFC 2033 §4.1)."""
        await self.do_ehlo(arg)

    def _answers_due(self, recipients: int) -> int:
        return recipients

    def _answer(self, answers: Sequence[Reply]) -> None:
        """Reply for each recipient in the order of RCPT, also for one named twice (RFC 2033 §4.2)."""
        for answer in answers:
            self._judge(answer)
