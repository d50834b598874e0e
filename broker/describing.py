"""The keys of the broker as other programs are told of them: type, bounds, default, meaning, and the value now."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.address import Address
from broker.keys import declared
from broker.settings import Section, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.keys import Declaration


def describe() -> list[dict[str, Any]]:
    """All keys in their order: `name`, `kind`, `default`, `meaning`, and the bounds `ge`, `gt`, `le`, if any."""
    return [
        {"name": name, "kind": key.kind, "default": _plain(default), "meaning": key.meaning, **key.bounds}
        for name, key, default in _keys(Settings())
    ]


def show(settings: Settings) -> list[dict[str, Any]]:
    """The same, each with its `value` in these settings."""
    values = {name: _plain(value) for name, _, value in _keys(settings)}
    return [each | {"value": values[each["name"]]} for each in describe()]


def _keys(settings: Settings) -> Iterator[tuple[str, Declaration, Any]]:
    own = declared(Settings)
    for each in fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, Section):
            inner = declared(type(value)).items()
            yield from ((f"{each.name}.{name}", key, getattr(value, name)) for name, key in inner)
        else:
            yield each.name, own[each.name], value


def _plain(value: object) -> object:
    """As JSON and TOML have it; nothing is an empty text."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, Address | Path) else value
