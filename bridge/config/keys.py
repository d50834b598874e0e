"""Every key as a value: its meaning, type, bounds and default; from these come the pages and files that explain it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from bridge.config import brokers
from bridge.config.section import Section, declared
from bridge.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.config.section import Setting

SIZE: Final = "size"
KINDS: Final = {
    "address": '`"host:port"` or `"[IPv6]:port"`, port 0 for any that is free; `""` is off',
    "address or socket": 'an address, or `"unix:/path"` for a UNIX socket; `""` is off',
    "contact": '`"mailto:you@example.org"` or `"https://…"`; `""` is none',
    "directory": "the whole path of a directory, in quotes",
    "file": 'the whole path of a file, in quotes; `""` is none',
    "list of hosts and networks": '`["push.example.org", "192.168.0.0/16"]`, in a variable also with commas alone; '
    "`[]` is none",
    "list of networks": '`["10.0.0.0/8", "fd00::/8", "192.0.2.1"]`, in a variable also with commas alone; `[]` is none',
    "list of origins": '`["https://host", "https://host:port"]`, in a variable also with commas alone; `[]` is none',
    "list of texts": '`["this", "that"]`, in a variable also with commas alone; `[]` is none',
    "mode": 'three octal digits in quotes, as `"0660"`',
    "name": "1 to 32 of `a-z 0-9 _ -` in quotes, a letter or digit first",
    "number": "as `7` or `0.5`",
    "owner": '`"user"`, `"user:group"` or `":group"`; `""` leaves it',
    SIZE: 'bytes as a number, or `"64k"`, `"50M"`, `"10G"`',
    "text": 'in quotes, as `"this"`',
    "topic": "one or more names with `/` between them, in quotes",
    "true or false": "without quotes",
    "URL": '`"https://host"`, `"https://host:port"`, `"http://…"`; `""` is none',
    "URL of a broker": '`"mqtt://host:port"`, `"mqtts://…"`, `"ws://…"`, `"wss://…"` without a login; `""` is none',
    "URL of a database": '`"postgresql://user@host/database"` as libpq knows it, without a password; `""` is none',
    "whole number": "as `100`",
    "workers": '`"auto"`, or a number as `2`',
}
"""How a value of each type is written."""

Bound = int | float

_UNITS = (("G", 2**30), ("M", 2**20), ("k", 2**10))


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is as TOML and JSON have it; a bound that is None is none; `meaning` is a sentence or two."""

    name: str
    kind: str
    default: Any
    meaning: str
    ge: Bound | None = None
    gt: Bound | None = None
    le: Bound | None = None

    @property
    def section(self) -> str:
        """The section it stands in; empty at the top of the file."""
        return self.name.rpartition(".")[0]

    @property
    def bounds(self) -> str:
        """Between which values it has to be, in words; empty where everything goes."""
        least = f"more than {self.toml(self.gt)}" if self.gt is not None else ""
        if self.ge is not None:
            least = self.toml(self.ge)
            return f"{least} to {self.toml(self.le)}" if self.le is not None else f"{least} or more"
        most = f"{self.toml(self.le)} or less" if self.le is not None else ""
        return ", ".join(each for each in (least, most) if each)

    @property
    def last(self) -> str:
        """Its name within the section."""
        return self.name.rpartition(".")[2]

    def toml(self, value: Any) -> str:
        """A value of this key as it is written in the file."""
        return toml(value, size=self.kind == SIZE)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section with its keys, those of the bridge first; `name` is empty for the top of the file."""

    name: str
    meaning: str
    keys: tuple[Key, ...]


def chapters(*, with_brokers: bool = True) -> tuple[Chapter, ...]:
    """All sections in the order of the file. For the broker's keys its program is asked; raises BrokerSilentError."""
    return _chapters(brokers.described() if with_brokers else [])


def shown(
    settings: Settings, raw: Mapping[str, Any], *, with_brokers: bool = True
) -> tuple[tuple[Chapter, ...], dict[str, Any]]:
    """All sections, and the value of each key, as TOML and JSON have it.

    `raw` is what file and variables say, for the broker's keys. For those its program is asked; raises
    BrokerSilentError.
    """
    told = brokers.shown(raw) if with_brokers else []
    theirs = {each["name"]: each.pop("value") for each in told}
    return _chapters(told), {**theirs, **{name: _plain(value) for name, _, value in _fields(settings)}}


def _chapters(theirs: list[dict[str, Any]]) -> tuple[Chapter, ...]:
    every = [
        Key(name, setting.kind.name, _plain(value), setting.meaning, setting.ge, setting.gt, setting.le)
        for name, setting, value in _fields(Settings())
    ]
    others = [Key(**each) for each in theirs]
    names = ["", *(name for name, setting in declared(Settings).items() if setting.part is not None)]
    return tuple(
        Chapter(name, _meaning(name), _woven(*(_inside(name, keys) for keys in (every, others)))) for name in names
    )


def meanings() -> dict[str, str]:
    """What each key is for. Asks the broker's program; raises BrokerSilentError."""
    return {key.name: key.meaning for chapter in chapters() for key in chapter.keys}


def toml(value: Any, *, size: bool = False) -> str:
    """A value as TOML; a size in the largest unit that it is a multiple of."""
    if size and not isinstance(value, str):
        for letter, factor in _UNITS:
            if value and value % factor == 0:  # 0 needs no unit
                return f'"{value // factor}{letter}"'
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return f"[{', '.join(toml(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inside(section: str, keys: list[Key]) -> list[Key]:
    return [key for key in keys if key.section == section]


def _woven(ours: list[Key], theirs: list[Key]) -> tuple[Key, ...]:
    """The keys of a section that both read: the broker's stand together where the first of them stands in ours."""
    known = {key.name: key for key in ours}
    shared = {key.name for key in theirs} & known.keys()
    first = next((place for place, key in enumerate(ours) if key.name in shared), len(ours))
    own = [key for key in ours if key.name not in shared]
    return (*own[:first], *(known.get(key.name, key) for key in theirs), *own[first:])


def _meaning(section: str) -> str:
    if not section:
        return "At the top of the file, before the first section."
    return (declared(Settings)[section].part.__doc__ or "").partition("\n\n")[0]


def _fields(settings: Settings) -> Iterator[tuple[str, Setting, Any]]:
    for name, setting in declared(Settings).items():
        value = getattr(settings, name)
        if isinstance(value, Section):
            inner = declared(type(value)).items()
            yield from ((f"{name}.{key}", each, getattr(value, key)) for key, each in inner)
        else:
            yield name, setting, value


def _plain(value: object) -> Any:
    """As JSON and TOML have it; nothing is an empty text."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value if type(value) in {bool, int, float, str} else str(value)
