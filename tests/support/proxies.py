"""What proxies write before a connection: the headers of the PROXY protocol (haproxy's proxy-protocol.txt)."""

from __future__ import annotations

from ipaddress import ip_address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def line(family: str, source: str, destination: str = "127.0.0.1") -> bytes:
    """Version 1."""
    return f"PROXY {family} {source} {destination} 50000 8883\r\n".encode()


def binary(source: str, *, command: int = 0x21, more: bytes = b"") -> bytes:
    """Version 2, with `more` behind the addresses."""
    address = ip_address(source)
    body = address.packed * 2 + (50000).to_bytes(2, "big") + (8883).to_bytes(2, "big") + more
    family = 0x11 if address.version == 4 else 0x21
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body
