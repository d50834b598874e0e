"""Where a broker is: `mqtt://`, `mqtts://`, `ws://` or `wss://` with host, port and path."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from clients.errors import UsageError

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker's address. `path` is used by WebSocket only."""

    scheme: str
    host: str
    port: int
    path: str = "/"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted and the broker's certificate checked."""
        return self.scheme in {"mqtts", "wss"}

    @property
    def websocket(self) -> bool:
        """Whether MQTT runs over WebSocket."""
        return self.scheme in {"ws", "wss"}

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}" + (self.path if self.websocket else "")


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint that a URL names; raises UsageError for one that cannot be used."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--url {url!r}: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise UsageError(f"--url {url!r}: write mqtt://host:port, or mqtts, ws or wss in place of mqtt")
    if parts.username is not None or parts.password is not None:
        raise UsageError("--url: the login does not belong in the URL; use --username and --password-file")
    return Endpoint(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or _DEFAULT_PORTS[parts.scheme],
        path=parts.path or "/",
    )
