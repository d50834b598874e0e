"""The way from our web server to the broker: a connection for each page, which says at once whose it is.

The embedded broker has a socket for that alone, in the run directory, and is told the page's address in a PROXY header
of version 2 (haproxy's proxy-protocol.txt §2.2). Another broker sees ours: what it bounds by address holds for all
pages together, and the bounds here stand in for it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKET = "broker.sock"
"""The embedded broker's name for it in the run directory."""
BUFFER = 65_536
"""How much of what the broker sends is taken before the page has taken what came before, in bytes."""

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_PROXIED, _TCP4, _TCP6 = b"\x21", b"\x11", b"\x21"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where the broker is: in `run_dir` if it is ours, else at `host` and `port`, with TLS if `encrypted`."""

    run_dir: str = ""
    host: str = ""
    port: int = 0
    encrypted: bool = False
    ca_file: str | None = None

    async def connect(self, address: str) -> Stream:
        """A connection for the page at an address; raises OSError, as TLS has it too."""
        if not self.run_dir:
            tls = _trusting(self.ca_file) if self.encrypted else None
            return await asyncio.open_connection(self.host, self.port, ssl=tls, limit=BUFFER)
        with _reachable(Path(self.run_dir)) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=BUFFER)
        writer.write(proxy_header(address))
        return reader, writer


def proxy_header(address: str) -> bytes:
    """The header that begins a connection on behalf of an IP address; ports are not told."""
    source = ip_address(address)
    family = _TCP4 if isinstance(source, IPv4Address) else _TCP6
    addresses = source.packed + bytes(len(source.packed)) + bytes(4)
    return _SIGNATURE + _PROXIED + family + len(addresses).to_bytes(2, "big") + addresses


@cache
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


@contextmanager
def _reachable(run_dir: Path) -> Iterator[str]:
    """The socket by a descriptor of its directory, as its path may have 107 bytes, and a state directory's more."""
    descriptor = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
