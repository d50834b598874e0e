"""How values of the configuration are written: addresses, networks, sizes, names. Each refusal says the cure."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from bridge.contract import topics

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[^:\[\]\s]+):\d{1,5}")
_SIZE = re.compile(r"(\d+)\s*([kKmMgG]?)(?:i?[bB])?")
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def _listen(value: object) -> str:
    if isinstance(value, str) and (not value or value.startswith("unix:/")):
        return value
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value) or int(value.rpartition(":")[2]) > 65_535:
        raise ValueError('write host:port with a port up to 65535, [IPv6]:port, unix:/path, or "" for off')
    return value


def _address(value: object) -> str:
    if isinstance(value, str) and value.startswith("unix:"):
        raise ValueError("this listens on host:port, not on a UNIX socket")
    return _listen(value)


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"mqtt", "mqtts", "ws", "wss"} and parts.hostname and parts.port != 0
        login = parts.username is not None
    except ValueError:
        known = login = False
    if value and not known:
        raise ValueError("write mqtt://host:port, mqtts://, ws:// or wss://, or leave it empty")
    if login:
        raise ValueError("the login does not belong here; for mqtt.url use mqtt.username and mqtt.password_file")
    return value


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a number of bytes, or one with k, M or G behind it")
    return int(match[1]) * _FACTOR[match[2].lower()]


def _name(value: str) -> str:
    if not topics.valid_name(value):
        raise ValueError("use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit")
    return value


def _root(value: str) -> str:
    if not value or any(not topics.valid_name(level) for level in value.split("/")):
        raise ValueError("use one or more topic levels of a-z 0-9 _ - without wildcards")
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("write a network as 10.0.0.0/8 or fd00::/8, or an address") from None
    return value


def _several(value: object) -> object:
    """A list may be one text: a variable of the environment holds `a, b`, or a list as JSON writes it."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


Listen = Annotated[str, BeforeValidator(_listen)]
Address = Annotated[str, BeforeValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=0)]
Name = Annotated[str, AfterValidator(_name)]
Root = Annotated[str, AfterValidator(_root)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_several)]
