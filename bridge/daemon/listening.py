"""The configuration of the listeners, as the ingress wants it."""

from __future__ import annotations

import contextlib
import socket
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bridge.config.endpoints import TcpAddress
from bridge.ingress import IngressSettings, SessionLimits, SocketFile, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.config.settings import Settings


NOTHING: Mapping[str, Any] = MappingProxyType({})


def ingress_settings(settings: Settings, *, before: Mapping[str, Any] = NOTHING) -> IngressSettings:
    """The listeners' settings; `before` is the run file of the last run, whose ports are tried first."""
    ports = {name: last_port(before.get(name)) for name in ("smtp", "smtps", "lmtp")}
    limits = settings.limits
    return IngressSettings(
        hostname=settings.smtp.hostname or socket.gethostname(),
        smtp_listen=settings.smtp.listen,
        smtps_listen=settings.smtp.tls_listen,
        lmtp_listen=settings.lmtp.listen,
        preferred_ports={name: port for name, port in ports.items() if port},
        socket_file=SocketFile(settings.lmtp.socket_mode, settings.lmtp.socket_owner),
        max_size=settings.smtp.max_size,
        limits=SessionLimits(
            connections=limits.connections,
            connections_per_address=limits.connections_per_address,
            recipients=limits.recipients,
            commands=limits.commands,
            errors=limits.errors,
            command_timeout_s=limits.command_timeout,
            session_timeout_s=limits.session_timeout,
        ),
        trust=Trust(settings.smtp.networks, settings.smtp.proxies, any_login=settings.smtp.any_login),
        tls_certificate=settings.smtp.tls_cert,
        tls_key=settings.smtp.tls_key,
    )


def last_port(address: object) -> int:
    """The port in `host:port`; 0 for a UNIX socket, or when nothing is known."""
    with contextlib.suppress(ValueError):
        return TcpAddress.parse(str(address)).port
    return 0
