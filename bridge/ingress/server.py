"""The ingress as a whole: its settings, its listeners, its start and its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import structlog

from bridge.certificate import LOOK_S, Certificate
from bridge.errors import ConfigurationError
from bridge.ingress.context import IngressContext
from bridge.ingress.conversation import Conversation
from bridge.ingress.handed import HandedSockets
from bridge.ingress.limits import Gate, SessionLimits
from bridge.ingress.listeners import SocketFile
from bridge.ingress.lmtp import LMTP
from bridge.ingress.openings import Openings, Wanted
from bridge.ingress.smtp import SMTP, SMTPS
from bridge.ingress.trust import Trust
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bridge.config.endpoints import Endpoint
    from bridge.ingress.interfaces import Intake, LoginCheck, Spool

RETRY_S = 1.0
"""Between two tries to listen, unless whoever makes the ingress has another pace."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressSettings:
    """How to listen and for whom; None where there is to be no listener.

    `preferred_ports` says, by the names `smtp`, `smtps` and `lmtp`, which port to try first where
    port 0 is configured. `max_size` counts bytes of a message as it is kept. `smtps` is SMTP with
    TLS from the first byte; it needs certificate and key, as STARTTLS does.
    """

    hostname: str
    smtp_listen: Endpoint | None = None
    smtps_listen: Endpoint | None = None
    lmtp_listen: Endpoint | None = None
    preferred_ports: Mapping[str, int] = field(default_factory=dict)
    socket_file: SocketFile = field(default_factory=SocketFile)
    max_size: int = 50 * 2**20
    limits: SessionLimits = field(default_factory=SessionLimits)
    trust: Trust = field(default_factory=Trust)
    tls_certificate: Path | None = None
    tls_key: Path | None = None


class Ingress:
    """Listens for mail and hands it to the intake."""

    def __init__(
        self,
        *,
        intake: Intake,
        spool: Spool,
        settings: IngressSettings,
        check_login: LoginCheck | None = None,
        tally: Tally | None = None,
        handed: HandedSockets | None = None,
        delay_s: Callable[[int], float] = lambda _: RETRY_S,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Without `check_login` nobody can log in, and only trusted networks may send.

        A listener whose address is that of a socket in `handed` listens there. `delay_s` and `changed`: see Openings.

        Raises ConfigurationError when certificate or key cannot be used.
        """
        self._settings = settings
        self._handed = HandedSockets() if handed is None else handed
        self._certificate = _certificate(settings)
        self._openings = Openings(socket_file=settings.socket_file, delay_s=delay_s, changed=changed)
        self._context = IngressContext(
            intake=intake,
            spool=spool,
            gate=Gate(settings.limits),
            check_login=check_login,
            **_of_each_session(settings, self._certificate),
            tally=tally or Tally(),
        )

    @property
    def addresses(self) -> dict[str, str]:
        """Where each open listener is reached, by the names `smtp`, `smtps` and `lmtp`."""
        return self._openings.addresses

    @property
    def awaited(self) -> dict[str, str]:
        """Why each listener that is not open is not; it is tried again."""
        return dict(self._openings.awaited)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._context.gate.open

    def prepare(self, settings: IngressSettings) -> Callable[[], None]:
        """Get ready for other settings; what is returned has them hold, for sessions that begin from then on.

        Listeners stay where they are. Raises ConfigurationError when certificate or key cannot be used; then
        nothing has changed.
        """
        certificate = _certificate(settings)
        context = replace(self._context, **_of_each_session(settings, certificate))

        def use() -> None:
            self._certificate, self._context = certificate, context
            context.gate.limits = settings.limits

        return use

    async def start(self) -> None:
        """Open all listeners that can be opened now; raises ConfigurationError, with none open, for what never can."""
        settings = self._settings
        wanted: dict[str, tuple[Endpoint | None, Callable[[], asyncio.BaseProtocol]]] = {
            "smtp": (settings.smtp_listen, lambda: Conversation(self._context, SMTP)),
            "smtps": (settings.smtps_listen, lambda: Conversation(self._context, SMTPS, implicit_tls=True)),
            "lmtp": (settings.lmtp_listen, lambda: Conversation(self._context, LMTP)),
        }
        await self._openings.start(
            Wanted(
                name=name,
                address=listen,
                factory=factory,
                preferred_port=settings.preferred_ports.get(name, 0),
                take=self._handed.take,
            )
            for name, (listen, factory) in wanted.items()
            if listen is not None
        )
        self._handed.warn_of_others(listen for listen, _ in wanted.values())
        log.info("ingress_listening", **self.addresses)

    async def listen(self) -> None:
        """Open the others as soon as they can be, then return; raises ConfigurationError as `start`."""
        await self._openings.run()

    async def follow(self, *, every_s: float = LOOK_S) -> None:
        """Use a renewed certificate as soon as its files change, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            if self._certificate is not None:
                self._certificate.look()

    async def close(self, *, grace_s: float = 10) -> None:
        """Accept nobody any more, end idle sessions, and give mail under way `grace_s` seconds."""
        self._openings.close()
        await self._context.sessions.end(grace_s=grace_s)


def _of_each_session(settings: IngressSettings, certificate: Certificate | None) -> dict[str, Any]:
    """What a session takes from the settings of the moment at which it began."""
    return {
        "limits": settings.limits,
        "trust": settings.trust,
        "hostname": settings.hostname,
        "max_size": settings.max_size,
        "tls": None if certificate is None else certificate.context,
    }


def _certificate(settings: IngressSettings) -> Certificate | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        if settings.smtps_listen is not None:
            raise ConfigurationError(
                f"smtp.tls_listen = {str(settings.smtps_listen)!r}: needs a certificate; "
                "set smtp.tls_cert and smtp.tls_key to PEM files"
            )
        return None
    return Certificate(settings.tls_certificate, settings.tls_key, section="smtp")
