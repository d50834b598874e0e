"""Where the broker listens, as a value: host and port, read from text once. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

_TEXT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]\s/]+)):(?P<port>\d{1,5})", re.ASCII)
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address; an IPv6 one is held without its brackets and printed with them. Port 0 takes any."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `host:port` or `[IPv6]:port`. Raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None or int(match["port"]) > _HIGHEST_PORT:
            raise ValueError("write host:port or [IPv6]:port")
        return cls(match["v6"] or match["host"], int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
