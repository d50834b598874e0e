"""The keys of the broker as other programs are told of them: type, bounds, default, meaning, and the value now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel

from broker.address import Address
from broker.settings import Kind, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_KINDS: dict[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "directory"}


def describe() -> list[dict[str, Any]]:
    """All keys in their order: `name`, `kind`, `default`, `meaning`, and the bounds `ge`, `gt`, `le`, if any."""
    return [
        {"name": key, "kind": _kind(field), "default": _plain(default), "meaning": field.description, **_bounds(field)}
        for key, field, default in _keys(Settings.model_construct())
    ]


def values(settings: Settings) -> dict[str, Any]:
    """The value of each key."""
    return {key: _plain(value) for key, _, value in _keys(settings)}


def _keys(settings: Settings) -> Iterator[tuple[str, FieldInfo, Any]]:
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            for key, inner in type(value).model_fields.items():
                yield f"{name}.{key}", inner, getattr(value, key)
        else:
            yield name, field, value


def _kind(field: FieldInfo) -> str:
    named = next((each.name for each in field.metadata if isinstance(each, Kind)), None)
    return named or _KINDS[field.annotation]


def _bounds(field: FieldInfo) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for each in field.metadata:
        match each:
            case Ge(ge=bound):
                bounds["ge"] = bound
            case Gt(gt=bound):
                bounds["gt"] = bound
            case Le(le=bound):
                bounds["le"] = bound
    return bounds


def _plain(value: object) -> object:
    """As JSON and TOML have it; nothing is an empty text."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, Address | Path) else value
