"""Keys of the configuration: how one is declared, and what reads what people wrote of it.

A reader takes what a file or a variable says, also a value that was read already. It raises ValueError with what the
value is not, a semicolon, and what to write instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import Field, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from broker.address import Address
from broker.networks import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Callable

Bound = int | float

_SIZE = re.compile(r"(\d{1,18})\s*([kKmMgG]?)(?:i?[bB])?")
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_WHOLE = re.compile(r"[+-]?\d{1,18}(?:\.0*)?")
_SAID = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s/:?#@A-Z\[\]]+)(:\d{1,5})?")
_USUAL_PORTS = {"http": ":80", "https": ":443"}  # which browsers leave out


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is known of a key beside its default: what its type is called, its reader, its meaning and its bounds."""

    kind: str
    reader: Callable[[Any], Any]
    meaning: str
    ge: Bound | None = None
    gt: Bound | None = None
    le: Bound | None = None

    def read(self, said: object) -> Any:
        """The value for what was said; raises ValueError."""
        value = self.reader(said)
        if self.ge is not None and value < self.ge:
            raise ValueError(f"too small; write {self.ge} or more")
        if self.gt is not None and value <= self.gt:
            raise ValueError(f"too small; write more than {self.gt}")
        if self.le is not None and value > self.le:
            raise ValueError(f"too large; write {self.le} or less")
        return value

    @property
    def bounds(self) -> dict[str, Bound]:
        """Those that it has."""
        return {name: bound for name in ("ge", "gt", "le") if (bound := getattr(self, name)) is not None}


def declared(section: type) -> dict[str, Declaration]:
    """The keys of a section in their order."""
    return {each.name: _key(each) for each in fields(section) if "key" in each.metadata}


def _key(each: Field[Any]) -> Declaration:
    key: Declaration = each.metadata["key"]
    return key


def _declares(kind: str, reader: Callable[[Any], Any]) -> Callable[..., Any]:
    """What declares keys of one kind in the body of a section."""

    def declare(default: Any, meaning: str, **bounds: Bound) -> Any:
        metadata = {"key": Declaration(kind=kind, reader=reader, meaning=meaning, **bounds)}
        return (
            field(default_factory=default, metadata=metadata)
            if callable(default)
            else field(default=default, metadata=metadata)
        )

    return declare


def _switch(value: object) -> bool:
    said = _SAID.get(str(value).lower()) if isinstance(value, bool | int | str) else None
    if said is None:
        raise ValueError("neither true nor false; write true or false without quotes")
    return said


def _whole(value: object) -> int:
    text = value.strip() if isinstance(value, str) else str(value) if type(value) in {int, float} else ""
    if not _WHOLE.fullmatch(text):
        raise ValueError("not a whole number; write one without quotes, as 100")
    return int(text.partition(".")[0])


def _figure(value: object) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not isfinite(number):
        raise ValueError("not a number; write one without quotes, as 7 or 0.5")
    return number


def _size(value: object) -> int:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) * _FACTOR[match[2].lower()] if match else _whole(value)


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or value == "":
        raise ValueError('not a path; write it in quotes, as "/etc/postbell/file"')
    if str(value).startswith("~"):
        raise ValueError("the ~ of a shell means nothing here; write the whole path")
    return Path(value)


def _file(value: object) -> Path | None:
    return None if value in (None, "") else _path(value)


def _address(value: object) -> Address | None:
    if value in (None, ""):
        return None
    try:
        return value if isinstance(value, Address) else Address.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f'not an address; {error}, or "" for off') from None


def _several(value: object) -> list[object]:
    """A list may be one text: a variable of the environment holds `a, b`, or a list as JSON writes it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    elif isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError('not a list; write this, that, or ["this", "that"]')  # noqa: TRY004 - as every reader
    return list(value)


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(each if isinstance(each, Network) else _network(each) for each in _several(value))


def _network(value: object) -> Network:
    try:
        return parse_network(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"not a network; {error}") from None


def _origins(value: object) -> tuple[str, ...]:
    return tuple(_origin(each) for each in _several(value))


def _origin(value: object) -> str:
    """As browsers write it (RFC 6454 §6.2), since it is compared with what they send."""
    text = value if isinstance(value, str) else ""
    if _ORIGIN.fullmatch(text) is None:
        raise ValueError("not an origin; write https://host or https://host:port in small letters, without a path")
    if text.endswith(_USUAL_PORTS.get(text.partition(":")[0], " ")):
        raise ValueError("not an origin as browsers write it; leave out the port, which is the usual one")
    return text


def matching(pattern: str, default: str, meaning: str, *, instead: str) -> Any:
    """Declares a text that has to match a pattern as a whole; `instead` says what to write."""
    form = re.compile(pattern)

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError('not a text; write it in quotes, as "this"')  # noqa: TRY004 - as every reader
        if form.fullmatch(value) is None:
            raise ValueError(f"not as it should be; {instead}")
        return value

    return _declares("text", read)(default, meaning)


def one_of(choices: tuple[str, ...], default: str, meaning: str) -> Any:
    """Declares one of several texts."""
    *others, last = map(repr, choices)
    instead = f"write {', '.join(others)} or {last}"
    return matching("|".join(choices), default, meaning, instead=instead)


switch: Final = _declares("true or false", _switch)
whole: Final = _declares("whole number", _whole)
number: Final = _declares("number", _figure)
size: Final = _declares("size", _size)
file: Final = _declares("file", _file)
directory: Final = _declares("directory", _path)
listen: Final = _declares("address", _address)
networks: Final = _declares("list of networks", _networks)
origins: Final = _declares("list of origins", _origins)
