"""The values of the configuration: from what a file or a variable says to the type that the code takes.

Each is parsed here and nowhere else; each refusal says what it is not, and what to write instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from bridge.config import meant
from bridge.config.endpoints import (
    UNIX,
    Endpoint,
    MqttUrl,
    Network,
    TcpAddress,
    UnixAddress,
    WebUrl,
    parse_endpoint,
    parse_network,
)
from bridge.config.permissions import FileMode, FileOwner
from bridge.contract import topics

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SIZE = re.compile(r"(\d+)\s*([kKmMgG]?)(?:i?[bB])?")
_CONTACT = re.compile(r"mailto:[^\s@<>]+@[^\s@<>]+|https://[^\s<>]+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def _listen(value: object) -> Endpoint | None:
    if isinstance(value, TcpAddress | UnixAddress):
        return value
    try:
        return parse_endpoint(_text(value)) if value != "" else None
    except ValueError:
        raise ValueError(f"not an address; {meant.address(value, unix=True)}") from None


def _address(value: object) -> TcpAddress | None:
    if isinstance(value, UnixAddress) or (isinstance(value, str) and value.startswith((UNIX, "/"))):
        raise ValueError("not on a UNIX socket; this listens on host:port")
    if isinstance(value, TcpAddress):
        return value
    try:
        return TcpAddress.parse(_text(value)) if value != "" else None
    except ValueError:
        raise ValueError(f"not an address; {meant.address(value, unix=False)}") from None


def _url(value: object) -> MqttUrl | None:
    if isinstance(value, MqttUrl):
        return value
    try:
        return MqttUrl.parse(_text(value)) if value != "" else None
    except ValueError as error:
        if ";" in str(error):
            raise
        raise ValueError(f"not the URL of a broker; {meant.broker_url(value)}") from None


def _web_url(value: object) -> WebUrl | None:
    if isinstance(value, WebUrl):
        return value
    return _as("a URL", WebUrl.parse, value) if value != "" else None


def _network(value: object) -> Network:
    return value if isinstance(value, Network) else _as("a network", parse_network, value)


def _mode(value: object) -> FileMode:
    return value if isinstance(value, FileMode) else _as("a file's mode", FileMode.parse, value)


def _owner(value: object) -> FileOwner:
    return value if isinstance(value, FileOwner) else FileOwner.parse(_text(value))


def _as(kind: str, parse: Callable[[str], T], value: object) -> T:
    """What `parse` makes of a text; its refusal says of what kind the value is not, unless it says more itself."""
    try:
        return parse(_text(value))
    except ValueError as error:
        raise ValueError(str(error) if ";" in str(error) else f"not {kind}; {error}") from None


def _text(value: object) -> str:
    """A number, a list or a table is refused as an empty text would be: what to write instead is the same."""
    return value if isinstance(value, str) else ""


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("not a size; write a number of bytes, or one with k, M or G behind it")
    return int(match[1]) * _FACTOR[match[2].lower()]


def _file(value: object) -> object:
    return None if value == "" else _at_home(value)


def _directory(value: object) -> object:
    if value == "":
        raise ValueError("no directory; write its whole path")
    return _at_home(value)


def _at_home(value: object) -> object:
    if isinstance(value, str) and value.startswith("~"):
        raise ValueError("the ~ of a shell means nothing here; write the whole path")
    return value


def _name(value: str) -> str:
    if not topics.valid_name(value):
        raise ValueError("not a name; use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit")
    return value


def _root(value: str) -> str:
    if not value or any(not topics.valid_name(level) for level in value.split("/")):
        raise ValueError("not a topic; use one or more levels of a-z 0-9 _ - without wildcards")
    return value


def _contact(value: str) -> str:
    if value and not _CONTACT.fullmatch(value):
        raise ValueError("nobody to write to; write mailto:you@example.org or https://example.org/contact")
    return value


def _host(value: object) -> Network | str:
    if isinstance(value, Network):
        return value
    text = _text(value)
    try:
        return parse_network(text)
    except ValueError:
        if _HOST.fullmatch(text.lower()):
            return text.lower()
        raise ValueError("no host and no network; write push.example.org, 192.168.1.7 or 192.168.0.0/16") from None


def _several(value: object) -> object:
    """A list may be one text: a variable of the environment holds `a, b`, or a list as JSON writes it."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('not a list; write this, that, or ["this", "that"]') from None
    return [part.strip() for part in value.split(",") if part.strip()]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the type of a key is called where it is explained; `keys.py` says how each is written."""

    name: str


Listen = Annotated[Endpoint | None, PlainValidator(_listen), Kind("address or socket")]
Address = Annotated[TcpAddress | None, PlainValidator(_address), Kind("address")]
Url = Annotated[MqttUrl | None, PlainValidator(_url), Kind("URL of a broker")]
PublicUrl = Annotated[WebUrl | None, PlainValidator(_web_url), Kind("URL")]
Mode = Annotated[FileMode, PlainValidator(_mode), Kind("mode")]
Owner = Annotated[FileOwner, PlainValidator(_owner), Kind("owner")]
File = Annotated[Path | None, BeforeValidator(_file), Kind("file")]
Directory = Annotated[Path, BeforeValidator(_directory), Kind("directory")]
Size = Annotated[int, BeforeValidator(_size), Field(ge=0), Kind("size")]
Name = Annotated[str, AfterValidator(_name), Kind("name")]
Root = Annotated[str, AfterValidator(_root), Kind("topic")]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several), Kind("list of texts")]
Networks = Annotated[
    tuple[Annotated[Network, PlainValidator(_network)], ...], BeforeValidator(_several), Kind("list of networks")
]
Hosts = Annotated[
    tuple[Annotated[Network | str, PlainValidator(_host)], ...],
    BeforeValidator(_several),
    Kind("list of hosts and networks"),
]
Contact = Annotated[str, AfterValidator(_contact), Kind("contact")]
PushContent = Literal["full", "sender", "none"]
LoginsFor = Literal["", "mosquitto", "nats"]
MqttVersion = Literal["auto", "5", "3.1.1"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]
