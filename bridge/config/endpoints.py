"""Where a socket listens or is reached, as values: host and port, a UNIX socket, a network, a URL. Pure.

Each is parsed once, where it comes in as text, and prints in the form that is parsed. What cannot be
parsed raises ValueError that says what to write instead, for whoever knows the key or the option it was written at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import PurePath
from typing import Final, Self
from urllib.parse import urlsplit

UNIX: Final = "unix:"
HIGHEST_PORT: Final = 65_535
PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
"""The schemes of a broker's URL, and the port that is meant when none is written (RFC 6455 §3 for the last two)."""

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]
LOOPBACK: Final[Networks] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_TCP = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]\s]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Host and port; an IPv6 address stands without its brackets. Port 0 takes any when listening."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `host:port` or `[v6]:port`; raises ValueError."""
        match = _TCP.fullmatch(text)
        if match is None or int(match["port"]) > HIGHEST_PORT:
            raise ValueError(f"write host:port with a port up to {HIGHEST_PORT}, or [IPv6]:port")
        return cls(match["v6"] or match["host"], int(match["port"]))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def everywhere(self) -> bool:
        """Whether it stands for every address of this machine, so that nobody can be told to go there."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The absolute path of a UNIX socket."""

    path: PurePath

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `unix:/path`; raises ValueError."""
        if not text.startswith(f"{UNIX}/"):
            raise ValueError("write unix:/path, with the whole path")
        return cls(PurePath(text.removeprefix(UNIX)))

    def __str__(self) -> str:
        return f"{UNIX}{self.path}"


Endpoint = TcpAddress | UnixAddress


def parse_endpoint(text: str) -> Endpoint:
    """The address in `host:port`, `[v6]:port` or `unix:/path`; raises ValueError."""
    try:
        return UnixAddress.parse(text) if text.startswith(UNIX) else TcpAddress.parse(text)
    except ValueError:
        raise ValueError(f"write host:port with a port up to {HIGHEST_PORT}, [IPv6]:port or unix:/path") from None


def parse_network(text: str) -> Network:
    """The network in `10.0.0.0/8` or `fd00::/8`, or that of one address; raises ValueError."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ValueError("write a network as 10.0.0.0/8 or fd00::/8, or an address") from None


def within(address: str, networks: Networks) -> bool:
    """Whether an IP address, as the system tells a peer's, is in one of these networks; what is none is in no network.

    An IPv6 address may have a zone (RFC 4007 §11); one that stands for an IPv4 address is that one (RFC 4291 §2.5.5.2).
    """
    parsed = _parsed(address) if networks else None
    return parsed is not None and any(parsed in network for network in networks)


@lru_cache(maxsize=1024)  # it is asked three times for each connection, and reading takes six times as long as the rest
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


@dataclass(frozen=True, slots=True)
class MqttUrl:
    """Where a broker is, and how it is spoken to. `port` is None where none was written; no login is part of it.

    `path` is that of a WebSocket, with its query, and empty where none was written.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URL in `mqtt://host:port`, `mqtts://…`, `ws://…` or `wss://…`; raises ValueError."""
        try:
            parts = urlsplit(text)
            scheme, host, port, login = parts.scheme, parts.hostname, parts.port, parts.username
        except ValueError:
            scheme, host, port, login = "", None, None, None
        if scheme not in PORTS or not host or port == 0 or any(letter.isspace() for letter in text):
            raise ValueError("write mqtt://host:port, mqtts://, ws:// or wss://, or leave it empty")
        if login is not None:
            raise ValueError("the login does not belong here; for mqtt.url use mqtt.username and mqtt.password_file")
        return cls(scheme, host, port, f"{parts.path}?{parts.query}" if parts.query else parts.path)

    @classmethod
    def of(cls, address: TcpAddress) -> Self:
        """The URL of a broker that listens there in the clear, as the embedded one does for the bridge."""
        return cls("mqtt", address.host, address.port)

    @property
    def address(self) -> TcpAddress:
        """Where to connect to: the host and the port that is written or meant."""
        return TcpAddress(self.host, PORTS[self.scheme] if self.port is None else self.port)

    @property
    def encrypted(self) -> bool:
        """Whether TLS comes first."""
        return self.scheme in {"mqtts", "wss"}

    @property
    def websocket(self) -> bool:
        """Whether MQTT goes through a WebSocket (MQTT 5 §6)."""
        return self.scheme in {"ws", "wss"}

    def __str__(self) -> str:
        return f"{self.scheme}://{self._authority}{self.path}"

    def with_login(self, username: str, password: str) -> str:
        """The URL with a login in it, for a program that takes it in one piece; neither may have `:`, `@` or `/`."""
        return f"{self.scheme}://{username}:{password}@{self._authority}{self.path}"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class WebUrl:
    """Where browsers reach us, maybe through a proxy: an origin (RFC 6454 §4), so without a path. No `/` at its end."""

    scheme: str
    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URL in `https://host`, `https://host:port` or `http://…`, a `/` behind it or not; raises ValueError."""
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
        except ValueError:
            scheme, host, port = "", None, None
        beside = "@" in text or "?" in text or "#" in text or any(letter.isspace() for letter in text)
        if scheme not in {"https", "http"} or not host or port == 0 or parts.path not in {"", "/"} or beside:
            raise ValueError("write https://host or https://host:port without a path, or leave it empty")
        return cls(scheme, host, port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port is None else f"{self.scheme}://{host}:{self.port}"
