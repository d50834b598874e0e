"""What all conversations share: the intake, the spool, the settings, and the list of those that are going on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.ingress.once import Once
from bridge.ingress.queueing import LargeMessageQueue
from bridge.ingress.session import SessionTerms
from bridge.ingress.sessions import Sessions
from bridge.tally import Tally

if TYPE_CHECKING:
    import ssl

    from bridge.ingress.interfaces import Intake, LoginCheck, Spool
    from bridge.ingress.limits import Gate, SessionLimits
    from bridge.ingress.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressContext:
    """Dependencies and settings of every conversation, and the `sessions` that are going on."""

    intake: Intake
    spool: Spool
    gate: Gate
    limits: SessionLimits
    trust: Trust
    hostname: str
    max_size: int
    tls: ssl.SSLContext | None = None
    check_login: LoginCheck | None = None
    large_messages: LargeMessageQueue = field(default_factory=LargeMessageQueue)
    sessions: Sessions = field(default_factory=Sessions)
    tally: Tally = field(default_factory=Tally)
    ignored_logins: Once = field(default_factory=Once)
    """The peers of whom the log has said that their logins mean nothing."""

    @property
    def terms(self) -> SessionTerms:
        """What of it a session has to know."""
        return SessionTerms(
            hostname=self.hostname,
            max_size=self.max_size,
            limits=self.limits,
            known=self.intake.known,
            tls=self.tls is not None,
            logins=self.check_login is not None,
            any_login=self.trust.any_login,
        )
