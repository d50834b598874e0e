"""What to write instead of an address or a URL that is none, as near as can be to what was written. Pure."""

from __future__ import annotations

import re
from typing import Final

from bridge.config.endpoints import UNIX, MqttUrl

_PORT = re.compile(r"\*?:?(\d{1,5})")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
_SCHEME = re.compile(r"(?:([A-Za-z+]+)://)?(.*)", re.DOTALL)

SCHEMES: Final = {
    "tcp": "mqtt",
    "ssl": "mqtts",
    "tls": "mqtts",
    "mqtt+ssl": "mqtts",
    "mqtt+tls": "mqtts",
    "http": "ws",
    "https": "wss",
}
"""Schemes of other programs for what is meant here."""
_BY_PORT: Final = {"8883": "mqtts", "443": "wss", "80": "ws"}


def address(value: object, *, unix: bool) -> str:
    """How to write where to listen; `unix` where a UNIX socket will do as well."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    socket = f", {UNIX}/path" if unix else ""
    if port := _PORT.fullmatch(text):
        return f'write "127.0.0.1:{port[1]}" for this machine alone, or "0.0.0.0:{port[1]}" for all its addresses'
    if unix and text.startswith("/"):
        return f'write "{UNIX}{text}"'
    if _BARE_IPV6.fullmatch(text):
        return f'write the address in brackets, and the port behind: "[{text}]:port"'
    if _HOST.fullmatch(text):
        return f'the port is missing: write "{text}:port"'
    return f'write host:port with a port up to 65535, [IPv6]:port{socket}, or "" for off'


def broker_url(value: object) -> str:
    """How to write the URL of a broker. What has a login in it is not told again."""
    text = str(value)
    scheme, rest = (match[1], match[2]) if (match := _SCHEME.fullmatch(text)) else (None, text)
    port = rest.partition("/")[0].rpartition(":")[2]
    meant = f"{SCHEMES.get((scheme or '').lower()) or (scheme or _BY_PORT.get(port, 'mqtt')).lower()}://{rest}"
    if "@" not in text and isinstance(value, str) and _is_url(meant):
        return f'did you mean "{meant}"?'
    return "write mqtt://host:port, mqtts://, ws:// or wss://, or leave it empty"


def _is_url(text: str) -> bool:
    try:
        MqttUrl.parse(text)
    except ValueError:
        return False
    return True
