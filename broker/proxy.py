"""The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): whom a proxy speaks for. Pure.

The header is the first that comes over a connection, before TLS and before anything of MQTT. Its first byte can begin
nothing else that is spoken here: TLS begins with 0x16, CONNECT with 0x10, a request of HTTP with a G.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from broker.errors import HandshakeError
from broker.networks import plain

LONGEST = 2048
"""Bytes of a header of version 2 with all it says beside the addresses; of version 1 it is 107."""

_WORD, _SIGNATURE = b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n"
_TELLING = 5  # bytes by which either is told from a request and from an empty line
_LONGEST_LINE = 107
_FIXED = 16  # bytes of version 2 until its addresses
_LOCAL, _PROXIED = 0x20, 0x21
_UNKNOWN, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_ADDRESSES = {_UNKNOWN: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}  # bytes
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header of `size` bytes. `address` is whom the proxy speaks for; None for itself, or for somebody unknown."""

    size: int
    address: str | None


def begins(data: bytes) -> bool:
    """Whether what came, at least a byte, is a header or the beginning of one."""
    return data.startswith((_WORD[: len(data)], _SIGNATURE[: len(data)]))


def shows(data: bytes) -> bool:
    """Whether what came first, from somebody of whom no header is taken, can be nothing but one."""
    return len(data) >= _TELLING and begins(data)


def read(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with; None while more has to come. Raises HandshakeError."""
    if not begins(data):
        raise HandshakeError("bad_proxy_header")
    return _read_line(data) if data.startswith(_WORD[:1]) else _read_binary(data)


def _read_line(data: bytes) -> ProxyHeader | None:
    """Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 50000 8883` and CR LF."""
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE:
            raise HandshakeError("bad_proxy_header")
        return None
    size = end + 2
    match data[len(_WORD) : end].split(b" "):
        case [b"UNKNOWN", *_]:
            return ProxyHeader(size, None)
        case [b"TCP4" | b"TCP6" as family, source, destination, *ports] if len(ports) == 2:
            kind = IPv4Address if family == b"TCP4" else IPv6Address
            address = _address(source, kind)
            if address and _address(destination, kind) and all(map(_is_port, ports)):
                return ProxyHeader(size, address)
    raise HandshakeError("bad_proxy_header")


def _read_binary(data: bytes) -> ProxyHeader | None:
    """Version 2: the signature, command, family and length, then the addresses, then more that is not looked at."""
    if len(data) < _FIXED:
        return None
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    size = _FIXED + length
    known = command == _LOCAL or (command == _PROXIED and length >= _ADDRESSES.get(family, size))
    if not known or size > LONGEST:
        raise HandshakeError("bad_proxy_header")
    if len(data) < size:
        return None
    if command == _LOCAL or family not in (_TCP4, _TCP6):
        return ProxyHeader(size, None)
    octets = 4 if family == _TCP4 else 16
    return ProxyHeader(size, plain(str(ip_address(data[_FIXED : _FIXED + octets]))))


def _address(text: bytes, kind: type[IPv4Address | IPv6Address]) -> str | None:
    try:
        return plain(str(kind(text.decode("ascii"))))
    except ValueError:
        return None


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= _HIGHEST_PORT and (text == b"0" or text[:1] != b"0")
