"""The values of the configuration: from what a file or a variable says to the type that the code takes.

Each is parsed here and nowhere else; each refusal says what it is not, and what to write instead.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar, get_args
from urllib.parse import parse_qs, urlsplit

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
from bridge.config.kinds import TEXT, WHOLE, Kind, one_of, several
from bridge.config.permissions import FileMode, FileOwner
from bridge.config.unusable import refuse
from bridge.contract import topics

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SIZE = re.compile(r"(\d+)\s*([kKmMgG]?)(?:i?[bB])?")
_CONTACT = re.compile(r"mailto:[^\s@<>]+@[^\s@<>]+|https://[^\s<>]+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
MOST_WORKERS = 64
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def _listen(value: object) -> Endpoint | None:
    if isinstance(value, TcpAddress | UnixAddress):
        return value
    try:
        return parse_endpoint(_text(value)) if _said(value) else None
    except ValueError:
        raise ValueError(f"not an address; {meant.address(value, unix=True)}") from None


def _address(value: object) -> TcpAddress | None:
    if isinstance(value, UnixAddress) or (isinstance(value, str) and value.startswith((UNIX, "/"))):
        raise ValueError("not on a UNIX socket; this listens on host:port")
    if isinstance(value, TcpAddress):
        return value
    try:
        return TcpAddress.parse(_text(value)) if _said(value) else None
    except ValueError:
        raise ValueError(f"not an address; {meant.address(value, unix=False)}") from None


def _url(value: object) -> MqttUrl | None:
    if isinstance(value, MqttUrl):
        return value
    try:
        return MqttUrl.parse(_text(value)) if _said(value) else None
    except ValueError as error:
        if ";" in str(error):
            raise
        raise ValueError(f"not the URL of a broker; {meant.broker_url(value)}") from None


def _web_url(value: object) -> WebUrl | None:
    if isinstance(value, WebUrl):
        return value
    return _as("a URL", WebUrl.parse, value) if _said(value) else None


def _database_url(value: object) -> str:
    text = _text(value).strip()
    if not text:
        return ""
    cure = "write postgresql://user@host/database, or postgresql:///database?host=/run/postgresql"
    parts = urlsplit(text)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"not the URL of a database; {cure}")
    if len(parts.path) < 2:
        raise ValueError(f"it names no database; {cure}")
    if ":" in parts.netloc.rpartition("@")[0] or "password" in parse_qs(parts.query):
        raise ValueError("no password belongs here; write it into a file, and its name behind: ?passfile=/path")
    return text


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


def _said(value: object) -> bool:
    """Whether there is anything: an empty text is off, or none, and is read as None, which is that already."""
    return value is not None and value != ""


def _text(value: object) -> str:
    """A number, a list or a table is refused as an empty text would be: what to write instead is the same."""
    return value if isinstance(value, str) else ""


def _size(value: object) -> int:
    if not isinstance(value, str):
        size: int = WHOLE.read(value)
        return size
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("not a size; write a number of bytes, or one with k, M or G behind it")
    return int(match[1]) * _FACTOR[match[2].lower()]


def _file(value: object) -> Path | None:
    return _path(value) if _said(value) else None


def _directory(value: object) -> Path:
    if value == "":
        raise ValueError("no directory; write its whole path")
    return _path(value)


def _path(value: object) -> Path:
    if not isinstance(value, str | Path):
        refuse("not a path", 'write it in quotes, as "/etc/postbell/file"')
    if isinstance(value, str) and value.startswith("~"):
        raise ValueError("the ~ of a shell means nothing here; write the whole path")
    return Path(value)


def _name(value: object) -> str:
    name: str = TEXT.read(value)
    if not topics.valid_name(name):
        raise ValueError("not a name; use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit")
    return name


def _root(value: object) -> str:
    root: str = TEXT.read(value)
    if not root or any(not topics.valid_name(level) for level in root.split("/")):
        raise ValueError("not a topic; use one or more levels of a-z 0-9 _ - without wildcards")
    return root


def _contact(value: object) -> str:
    contact: str = TEXT.read(value)
    if contact and not _CONTACT.fullmatch(contact):
        raise ValueError("nobody to write to; write mailto:you@example.org or https://example.org/contact")
    return contact


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


def _workers(value: object) -> Workers:
    if value == "auto":
        return "auto"
    try:
        count: int = WHOLE.read(value)
    except ValueError:
        raise ValueError('neither "auto" nor a whole number; write "auto" or 2') from None
    if not 0 <= count <= MOST_WORKERS:
        raise ValueError(f"not 0 to {MOST_WORKERS}; write one for every two cores at most")
    return count


Workers = Literal["auto"] | int
LoginsFor = Literal["", "mosquitto", "nats"]
MqttVersion = Literal["auto", "5", "3.1.1"]
PushContent = Literal["full", "sender", "none"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]

LISTEN: Final = Kind("address or socket", _listen)
ADDRESS: Final = Kind("address", _address)
URL: Final = Kind("URL of a broker", _url)
DATABASE_URL: Final = Kind("URL of a database", _database_url)
PUBLIC_URL: Final = Kind("URL", _web_url)
MODE: Final = Kind("mode", _mode)
OWNER: Final = Kind("owner", _owner)
FILE: Final = Kind("file", _file)
DIRECTORY: Final = Kind("directory", _directory)
SIZE: Final = Kind("size", _size)
NAME: Final = Kind("name", _name)
ROOT: Final = Kind("topic", _root)
CONTACT: Final = Kind("contact", _contact)
NETWORKS: Final = several("list of networks", Kind("network", _network))
HOSTS: Final = several("list of hosts and networks", Kind("host or network", _host))
LOGINS_FOR: Final = one_of(*get_args(LoginsFor))
MQTT_VERSION: Final = one_of(*get_args(MqttVersion))
PUSH_CONTENT: Final = one_of(*get_args(PushContent))
LOG_LEVEL: Final = one_of(*get_args(LogLevel))
WORKERS: Final = Kind("workers", _workers)
LOG_FORMAT: Final = one_of(*get_args(LogFormat))
