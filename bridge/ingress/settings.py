"""The settings of the ingress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.ingress.limits import SessionLimits
from bridge.ingress.listeners import SocketFile
from bridge.ingress.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.config.endpoints import Endpoint


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
