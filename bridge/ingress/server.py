"""The ingress as a whole: its settings, its listeners, its start and its end."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from bridge.certificate import LOOK_S, WITHOUT_S, Certificate
from bridge.errors import ConfigurationError
from bridge.ingress.context import IngressContext
from bridge.ingress.conversation import Conversation
from bridge.ingress.handed import HandedSockets
from bridge.ingress.limits import Gate
from bridge.ingress.lmtp import LMTP
from bridge.ingress.openings import Openings, Wanted
from bridge.ingress.passing import PassedGate, Usher
from bridge.ingress.smtp import SMTP, SMTPS
from bridge.tally import Tally

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from bridge.ingress.interfaces import Intake, LoginCheck, Spool
    from bridge.ingress.passing import Elsewhere
    from bridge.ingress.settings import IngressSettings

DIALECTS: Final = {"smtp": SMTP, "smtps": SMTPS, "lmtp": LMTP}
"""What each listener speaks."""
RETRY_S = 1.0
"""Between two tries to listen, unless whoever makes the ingress has another pace."""

log = structlog.get_logger()


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
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Without `check_login` nobody can log in, and only trusted networks may send.

        A listener whose address is that of a socket in `handed` listens there. `delay_s` and `changed`: see Openings.
        `elsewhere` converses with whom it can.

        Raises ConfigurationError when certificate or key cannot be used.
        """
        self._settings = settings
        self._handed = HandedSockets() if handed is None else handed
        self._certificate = _certificate(settings)
        self._elsewhere = elsewhere
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

    def gone(self, address: str) -> None:
        """A connection that was passed on is over."""
        self._context.gate.leave(address)

    async def converse(self, listener: str, accepted: socket.socket, *, left: Callable[[], None]) -> None:
        """Converse over a connection that somebody else has accepted and counted; `left` is called when it is over.

        Raises OSError when it cannot be begun; then `left` is not called.
        """
        context = replace(self._context, gate=PassedGate(self._context.limits, left=left))
        factory = functools.partial(_conversation, context, listener)
        await asyncio.get_running_loop().connect_accepted_socket(factory, accepted)

    def _here(self, listener: str) -> Conversation:
        return _conversation(self._context, listener)

    def _met(self, listener: str) -> Callable[[socket.socket, str], None] | None:
        if self._elsewhere is None:
            return None
        here = functools.partial(self._here, listener)
        return Usher(listener, self._elsewhere, context=lambda: self._context, here=here).met

    async def start(self) -> None:
        """Open all listeners that can be opened now; raises ConfigurationError, with none open, for what never can."""
        settings = self._settings
        wanted = {"smtp": settings.smtp_listen, "smtps": settings.smtps_listen, "lmtp": settings.lmtp_listen}
        await self._openings.start(
            Wanted(
                name=name,
                address=listen,
                factory=functools.partial(self._here, name),
                met=self._met(name),
                preferred_port=settings.preferred_ports.get(name, 0),
                take=self._handed.take,
            )
            for name, listen in wanted.items()
            if listen is not None
        )
        self._handed.warn_of_others(wanted.values())
        log.info("ingress_listening", **self.addresses)

    async def listen(self) -> None:
        """Open the others as soon as they can be, then return; raises ConfigurationError as `start`."""
        await self._openings.run()

    async def follow(self, *, every_s: float = LOOK_S) -> None:
        """Use a renewed certificate as soon as its files change, until cancelled."""
        while True:
            await asyncio.sleep(every_s if self._certificate is not None else WITHOUT_S)
            if self._certificate is not None:
                self._certificate.look()

    async def close(self, *, grace_s: float = 10) -> None:
        """Accept nobody any more, end idle sessions, and give mail under way `grace_s` seconds."""
        self._openings.close()
        ends = [self._context.sessions.end(grace_s=grace_s)]
        if self._elsewhere is not None:
            ends.append(self._elsewhere.end(grace_s=grace_s))
        await asyncio.gather(*ends)


def _conversation(context: IngressContext, listener: str) -> Conversation:
    return Conversation(context, DIALECTS[listener], implicit_tls=listener == "smtps")


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
