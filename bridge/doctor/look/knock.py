"""Knocking at a listener: who answers, and in which protocol."""

from __future__ import annotations

import socket
import ssl
from enum import Enum
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import TcpAddress
from bridge.doctor.judge.listeners import Met

if TYPE_CHECKING:
    from bridge.config.endpoints import Endpoint

KNOCK_S: Final = 2.0
SHOWN: Final = 60
WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104 - where others listen
PROXY: Final = b"PROXY TCP4 127.0.0.1 127.0.0.1 25 25\r\n"
"""What a listener waits for that believes this machine to be a load balancer (haproxy's PROXY protocol, version 1)."""
_UPGRADE: Final = (
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: cG9zdGJlbGwgZG9jdG9yIQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


class Speech(Enum):
    """What to say first, and how the right answer begins."""

    MAIL = (b"", (b"220 ", b"220-", b"554 "))  # RFC 5321 §4.2; 554 to who may not hand in mail from here
    MQTT = (b"\x10\x1b\x00\x04MQTT\x04\x02\x00\x0a\x00\x0fpostbell-doctor", (b"\x20\x02",))  # MQTT 3.1.1 §3.1, §3.2
    WEBSOCKET = (_UPGRADE, (b"HTTP/1.1 101",))  # RFC 6455 §4.1
    HTTP = (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (b"HTTP/1.",))


def knock(address: Endpoint, speech: Speech, *, tls: bool = False, proxy: bool = False) -> tuple[Met, str]:
    """What is met at an address of this machine, and the beginning of what is said there."""
    words, right = speech.value
    try:
        with connected(address) as connection:
            if proxy:
                connection.sendall(PROXY)
            with _encrypted(connection) if tls else connection as open_one:
                open_one.sendall(words)
                heard = open_one.recv(1024)
    except TimeoutError:
        return Met.SILENT, ""
    except ssl.SSLError as error:
        # The handshake is over, and a certificate of ours is wanted: that is TLS as it should be.
        wanted = "CERTIFICATE_REQUIRED" in (error.reason or "")
        return (Met.RIGHT, "") if wanted else (Met.OTHER, f"no TLS ({error.reason or error})")
    except PermissionError as error:
        return Met.DENIED, error.strerror or ""
    except OSError as error:
        return Met.CLOSED, error.strerror or str(error)
    if heard.startswith(right):
        return Met.RIGHT, ""
    return Met.OTHER, ascii(heard[:SHOWN].decode("latin-1")) if heard else "the connection is closed at once"


def connected(address: Endpoint, *, within_s: float = KNOCK_S) -> socket.socket:
    """A connection to where something listens; at all addresses means at this machine's own. Raises OSError."""
    if isinstance(address, TcpAddress):
        return socket.create_connection((reached(address.host), address.port), timeout=within_s)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(within_s)
    try:
        connection.connect(str(address.path))
    except BaseException:
        connection.close()
        raise
    return connection


def reached(host: str) -> str:
    """How a listener's host is reached from here."""
    return WILDCARDS.get(host, host)


def _encrypted(connection: socket.socket) -> ssl.SSLSocket:
    """TLS with whoever it is: whose certificate it is, is another question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)
